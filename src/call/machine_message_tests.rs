//! Messages under a virtual clock: what ends them, what they hold, what they leave to others.

use super::rig::*;
use super::*;
use crate::call::request::{DigitRule, MessageRule};

/// A tone of 300 ms, then a message; silence of 3 s ends it, 60 s are the most, 5 s of nothing are none.
fn message(beep_ms: u64, change: impl FnOnce(&mut Window)) -> Event {
    let mut message = window();
    message.expect.clear();
    message.carry_ms = 0;
    message.message = Some(MessageRule::default());
    change(&mut message);
    turn(beep_ms, BargeIn::Off, Some(message))
}

fn rig(change: impl FnOnce(&mut Window)) -> Rig {
    let mut rig = Rig::new();
    rig.at(0, message(300, change));
    rig
}

#[test]
fn a_pause_in_it_ends_nothing_and_a_long_silence_does() {
    let mut rig = rig(|_| {});
    rig.says(1_000, 2_500, "у меня течёт")
        .last(3_000, "у меня течёт кран");
    // 2.4 s later: the recognizer has long closed its utterance.
    rig.says(4_900, 6_000, "на кухне")
        .last(6_800, "на кухне вторые сутки");
    let (at, reply) = rig.only_reply(60_000);
    assert_eq!((at, reply.kind), (6_000 + 3_000, ReplyKind::Speech));
    assert_eq!(
        reply.text.as_str(),
        "у меня течёт кран на кухне вторые сутки"
    );
    assert_eq!(reply.parts.len(), 2);
    let closed: Vec<_> = rig.noted(kind::WINDOW).collect();
    assert_eq!(closed.len(), 1);
    assert_eq!(
        (&closed[0]["reason"], &closed[0]["message"]),
        (&"speech".into(), &true.into())
    );
}

#[test]
fn who_says_nothing_leaves_none_and_a_cough_is_none() {
    let (at, reply) = rig(|_| {}).only_reply(60_000);
    assert_eq!((at, reply.kind), (310 + 5_000, ReplyKind::NoInput));
    let mut rig = rig(|_| {});
    rig.coughs(2_000, 2_200);
    let (_, reply) = rig.only_reply(60_000);
    assert_eq!((reply.kind, reply.text.as_str()), (ReplyKind::NoInput, ""));
}

#[test]
fn a_voice_that_no_recognizer_understands_is_a_message_too() {
    for deaf in [false, true] {
        let mut rig = rig(|_| {});
        if deaf {
            let reason = "none".to_owned();
            rig.at(100, Event::Deaf { reason });
        }
        rig.coughs(1_000, 3_000);
        let (at, reply) = rig.only_reply(60_000);
        assert_eq!(reply.kind, ReplyKind::Speech);
        // Its text is waited for while there may be one.
        assert_eq!(at, if deaf { 6_000 } else { 3_000 + 700 + 3_000 });
    }
}

#[test]
fn the_key_ends_it_and_no_other_key_does() {
    let mut rig = rig(|_| {});
    rig.says(1_000, 2_000, "перезвоните мне");
    rig.at(2_050, Event::Digit('5'));
    rig.at(2_100, Event::Digit('#'));
    let (at, reply) = rig.only_reply(2_150);
    assert_eq!((at, reply.kind), (2_100, ReplyKind::Digits));
    assert_eq!(
        (reply.text.as_str(), reply.digits.as_str()),
        ("перезвоните мне", "#")
    );
    // Whatever is left of it is no answer to the next question.
    rig.at(2_200, ask(0, BargeIn::default()));
    rig.last(2_900, "перезвоните мне пожалуйста");
    let (_, next) = rig.only_reply(20_000);
    assert_eq!(next.kind, ReplyKind::NoInput);
}

#[test]
fn without_a_key_they_are_only_noted() {
    let mut rig = rig(|window| {
        window.digits = Some(DigitRule {
            terminator: None,
            ..DigitRule::default()
        });
    });
    rig.at(1_000, Event::Digit('#'));
    rig.says(2_000, 3_000, "алло").last(3_500, "алло");
    let (_, reply) = rig.only_reply(60_000);
    assert_eq!(reply.kind, ReplyKind::Speech);
}

#[test]
fn it_is_as_long_as_it_may_be() {
    let mut rig = rig(|window| {
        window.message = Some(MessageRule {
            longest_ms: 10_000,
            ..MessageRule::default()
        });
    });
    rig.at(1_000, Event::VoiceStarted { at_ms: 1_000 });
    rig.partial(5_000, "и вот ещё что");
    let (at, reply) = rig.only_reply(60_000);
    assert_eq!((at, reply.kind), (310 + 10_000, ReplyKind::TooLong));
    assert_eq!(reply.text.as_str(), "и вот ещё что");
}

#[test]
fn a_hang_up_keeps_what_was_said() {
    let mut rig = rig(|_| {});
    rig.says(1_000, 2_000, "это анна").last(2_500, "это анна");
    rig.at(3_500, Event::VoiceStarted { at_ms: 3_500 });
    rig.partial(3_900, "перезвоните");
    rig.at(4_000, Event::HangUp);
    let (at, reply) = rig.only_reply(4_000);
    assert_eq!((at, reply.kind), (4_000, ReplyKind::HangUp));
    assert_eq!(reply.text.as_str(), "это анна перезвоните");
    assert_eq!(rig.texts("left"), [""; 0]);
}

#[test]
fn where_nobody_listens_silence_says_nothing() {
    let mut rig = rig(|window| {
        window.message = Some(MessageRule {
            heard: false,
            longest_ms: 20_000,
            ..MessageRule::default()
        });
    });
    let (at, reply) = rig.only_reply(60_000);
    assert_eq!((at, reply.kind), (310 + 20_000, ReplyKind::TooLong));
}

#[test]
fn what_was_said_before_is_no_part_of_it_and_over_the_tone_is() {
    let mut rig = Rig::new();
    rig.at(0, turn(4_000, BargeIn::Digits, None));
    rig.says(500, 1_000, "алло").last(1_500, "алло алло");
    // It skips what is said before, and doesn't end the message.
    rig.at(2_000, Event::Digit('#'));
    assert_eq!(rig.replies.pop().unwrap().1.kind, ReplyKind::Played);
    rig.at(2_050, message(300, |_| {}));
    rig.says(2_150, 3_500, "добрый день")
        .last(4_000, "добрый день");
    let (_, reply) = rig.only_reply(60_000);
    assert_eq!(
        (reply.kind, reply.text.as_str()),
        (ReplyKind::Speech, "добрый день")
    );
}
