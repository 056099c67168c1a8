//! What people and machines do, and what is made of it.

use std::sync::Arc;

use super::*;

/// What is heard; times from the answer.
enum Do {
    /// A voice from, to.
    Voice(u64, u64),
    /// A partial.
    Partial(u64, &'static str),
    /// A last text.
    Final(u64, &'static str),
    /// A tone from, to, at a frequency.
    Tone(u64, u64, u32),
    /// The dialog wants to leave a message.
    Await(u64),
}

use Do::{Await, Final, Partial, Tone as Beeps, Voice};

/// The call was answered then.
const ANSWERED_MS: u64 = 5_000;
/// Voice activity tells an end so late.
const HANGOVER_MS: u64 = 200;

/// Everything told, as `who by after_ms`, and `awaited by after_ms`.
fn heard(script: &[Do]) -> Vec<String> {
    let answers = Arc::new(Answers::builtin());
    let mut decider = Decider::new(answers, ANSWERED_MS);
    let at = |ms: u64| ms + ANSWERED_MS;
    type Step<'a> = (u64, Box<dyn Fn(&mut Decider, u64) + 'a>);
    let mut steps: Vec<Step<'_>> = Vec::new();
    for what in script {
        match what {
            Voice(from, to) => {
                steps.push((
                    from + 60,
                    Box::new(move |d, now| d.voice_started(at(*from), now)),
                ));
                let told = to + HANGOVER_MS;
                steps.push((told, Box::new(move |d, now| d.voice_ended(at(*to), now))));
            }
            Partial(ms, text) => {
                steps.push((*ms, Box::new(move |d, now| d.text(text, false, now))));
            }
            Final(ms, text) => steps.push((*ms, Box::new(move |d, now| d.text(text, true, now)))),
            Beeps(from, to, hz) => {
                let tone = Tone {
                    from_ms: at(*from),
                    to_ms: at(*to),
                    hz: *hz,
                };
                steps.push((to + 40, Box::new(move |d, now| d.tone(tone, now))));
            }
            Await(ms) => steps.push((*ms, Box::new(|d, now| d.await_tone(now)))),
        }
    }
    steps.sort_by_key(|(ms, _)| *ms);
    let mut told = Vec::new();
    let mut now = ANSWERED_MS;
    let mut steps = steps.into_iter().peekable();
    loop {
        let next = steps.peek().map(|(ms, _)| at(*ms));
        let timer = decider.wait_until(now);
        match (next, timer) {
            (None, None) => break,
            (step, Some(timer)) if step.is_none_or(|step| timer < step) => {
                now = timer;
                decider.clock(now);
            }
            _ => {
                let (ms, act) = steps.next().unwrap();
                now = at(ms);
                act(&mut decider, now);
            }
        }
        while let Some(news) = decider.poll() {
            told.push(match news {
                Told::Verdict(v) => format!("{} {} {}", v.who.as_str(), v.by.as_str(), v.after_ms),
                Told::Awaited(a) => format!("awaited {} {}", a.as_str(), now - ANSWERED_MS),
            });
        }
        assert!(now < ANSWERED_MS + 100_000, "no end: {told:?}");
    }
    told
}

#[test]
fn a_person_is_known_by_words_or_by_waiting() {
    assert_eq!(
        heard(&[Voice(400, 800), Partial(900, "алло")]),
        ["person words 900"]
    );
    assert_eq!(
        heard(&[Voice(400, 1_600), Final(2_400, "мастерская Иванова")]),
        ["person cadence 2100"],
        "0.5 s after the voice's end"
    );
    assert_eq!(
        heard(&[
            Voice(400, 800),
            Partial(700, "да"),
            Voice(1_400, 1_800),
            Final(2_600, "да слушаю вас")
        ]),
        ["person words 700"]
    );
    assert_eq!(
        heard(&[
            Voice(400, 3_800),
            Final(4_300, "мастерская Иванова здравствуйте слушаем вас")
        ]),
        ["person cadence 5300"],
        "who says more waits 1.5 s"
    );
    // Nobody speaks: it can't be told, and nobody waits for it.
    assert_eq!(heard(&[]), ["unsure cadence 10000"]);
}

#[test]
fn a_long_speech_alone_makes_no_machine() {
    let story = [
        Voice(300, 7_000),
        Partial(2_000, "да да я слышу вас хорошо мы сейчас едем в машине"),
        Final(7_600, "да да я слышу вас хорошо мы сейчас едем в машине"),
    ];
    assert_eq!(heard(&story), ["unsure cadence 4300"]);
    // "Вы автоответчик?" is a question of a person's.
    assert_eq!(
        heard(&[Voice(400, 1_500), Final(2_000, "это что автоответчик")]),
        ["person cadence 2000"]
    );
    // The microwave of somebody who has just said a word.
    assert_eq!(
        heard(&[
            Voice(400, 800),
            Final(1_200, "алло"),
            Beeps(1_500, 1_900, 1_000)
        ]),
        ["person words 1200"]
    );
}

#[test]
fn a_machine_is_known_by_words_that_stand() {
    let greeting = [
        Voice(500, 4_600),
        Partial(1_500, "здравствуйте"),
        Partial(2_500, "здравствуйте оставьте"),
        Partial(3_000, "здравствуйте оставьте сообщение"),
        Partial(3_500, "здравствуйте оставьте сообщение после"),
    ];
    assert_eq!(heard(&greeting), ["voicemail words 3300"]);
    // A recognizer that changes its mind.
    let flicker = [
        Voice(500, 1_600),
        Partial(1_000, "абонент недоступен"),
        Partial(1_200, "а мне то доступен"),
        Final(2_000, "а мне-то доступен"),
    ];
    assert_eq!(heard(&flicker), ["person cadence 2100"]);
    // Words win over the rhythm, later too.
    let pauses = [
        Voice(300, 1_000),
        Final(1_400, "здравствуйте"),
        Voice(2_000, 5_000),
        Final(5_600, "вы позвонили на автоответчик"),
    ];
    assert_eq!(
        heard(&pauses),
        ["person cadence 1500", "voicemail words 5600"]
    );
    // An announcement over two texts.
    let cut = [
        Voice(300, 1_600),
        Final(1_900, "аппарат вызываемого"),
        Final(
            2_400,
            "абонента выключен или находится вне зоны действия сети",
        ),
    ];
    assert_eq!(
        heard(&cut),
        ["person cadence 2100", "unreachable words 2400"]
    );
    // Words of the same kind said by nobody in the first half minute are no greeting.
    assert_eq!(
        heard(&[
            Voice(300, 700),
            Final(900, "алло"),
            Final(40_000, "оставьте сообщение после сигнала")
        ]),
        ["person words 900"]
    );
}

#[test]
fn what_people_say_too_counts_in_a_long_speech_only() {
    let long = [
        Voice(300, 6_000),
        Partial(2_000, "привет это мария я сейчас не могу ответить"),
        Partial(
            4_500,
            "привет это мария я сейчас не могу ответить но если вы расскажете",
        ),
    ];
    assert_eq!(heard(&long), ["voicemail words 4300"]);
    assert_eq!(
        heard(&[Voice(300, 1_900), Final(2_300, "я сейчас не могу ответить")]),
        ["person cadence 2400"]
    );
}

#[test]
fn a_beep_after_a_long_speech_is_a_machines() {
    // A greeting in a language that nobody recognizes.
    let foreign = [Voice(300, 5_500), Beeps(6_000, 6_400, 1_000)];
    assert_eq!(
        heard(&foreign),
        ["unsure cadence 4300", "voicemail tone 6440"]
    );
    for no_beep in [
        Beeps(6_000, 6_400, 425),
        Beeps(9_000, 9_400, 1_000),
        Beeps(6_000, 9_500, 1_100),
    ] {
        assert_eq!(
            heard(&[Voice(300, 5_500), no_beep]),
            ["unsure cadence 4300"]
        );
    }
}

#[test]
fn a_message_follows_the_tone_or_the_silence() {
    let tone = [
        Voice(300, 4_000),
        Final(2_000, "оставьте сообщение после сигнала"),
        Await(2_010),
        Beeps(4_400, 4_800, 1_000),
    ];
    assert_eq!(heard(&tone), ["voicemail words 2000", "awaited tone 4840"]);
    // The tone came before the recognizer's text.
    let late = [
        Voice(300, 3_000),
        Beeps(3_300, 3_700, 1_400),
        Final(5_000, "оставьте сообщение после сигнала"),
        Await(5_010),
    ];
    assert_eq!(heard(&late).last().unwrap(), "awaited tone 5010");
    // Voice activity takes the beep for a voice.
    let voiced = [
        Voice(300, 3_000),
        Final(2_800, "оставьте сообщение после сигнала"),
        Await(2_810),
        Voice(3_310, 3_690),
        Beeps(3_300, 3_700, 1_400),
    ];
    assert_eq!(heard(&voiced).last().unwrap(), "awaited tone 3740");
    let assistant = [
        Voice(300, 4_000),
        Final(3_000, "я голосовой помощник что передать абоненту"),
        Await(3_010),
    ];
    assert_eq!(
        heard(&assistant),
        ["assistant words 3000", "awaited silence 6000"]
    );
    // An announcement takes no message, unless it goes on to a mailbox.
    let unreachable = [
        Voice(300, 4_000),
        Final(3_000, "абонент временно недоступен"),
        Await(3_010),
    ];
    assert_eq!(
        heard(&unreachable),
        ["unreachable words 3000", "awaited no_message 6000"]
    );
    let mailbox = [
        Voice(300, 7_000),
        Final(3_000, "абонент временно недоступен"),
        Await(3_010),
        Partial(6_000, "оставьте сообщение после сигнала"),
        Beeps(7_500, 7_900, 1_000),
    ];
    assert_eq!(
        heard(&mailbox),
        [
            "unreachable words 3000",
            "voicemail words 6300",
            "awaited tone 7940"
        ]
    );
    // Who never ends is not waited for.
    let endless = [
        Voice(300, 90_000),
        Final(3_000, "оставьте сообщение после сигнала"),
        Await(3_010),
    ];
    assert_eq!(heard(&endless).last().unwrap(), "awaited no_message 43010");
}

#[test]
fn before_the_answer_the_operators_words_are_kept() {
    let said = |texts: &[(u64, &str, bool)]| {
        let mut all = Announcements::new(Arc::new(Answers::builtin()));
        for (ms, text, is_final) in texts {
            all.text(text, *is_final, *ms);
        }
        all.said().map(|said| said.what)
    };
    assert_eq!(
        said(&[
            (100, "набранный вами", false),
            (600, "набранный вами номер не существует", true)
        ]),
        Some(Announced::InvalidNumber)
    );
    assert_eq!(
        said(&[
            (100, "абонент временно недоступен", true),
            (5_000, "the subscriber is temporarily unavailable", true)
        ]),
        Some(Announced::Unreachable)
    );
    assert_eq!(
        said(&[(100, "абонент не отвечает", false)]),
        Some(Announced::NoAnswer)
    );
    assert_eq!(said(&[(100, "белые розы белые розы", true)]), None);
}
