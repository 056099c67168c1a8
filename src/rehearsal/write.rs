//! Writes a talk as a test case: `talk` saves with it what was just tried by hand.

use jiff::Zoned;
use serde_json::{Map, Value};

use super::call::Held;
use super::read;

/// Something of a talk, as its test case has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// The dialog said it.
    Robot(String),
    /// The person said it: politely, or so many milliseconds into the prompt.
    Says(String, Option<u64>),
    /// The person pressed keys, likewise.
    Presses(String, Option<u64>),
    /// The person kept silent until the dialog gave up.
    Silence,
    /// The person hung up, likewise.
    HangUp(Option<u64>),
    /// A machine answered, and greeted.
    Machine,
    /// The dialog transferred the call to that number.
    Transfer(String),
}

/// A text that YAML takes as it is: JSON's quotes are YAML's.
fn quoted(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}

/// The case as an item of a list.
pub fn case(
    title: &str,
    params: &Map<String, Value>,
    began: &Zoned,
    held: &Held,
    talk: &[Written],
) -> String {
    let mut out = format!("- проверка: {}\n", quoted(title));
    if !params.is_empty() {
        out.push_str(&format!("  параметры: {}\n", Value::Object(params.clone())));
    }
    out.push_str(&format!(
        "  сейчас: {}\n",
        began.strftime("%Y-%m-%dT%H:%M%:z")
    ));
    if talk.contains(&Written::Machine) {
        out.push_str("  звонок: автоответчик\n");
    }
    if talk.iter().any(|step| *step != Written::Machine) {
        out.push_str("  разговор:\n");
    }
    let into = |ms: &Option<u64>| {
        ms.map_or_else(String::new, |ms| {
            format!("      перебивает: {}.{:03}\n", ms / 1000, ms % 1000)
        })
    };
    for step in talk {
        out.push_str(&match step {
            Written::Robot(text) => format!("    - робот: {}\n", quoted(text)),
            Written::Says(text, ms) => format!("    - человек: {}\n{}", quoted(text), into(ms)),
            Written::Presses(keys, ms) => format!("    - цифры: {}\n{}", quoted(keys), into(ms)),
            Written::Machine => String::new(),
            Written::Silence => "    - тишина\n".to_owned(),
            Written::HangUp(None) => "    - отбой\n".to_owned(),
            Written::HangUp(ms) => format!("    - отбой:\n{}", into(ms)),
            Written::Transfer(number) => {
                format!("    - перевод: ответили\n      на: {}\n", quoted(number))
            }
        });
    }
    out.push_str(&format!("  итог: {}\n", quoted(&held.outcome)));
    if !held.end.data.is_empty() {
        out.push_str(&format!(
            "  данные: {}\n",
            Value::Object(held.end.data.clone())
        ));
    }
    out
}

/// The file with the case at its end; `None` where the file has mistakes, or can't be gone on with.
pub fn appended(file: &str, case: &str) -> Option<String> {
    let (before, faults) = read::read("", file.as_bytes());
    if !faults.is_empty() {
        return None;
    }
    let mut file = file.trim_end().to_owned();
    file.push_str("\n\n");
    // In a file of keys (`общее`, `проверки`) the list is indented, or not.
    ["", "  "].into_iter().find_map(|indent| {
        let mut whole = file.clone();
        for line in case.lines() {
            whole.push_str(indent);
            whole.push_str(line);
            whole.push('\n');
        }
        let (after, faults) = read::read("", whole.as_bytes());
        (faults.is_empty() && after.len() == before.len() + 1).then_some(whole)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_goes_to_the_end_of_lists_and_of_keyed_files() {
        let case = "- проверка: \"б: \\\"в\\\"\"\n  итог: x\n";
        for file in [
            "# ничего\n",
            "- проверка: а\n  итог: y\n",
            "общее: {попытка: 2}\nпроверки:\n  - проверка: а\n    итог: y\n",
            "cases:\n- case: а\n  outcome: y\n",
        ] {
            let whole = appended(file, case).unwrap_or_else(|| panic!("{file}"));
            assert!(whole.starts_with(file.trim_end()));
            let (cases, _) = read::read("", whole.as_bytes());
            assert_eq!(
                cases.last().map(|case| case.name.as_str()),
                Some("б: \"в\"")
            );
        }
        for file in ["- проверка: а\n  итк: y\n", "проверки: []\n"] {
            assert_eq!(appended(file, case), None, "{file}");
        }
    }
}
