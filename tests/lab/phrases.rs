//! Real words through everything: the phrases of `tests/fixtures/audio/ru`, each said by a far end on a real Asterisk, heard
//! by a real recognizer, decided on by a dialog. A few of them by default; all of them, and the tables `phrases-16.md` and
//! `phrases-22.md`, by `GOVORUN_LAB_PHRASES=all cargo test --test lab phrases -- --ignored --nocapture` (`=22`: on that one).

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::StreamExt;
use govorun::config::MediaKind;
use govorun::phrases::Extracted;
use jiff::Zoned;
use serde_json::Value;

use super::dialogs::Place;
use super::one_c::OneC;
use super::server::{LOCAL, Server, settings};
use super::stand::{Asterisk, Ears, row};

/// Calls at once: the recognizer decodes one utterance at a time.
const AT_ONCE: usize = 2;
/// What is called where nobody asks for all: a yes, a no, another time, a figure, a day with a time, a person.
const FEW: [&str; 6] = [
    "fest_yes_06.wav",
    "fest_no_04.wav",
    "fest_resched_06.wav",
    "fest_num_04.wav",
    "fest_date_02.wav",
    "fest_oper_04.wav",
];
/// The recognizer decodes whole utterances, so its last text comes half a second of silence and a decoding after the
/// voice: `settle` waits for it, or the partial would be judged.
const DIALOG: &str = r#"
let a = ask("Короткий вопрос?", #{ settle: 2, timeout: 6, attempts: 1,
    expect: ["yes", "no", "later", "repeat", "operator", "wrong_person", "stop_calling", "who_is_it", "voicemail"] });
set("text", a.text); set("intent", a.intent); set("digits", a.digits); set("number", a.number);
set("date", a.date); set("time", a.time);
say("Короткий вопрос?"); pause(0.3);
finish("heard");"#;

/// A line of the manifest.
#[derive(Clone, Debug)]
struct Phrase {
    number: usize,
    file: String,
    spoken: String,
    means: String,
    in_figures: String,
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/audio/ru")
}

fn manifest() -> Vec<Phrase> {
    let text = std::fs::read_to_string(fixtures().join("manifest.tsv")).unwrap();
    let lines = text.lines().skip(1).enumerate();
    lines
        .map(|(n, line)| {
            let mut columns = line.split('\t').map(str::to_owned);
            let mut column = || columns.next().unwrap();
            Phrase {
                number: n + 1,
                file: column(),
                spoken: column(),
                means: column(),
                in_figures: column(),
            }
        })
        .collect()
}

fn words(text: &str) -> Vec<String> {
    let plain = text.to_lowercase().replace('ё', "е");
    plain
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Words to be changed, put in or taken out.
fn errors(spoken: &[String], heard: &[String]) -> usize {
    let mut row: Vec<usize> = (0..=heard.len()).collect();
    for (i, word) in spoken.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, other) in heard.iter().enumerate() {
            let changed = diagonal + usize::from(word != other);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[heard.len()]
}

/// What became of it in the dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Right,
    /// Nothing, or not all, was understood: a dialog asks again.
    AskedAgain,
    /// Something else was understood.
    Wrong,
}

#[derive(Debug)]
struct Said {
    phrase: Phrase,
    heard: String,
    got: String,
    verdict: Verdict,
    errors: usize,
    words: usize,
    /// From the end of speech to: the utterance's end, the last text, the decision, the answer's first audio. Milliseconds.
    times: [Option<u64>; 4],
    history: String,
}

/// What the dialog read against what the manifest says.
fn judge(phrase: &Phrase, data: &Value) -> (String, Verdict) {
    let now = Zoned::now().datetime();
    let (meant, heard) = (
        Extracted::of(&phrase.spoken, now),
        Extracted::of(data["text"].as_str().unwrap_or(""), now),
    );
    let text = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Object(span) => format!(
            "{}..{}",
            span["from"].as_str().unwrap_or(""),
            span["to"].as_str().unwrap_or("")
        ),
        other => other.to_string(),
    };
    let intent = text(&data["intent"]);
    let mut got = vec![intent.clone()];
    let (mut right, mut wrong) = (true, false);
    let mut due = "";
    for wanted in phrase.means.split(' ') {
        let (name, value) = wanted.split_once('=').unwrap_or((wanted, ""));
        let (same, nothing) = match name {
            "-" => continue,
            "digits" => (text(&data[name]) == value, data[name] == ""),
            "number" => (text(&data[name]) == value, data[name].is_null()),
            "date" => (meant.date == heard.date, heard.date.is_nothing()),
            "time" => (meant.time == heard.time, heard.time.is_nothing()),
            _ => {
                due = name;
                continue;
            }
        };
        let unsure = heard.unsure().contains(&name);
        // No day by its date: the table is the same tomorrow.
        got.push(match (name, text(&data[name])) {
            _ if unsure => format!("{name}?"),
            ("date", read) if read.is_empty() => read,
            ("date", _) if same => "that day".to_owned(),
            ("date", _) => "another day".to_owned(),
            (_, read) => read,
        });
        right &= same;
        wrong |= !same && !nothing && !unsure;
    }
    right &= intent == due;
    wrong |= intent != due && !intent.is_empty();
    let verdict = match (wrong, right) {
        (true, _) => Verdict::Wrong,
        (_, true) => Verdict::Right,
        _ => Verdict::AskedAgain,
    };
    got.retain(|part| !part.is_empty());
    (got.join(", "), verdict)
}

async fn said(one_c: OneC, phrase: Phrase) -> Said {
    let id = format!("p{}", phrase.number);
    let number = format!("8930{:02}00000", phrase.number);
    one_c.order(&id, &number, "phrase").await;
    let (call, history) = one_c.finished(&id, Duration::from_secs(60)).await;
    let data = &call["data"];
    let mut heard = data["text"].as_str().unwrap_or("").to_owned();
    // What fell into a second utterance was heard, too, though the dialog had its answer by then.
    let all = history
        .of("utterance")
        .filter(|u| u.is("state", "complete"));
    for rest in all.skip(1) {
        heard = format!("{heard} {}", rest.data["text"].as_str().unwrap_or(""));
    }
    let reference = words(&phrase.spoken);
    let in_words = errors(&reference, &words(&heard));
    let count = match phrase.in_figures.as_str() {
        "" => in_words,
        figures => in_words.min(errors(&words(figures), &words(&heard))),
    };
    let (got, verdict) = judge(&phrase, data);
    let turn = history.of("turn").next().map(|line| line.data.clone());
    let turn = turn.unwrap_or_default();
    let since = |key: &str| {
        turn[key]
            .as_u64()?
            .checked_sub(turn["end_of_speech_ms"].as_u64()?)
    };
    let keys = [
        "end_of_utterance_ms",
        "final_text_ms",
        "decision_ms",
        "first_audio_ms",
    ];
    Said {
        times: keys.map(since),
        words: reference.len(),
        errors: count,
        history: format!("{history}"),
        phrase,
        heard,
        got,
        verdict,
    }
}

/// Median and 95th of a hundred.
fn spread(mut times: Vec<u64>) -> String {
    times.sort_unstable();
    let at =
        |share: usize| times.get((times.len() * share / 100).min(times.len().saturating_sub(1)));
    match (at(50), at(95)) {
        (Some(half), Some(most)) => format!("{half} / {most}"),
        _ => "-".to_owned(),
    }
}

/// A section of the table, and its last line.
fn table(title: &str, all: &[Said]) -> (String, String) {
    let mut text = format!(
        "\n## {title}\n\n| said | heard | errors | meant | understood | | utterance's end | last text | decision | first audio |\n\
         | --- | --- | --- | --- | --- | --- | ---: | ---: | ---: | ---: |\n"
    );
    let ms = |time: Option<u64>| time.map_or("-".to_owned(), |ms| ms.to_string());
    for said in all {
        let Said {
            phrase,
            heard,
            got,
            times,
            ..
        } = said;
        let verdict = match said.verdict {
            Verdict::Right => "right",
            Verdict::AskedAgain => "asks again",
            Verdict::Wrong => "WRONG",
        };
        let exact = said.errors == 0;
        let count = if exact {
            String::new()
        } else {
            format!("{} of {}", said.errors, said.words)
        };
        let times = times.map(ms).join(" | ");
        let _ = writeln!(
            text,
            "| {} | {heard} | {count} | {} | {got} | {verdict} | {times} |",
            phrase.spoken, phrase.means
        );
    }
    let count = |verdict| all.iter().filter(|s| s.verdict == verdict).count();
    let (wrong, words) = all
        .iter()
        .fold((0, 0), |(e, w), s| (e + s.errors, w + s.words));
    let took = |n: usize| spread(all.iter().filter_map(|s| s.times[n]).collect());
    let own = all
        .iter()
        .filter_map(|s| s.times[2]?.checked_sub(s.times[1]?));
    let summary = format!(
        "{} phrases, {} exact, word errors {:.1} % ({wrong} of {words}); {} right, {} asked again, {} wrong; from the end of speech, \
         median / 95 %: utterance's end {} ms, last text {} ms, decision {} ms, first audio {} ms; from the last text to the decision {} ms",
        all.len(),
        all.iter().filter(|s| s.errors == 0).count(),
        100.0 * wrong as f64 / words as f64,
        count(Verdict::Right),
        count(Verdict::AskedAgain),
        count(Verdict::Wrong),
        took(0),
        took(1),
        took(2),
        took(3),
        spread(own.collect()),
    );
    let _ = write!(text, "\n{summary}.\n");
    (text, summary)
}

async fn on(version: &'static str, ears: &Ears, wanted: &[Phrase]) -> Option<(String, Vec<Said>)> {
    let asterisk = Asterisk::alone(version)?;
    let place = Place::new();
    place.write("phrase", DIALOG);
    let server = Server::start(settings(
        &asterisk,
        &place,
        MediaKind::Auto,
        &ears.url,
        LOCAL,
    ))
    .await;
    let medium = server.runtime.medium.borrow().kind;
    let one_c = server.one_c;
    let calls = futures_util::stream::iter(wanted.iter().cloned());
    let all: Vec<Said> = calls
        .map(|phrase| said(one_c, phrase))
        .buffered(AT_ONCE)
        .collect()
        .await;
    server.stop().await;
    asterisk.quiet().await;
    let told = asterisk.console("core show version");
    let told = told.split(['~', ' ']).take(2).collect::<Vec<_>>().join(" ");
    let (text, summary) = table(&format!("{told}, `{}`", medium.as_str()), &all);
    row("real words", medium.as_str(), version, "Local", &summary);
    Some((text, all))
}

const ABOUT: &str = "# What a real recognizer hears on a real Asterisk, and what a dialog makes of it

Written by

    GOVORUN_LAB_PHRASES=all cargo test --test lab phrases -- --ignored --nocapture

Each phrase is a call: a far end says it a second after it answers, the server hears it by its tap, a dialog that expects all built-in
answers decides and speaks again. Two calls at once. The voice is synthetic (`festvox-ru`), the recognizer Whisper base by whisper.cpp behind the Vosk
protocol: it is no streaming one. It waits for 500 ms of silence, then decodes the whole utterance on the same two cores where Asterisk, the server (a debug
build) and whatever else runs; so the time to the last text is the recognizer's, and what is ours is the next column's difference.
With weights made for telephony the words would be better, too.

*errors*: words changed, put in, or taken out; a figure may be written as one. *meant*: `tests/fixtures/audio/ru/manifest.tsv`. *asks again*: the
dialog got no answer, or not all of it, and would ask again; *WRONG*: it got another answer. Times are milliseconds from the end of speech, by the call's history.
";

#[ignore = "a real Asterisk"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn phrases() {
    let Some(ears) = Ears::start() else { return };
    let asked = std::env::var("GOVORUN_LAB_PHRASES").unwrap_or_default();
    let full = !asked.is_empty();
    let wanted: Vec<Phrase> = manifest()
        .into_iter()
        .filter(|p| full || FEW.contains(&p.file.as_str()))
        .collect();
    assert!(full || wanted.len() == FEW.len(), "{wanted:?}");
    for version in ["22", "16"] {
        if full && asked != "all" && asked != version {
            continue;
        }
        let Some((text, all)) = on(version, &ears, &wanted).await else {
            continue;
        };
        println!("{text}");
        if full {
            let name = format!("tests/lab/phrases-{version}.md");
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
            std::fs::write(path, format!("{ABOUT}{text}")).unwrap();
        }
        for said in &all {
            let what = format!(
                "{} on {version}: {said:?}\n{}",
                said.phrase.file, said.history
            );
            assert!(!said.heard.is_empty(), "nothing heard: {what}");
            // A machine's words end the call before the dialog decides; a text over 3 s late is none of its utterance's.
            assert!(
                full || said.times.iter().all(Option::is_some),
                "times: {what}"
            );
            if !full {
                // Whisper is not deterministic under load: a word heard amiss
                // may be asked again, but is never taken for another answer,
                // and what was heard as spoken is always understood.
                let amiss = said.errors > 0 && said.verdict == Verdict::AskedAgain;
                assert!(amiss || said.verdict == Verdict::Right, "{what}");
            }
        }
        let wrong: usize = all.iter().map(|s| s.errors).sum();
        let words: usize = all.iter().map(|s| s.words).sum();
        let most = if full { 40 } else { 25 };
        assert!(
            wrong * 100 <= words * most,
            "{wrong} of {words} words wrong:\n{text}"
        );
    }
}
