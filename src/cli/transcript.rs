//! A rehearsed call as a talk: who said what when, with the differences from its test marked.

use crate::rehearsal::person::Difference;
use crate::rehearsal::scene::HistoryLine;

use super::history;

/// Seconds from the answer before a line.
fn time(ms: u64) -> String {
    format!("{:>6},{}  ", ms / 1000, ms % 1000 / 100)
}

/// What a person reads of one line; `None`: nothing.
pub(super) fn line(line: &HistoryLine) -> Option<String> {
    history::live(&line.to_json())
}

/// The talk with its differences, the first of them marked.
pub(super) fn shown(lines: &[HistoryLine], differences: &[Difference]) -> Vec<String> {
    let mut shown = Vec::new();
    let mut left = differences.iter().enumerate().peekable();
    let mut mark = |shown: &mut Vec<String>, up_to: usize| {
        while let Some((n, difference)) = left.next_if(|(_, difference)| difference.at <= up_to) {
            let arrow = if n == 0 { "►" } else { " " };
            let place = match difference.line {
                0 => String::new(),
                line => format!(" (строка {line})"),
            };
            shown.push(format!("  {arrow}       ✗ {}{place}", difference.message));
        }
    };
    for (n, history) in lines.iter().enumerate() {
        mark(&mut shown, n);
        if let Some(text) = line(history) {
            shown.push(format!("{}{text}", time(history.at_ms)));
        }
    }
    mark(&mut shown, usize::MAX);
    shown
}
