//! What a talk does about its medium: one that broke, or never came, is opened again while the person is there.

use std::time::Duration;

use super::{Job, Session, Talk};
use crate::call::event::Event;
use crate::call::fields::fields;
use crate::call::hearing::HearingOrder;
use crate::call::history::kind;
use crate::call::link::{self, Connected};
use crate::call::summary::EndedBy;

/// A medium ends with the channel; Asterisk tells of the hang-up within this.
const HANG_UP_FOLLOWS: Duration = Duration::from_secs(1);
/// How often a medium that broke is opened again in one call.
const MOST_OPENINGS: u32 = 3;
/// After one that failed.
const OPEN_ONCE_MORE: Duration = Duration::from_secs(2);

impl Session {
    /// Somebody is to be heard, and nothing brings a sound: the tap could not be put on.
    pub(super) fn is_deaf(&self) -> bool {
        self.hearing.listens && self.guard.is_none() && !self.pbx.is_tapped()
    }

    pub(super) fn connect(&mut self, talk: &mut Talk, connected: Connected) {
        self.speaker = connected.speaker;
        talk.mute = false;
        self.guard = Some(connected.guard);
        let frames = HearingOrder::Frames(connected.frames);
        let _ = self.hearing.orders.try_send(frames);
    }

    /// The medium has ended. By a hang-up, mostly, which Asterisk is about to tell.
    pub(super) fn medium_ended(&mut self, talk: &mut Talk) {
        self.journal.note(kind::MEDIA, fields!({"event": "ended"}));
        if talk.mute {
            talk.machine.handle(Event::MediumLost, self.clock.now_ms());
        }
        talk.medium_lost = Some(tokio::time::Instant::now() + HANG_UP_FOLLOWS);
    }

    /// It was none: the medium broke, and the person is still there. It is opened again.
    pub(super) fn open_again(&mut self, talk: &mut Talk) {
        talk.medium_lost = None;
        if talk.opened_again == MOST_OPENINGS {
            let reason = format!("it broke {} times", MOST_OPENINGS + 1);
            return self.medium_is_lost(talk, &reason);
        }
        talk.opened_again += 1;
        self.journal
            .note(kind::MEDIA, fields!({"event": "is opened again"}));
        if link::is_both_way(self.pbx.medium()) {
            self.guard = None;
            let again = self.pbx.medium_again();
            talk.jobs.spawn(async move { Job::BothWays(again.await) });
        } else {
            let again = self.pbx.tap_again(self.hearing.orders.clone());
            talk.jobs.spawn(async move { Job::Tap(again.await) });
        }
    }

    /// It could not be opened again: once more, where the network may be back by then. Without a tap the dialog can still
    /// speak and take keys; without both ways nothing is left.
    pub(super) fn medium_is_lost(&mut self, talk: &mut Talk, reason: &str) {
        if talk.opened_again < MOST_OPENINGS {
            self.journal
                .note(kind::MEDIA, fields!({"event": "lost", "reason": reason}));
            talk.medium_lost = Some(tokio::time::Instant::now() + OPEN_ONCE_MORE);
            return;
        }
        let message = format!("the medium was lost, but the person is still there: {reason}");
        self.journal
            .note(kind::FAULT, fields!({"message": message}));
        if talk.mute {
            self.over(talk, EndedBy::Fault);
        }
    }
}
