//! Every statement of the store finds its rows by an index: a store of a million calls must answer as a small one does.
//!
//! The statements are read from the sources, so a new one is held too. What an index serves is what SQLite itself says of a
//! store that is empty: it has no other hint than the indexes.

use std::path::Path;

use super::*;

/// The parts that are put into others by `format!`.
fn parts() -> Vec<(String, String)> {
    let mut parts: Vec<(String, String)> = Vec::new();
    for (file, text) in sources() {
        for (name, rest) in text.match_indices("const ").map(|(at, _)| {
            let rest = &text[at + "const ".len()..];
            (rest.split(':').next().unwrap_or_default().trim(), rest)
        }) {
            if rest
                .split(';')
                .next()
                .is_some_and(|line| line.contains(": &str = \""))
                && let Some(value) = literal(rest)
            {
                assert!(
                    !parts
                        .iter()
                        .any(|(known, other)| known == name && *other != value),
                    "{file}: {name} stands twice"
                );
                parts.push((name.to_owned(), value));
            }
        }
    }
    parts.push(("word".to_owned(), "dialing".to_owned()));
    parts.push((
        "narrow".to_owned(),
        "b.state = 'failed' AND b.state <> 'delivered' AND".to_owned(),
    ));
    parts
}

fn sources() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
    let files = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let rust = files.filter(|path| path.extension().is_some_and(|ending| ending == "rs"));
    rust.map(|path| {
        (
            path.display().to_string(),
            std::fs::read_to_string(&path).unwrap(),
        )
    })
    .collect()
}

/// The first string literal of `text`, its line continuations joined.
fn literal(text: &str) -> Option<String> {
    let start = text.find('"')? + 1;
    let mut value = String::new();
    let mut chars = text[start..].chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => return Some(value),
            '\\' => match chars.next()? {
                '\n' => {
                    while chars.peek().is_some_and(|c| c.is_whitespace()) {
                        chars.next();
                    }
                }
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

/// Every statement, with the file that it stands in.
fn statements() -> Vec<(String, String)> {
    let parts = parts();
    let mut all = Vec::new();
    for (file, text) in sources() {
        let text = text.split("#[cfg(test)]").next().unwrap();
        for start in [
            "\"SELECT ",
            "\"UPDATE ",
            "\"DELETE ",
            "\"WITH ",
            "\"INSERT ",
            "\"{",
        ] {
            for (at, _) in text.match_indices(start) {
                let mut sql = literal(&text[at..]).unwrap();
                for (name, value) in &parts {
                    sql = sql.replace(&format!("{{{name}}}"), value);
                }
                let first = sql.split(' ').next().unwrap_or_default();
                if ["SELECT", "UPDATE", "DELETE", "WITH", "INSERT"].contains(&first) {
                    all.push((file.clone(), sql));
                }
            }
        }
    }
    all
}

/// Statements that may walk a whole table, each with its reason.
const MAY_WALK: [(&str, &str); 3] = [
    // `replay --last N`: from the newest call backwards, until N are found; a person waits for it, not a call.
    (
        "WHERE dialog = ?1 AND status IN ('finished', 'cancelled')",
        "replay",
    ),
    // The schema itself has a few dozen rows.
    ("FROM sqlite_schema", "schema"),
    // One row a table that numbers by AUTOINCREMENT.
    ("FROM sqlite_sequence", "numbers"),
];

#[test]
fn every_statement_is_served_by_an_index() {
    let place = Place::new();
    drop(place.open());
    let conn = rusqlite::Connection::open(&place.path).unwrap();
    let (mut seen, mut faults) = (0, Vec::new());
    for (file, sql) in statements() {
        let mut plan = match conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")) {
            Ok(plan) => plan,
            // A part of a statement: its whole is another literal.
            Err(_)
                if sql.contains('{')
                    || sql.ends_with("FROM calls")
                    || sql.ends_with("c.n = b.call_n")
                    || sql.ends_with("c.n = h.call_n") =>
            {
                continue;
            }
            Err(error) => panic!("{file}: {error}: {sql}"),
        };
        seen += 1;
        if MAY_WALK.iter().any(|(part, _)| sql.contains(part)) {
            continue;
        }
        let bare = !sql.contains("WHERE");
        let steps: Vec<String> = plan
            .raw_query()
            .mapped(|row| row.get(3))
            .collect::<rusqlite::Result<_>>()
            .unwrap();
        for step in &steps {
            // A walk over an index (all that wait, in their order) is bounded by what waits, or by LIMIT; one over a table isn't.
            let walks = step.starts_with("SCAN ")
                && !step.contains(" USING ")
                && !step.contains("CONSTANT ROW")
                && !["SCAN hosts", "SCAN (", "SCAN lanes", "SCAN heads"]
                    .iter()
                    .any(|known| step.starts_with(known));
            if walks && !bare {
                faults.push(format!("{file}: {sql}\n    {}", steps.join("\n    ")));
                break;
            }
        }
    }
    assert!(seen > 40, "only {seen} statements were found");
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}
