//! What 1C is told of a call, its history and its changes: flat JSON with the names used everywhere.

use serde_json::{Value, json};

use crate::ident::Phone;
use crate::store::{CallRecord, Change, EventRecord};

fn phone(phone: Option<&Phone>) -> Option<&str> {
    phone.map(Phone::as_str)
}

/// The answer to an order: the same for the first time and for every repeat, whatever came of the call meanwhile.
pub(super) fn accepted(call: &CallRecord) -> Value {
    json!({
        "id": call.id.as_str(),
        "phone": phone(call.phone.as_ref()),
        "dialog": call.dialog,
        "status": "queued",
        "created": call.created,
    })
}

/// A call with all that came of it.
pub(super) fn call(call: &CallRecord) -> Value {
    let attempts: Vec<Value> = call
        .attempt_list
        .iter()
        .map(|a| {
            json!({
                "attempt": a.attempt,
                "channel_id": a.channel_id.as_str(),
                "trunk": a.trunk,
                "started": a.started,
                "ringing": a.ringing,
                "answered": a.answered,
                "ended": a.ended,
                "outcome": a.outcome,
                "cause": a.cause,
                "talk_ms": a.talk_ms,
                "version": a.version,
                "recording": a.recording,
            })
        })
        .collect();
    let transcript: Vec<Value> = call
        .transcript
        .iter()
        .map(|line| {
            json!({
                "attempt": line.attempt,
                "at": line.at,
                "at_ms": line.at_ms,
                "speaker": line.speaker.as_str(),
                "text": line.text.as_str(),
            })
        })
        .collect();
    json!({
        "id": call.id.as_str(),
        "direction": call.direction.as_str(),
        "phone": phone(call.phone.as_ref()),
        "dialog": call.dialog,
        "status": call.status.as_str(),
        "outcome": call.outcome,
        "data": call.data,
        "attempt": call.attempt,
        "attempts": call.attempts,
        "next_attempt": call.next_attempt,
        "cancel": call.cancel,
        "params": call.params,
        "file": call.file,
        "priority": call.priority,
        "not_before": call.not_before,
        "expires": call.expires,
        "callback": call.callback,
        "recording": call.recording,
        "created": call.created,
        "changed": call.changed,
        "attempt_list": attempts,
        "transcript": transcript,
    })
}

/// One line of history.
pub(super) fn event(event: &EventRecord) -> Value {
    json!({
        "seq": event.seq,
        "attempt": event.attempt,
        "at": event.at,
        "at_ms": event.at_ms,
        "kind": event.kind,
        "data": event.data,
    })
}

/// One change.
pub(super) fn change(change: &Change) -> Value {
    json!({
        "cursor": change.cursor,
        "id": change.id.as_str(),
        "direction": change.direction.as_str(),
        "phone": phone(change.phone.as_ref()),
        "dialog": change.dialog,
        "status": change.status.as_str(),
        "outcome": change.outcome,
        "data": change.data,
        "attempt": change.attempt,
        "at": change.at,
    })
}
