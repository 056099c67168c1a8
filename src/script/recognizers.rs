//! The key `recognizer:` of a dialog's settings: which recognizers hear its calls.

use serde::Deserialize;

use crate::call::Fault;
use crate::call::choice::Hears;
use crate::config::Language;

use super::files::Files;
use super::near::nearest;
use super::tr;
use super::version::Version;

/// The words for a dialog that speaks and takes keys, but doesn't listen.
const NOBODY: [&str; 2] = ["none", "нет"];

/// A name, or names in order of preference, or one of [`NOBODY`]; empty: all, in the config's order.
#[derive(Clone, Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "нужно имя распознавателя или список имён (a recognizer's name, or a list of names)"
)]
pub(super) enum Names {
    One(String),
    Several(Vec<String>),
}

impl Default for Names {
    fn default() -> Self {
        Self::Several(Vec::new())
    }
}

impl Names {
    /// Who hears.
    pub(super) fn hears(&self) -> Hears {
        match self {
            Self::One(word) if NOBODY.contains(&word.as_str()) => Hears::Nobody,
            Self::One(name) => Hears::Named(vec![name.clone()]),
            Self::Several(names) if names.is_empty() => Hears::All,
            Self::Several(names) => Hears::Named(names.clone()),
        }
    }
}

/// Names that the config doesn't know.
pub(super) fn unknown(version: &Version, known: &[String], files: &Files) -> Vec<Fault> {
    let mut faults = Vec::new();
    for dialog in version.files() {
        let Hears::Named(names) = dialog.settings.recognizer.hears() else {
            continue;
        };
        for name in names {
            if !known.contains(&name) {
                let file = format!("{}.yaml", dialog.name);
                let line = line_of(files.get(&file).map_or(&[][..], Vec::as_slice), &name);
                let message = told(&name, known, version.language());
                faults.push(Fault {
                    file,
                    line,
                    column: 0,
                    message,
                });
            }
        }
    }
    faults
}

fn told(name: &str, known: &[String], language: Language) -> String {
    let all = known.join(", ");
    match nearest(name, known.iter().map(String::as_str)) {
        Some(near) => tr!(
            language,
            "распознавателя «{name}» нет в настройках сервера; возможно, это {near} (есть: {all})",
            "the server's settings have no recognizer {name:?}; perhaps {near} is meant (there are: {all})"
        ),
        None => tr!(
            language,
            "распознавателя «{name}» нет в настройках сервера: есть {all}",
            "the server's settings have no recognizer {name:?}: there are {all}"
        ),
    }
}

/// The line of the name at or below the key; the key's if it isn't found.
fn line_of(source: &[u8], name: &str) -> usize {
    let text = String::from_utf8_lossy(source);
    let key = text.lines().position(|line| {
        line.trim_start_matches('\u{feff}')
            .starts_with("recognizer")
    });
    let Some(key) = key else { return 0 };
    let below = text.lines().skip(key).position(|line| line.contains(name));
    key + below.unwrap_or(0) + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::version::Named;

    fn faults(settings: &str, known: &[&str]) -> Vec<(usize, String)> {
        let mut files = Files::new();
        files.insert("a.rhai".into(), b"say(\"x\");".to_vec());
        files.insert("a.yaml".into(), settings.as_bytes().to_vec());
        let known: Vec<String> = known.iter().map(|k| (*k).to_owned()).collect();
        let named = Named {
            recognizers: (!known.is_empty()).then_some(known),
            ..Named::default()
        };
        let compiled = Version::compile_for(&files, Language::Ru, &named);
        assert_eq!(compiled.version.is_none(), !compiled.faults.is_empty());
        let faults = compiled.faults.into_iter();
        faults.map(|f| (f.line, f.message)).collect()
    }

    #[test]
    fn unknown_names_are_faults_with_a_suggestion() {
        let known = &["yandex", "vosk"];
        for sound in [
            "",
            "recognizer: vosk\n",
            "recognizer: none\n",
            "recognizer: нет\n",
            "recognizer: [vosk, yandex]\n",
            "title: x\n",
        ] {
            assert_eq!(faults(sound, known), [], "{sound}");
        }
        assert_eq!(faults("recognizer: vsk\n", &[]), []);
        let told = faults("title: x\nrecognizer:\n  - vosk\n  - yandeks\n", known);
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].0, 4);
        assert!(told[0].1.contains("возможно, это yandex"), "{told:?}");
        let told = faults("recognizer: sphinx\n", known);
        assert!(told[0].1.contains("есть yandex, vosk"), "{told:?}");
        let told = faults("title: x\nrecognizer: {a: b}\n", known);
        assert!(told[0].1.contains("список имён"), "{told:?}");
    }
}
