//! The machine under a virtual clock: each case is a list of moments and what must have come of them.
//!
//! | rule of "Hearing" | held by |
//! | --- | --- |
//! | 1 nothing is lost before, between and after windows | `what_was_said_between_two_turns_is_carried`, `a_word_just_after_the_windows_end_is_for_the_next`, `texts_of_the_recognizer_that_takes_over_count_once` |
//! | 2 onset, end, partials, final | `a_final_that_never_comes_is_replaced_by_the_partial_after_settle`, `an_empty_final_means_the_last_partial` (and `ear`'s) |
//! | 3 opening, `early`, `carry` | `an_uncuttable_prompt_hears_its_last_moments`, `what_was_said_between_two_turns_is_carried`, `who_speaks_when_the_window_opens_is_taken`, `of_two_quick_answers_the_second_is_for_the_next_window` |
//! | 4 exactly one reason | `each_window_has_one_reason_and_its_time` |
//! | 5 `timeout`, `end_silence`, `settle`, `give_up`, `max_speech` | `silence_is_counted_from_the_prompts_end_and_stands_still_while_they_speak`, `a_text_later_than_give_up_is_no_answer_of_its_utterance`, `a_window_never_closes_while_its_utterance_goes_on_but_for_too_long` |
//! | 6 interruption | `a_word_over_the_prompt_cuts_it_at_once`, `words_in_the_prompts_first_moments_cut_it_when_those_are_over`, `a_noise_pauses_the_prompt_which_goes_on`, `a_noise_that_is_known_for_one_holds_no_longer`, `only_an_expected_answer_cuts_under_intent`, `fewer_words_than_cut_are_still_an_answer`, `keys_alone_cut_under_digits`, `what_is_said_over_an_uncuttable_prompt_is_offered_to_the_next_window`, `a_listeners_sound_over_an_uncuttable_prompt_is_no_answer`, `the_history_tells_where_the_prompt_was_held_and_cut` |
//! | 7 `early` | `early_takes_an_expected_partial_that_has_stood` |
//! | 8 keys | `keys_stop_the_prompt_and_win_over_speech`, `keys_end_by_number_and_by_waiting`, `keys_typed_ahead_wait_for_their_window`, `a_key_in_the_middle_of_a_word_takes_the_word_with_it` |
//! | 9 times of a turn | `the_times_of_a_turn_are_told_once` |
//! | 10 failing recognizers | `without_a_recognizer_keys_still_work`, `words_heard_before_the_recognizer_failed_count`, `texts_of_the_recognizer_that_takes_over_count_once` |
//!
//! Random orders of events: `machine_properties`.

use super::rig::*;
use super::*;
use crate::call::request::DigitRule;

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

#[test]
fn an_empty_final_means_the_last_partial() {
    let mut rig = Rig::new();
    rig.at(0, ask(0, BargeIn::default())).says(500, 900, "нет");
    rig.last(1700, "");
    let (at, reply) = rig.only_reply(9000);
    assert_eq!((at, reply.intent()), (1700, Some("no")));
}

#[test]
fn a_word_just_after_the_windows_end_is_for_the_next() {
    let mut rig = Rig::new();
    rig.at(0, ask(0, BargeIn::default()));
    assert_eq!(rig.only_reply(5100).1.kind, ReplyKind::NoInput);
    rig.at(5200, Event::VoiceStarted { at_ms: 5200 });
    rig.at(5300, ask(3000, BargeIn::Intent));
    rig.partial(5500, "да");
    assert_eq!(rig.did("stop"), Some(5500));
    rig.at(5600, Event::VoiceEnded { at_ms: 5600 });
    rig.last(6400, "да");
    assert!(rig.only_reply(9000).1.is("yes"));
}

#[test]
fn who_speaks_when_the_window_opens_is_taken() {
    let mut rig = Rig::new();
    // Began 3 s before the window, longer than `carry`, and ends in it.
    rig.at(1000, Event::VoiceStarted { at_ms: 1000 });
    rig.at(4000, ask(0, BargeIn::default()));
    rig.partial(4100, "ну в общем да");
    rig.at(4500, Event::VoiceEnded { at_ms: 4500 });
    rig.last(5300, "ну в общем да");
    let (at, reply) = rig.only_reply(9000);
    assert_eq!((at, reply.intent()), (5300, Some("yes")));
}

#[test]
fn of_two_quick_answers_the_second_is_for_the_next_window() {
    let mut rig = Rig::new();
    rig.at(0, ask(0, BargeIn::default())).says(1000, 1300, "да");
    rig.last(2100, "да");
    assert!(rig.only_reply(2200).1.is("yes"));
    rig.says(2200, 2500, "нет");
    rig.at(2600, ask(1000, BargeIn::Intent));
    rig.last(3300, "нет");
    assert!(rig.only_reply(9000).1.is("no"));
}

#[test]
fn two_answers_in_one_breath_are_one_reply_of_two_parts() {
    let mut rig = Rig::new();
    rig.at(0, ask(0, BargeIn::default())).says(1000, 1300, "да");
    rig.at(1700, Event::VoiceStarted { at_ms: 1700 });
    // The recognizer ends its utterance while the person has gone on after 0.4 s.
    rig.last(1800, "да");
    rig.pass(1900);
    assert!(rig.replies.is_empty(), "they still speak");
    rig.partial(2000, "нет");
    rig.at(2100, Event::VoiceEnded { at_ms: 2100 });
    rig.last(2900, "нет");
    let (at, reply) = rig.only_reply(9000);
    assert_eq!((at, reply.text), (2900, Spoken::new("да нет")));
    assert_eq!(reply.parts, [Spoken::new("да"), Spoken::new("нет")]);
    // What came back was only a noise: the part is the answer, and soon.
    let mut rig = Rig::new();
    rig.at(0, ask(0, BargeIn::default())).says(1000, 1300, "да");
    rig.at(1700, Event::VoiceStarted { at_ms: 1700 });
    rig.last(1800, "да");
    let (at, reply) = rig.only_reply(9000);
    assert_eq!((at, reply.intent()), (1800 + 700 + 500, Some("yes")));
}

#[test]
fn each_window_has_one_reason_and_its_time() {
    let mut rig = Rig::new();
    rig.at(0, ask(0, BargeIn::default())).says(500, 900, "да");
    rig.last(1700, "да");
    rig.at(1800, ask(0, BargeIn::default()));
    rig.at(7000, ask(0, BargeIn::default()));
    rig.at(7500, Event::Digit('1'));
    rig.at(8000, ask(0, BargeIn::default()));
    rig.at(8500, Event::HangUp);
    let closed = rig.notes.iter().filter(|(_, k, _)| *k == kind::WINDOW);
    let told: Vec<_> = closed
        .map(|(at, _, d)| (*at, d["reason"].as_str().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            (1700, "speech"),
            (6800, "no_input"),
            (7500, "digits"),
            (8500, "hang_up")
        ]
    );
}

#[test]
fn a_text_later_than_give_up_is_no_answer_of_its_utterance() {
    for (give_up_ms, reason) in [(3000, ReplyKind::NoInput), (6000, ReplyKind::Speech)] {
        let mut rig = Rig::new();
        let mut w = window();
        w.give_up_ms = give_up_ms;
        w.timeout_ms = 2000;
        rig.at(0, turn(0, BargeIn::default(), Some(w)));
        rig.coughs(500, 900);
        rig.last(6500, "да");
        // 0.5 s were quiet; the rest of the timeout runs when the utterance is given up at 1600 + give_up.
        let (at, reply) = rig.only_reply(6500);
        assert_eq!(reply.kind, reason, "give_up {give_up_ms}");
        assert_eq!(
            at,
            if give_up_ms == 3000 {
                4600 + 1500
            } else {
                6500
            }
        );
        rig.at(9000, Event::HangUp);
        assert_eq!(
            rig.texts("complete"),
            ["да"],
            "it is in the history either way"
        );
    }
}

#[test]
fn a_noise_that_is_known_for_one_holds_no_longer() {
    let mut rig = Rig::new();
    rig.at(0, ask(8000, BargeIn::default())).coughs(1000, 1700);
    rig.last(2500, "");
    rig.pass(6000);
    assert_eq!(
        (rig.did("pause"), rig.did("resume")),
        (Some(1500), Some(2500))
    );
}

#[test]
fn words_in_the_prompts_first_moments_cut_it_when_those_are_over() {
    let mut rig = Rig::new();
    rig.at(0, ask(8000, BargeIn::default())).says(50, 250, "да");
    assert_eq!(rig.did("stop"), None);
    rig.pass(1000);
    assert_eq!(rig.did("stop"), Some(10 + 300));
}

/// A question in two sounds, of 1 and 3 s.
fn two_sounds() -> Event {
    Event::Turn {
        sounds: vec![Sound::silence("a", 1000), Sound::silence("b", 3000)],
        barge_in: BargeIn::default(),
        window: Some(window()),
    }
}

#[test]
fn a_second_sound_is_not_paused_before_it_plays() {
    let mut rig = Rig::new();
    rig.at(0, two_sounds());
    // 0.5 s of voice are over in the gap between the two.
    rig.at(512, Event::VoiceStarted { at_ms: 512 });
    rig.pass(1500);
    assert_eq!(rig.did("pause"), Some(1020));
}

/// Two sounds, and a voice from where it pauses the first as that ends.
fn held_between_two_sounds() -> Rig {
    let mut rig = Rig::new();
    rig.at(0, two_sounds());
    rig.at(500, Event::VoiceStarted { at_ms: 500 });
    rig.pass(1_100);
    assert_eq!(
        rig.did("pause"),
        Some(1_000),
        "its last frame is gone by 1010"
    );
    let plays = rig.orders.iter().filter(|(_, what)| *what == "play");
    assert_eq!(plays.count(), 1, "nobody is talked over");
    rig
}

#[test]
fn a_sound_that_ends_as_it_is_paused_holds_the_next_one() {
    // A cough: the next sound begins when the first would have gone on.
    let mut rig = held_between_two_sounds();
    rig.at(1_200, Event::VoiceEnded { at_ms: 1_200 });
    let (at, reply) = rig.only_reply(30_000);
    assert!(rig.orders.contains(&(3_000, "play")), "{:?}", rig.orders);
    assert_eq!(
        (at, reply.kind),
        (3_000 + 10 + 3_000 + 5_000, ReplyKind::NoInput)
    );
    // An answer: the next sound is not heard at all.
    let mut rig = held_between_two_sounds();
    rig.partial(1_300, "да");
    rig.at(1_400, Event::VoiceEnded { at_ms: 1_400 });
    rig.last(2_200, "да");
    let (_, reply) = rig.only_reply(9_000);
    assert!(reply.is("yes") && reply.barged_in);
    assert_eq!(
        (rig.did("stop"), rig.prompt_ms("barge_in")),
        (None, Some(0))
    );
    // Gone meanwhile.
    let mut rig = held_between_two_sounds();
    rig.at(1_500, Event::HangUp);
    let (_, reply) = rig.only_reply(9_000);
    assert_eq!(reply.kind, ReplyKind::HangUp);
}

#[test]
fn fewer_words_than_cut_are_still_an_answer() {
    let mut rig = Rig::new();
    rig.at(0, ask(4000, BargeIn::Words(2)))
        .says(1000, 1300, "да");
    rig.last(2100, "да");
    let (at, reply) = rig.only_reply(9000);
    assert_eq!(
        (at, reply.intent(), reply.barged_in),
        (4010, Some("yes"), false)
    );
    assert_eq!(rig.did("stop"), None);
    // Two words cut, and they are the answer.
    let mut rig = Rig::new();
    rig.at(0, ask(6000, BargeIn::Words(2)))
        .says(1000, 1300, "да");
    rig.last(2100, "да").says(3000, 3600, "ой нет");
    rig.last(4400, "ой нет");
    let (at, reply) = rig.only_reply(9000);
    assert_eq!(
        (at, reply.text, reply.barged_in),
        (4400, Spoken::new("ой нет"), true)
    );
    assert_eq!(
        (rig.did("stop"), rig.texts("left")),
        (Some(3300), vec!["да"])
    );
}

#[test]
fn keys_alone_cut_under_digits() {
    for keys in [true, false] {
        let mut rig = Rig::new();
        let mut w = window();
        w.digits = keys.then(DigitRule::default);
        rig.at(0, turn(6000, BargeIn::Digits, Some(w)));
        rig.says(1000, 1300, "да").last(2100, "да");
        assert_eq!(rig.did("stop"), None);
        rig.at(2500, Event::Digit('5'));
        assert_eq!(
            (rig.did("stop"), rig.prompt_ms("cut")),
            (Some(2500), Some(2490))
        );
        let kind = if keys {
            ReplyKind::Digits
        } else {
            ReplyKind::Speech
        };
        assert_eq!(rig.only_reply(2500).1.kind, kind);
    }
}

#[test]
fn what_is_said_over_an_uncuttable_prompt_is_offered_to_the_next_window() {
    // Long before `carry`, in the same turn.
    let mut rig = Rig::new();
    rig.at(0, ask(8000, BargeIn::Off)).says(1000, 1300, "да");
    rig.last(2100, "да");
    let (at, reply) = rig.only_reply(9000);
    assert_eq!((at, reply.intent()), (8010, Some("yes")));
    // In a prompt without a window, for the next turn's; and for that one only.
    let mut rig = Rig::new();
    rig.at(0, turn(6000, BargeIn::Off, None))
        .says(1000, 1300, "погода");
    rig.last(2100, "погода")
        .says(2500, 2800, "нет")
        .last(3600, "нет");
    assert_eq!(rig.only_reply(6500).1.kind, ReplyKind::Played);
    rig.at(7000, ask(0, BargeIn::default()));
    assert_eq!(rig.only_reply(7000).1.text, Spoken::new("погода"));
    rig.at(7100, ask(0, BargeIn::default()));
    assert_eq!(rig.only_reply(13_000).1.kind, ReplyKind::NoInput);
    rig.at(13_500, Event::HangUp);
    assert_eq!(rig.texts("left"), ["нет"], "kept, with its text");
}

#[test]
fn a_listeners_sound_over_an_uncuttable_prompt_is_no_answer() {
    let mut rig = Rig::new();
    rig.at(0, ask(8000, BargeIn::Off)).says(1000, 1300, "угу");
    rig.last(2100, "угу");
    let (at, reply) = rig.only_reply(20_000);
    assert_eq!((at, reply.kind), (8010 + 5000, ReplyKind::NoInput));
    // "Алло" before the greeting doesn't cut it; "угу" in the question's last moments is a yes.
    let mut rig = Rig::new();
    rig.says(100, 400, "алло").last(1200, "алло");
    rig.at(1300, ask(4000, BargeIn::default()));
    rig.pass(4000);
    assert_eq!(rig.did("stop"), None);
    let mut rig = Rig::new();
    rig.at(0, ask(4000, BargeIn::Off)).says(3300, 3500, "угу");
    rig.last(4300, "угу");
    assert!(rig.only_reply(9000).1.is("yes"));
}

#[test]
fn one_voice_cuts_one_prompt_and_waits_for_its_window() {
    let mut rig = Rig::new();
    rig.at(0, turn(3000, BargeIn::default(), None));
    rig.at(1000, Event::VoiceStarted { at_ms: 1000 });
    rig.partial(1300, "да подождите");
    assert!(rig.only_reply(1300).1.barged_in);
    rig.at(1300, turn(2000, BargeIn::default(), None));
    rig.at(1500, Event::VoiceEnded { at_ms: 1500 });
    rig.last(2300, "да подождите");
    let (at, reply) = rig.only_reply(5000);
    assert_eq!((at, reply.barged_in), (3310, false));
}

#[test]
fn the_history_tells_where_the_prompt_was_held_and_cut() {
    let mut rig = Rig::new();
    rig.at(0, ask(8000, BargeIn::default())).coughs(1000, 1700);
    rig.says(5000, 5400, "да");
    // Paused at 1500, went on at 3500 (nothing was understood), cut at the first words at 5200.
    let at = ["paused", "resumed", "barge_in", "cut"].map(|event| rig.prompt_ms(event));
    assert_eq!(at, [Some(1490), Some(1490), Some(3190), Some(3190)]);
    let mut rig = Rig::new();
    rig.at(0, turn(8000, BargeIn::Off, None))
        .at(2010, Event::HangUp);
    assert_eq!(rig.prompt_ms("stopped"), Some(2000));
}

#[test]
fn the_limits_of_interruption_are_the_dialogs() {
    let mut rig = Rig::new();
    let speech = BargeIn::Speech {
        min_voice_ms: 200,
        guard_ms: 0,
        resume_ms: 1000,
    };
    rig.at(0, ask(8000, speech)).coughs(1000, 1700);
    rig.pass(6000);
    assert_eq!(
        (rig.did("pause"), rig.did("resume")),
        (Some(1200), Some(2200))
    );
}

#[test]
fn early_takes_an_expected_partial_that_has_stood() {
    let mut rig = Rig::new();
    let mut w = window();
    w.early = true;
    rig.at(0, turn(0, BargeIn::default(), Some(w.clone())));
    rig.at(500, Event::VoiceStarted { at_ms: 500 });
    rig.partial(800, "ну").partial(1000, "ну да");
    let (at, reply) = rig.only_reply(2000);
    assert_eq!((at, reply.intent()), (1300, Some("yes")));
    // The rest of that utterance is no answer to the next question, and is kept.
    rig.at(2000, turn(0, BargeIn::default(), Some(w)));
    rig.partial(2100, "ну да конечно");
    rig.at(2300, Event::VoiceEnded { at_ms: 2300 });
    rig.last(3100, "ну да конечно");
    assert_eq!(rig.did("end_utterance"), Some(3000), "its end is told");
    assert_eq!(rig.texts("late_final"), ["ну да конечно"]);
    assert_eq!(rig.only_reply(20_000).1.kind, ReplyKind::NoInput);
}

#[test]
fn keys_typed_ahead_wait_for_their_window() {
    let mut rig = Rig::new();
    let mut w = window();
    w.digits = Some(DigitRule {
        max_digits: 4,
        ..DigitRule::default()
    });
    rig.at(100, Event::Digit('4')).at(200, Event::Digit('2'));
    rig.at(4000, turn(5000, BargeIn::default(), Some(w.clone())));
    rig.at(5000, Event::Digit('7'));
    let (at, reply) = rig.only_reply(20_000);
    assert_eq!((at, reply.digits.as_str()), (5000 + 3000, "427"));
    assert_eq!(rig.did("play"), None, "who has answered hears no question");
    for key in ['4', '2', '#'] {
        rig.at(20_000, Event::Digit(key));
    }
    rig.at(21_000, turn(5000, BargeIn::default(), Some(w)));
    assert_eq!(rig.only_reply(21_000).1.digits.as_str(), "42");
}

#[test]
fn a_key_in_the_middle_of_a_word_takes_the_word_with_it() {
    let mut rig = Rig::new();
    rig.at(0, ask(0, BargeIn::default()));
    rig.at(500, Event::VoiceStarted { at_ms: 500 });
    rig.partial(700, "оди").at(800, Event::Digit('1'));
    assert_eq!(rig.only_reply(800).1.kind, ReplyKind::Digits);
    rig.at(900, ask(3000, BargeIn::default()));
    rig.at(1000, Event::VoiceEnded { at_ms: 1000 });
    rig.last(1800, "один");
    assert_eq!(rig.only_reply(20_000).1.kind, ReplyKind::NoInput);
    assert_eq!(rig.did("stop"), None);
    rig.at(21_000, Event::HangUp);
    assert_eq!(rig.texts("left"), ["один"]);
}

#[test]
fn the_times_of_a_turn_are_told_once() {
    let mut rig = Rig::new();
    rig.at(0, ask(0, BargeIn::default())).says(500, 900, "да");
    rig.last(1750, "да");
    rig.at(1800, ask(3000, BargeIn::default()))
        .at(3000, Event::Digit('1'));
    // A turn without a prompt decides, but nothing is heard of it.
    rig.at(3100, ask(0, BargeIn::default()))
        .at(3500, Event::Digit('2'));
    rig.at(3600, Event::HangUp);
    let names = [
        "window",
        "last_key_ms",
        "end_of_speech_ms",
        "end_of_utterance_ms",
        "final_text_ms",
        "decision_ms",
        "first_audio_ms",
    ];
    let told: Vec<_> = rig
        .noted(kind::TURN)
        .map(|d| names.map(|name| d[name].as_u64()))
        .collect();
    assert_eq!(
        told,
        [
            [
                Some(1),
                None,
                Some(900),
                Some(1600),
                Some(1750),
                Some(1800),
                Some(1810)
            ],
            [Some(2), Some(3000), None, None, None, Some(3100), None],
            [Some(3), Some(3500), None, None, None, None, None],
        ]
    );
}

#[test]
fn words_heard_before_the_recognizer_failed_count() {
    let mut rig = Rig::new();
    rig.at(0, ask(0, BargeIn::default()));
    rig.at(500, Event::VoiceStarted { at_ms: 500 });
    rig.partial(800, "да");
    let reason = "gone".to_owned();
    rig.at(850, Event::Deaf { reason });
    rig.at(900, Event::VoiceEnded { at_ms: 900 });
    let (at, reply) = rig.only_reply(9000);
    assert_eq!(
        (at, reply.intent()),
        (1600, Some("yes")),
        "and at its end: no final is awaited"
    );
    // From now on a voice neither pauses a prompt nor holds the clock.
    rig.at(10_000, ask(2000, BargeIn::default()));
    rig.at(10_500, Event::VoiceStarted { at_ms: 10_500 });
    let (at, reply) = rig.only_reply(60_000);
    assert_eq!(
        (at, reply.kind, rig.did("pause")),
        (17_010, ReplyKind::Failed, None)
    );
}

#[test]
fn texts_of_the_recognizer_that_takes_over_count_once() {
    let mut rig = Rig::new();
    rig.at(0, ask(0, BargeIn::default())).says(500, 900, "да");
    rig.pass(1650);
    rig.give(Event::TakenOver);
    let asked = rig.orders.iter().filter(|(_, o)| *o == "end_utterance");
    assert_eq!(asked.map(|(at, _)| *at).collect::<Vec<_>>(), [1600, 1650]);
    rig.partial(1900, "да приеду").last(2100, "да приеду");
    let (at, reply) = rig.only_reply(9000);
    assert_eq!((at, reply.text), (2100, Spoken::new("да приеду")));
    // One that takes over after the partial was taken repeats it: no second answer.
    let mut rig = Rig::new();
    rig.at(0, ask(0, BargeIn::default())).says(500, 900, "да");
    rig.pass(2200);
    rig.give(Event::TakenOver);
    assert!(rig.only_reply(2200).1.is("yes"));
    rig.at(2300, ask(0, BargeIn::default()));
    rig.partial(2500, "да").last(2600, "да");
    assert_eq!(rig.only_reply(20_000).1.kind, ReplyKind::NoInput);
}

#[test]
fn a_prompt_goes_on_where_the_medium_broke() {
    let mut rig = Rig::new();
    rig.at(0, ask(5000, BargeIn::default())).pass(2010);
    rig.lose_medium();
    rig.pass(4000);
    rig.find_medium();
    // 2 s were heard; 3 s and the medium's 10 ms are left.
    assert_eq!(
        (rig.prompt_ms("lost"), rig.prompt_ms("again")),
        (Some(2000), Some(2000))
    );
    rig.says(7500, 8000, "да").last(8100, "да");
    let (_, reply) = rig.only_reply(20_000);
    assert!(reply.is("yes") && !reply.barged_in, "{reply:?}");
    assert_eq!(rig.prompt_ms("ended"), Some(3000), "the rig's own part");
    // What was ordered while it was broken plays from its start; and what is said meanwhile counts.
    rig.lose_medium();
    rig.at(21_000, ask(1000, BargeIn::Off)).pass(22_000);
    rig.find_medium();
    rig.says(23_500, 24_000, "нет").last(24_100, "нет");
    assert!(rig.only_reply(40_000).1.is("no"));
    // One that never comes back is given up like one that is stuck.
    rig.at(41_000, ask(1000, BargeIn::Off)).pass(41_500);
    rig.lose_medium();
    let (at, reply) = rig.only_reply(90_000);
    assert_eq!((at, reply.kind), (62_010, ReplyKind::NoInput));
}
