//! What 1C is told of a call, its history and its changes: flat JSON with the names used everywhere, and its forms.
//!
//! A field is one line: it makes the JSON and the OpenAPI document's form of it ([`told`]).

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::schema::{count, flag, free, list, maybe, named, object, text, time, told, whole, word};
use super::time::{written, written_opt};
use super::titles::Titles;
use crate::call::recording::What;
use crate::call::{Direction, Status};
use crate::ident::Phone;
use crate::store::{
    AttemptRecord, CallRecord, Callback, CallbackState, Change, EventRecord, RecordingRecord,
    TranscriptLine,
};

/// What a report is written with: the server's zone, the words of the moment.
pub(super) struct Telling {
    pub(super) zone: TimeZone,
    pub(super) titles: Titles,
}

impl Telling {
    pub(super) fn at(&self, at: Timestamp) -> String {
        written(at, &self.zone)
    }

    pub(super) fn at_opt(&self, at: Option<Timestamp>) -> Option<String> {
        written_opt(at, &self.zone)
    }
}

/// The number, or what is left of one that was masked.
fn phone<'p>(phone: Option<&'p Phone>, masked: Option<&'p String>) -> Option<&'p str> {
    phone.map(Phone::as_str).or(masked.map(String::as_str))
}

fn statuses() -> Value {
    word(
        [
            Status::Queued,
            Status::Dialing,
            Status::Talking,
            Status::Finished,
            Status::Cancelled,
            Status::Expired,
        ]
        .map(Status::as_str),
    )
}

fn directions() -> Value {
    word([Direction::Outgoing, Direction::Incoming].map(|direction| direction.as_str()))
}

told! {
    /// The answer to an order: the same for the first time and for every repeat, whatever came of the call meanwhile.
    pub(super) fn accepted(call: &CallRecord, told: &Telling), accepted_form {
        "id": text() => call.id.as_str(),
        "phone": maybe(text()) => phone(call.phone.as_ref(), call.phone_masked.as_ref()),
        "dialog": text() => call.dialog,
        "status": word(["queued"]) => "queued",
        "status_title": text() => told.titles.status(Status::Queued),
        "created": time() => told.at(call.created),
    }
}

told! {
    /// A call with all that came of it.
    pub(super) fn call(call: &CallRecord, told: &Telling), call_form {
        "id": text() => call.id.as_str(),
        "direction": directions() => call.direction.as_str(),
        "phone": maybe(text()) => phone(call.phone.as_ref(), call.phone_masked.as_ref()),
        "dialog": text() => call.dialog,
        "status": statuses() => call.status.as_str(),
        "status_title": text() => told.titles.status(call.status),
        "outcome": maybe(text()) => call.outcome,
        "outcome_title": maybe(text()) => told.titles.outcome(&call.dialog, call.outcome.as_deref()),
        "data": free() => call.data,
        "attempt": count() => call.attempt,
        "attempts": count() => call.attempts,
        "next_attempt": maybe(time()) => told.at_opt(call.next_attempt),
        "reason": maybe(text()) => call.waits_for.as_ref().map(|reason| &reason.rule),
        "reason_title": maybe(text()) => call.waits_for.as_ref().map(|reason| told.titles.reason(reason)),
        "rules": maybe(text()) => call.rules,
        "zone": maybe(text()) => call.zone,
        "hours": maybe(text()) => call.hours,
        "cancel": flag() => call.cancel,
        "params": free() => call.params,
        "file": maybe(text()) => call.file,
        "priority": whole(-100, 100) => call.priority,
        "not_before": maybe(time()) => told.at_opt(call.not_before),
        "expires": maybe(time()) => told.at_opt(call.expires),
        "callback": maybe(text()) => call.callback,
        "version": maybe(text()) => call.attempt_list.last().and_then(|attempt| attempt.version.as_ref()),
        "recording": maybe(text()) => call.recording,
        "recordings": list(recording_form()) => call.recordings.iter().map(|r| recording(r, told)).collect::<Vec<Value>>(),
        "created": time() => told.at(call.created),
        "changed": time() => told.at(call.changed),
        "attempt_list": list(attempt_form()) => call.attempt_list.iter().map(|a| attempt(a, told)).collect::<Vec<Value>>(),
        "callbacks": list(named("Callback")) => call.callbacks.iter().map(|c| callback(c, told)).collect::<Vec<Value>>(),
        "transcript": list(line_form()) => call.transcript.iter().map(|l| line(l, told)).collect::<Vec<Value>>(),
    }
}

told! {
    /// One attempt of a call.
    fn attempt(a: &AttemptRecord, told: &Telling), attempt_form {
        "attempt": count() => a.attempt,
        "channel_id": text() => a.channel_id.as_str(),
        "trunk": maybe(text()) => a.trunk,
        "started": time() => told.at(a.started),
        "ringing": maybe(time()) => told.at_opt(a.ringing),
        "answered": maybe(time()) => told.at_opt(a.answered),
        "ended": maybe(time()) => told.at_opt(a.ended),
        "outcome": maybe(text()) => a.outcome,
        "cause": maybe(count()) => a.cause,
        "machine": flag() => a.machine,
        "talk_ms": maybe(count()) => a.talk_ms,
        "version": maybe(text()) => a.version,
        "recording": maybe(text()) => a.recording,
    }
}

told! {
    /// One recording: `number` and `attempt` fetch it.
    fn recording(r: &RecordingRecord, told: &Telling), recording_form {
        "attempt": count() => r.attempt,
        "number": count() => r.number,
        "what": word([What::Call, What::Message].map(What::as_str)) => r.what.as_str(),
        "began": time() => told.at(r.began),
        "ended": maybe(time()) => told.at_opt(r.ended),
        "ended_by": maybe(text()) => r.ended_by,
        "length_ms": maybe(count()) => r.length_ms,
        "deleted": maybe(time()) => told.at_opt(r.deleted),
    }
}

told! {
    /// One line of the transcript.
    fn line(line: &TranscriptLine, told: &Telling), line_form {
        "attempt": count() => line.attempt,
        "at": time() => told.at(line.at),
        "at_ms": maybe(count()) => line.at_ms,
        "speaker": word(["robot", "person"]) => line.speaker.as_str(),
        "text": text() => line.text.as_str(),
    }
}

told! {
    /// One line of history. `ms` are the milliseconds of `at`, which 1C's dates can't hold; `at_ms` is the attempt's own clock.
    pub(super) fn event(event: &EventRecord, told: &Telling), event_form {
        "seq": count() => event.seq,
        "attempt": count() => event.attempt,
        "at": time() => told.at(event.at),
        "ms": whole(0, 999) => event.at.as_millisecond().rem_euclid(1000),
        "at_ms": maybe(count()) => event.at_ms,
        "kind": text() => event.kind,
        "data": free() => event.data,
    }
}

told! {
    /// One delivery of a callback.
    pub(super) fn callback(one: &Callback, told: &Telling), callback_form {
        "n": whole(1, i64::MAX) => one.n,
        "id": text() => one.id.as_str(),
        "cursor": count() => one.cursor,
        "url": text() => one.url,
        "state": word(CallbackState::ALL.map(CallbackState::as_str)) => one.state.as_str(),
        "state_title": text() => told.titles.callback(one.state),
        "tries": count() => one.tries,
        "next_try": maybe(time()) => told.at_opt(one.next_try),
        "created": time() => told.at(one.created),
        "changed": time() => told.at(one.changed),
        "answer": maybe(count()) => one.answer,
        "error": maybe(text()) => one.error,
    }
}

told! {
    /// One change: what `GET /api/v1/changes` tells and a callback brings.
    pub(super) fn change(change: &Change, told: &Telling), change_form {
        "cursor": count() => change.cursor,
        "id": text() => change.id.as_str(),
        "direction": directions() => change.direction.as_str(),
        "phone": maybe(text()) => phone(change.phone.as_ref(), change.phone_masked.as_ref()),
        "dialog": text() => change.dialog,
        "status": statuses() => change.status.as_str(),
        "status_title": text() => told.titles.status(change.status),
        "outcome": maybe(text()) => change.outcome,
        "outcome_title": maybe(text()) => told.titles.outcome(&change.dialog, change.outcome.as_deref()),
        "data": free() => change.data,
        "attempt": count() => change.attempt,
        "attempts": count() => change.attempts,
        "next_attempt": maybe(time()) => told.at_opt(change.next_attempt),
        "reason": maybe(text()) => change.waits_for.as_ref().map(|reason| &reason.rule),
        "reason_title": maybe(text()) => change.waits_for.as_ref().map(|reason| told.titles.reason(reason)),
        "at": time() => told.at(change.at),
    }
}

/// The forms that are known by their names.
pub(super) fn forms() -> Vec<(&'static str, Value)> {
    vec![
        ("Accepted", accepted_form()),
        ("Call", call_form()),
        ("Event", event_form()),
        ("Change", change_form()),
        ("Callback", callback_form()),
        (
            "Changes",
            object(vec![
                ("changes", list(named("Change"))),
                ("cursor", count()),
                ("more", flag()),
                // Changes after `after` were deleted with their calls (history.keep) before they were asked for.
                ("gap", flag()),
            ]),
        ),
        (
            "Events",
            object(vec![
                ("id", text()),
                ("events", list(named("Event"))),
                ("after", count()),
                ("more", flag()),
            ]),
        ),
    ]
}
