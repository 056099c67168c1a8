//! What is printed: results to standard output, faults to standard error. A reader who went away (`| head`) is no fault.

use std::io::{IsTerminal, Write};

/// A line of the result.
pub(super) fn line(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Text without a line's end, shown at once.
pub(super) fn text(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}

/// A fault.
pub(super) fn fault(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Somebody sits at the keyboard.
pub(super) fn has_keyboard() -> bool {
    std::io::stdin().is_terminal()
}

/// `1 диалог`, `2 диалога`, `5 диалогов`.
pub(super) fn count(n: usize, [one, few, many]: [&str; 3]) -> String {
    let word = match (n % 100, n % 10) {
        (11..=14, _) => many,
        (_, 1) => one,
        (_, 2..=4) => few,
        _ => many,
    };
    format!("{n} {word}")
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn numbers_agree_with_their_words() {
        for (n, want) in [
            (0, "0 ошибок"),
            (1, "1 ошибка"),
            (3, "3 ошибки"),
            (11, "11 ошибок"),
            (21, "21 ошибка"),
            (112, "112 ошибок"),
        ] {
            assert_eq!(count(n, ["ошибка", "ошибки", "ошибок"]), want);
        }
    }
}
