//! The YAML files beside the dialogs: `<dialog>.yaml`, `phrases.yaml`, `sounds/texts.yaml`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::call::{Fault, OnMachine};
use crate::config::Language;
use crate::phrases::{Answers, PhraseFault};

use super::lookalike::latin_inside;
use super::recognizers::Names;
use super::tr;
use super::words::{answer_en, answer_ru};
use super::yaml;

/// A dialog's settings.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Settings {
    /// What people call the dialog.
    #[serde(alias = "название")]
    pub(super) title: String,
    /// Titles of its outcomes, as 1C shows them: `confirmed: Подтвердил`.
    #[serde(alias = "итоги")]
    pub(super) outcomes: BTreeMap<String, String>,
    /// Parameters with their defaults; `null`: 1C has to give it.
    #[serde(alias = "параметры")]
    pub(super) params: Map<String, Value>,
    /// Settings of `ask`, `listen`, `digits` and `menu`, unless the script says otherwise.
    #[serde(alias = "слушание")]
    pub(super) listen: Map<String, Value>,
    /// Phrases of this dialog only, over `phrases.yaml`.
    #[serde(alias = "фразы")]
    pub(super) phrases: BTreeMap<String, Vec<String>>,
    /// The prompt file that is played where no voice can speak a text; empty: nothing is.
    #[serde(alias = "запасной_звук")]
    pub(super) fallback: String,
    /// Which recognizers hear the calls, by their names in the server's settings.
    #[serde(alias = "распознаватель")]
    pub(super) recognizer: Names,
    /// Record every call.
    #[serde(alias = "запись")]
    pub(super) recording: bool,
    /// What is to be done when no person answers.
    #[serde(alias = "автоответчик")]
    pub(super) machine: MachineSetting,
    /// Limits of its outgoing calls.
    #[serde(alias = "звонки")]
    pub(super) calls: CallLimits,
}

/// Limits of a dialog's outgoing calls.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct CallLimits {
    /// Calls at once, 1 to 10,000; without it, as the server's settings say.
    #[serde(alias = "одновременно")]
    pub at_once: Option<u32>,
    /// Starts a second, 0.01 to 1000; likewise.
    #[serde(alias = "в_секунду")]
    pub starts_per_second: Option<f64>,
}

impl CallLimits {
    /// The key that is out of range, and what will do.
    pub(super) fn fault(&self) -> Option<(&'static str, &'static str)> {
        let at_once = self.at_once.is_some_and(|n| !(1..=10_000).contains(&n));
        let rate = self
            .starts_per_second
            .is_some_and(|rate| !(0.01..=1000.0).contains(&rate));
        match (at_once, rate) {
            (true, _) => Some(("at_once", "1 … 10000")),
            (_, true) => Some(("starts_per_second", "0.01 … 1000")),
            _ => None,
        }
    }
}

/// The names of a dialog's settings, English and Russian, as the reader itself tells them.
static KEYS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let told = serde_json::from_str::<Settings>("{\"?\": null}").err();
    let told = told.map(|error| error.to_string()).unwrap_or_default();
    // "unknown field `?`, expected one of `title`, `название` ..."
    let names = told.split('`').skip(1).step_by(2).skip(1);
    names.map(str::to_owned).collect()
});

/// Reads a dialog's settings; all names that aren't any are told at once.
pub(super) fn of_dialog(file: &str, bytes: &[u8], language: Language) -> (Settings, Vec<Fault>) {
    let mut faults = Vec::new();
    let Ok(text) = std::str::from_utf8(bytes) else {
        return (
            Settings::default(),
            read::<Settings>(file, bytes, language)
                .err()
                .into_iter()
                .collect(),
        );
    };
    let mut kept = String::new();
    let mut drops = false;
    for (n, line) in text.split_inclusive('\n').enumerate() {
        let name = line.trim_start_matches('\u{feff}');
        let is_key = name.starts_with(|c: char| c.is_alphabetic() || c == '_');
        let name = name.split_once(':').map(|(name, _)| name.trim_end());
        if let Some(name) = name.filter(|_| is_key) {
            drops = !KEYS.iter().any(|key| key == name);
            if drops {
                faults.push(Fault {
                    file: file.to_owned(),
                    line: n + 1,
                    column: 1,
                    message: unknown_key(name, language),
                });
            }
        }
        // The rest is read as if they were not there.
        kept.push_str(if drops { "\n" } else { line });
    }
    match read(file, kept.as_bytes(), language) {
        Ok(settings) => (settings, faults),
        Err(fault) => {
            faults.push(fault);
            (Settings::default(), faults)
        }
    }
}

fn unknown_key(name: &str, language: Language) -> String {
    let hint = super::talk::perhaps(language, name, KEYS.iter().map(String::as_str));
    let list = if hint.is_empty() {
        let names = KEYS.join(", ");
        tr!(language, ". Есть: {names}", ". There are: {names}")
    } else {
        String::new()
    };
    tr!(
        language,
        "нет настройки «{name}»{hint}{list}",
        "there is no setting {name:?}{hint}{list}"
    )
}

/// `machine: hang_up` or `continue`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MachineSetting(pub(super) OnMachine);

impl<'de> Deserialize<'de> for MachineSetting {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match String::deserialize(from)?.as_str() {
            "hang_up" | "положить_трубку" => Ok(Self(OnMachine::HangUp)),
            "continue" | "продолжать" => Ok(Self(OnMachine::Continue)),
            other => Err(D::Error::custom(format!(
                "machine: {other:?}, expected hang_up or continue"
            ))),
        }
    }
}

/// Reads YAML; a fault names file and line.
pub(super) fn read<T: DeserializeOwned + Default>(
    file: &str,
    bytes: &[u8],
    language: Language,
) -> Result<T, Fault> {
    let text = text(file, bytes, language)?;
    // A file of comments only is an empty one.
    if text
        .lines()
        .all(|l| l.trim().is_empty() || l.trim_start().starts_with('#'))
    {
        return Ok(T::default());
    }
    serde_yaml::from_str(text).map_err(|error| {
        let place = error.location();
        let number = |n: Option<u64>| n.and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
        let line = number(place.map(|p| p.line()));
        let shown = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
        let what = sentence(&error.without_snippet().to_string(), shown, language);
        Fault {
            file: file.to_owned(),
            line,
            column: number(place.map(|p| p.column())),
            message: what,
        }
    })
}

/// The reader's sentence as an analyst reads it.
fn sentence(english: &str, line: &str, language: Language) -> String {
    // It says where, too; the fault has that already.
    let place = ["at line ", "line "].iter().find_map(|p| english.find(p));
    let plain = match place {
        Some(0) => english.split_once(": ").map_or(english, |(_, rest)| rest),
        _ => english.split(" at line ").next().unwrap_or(english),
    };
    let quoted: Vec<&str> = plain.split('`').skip(1).step_by(2).collect();
    if let Some(slip) = yaml::slip(plain, line, language) {
        return slip;
    }
    if plain.contains("duplicate") {
        let name = quoted.first().copied().unwrap_or_default();
        return tr!(
            language,
            "«{name}» стоит дважды: оставьте одно [{plain}]",
            "{name:?} stands twice: keep one [{plain}]"
        );
    }
    if let Some((_, wanted)) = plain.split_once("expected ") {
        let ru = match wanted.split([' ', ',']).find(|w| !matches!(*w, "a" | "an")) {
            Some("string" | "borrowed") => "нужен текст (в кавычках)",
            Some("map" | "struct" | "mapping") => "нужен набор строк «имя: значение»",
            Some("sequence") => "нужен список: [одно, другое] или строки с «- »",
            Some("hang_up") => "нужно hang_up (положить трубку) или continue (продолжать разговор)",
            Some("boolean" | "bool") => "нужно true или false",
            Some("integer" | "u64" | "i64" | "u32" | "float" | "f64") => "нужно число",
            _ => "написано не то",
        };
        return tr!(language, "{ru} [{plain}]", "{plain}");
    }
    tr!(
        language,
        "это не YAML, проверьте отступы, кавычки и двоеточия [{plain}]",
        "this is no YAML, check indents, quotes and colons: {plain}"
    )
}

/// The file as text, without a byte order mark.
pub(super) fn text<'a>(file: &str, bytes: &'a [u8], language: Language) -> Result<&'a str, Fault> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.strip_prefix('\u{feff}').unwrap_or(text)),
        Err(error) => {
            let before = &bytes[..error.valid_up_to()];
            Err(Fault {
                file: file.to_owned(),
                line: before.iter().filter(|b| **b == b'\n').count() + 1,
                column: 0,
                message: yaml::not_utf8(language),
            })
        }
    }
}

/// Lays lists of phrases over `base`; a built-in answer may be named in Russian: `нет` is `no`, or `ответ.нет` would not be
/// it. Faults name the line on which the answer's name or the phrase stands.
pub(super) fn overlay(
    base: &Answers,
    lists: &BTreeMap<String, Vec<String>>,
    file: &str,
    source: &str,
    language: Language,
) -> Result<Answers, Vec<Fault>> {
    let mut named: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, list) in lists {
        let phrases = named.entry(answer_en(name).to_owned()).or_default();
        phrases.extend(list.iter().cloned());
    }
    base.overlaid(&named).map_err(|faults| {
        faults
            .iter()
            .map(|fault| {
                let (line, message) = place_and_sentence(fault, source, language);
                Fault {
                    file: file.to_owned(),
                    line,
                    column: 0,
                    message,
                }
            })
            .collect()
    })
}

/// Names and phrases with Latin letters inside of Russian words: no voice ever says those.
pub(super) fn mixed(
    lists: &BTreeMap<String, Vec<String>>,
    file: &str,
    source: &str,
    language: Language,
) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (name, list) in lists {
        let texts = std::iter::once((name.as_str(), ""))
            .chain(list.iter().map(|phrase| (phrase.as_str(), phrase.as_str())));
        for (text, phrase) in texts {
            let words = text.split(|c: char| !c.is_alphanumeric());
            for (word, letters) in words.map(|w| (w, latin_inside(w))) {
                if letters.is_empty() {
                    continue;
                }
                faults.push(Fault {
                    file: file.to_owned(),
                    line: line_of(source, name, phrase),
                    column: 0,
                    message: tr!(
                        language,
                        "в слове «{word}» латинские буквы, похожие на русские: {letters}. Так его не узнают, наберите слово заново",
                        "{word:?} has Latin letters that look like Russian ones: {letters}. It is never recognized so, type it anew"
                    ),
                });
            }
        }
    }
    faults
}

fn place_and_sentence(fault: &PhraseFault, source: &str, language: Language) -> (usize, String) {
    let (name, phrase, ru): (&str, &str, String) = match fault {
        PhraseFault::Name { name } => (
            name.as_str(),
            "",
            format!("имя ответа «{name}» не годится: нужны буквы, цифры и _, не длиннее 64"),
        ),
        PhraseFault::Empty { name } => (
            name,
            "",
            format!("у ответа «{name}» нет фраз: впишите хотя бы одну или уберите имя"),
        ),
        PhraseFault::NoWords { name, phrase } => (
            name,
            phrase,
            format!("ответ «{name}»: во фразе «{phrase}» нет слов"),
        ),
        PhraseFault::LongPhrase {
            name,
            phrase,
            words,
        } => (
            name,
            phrase,
            format!("ответ «{name}»: во фразе «{phrase}» {words} слов, это слишком много"),
        ),
        PhraseFault::ManyPhrases { name, phrases } => (
            name,
            "",
            format!("у ответа «{name}» {phrases} фраз, это слишком много"),
        ),
        PhraseFault::ManyAnswers { answers } => (
            "",
            "",
            format!("названо {answers} ответов, это слишком много"),
        ),
        PhraseFault::Twice {
            phrase,
            first,
            second,
        } => (
            second,
            phrase,
            format!(
                "фраза «{phrase}» стоит и в «{first}», и в «{second}»: оставьте её в одном из них"
            ),
        ),
    };
    let message = match language {
        Language::Ru => ru,
        Language::En => fault.to_string(),
    };
    (line_of(source, name, phrase), message)
}

/// The line on which `phrase` stands below the line that names `name`; the name's line without a phrase; 0 if neither.
fn line_of(source: &str, name: &str, phrase: &str) -> usize {
    let names = |line: &str| {
        let key = line.trim_start().trim_start_matches(['"', '\'']);
        let is = |name: &str| {
            key.strip_prefix(name)
                .is_some_and(|rest| rest.trim_start_matches(['"', '\'', ' ']).starts_with(':'))
        };
        !name.is_empty() && (is(name) || is(answer_ru(name)))
    };
    let Some(start) = source.lines().position(names) else {
        return 0;
    };
    if phrase.is_empty() {
        return start + 1;
    }
    source
        .lines()
        .skip(start)
        .position(|line| line.contains(phrase))
        .map_or(start + 1, |below| start + below + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dialog_bounds_its_calls() {
        for (text, limits, fault) in [
            ("title: x\n", (None, None), None),
            ("calls: {at_once: 4}\n", (Some(4), None), None),
            (
                "звонки:\n  одновременно: 2\n  в_секунду: 0.5\n",
                (Some(2), Some(0.5)),
                None,
            ),
            ("calls: {at_once: 0}\n", (Some(0), None), Some("at_once")),
            (
                "calls: {starts_per_second: 5000}\n",
                (None, Some(5000.0)),
                Some("starts_per_second"),
            ),
        ] {
            let (settings, faults) = of_dialog("a.yaml", text.as_bytes(), Language::Ru);
            assert_eq!(faults, [], "{text}");
            let calls = settings.calls;
            assert_eq!((calls.at_once, calls.starts_per_second), limits, "{text}");
            assert_eq!(calls.fault().map(|(key, _)| key), fault, "{text}");
        }
        let (_, faults) = of_dialog("a.yaml", b"calls: {at_onse: 4}\n", Language::Ru);
        assert!(faults[0].message.contains("at_once"), "{faults:?}");
    }

    #[test]
    fn faults_of_yaml_name_their_line() {
        let settings: Settings = read(
            "a.yaml",
            "\u{feff}title: Опрос\nparams: {name: гость, city: null}\nlisten: {timeout: 3}\n"
                .as_bytes(),
            Language::Ru,
        )
        .unwrap();
        assert_eq!(settings.title, "Опрос");
        assert_eq!(settings.params["name"], "гость");
        for (bytes, line, part) in [
            (&b"title: x\nparams: [1]\n"[..], 2, ""),
            (b"title: x\n\xff\xfe\n", 2, "UTF-8"),
            (b"a: 'b\n", 0, ""),
        ] {
            let fault = read::<Settings>("a.yaml", bytes, Language::Ru).unwrap_err();
            if line > 0 {
                assert_eq!(fault.line, line, "{fault:?}");
            }
            assert!(fault.message.contains(part), "{fault:?}");
        }
        assert!(read::<Settings>("a.yaml", b"# nothing\n\n", Language::Ru).is_ok());
    }

    #[test]
    fn the_reader_tells_all_names_of_settings() {
        for name in [
            "title",
            "название",
            "outcomes",
            "итоги",
            "params",
            "calls",
            "запись",
        ] {
            assert!(KEYS.iter().any(|key| key == name), "{name}: {KEYS:?}");
        }
    }

    #[test]
    fn all_unknown_settings_are_told_and_the_others_are_read() {
        let text = "название: Опрос\ntitel: y\nфраза:\n  да: [ага]\nзапись: true\nparams: [1]\n";
        let (_, faults) = of_dialog("a.yaml", text.as_bytes(), Language::Ru);
        let lines: Vec<usize> = faults.iter().map(|f| f.line).collect();
        assert_eq!(lines, [2, 3, 6], "{faults:?}");
        assert!(faults[1].message.contains("«фразы»"), "{faults:?}");
        let (settings, faults) = of_dialog(
            "a.yaml",
            text.as_bytes().strip_suffix(b"params: [1]\n").unwrap(),
            Language::Ru,
        );
        assert_eq!(
            (settings.title.as_str(), settings.recording, faults.len()),
            ("Опрос", true, 2)
        );
    }

    #[test]
    fn faults_of_phrases_name_their_line() {
        let source = "# answers\nyes:\n  - да\n  - конечно\nno:\n  - нет\n  - конечно\nодин: []\n";
        let lists: BTreeMap<String, Vec<String>> =
            read("phrases.yaml", source.as_bytes(), Language::Ru).unwrap();
        let faults = overlay(
            &Answers::builtin(),
            &lists,
            "phrases.yaml",
            source,
            Language::Ru,
        )
        .unwrap_err();
        let lines: Vec<usize> = faults.iter().map(|f| f.line).collect();
        assert!(lines.contains(&8), "{faults:?}");
        assert!(
            faults.iter().any(|f| f.message.contains("конечно")),
            "{faults:?}"
        );
    }

    #[test]
    fn built_in_answers_may_be_named_in_russian() {
        let source = "нет:\n  - ни одного\nда: []\n";
        let lists: BTreeMap<String, Vec<String>> =
            read("phrases.yaml", source.as_bytes(), Language::Ru).unwrap();
        let overlaid = |lists| overlay(&Answers::builtin(), lists, "p", source, Language::Ru);
        assert_eq!(overlaid(&lists).unwrap_err()[0].line, 3);
        let one = BTreeMap::from([("нет".to_owned(), lists["нет"].clone())]);
        let answers = overlaid(&one).unwrap();
        let understood = answers.understand("ни одного", &["no", "yes"]);
        assert_eq!(understood.intent.as_deref(), Some("no"));
    }
}
