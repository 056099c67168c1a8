//! Whatever the order in which a telephone call can go, the machine keeps its word (rig: no illegal order, each request
//! answered once, nothing due left undone, no timer after the hang-up). Here besides:
//!
//! - each window closes for exactly one reason, and each reply is a window's or a request's;
//! - no utterance is taken twice, none is lost: each that had words is taken, or in the history as left, with its text;
//!   every final text's words are in the history;
//! - `speech` and `no_input` close no window while its utterance goes on;
//! - every timer that runs belongs to the state that it is in;
//! - a request is answered within the sum of its limits, though nothing happens any more and the medium be stuck.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use proptest::prelude::*;

use super::rig::*;
use super::*;
use crate::call::request::DigitRule;
use crate::phrases::Answers;

/// What may happen.
#[derive(Clone, Debug)]
enum Op {
    Voice(bool),
    /// The recognizer's text so far: the words so far and one more, or other words.
    Partial {
        word: &'static str,
        grows: bool,
    },
    /// Its last text: the words so far, others, or nothing.
    Final(Option<&'static str>),
    FinalAsHeard,
    Digit(char),
    TakenOver,
    Deaf,
    HangUp,
    Medium(Medium),
    /// It breaks, or is there again.
    Breaks(bool),
    Nothing,
}

/// Few words, so that a failing case can be read.
static ANSWERS: LazyLock<Arc<Answers>> = LazyLock::new(|| {
    let list = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
    let lists = BTreeMap::from([
        ("yes".to_owned(), list(&["да", "угу", "приеду"])),
        ("no".to_owned(), list(&["нет"])),
    ]);
    Arc::new(Answers::default().overlaid(&lists).unwrap())
});

fn word() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["да", "нет", "угу", "алло", "погода", "приеду", "два"])
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => any::<bool>().prop_map(Op::Voice),
        8 => (word(), any::<bool>()).prop_map(|(word, grows)| Op::Partial { word, grows }),
        3 => prop::option::of(word()).prop_map(Op::Final),
        4 => Just(Op::FinalAsHeard),
        2 => prop::sample::select(vec!['1', '2', '3', '#', '*']).prop_map(Op::Digit),
        1 => Just(Op::TakenOver),
        1 => prop::bool::weighted(0.2).prop_map(|deaf| if deaf { Op::Deaf } else { Op::Nothing }),
        1 => prop::bool::weighted(0.2).prop_map(|ends| if ends { Op::HangUp } else { Op::Nothing }),
        1 => prop::sample::select(vec![Medium::Sound, Medium::Sound, Medium::Stuck, Medium::Fails])
            .prop_map(Op::Medium),
        1 => any::<bool>().prop_map(Op::Breaks),
        2 => Just(Op::Nothing),
    ]
}

fn barge_in() -> impl Strategy<Value = BargeIn> {
    let speech = (0u64..1500, 0u64..1000, 300u64..3000);
    prop_oneof![
        2 => Just(BargeIn::default()),
        2 => speech.prop_map(|(min_voice_ms, guard_ms, resume_ms)| BargeIn::Speech {
            min_voice_ms, guard_ms, resume_ms,
        }),
        2 => (1u32..4).prop_map(BargeIn::Words),
        2 => Just(BargeIn::Intent),
        1 => Just(BargeIn::Digits),
        2 => Just(BargeIn::Off),
    ]
}

fn digits() -> impl Strategy<Value = Option<DigitRule>> {
    let terminator = prop::sample::select(vec![Some('#'), Some('*'), None]);
    let rule = (1u32..5, terminator, 300u64..4000);
    prop::option::of(
        rule.prop_map(|(max_digits, terminator, interdigit_ms)| DigitRule {
            max_digits,
            terminator,
            interdigit_ms,
        }),
    )
}

fn any_window() -> impl Strategy<Value = Window> {
    let waits = (100u64..6000, 0u64..2000, 0u64..3000, 100u64..1500);
    let limits = (0u64..1500, 500u64..4000, 1000u64..8000, 0u64..600);
    (waits, limits, any::<bool>(), any::<bool>(), digits()).prop_map(
        |(waits, limits, early, expects, digits)| {
            let mut w = Window::new(Arc::clone(&ANSWERS));
            w.expect = vec!["yes".to_owned(), "no".to_owned()];
            (w.timeout_ms, w.early_ms, w.carry_ms, w.end_silence_ms) = waits;
            (w.settle_ms, w.give_up_ms, w.max_speech_ms, w.stand_ms) = limits;
            w.early = early;
            w.digits = digits;
            if !expects {
                w.expect.clear();
            }
            w
        },
    )
}

/// A request and the longest that it can take when nothing happens any more.
fn request() -> impl Strategy<Value = (Event, u64)> {
    let sounds = prop::collection::vec(20u64..5000, 0..3);
    let turn = (
        sounds,
        barge_in(),
        prop::option::weighted(0.8, any_window()),
    );
    prop_oneof![
        6 => turn.prop_map(|(sounds, barge_in, window)| {
            // A stuck prompt: 5 s to start and 10 s past its end, and one hold.
            let mut limit = sounds.iter().map(|ms| ms + 15_000).sum::<u64>() + 3_000;
            if let Some(w) = &window {
                // The window's own end, and that of one utterance before it and of one in it.
                let utterance = 2_000 + w.end_silence_ms + w.settle_ms + w.give_up_ms;
                let keys = w.digits.map_or(0, |rule| rule.interdigit_ms);
                limit += w.timeout_ms + w.max_speech_ms + 2 * utterance + keys;
            }
            let sounds = sounds.iter().map(|ms| Sound::silence("q", *ms)).collect();
            (Event::Turn { sounds, barge_in, window }, limit)
        }),
        1 => (0u64..5000).prop_map(|ms| (Event::Pause { ms }, ms)),
    ]
}

/// A call: the rig and what the recognizer has in its mouth.
struct Call {
    rig: Rig,
    requests: std::vec::IntoIter<(u64, (Event, u64))>,
    limit_ms: u64,
    asked_ms: u64,
    asked_windows: usize,
    asked: usize,
    heard: Vec<String>,
    count: usize,
    finals: Vec<String>,
    closed: usize,
    completed: usize,
    ever_early: bool,
}

impl Call {
    /// The dialog asks its next thing, if it waits for nothing and has thought enough.
    fn ask(&mut self) {
        if self.rig.waiting > 0 || self.rig.machine.is_over() {
            return;
        }
        if let Some((think_ms, (event, limit_ms))) = self.requests.next() {
            let at = self.rig.now + think_ms;
            self.pass(at);
            if let Event::Turn {
                window: Some(w), ..
            } = &event
            {
                self.asked_windows += 1;
                self.ever_early |= w.early;
            }
            self.asked += 1;
            self.limit_ms = limit_ms;
            self.asked_ms = self.rig.now;
            self.give(event);
        }
    }

    /// Time passes step by step, so that every state on the way is looked at.
    fn pass(&mut self, until: u64) {
        for _ in 0..10_000 {
            let Some(at) = self.rig.next_ms().filter(|at| *at <= until) else {
                break;
            };
            let before = self.rig.machine.ear.clone();
            self.rig.pass(at);
            self.look(&before, false);
        }
        self.rig.now = self.rig.now.max(until);
    }

    fn give(&mut self, event: Event) {
        let is_final = matches!(event, Event::Final(_));
        let before = self.rig.machine.ear.clone();
        self.rig.give(event);
        self.look(&before, is_final);
    }

    fn fresh(&mut self, word: &str) -> String {
        self.count += 1;
        format!("{word} х{}х", self.count)
    }

    fn play(&mut self, op: Op) {
        let now = self.rig.now;
        match op {
            Op::Voice(true) => self.give(Event::VoiceStarted {
                at_ms: now.saturating_sub(60),
            }),
            Op::Voice(false) => self.give(Event::VoiceEnded {
                at_ms: now.saturating_sub(40),
            }),
            Op::Partial { word, grows } => {
                if !grows {
                    self.heard.clear();
                }
                let word = self.fresh(word);
                self.heard.push(word);
                self.give(Event::Partial(Spoken::new(self.heard.join(" "))));
            }
            Op::Final(None) => {
                self.heard.clear();
                self.give(Event::Final(Spoken::default()));
            }
            Op::Final(Some(word)) => {
                let word = self.fresh(word);
                self.heard.clear();
                self.end(word);
            }
            Op::FinalAsHeard => {
                let heard = std::mem::take(&mut self.heard).join(" ");
                self.end(heard);
            }
            Op::Digit(key) => self.give(Event::Digit(key)),
            Op::TakenOver => {
                self.heard.clear();
                self.give(Event::TakenOver);
            }
            Op::Deaf => self.give(Event::Deaf {
                reason: "gone".to_owned(),
            }),
            Op::HangUp => self.give(Event::HangUp),
            Op::Medium(medium) => self.rig.medium = medium,
            Op::Breaks(true) => self.rig.lose_medium(),
            Op::Breaks(false) if self.rig.is_lost() => self.rig.find_medium(),
            Op::Breaks(false) => {}
            Op::Nothing => self.give(Event::Clock),
        }
    }

    fn end(&mut self, text: String) {
        if !self.rig.machine.is_over() {
            self.finals
                .extend(text.split_whitespace().last().map(str::to_owned));
        }
        self.give(Event::Final(Spoken::new(text)));
    }

    /// Looks at what has come of the last moment.
    fn look(&mut self, before: &Ear, is_final: bool) {
        let machine = &self.rig.machine;
        let closes: Vec<_> = self.rig.noted(kind::WINDOW).skip(self.closed).collect();
        for close in &closes {
            let opened_ms = close["opened_ms"].as_u64().unwrap_or(0);
            match close["reason"].as_str().unwrap() {
                "no_input" => {
                    // A window that was never cut short: whoever speaks now began after it, or was never its own.
                    let speaks = machine.ear.open().filter(|u| {
                        u.onset_ms >= machine.floor_ms
                            && (u.onset_ms >= opened_ms
                                || u.last_heard_ms().is_none_or(|end| end >= opened_ms))
                    });
                    let begun_now = |u: &Utterance| before.open().is_none_or(|b| b.id != u.id);
                    assert!(
                        speaks.is_none_or(|u| begun_now(u) || u.over_uncuttable),
                        "closed while {speaks:?} goes on"
                    );
                }
                "speech" => assert!(close["utterance"].is_u64()),
                _ => {}
            }
        }
        self.closed += closes.len();
        let complete: Vec<_> = self
            .rig
            .noted(kind::UTTERANCE)
            .filter(|d| d["state"] == "complete")
            .skip(self.completed)
            .collect();
        for done in &complete {
            // Only a final, `early`, a part, or `too_long` ends an utterance in which a voice is heard.
            let parts = before.pending().is_some_and(|u| !u.parts.is_empty());
            let too_long = closes.iter().any(|close| close["reason"] == "too_long");
            let open = before.open().filter(|u| Some(u.id) == done["id"].as_u64());
            let speaks = open.is_some_and(|u| u.voice_end_ms.is_none()) && before.voice_is_on();
            assert!(
                !speaks || is_final || self.ever_early || parts || too_long,
                "{done} was ended while it went on"
            );
        }
        self.completed += complete.len();
        self.look_at_timers();
    }

    /// No timer outlives its state.
    fn look_at_timers(&self) {
        let machine = &self.rig.machine;
        let (turn, window) = match &machine.doing {
            Doing::Turn(turn) => (Some(turn), turn.window.as_ref()),
            _ => (None, None),
        };
        let playing = turn.and_then(|turn| turn.playing.as_ref());
        let ear = &machine.ear;
        for timer in Timer::ALL
            .into_iter()
            .filter(|t| machine.timers.at(*t).is_some())
        {
            let open = window.is_some_and(|w| w.open_ms.is_some());
            let keyed = window.is_some_and(|w| !w.digits.is_empty());
            let over = turn.is_some_and(|turn| turn.prompts_over());
            let belongs = match timer {
                Timer::Pause => matches!(machine.doing, Doing::Pausing(_)),
                Timer::Prompt => playing.is_some_and(|p| p.paused_ms.is_none()),
                Timer::Open => window.is_some() && !open && playing.is_some(),
                Timer::BargeIn => {
                    let begun = turn.is_some_and(|turn| turn.first_started_ms.is_some());
                    let words = ear.pending().is_some_and(|u| !u.partial.is_empty());
                    playing.is_some() && begun && (ear.voice_is_on() || words)
                }
                Timer::Resume => playing.is_some_and(|p| p.paused_ms.is_some()),
                Timer::EndSilence => ear.open().is_some() || ear.tail().is_some(),
                Timer::Settle => ear.pending().is_some_and(|u| !u.partial.is_empty()),
                Timer::GiveUp => ear
                    .pending()
                    .is_some_and(|u| u.partial.is_empty() && !u.is_open()),
                Timer::Early => open && !keyed && window.is_some_and(|w| w.rule.early),
                Timer::MaxSpeech => open && over && !keyed && ear.open().is_some(),
                Timer::Interdigit => open && over && keyed,
                Timer::NoInput => open && over && !keyed,
            };
            assert!(belongs, "{timer:?} runs in {:?}", machine.doing);
        }
    }

    /// Nothing happens any more: whatever was asked is answered in time.
    fn fall_silent(&mut self) {
        if self.rig.waiting > 0 {
            let until = self.rig.now.max(self.asked_ms) + self.limit_ms;
            self.pass(until);
            assert_eq!(self.rig.waiting, 0, "no answer within {} ms", self.limit_ms);
        }
    }

    /// The person hangs up, and the books are checked.
    fn close_books(&mut self) {
        self.give(Event::HangUp);
        assert_eq!(self.rig.waiting, 0, "the hang-up left somebody waiting");
        let answers = self.rig.replies.len()
            + self
                .rig
                .orders
                .iter()
                .filter(|(_, o)| *o == "pause_over")
                .count();
        assert_eq!(answers, self.asked);
        let windows: Vec<_> = self.rig.noted(kind::WINDOW).collect();
        let mut numbers: Vec<_> = windows.iter().map(|d| d["window"].as_u64()).collect();
        numbers.dedup();
        assert_eq!(
            (numbers.len(), windows.len()),
            (self.asked_windows, self.asked_windows)
        );
        for kind in [
            ReplyKind::Speech,
            ReplyKind::Digits,
            ReplyKind::NoInput,
            ReplyKind::TooLong,
            ReplyKind::Failed,
        ] {
            let replies = self.rig.replies.iter().filter(|(_, r)| r.kind == kind);
            let reasons = windows.iter().filter(|d| d["reason"] == kind.as_str());
            assert_eq!(replies.count(), reasons.count(), "{}", kind.as_str());
        }

        let ids = |state: &str| -> Vec<u64> {
            let of_state = self
                .rig
                .noted(kind::UTTERANCE)
                .filter(|d| d["state"] == state);
            of_state.filter_map(|d| d["id"].as_u64()).collect()
        };
        let taken: Vec<u64> = windows
            .iter()
            .filter_map(|d| d["utterance"].as_u64())
            .collect();
        let left = ids("left");
        let mut worded: Vec<u64> = ids("first_words");
        worded.extend(ids("complete"));
        for id in worded {
            let ends = taken.iter().chain(&left).filter(|end| **end == id).count();
            assert_eq!(ends, 1, "utterance {id}: taken {taken:?}, left {left:?}");
        }
        for id in ids("noise") {
            assert!(!taken.contains(&id), "noise {id} was taken");
        }
        let texts: Vec<&str> = self
            .rig
            .noted(kind::UTTERANCE)
            .filter_map(|d| d["text"].as_str())
            .collect();
        for word in &self.finals {
            assert!(
                texts
                    .iter()
                    .any(|text| text.split_whitespace().any(|w| w == word)),
                "{word} is not in the history"
            );
        }
        // After the end every request is answered at once.
        for event in [
            turn(500, BargeIn::Off, Some(window())),
            Event::Pause { ms: 5 },
        ] {
            self.rig.give(event);
            assert_eq!(self.rig.waiting, 0);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_events_keeps_the_invariants(
        requests in prop::collection::vec((0u64..800, request()), 1..8),
        ops in prop::collection::vec((1u64..1200, op()), 0..80),
    ) {
        let mut call = Call {
            rig: Rig::new(),
            requests: requests.into_iter(),
            limit_ms: 0,
            asked_ms: 0,
            asked_windows: 0,
            asked: 0,
            heard: Vec::new(),
            count: 0,
            finals: Vec::new(),
            closed: 0,
            completed: 0,
            ever_early: false,
        };
        call.ask();
        for (gap_ms, op) in ops {
            let at = call.rig.now + gap_ms;
            call.pass(at);
            call.play(op);
            call.ask();
        }
        call.fall_silent();
        call.close_books();
    }
}
