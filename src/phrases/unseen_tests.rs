//! The matcher on utterances that were written before it saw them: `tests/fixtures/phrases/unseen`. What comes of each list is
//! the report beside it, misses and all; this test holds that the reports tell the truth of today's matcher. What a list says
//! of new callers stands at its head: once its misses are read and mended, nothing.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use super::*;

/// What the matcher made of one utterance.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    /// The dialog would go the wrong way.
    Other,
    /// An answer where there is none.
    Invented,
    /// No answer where there is one: the person is asked again.
    Missed,
    Right,
}

fn judge(wanted: &str, found: &str) -> Verdict {
    let right = wanted.split('|').any(|one| one == found);
    match (right, found, wanted) {
        (true, ..) => Verdict::Right,
        (_, "-", _) => Verdict::Missed,
        (.., "-") => Verdict::Invented,
        _ => Verdict::Other,
    }
}

fn report(list: &str) -> String {
    let answers = Answers::builtin();
    let mut lines: BTreeMap<Verdict, Vec<String>> = BTreeMap::new();
    let mut by_name: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let (mut all, mut either) = (0, 0);
    for line in list
        .lines()
        .filter(|l| !l.is_empty() && !l.starts_with('#'))
    {
        let (text, wanted) = line
            .split_once(" -> ")
            .unwrap_or_else(|| panic!("no arrow: {line:?}"));
        let found = answers.understand(text, &[] as &[&str]);
        let found = found.intent.as_deref().unwrap_or("-");
        let verdict = judge(wanted, found);
        let first = wanted.split('|').next().unwrap_or(wanted);
        let count = by_name.entry(first).or_default();
        count.1 += 1;
        count.0 += usize::from(verdict == Verdict::Right);
        all += 1;
        either += usize::from(first != wanted && first != found && verdict == Verdict::Right);
        lines
            .entry(verdict)
            .or_default()
            .push(format!("{text} -> {wanted}, found {found}"));
    }
    let of = |verdict| lines.get(&verdict).map_or(0, Vec::len);
    let mut told = format!(
        "{all} utterances: {} right ({either} of them by the second of two answers that both are right), {} another answer, {} an \
         answer where there is none, {} no match\n\n",
        of(Verdict::Right),
        of(Verdict::Other),
        of(Verdict::Invented),
        of(Verdict::Missed)
    );
    for (name, (right, of)) in by_name {
        let _ = writeln!(told, "{name}: {right} of {of}");
    }
    for (verdict, title) in [
        (Verdict::Other, "another answer"),
        (Verdict::Invented, "an answer where there is none"),
        (Verdict::Missed, "no match"),
    ] {
        let _ = writeln!(told, "\n# {title}");
        for line in lines.get(&verdict).into_iter().flatten() {
            let _ = writeln!(told, "{line}");
        }
    }
    told
}

/// The list of that name, and where its report lies.
fn list(name: &str) -> (String, std::path::PathBuf) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/phrases/unseen");
    let list = std::fs::read_to_string(folder.join(format!("{name}.txt"))).unwrap();
    (list, folder.join(format!("{name}.report.txt")))
}

fn texts(list: &str) -> impl Iterator<Item = &str> {
    list.lines()
        .filter(|l| !l.starts_with('#'))
        .filter_map(|l| l.split_once(" -> "))
        .map(|(text, _)| text)
}

/// `GOVORUN_BLESS=1` writes the reports anew, to be read by somebody.
#[test]
fn the_reports_on_unseen_utterances_are_todays() {
    for name in ["first", "second", "third"] {
        let (list, path) = list(name);
        let told = report(&list);
        assert!(texts(&list).count() >= 500, "{name}");
        if std::env::var_os("GOVORUN_BLESS").is_some() {
            std::fs::write(&path, &told).unwrap();
        }
        println!("{name}.txt\n{told}");
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            kept == told,
            "{}: of another matcher, GOVORUN_BLESS=1 writes it anew",
            path.display()
        );
    }
}

/// What stands in a table was tuned on.
#[test]
fn no_unseen_utterance_stands_in_a_table() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/phrases/answers");
    let mut seen = std::collections::BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let table = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        seen.extend(texts(&table).map(str::to_lowercase));
    }
    for name in ["first", "second", "third"] {
        let (list, _) = list(name);
        for text in texts(&list) {
            assert!(seen.insert(text.to_lowercase()), "{name}: {text}");
        }
    }
}
