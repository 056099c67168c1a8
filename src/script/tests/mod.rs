//! Whole dialogs, with a scripted other end of the line.

mod check;
mod dialogs;
mod faults;
mod fixtures;
mod limits;
mod messages;
mod reload;
mod shipped;
mod slips;
mod storm;
mod texts;

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::call::line::{Answer, LineMessage};
use crate::call::{
    CallInfo, DialogEnd, Direction, Line, Prompt, Recorded, Reply, ReplyKind, Request,
};
use crate::config::Language;
use crate::ident::{CallId, ChannelId, Phone, Spoken};

use super::files::Files;
use super::run::STACK_BYTES;
use super::version::Version;

/// Files in memory.
fn files(list: &[(&str, &str)]) -> Files {
    list.iter()
        .map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()))
        .collect()
}

/// A sound version, or the faults as a panic.
fn version(list: &[(&str, &str)]) -> Arc<Version> {
    let compiled = Version::compile(&files(list), Language::Ru);
    compiled
        .version
        .unwrap_or_else(|| panic!("{:#?}", compiled.faults))
}

fn info(params: Value) -> CallInfo {
    CallInfo {
        call_id: CallId::parse("ЦБ-1").unwrap(),
        channel_id: ChannelId::fresh(),
        attempt: 2,
        direction: Direction::Outgoing,
        phone: Some(Phone::parse("+79121234567").unwrap()),
        dialog: "d".to_owned(),
        params: params.as_object().cloned().unwrap_or_else(Map::new),
        file: None,
    }
}

fn said(text: &str, intent: &str) -> Reply {
    Reply {
        text: Spoken::new(text),
        intents: Some(intent.to_owned())
            .filter(|i| !i.is_empty())
            .into_iter()
            .collect(),
        parts: vec![Spoken::new(text)],
        ..Reply::empty(ReplyKind::Speech)
    }
}

fn keyed(digits: &str) -> Reply {
    Reply {
        digits: Spoken::new(digits),
        ..Reply::empty(ReplyKind::Digits)
    }
}

/// What the other end does next.
#[derive(Clone)]
enum Do {
    /// Answers a window, or a transfer's `Answer` as it is.
    Say(Reply),
    Give(Answer),
    /// Hangs up while the request runs: a turn gets a reply of that kind, all others find the call over.
    HangUp,
}

/// What the other end saw, in order, as short lines: `say текст`, `listen`, `note stage {...}`.
struct Talked {
    end: DialogEnd,
    seen: Vec<String>,
}

impl Talked {
    fn outcome(&self) -> Option<&str> {
        assert_eq!(self.end.fault, None);
        self.end.outcome.as_deref()
    }

    fn saw(&self, line: &str) -> bool {
        self.seen.iter().any(|s| s == line)
    }
}

fn shown(request: &Request) -> String {
    match request {
        Request::Turn(turn) => {
            let mut text = String::new();
            for prompt in &turn.prompts {
                match prompt {
                    Prompt::Sound(sound) => text.push_str(&format!("[{}]", sound.name)),
                    Prompt::Text(t) => text.push_str(&t.text),
                }
            }
            match &turn.window {
                Some(window) => format!("ask {text} {:?}", window.expect),
                None => format!("say {text}"),
            }
        }
        Request::Pause { ms } => format!("pause {ms}"),
        Request::Record => "record".to_owned(),
        Request::RecordStop => "record_stop".to_owned(),
        Request::Message => "message".to_owned(),
        Request::MessageStop { by } => format!("message_stop {}", by.as_str()),
        Request::Transfer { number, timeout_ms } => {
            format!("transfer {} {timeout_ms}", number.as_str())
        }
        Request::Web { order, filler } => {
            let body = order.body.as_ref().map(ToString::to_string);
            let filler = filler.len();
            format!(
                "web {} {} {} {filler}",
                order.method.as_str(),
                order.url,
                body.unwrap_or_default()
            )
        }
        Request::Tone => "tone".to_owned(),
        Request::HangUp => "hang_up".to_owned(),
    }
}

/// Holds a dialog; windows and transfers are answered from `script`, prompts are heard, and after the script's end (or
/// `HangUp`) the person is gone.
fn hold(version: &Arc<Version>, dialog: &str, info: CallInfo, script: Vec<Do>) -> Talked {
    let (line, mut messages, flag) = Line::new(info);
    let dialog = version.dialog(dialog).unwrap();
    let thread = std::thread::Builder::new()
        .stack_size(STACK_BYTES)
        .spawn(move || dialog.run(line))
        .unwrap();
    let mut script = VecDeque::from(script);
    let mut seen = Vec::new();
    let mut over = false;
    while let Some(message) = messages.blocking_recv() {
        let (request, answer) = match message {
            LineMessage::Note(note) => {
                seen.push(format!("note {} {}", note.kind, note.data));
                continue;
            }
            LineMessage::Request(request, answer) => (*request, answer),
        };
        let recorded = |ms| Answer::Recorded(Some(Recorded { number: 2, ms }));
        if let Request::MessageStop { .. } = request {
            seen.push(shown(&request));
            let _ = answer.send(recorded(4_250));
            continue;
        }
        if over {
            let _ = answer.send(Answer::HungUp);
            continue;
        }
        seen.push(shown(&request));
        let hears = matches!(&request, Request::Turn(t) if t.window.is_some())
            || matches!(
                request,
                Request::Transfer { .. } | Request::Web { .. } | Request::Tone
            );
        let given = match script.front() {
            Some(Do::HangUp) => script.pop_front(),
            _ if hears => script.pop_front().or(Some(Do::HangUp)),
            _ => None,
        };
        let _ = answer.send(match given {
            Some(Do::Say(reply)) => Answer::Reply(reply),
            Some(Do::Give(answer)) => answer,
            Some(Do::HangUp) => {
                over = true;
                flag.raise();
                match request {
                    Request::Turn(_) => Answer::Reply(Reply::empty(ReplyKind::HangUp)),
                    _ => Answer::HungUp,
                }
            }
            None => match request {
                Request::Turn(_) => Answer::Reply(Reply::empty(ReplyKind::Played)),
                Request::HangUp => {
                    over = true;
                    flag.raise();
                    Answer::Done
                }
                Request::Message => recorded(0),
                _ => Answer::Done,
            },
        });
    }
    Talked {
        end: thread.join().unwrap(),
        seen,
    }
}

/// One dialog `d` from its text, and how it went.
fn talk(text: &str, params: Value, script: Vec<Do>) -> Talked {
    hold(&version(&[("d.rhai", text)]), "d", info(params), script)
}
