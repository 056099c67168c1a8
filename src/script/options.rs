//! Settings of `ask`, `listen`, `digits`, `menu`, `say`, `play` and `transfer`: one row each, English and Russian names,
//! times in seconds. The same rows serve `listen:` in a dialog's YAML.

use std::sync::Arc;

use rhai::{Array, Dynamic, ImmutableString, Map};

use crate::call::{BargeIn, DigitRule, MessageRule, Window};
use crate::config::Language;
use crate::phrases::Answers;

use super::reply::Hours;
use super::talk::perhaps;
use super::tr;
use super::words::answer_en;

/// Which setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // Each has its row below, with its text.
pub enum Setting {
    Expect,
    Attempts,
    NoInput,
    NoMatch,
    BargeIn,
    Timeout,
    EndSilence,
    MaxSpeech,
    Settle,
    GiveUp,
    Carry,
    OpenBefore,
    Early,
    Stand,
    MinVoice,
    Guard,
    Resume,
    Digits,
    MaxDigits,
    Terminator,
    Interdigit,
    Prompt,
    MinDigits,
    Ring,
    Voice,
    Speed,
    AnswerTime,
    Filler,
    Query,
    Hours,
    Message,
    Beep,
    Longest,
}

/// One row of the table.
#[derive(Debug)]
pub struct Row {
    /// Which.
    pub setting: Setting,
    /// English name.
    pub en: &'static str,
    /// Russian name.
    pub ru: &'static str,
    /// What it does, in Russian.
    pub doc_ru: &'static str,
    /// What it does, in English.
    pub doc_en: &'static str,
    /// A value as it is written.
    pub example: &'static str,
}

impl Row {
    /// Whether that is one of its names.
    pub(super) fn is_named(&self, written: &str) -> bool {
        self.en == written || super::words::is_russian(self.ru, written)
    }
}

const fn row(
    setting: Setting,
    (en, ru): (&'static str, &'static str),
    doc_ru: &'static str,
    doc_en: &'static str,
    example: &'static str,
) -> Row {
    Row {
        setting,
        en,
        ru,
        doc_ru,
        doc_en,
        example,
    }
}

/// All settings.
#[rustfmt::skip]
pub const SETTINGS: &[Row] = &[
    row(Setting::Expect, ("expect", "ожидать"), "какие ответы ждём (имена из phrases.yaml); пусто — любой текст", "expected answers (names in phrases.yaml); empty: any text", r#"["yes", "no"]"#),
    row(Setting::Attempts, ("attempts", "попыток"), "сколько раз спросить, от 1 до 10", "how often to ask, 1 to 10", "3"),
    row(Setting::NoInput, ("no_input", "молчание"), "что сказать перед повтором, если человек молчал", "said before asking again after silence", r#""Не слышу вас. ""#),
    row(Setting::NoMatch, ("no_match", "непонятно"), "что сказать перед повтором, если ответ не понят", "said before asking again when nothing was understood", r#""Не понял. ""#),
    row(Setting::BargeIn, ("barge_in", "перебивание"), "чем можно перебить фразу: speech (речь), число слов, intent (ответ), digits (цифры) или false (ложь)", "what cuts the prompt: speech, a number of words, intent, digits or false", r#""intent""#),
    row(Setting::Timeout, ("timeout", "ожидание"), "сколько секунд тишины ждать после фразы", "seconds of silence allowed after the prompt", "5"),
    row(Setting::EndSilence, ("end_silence", "тишина_конца"), "сколько секунд тишины кончают ответ", "seconds of silence that end an utterance", "0.7"),
    row(Setting::MaxSpeech, ("max_speech", "предел_речи"), "самый длинный ответ, секунд", "longest utterance, seconds", "20"),
    row(Setting::Settle, ("settle", "досказать"), "сколько секунд ждать окончательного текста", "seconds that a final text is awaited", "0.5"),
    row(Setting::GiveUp, ("give_up", "ждать_слов"), "сколько секунд после речи ждать её слов; дальше это был шум", "speech without a word so many seconds after its end was noise", "3"),
    row(Setting::Carry, ("carry", "захват"), "за сколько секунд до начала слушания речь ещё берётся", "an utterance that began so many seconds earlier is taken", "1.5"),
    row(Setting::OpenBefore, ("open_before", "слушать_до_конца"), "за сколько секунд до конца фразы, которую нельзя перебить, начать слушать", "opens so many seconds before an uncuttable prompt ends", "0.8"),
    row(Setting::Early, ("early", "рано"), "не ждать конца речи, если ответ уже понятен", "ends as soon as an expected answer is heard", "true"),
    row(Setting::Stand, ("stand", "рано_через"), "сколько секунд понятный ответ должен продержаться, чтобы не ждать конца речи (рано)", "seconds that a partial answer has to stand (early)", "0.3"),
    row(Setting::MinVoice, ("min_voice", "длина_голоса"), "сколько секунд голоса придерживают фразу (перебивание речью)", "seconds of voice that pause the prompt (barge_in: speech)", "0.5"),
    row(Setting::Guard, ("guard", "защита"), "первые секунды фразы, когда её нельзя перебить речью", "first seconds of the prompt in which speech doesn't cut it", "0.3"),
    row(Setting::Resume, ("resume", "продолжить_через"), "через сколько секунд придержанная фраза продолжится, если слов не было", "a paused prompt goes on after so many seconds without words", "2"),
    row(Setting::Digits, ("digits", "цифры"), "принимать ли нажатия клавиш", "whether keys count", "false"),
    row(Setting::MaxDigits, ("max_digits", "цифр"), "сколько цифр принять, от 1 до 40", "how many keys, 1 to 40", "4"),
    row(Setting::Terminator, ("terminator", "конец_цифр"), "клавиша, которая кончает ввод, или false (ложь)", "the key that ends the input, or false", r##""#""##),
    row(Setting::Interdigit, ("interdigit", "между_цифрами"), "сколько секунд ждать следующей цифры", "longest wait between two keys, seconds", "3"),
    row(Setting::Prompt, ("prompt", "вопрос"), "что сказать перед вводом", "said before the input", r#""Введите номер.""#),
    row(Setting::MinDigits, ("min", "не_меньше"), "сколько цифр самое меньшее", "fewest digits", "1"),
    row(Setting::Ring, ("ring", "звонить"), "сколько секунд звонить тому, на кого переводим", "how long the other one is rung, seconds", "30"),
    row(Setting::Voice, ("voice", "голос"), "каким голосом сказать: имя из voices в govorun.yaml; если он откажет, скажет следующий", "the voice that speaks: its name under `voices` in govorun.yaml; where it fails the next one speaks", r#""yandex""#),
    row(Setting::Speed, ("speed", "скорость"), "как быстро говорить: от 0.5 до 2, обычно 1; действует, если голос это умеет", "how fast to speak: 0.5 to 2, 1 is usual; for voices that can", "1.2"),
    row(Setting::AnswerTime, ("timeout", "ожидание"), "сколько секунд ждать ответа сервера (http_get, http_post)", "seconds to wait for a server's answer", "5"),
    row(Setting::Filler, ("filler", "заставка"), "что сказать, пока сервер думает; договаривается до конца", "said while the server thinks, to its end", r#""Минуту, проверяю.""#),
    row(Setting::Hours, ("hours", "часы"), "в какие часы бывает ответ, с какого по какой: «в шесть» с [9, 20] — это 18:00", "the hours that an answer may name, from and to: \"at six\" with [9, 20] is 18:00", "[9, 20]"),
    row(Setting::Message, ("message", "сообщение"), "записать не разговор, а сообщение человека: ждать, пока он договорит (record)", "record no call but a message of the person's: wait until they have said it (record)", "true"),
    row(Setting::Beep, ("beep", "сигнал"), "дать гудок, после которого говорить (record)", "a tone after which to speak (record)", "true"),
    row(Setting::Longest, ("max", "предел"), "самое длинное сообщение, секунд (record)", "longest message, seconds (record)", "60"),
    row(Setting::Query, ("query", "параметры"), "параметры адреса: ?имя=значение", "parameters of the address: ?name=value", "#{ number: 5 }"),
];

/// Those of a prompt that may be interrupted.
const CUTTING: &[Setting] = &[
    Setting::BargeIn,
    Setting::MinVoice,
    Setting::Guard,
    Setting::Resume,
];
/// Those of a listening window, besides its prompt's.
const WINDOW: &[Setting] = &[
    Setting::Expect,
    Setting::Timeout,
    Setting::EndSilence,
    Setting::MaxSpeech,
    Setting::Settle,
    Setting::GiveUp,
    Setting::Carry,
    Setting::OpenBefore,
    Setting::Early,
    Setting::Stand,
    Setting::Digits,
    Setting::MaxDigits,
    Setting::Terminator,
    Setting::Interdigit,
    Setting::Hours,
];
/// Those of a question that is asked again.
const ASKING: &[Setting] = &[Setting::Attempts, Setting::NoInput, Setting::NoMatch];

/// Those of a recorded message, besides its prompt's.
const MESSAGE: &[Setting] = &[
    Setting::Message,
    Setting::Beep,
    Setting::Longest,
    Setting::Prompt,
    Setting::Timeout,
    Setting::EndSilence,
    Setting::Terminator,
];

/// Those of whatever speaks.
const SPEAKING: &[Setting] = &[Setting::Voice, Setting::Speed];

/// Who takes settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taker {
    /// `play`, `say`.
    Speak,
    /// `listen`.
    Listen,
    /// `ask`, `menu`, and `listen:` in a dialog's YAML.
    Ask,
    /// `digits`.
    Digits,
    /// `record`.
    Record,
    /// `transfer`.
    Transfer,
    /// `http_get`, `http_post`.
    Web,
}

impl Taker {
    /// Whether it takes that setting.
    pub(super) fn takes(self, setting: Setting) -> bool {
        let cutting = CUTTING.contains(&setting);
        let window = cutting || WINDOW.contains(&setting);
        let asking = ASKING.contains(&setting);
        let speaking = SPEAKING.contains(&setting);
        match self {
            Self::Speak => speaking || cutting,
            Self::Listen => window,
            Self::Ask => window || asking || speaking,
            Self::Digits => {
                window
                    || asking
                    || speaking
                    || matches!(setting, Setting::Prompt | Setting::MinDigits)
            }
            Self::Record => speaking || cutting || MESSAGE.contains(&setting),
            Self::Transfer => setting == Setting::Ring,
            Self::Web => matches!(
                setting,
                Setting::AnswerTime | Setting::Filler | Setting::Query
            ),
        }
    }

    /// The setting of that name; the error is a sentence naming the nearest one.
    pub(super) fn setting(self, name: &str, language: Language) -> Result<Setting, String> {
        let rows = || SETTINGS.iter().filter(|r| self.takes(r.setting));
        match rows().find(|r| r.is_named(name)) {
            Some(row) => Ok(row.setting),
            None => {
                let hint = perhaps(language, name, rows().flat_map(|r| [r.en, r.ru]));
                let list = if hint.is_empty() {
                    let names: Vec<&str> = rows()
                        .map(|r| if language == Language::Ru { r.ru } else { r.en })
                        .collect();
                    let names = names.join(", ");
                    tr!(language, ". Есть: {names}", ". There are: {names}")
                } else {
                    String::new()
                };
                Err(tr!(
                    language,
                    "нет настройки «{name}»{hint}{list}",
                    "there is no setting {name:?}{hint}{list}"
                ))
            }
        }
    }
}

/// Settings, read and checked.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) window: Window,
    pub(super) barge_in: BargeIn,
    pub(super) attempts: u32,
    pub(super) no_input: Dynamic,
    pub(super) no_match: Dynamic,
    pub(super) prompt: Dynamic,
    pub(super) min_digits: Option<u32>,
    /// `max_digits` was named.
    pub(super) max_digits_named: bool,
    pub(super) ring_ms: u64,
    /// The voice that is asked first.
    pub(super) voice: Option<String>,
    /// How fast, percent.
    pub(super) speed_percent: u16,
    /// What [`BargeIn::Speech`] is made of, whatever the order of the settings.
    min_voice_ms: u64,
    guard_ms: u64,
    resume_ms: u64,
    /// How long a server's answer is awaited; `None`: as the server's settings say.
    pub(super) answer_ms: Option<u64>,
    pub(super) filler: Dynamic,
    pub(super) query: Map,
    /// Hours that an answer may name, from and to.
    pub(super) hours: Option<Hours>,
    /// `message` was named, and what it was.
    pub(super) message: Option<bool>,
    pub(super) beep: bool,
    longest_ms: u64,
}

impl Options {
    /// The answers that may be expected.
    pub(super) fn answers(&self) -> &Answers {
        &self.window.answers
    }

    /// The same, to be kept.
    pub(super) fn shared_answers(&self) -> Arc<Answers> {
        Arc::clone(&self.window.answers)
    }

    /// The defaults over these answers.
    pub(super) fn new(answers: Arc<Answers>) -> Self {
        Self {
            window: Window::new(answers),
            barge_in: BargeIn::default(),
            attempts: 1,
            no_input: Dynamic::UNIT,
            no_match: Dynamic::UNIT,
            prompt: Dynamic::UNIT,
            min_digits: None,
            max_digits_named: false,
            ring_ms: 30_000,
            voice: None,
            speed_percent: 100,
            min_voice_ms: 500,
            guard_ms: 300,
            resume_ms: 2_000,
            answer_ms: None,
            filler: Dynamic::UNIT,
            query: Map::new(),
            hours: None,
            message: None,
            beep: true,
            longest_ms: 60_000,
        }
    }

    /// These options with `map`'s laid over them. The error is a sentence for the analyst.
    pub(super) fn with(&self, map: &Map, taker: Taker, language: Language) -> Result<Self, String> {
        let mut options = self.clone();
        if taker == Taker::Record {
            options.as_for_message();
        }
        for (name, value) in map {
            let setting = taker.setting(name, language)?;
            options
                .set(setting, value, language)
                .map_err(|wanted| wrong(name, value, &wanted, language))?;
        }
        if matches!(options.barge_in, BargeIn::Speech { .. }) {
            options.barge_in = BargeIn::Speech {
                min_voice_ms: options.min_voice_ms,
                guard_ms: options.guard_ms,
                resume_ms: options.resume_ms,
            };
        }
        Ok(options)
    }

    /// What of the dialog's settings is meant for answers doesn't hold for a message.
    fn as_for_message(&mut self) {
        let plain = Self::new(Arc::clone(&self.window.answers));
        self.window = plain.window;
        self.window.end_silence_ms = MessageRule::default().end_silence_ms;
        // Who begins before the tone is not to cut off what they are told to do; a key may, as with any voice mail.
        self.barge_in = BargeIn::Digits;
        self.message = None;
    }

    /// The window of a message; `heard`: somebody listens.
    pub(super) fn message_window(&self, heard: bool) -> Window {
        let rule = MessageRule {
            end_silence_ms: self.window.end_silence_ms,
            longest_ms: self.longest_ms,
            heard,
        };
        let mut window = Window::new(Arc::clone(&self.window.answers));
        // Words that began over what was said before are on no recording.
        window.carry_ms = 0;
        window.timeout_ms = self.window.timeout_ms;
        window.digits = self.window.digits;
        window.message = Some(rule);
        window
    }

    /// Sets one; the error says what is wanted, or is a whole sentence behind a `!`.
    fn set(&mut self, setting: Setting, value: &Dynamic, l: Language) -> Result<(), String> {
        let window = &mut self.window;
        let rule = window.digits.unwrap_or_default();
        match setting {
            Setting::Expect => window.expect = expect(value, &window.answers, l)?,
            Setting::Attempts => self.attempts = whole(value, 1, 10, l)?,
            Setting::NoInput => self.no_input = value.clone(),
            Setting::NoMatch => self.no_match = value.clone(),
            Setting::Prompt => self.prompt = value.clone(),
            Setting::BargeIn => self.barge_in = barge_in(value, l)?,
            Setting::Timeout => window.timeout_ms = seconds(value, 0.1, 120.0, l)?,
            Setting::EndSilence => window.end_silence_ms = seconds(value, 0.1, 10.0, l)?,
            Setting::MaxSpeech => window.max_speech_ms = seconds(value, 1.0, 300.0, l)?,
            Setting::Settle => window.settle_ms = seconds(value, 0.0, 5.0, l)?,
            Setting::GiveUp => window.give_up_ms = seconds(value, 0.5, 10.0, l)?,
            Setting::Carry => window.carry_ms = seconds(value, 0.0, 10.0, l)?,
            Setting::OpenBefore => window.early_ms = seconds(value, 0.0, 10.0, l)?,
            Setting::Early => window.early = yes_or_no(value, l)?,
            Setting::Stand => window.stand_ms = seconds(value, 0.0, 5.0, l)?,
            Setting::MinVoice => self.min_voice_ms = seconds(value, 0.1, 5.0, l)?,
            Setting::Guard => self.guard_ms = seconds(value, 0.0, 10.0, l)?,
            Setting::Resume => self.resume_ms = seconds(value, 0.3, 10.0, l)?,
            Setting::Digits => {
                window.digits = yes_or_no(value, l)?.then_some(rule);
            }
            Setting::MaxDigits => {
                self.max_digits_named = true;
                window.digits = Some(DigitRule {
                    max_digits: whole(value, 1, 40, l)?,
                    ..rule
                });
            }
            Setting::Terminator => {
                window.digits = Some(DigitRule {
                    terminator: terminator(value, l)?,
                    ..rule
                });
            }
            Setting::Interdigit => {
                window.digits = Some(DigitRule {
                    interdigit_ms: seconds(value, 0.3, 60.0, l)?,
                    ..rule
                });
            }
            Setting::MinDigits => self.min_digits = Some(whole(value, 0, 40, l)?),
            Setting::Ring => self.ring_ms = seconds(value, 1.0, 300.0, l)?,
            Setting::Voice => self.voice = Some(voice(value, l)?),
            Setting::Speed => self.speed_percent = speed(value, l)?,
            Setting::AnswerTime => self.answer_ms = Some(seconds(value, 0.1, 60.0, l)?),
            Setting::Filler => self.filler = value.clone(),
            Setting::Message => self.message = Some(yes_or_no(value, l)?),
            Setting::Beep => self.beep = yes_or_no(value, l)?,
            Setting::Longest => self.longest_ms = seconds(value, 1.0, 600.0, l)?,
            Setting::Hours => self.hours = Some(hours(value, l)?),
            Setting::Query => {
                let query = value.read_lock::<Map>().map(|map| map.clone());
                self.query = query.ok_or_else(|| {
                    tr!(
                        l,
                        "набор: #{{ имя: значение }}",
                        "a map: #{{ name: value }}"
                    )
                })?;
            }
        }
        Ok(())
    }
}

/// Settings of a message where it isn't said that it is one: `record()` alone records the call.
pub(super) fn no_message<'n>(
    names: impl IntoIterator<Item = &'n str>,
    language: Language,
) -> Option<String> {
    let names: Vec<&str> = names.into_iter().collect();
    let is_message = |name: &&str| {
        let row = SETTINGS.iter().find(|row| row.is_named(name));
        row.is_some_and(|row| row.setting == Setting::Message)
    };
    let named = names.iter().find(|name| !is_message(name))?;
    Some(tr!(
        language,
        "«{named}» — настройка записи сообщения: добавьте сообщение: истина. Запись всего разговора начинают просто записать()",
        "{named:?} is a setting of a message: add message: true. The whole call is recorded by plain record()"
    ))
}

fn wrong(name: &str, value: &Dynamic, wanted: &str, language: Language) -> String {
    match wanted.strip_prefix('!') {
        Some(sentence) => sentence.to_owned(),
        None => {
            let value: String = format!("{value:?}").chars().take(60).collect();
            tr!(
                language,
                "настройка «{name}»: нужно {wanted}, а здесь {value}",
                "setting {name:?}: wanted is {wanted}, here is {value}"
            )
        }
    }
}

/// Answer names, checked; Russian names of built-in answers become the English ones.
fn expect(value: &Dynamic, answers: &Answers, l: Language) -> Result<Vec<String>, String> {
    let wanted = || {
        tr!(
            l,
            "имя ответа или список имён",
            "an answer's name or a list of names"
        )
    };
    let mut names = Vec::new();
    if let Some(name) = value.read_lock::<ImmutableString>() {
        names.push(known_answer(&name, answers, l)?);
    } else if let Some(list) = value.read_lock::<Array>() {
        for item in list.iter() {
            let name = item.read_lock::<ImmutableString>().ok_or_else(wanted)?;
            names.push(known_answer(&name, answers, l)?);
        }
    } else {
        return Err(wanted());
    }
    if names.len() > 100 {
        return Err(wanted());
    }
    Ok(names)
}

/// The answer's own name, where there are phrases for it.
pub(super) fn known_answer(name: &str, answers: &Answers, l: Language) -> Result<String, String> {
    if answers.knows(name) {
        return Ok(name.to_owned());
    }
    let en = answer_en(name);
    if answers.knows(en) {
        return Ok(en.to_owned());
    }
    let hint = perhaps(l, name, answers.names());
    Err(tr!(
        l,
        "!нет ответа «{name}»{hint} (фразы ответов — в phrases.yaml)",
        "!there is no answer {name:?}{hint} (phrases of answers are in phrases.yaml)"
    ))
}

/// A voice that a script names is one of the server's, where those are known.
pub(super) fn known_voice(
    name: &str,
    voices: Option<&[String]>,
    l: Language,
) -> Result<(), String> {
    let Some(voices) = voices.filter(|voices| !voices.iter().any(|v| v == name)) else {
        return Ok(());
    };
    let hint = perhaps(l, name, voices.iter().map(String::as_str));
    let list = match voices {
        [] => tr!(l, "никаких", "none"),
        some => some.join(", "),
    };
    Err(tr!(
        l,
        "нет голоса «{name}»{hint}. В govorun.yaml есть: {list}",
        "there is no voice {name:?}{hint}. govorun.yaml has: {list}"
    ))
}

fn seconds(value: &Dynamic, least: f64, most: f64, l: Language) -> Result<u64, String> {
    let number = value
        .as_float()
        .or_else(|_| value.as_int().map(|i| i as f64));
    match number {
        // Bounded by `most`, so the number fits.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        Ok(s) if (least..=most).contains(&s) => Ok((s * 1000.0).round() as u64),
        _ => Err(tr!(
            l,
            "число секунд от {least} до {most}",
            "a number of seconds from {least} to {most}"
        )),
    }
}

fn voice(value: &Dynamic, l: Language) -> Result<String, String> {
    let name = value.read_lock::<ImmutableString>();
    name.filter(|name| !name.is_empty() && name.chars().count() <= 100)
        .map(|name| name.as_str().to_owned())
        .ok_or_else(|| {
            tr!(
                l,
                "имя голоса из govorun.yaml",
                "a voice's name in govorun.yaml"
            )
        })
}

/// From and to, both within a day.
fn hours(value: &Dynamic, l: Language) -> Result<Hours, String> {
    let list = value.read_lock::<Array>();
    let list: Vec<i64> = list
        .iter()
        .flat_map(|list| list.iter())
        .filter_map(|hour| hour.as_int().ok())
        .collect();
    let hour = |hour: i64| i8::try_from(hour).ok().filter(|h| (0..=24).contains(h));
    match list.as_slice() {
        [from, to] if from < to => hour(*from).zip(hour(*to)),
        _ => None,
    }
    .map(|(from, to)| Hours { from, to })
    .ok_or_else(|| {
        tr!(
            l,
            "[с какого, по какой] час, от 0 до 24: [9, 20]",
            "[from, to], whole hours from 0 to 24: [9, 20]"
        )
    })
}

/// Percent.
fn speed(value: &Dynamic, l: Language) -> Result<u16, String> {
    let number = value
        .as_float()
        .or_else(|_| value.as_int().map(|i| i as f64));
    match number {
        // Bounded, so the number fits.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        Ok(factor) if (0.5..=2.0).contains(&factor) => Ok((factor * 100.0).round() as u16),
        _ => Err(tr!(l, "число от 0.5 до 2", "a number from 0.5 to 2")),
    }
}

fn whole(value: &Dynamic, least: u32, most: u32, l: Language) -> Result<u32, String> {
    value
        .as_int()
        .ok()
        .and_then(|i| u32::try_from(i).ok())
        .filter(|n| (least..=most).contains(n))
        .ok_or_else(|| {
            tr!(
                l,
                "целое число от {least} до {most}",
                "a whole number from {least} to {most}"
            )
        })
}

fn yes_or_no(value: &Dynamic, l: Language) -> Result<bool, String> {
    value
        .as_bool()
        .map_err(|_| tr!(l, "true (истина) или false (ложь)", "true or false"))
}

fn terminator(value: &Dynamic, l: Language) -> Result<Option<char>, String> {
    let key = |c: char| (c.is_ascii_digit() || c == '#' || c == '*').then_some(Some(c));
    if value.as_bool() == Ok(false) {
        return Ok(None);
    }
    let found = if let Ok(c) = value.as_char() {
        key(c)
    } else if let Some(s) = value.read_lock::<ImmutableString>() {
        let mut chars = s.chars();
        match (chars.next(), chars.next()) {
            (Some(c), None) => key(c),
            (None, _) => Some(None),
            _ => None,
        }
    } else {
        None
    };
    found.ok_or_else(|| {
        tr!(
            l,
            "одна клавиша (цифра, # или *) или false",
            "one key (a digit, # or *) or false"
        )
    })
}

fn barge_in(value: &Dynamic, l: Language) -> Result<BargeIn, String> {
    if let Ok(on) = value.as_bool() {
        return Ok(if on { BargeIn::default() } else { BargeIn::Off });
    }
    if let Ok(words) = value.as_int()
        && let Some(words) = u32::try_from(words).ok().filter(|n| (1..=20).contains(n))
    {
        return Ok(BargeIn::Words(words));
    }
    let word = value
        .read_lock::<ImmutableString>()
        .map(|s| s.as_str().to_owned());
    match word.as_deref() {
        Some("speech" | "речь") => Ok(BargeIn::default()),
        Some("words" | "слова") => Ok(BargeIn::Words(2)),
        Some("intent" | "ответ") => Ok(BargeIn::Intent),
        Some("digits" | "цифры") => Ok(BargeIn::Digits),
        _ => Err(tr!(
            l,
            "\"речь\", \"ответ\", \"цифры\", число слов от 1 до 20 или ложь (speech, intent, digits, false)",
            "\"speech\", \"intent\", \"digits\", a number of words from 1 to 20, or false"
        )),
    }
}
