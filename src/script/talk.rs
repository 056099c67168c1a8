//! One run of a dialog, as the words of the language see it: its line, its version's parts, what it leaves.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use rhai::{Dynamic, EvalAltResult, NativeCallContext, Position};
use serde_json::{Map, Value};

use crate::call::fields::{Fields, fields};
use crate::call::history::kind;
use crate::call::{Line, LineError, Reply, ReplyKind, Who};
use crate::config::Language;

use super::fill;
use super::lookalike::foreign;
use super::near::nearest;
use super::sounds::Sounds;
use super::tr;
use super::values::{to_json, to_text};
use super::version::DialogFile;

/// A result inside a script.
pub(super) type Res<T> = Result<T, Box<EvalAltResult>>;

/// Notes that one dialog may leave; a loop around `log` must not fill the disk.
pub(super) const MAX_NOTES: u64 = 10_000;
/// Fields that one dialog may leave to 1C.
pub(super) const MAX_FIELDS: usize = 200;
/// Longest name of a stage, event, field or outcome, characters.
pub(super) const MAX_NAME_CHARS: usize = 100;
/// Longest text of a note or a field, bytes of its JSON.
pub(super) const MAX_NOTE_BYTES: usize = 64 * 1024;

/// Why a script was ended from outside. A script's `try` can't catch it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// `finish`.
    Finished,
    /// The call is over.
    HungUp,
    /// No person answered.
    Machine(Who),
    /// It computed without a pause for longer than allowed.
    Busy,
}

/// What the dialog leaves.
#[derive(Debug, Default)]
pub(super) struct Left {
    pub(super) outcome: Option<String>,
    pub(super) data: Map<String, Value>,
    pub(super) call_again: Option<Timestamp>,
    pub(super) do_not_call: Option<String>,
    /// The dialog hung up itself.
    pub(super) hung_up: bool,
}

/// One run of a dialog.
pub(super) struct Talk {
    pub(super) line: Line,
    pub(super) dialog: Arc<DialogFile>,
    pub(super) sounds: Arc<Sounds>,
    pub(super) language: Language,
    left: Mutex<Left>,
    notes: AtomicU64,
    /// Operations done at the last wait, and now.
    waited_at: AtomicU64,
    operations: AtomicU64,
}

impl Talk {
    /// A run that has yet to begin.
    pub(super) fn new(
        line: Line,
        dialog: Arc<DialogFile>,
        sounds: Arc<Sounds>,
        language: Language,
    ) -> Self {
        Self {
            line,
            dialog,
            sounds,
            language,
            left: Mutex::default(),
            notes: AtomicU64::new(0),
            waited_at: AtomicU64::new(0),
            operations: AtomicU64::new(0),
        }
    }

    /// What it leaves, so far.
    pub(super) fn left<T>(&self, change: impl FnOnce(&mut Left) -> T) -> T {
        change(&mut self.left.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Operations since the last wait, `operations` being done since the script's start. A smaller number than before
    /// means that another function was started anew.
    pub(super) fn busy_for(&self, operations: u64) -> u64 {
        if operations < self.operations.swap(operations, Ordering::Relaxed) {
            self.waited_at.store(0, Ordering::Relaxed);
        }
        operations.saturating_sub(self.waited_at.load(Ordering::Relaxed))
    }

    /// Waits on the line; the end of the call ends the script.
    pub(super) fn wait<T>(&self, ask: impl FnOnce(&Line) -> Result<T, LineError>) -> Res<T> {
        let answer = ask(&self.line);
        self.waited_at
            .store(self.operations.load(Ordering::Relaxed), Ordering::Relaxed);
        answer.map_err(|error| {
            ended(match error {
                LineError::HungUp => Ending::HungUp,
                LineError::Machine(who) => Ending::Machine(who),
            })
        })
    }

    /// Waits for a reply. A hang-up meanwhile ends the script, so that no branch takes it for an answer.
    pub(super) fn reply(&self, ask: impl FnOnce(&Line) -> Result<Reply, LineError>) -> Res<Reply> {
        let reply = self.wait(ask)?;
        if reply.kind == ReplyKind::HangUp {
            return Err(ended(Ending::HungUp));
        }
        Ok(reply)
    }

    /// Leaves a note in the history.
    pub(super) fn note(&self, kind: &'static str, data: Fields) -> Res<()> {
        if self.notes.fetch_add(1, Ordering::Relaxed) >= MAX_NOTES {
            return Err(fault(tr!(
                self.language,
                "больше {MAX_NOTES} записей в журнал за один разговор: проверьте, нет ли бесконечного цикла",
                "over {MAX_NOTES} notes in one call: look for an endless loop"
            )));
        }
        self.line.note(kind, data);
        Ok(())
    }

    /// `set(key, value)`, and each field of `finish(outcome, data)`.
    pub(super) fn set(&self, key: &str, value: &Dynamic) -> Res<()> {
        let key = self.name(key)?;
        let value = self.json(value)?;
        self.left(|left| {
            if left.data.len() >= MAX_FIELDS && !left.data.contains_key(key.as_ref()) {
                return Err(fault(tr!(
                    self.language,
                    "больше {MAX_FIELDS} полей за один разговор",
                    "over {MAX_FIELDS} fields in one call"
                )));
            }
            left.data.insert(key.clone().into_owned(), value.clone());
            Ok(())
        })?;
        self.note(kind::SET, fields!({ "key": key, "value": value }))
    }

    /// A value of the script's as JSON, bounded.
    pub(super) fn json(&self, value: &Dynamic) -> Res<Value> {
        let json = to_json(value).map_err(|what| {
            fault(tr!(
                self.language,
                "такое значение в 1С не передать: {what}",
                "such a value can't be handed to 1C: {what}"
            ))
        })?;
        let bytes = json.to_string().len();
        if bytes > MAX_NOTE_BYTES {
            return Err(fault(tr!(
                self.language,
                "слишком большое значение: {bytes} байт, можно не больше {MAX_NOTE_BYTES}",
                "too large a value: {bytes} bytes, {MAX_NOTE_BYTES} are the most"
            )));
        }
        Ok(json)
    }

    /// Names are short and on one line.
    pub(super) fn name<'a>(&self, name: &'a str) -> Res<Cow<'a, str>> {
        let name = fill::plain(name);
        let chars = name.chars().count();
        if chars == 0 || chars > MAX_NAME_CHARS || name.chars().any(char::is_control) {
            return Err(fault(tr!(
                self.language,
                "имя {name:?} не годится: нужно от 1 до {MAX_NAME_CHARS} знаков в одну строку",
                "name {name:?} is no good: 1 to {MAX_NAME_CHARS} characters on one line are wanted"
            )));
        }
        Ok(name)
    }

    /// What 1C gave, or the dialog's default, or what `set` left.
    pub(super) fn param(&self, key: &str) -> Option<Value> {
        self.line
            .info()
            .params
            .get(key)
            .filter(|value| !value.is_null())
            .or_else(|| self.dialog.settings.params.get(key))
            .cloned()
    }

    /// Fills `${name}` that the script's author wrote: from `set`, else from the parameters.
    pub(super) fn fill(&self, text: &str) -> Res<String> {
        fill::fill(text, |name| {
            let set = self.left(|left| left.data.get(name).cloned());
            set.or_else(|| self.param(name)).map(|v| to_text(&v))
        })
        .map_err(|name| {
            let mut known: Vec<String> = self.line.info().params.keys().cloned().collect();
            known.extend(self.dialog.settings.params.keys().cloned());
            known.extend(self.left(|left| left.data.keys().cloned().collect::<Vec<_>>()));
            known.sort();
            known.dedup();
            let hint = self.perhaps(&name, known.iter().map(String::as_str));
            let list = if known.is_empty() {
                tr!(self.language, "никаких", "none")
            } else {
                known.join(", ")
            };
            fault(tr!(
                self.language,
                "нет параметра «{name}» для ${{{name}}}{hint}. Есть: {list}. Переменную сценария вставляют так: `текст ${{{name}}}` — в обратных кавычках",
                "there is no parameter {name:?} for ${{{name}}}{hint}. There are: {list}. A variable of the script goes in back quotes: `text ${{{name}}}`"
            ))
        })
    }

    /// "; может быть, «x»?", or nothing.
    pub(super) fn perhaps<'a>(
        &self,
        name: &str,
        candidates: impl IntoIterator<Item = &'a str>,
    ) -> String {
        perhaps(self.language, name, candidates)
    }
}

/// "; может быть, «x»?", or nothing. Where the two look alike on the screen, the letters that differ are named.
pub fn perhaps<'a>(
    language: Language,
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> String {
    let mut alike = None;
    let near = nearest(
        name,
        candidates
            .into_iter()
            .inspect(|c| alike = alike.or(Some(*c).filter(|c| !foreign(name, c).is_empty()))),
    );
    let Some(near) = alike.or(near) else {
        return String::new();
    };
    let letters = foreign(name, near);
    if letters.is_empty() {
        return tr!(
            language,
            "; может быть, «{near}»?",
            "; did you mean {near:?}?"
        );
    }
    let latin = letters.is_ascii();
    let (ru, en) = if latin {
        ("латинские", "Latin")
    } else {
        ("русские", "Russian")
    };
    tr!(
        language,
        "; может быть, «{near}»? В слове «{name}» {ru} буквы, похожие с виду: {letters}. Наберите его заново",
        "; did you mean {near:?}? {name:?} has {en} letters that look alike: {letters}. Type it anew"
    )
}

/// A fault at the place where the word stands: Rhai fills in line and column.
pub(super) fn fault(message: String) -> Box<EvalAltResult> {
    EvalAltResult::ErrorRuntime(message.into(), Position::NONE).into()
}

/// The end of the script that its `try` can't catch.
pub(super) fn ended(ending: Ending) -> Box<EvalAltResult> {
    EvalAltResult::ErrorTerminated(Dynamic::from(ending), Position::NONE).into()
}

/// How words find their talk: the engine's tag.
#[derive(Clone)]
pub(super) struct Handle {
    /// Absent while a `lib` file is read: there is no call yet.
    pub(super) talk: Option<Arc<Talk>>,
    pub(super) language: Language,
}

/// The talk of the call in which a word is used.
pub(super) fn talk(context: &NativeCallContext) -> Res<Arc<Talk>> {
    let handle = context
        .tag()
        .and_then(|tag| tag.read_lock::<Handle>().map(|h| h.clone()));
    match handle {
        Some(Handle {
            talk: Some(talk), ..
        }) => Ok(talk),
        other => {
            let language = other.map(|h| h.language).unwrap_or_default();
            let word = context.fn_name().to_owned();
            Err(fault(tr!(
                language,
                "«{word}» здесь нельзя: файл из lib читают до разговора. Уберите вызов внутрь функции",
                "{word:?} can't be used here: a lib file is read before any call. Move it into a function"
            )))
        }
    }
}
