//! The folders of `tests/fixtures`: broken dialogs, each with what must be said of it, and sound ones.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::check::check_folder;
use super::*;

/// What has to be said, beside the broken dialog; `GOVORUN_BLESS=1` writes it anew, to be read by somebody.
const EXPECTED: &str = "expected.txt";

fn cases(kind: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(kind);
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    found.sort();
    found
}

#[test]
fn broken_dialogs_get_their_message() {
    let bless = std::env::var_os("GOVORUN_BLESS").is_some();
    let cases = cases("invalid");
    assert!(cases.len() >= 60, "{}", cases.len());
    let mut wrong = Vec::new();
    for case in cases {
        let report = check_folder(&case, Language::Ru);
        let told = report.to_string();
        let silent = report.faults.is_empty() && report.warnings.is_empty();
        if bless {
            fs::write(case.join(EXPECTED), &told).unwrap();
        }
        let want = fs::read_to_string(case.join(EXPECTED)).unwrap_or_default();
        if silent || told != want {
            wrong.push(format!(
                "{}\n--- must be\n{want}--- is\n{told}",
                case.display()
            ));
        }
        // English has a sentence for each, too.
        let english = check_folder(&case, Language::En);
        assert_eq!(english.faults.len(), report.faults.len(), "{english}");
        for (ru, en) in report.faults.iter().zip(&english.faults) {
            assert_ne!(ru.message, en.message);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn sound_dialogs_have_nothing_to_tell() {
    let cases = cases("valid");
    assert!(cases.len() >= 30, "{}", cases.len());
    let told: Vec<String> = cases
        .iter()
        .map(|case| (case, check_folder(case, Language::Ru)))
        .filter(|(_, report)| !report.faults.is_empty() || !report.warnings.is_empty())
        .map(|(case, report)| format!("{}\n{report}", case.display()))
        .collect();
    assert!(told.is_empty(), "{}", told.join("\n"));
}
