//! The person on the line, played at the keyboard (or by a list of lines): what may be typed, and when each line is said.
//!
//! A line is said when the robot has finished speaking, as a polite person does; what cuts it in has a word of its own.
//! So a list of lines from a pipe holds the same talk as a person who types them.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde_json::Value;

/// What `talk --help` says of it.
pub(super) const HELP: &str = "\
Что вводить за человека на линии:
  обычный текст            сказать, когда робот договорит
  пустая строка            не ждать, пока робот договорит
  /перебить текст          сказать сейчас, поверх фразы робота   (/interrupt)
  /цифры 123               нажать клавиши                        (/digits)
  /тишина                  промолчать, пока робот слушает        (/silence)
  /отбой                   положить трубку                       (/hangup)
  /автоответчик            ответил автоответчик: приветствие и сигнал  (/machine)
  /справка                 эта подсказка                         (/help)
Пока робот слушает, время стоит: думайте сколько нужно.
Строки можно подать и без клавиатуры: printf 'алло\\nда\\n' | govorun talk confirm_visit";

/// The robot is taken to have finished when it has been silent for so long after a prompt: prompts follow each other.
const FINISHED: Duration = Duration::from_millis(300);
/// Somebody who cuts in listens for so long first.
const CUTS_AFTER: Duration = Duration::from_millis(1_500);
/// Waiting longer for a moment that doesn't come makes no sense.
const PATIENCE: Duration = Duration::from_secs(4);

/// What the person does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Says it when the robot has finished.
    Say(String),
    /// Says it over the prompt.
    Interrupt(String),
    /// Presses keys.
    Digits(String),
    /// Keeps silent until the robot gives up listening.
    Silence,
    /// Is no person: a machine greets and beeps.
    Machine,
    /// Hangs up.
    HangUp,
}

/// A typed line. `Ok(None)`: nothing; the error is a sentence.
pub(super) fn parse(line: &str) -> Result<Option<Act>, String> {
    let line = line.trim();
    let Some(command) = line.strip_prefix('/') else {
        return Ok((!line.is_empty()).then(|| Act::Say(line.to_owned())));
    };
    let (word, rest) = command
        .split_once(char::is_whitespace)
        .unwrap_or((command, ""));
    let rest = rest.trim();
    match word.to_lowercase().as_str() {
        "тишина" | "silence" => Ok(Some(Act::Silence)),
        "автоответчик" | "machine" => Ok(Some(Act::Machine)),
        "отбой" | "hangup" => Ok(Some(Act::HangUp)),
        "перебить" | "interrupt" if rest.is_empty() => {
            Err("что сказать? Например: /перебить да, приеду".to_owned())
        }
        "перебить" | "interrupt" => Ok(Some(Act::Interrupt(rest.to_owned()))),
        "цифры" | "digits" => {
            let digits: String = rest.chars().filter(|c| !c.is_whitespace()).collect();
            let wrong = digits.chars().find(|c| !"0123456789*#".contains(*c));
            match wrong {
                _ if digits.is_empty() => Err("какие клавиши? Например: /цифры 123#".to_owned()),
                Some(wrong) => Err(format!(
                    "клавиши «{wrong}» на телефоне нет: есть 0–9, * и #"
                )),
                None => Ok(Some(Act::Digits(digits))),
            }
        }
        "справка" | "help" | "?" => Err(HELP.to_owned()),
        other => Err(format!(
            "команды /{other} нет; есть /перебить, /цифры, /тишина, /отбой, /автоответчик, /справка"
        )),
    }
}

/// The person: what they are about to do, and what they hear.
#[derive(Debug)]
pub(super) struct Caller {
    acts: VecDeque<Act>,
    /// Sits at a keyboard: cutting in, keys and hanging up happen at once.
    at_once: bool,
    /// The prompt that plays, and since when.
    prompt_since: Option<Instant>,
    /// The last prompt ended then; `None` before the first one.
    quiet_since: Option<Instant>,
    /// Windows that have closed.
    windows: u64,
    /// The number of windows when something was last said: one answer a window.
    said_at: Option<(u64, Instant)>,
    /// Since when the act at hand has waited, and the number of windows then.
    waits: Option<(Instant, u64)>,
}

impl Caller {
    /// With a keyboard, or without.
    pub(super) fn new(at_once: bool) -> Self {
        Self {
            acts: VecDeque::new(),
            at_once,
            prompt_since: None,
            quiet_since: None,
            windows: 0,
            said_at: None,
            waits: None,
        }
    }

    /// One more thing to do. The answer: it has to wait, for the robot speaks.
    pub(super) fn add(&mut self, act: Act) -> bool {
        let waits = self.prompt_since.is_some() && matches!(act, Act::Say(_));
        if self.at_once && !matches!(act, Act::Say(_) | Act::Silence) {
            self.acts.push_front(act);
        } else {
            self.acts.push_back(act);
        }
        waits
    }

    /// Takes in what happens in the call.
    pub(super) fn hears(&mut self, event: &Value, now: Instant) {
        let what = event["data"]["event"].as_str().unwrap_or_default();
        match (event["kind"].as_str().unwrap_or_default(), what) {
            ("prompt", "started") => {
                self.prompt_since = Some(now);
                self.quiet_since = None;
            }
            ("prompt", "ended" | "cut" | "stopped" | "failed" | "barge_in") => {
                self.prompt_since = None;
                self.quiet_since = Some(now);
            }
            ("window", _) => self.windows += 1,
            _ => {}
        }
    }

    /// What to do now, if anything.
    pub(super) fn next(&mut self, now: Instant) -> Option<Act> {
        let (since, windows) = match (self.acts.front(), self.waits) {
            (None, _) => return None,
            (Some(_), Some(waits)) => waits,
            (Some(_), None) => {
                self.waits = Some((now, self.windows));
                (now, self.windows)
            }
        };
        let act = self.acts.front()?;
        let quiet = self
            .quiet_since
            .is_some_and(|since| now >= since + FINISHED);
        let answered = match self.said_at {
            Some((windows, at)) => self.windows > windows || now >= at + PATIENCE,
            None => true,
        };
        let now_is_the_moment = match act {
            Act::Say(_) => quiet && answered,
            Act::Interrupt(_) | Act::Machine if self.at_once => true,
            Act::Machine => self.quiet_since.is_some() || self.prompt_since.is_some(),
            Act::Interrupt(_) => match self.prompt_since {
                Some(since) => now >= since + CUTS_AFTER,
                None => quiet && answered && now >= since + PATIENCE,
            },
            Act::Digits(_) => self.at_once || (quiet && answered),
            Act::Silence => self.windows > windows,
            Act::HangUp => {
                self.at_once
                    || (answered && (self.quiet_since.is_some() || self.prompt_since.is_some()))
            }
        };
        if !now_is_the_moment {
            return None;
        }
        self.waits = None;
        let act = self.acts.pop_front();
        if let Some(Act::Say(_) | Act::Interrupt(_) | Act::Digits(_)) = act {
            self.said_at = Some((self.windows, now));
        }
        act
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lines_become_acts() {
        for (line, want) in [
            ("  да, приеду ", Ok(Some(Act::Say("да, приеду".into())))),
            ("", Ok(None)),
            ("/тишина", Ok(Some(Act::Silence))),
            ("/Silence", Ok(Some(Act::Silence))),
            ("/цифры 1 2#", Ok(Some(Act::Digits("12#".into())))),
            ("/digits 7", Ok(Some(Act::Digits("7".into())))),
            ("/перебить стой", Ok(Some(Act::Interrupt("стой".into())))),
            ("/отбой", Ok(Some(Act::HangUp))),
            ("/hangup", Ok(Some(Act::HangUp))),
            ("/автоответчик", Ok(Some(Act::Machine))),
            ("/цифры", Err("какие клавиши")),
            ("/цифры 1a", Err("«a»")),
            ("/перебить", Err("что сказать")),
            ("/пауза", Err("команды /пауза нет")),
            ("/справка", Err("/перебить")),
        ] {
            match (parse(line), want) {
                (Ok(got), Ok(want)) => assert_eq!(got, want, "{line}"),
                (Err(got), Err(want)) => assert!(got.contains(want), "{line}: {got}"),
                (got, want) => panic!("{line}: {got:?}, not {want:?}"),
            }
        }
    }

    fn event(kind: &str, what: &str) -> Value {
        json!({"kind": kind, "data": {"event": what}})
    }

    #[test]
    fn a_polite_person_waits_and_a_hasty_one_cuts_in() {
        let began = Instant::now();
        let at = |ms| began + Duration::from_millis(ms);
        let mut caller = Caller::new(false);
        caller.add(Act::Interrupt("кто это".into()));
        caller.add(Act::Say("да".into()));
        assert_eq!(caller.next(at(0)), None);
        caller.hears(&event("prompt", "started"), at(100));
        assert_eq!(caller.next(at(1_000)), None);
        assert_eq!(
            caller.next(at(1_600)),
            Some(Act::Interrupt("кто это".into()))
        );
        caller.hears(&event("prompt", "cut"), at(1_700));
        // The same window still listens to what was said.
        assert_eq!(caller.next(at(2_200)), None);
        caller.hears(&event("window", ""), at(2_300));
        caller.hears(&event("prompt", "started"), at(2_310));
        assert_eq!(caller.next(at(2_700)), None);
        caller.hears(&event("prompt", "ended"), at(5_000));
        assert_eq!(caller.next(at(5_100)), None);
        assert_eq!(caller.next(at(5_400)), Some(Act::Say("да".into())));
        assert_eq!(caller.next(at(9_000)), None);
    }

    #[test]
    fn silence_lasts_until_the_window_closes() {
        let began = Instant::now();
        let mut caller = Caller::new(false);
        caller.add(Act::Silence);
        caller.add(Act::HangUp);
        caller.hears(&event("prompt", "ended"), began);
        assert_eq!(caller.next(began), None);
        caller.hears(&event("window", ""), began);
        assert_eq!(caller.next(began), Some(Act::Silence));
        assert_eq!(caller.next(began), Some(Act::HangUp));
    }

    #[test]
    fn at_the_keyboard_keys_and_cutting_in_are_at_once() {
        let now = Instant::now();
        let mut caller = Caller::new(true);
        caller.hears(&event("prompt", "started"), now);
        assert!(caller.add(Act::Say("потом".into())));
        assert!(!caller.add(Act::Digits("1".into())));
        assert_eq!(caller.next(now), Some(Act::Digits("1".into())));
        assert_eq!(caller.next(now), None);
        caller.add(Act::HangUp);
        assert_eq!(caller.next(now), Some(Act::HangUp));
    }
}
