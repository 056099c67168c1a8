//! Replies in every order, and what they make of an utterance.

use super::*;
use crate::asr::tape::{MAX_KEPT, Tape};
use crate::audio::Frame;

const LIMITS: Limits = Limits {
    external: true,
    session_ms: 10_000,
    session_bytes: 1 << 20,
    final_timeout_ms: 3_000,
};

/// A progress with the tape that it reads.
struct Taped {
    tape: Tape,
    progress: Progress,
}

impl std::ops::Deref for Taped {
    type Target = Progress;

    fn deref(&self) -> &Progress {
        &self.progress
    }
}

impl std::ops::DerefMut for Taped {
    fn deref_mut(&mut self) -> &mut Progress {
        &mut self.progress
    }
}

fn with(limits: Limits) -> Taped {
    let tape = Tape::new();
    let progress = Progress::new(tape.reader(), limits);
    Taped { tape, progress }
}

fn progress(external: bool) -> Taped {
    with(Limits { external, ..LIMITS })
}

/// Pushes so much audio and sends all of it.
fn hear(p: &mut Taped, ms: u64, now_ms: u64) -> String {
    for _ in 0..ms / 20 {
        p.tape.push(&Frame([7; 160]));
    }
    sent(p, now_ms)
}

fn end(p: &mut Taped, now_ms: u64) -> String {
    p.tape.end_of_utterance();
    sent(p, now_ms)
}

fn sent(p: &mut Taped, now_ms: u64) -> String {
    let all = std::iter::from_fn(|| p.next(now_ms)).map(|out| match out {
        Outgoing::Audio(samples) => (samples.len() / 8).to_string(),
        Outgoing::Eou => "eou".to_owned(),
    });
    all.collect::<Vec<_>>().join(" ")
}

fn at(text: &str, start_ms: u64, end_ms: u64) -> HeardText {
    HeardText {
        text: text.into(),
        start_ms,
        end_ms,
    }
}

fn say(p: &mut Taped, event: SttEvent, index: i64, now_ms: u64) -> String {
    let reply = SttReply {
        event,
        received_ms: None,
        final_index: Some(index),
    };
    let events = p.heard(reply, now_ms).into_iter().flatten();
    events.map(told).collect::<Vec<_>>().join(", ")
}

fn told(event: AsrEvent) -> String {
    match event {
        AsrEvent::Partial { text } => format!("~{}", text.as_str()),
        AsrEvent::Final {
            text,
            start_ms,
            end_ms,
        } => match start_ms.zip(end_ms) {
            Some((start, end)) => format!("{} {start}-{end}", text.as_str()),
            None => format!("{}!", text.as_str()),
        },
        other => format!("{other:?}"),
    }
}

fn partial(text: &str, start: u64, end: u64) -> SttEvent {
    SttEvent::Partial(at(text, start, end))
}

fn last(text: &str, start: u64, end: u64) -> SttEvent {
    SttEvent::Final(at(text, start, end))
}

fn eou(time_ms: u64) -> SttEvent {
    SttEvent::EndOfUtterance { time_ms }
}

#[test]
fn audio_goes_in_100_ms_and_an_end_flushes_the_rest() {
    let mut p = progress(true);
    assert_eq!(hear(&mut p, 240, 0), "100 100");
    assert_eq!(end(&mut p, 0), "40 eou");
    assert_eq!(end(&mut p, 0), "");
    assert_eq!(hear(&mut p, 120, 0), "100");
    p.tape = Tape::new();
    assert_eq!(sent(&mut p, 0), "20 eou");
    assert!(p.is_finished());
    let mut p = progress(false);
    hear(&mut p, 100, 0);
    say(&mut p, partial("да", 0, 90), 0, 0);
    assert_eq!(end(&mut p, 0), "", "the vendor decides");
}

#[test]
fn several_finals_are_one_utterance_and_a_repeated_end_is_none() {
    for time in [0, 1_000] {
        let mut p = progress(true);
        hear(&mut p, 1_000, 0);
        assert_eq!(say(&mut p, partial("да", 100, 200), 0, 200), "~да");
        assert_eq!(say(&mut p, partial("", 0, 0), 0, 200), "");
        assert_eq!(say(&mut p, last("да", 100, 200), 0, 300), "");
        assert_eq!(
            say(&mut p, partial("приеду", 300, 400), 0, 400),
            "~да приеду"
        );
        assert_eq!(end(&mut p, 1_000), "eou");
        assert_eq!(
            say(&mut p, last("приеду завтра", 300, 600), 1, 1_100),
            "~да приеду завтра"
        );
        assert_eq!(say(&mut p, eou(time), 1, 1_110), "да приеду завтра 100-600");
        assert_eq!(say(&mut p, eou(time), 1, 1_120), "");
        hear(&mut p, 1_000, 1_200);
        assert_eq!(say(&mut p, partial("нет", 1_300, 1_500), 1, 1_600), "~нет");
        // Once more, within the next utterance, before and after its own end.
        assert_eq!(say(&mut p, eou(time), 1, 1_700), "");
        end(&mut p, 2_000);
        assert_eq!(say(&mut p, eou(time), 1, 2_010), "");
        assert_eq!(say(&mut p, last("нет", 1_300, 1_500), 2, 2_100), "");
        let time = if time == 0 { 0 } else { 2_000 };
        assert_eq!(say(&mut p, eou(time), 2, 2_110), "нет 1300-1500");
        assert_eq!((p.due_ms(), p.tape.kept()), (None, 0));
    }
}

#[test]
fn a_final_after_its_end_is_told_at_once() {
    let mut p = progress(true);
    hear(&mut p, 1_000, 0);
    say(&mut p, partial("да", 100, 200), 0, 200);
    end(&mut p, 1_000);
    assert_eq!(say(&mut p, eou(1_000), 0, 1_010), "");
    assert_eq!(say(&mut p, last("да", 100, 200), 0, 1_700), "да 100-200");
    // No end at all: half a second without news.
    hear(&mut p, 1_000, 2_000);
    end(&mut p, 3_000);
    assert_eq!(say(&mut p, last("нет", 1_300, 1_500), 1, 3_100), "~нет");
    assert_eq!(p.due_ms(), Some(3_600));
    assert_eq!(p.settle(3_599), None);
    assert_eq!(told(p.settle(3_600).unwrap()), "нет 1300-1500");
    // Nor then, because the next utterance begins sooner.
    hear(&mut p, 1_000, 4_000);
    end(&mut p, 5_000);
    say(&mut p, last("да", 2_300, 2_500), 2, 5_100);
    hear(&mut p, 1_000, 5_200);
    assert_eq!(
        say(&mut p, partial("утром", 3_100, 3_300), 2, 5_300),
        "да 2300-2500, ~утром"
    );
}

#[test]
fn a_final_that_never_comes_leaves_the_partial_and_one_that_comes_late_is_not_told_twice() {
    for (late, expect) in [("да", ""), ("да приеду", "~приеду"), ("два", "~два")]
    {
        let mut p = progress(true);
        hear(&mut p, 1_000, 0);
        say(&mut p, partial("да", 100, 200), 0, 200);
        end(&mut p, 1_000);
        // A server that is dead settles nothing.
        assert_eq!((p.due_ms(), p.owed_since_ms()), (None, Some(1_000)));
        say(&mut p, SttEvent::Other, 0, 1_500);
        assert_eq!((p.due_ms(), p.owed_since_ms()), (Some(4_000), None));
        assert_eq!(told(p.settle(4_000).unwrap()), "да!");
        assert_eq!(
            say(&mut p, last(late, 100, 400), 0, 6_000),
            expect,
            "{late}"
        );
    }
    // Noise: the end is answered all the same.
    let mut p = progress(true);
    hear(&mut p, 1_000, 0);
    end(&mut p, 1_000);
    assert_eq!(say(&mut p, eou(1_000), 0, 1_100), "!");
    // An empty final after partials.
    hear(&mut p, 1_000, 2_000);
    say(&mut p, partial("нет", 1_100, 1_400), 0, 2_200);
    end(&mut p, 3_000);
    say(&mut p, last("", 0, 0), 1, 3_100);
    assert_eq!(say(&mut p, eou(2_000), 1, 3_110), "нет 1100-1400");
}

#[test]
fn the_next_session_hears_the_utterance_again_and_nothing_of_the_one_before() {
    let mut p = progress(true);
    hear(&mut p, 1_000, 0);
    say(&mut p, last("раз", 100, 300), 0, 900);
    end(&mut p, 1_000);
    assert_eq!(say(&mut p, eou(1_000), 0, 1_010), "раз 100-300");
    hear(&mut p, 500, 1_500);
    say(&mut p, partial("да", 1_100, 1_300), 0, 1_500);
    say(&mut p, last("да", 1_100, 1_300), 1, 1_510);
    p.tape.end_of_utterance();
    assert_eq!(p.begin_session(), 500);
    assert_eq!(sent(&mut p, 2_000), "100 100 100 100 100 eou");
    // Times count from the new session's start; what was shown already is no news.
    assert_eq!(say(&mut p, partial("да", 100, 300), 0, 2_100), "");
    assert_eq!(say(&mut p, last("да", 100, 300), 0, 2_200), "");
    assert_eq!(say(&mut p, eou(500), 0, 2_210), "да 1100-1300");
    // Lost for good: what was shown is the final.
    hear(&mut p, 500, 3_000);
    say(&mut p, partial("нет", 600, 700), 0, 3_100);
    p.begin_session();
    assert_eq!(told(p.give_up().unwrap()), "нет!");
}

#[test]
fn sessions_end_between_utterances_before_the_limit_and_anywhere_at_it() {
    let mut p = progress(true);
    p.begin_session();
    hear(&mut p, 7_400, 0);
    assert!(!p.wants_new_session());
    hear(&mut p, 200, 0);
    assert!(p.wants_new_session());
    say(&mut p, partial("да", 7_400, 7_500), 0, 0);
    assert!(!p.wants_new_session(), "an utterance goes on");
    hear(&mut p, 2_400, 0);
    assert!(p.wants_new_session());
    assert_eq!(p.begin_session(), 10_000);
    sent(&mut p, 0);
    assert!(!p.wants_new_session(), "only what was sent again");
    let mut p = with(Limits {
        session_bytes: 16_000,
        ..LIMITS
    });
    hear(&mut p, 740, 0);
    assert!(!p.wants_new_session());
    hear(&mut p, 60, 0);
    assert!(p.wants_new_session());
}

#[test]
fn silence_that_was_put_in_does_not_move_the_times() {
    let mut p = progress(true);
    hear(&mut p, 1_000, 0);
    p.audio.put_silence(2_000);
    p.audio.put_silence(1_000);
    hear(&mut p, 1_000, 5_000);
    say(&mut p, last("да", 4_100, 4_300), 0, 5_000);
    end(&mut p, 5_000);
    assert_eq!(say(&mut p, eou(5_000), 0, 5_100), "да 1100-1300");
}

#[test]
fn memory_is_bounded_and_a_very_long_utterance_keeps_its_beginning() {
    let mut p = progress(true);
    for n in 0..600 {
        hear(&mut p, 100, n * 100);
        say(&mut p, partial("", 0, 0), 0, n * 100);
    }
    assert_eq!(p.tape.kept(), crate::asr::tape::KEPT_IN_SILENCE);
    let mut p = progress(true);
    for n in 0..60 {
        hear(&mut p, 1_000, n * 1_000);
        say(
            &mut p,
            last(&n.to_string(), n * 1_000 + 100, n * 1_000 + 900),
            n as i64,
            n * 1_000,
        );
    }
    assert_eq!(p.tape.kept(), MAX_KEPT);
    assert_eq!(p.begin_session(), 30_000);
    sent(&mut p, 60_000);
    for n in 30..60 {
        let from = (n - 30) * 1_000;
        say(
            &mut p,
            last(&n.to_string(), from + 100, from + 900),
            n as i64,
            60_000,
        );
    }
    end(&mut p, 60_000);
    let all: Vec<String> = (0..60).map(|n| n.to_string()).collect();
    assert_eq!(
        say(&mut p, eou(30_000), 60, 60_000),
        format!("{} 100-59900", all.join(" "))
    );
}
