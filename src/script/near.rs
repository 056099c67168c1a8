//! "Did you mean": the nearest known name by edit distance.

/// Longest name that is compared, characters; longer ones have no neighbours.
const MAX_CHARS: usize = 64;

/// The candidate nearest to `name`, if it is near enough to be what was meant: one slip in three characters, at most; two
/// letters are too few for one.
pub(super) fn nearest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let chars: Vec<char> = name.to_lowercase().chars().take(MAX_CHARS + 1).collect();
    if chars.len() > MAX_CHARS {
        return None;
    }
    let allowed = match chars.len() {
        0..=2 => 0,
        length => length / 3,
    };
    candidates
        .into_iter()
        .filter(|c| *c != name)
        .map(|c| (distance(&chars, c), c))
        .filter(|(d, _)| *d <= allowed)
        .min()
        .map(|(_, c)| c)
}

/// Insertions, deletions, replacements and swaps of neighbours that lead from one to the other.
fn distance(a: &[char], b: &str) -> usize {
    let b: Vec<char> = b.to_lowercase().chars().collect();
    if b.len() > MAX_CHARS {
        return usize::MAX;
    }
    let mut before: Vec<usize> = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let replaced = last[j] + usize::from(x != y);
            let mut best = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_find_their_word() {
        let words = ["attempts", "timeout", "say", "спросить", "сказать", "да"];
        for (slip, meant) in [
            ("atempts", Some("attempts")),
            ("timeuot", Some("timeout")),
            ("Сказать", Some("сказать")),
            ("спростиь", Some("спросить")),
            ("sya", Some("say")),
            ("прощай", None),
            ("до", None),
        ] {
            assert_eq!(nearest(slip, words), meant, "{slip}");
        }
    }
}
