//! Plays a sound through chan_websocket's own queue: sent ahead of time, paused and flushed by command.
//!
//! Pure: time is an argument, commands and audio go out through [`Out`]. Asterisk would take 1,000 frames and says
//! MEDIA_XOFF at 900, but what is sent before that word arrives may be over the brim and is dropped by it; so never more
//! than [`AHEAD_MS`] are sent ahead of the clock, and XOFF is obeyed on top.
//!
//! ```text
//! Play ─► START_MEDIA_BUFFERING, audio …, STOP_MEDIA_BUFFERING id ─► MEDIA_BUFFERING_COMPLETED id ─► Ended, whole
//! Stop ─► GET_STATUS, FLUSH_MEDIA, CONTINUE_MEDIA ─► STATUS queue_length ─► Ended, played = sent - queued
//! ```
//!
//! FLUSH_MEDIA sends no completion, and whether it ends a pause depends on the release: so the length of the queue is asked
//! before, and the pause is ended after.

use std::ops::Range;

use crate::audio::frame::FRAME_MS;
use crate::audio::sound::Sound;
use crate::net::speaker::{PlaybackId, SpeakerEvent, SpeakerOrder};
use crate::wire::chan_websocket::{Command, Event};

/// Audio that may lie in Asterisk's queue, milliseconds: half of what it takes.
pub const AHEAD_MS: u64 = 10_000;
/// Audio in one message, milliseconds: 8,000 bytes of linear samples, so that buffers stay small.
pub const PIECE_MS: u64 = 500;
/// How long a STATUS is awaited after a stop before the clock's estimate is told, milliseconds.
pub const STATUS_WITHIN_MS: u64 = 200;
/// How long a completion may be overdue before the clock's word is taken, milliseconds.
pub const OVERDUE_MS: u64 = 3_000;

const SAMPLES_PER_MS: u64 = 8;

/// What has to be sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Out<'a> {
    /// A command.
    Command(Command),
    /// Samples of the sound that plays.
    Audio(&'a [i16]),
}

/// One sound at a time.
#[derive(Debug, Default)]
pub struct QueuedMouth {
    state: State,
    /// Asterisk said XOFF.
    full: bool,
    /// STATUS answers that are still to come; only the last one belongs to the present stop.
    statuses: u32,
    /// Our own number of the playback: ids of the call may repeat, completions must not.
    serial: u64,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Silent,
    Playing(Playing),
    Stopping {
        playing: Playing,
        deadline_ms: u64,
    },
}

#[derive(Debug)]
struct Playing {
    id: PlaybackId,
    serial: u64,
    sound: Sound,
    /// Where it began, samples.
    from: usize,
    /// Sent up to here, samples.
    sent: usize,
    /// All was sent and STOP_MEDIA_BUFFERING too.
    all_sent: bool,
    /// Heard before `running_since`, milliseconds.
    heard_ms: u64,
    /// `None` while paused.
    running_since: Option<u64>,
}

impl Playing {
    fn sent_ms(&self) -> u64 {
        (self.sent - self.from) as u64 / SAMPLES_PER_MS
    }

    fn heard_ms(&self, now_ms: u64) -> u64 {
        let running = self
            .running_since
            .map_or(0, |since| now_ms.saturating_sub(since));
        (self.heard_ms + running).min(self.sent_ms())
    }

    fn ended(&self, heard_ms: u64, whole: bool) -> SpeakerEvent {
        let total_ms = self.sound.samples.len() as u64 / SAMPLES_PER_MS;
        let from_ms = self.from as u64 / SAMPLES_PER_MS;
        SpeakerEvent::Ended {
            id: self.id,
            played_ms: if whole { total_ms } else { from_ms + heard_ms },
            whole,
        }
    }

    /// When the next piece fits.
    fn room_at(&self) -> Option<u64> {
        let since = self.running_since?;
        let over = (self.sent_ms() + PIECE_MS).saturating_sub(AHEAD_MS + self.heard_ms);
        Some(since + over)
    }
}

impl QueuedMouth {
    /// Takes an order.
    pub fn order(
        &mut self,
        now_ms: u64,
        order: SpeakerOrder,
        mut send: impl FnMut(Out<'_>),
        mut tell: impl FnMut(SpeakerEvent),
    ) {
        match order {
            SpeakerOrder::Play { id, sound, from_ms } => {
                self.stop(now_ms, &mut send);
                self.end_stop(now_ms, None, &mut tell);
                let from = usize::try_from(from_ms.saturating_mul(SAMPLES_PER_MS))
                    .unwrap_or(usize::MAX)
                    .min(sound.samples.len());
                self.serial += 1;
                self.state = State::Playing(Playing {
                    id,
                    serial: self.serial,
                    sound,
                    from,
                    sent: from,
                    all_sent: false,
                    heard_ms: 0,
                    running_since: Some(now_ms),
                });
                send(Out::Command(Command::StartBuffering));
                tell(SpeakerEvent::Started { id });
                self.fill(now_ms, &mut send);
            }
            SpeakerOrder::Pause => {
                if let State::Playing(playing) = &mut self.state
                    && playing.running_since.is_some()
                {
                    playing.heard_ms = playing.heard_ms(now_ms);
                    playing.running_since = None;
                    send(Out::Command(Command::Pause));
                }
            }
            SpeakerOrder::Resume => {
                if let State::Playing(playing) = &mut self.state
                    && playing.running_since.is_none()
                {
                    playing.running_since = Some(now_ms);
                    send(Out::Command(Command::Continue));
                }
            }
            SpeakerOrder::Stop => self.stop(now_ms, &mut send),
        }
    }

    /// Takes an event of Asterisk's.
    pub fn hear(
        &mut self,
        now_ms: u64,
        event: &Event,
        mut send: impl FnMut(Out<'_>),
        mut tell: impl FnMut(SpeakerEvent),
    ) {
        match event {
            Event::Xoff => self.full = true,
            Event::Xon => {
                self.full = false;
                self.fill(now_ms, &mut send);
            }
            Event::BufferingCompleted { id } => {
                let (State::Playing(playing) | State::Stopping { playing, .. }) = &self.state
                else {
                    return;
                };
                if *id == playing.serial.to_string() {
                    let paused =
                        matches!(self.state, State::Playing(_)) && playing.running_since.is_none();
                    tell(playing.ended(0, true));
                    self.state = State::Silent;
                    if paused {
                        // The pause came as the last frame sounded, and outlives it: the next sound would stay in the queue.
                        send(Out::Command(Command::Continue));
                    }
                }
            }
            Event::Status { queue_length, .. } => {
                self.statuses = self.statuses.saturating_sub(1);
                if self.statuses == 0 {
                    self.end_stop(now_ms, Some(*queue_length), &mut tell);
                }
            }
            _ => {}
        }
    }

    /// When [`Self::wake`] has to be called next.
    pub fn due_ms(&self) -> Option<u64> {
        match &self.state {
            State::Silent => None,
            State::Stopping { deadline_ms, .. } => Some(*deadline_ms),
            State::Playing(playing) if playing.all_sent => {
                let since = playing.running_since?;
                Some(since + playing.sent_ms().saturating_sub(playing.heard_ms) + OVERDUE_MS)
            }
            State::Playing(_) if self.full => None,
            State::Playing(playing) => playing.room_at(),
        }
    }

    /// Does what is due.
    pub fn wake(
        &mut self,
        now_ms: u64,
        mut send: impl FnMut(Out<'_>),
        mut tell: impl FnMut(SpeakerEvent),
    ) {
        if self.due_ms().is_none_or(|due| now_ms < due) {
            return;
        }
        match &self.state {
            State::Silent => {}
            State::Stopping { .. } => self.end_stop(now_ms, None, &mut tell),
            State::Playing(playing) if playing.all_sent => {
                tell(playing.ended(0, true));
                self.state = State::Silent;
            }
            State::Playing(_) => self.fill(now_ms, &mut send),
        }
    }

    /// Sends as many pieces as fit.
    fn fill(&mut self, now_ms: u64, send: &mut impl FnMut(Out<'_>)) {
        let State::Playing(playing) = &mut self.state else {
            return;
        };
        let total = playing.sound.samples.len();
        while !playing.all_sent && !self.full && playing.room_at().is_some_and(|at| at <= now_ms) {
            let piece =
                playing.sent..total.min(playing.sent + (PIECE_MS * SAMPLES_PER_MS) as usize);
            send_piece(&playing.sound, piece.clone(), send);
            playing.sent = piece.end;
            if playing.sent == total {
                playing.all_sent = true;
                send(Out::Command(Command::StopBuffering(playing.serial)));
            }
        }
    }

    fn stop(&mut self, now_ms: u64, send: &mut impl FnMut(Out<'_>)) {
        match std::mem::take(&mut self.state) {
            State::Playing(playing) => {
                send(Out::Command(Command::Status));
                send(Out::Command(Command::Flush));
                if playing.running_since.is_none() {
                    send(Out::Command(Command::Continue));
                }
                self.statuses += 1;
                self.full = false;
                self.state = State::Stopping {
                    playing,
                    deadline_ms: now_ms + STATUS_WITHIN_MS,
                };
            }
            other => self.state = other,
        }
    }

    /// Tells the end of a sound that was stopped, by the length of the queue where it is known.
    fn end_stop(&mut self, now_ms: u64, queued: Option<u64>, tell: &mut impl FnMut(SpeakerEvent)) {
        match std::mem::take(&mut self.state) {
            State::Stopping { playing, .. } => {
                let heard = match queued {
                    Some(frames) => playing.sent_ms().saturating_sub(frames * FRAME_MS),
                    None => playing.heard_ms(now_ms),
                };
                tell(playing.ended(heard, false));
            }
            other => self.state = other,
        }
    }
}

fn send_piece(sound: &Sound, piece: Range<usize>, send: &mut impl FnMut(Out<'_>)) {
    if !piece.is_empty() {
        send(Out::Audio(&sound.samples[piece]));
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    /// The mouth with all that it sent and told.
    #[derive(Default)]
    struct Rig {
        mouth: QueuedMouth,
        sent: RefCell<Vec<String>>,
        samples: RefCell<usize>,
        told: RefCell<Vec<SpeakerEvent>>,
    }

    impl Rig {
        fn with(
            &mut self,
            f: impl FnOnce(&mut QueuedMouth, &mut dyn FnMut(Out<'_>), &mut dyn FnMut(SpeakerEvent)),
        ) {
            let (sent, samples, told) = (&self.sent, &self.samples, &self.told);
            f(
                &mut self.mouth,
                &mut |out| match out {
                    Out::Command(c) => sent.borrow_mut().push(c.encode(Default::default())),
                    Out::Audio(s) => *samples.borrow_mut() += s.len(),
                },
                &mut |event| told.borrow_mut().push(event),
            );
        }

        fn order(&mut self, now: u64, order: SpeakerOrder) {
            self.with(|m, s, t| m.order(now, order, s, t));
        }

        fn hear(&mut self, now: u64, event: Event) {
            self.with(|m, s, t| m.hear(now, &event, s, t));
        }

        fn wake_until(&mut self, from: u64, to: u64) {
            for now in from..to {
                self.with(|m, s, t| m.wake(now, s, t));
            }
        }

        fn sent_ms(&self) -> u64 {
            *self.samples.borrow() as u64 / 8
        }

        fn take_sent(&self) -> Vec<String> {
            self.sent.take()
        }
    }

    fn play(id: u64, ms: u64) -> SpeakerOrder {
        SpeakerOrder::Play {
            id,
            sound: Sound::silence("s", ms),
            from_ms: 0,
        }
    }

    fn completed(id: &str) -> Event {
        Event::BufferingCompleted { id: id.to_owned() }
    }

    fn status(queue_length: u64) -> Event {
        Event::Status {
            queue_length,
            paused: false,
        }
    }

    #[test]
    fn a_short_sound_goes_out_whole_and_ends_by_its_completion() {
        let mut rig = Rig::default();
        rig.order(0, play(5, 1_230));
        assert_eq!(
            rig.take_sent(),
            ["START_MEDIA_BUFFERING", "STOP_MEDIA_BUFFERING 1"]
        );
        assert_eq!(rig.sent_ms(), 1_230);
        rig.hear(900, completed("7"));
        rig.hear(1_250, completed("1"));
        let ended = SpeakerEvent::Ended {
            id: 5,
            played_ms: 1_230,
            whole: true,
        };
        assert_eq!(rig.told.take(), [SpeakerEvent::Started { id: 5 }, ended]);
        assert_eq!(rig.mouth.due_ms(), None);
    }

    #[test]
    fn a_long_sound_never_overfills_the_queue() {
        let mut rig = Rig::default();
        rig.order(0, play(1, 60_000));
        assert_eq!(rig.sent_ms(), AHEAD_MS);
        for now in 0..60_000 {
            rig.with(|m, s, t| m.wake(now, s, t));
            let ahead = rig.sent_ms() - now.min(rig.sent_ms());
            assert!(ahead <= AHEAD_MS, "{ahead} ms ahead at {now}");
            assert!(
                ahead >= 5_000 || rig.sent_ms() == 60_000,
                "{ahead} ms ahead at {now}"
            );
        }
        assert_eq!(rig.sent_ms(), 60_000);
        assert_eq!(rig.take_sent().last().unwrap(), "STOP_MEDIA_BUFFERING 1");
    }

    #[test]
    fn xoff_holds_and_xon_goes_on() {
        let mut rig = Rig::default();
        rig.order(0, play(1, 60_000));
        rig.hear(10, Event::Xoff);
        rig.wake_until(10, 6_000);
        assert_eq!(rig.sent_ms(), AHEAD_MS);
        rig.hear(6_000, Event::Xon);
        assert_eq!(rig.sent_ms(), AHEAD_MS + 6_000);
    }

    #[test]
    fn a_stop_is_told_with_what_was_heard() {
        let mut rig = Rig::default();
        rig.order(0, play(1, 5_000));
        rig.take_sent();
        rig.order(1_000, SpeakerOrder::Stop);
        assert_eq!(rig.take_sent(), ["GET_STATUS", "FLUSH_MEDIA"]);
        rig.hear(1_002, status(203));
        let ended = SpeakerEvent::Ended {
            id: 1,
            played_ms: 940,
            whole: false,
        };
        assert_eq!(rig.told.take()[1..], [ended]);
        // A second stop, and a status that nobody asked for, mean nothing.
        rig.order(1_010, SpeakerOrder::Stop);
        rig.hear(1_011, status(0));
        assert_eq!((rig.take_sent().len(), rig.told.take().len()), (0, 0));
    }

    #[test]
    fn without_a_status_the_clock_is_taken() {
        let mut rig = Rig::default();
        rig.order(0, play(1, 5_000));
        rig.order(800, SpeakerOrder::Stop);
        rig.wake_until(800, 1_100);
        let ended = SpeakerEvent::Ended {
            id: 1,
            played_ms: 1_000,
            whole: false,
        };
        assert_eq!(rig.told.take()[1..], [ended]);
    }

    #[test]
    fn a_completion_that_overtakes_the_stop_counts_as_whole() {
        let mut rig = Rig::default();
        rig.order(0, play(1, 500));
        rig.order(500, SpeakerOrder::Stop);
        rig.hear(501, completed("1"));
        rig.hear(501, status(0));
        let ended = SpeakerEvent::Ended {
            id: 1,
            played_ms: 500,
            whole: true,
        };
        assert_eq!(rig.told.take()[1..], [ended]);
    }

    #[test]
    fn a_pause_stands_still_and_a_stop_in_it_ends_the_pause() {
        let mut rig = Rig::default();
        rig.order(0, play(1, 20_000));
        rig.take_sent();
        rig.order(2_000, SpeakerOrder::Pause);
        rig.order(2_001, SpeakerOrder::Pause);
        rig.wake_until(2_000, 9_000);
        assert_eq!(rig.take_sent(), ["PAUSE_MEDIA"]);
        let held = rig.sent_ms();
        rig.order(9_000, SpeakerOrder::Resume);
        rig.wake_until(9_000, 9_010);
        assert_eq!(rig.take_sent(), ["CONTINUE_MEDIA"]);
        assert!(
            rig.sent_ms() <= held + 2_000,
            "as if no time had passed: {} {held}",
            rig.sent_ms()
        );
        rig.order(10_000, SpeakerOrder::Pause);
        rig.order(10_100, SpeakerOrder::Stop);
        assert_eq!(
            rig.take_sent(),
            ["PAUSE_MEDIA", "GET_STATUS", "FLUSH_MEDIA", "CONTINUE_MEDIA"]
        );
        rig.wake_until(10_100, 10_400);
        let ended = SpeakerEvent::Ended {
            id: 1,
            played_ms: 3_000,
            whole: false,
        };
        assert_eq!(rig.told.take()[1..], [ended]);
    }

    #[test]
    fn a_pause_that_comes_with_the_last_frame_does_not_outlive_the_sound() {
        let mut rig = Rig::default();
        rig.order(0, play(1, 500));
        rig.order(500, SpeakerOrder::Pause);
        rig.take_sent();
        rig.hear(501, Event::BufferingCompleted { id: "1".into() });
        assert_eq!(rig.take_sent(), ["CONTINUE_MEDIA"]);
        rig.order(502, SpeakerOrder::Resume);
        assert!(rig.take_sent().is_empty(), "the sound is over");
    }

    #[test]
    fn another_sound_flushes_the_one_before_and_late_answers_do_not_confuse() {
        let mut rig = Rig::default();
        rig.order(0, play(1, 5_000));
        rig.take_sent();
        rig.order(1_000, play(2, 5_000));
        assert_eq!(
            rig.take_sent(),
            [
                "GET_STATUS",
                "FLUSH_MEDIA",
                "START_MEDIA_BUFFERING",
                "STOP_MEDIA_BUFFERING 2"
            ]
        );
        rig.order(1_001, SpeakerOrder::Stop);
        // The first answer is the first stop's: it says nothing about the second.
        rig.hear(1_002, status(200));
        rig.hear(1_003, completed("1"));
        assert_eq!(rig.told.borrow().len(), 3);
        rig.hear(1_004, status(250));
        let told = rig.told.take();
        assert_eq!(
            told[1],
            SpeakerEvent::Ended {
                id: 1,
                played_ms: 1_000,
                whole: false
            }
        );
        assert_eq!(
            told[3],
            SpeakerEvent::Ended {
                id: 2,
                played_ms: 0,
                whole: false
            }
        );
    }

    #[test]
    fn a_completion_that_never_comes_ends_by_the_clock() {
        let mut rig = Rig::default();
        rig.order(0, play(1, 1_000));
        rig.wake_until(0, 5_000);
        let ended = SpeakerEvent::Ended {
            id: 1,
            played_ms: 1_000,
            whole: true,
        };
        assert_eq!(rig.told.take()[1..], [ended]);
    }
}
