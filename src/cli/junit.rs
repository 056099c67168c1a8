//! The report of `test --junit`: the XML that CI systems read.

use std::fmt::Write;
use std::time::Duration;

use crate::rehearsal::suite::{ENDING, Suite};
use crate::rehearsal::trial::Trial;

use super::transcript;

/// The whole file. One suite a dialog, one case a test; faults of the files are errors of theirs.
pub(super) fn report(suite: &Suite, trials: &[Trial], took: Duration) -> String {
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let failed = trials.iter().filter(|t| !t.differences.is_empty()).count();
    let _ = writeln!(
        xml,
        "<testsuites tests=\"{}\" failures=\"{failed}\" errors=\"{}\" time=\"{:.3}\">",
        trials.len(),
        suite.faults.len(),
        took.as_secs_f64()
    );
    for dialog in &suite.dialogs {
        let file = format!("{dialog}{ENDING}");
        let mine = || {
            suite
                .cases
                .iter()
                .zip(trials)
                .filter(|((of, _), _)| of == dialog)
        };
        let faults = || suite.faults.iter().filter(|fault| fault.file == file);
        if mine().count() + faults().count() == 0 {
            continue;
        }
        let failed = mine()
            .filter(|(_, trial)| !trial.differences.is_empty())
            .count();
        let _ = writeln!(
            xml,
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{failed}\" errors=\"{}\">",
            escaped(dialog),
            mine().count(),
            faults().count()
        );
        for ((_, case), trial) in mine() {
            let head = format!(
                "    <testcase classname=\"{}\" name=\"{}\" file=\"{}\" line=\"{}\"",
                escaped(dialog),
                escaped(&case.name),
                escaped(&file),
                case.line
            );
            match trial.differences.first() {
                None => {
                    let _ = writeln!(xml, "{head}/>");
                }
                Some(first) => {
                    let talk = transcript::shown(&trial.lines, &trial.differences).join("\n");
                    let _ = writeln!(
                        xml,
                        "{head}>\n      <failure message=\"{}\">{}</failure>\n    </testcase>",
                        escaped(&first.message),
                        escaped(&talk)
                    );
                }
            }
        }
        for fault in faults() {
            let _ = writeln!(
                xml,
                "    <testcase classname=\"{}\" name=\"{}:{}\"><error message=\"{}\"/></testcase>",
                escaped(dialog),
                escaped(&file),
                fault.line,
                escaped(&fault.message)
            );
        }
        xml.push_str("  </testsuite>\n");
    }
    xml.push_str("</testsuites>\n");
    xml
}

/// Text as XML takes it; characters that XML can't hold are left out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}
