//! One sign of a sound script is lost: where that is told, and how many echoes it has.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use super::super::check::check;
use super::*;

/// Scripts and settings that ship; sounds are not looked at here.
static SHIPPED: LazyLock<Files> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    let mut files = super::super::files::read(&folder, Language::Ru).unwrap();
    files.retain(|path, _| !path.ends_with(".wav") && !path.starts_with("sounds/"));
    files
});

/// The shipped dialogs.
fn scripts() -> Vec<(String, String)> {
    let dialogs = SHIPPED
        .iter()
        .filter(|(path, _)| path.ends_with(".rhai") && !path.contains('/'));
    dialogs
        .map(|(path, bytes)| (path.clone(), String::from_utf8(bytes.clone()).unwrap()))
        .collect()
}

/// One dialog with another text, and what it needs.
fn with(file: &str, text: &str) -> Files {
    let mut files = SHIPPED.clone();
    let own = |path: &str| path.strip_suffix(".yaml") == file.strip_suffix(".rhai");
    files.retain(|path, _| path.starts_with("lib/") || path == "phrases.yaml" || own(path));
    files.insert(file.to_owned(), text.as_bytes().to_vec());
    files
}

/// What became of the loss of one kind of sign.
#[derive(Debug, Default)]
struct Tally {
    lost: usize,
    /// Told on the line of the loss, or on the next, as a missing semicolon is.
    near: usize,
    /// More faults than the one.
    echoes: usize,
    /// Nothing told: it was no fault.
    silent: usize,
}

#[test]
fn a_lost_sign_is_told_where_it_was_lost() {
    let mut tallies: BTreeMap<char, Tally> = BTreeMap::new();
    for (file, text) in scripts() {
        let signs: Vec<(usize, char)> = text
            .char_indices()
            .filter(|(at, c)| {
                let line = text[..*at].rsplit('\n').next().unwrap_or_default();
                matches!(c, ';' | '(' | ')' | '{' | '}' | '"' | ',' | '#') && !line.contains("//")
            })
            .collect();
        // Each thirteenth, so that a debug build takes seconds.
        for (at, sign) in signs.into_iter().step_by(13) {
            let mut broken = text.clone();
            broken.remove(at);
            let line = text[..at].matches('\n').count() + 1;
            let report = check(&with(&file, &broken), Language::Ru);
            let tally = tallies.entry(sign).or_default();
            tally.lost += 1;
            let lines = broken.lines().count() + 1;
            assert!(report.faults.iter().all(|f| f.line <= lines), "{report}");
            match report.faults.as_slice() {
                [] => tally.silent += 1,
                faults => {
                    let near = faults.iter().any(|f| (line..=line + 1).contains(&f.line));
                    tally.near += usize::from(near);
                    tally.echoes += faults.len() - 1;
                    if !near {
                        println!(
                            "{file}:{line} lost {sign:?}: {}:{} {}",
                            faults[0].line, faults[0].column, faults[0].message
                        );
                    }
                }
            }
        }
    }
    let mut all = Tally::default();
    for (sign, tally) in &tallies {
        println!("{sign} {tally:?}");
        all.lost += tally.lost - tally.silent;
        all.near += tally.near;
        all.echoes += tally.echoes;
    }
    println!(
        "{} of {} told on their line or the next, {} echoes",
        all.near, all.lost, all.echoes
    );
    assert!(all.lost > 80, "{all:?}");
    assert!(all.near * 10 >= all.lost * 8, "{all:?}");
    assert!(all.echoes * 2 <= all.lost, "{all:?}");
}

/// Wherever a file is cut off, and whatever stands there twice, something is told and nothing falls over.
#[test]
fn no_torn_script_is_too_strange() {
    for (file, text) in scripts() {
        let bounds: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        for at in bounds.iter().step_by(bounds.len() / 6 + 1) {
            check(&with(&file, &text[..*at]), Language::Ru);
            check(&with(&file, &text[*at..]), Language::En);
            let torn = [&text[..*at], "\"`{(${", &text[*at..]].concat();
            check(&with(&file, &torn), Language::Ru);
        }
    }
}
