//! From the answer to the hang-up, for outgoing and incoming calls alike: connects the medium, holds the dialog, ends the
//! channel, sums up.

use std::sync::Arc;
use std::time::Duration;

use super::agi_line::AgiLine;
use super::answerer::{Decider, OnMachine};
use super::begun::Begun;
use super::hearing::HearingOrder;
use super::history::kind;
use super::journal::CallJournal;
use super::line::CallInfo;
use super::link::{self, Tap};
use super::pbx::Pbx;
use super::session::{Dialog, Session, Talked};
use super::summary::{Summary, outcome};
use crate::call::fields::fields;
use crate::config::MediaKind;
use crate::net::ami::AmiState;
use crate::net::media::LinkGuard;
use crate::net::speaker::Speaker;

/// A channel that we hung up is gone within this, or its cause stays unknown.
const HANG_UP_FOLLOWS: Duration = Duration::from_secs(2);

/// A call whose person is there.
pub(super) struct Answered {
    pub(super) call: Begun,
    /// Who answered is to be found out.
    pub(super) decider: Option<(Decider, OnMachine)>,
    pub(super) agi: AgiLine,
    pub(super) tap: Option<Tap>,
}

/// Holds the dialog and ends the call.
pub(super) async fn hold(mut answered: Answered, dialog: Dialog) -> Summary {
    let began_ms = answered.call.clock.now_ms();
    let connected = connect(&mut answered).await;
    let Answered {
        call,
        decider,
        agi,
        tap,
    } = answered;
    let Begun {
        parts,
        info,
        clock,
        mut journal,
        hearing,
        events,
        medium,
        stop,
        entered: _entered,
    } = call;
    let mut pbx = Pbx::new(&parts, info.channel_id.clone(), agi, events, tap, medium);
    let (speaker, guard) = match connected {
        Ok(connected) => connected,
        Err(reason) => {
            journal.note(
                kind::FAULT,
                fields!({"message": format!("{}: {reason}", medium.as_str())}),
            );
            let cause = end_channel(&mut pbx, &mut journal).await;
            let outcome = outcome::RUNTIME_ERROR.to_owned();
            return summary(&info, None, cause, outcome, 0, journal).await;
        }
    };
    let sent = hearing.sent.clone();
    let session = Box::new(Session {
        info: Arc::clone(&info),
        clock,
        speaker,
        guard,
        hearing,
        decider,
        pbx,
        prompts: Arc::clone(&parts.prompts),
        journal,
        stop,
        longest: Duration::from_millis(parts.calls.longest_ms),
        fallback: parts.calls.fallback.clone(),
    });
    let (talked, mut journal, mut pbx) = session.talk(dialog).await;
    sent.note(&mut journal);
    let talk_ms = clock.now_ms().saturating_sub(began_ms);
    let cause = end_channel(&mut pbx, &mut journal).await;
    let outcome = talked.end.outcome_after(talked.by, talked.replied);
    summary(&info, Some(talked), cause, outcome, talk_ms, journal).await
}

/// Connects the medium; gives the speaker, and what keeps a both-way medium open.
async fn connect(answered: &mut Answered) -> Result<(Speaker, Option<LinkGuard>), String> {
    let (call, agi) = (&answered.call, &answered.agi);
    let (parts, hearing) = (&call.parts, &call.hearing);
    if link::is_both_way(call.medium) {
        let connected = link::both_way(Arc::clone(parts), agi.clone(), call.medium).await?;
        let frames = HearingOrder::Frames(connected.frames);
        let _ = hearing.orders.try_send(frames);
        return Ok((connected.speaker, Some(connected.guard)));
    }
    if call.medium == MediaKind::Audiofork && hearing.listens {
        answered.tap = Some(Tap::fork(parts, agi, hearing.orders.clone()).await?);
    }
    let (ami, files) = (parts.ami.clone(), Arc::clone(&parts.files));
    let channel = call.info.channel_id.clone();
    Ok((agi.speaker(ami, files, channel).await, None))
}

/// Hangs up, if that is still to be done, and waits for Asterisk's word of it.
async fn end_channel(pbx: &mut Pbx, journal: &mut CallJournal) -> Option<u32> {
    pbx.hang_up().await;
    // While the link is down nobody will tell.
    let link = pbx.parts().ami.state();
    for again in [true, false] {
        let deadline = tokio::time::Instant::now() + HANG_UP_FOLLOWS;
        while pbx.cause().is_none() && matches!(*link.borrow(), AmiState::Up(_)) {
            match tokio::time::timeout_at(deadline, pbx.next_event()).await {
                Ok(Some(event)) => journal.note(kind::ASTERISK, event),
                _ => break,
            }
        }
        if pbx.cause().is_some() || !again {
            break;
        }
        // A channel must not stay behind because one hang-up was lost on it (seen once on a busy Asterisk 16).
        pbx.hang_up_again().await;
    }
    pbx.cause()
}

async fn summary(
    info: &CallInfo,
    talked: Option<Talked>,
    cause: Option<u32>,
    outcome: String,
    talk_ms: u64,
    mut journal: CallJournal,
) -> Summary {
    let machine = talked.as_ref().is_some_and(|t| t.machine);
    let (end, recording) = talked.map_or_else(Default::default, |t| (t.end, t.recording));
    if let Some(fault) = &end.fault {
        journal.note(
            kind::FAULT,
            fields!({"file": fault.file, "line": fault.line, "column": fault.column, "message": fault.message}),
        );
    }
    journal.note(
        kind::DIALOG,
        fields!({"event": "ended", "dialog": info.dialog, "outcome": outcome, "version": end.version}),
    );
    journal.flush().await;
    Summary {
        outcome,
        data: end.data,
        answered: true,
        machine,
        cause,
        version: (!end.version.is_empty()).then_some(end.version),
        call_again: end.call_again,
        do_not_call: end.do_not_call,
        talk_ms,
        recording,
    }
}
