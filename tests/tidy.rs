//! Keeps the house as `src/lib.rs` draws it: who may import whom, what a pure file may touch, how long a file may be.
//!
//! Reads the sources as text, with no parser and no dependency: comments, strings and test modules are blanked, then
//! every `crate::` path and every `super::` path that leaves its module is held against [`LAYERS`].

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};

/// Module, and what it may import besides itself and `ident`. Where the work shows something better, change a row and
/// say why in the commit.
const LAYERS: &[(&str, &[&str])] = &[
    ("ident", &[]),
    ("wire", &[]),
    ("audio", &[]),
    ("phrases", &[]),
    ("config", &[]),
    ("telemetry", &["config"]),
    ("net", &["wire", "audio", "config"]),
    (
        "asr",
        &["wire", "audio", "config", "net::backoff", "net::yandex"],
    ),
    (
        "tts",
        &["wire", "audio", "config", "net::backoff", "net::yandex"],
    ),
    (
        "call",
        &["net", "asr", "tts", "wire", "audio", "phrases", "config"],
    ),
    ("store", &["call", "config"]),
    ("outbound", &["call", "store", "config"]),
    (
        "script",
        &["call", "net::web", "phrases", "audio", "store", "config"],
    ),
    (
        "rehearsal",
        &[
            "call",
            "script",
            "phrases",
            "audio",
            "config",
            "wire",
            "net::speaker",
            "net::web",
        ],
    ),
    // `audio`: recordings of two channels are served as one.
    (
        "http",
        &["call", "outbound", "script", "store", "config", "audio"],
    ),
    (
        "app",
        &[
            "wire",
            "audio",
            "phrases",
            "config",
            "net",
            "asr",
            "tts",
            "call",
            "store",
            "outbound",
            "script",
            "rehearsal",
            "http",
            "telemetry",
        ],
    ),
    (
        "cli",
        &[
            "app",
            "call",
            "config",
            "phrases",
            "script",
            "store",
            "rehearsal",
            "telemetry",
        ],
    ),
    ("main", &["cli", "app", "telemetry"]),
];

/// The deciding files of `call`: values in, values out. `net::speaker` and `net::web` are boundaries of plain types, and
/// history holds events of AMI as they came.
const PURE_CALL: &[&str] = &[
    "answerer", "ear", "event", "history", "machine", "order", "reply", "request", "summary",
    "timer", "turn",
];
const PURE_CALL_IMPORTS: &[&str] = &["audio", "phrases", "net::speaker", "net::web", "wire::ami"];

/// What a pure file never names: waiting, clocks, files, sockets.
const IMPURE: &[&str] = &[
    "tokio",
    "std::fs",
    "std::net::Tcp",
    "std::net::Udp",
    "std::process",
    "std::thread",
    "Instant",
    "SystemTime",
    "Timestamp::now",
    "Zoned::now",
];
/// Whole modules that are pure, besides [`PURE_CALL`].
const PURE_MODULES: &[&str] = &["ident", "wire", "audio", "phrases"];

const MAX_LINES: usize = 800;

#[test]
fn imports_keep_the_table() {
    let mut faults = Vec::new();
    for file in rust_files("src") {
        let module = module_of(&file);
        let Some(top) = module.first() else { continue };
        let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| name == top) else {
            faults.push(format!(
                "{}: module {top} has no row in LAYERS (tests/tidy.rs)",
                file.display()
            ));
            continue;
        };
        let pure = is_pure(&module);
        let allowed = if top == "call" && pure {
            PURE_CALL_IMPORTS
        } else {
            allowed
        };
        let text = code_of(&fs::read_to_string(&file).unwrap());
        for (line, path) in paths(&text, &module) {
            let ok = path.is_empty()
                || path[0] == *top
                || path[0] == "ident"
                || allowed.iter().any(|allow| {
                    allow
                        .split("::")
                        .enumerate()
                        .all(|(at, part)| path.get(at).is_some_and(|p| p == part))
                });
            if !ok {
                let kind = if pure && top == "call" {
                    " (a pure file of call)"
                } else {
                    ""
                };
                faults.push(format!(
                    "{}:{line}: {top}{kind} may not import {}; it may import {allowed:?}",
                    file.display(),
                    path.join("::")
                ));
            }
        }
        if pure {
            for (at, line) in text.lines().enumerate() {
                for needle in IMPURE.iter().filter(|needle| names(line, needle)) {
                    faults.push(format!(
                        "{}:{}: a pure file names {needle}",
                        file.display(),
                        at + 1
                    ));
                }
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn files_are_short_and_say_what_they_are() {
    let mut faults = Vec::new();
    for folder in ["src", "tests", "examples"] {
        for file in rust_files(folder) {
            let text = fs::read_to_string(&file).unwrap();
            let lines = text.lines().count();
            if lines > MAX_LINES {
                faults.push(format!(
                    "{}: {lines} lines, at most {MAX_LINES}: split it by concept",
                    file.display()
                ));
            }
            if !text.starts_with("//!") {
                faults.push(format!(
                    "{}: has to begin with a //! line that says what it is",
                    file.display()
                ));
            }
            if code_of(&text).contains("todo!") {
                faults.push(format!("{}: holds a todo!", file.display()));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn no_fixture_folder_is_empty() {
    fn walk(folder: &Path, faults: &mut Vec<String>) {
        let entries: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|e| e.unwrap().path())
            .collect();
        if entries.is_empty() {
            faults.push(format!(
                "{}: an empty fixture folder tests nothing",
                folder.display()
            ));
        }
        for path in entries.iter().filter(|path| path.is_dir()) {
            walk(path, faults);
        }
    }
    let fixtures = root().join("tests/fixtures");
    let mut faults = Vec::new();
    if fixtures.is_dir() {
        walk(&fixtures, &mut faults);
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// The rules have to see a fault, or all of the above proves nothing.
#[test]
fn the_reader_sees_what_it_should() {
    let module: Vec<String> = ["net", "agi", "inner"].map(str::to_owned).to_vec();
    let found = |text: &str| -> Vec<String> {
        paths(&code_of(text), &module)
            .into_iter()
            .map(|(_, path)| path.join("::"))
            .collect()
    };
    assert_eq!(found("use crate::call::line::Line;"), ["call::line::Line"]);
    assert_eq!(
        found("use crate::{call::{Line, order}, ident};"),
        ["call::Line", "call::order", "ident"]
    );
    assert_eq!(
        found("use crate::{\n    wire,\n    store as s,\n};"),
        ["wire", "store"]
    );
    assert_eq!(found("fn f() -> crate::store::Db { x }"), ["store::Db"]);
    assert_eq!(found("use super::super::super::http::x;"), ["http::x"]);
    assert_eq!(found("use super::sibling;"), ["net::agi::sibling"]);
    assert_eq!(
        found("use super::super::{backoff, super::call};"),
        ["net::backoff", "call"]
    );
    assert!(
        found("//! [`crate::call`]\n/* crate::x */ let s = \"crate::http\"; let c = '\"';")
            .is_empty()
    );
    assert_eq!(
        found("let q = '\"'; use crate::http; let r = r#\"crate::x \" \"#; use crate::tts;"),
        ["http", "tts"]
    );
    assert!(found("#[cfg(test)]\nmod tests {\n    use crate::http;\n}\n").is_empty());
    assert_eq!(
        found("#[cfg(test)]\nmod tests;\nuse crate::http;"),
        ["http"]
    );
    assert!(names("tokio::time", "tokio") && !names("MyInstants", "Instant"));
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// `src/net/agi/mod.rs` and `src/net/agi.rs` are `net::agi`; `src/lib.rs` is the root, empty; test files too, for they
/// may use what they like.
fn module_of(file: &Path) -> Vec<String> {
    let inside = file.strip_prefix(root().join("src")).unwrap();
    let mut module: Vec<String> = inside
        .with_extension("")
        .iter()
        .map(|part| part.to_str().unwrap().to_owned())
        .collect();
    let test = |part: &String| part == "tests" || part.ends_with("_tests");
    if module == ["lib"] || module.iter().any(test) {
        return Vec::new();
    }
    if module.last().is_some_and(|last| last == "mod") {
        module.pop();
    }
    module
}

fn is_pure(module: &[String]) -> bool {
    PURE_MODULES.contains(&module[0].as_str())
        || (module[0] == "call"
            && module
                .get(1)
                .is_some_and(|file| PURE_CALL.contains(&file.as_str())))
}

/// Whether `line` names `needle` as a word of its own.
fn names(line: &str, needle: &str) -> bool {
    let word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(needle).any(|(at, found)| {
        // `std::net::Tcp` stands for all that begins so; a whole word otherwise.
        let open_end = needle.ends_with("Tcp") || needle.ends_with("Udp");
        !word(line[..at].chars().next_back())
            && (open_end || !word(line[at + found.len()..].chars().next()))
    })
}

/// The code with comments, strings and the file's last test module blanked; line numbers stay.
fn code_of(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let token = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if c == '"' {
            string_end(rest)
        } else if let Some(length) = raw_string(rest, &out) {
            length
        } else if c == '\'' {
            char_end(rest)
        } else {
            0
        };
        if token == 0 {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        } else {
            out.extend(rest[..token].chars().filter(|c| *c == '\n'));
            out.push(' ');
            rest = &rest[token..];
        }
    }
    const TESTS: &str = "#[cfg(test)]\nmod tests {";
    out.truncate(out.find(TESTS).unwrap_or(out.len()));
    out
}

fn string_end(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(text.len())
}

/// `r"..."`, `r#"..."#`, unless the `r` ends a name.
fn raw_string(text: &str, before: &str) -> Option<usize> {
    let hashes = text.strip_prefix('r')?.bytes().take_while(|b| *b == b'#');
    let hashes = hashes.count();
    if !text[1 + hashes..].starts_with('"') || before.ends_with(|c: char| c.is_alphanumeric()) {
        return None;
    }
    let close = format!("\"{}", "#".repeat(hashes));
    let from = hashes + 2;
    Some(
        text[from..]
            .find(&close)
            .map_or(text.len(), |end| from + end + close.len()),
    )
}

/// A character literal's length; 0 for a lifetime.
fn char_end(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => text[3..].find('\'').map_or(0, |end| end + 4),
        Some(_) => match chars.next() {
            Some((at, '\'')) => at + 1,
            _ => 0,
        },
        None => 0,
    }
}

/// Every path from the crate's root: `(line, ["net", "agi"])`, groups in braces taken apart, `super` resolved.
fn paths(code: &str, module: &[String]) -> Vec<(usize, Vec<String>)> {
    let mut found = Vec::new();
    for start in ["crate::", "super::"] {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back();
            // A later `super` of one path, `$crate`, or the end of a longer word.
            let inside = before.is_some_and(|c| c.is_alphanumeric() || "_:$".contains(c));
            // `use super::super::{super::x}`: the group's own reader meets it.
            if inside || in_group(code, at) {
                continue;
            }
            let line = code[..at].matches('\n').count() + 1;
            let mut all = Vec::new();
            read_tree(&code[at..], &mut Vec::new(), &mut all);
            found.extend(all.into_iter().map(|path| (line, resolve(path, module))));
        }
    }
    found
}

/// Whether `at` stands inside of braces that an import opened (`::{`).
fn in_group(code: &str, at: usize) -> bool {
    let mut depth = 0;
    for (open, c) in code[..at].char_indices().rev() {
        match c {
            ';' => return false,
            '}' => depth += 1,
            '{' if depth > 0 => depth -= 1,
            '{' => return code[..open].ends_with("::"),
            _ => {}
        }
    }
    false
}

/// Reads one path or a tree of paths; returns how many bytes it took.
fn read_tree(text: &str, prefix: &mut Vec<String>, found: &mut Vec<Vec<String>>) -> usize {
    let mut at = 0;
    let depth = prefix.len();
    let skip = |at: usize| at + text[at..].len() - text[at..].trim_start().len();
    loop {
        at = skip(at);
        let word: String = text[at..]
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_' || *c == '*')
            .collect();
        at += word.len();
        if !word.is_empty() {
            prefix.push(word);
        } else if text[at..].starts_with('{') {
            at += 1;
            loop {
                at = skip(at);
                if at >= text.len() || text[at..].starts_with('}') {
                    at = (at + 1).min(text.len());
                    break;
                }
                at += read_tree(&text[at..], prefix, found);
                // To the next one: past `as name` and the comma.
                let stop = text[at..].find([',', '}']).unwrap_or(text.len() - at);
                at += stop;
                if text[at..].starts_with(',') {
                    at += 1;
                }
            }
            prefix.truncate(depth);
            return at;
        }
        if text[at..].starts_with("::") {
            at += 2;
        } else {
            found.push(prefix.clone());
            prefix.truncate(depth);
            return at;
        }
    }
}

/// From `crate` or `super` to the module's full path.
fn resolve(path: Vec<String>, module: &[String]) -> Vec<String> {
    let mut full: Vec<String> = if path[0] == "crate" {
        Vec::new()
    } else {
        module.to_vec()
    };
    for part in path {
        match part.as_str() {
            "crate" | "self" => {}
            "super" => {
                full.pop();
            }
            _ => full.push(part),
        }
    }
    full
}
