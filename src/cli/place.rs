//! A place in a file, shown with its line and a caret.

use std::path::Path;

/// Longest line that is shown, characters.
const MAX_CHARS: usize = 160;

/// The line and a caret under `column` (both from 1); `None` where there is no such line.
pub(super) fn shown(source: &str, line: usize, column: usize) -> Option<String> {
    let text = source.lines().nth(line.checked_sub(1)?)?;
    // Tabs would push the caret away from its place.
    let text: String = text.replace('\t', " ").chars().take(MAX_CHARS).collect();
    let mut told = format!("{line:>6} | {text}");
    if (1..=MAX_CHARS).contains(&column) {
        told.push_str(&format!("\n       | {:>column$}", "^"));
    }
    Some(told)
}

/// The same, of a file; `None` where it can't be read.
pub(super) fn of_file(file: &Path, line: usize, column: usize) -> Option<String> {
    shown(&std::fs::read_to_string(file).ok()?, line, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_stands_under_its_column() {
        let told = shown("a: 1\nбэ:\tx\n", 2, 5).unwrap();
        assert_eq!(told, "     2 | бэ: x\n       |     ^");
        assert_eq!(shown("a", 3, 1), None);
        assert_eq!(shown("a", 1, 0).unwrap(), "     1 | a");
    }
}
