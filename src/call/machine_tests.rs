//! The machine under a virtual clock: each case is a list of moments and what must have come of them.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::call::request::DigitRule;
use crate::phrases::Answers;

/// Drives a machine and plays the medium: a prompt starts 10 ms after its order and ends when its time is over.
struct Rig {
    machine: CallMachine,
    now: u64,
    playing: Option<(PlaybackId, u64, bool)>,
    paused_at: Option<u64>,
    replies: Vec<(u64, Reply)>,
    notes: Vec<(&'static str, serde_json::Value)>,
    orders: Vec<(u64, &'static str)>,
}

impl Rig {
    fn new() -> Self {
        Self {
            machine: CallMachine::default(),
            now: 0,
            playing: None,
            paused_at: None,
            replies: Vec::new(),
            notes: Vec::new(),
            orders: Vec::new(),
        }
    }

    fn drain(&mut self) {
        while let Some(command) = self.machine.poll() {
            match command {
                Command::Play { id, sound } => {
                    self.playing = Some((id, self.now + 10 + sound.duration_ms(), false));
                    self.orders.push((self.now, "play"));
                }
                Command::StopPlayback => {
                    self.orders.push((self.now, "stop"));
                    self.paused_at = None;
                    if let Some((id, _, _)) = self.playing.take() {
                        self.give(Event::Speaker(SpeakerEvent::Ended {
                            id,
                            played_ms: 1,
                            whole: false,
                        }));
                    }
                }
                Command::PausePlayback => {
                    self.orders.push((self.now, "pause"));
                    self.paused_at = Some(self.now);
                }
                Command::ResumePlayback => {
                    self.orders.push((self.now, "resume"));
                    if let (Some(at), Some(p)) = (self.paused_at.take(), &mut self.playing) {
                        p.1 += self.now - at;
                    }
                }
                Command::EndUtterance => self.orders.push((self.now, "end_utterance")),
                Command::Reply(reply) => self.replies.push((self.now, reply)),
                Command::PauseOver => self.orders.push((self.now, "pause_over")),
                Command::Note { kind, data, .. } => self.notes.push((kind, data)),
            }
        }
    }

    fn give(&mut self, event: Event) {
        self.machine.handle(event, self.now);
        self.drain();
    }

    /// Lets time pass up to `until`, serving timers and the medium.
    fn pass(&mut self, until: u64) {
        loop {
            let medium =
                self.playing
                    .filter(|_| self.paused_at.is_none())
                    .map(
                        |(_, end, started)| {
                            if started { end } else { self.now + 10 }
                        },
                    );
            let next = [medium, self.machine.wait_until()]
                .into_iter()
                .flatten()
                .min();
            match next {
                Some(at) if at <= until => {
                    self.now = self.now.max(at);
                    if medium == Some(at) {
                        let (id, end, started) = self.playing.unwrap();
                        if started {
                            self.playing = None;
                            self.give(Event::Speaker(SpeakerEvent::Ended {
                                id,
                                played_ms: 0,
                                whole: true,
                            }));
                        } else {
                            self.playing = Some((id, end, true));
                            self.give(Event::Speaker(SpeakerEvent::Started { id }));
                        }
                    } else {
                        self.give(Event::Clock);
                    }
                }
                _ => break,
            }
        }
        self.now = self.now.max(until);
    }

    fn at(&mut self, ms: u64, event: Event) -> &mut Self {
        self.pass(ms);
        self.give(event);
        self
    }

    /// Voice from `from` to `to`, recognized as `text` `lag` after its end was decided.
    fn says(&mut self, from: u64, to: u64, text: &str) -> &mut Self {
        self.at(from, Event::VoiceStarted { at_ms: from });
        self.at(from + (to - from) / 2, Event::Partial(Spoken::new(text)));
        self.at(to, Event::VoiceEnded { at_ms: to })
    }

    fn only_reply(&mut self, until: u64) -> (u64, Reply) {
        self.pass(until);
        assert_eq!(self.replies.len(), 1, "{:?}", self.replies);
        self.replies.pop().unwrap()
    }

    fn did(&self, what: &str) -> Option<u64> {
        self.orders
            .iter()
            .find(|(_, w)| *w == what)
            .map(|(at, _)| *at)
    }
}

fn window() -> Window {
    let mut window = Window::new(Arc::new(Answers::builtin()));
    window.expect = vec!["yes".to_owned(), "no".to_owned()];
    window
}

fn ask(prompt_ms: u64, barge_in: BargeIn) -> Event {
    let sounds = match prompt_ms {
        0 => vec![],
        ms => vec![Sound::silence("question", ms)],
    };
    Event::Turn {
        sounds,
        barge_in,
        window: Some(window()),
    }
}

#[test]
fn an_answer_after_the_prompt_is_taken_with_its_intent() {
    let mut rig = Rig::new();
    rig.at(0, ask(2000, BargeIn::default()))
        .says(2500, 2900, "да");
    rig.at(3700, Event::Final(Spoken::new("да")));
    let (at, reply) = rig.only_reply(9000);
    assert_eq!(
        (at, reply.kind, reply.intent()),
        (3700, ReplyKind::Speech, Some("yes"))
    );
    assert!(!reply.barged_in);
    assert_eq!(
        rig.did("end_utterance"),
        Some(3600),
        "0.7 s after the voice"
    );
}

#[test]
fn a_final_that_never_comes_is_replaced_by_the_partial_after_settle() {
    let mut rig = Rig::new();
    rig.at(0, ask(0, BargeIn::default())).says(500, 900, "нет");
    let (at, reply) = rig.only_reply(9000);
    assert_eq!((at, reply.intent()), (900 + 700 + 500, Some("no")));
}

#[test]
fn silence_is_counted_from_the_prompts_end_and_stands_still_while_they_speak() {
    let mut rig = Rig::new();
    rig.at(0, ask(2000, BargeIn::default()));
    let (at, reply) = rig.only_reply(20_000);
    assert_eq!((at, reply.kind), (2010 + 5000, ReplyKind::NoInput));

    let mut rig = Rig::new();
    rig.at(0, ask(0, BargeIn::default()));
    // A cough of 300 ms at 4.5 s, recognized as nothing: the clock stood from its onset to the verdict.
    rig.at(4500, Event::VoiceStarted { at_ms: 4500 });
    rig.at(4800, Event::VoiceEnded { at_ms: 4800 });
    rig.at(5600, Event::Final(Spoken::default()));
    let (at, reply) = rig.only_reply(20_000);
    assert_eq!((at, reply.kind), (5600 + 500, ReplyKind::NoInput));
}

#[test]
fn a_word_over_the_prompt_cuts_it_at_once() {
    let mut rig = Rig::new();
    rig.at(0, ask(8000, BargeIn::default()));
    rig.at(1000, Event::VoiceStarted { at_ms: 1000 });
    rig.at(1300, Event::Partial(Spoken::new("да")));
    assert_eq!(rig.did("stop"), Some(1300));
    rig.at(1500, Event::VoiceEnded { at_ms: 1500 });
    rig.at(2300, Event::Final(Spoken::new("да")));
    let (_, reply) = rig.only_reply(9000);
    assert!(reply.barged_in && reply.is("yes"));
}

#[test]
fn a_noise_pauses_the_prompt_which_goes_on() {
    let mut rig = Rig::new();
    rig.at(0, ask(8000, BargeIn::default()));
    rig.at(1000, Event::VoiceStarted { at_ms: 1000 });
    rig.at(1700, Event::VoiceEnded { at_ms: 1700 });
    rig.pass(6000);
    assert_eq!(
        (rig.did("pause"), rig.did("resume"), rig.did("stop")),
        (Some(1500), Some(3500), None)
    );
    let (at, reply) = rig.only_reply(30_000);
    assert_eq!(reply.kind, ReplyKind::NoInput);
    assert_eq!(at, 10 + 8000 + 2000 + 5000);
}

#[test]
fn only_an_expected_answer_cuts_under_intent() {
    let mut rig = Rig::new();
    rig.at(0, ask(6000, BargeIn::Intent))
        .says(1000, 1400, "угу");
    rig.at(2200, Event::Final(Spoken::new("угу")));
    assert_eq!(rig.did("stop"), None);
    rig.says(3000, 3400, "нет");
    assert!(rig.did("stop").is_some_and(|at| at < 3300));
    rig.at(4200, Event::Final(Spoken::new("нет")));
    let (_, reply) = rig.only_reply(9000);
    assert!(reply.is("no"));
}

#[test]
fn an_uncuttable_prompt_hears_its_last_moments() {
    let mut rig = Rig::new();
    rig.at(0, ask(4000, BargeIn::Off)).says(2600, 3000, "да");
    rig.at(3800, Event::Final(Spoken::new("да")));
    let (at, reply) = rig.only_reply(9000);
    // Opened at 3210 (0.8 s before the end), carried back 1.5 s.
    assert_eq!((at, reply.intent()), (4010, Some("yes")));
    assert_eq!(rig.did("stop"), None);
}

#[test]
fn what_was_said_between_two_turns_is_carried() {
    let mut rig = Rig::new();
    rig.says(100, 500, "да");
    rig.at(1300, Event::Final(Spoken::new("да")));
    rig.at(1500, ask(3000, BargeIn::default()));
    let (at, reply) = rig.only_reply(9000);
    assert!(reply.is("yes") && at <= 1510, "{at}");
}

#[test]
fn keys_stop_the_prompt_and_win_over_speech() {
    let mut rig = Rig::new();
    let mut w = window();
    w.digits = Some(DigitRule {
        max_digits: 4,
        terminator: Some('#'),
        interdigit_ms: 3000,
    });
    rig.at(
        0,
        Event::Turn {
            sounds: vec![Sound::silence("q", 5000)],
            barge_in: BargeIn::default(),
            window: Some(w),
        },
    );
    rig.at(1000, Event::Digit('4'));
    assert_eq!(rig.did("stop"), Some(1000));
    rig.says(1100, 1300, "да");
    rig.at(1400, Event::Final(Spoken::new("да")));
    rig.at(2000, Event::Digit('2')).at(2500, Event::Digit('#'));
    let (at, reply) = rig.only_reply(9000);
    assert_eq!(
        (at, reply.kind, reply.digits.as_str()),
        (2500, ReplyKind::Digits, "42")
    );
}

#[test]
fn keys_end_by_number_and_by_waiting() {
    for (keys, end) in [("12", 700), ("1", 600 + 3000)] {
        let mut rig = Rig::new();
        let mut w = window();
        w.digits = Some(DigitRule {
            max_digits: 2,
            ..DigitRule::default()
        });
        rig.at(
            0,
            Event::Turn {
                sounds: vec![],
                barge_in: BargeIn::default(),
                window: Some(w),
            },
        );
        for (i, key) in keys.chars().enumerate() {
            rig.at(600 + 100 * i as u64, Event::Digit(key));
        }
        let (at, reply) = rig.only_reply(20_000);
        assert_eq!((at, reply.digits.as_str()), (end, keys));
    }
}

#[test]
fn a_window_never_closes_while_its_utterance_goes_on_but_for_too_long() {
    let mut rig = Rig::new();
    rig.at(0, ask(0, BargeIn::default()));
    rig.at(4900, Event::VoiceStarted { at_ms: 4900 });
    rig.at(10_000, Event::Partial(Spoken::new("я хотел бы сказать")));
    rig.pass(24_000);
    assert!(rig.replies.is_empty());
    let (at, reply) = rig.only_reply(30_000);
    assert_eq!((at, reply.kind), (24_900, ReplyKind::TooLong));
    assert_eq!(reply.text, Spoken::new("я хотел бы сказать"));
}

#[test]
fn hang_up_ends_every_wait_once() {
    for state in 0..4 {
        let mut rig = Rig::new();
        match state {
            0 => rig.at(0, ask(5000, BargeIn::default())),
            1 => rig.at(0, ask(0, BargeIn::default())),
            2 => rig.at(0, Event::Pause { ms: 5000 }),
            _ => rig.at(
                0,
                Event::Turn {
                    sounds: vec![Sound::silence("p", 9000)],
                    barge_in: BargeIn::Off,
                    window: None,
                },
            ),
        };
        rig.at(1000, Event::HangUp);
        rig.pass(60_000);
        let answers = rig.replies.len() + usize::from(rig.did("pause_over").is_some());
        assert_eq!(answers, 1, "state {state}");
        assert!(
            rig.replies
                .iter()
                .all(|(at, r)| *at == 1000 && r.kind == ReplyKind::HangUp)
        );
        assert_eq!(rig.machine.wait_until(), None);
    }
}

#[test]
fn without_a_recognizer_keys_still_work() {
    let mut rig = Rig::new();
    rig.at(
        0,
        Event::Deaf {
            reason: "gone".to_owned(),
        },
    );
    rig.at(0, ask(1000, BargeIn::default()))
        .at(2000, Event::Digit('1'));
    let (_, reply) = rig.only_reply(9000);
    assert_eq!(reply.kind, ReplyKind::Digits);
    rig.give(ask(0, BargeIn::default()));
    let (_, reply) = rig.only_reply(30_000);
    assert_eq!(reply.kind, ReplyKind::Failed);
}

#[test]
fn a_stuck_medium_does_not_hang_the_call() {
    let mut machine = CallMachine::default();
    machine.handle(ask(1000, BargeIn::default()), 0);
    let mut replied = false;
    for _ in 0..20 {
        let Some(at) = machine.wait_until() else {
            break;
        };
        machine.handle(Event::Clock, at);
        while let Some(command) = machine.poll() {
            replied |= matches!(command, Command::Reply(_));
        }
    }
    assert!(replied);
}

fn any_event() -> impl Strategy<Value = Event> {
    let text = prop_oneof![
        Just(""),
        Just("да"),
        Just("нет"),
        Just("да приеду"),
        Just("погода")
    ];
    prop_oneof![
        3 => Just(Event::VoiceStarted { at_ms: u64::MAX }),
        3 => Just(Event::VoiceEnded { at_ms: u64::MAX }),
        4 => text.clone().prop_map(|t| Event::Partial(Spoken::new(t))),
        4 => text.prop_map(|t| Event::Final(Spoken::new(t))),
        1 => proptest::char::range('0', '9').prop_map(Event::Digit),
        1 => Just(Event::Digit('#')),
        1 => Just(Event::Clock),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Whatever the order of events: each turn is answered once, no utterance is taken twice, none is lost, and nothing
    /// waits after the hang-up.
    #[test]
    fn any_order_of_events_keeps_the_invariants(
        turns in proptest::collection::vec((0u64..3000, 0usize..5, any::<bool>()), 1..5),
        events in proptest::collection::vec((1u64..1500, any_event()), 0..60),
    ) {
        let mut rig = Rig::new();
        let mut turns = turns.into_iter();
        let mut asked = 0;
        let mut next_turn = |rig: &mut Rig, asked: &mut usize| {
            if rig.replies.len() == *asked && let Some((prompt, barge, early)) = turns.next() {
                let barge = [
                    BargeIn::default(), BargeIn::Words(2), BargeIn::Intent, BargeIn::Digits, BargeIn::Off,
                ][barge];
                let mut w = window();
                w.early = early;
                *asked += 1;
                rig.give(Event::Turn {
                    sounds: vec![Sound::silence("q", prompt + 20)], barge_in: barge, window: Some(w),
                });
            }
        };
        next_turn(&mut rig, &mut asked);
        for (gap, event) in events {
            let at = rig.now + gap;
            rig.at(at, event);
            next_turn(&mut rig, &mut asked);
        }
        let now = rig.now;
        rig.at(now, Event::HangUp);
        prop_assert_eq!(rig.replies.len(), asked);
        prop_assert_eq!(rig.machine.wait_until(), None);
        let mut taken: Vec<u64> = rig.notes.iter()
            .filter(|(k, _)| *k == kind::WINDOW)
            .filter_map(|(_, d)| d["utterance"].as_u64()).collect();
        let closes = rig.notes.iter().filter(|(k, _)| *k == kind::WINDOW).count();
        prop_assert_eq!(closes, asked, "each window closes for one reason");
        let before = taken.len();
        taken.sort_unstable();
        taken.dedup();
        prop_assert_eq!(taken.len(), before, "an utterance was taken twice");
        // Each utterance with words that completed was taken or left.
        for (_, d) in rig.notes.iter().filter(|(k, d)| *k == kind::UTTERANCE && d["state"] == "complete") {
            let id = d["id"].as_u64().unwrap();
            let left = rig.notes.iter().any(|(k, d)| {
                *k == kind::UTTERANCE && d["state"] == "left" && d["id"].as_u64() == Some(id)
            });
            prop_assert!(left != taken.contains(&id), "utterance {} taken and left, or neither", id);
        }
    }
}
