//! `understand`: what the runtime makes of an utterance, and why.

use std::io::BufRead;

use jiff::civil::{DateTime, Time};
use jiff::fmt::temporal::Pieces;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde_json::{Map, Value, json};

use crate::config::Language;
use crate::phrases::{Answers, Extracted, Found, Number, Span, Sum, Understanding};
use crate::script::words::ANSWERS;
use crate::script::{Library, check_folder};

use super::arguments::Understand;
use super::{Ended, screen, wrong_use};

/// Runs it.
pub(super) fn run(wanted: &Understand) -> Ended {
    let now = match now(wanted.now.as_deref(), wanted.zone.as_deref()) {
        Ok(now) => now,
        Err(fault) => return wrong_use::told(&fault),
    };
    let answers = match answers(wanted) {
        Ok(answers) => answers,
        Err(ended) => return ended,
    };
    let tell = |text: &str| {
        let heard = Heard::of(text, &answers, now);
        screen::line(&if wanted.json {
            heard.json().to_string()
        } else {
            heard.sentence()
        });
    };
    let text = wanted.text.join(" ");
    if text != "-" {
        tell(&text);
        return Ended::Sound;
    }
    let mut input = std::io::stdin().lock();
    let mut line = Vec::new();
    loop {
        line.clear();
        match input.read_until(b'\n', &mut line) {
            Ok(0) => return Ended::Sound,
            Ok(_) => tell(String::from_utf8_lossy(&line).trim()),
            Err(error) => {
                screen::fault(&format!("стандартный ввод не читается: {error}"));
                return Ended::Fault;
            }
        }
    }
}

/// The date and time where the person is.
fn now(now: Option<&str>, zone: Option<&str>) -> Result<DateTime, String> {
    let zone = match zone {
        Some(name) => Some(TimeZone::get(name).map_err(|_| {
            format!("часового пояса «{name}» нет: пишите, например, Europe/Moscow или Asia/Yekaterinburg")
        })?),
        None => None,
    };
    let Some(text) = now else {
        return Ok(Zoned::new(Timestamp::now(), zone.unwrap_or_else(TimeZone::system)).datetime());
    };
    // A moment is shown by the zone's clock; a time without its offset is that clock's already.
    if let (Ok(moment), Some(zone)) = (text.parse::<Timestamp>(), &zone) {
        return Ok(moment.to_zoned(zone.clone()).datetime());
    }
    let pieces = Pieces::parse(text)
        .map_err(|_| format!("время «{text}» не читается: пишите, например, 2026-11-25T12:00"))?;
    Ok(pieces
        .date()
        .to_datetime(pieces.time().unwrap_or(Time::midnight())))
}

/// The answers of the dialog, of the folder, or the built-in ones.
fn answers(wanted: &Understand) -> Result<Answers, Ended> {
    let folder = match (&wanted.scripts, &wanted.dialog) {
        (Some(folder), _) => folder.clone(),
        (None, Some(_)) => "scripts".into(),
        (None, None) => return Ok(Answers::builtin()),
    };
    if !folder.is_dir() {
        return Err(wrong_use::told(&format!(
            "папки «{}» нет: укажите папку диалогов ключом --scripts",
            folder.display()
        )));
    }
    let report = check_folder(&folder, Language::Ru);
    if !report.is_sound() {
        screen::fault(report.to_string().trim_end());
        return Err(Ended::Fault);
    }
    let library = Library::open(&folder, Language::Ru);
    let Some(name) = &wanted.dialog else {
        return Ok(library.current().answers().as_ref().clone());
    };
    library
        .dialog(name)
        .map(|dialog| dialog.answers().clone())
        .ok_or_else(|| {
            let version = library.current();
            let known: Vec<&str> = version.dialogs().map(|(name, _)| name).collect();
            wrong_use::told(&format!("диалога «{name}» нет; есть: {}", known.join(", ")))
        })
}

/// One utterance and all that was made of it.
struct Heard<'a> {
    text: &'a str,
    understood: Understanding,
    found: Extracted,
}

impl<'a> Heard<'a> {
    fn of(text: &'a str, answers: &Answers, now: DateTime) -> Self {
        Self {
            text,
            understood: answers.understand(text, &[] as &[&str]),
            found: Extracted::of(text, now),
        }
    }

    /// Best first; none where it is no match.
    fn answers(&self) -> Vec<&str> {
        let best = self.understood.intent.as_deref();
        let others = self.understood.candidates.iter().map(|m| m.name.as_str());
        best.into_iter()
            .chain(others.filter(|name| best.is_some_and(|best| best != *name)))
            .collect()
    }

    fn unsure(&self) -> Vec<&'static str> {
        let answers = self.understood.unsure.then_some("answers");
        answers.into_iter().chain(self.found.unsure()).collect()
    }

    /// One object: what is unsure shows its likeliest reading and is named in `unsure`.
    fn json(&self) -> Value {
        let found = &self.found;
        let why: Vec<Value> = self
            .understood
            .candidates
            .iter()
            .map(|m| json!({"answer": m.name, "phrase": m.phrase, "words": m.words, "exact": m.exact}))
            .collect();
        let readings: Map<String, Value> = [
            ("number", readings(&found.number, number)),
            ("digits", readings(&found.digits, |d| d.clone().into())),
            ("phone", readings(&found.phone, |p| p.clone().into())),
            ("sum", readings(&found.sum, sum)),
            (
                "date",
                readings(&found.date, |s| span(s, |d| d.to_string())),
            ),
            ("time", readings(&found.time, |s| span(s, clock))),
        ]
        .into_iter()
        .filter_map(|(name, readings)| Some((name.to_owned(), readings?)))
        .collect();
        json!({
            "text": self.text,
            "answers": self.answers(),
            "number": likeliest(&found.number, number),
            "digits": likeliest(&found.digits, |d| d.clone().into()),
            "phone": likeliest(&found.phone, |p| p.clone().into()),
            "sum": likeliest(&found.sum, sum),
            "date": likeliest(&found.date, |s| span(s, |d| d.to_string())),
            "time": likeliest(&found.time, |s| span(s, clock)),
            "unsure": self.unsure(),
            "readings": readings,
            "why": why,
        })
    }

    /// The same for people.
    fn sentence(&self) -> String {
        let json = self.json();
        let mut lines = vec![format!("«{}»", self.text)];
        let mut line = |name: &str, value: String| lines.push(format!("  {name:<9} {value}"));
        for m in &self.understood.candidates {
            let chosen = self.understood.intent.as_deref() == Some(m.name.as_str());
            let verdict = if chosen { "" } else { "; не выбран" };
            line(
                "ответ",
                format!("{} — фраза «{}»{verdict}", answer_name(&m.name), m.phrase),
            );
        }
        for (_, name, value) in figures_of(&json) {
            line(name, value);
        }
        if self.understood.unsure {
            line("неясно", "какой это ответ".to_owned());
        }
        if lines.len() == 1 {
            lines.push("  ничего не понято".to_owned());
        }
        lines.join("\n")
    }
}

/// What was read, with its names in English and Russian, as people read it.
fn figures_of(heard: &Value) -> impl Iterator<Item = (&'static str, &'static str, String)> {
    FIELDS.iter().filter_map(|(key, name)| {
        let value = match (&heard[*key], heard["readings"][*key].as_array()) {
            (_, Some(readings)) if readings.is_empty() => "неясно".to_owned(),
            (_, Some(readings)) => {
                let all: Vec<String> = readings.iter().map(shown).collect();
                format!("неясно: {}", all.join(" или "))
            }
            (Value::Null, None) => return None,
            (value, None) => shown(value),
        };
        Some((*key, *name, value))
    })
}

/// What a dialog can take of an utterance: "дата 2026-12-04, время неясно: 18:00 или 06:00"; empty where there is nothing.
pub(super) fn figures(text: &str, now: DateTime) -> String {
    let heard = Heard::of(text, &Answers::builtin(), now).json();
    let found: Vec<_> = figures_of(&heard).collect();
    // "В шесть" is a time, and only by the way a number; a number's digits are no news.
    let has = |names: &[&str]| found.iter().any(|(key, ..)| names.contains(key));
    let told = found.iter().filter(|(key, ..)| match *key {
        "number" | "sum" => !has(&["date", "time", "phone"]),
        "digits" => !has(&["number", "date", "time", "phone", "sum"]),
        _ => true,
    });
    let told = told.map(|(_, name, value)| format!("{name} {value}"));
    told.collect::<Vec<_>>().join(", ")
}

/// `да (yes)`; an answer of the analyst's own as it is.
fn answer_name(name: &str) -> String {
    match ANSWERS.iter().find(|(en, _)| *en == name) {
        Some((en, ru)) => format!("{ru} ({en})"),
        None => name.to_owned(),
    }
}

const FIELDS: &[(&str, &str)] = &[
    ("number", "число"),
    ("digits", "цифры"),
    ("phone", "телефон"),
    ("sum", "сумма"),
    ("date", "дата"),
    ("time", "время"),
];

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(span) => {
            let end = |name: &str| {
                span.get(name)
                    .and_then(Value::as_str)
                    .unwrap_or("…")
                    .to_owned()
            };
            format!("{} – {}", end("from"), end("to"))
        }
        other => other.to_string(),
    }
}

fn likeliest<T>(found: &Found<T>, show: impl Fn(&T) -> Value) -> Value {
    found.likeliest().map_or(Value::Null, show)
}

/// All readings of what is unsure.
fn readings<T>(found: &Found<T>, show: impl Fn(&T) -> Value) -> Option<Value> {
    match found {
        Found::Unsure(readings) => Some(readings.iter().map(show).collect()),
        _ => None,
    }
}

fn number(number: &Number) -> Value {
    number
        .whole()
        .map_or_else(|| number.as_f64().into(), Value::from)
}

fn sum(sum: &Sum) -> Value {
    sum.roubles()
        .map_or_else(|| sum.as_f64().into(), Value::from)
}

fn clock(time: Time) -> String {
    time.strftime("%H:%M").to_string()
}

fn span<T: Copy + PartialEq>(span: &Span<T>, show: impl Fn(T) -> String) -> Value {
    match span.single() {
        Some(one) => show(one).into(),
        None => json!({"from": span.from.map(&show), "to": span.to.map(&show)}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(text: &str) -> Value {
        let now = now(Some("2026-11-24T12:00:00"), None).unwrap();
        Heard::of(text, &Answers::builtin(), now).json()
    }

    #[test]
    fn one_object_holds_all_that_was_understood() {
        let found = heard("двадцать пятого в полшестого вечера");
        assert_eq!(found["date"], "2026-11-25");
        assert_eq!(found["time"], "17:30");
        assert_eq!(found["unsure"], json!([]));
        let found = heard("да, перезвоните после обеда");
        assert_eq!(found["answers"], json!(["later", "yes"]));
        assert_eq!(found["time"], json!({"from": "13:00", "to": "18:00"}));
        let found = heard("да нет");
        assert_eq!(found["answers"], json!([]));
        assert_eq!(found["unsure"], json!(["answers"]));
        assert_eq!(found["why"][0]["answer"], "no");
        let found = heard("сто рублей двадцать копеек");
        assert_eq!(
            (&found["sum"], &found["unsure"]),
            (&json!(100.2), &json!([]))
        );
        let found = heard("в пять");
        assert_eq!(found["unsure"], json!(["time"]));
        assert_eq!(found["readings"]["time"], json!(["17:00", "05:00"]));
        for key in ["number", "digits", "phone", "sum", "date", "time"] {
            assert_eq!(heard("погода")[key], Value::Null, "{key}");
        }
    }

    #[test]
    fn people_read_sentences() {
        let now = now(Some("2026-11-24"), None).unwrap();
        let told = |text| Heard::of(text, &Answers::builtin(), now).sentence();
        assert!(
            told("в пять").contains("неясно: 17:00 или 05:00"),
            "{}",
            told("в пять")
        );
        assert!(told("да").contains("да (yes) — фраза «да»"));
        assert_eq!(
            figures("в пятницу в шесть", now),
            "дата 2026-11-27, время неясно: 18:00 или 06:00"
        );
        assert_eq!(figures("пять", now), "число 5, сумма 5");
        assert_eq!(figures("погода", now), "");
        assert!(told("погода").contains("ничего не понято"));
        assert!(told("утром").contains("06:00 – 12:00"));
    }

    #[test]
    fn now_is_the_clock_of_the_zone() {
        let at = |text, zone| now(Some(text), zone).map(|t| t.to_string());
        assert_eq!(
            at("2026-11-24T21:30:00Z", Some("Asia/Yekaterinburg")).unwrap(),
            "2026-11-25T02:30:00"
        );
        assert_eq!(
            at("2026-11-24T12:00", Some("Europe/Moscow")).unwrap(),
            "2026-11-24T12:00:00"
        );
        assert_eq!(
            at("2026-11-24T12:00:00+03:00", None).unwrap(),
            "2026-11-24T12:00:00"
        );
        assert!(at("вчера", None).is_err() && at("2026-11-24", Some("Mars/Base")).is_err());
    }
}
