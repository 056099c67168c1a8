//! Reads settings key by key out of a YAML tree: types, units, ranges and secrets are checked here, and every mistake is
//! noted instead of ending the reading.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use super::fault::{ConfigFault, Wanted, Wrong};
use super::node::{Node, Place, Value};
use super::{Language, Surroundings, nearest};

/// What is noted while settings are read.
pub(super) struct Reader<'s> {
    pub(super) file: PathBuf,
    pub(super) language: Language,
    pub(super) around: Surroundings<'s>,
    pub(super) faults: Vec<ConfigFault>,
    /// Every key that was asked for, `[]` for a place in a list: what the example has to show.
    pub(super) asked: BTreeSet<String>,
    /// Where each key stands, for mistakes that are seen only when all is read.
    pub(super) places: BTreeMap<String, Place>,
}

/// A section of keys, being read.
pub(super) struct Table<'n> {
    path: String,
    at: Place,
    entries: Vec<(String, Place, &'n Node)>,
    known: Vec<&'static str>,
}

/// A value under its key's path.
pub(super) struct Spot<'n> {
    pub(super) path: String,
    pub(super) node: &'n Node,
}

impl<'n> Table<'n> {
    pub(super) fn has(&self, key: &str) -> bool {
        self.entries
            .iter()
            .any(|(name, _, node)| name == key && node.value != Value::Nothing)
    }

    /// The path of one of its keys.
    pub(super) fn child(&self, key: &str) -> String {
        join(&self.path, key)
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

impl Reader<'_> {
    pub(super) fn fault(&mut self, at: Place, key: &str, wrong: Wrong) {
        self.faults.push(ConfigFault {
            file: self.file.clone(),
            line: at.line,
            column: at.column,
            key: key.to_owned(),
            wrong,
            language: self.language,
        });
    }

    fn type_fault<T>(&mut self, spot: &Spot, wanted: Wanted) -> Option<T> {
        self.fault(spot.node.at, &spot.path, Wrong::Type { wanted });
        None
    }

    /// `node` as a section; nothing at all is an empty one. What is no section is told, and read as an empty one.
    pub(super) fn table<'n>(&mut self, path: &str, node: Option<&'n Node>) -> Table<'n> {
        let mut table = Table {
            path: path.to_owned(),
            at: node.map(|n| n.at).unwrap_or_default(),
            entries: Vec::new(),
            known: Vec::new(),
        };
        let Some(node) = node else { return table };
        match &node.value {
            Value::Nothing => {}
            Value::Map(entries) => {
                for (key, value) in entries {
                    let Some(name) = key_text(&key.value) else {
                        self.fault(
                            key.at,
                            path,
                            Wrong::Type {
                                wanted: Wanted::Text,
                            },
                        );
                        continue;
                    };
                    let full = join(path, &name);
                    if table.entries.iter().any(|(known, _, _)| *known == name) {
                        self.fault(key.at, &full, Wrong::Repeated);
                        continue;
                    }
                    self.places.insert(full, value.at);
                    table.entries.push((name, key.at, value));
                }
            }
            _ => self.fault(
                node.at,
                path,
                Wrong::Type {
                    wanted: Wanted::Section,
                },
            ),
        }
        table
    }

    /// The value of `key`; nothing where it isn't there or is empty.
    pub(super) fn spot<'n>(
        &mut self,
        table: &mut Table<'n>,
        key: &'static str,
    ) -> Option<Spot<'n>> {
        table.known.push(key);
        let path = table.child(key);
        let mut generic = String::new();
        let mut inside = false;
        for c in path.chars() {
            inside = (inside || c == '[') && c != ']';
            if !inside || c == '[' {
                generic.push(c);
            }
        }
        self.asked.insert(generic);
        let (_, _, node) = table.entries.iter().find(|(name, _, _)| name == key)?;
        (node.value != Value::Nothing).then_some(Spot { path, node })
    }

    /// A section within a section.
    pub(super) fn section<'n>(&mut self, table: &mut Table<'n>, key: &'static str) -> Table<'n> {
        let spot = self.spot(table, key);
        let path = table.child(key);
        self.table(&path, spot.map(|s| s.node))
    }

    /// All keys of a section whose names are free, such as users.
    pub(super) fn free_entries<'n>(&mut self, spot: &Spot<'n>) -> Vec<(String, Spot<'n>)> {
        let table = self.table(&spot.path, Some(spot.node));
        let mut spots = Vec::new();
        for (name, at, node) in &table.entries {
            let path = table.child(name);
            if node.value == Value::Nothing {
                self.fault(*at, &path, Wrong::Empty);
            } else {
                spots.push((name.clone(), Spot { path, node }));
            }
        }
        spots
    }

    /// The places of a list.
    pub(super) fn list<'n>(&mut self, spot: &Spot<'n>) -> Option<Vec<Spot<'n>>> {
        match &spot.node.value {
            Value::List(nodes) => Some(
                nodes
                    .iter()
                    .enumerate()
                    .map(|(i, node)| Spot {
                        path: format!("{}[{i}]", spot.path),
                        node,
                    })
                    .collect(),
            ),
            _ => self.type_fault(spot, Wanted::List),
        }
    }

    /// Every key of the section has been asked for: the others are unknown.
    pub(super) fn finish(&mut self, table: &Table) {
        for (name, at, _) in &table.entries {
            if !table.known.iter().any(|known| known == name) {
                let wrong = Wrong::UnknownKey {
                    nearest: nearest(name, table.known.iter().copied()).map(str::to_owned),
                    known: table.known.clone(),
                };
                self.fault(*at, &table.child(name), wrong);
            }
        }
    }

    /// A key that must be there isn't.
    pub(super) fn missing(&mut self, table: &Table, key: &str) {
        self.fault(table.at, &table.child(key), Wrong::Missing);
    }

    /// A text, with `${NAME}` taken from the environment.
    pub(super) fn text(&mut self, spot: &Spot) -> Option<String> {
        let Value::Text(raw) = &spot.node.value else {
            return self.type_fault(spot, Wanted::Text);
        };
        let text = self.filled(spot, raw)?;
        // Every text of ours ends up in one line of something: a command, a header, a dial string.
        if let Some(found) = text.chars().find(|c| c.is_control()) {
            self.fault(spot.node.at, &spot.path, Wrong::Char(found));
            return None;
        }
        Some(text)
    }

    /// As [`Self::text`], and not empty.
    pub(super) fn words(&mut self, spot: &Spot) -> Option<String> {
        let text = self.text(spot)?;
        if text.trim().is_empty() {
            self.fault(spot.node.at, &spot.path, Wrong::Empty);
            return None;
        }
        Some(text)
    }

    fn filled(&mut self, spot: &Spot, raw: &str) -> Option<String> {
        let mut text = String::new();
        let mut rest = raw;
        let mut whole = true;
        while let Some(start) = rest.find("${") {
            let (before, after) = (&rest[..start], &rest[start + 2..]);
            if let Some(kept) = before.strip_suffix('$') {
                text.push_str(kept);
                text.push_str("${");
                rest = after;
                continue;
            }
            text.push_str(before);
            let name = after.split('}').next().unwrap_or_default();
            let sound =
                !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            if !sound || name.len() == after.len() {
                self.fault(spot.node.at, &spot.path, Wrong::BadPlaceholder);
                return None;
            }
            match (self.around.env)(name).filter(|value| !value.is_empty()) {
                Some(value) => text.push_str(&value),
                None => {
                    let name = name.to_owned();
                    self.fault(spot.node.at, &spot.path, Wrong::NoSecret { name });
                    whole = false;
                }
            }
            rest = &after[name.len() + 1..];
        }
        text.push_str(rest);
        whole.then_some(text)
    }

    /// A whole number in `range`, or a text of the environment that is one.
    pub(super) fn whole(&mut self, spot: &Spot, range: RangeInclusive<u64>) -> Option<u64> {
        let number = match &spot.node.value {
            Value::Int(n) => *n,
            Value::Text(raw) if raw.contains("${") => {
                match self.filled(spot, raw)?.trim().parse() {
                    Ok(n) => n,
                    Err(_) => return self.type_fault(spot, Wanted::Whole),
                }
            }
            _ => return self.type_fault(spot, Wanted::Whole),
        };
        match u64::try_from(number).ok().filter(|n| range.contains(n)) {
            Some(n) => Some(n),
            None => self.out_of(spot, range.start(), range.end()),
        }
    }

    /// A number in `range`.
    pub(super) fn number(&mut self, spot: &Spot, range: RangeInclusive<f64>) -> Option<f64> {
        let number = match spot.node.value {
            // Settings are far below 2^53.
            #[allow(clippy::cast_precision_loss)]
            Value::Int(n) => n as f64,
            Value::Float(x) => x,
            _ => return self.type_fault(spot, Wanted::Number),
        };
        if range.contains(&number) {
            Some(number)
        } else {
            self.out_of(spot, range.start(), range.end())
        }
    }

    fn out_of<T>(&mut self, spot: &Spot, least: impl Display, most: impl Display) -> Option<T> {
        let (least, most) = (least.to_string(), most.to_string());
        self.fault(spot.node.at, &spot.path, Wrong::Range { least, most });
        None
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, spot: &Spot) -> Option<bool> {
        match spot.node.value {
            Value::Bool(flag) => Some(flag),
            _ => self.type_fault(spot, Wanted::Flag),
        }
    }

    /// A duration in milliseconds: `300ms`, `5s`, `10m`, `2h`, `1d`, or a number of seconds.
    pub(super) fn duration(&mut self, spot: &Spot, range: RangeInclusive<u64>) -> Option<u64> {
        let ms = match &spot.node.value {
            Value::Int(n) => u64::try_from(*n).ok().and_then(|n| n.checked_mul(1000)),
            Value::Float(x) => to_whole(*x * 1000.0),
            Value::Text(text) => scaled(
                text,
                &[
                    ("ms", 1),
                    ("s", 1000),
                    ("m", 60_000),
                    ("h", 3_600_000),
                    ("d", 86_400_000),
                ],
            ),
            _ => None,
        };
        let Some(ms) = ms else {
            return self.type_fault(spot, Wanted::Duration);
        };
        if range.contains(&ms) {
            return Some(ms);
        }
        self.out_of(
            spot,
            duration_text(*range.start()),
            duration_text(*range.end()),
        )
    }

    /// A size in bytes: `64kb`, `500mb`, `1gb`, or a number of bytes.
    pub(super) fn size(&mut self, spot: &Spot, range: RangeInclusive<u64>) -> Option<u64> {
        let bytes = match &spot.node.value {
            Value::Int(n) => u64::try_from(*n).ok(),
            Value::Text(text) => scaled(
                text,
                &[("kb", 1 << 10), ("mb", 1 << 20), ("gb", 1 << 30), ("b", 1)],
            ),
            _ => None,
        };
        let Some(bytes) = bytes else {
            return self.type_fault(spot, Wanted::Size);
        };
        if range.contains(&bytes) {
            return Some(bytes);
        }
        self.out_of(spot, range.start(), range.end())
    }

    /// `IP:port` to listen on.
    pub(super) fn address(&mut self, spot: &Spot) -> Option<SocketAddr> {
        let parsed = self.text(spot)?.trim().parse().ok();
        if parsed.is_none() {
            self.fault(spot.node.at, &spot.path, Wrong::Address);
        }
        parsed
    }

    /// One of `words`.
    pub(super) fn word<T: Copy>(&mut self, spot: &Spot, words: &[(&'static str, T)]) -> Option<T> {
        let text = self.text(spot)?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let known: Vec<&'static str> = words.iter().map(|(word, _)| *word).collect();
        let wrong = Wrong::Word {
            nearest: nearest(&text, known.iter().copied()).map(str::to_owned),
            known,
        };
        self.fault(spot.node.at, &spot.path, wrong);
        None
    }

    /// A path; a relative one is relative to the folder of the settings.
    pub(super) fn path(&mut self, spot: &Spot) -> Option<PathBuf> {
        let text = self.words(spot)?;
        Some(self.beside(Path::new(&text)))
    }

    /// `path`, seen from the folder of the settings.
    pub(super) fn beside(&self, path: &Path) -> PathBuf {
        match self.file.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.join(path),
            _ => path.to_owned(),
        }
    }
}

fn key_text(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.clone()),
        Value::Int(n) => Some(n.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// A number with one of `units` behind it.
fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| c.is_alphabetic() || c == ' ');
    let unit = text[digits.len()..].trim().to_lowercase();
    let (_, scale) = units.iter().find(|(name, _)| *name == unit)?;
    if let Ok(whole) = digits.parse::<u64>() {
        return whole.checked_mul(*scale);
    }
    let number: f64 = digits.parse().ok()?;
    #[allow(clippy::cast_precision_loss)] // Scales are small and exact.
    to_whole(number * *scale as f64)
}

fn to_whole(x: f64) -> Option<u64> {
    // 2^53: beyond it floating point isn't exact, and nothing of ours is that large.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    (x.is_finite() && (0.0..=9e15).contains(&x)).then(|| x.round() as u64)
}

/// Milliseconds as they would be written in the settings.
pub(super) fn duration_text(ms: u64) -> String {
    for (unit, scale) in [
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1000),
    ] {
        if ms > 0 && ms.is_multiple_of(scale) {
            return format!("{}{unit}", ms / scale);
        }
    }
    format!("{ms}ms")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_have_units() {
        let units = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)];
        for (text, ms) in [
            ("5s", Some(5000)),
            ("300ms", Some(300)),
            ("10m", Some(600_000)),
            ("0.7s", Some(700)),
            ("1.5 s", Some(1500)),
            ("2H", Some(7_200_000)),
            ("5", None),
            ("s", None),
            ("-5s", None),
            ("5 parsecs", None),
            ("1e400s", None),
            ("99999999999999999999h", None),
            ("NaNs", None),
        ] {
            assert_eq!(scaled(text, &units), ms, "{text}");
        }
        assert_eq!(duration_text(600_000), "10m");
        assert_eq!(duration_text(1500), "1500ms");
    }
}
