//! A call that comes in: the dialplan's `AGI(agi://host:port/<dialog>)` names the dialog.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::agi_line::AgiLine;
use super::begun::Begun;
use super::choice::Choice;
use super::line::{CallInfo, Direction};
use super::parts::CallParts;
use super::session::Dialog;
use super::summary::Summary;
use super::talk::{self, Answered};
use crate::ident::{CallId, ChannelId, Phone};
use crate::net::agi::AgiConnection;
use crate::wire::agi::{Command, Environment};

/// What an incoming call is that came at `at`, read off its AGI environment. Further arguments of `AGI()` and the query
/// string become parameters: `AGI(agi://host/menu?queue=2,вип)` gives `queue` = 2 and `arg_1` = вип.
pub fn info(environment: &Environment, dialog: &str, at: Timestamp) -> CallInfo {
    let mut params = Map::new();
    for (name, value) in &environment.script().query {
        params.insert(name.clone(), Value::from(value.as_str()));
    }
    for number in 1.. {
        let Some(value) = environment.arg(number) else {
            break;
        };
        params.insert(format!("arg_{number}"), Value::from(value));
    }
    if let Some(dialed) = environment.dialed() {
        params.insert("dialed".to_owned(), Value::from(dialed));
    }
    CallInfo {
        call_id: CallId::fresh("in", at),
        channel_id: ChannelId::from_asterisk(environment.unique_id()),
        attempt: 1,
        direction: Direction::Incoming,
        phone: environment.caller_id().and_then(|id| Phone::parse(id).ok()),
        dialog: dialog.to_owned(),
        params,
        file: None,
    }
}

/// Answers, and holds the dialog.
pub async fn answer(
    parts: Arc<CallParts>,
    info: Arc<CallInfo>,
    connection: AgiConnection,
    dialog: Dialog,
    choice: Choice,
    stop: CancellationToken,
) -> Summary {
    let mut call = Begun::new(parts, info, &choice, stop);
    let tap = call.tap().await;
    let agi = AgiLine::start(connection);
    // Harmless where the dialplan has answered already.
    let _ = agi.execute(Command::answer()).await;
    call.hear_from_now();
    let answered = Answered {
        call,
        decider: None,
        agi,
        tap,
    };
    talk::hold(answered, dialog).await
}
