//! A machine under a virtual clock with a medium that holds it to the rules: nothing is paused that doesn't play, nothing
//! goes on that isn't paused, nothing plays after the hang-up, each request is answered once.

use std::sync::Arc;

use super::*;
use crate::net::speaker::SpeakerEvent;
use crate::phrases::Answers;

/// What the medium does with a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Medium {
    /// It starts 10 ms after its order and ends when its time is over.
    Sound,
    /// It tells nothing, ever.
    Stuck,
    /// It can't play.
    Fails,
}

#[derive(Clone, Debug)]
struct Played {
    id: PlaybackId,
    duration_ms: u64,
    starts_ms: u64,
    started: bool,
    paused_ms: Option<u64>,
    held_ms: u64,
    /// It was to be held, but its last frame was on its way already.
    slipped: bool,
    medium: Medium,
}

/// What is to be held so shortly before its end ends all the same, as on every medium that sends frames of 20 ms.
const FRAME_MS: u64 = 20;

impl Played {
    fn next_ms(&self) -> Option<u64> {
        match (self.medium, self.started, self.paused_ms) {
            (Medium::Stuck, ..) | (_, _, Some(_)) => None,
            (_, false, _) => Some(self.starts_ms),
            _ => Some(self.starts_ms + self.held_ms + self.duration_ms),
        }
    }

    fn played_ms(&self, now: u64) -> u64 {
        let until = self.paused_ms.unwrap_or(now);
        until
            .saturating_sub(self.starts_ms + self.held_ms)
            .min(self.duration_ms)
    }
}

/// Drives a machine and plays the medium.
pub(super) struct Rig {
    pub(super) machine: CallMachine,
    pub(super) now: u64,
    pub(super) medium: Medium,
    pub(super) replies: Vec<(u64, Reply)>,
    pub(super) notes: Vec<(u64, &'static str, serde_json::Value)>,
    pub(super) orders: Vec<(u64, &'static str)>,
    /// Requests that are not answered yet: one or none.
    pub(super) waiting: usize,
    playing: Option<Played>,
    hung_up: bool,
    /// The medium is broken: what is ordered goes nowhere.
    lost: bool,
}

impl Rig {
    pub(super) fn new() -> Self {
        Self {
            machine: CallMachine::default(),
            now: 0,
            medium: Medium::Sound,
            replies: Vec::new(),
            notes: Vec::new(),
            orders: Vec::new(),
            waiting: 0,
            playing: None,
            hung_up: false,
            lost: false,
        }
    }

    fn drain(&mut self) {
        while let Some(command) = self.machine.poll() {
            match command {
                Command::Play { id, sound, from_ms } => {
                    assert!(!self.hung_up, "a play after the hang-up");
                    assert!(self.playing.is_none(), "two prompts at once");
                    assert!(from_ms <= sound.duration_ms(), "from behind its end");
                    self.orders.push((self.now, "play"));
                    if self.lost {
                        continue;
                    }
                    self.playing = Some(Played {
                        id,
                        duration_ms: sound.duration_ms() - from_ms,
                        starts_ms: self.now + 10,
                        started: false,
                        paused_ms: None,
                        held_ms: 0,
                        slipped: false,
                        medium: self.medium,
                    });
                }
                Command::StopPlayback => {
                    self.orders.push((self.now, "stop"));
                    if self.lost {
                        continue;
                    }
                    let stopped = self.playing.take().expect("a stop of what doesn't play");
                    if stopped.medium == Medium::Sound {
                        self.give(Event::Speaker(SpeakerEvent::Ended {
                            id: stopped.id,
                            played_ms: stopped.played_ms(self.now),
                            whole: false,
                        }));
                    }
                }
                Command::PausePlayback => {
                    self.orders.push((self.now, "pause"));
                    let playing = self.playing.as_mut().expect("a pause of what doesn't play");
                    assert!(playing.started, "a pause before the start");
                    assert!(
                        playing.paused_ms.is_none() && !playing.slipped,
                        "paused twice"
                    );
                    let ends_ms = playing.next_ms();
                    if ends_ms.is_some_and(|ends_ms| ends_ms <= self.now + FRAME_MS) {
                        playing.slipped = true;
                    } else {
                        playing.paused_ms = Some(self.now);
                    }
                }
                Command::ResumePlayback => {
                    self.orders.push((self.now, "resume"));
                    let playing = self.playing.as_mut().expect("what doesn't play goes on");
                    if !std::mem::take(&mut playing.slipped) {
                        let since = playing.paused_ms.take().expect("what isn't paused goes on");
                        playing.held_ms += self.now - since;
                    }
                }
                Command::EndUtterance => self.orders.push((self.now, "end_utterance")),
                Command::Reply(reply) => {
                    self.answered();
                    self.replies.push((self.now, reply));
                }
                Command::PauseOver => {
                    self.answered();
                    self.orders.push((self.now, "pause_over"));
                }
                Command::Machine(_) => {
                    self.waiting = 0;
                    self.orders.push((self.now, "machine"));
                }
                Command::Awaited(_, awaited) => self.orders.push((self.now, awaited.as_str())),
                Command::Note { kind, at_ms, data } => self.notes.push((at_ms, kind, data.value())),
            }
        }
    }

    fn answered(&mut self) {
        assert_eq!(self.waiting, 1, "an answer that nobody waits for");
        self.waiting = 0;
    }

    pub(super) fn give(&mut self, event: Event) {
        if matches!(event, Event::Turn { .. } | Event::Pause { .. }) {
            assert_eq!(self.waiting, 0, "the test asks twice at once");
            self.waiting = 1;
        }
        let hangs_up = matches!(event, Event::HangUp);
        self.machine.handle(event, self.now);
        self.drain();
        self.hung_up |= hangs_up;
        let next = self.machine.wait_until();
        assert!(
            next.is_none_or(|at| at > self.now),
            "what was due is not done"
        );
        assert!(!self.hung_up || next.is_none(), "a timer after the hang-up");
    }

    /// When the medium or the machine moves next by itself.
    pub(super) fn next_ms(&self) -> Option<u64> {
        let medium = self.playing.as_ref().and_then(Played::next_ms);
        [medium, self.machine.wait_until()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Lets time pass up to `until`, serving timers and the medium.
    pub(super) fn pass(&mut self, until: u64) {
        loop {
            let medium = self.playing.as_ref().and_then(Played::next_ms);
            let next = [medium, self.machine.wait_until()];
            match next.into_iter().flatten().min() {
                Some(at) if at <= until => {
                    self.now = self.now.max(at);
                    // What is decided at the very moment of a prompt's end is decided before we are told of it.
                    if self.machine.wait_until() == Some(at) {
                        self.give(Event::Clock);
                    } else {
                        self.medium_moves();
                    }
                }
                _ => break,
            }
        }
        self.now = self.now.max(until);
    }

    fn medium_moves(&mut self) {
        let Some(mut played) = self.playing.take() else {
            return;
        };
        let id = played.id;
        let event = if played.medium == Medium::Fails {
            let reason = "no such file".to_owned();
            SpeakerEvent::Failed { id, reason }
        } else if played.started {
            SpeakerEvent::Ended {
                id,
                played_ms: played.duration_ms,
                whole: true,
            }
        } else {
            played.started = true;
            self.playing = Some(played);
            SpeakerEvent::Started { id }
        };
        self.give(Event::Speaker(event));
    }

    /// The medium breaks, and takes what it played with it.
    pub(super) fn lose_medium(&mut self) {
        self.playing = None;
        self.lost = true;
        self.give(Event::MediumLost);
    }

    pub(super) fn is_lost(&self) -> bool {
        self.lost
    }

    /// It is there again.
    pub(super) fn find_medium(&mut self) {
        self.lost = false;
        self.give(Event::MediumBack);
    }

    pub(super) fn at(&mut self, ms: u64, event: Event) -> &mut Self {
        self.pass(ms);
        self.give(event);
        self
    }

    pub(super) fn partial(&mut self, ms: u64, text: &str) -> &mut Self {
        self.at(ms, Event::Partial(Spoken::new(text)))
    }

    pub(super) fn last(&mut self, ms: u64, text: &str) -> &mut Self {
        self.at(ms, Event::Final(Spoken::new(text)))
    }

    /// Voice from `from` to `to`, with its text in the middle.
    pub(super) fn says(&mut self, from: u64, to: u64, text: &str) -> &mut Self {
        self.at(from, Event::VoiceStarted { at_ms: from });
        self.partial(from + (to - from) / 2, text);
        self.at(to, Event::VoiceEnded { at_ms: to })
    }

    /// Voice without words.
    pub(super) fn coughs(&mut self, from: u64, to: u64) -> &mut Self {
        self.at(from, Event::VoiceStarted { at_ms: from });
        self.at(to, Event::VoiceEnded { at_ms: to })
    }

    /// The one reply that came until then, and when.
    pub(super) fn only_reply(&mut self, until: u64) -> (u64, Reply) {
        self.pass(until);
        assert_eq!(self.replies.len(), 1, "{:?}", self.replies);
        self.replies.pop().unwrap()
    }

    /// When that order was first given.
    pub(super) fn did(&self, what: &str) -> Option<u64> {
        let mut orders = self.orders.iter();
        orders.find(|(_, w)| *w == what).map(|(at, _)| *at)
    }

    /// Lines of the history of that kind.
    pub(super) fn noted(&self, kind: &'static str) -> impl Iterator<Item = &serde_json::Value> {
        let of_kind = self.notes.iter().filter(move |(_, k, _)| *k == kind);
        of_kind.map(|(_, _, data)| data)
    }

    /// Texts of the utterances in that state.
    pub(super) fn texts(&self, state: &str) -> Vec<&str> {
        let of_state = self.noted(kind::UTTERANCE).filter(|d| d["state"] == state);
        of_state.filter_map(|d| d["text"].as_str()).collect()
    }

    /// Where in the prompt that happened, by the history.
    pub(super) fn prompt_ms(&self, event: &str) -> Option<u64> {
        let mut of_event = self.noted(kind::PROMPT).filter(|d| d["event"] == event);
        of_event.next()?["played_ms"].as_u64()
    }
}

pub(super) fn window() -> Window {
    let mut window = Window::new(Arc::new(Answers::builtin()));
    window.expect = vec!["yes".to_owned(), "no".to_owned()];
    window
}

/// A prompt of that length (0: none), and a window or none.
pub(super) fn turn(prompt_ms: u64, barge_in: BargeIn, window: Option<Window>) -> Event {
    let sounds = match prompt_ms {
        0 => vec![],
        ms => vec![Sound::silence("question", ms)],
    };
    Event::Turn {
        sounds,
        barge_in,
        window,
    }
}

pub(super) fn ask(prompt_ms: u64, barge_in: BargeIn) -> Event {
    turn(prompt_ms, barge_in, Some(window()))
}
