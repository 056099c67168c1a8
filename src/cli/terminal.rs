//! The person of `talk`: what is typed is said, when its moment has come.
//!
//! The clock is virtual. At the keyboard prompts take a third of their time, so that one can cut in (an empty line skips the
//! rest); while the robot listens it stands still, and who wants to be silent says so. From a pipe nothing waits.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use jiff::civil::DateTime;

use crate::call::history::kind;
use crate::rehearsal::person::MACHINE_SAYS;
use crate::rehearsal::scene::{Act as Deed, HistoryLine, Next, Person, Scene};
use crate::rehearsal::voice::Voice;
use crate::rehearsal::write::Written;

use super::caller::{Act, parse};
use super::{screen, transcript, understand};

/// A polite person answers so long after the prompt's end, milliseconds.
const POLITE_MS: u64 = 300;
/// Somebody who cuts in listens for so long first.
const CUTS_AFTER_MS: u64 = 1_500;
/// Who said something that closes no window goes on after this.
const PATIENCE_MS: u64 = 4_000;
/// Prompts play so much faster than a voice speaks: who reads needs no more.
const SPEED: u64 = 3;
/// Typed lines that may wait.
const LINES: usize = 64;

/// The person.
pub(super) struct Terminal {
    typed: Option<Receiver<String>>,
    acts: VecDeque<Act>,
    keyboard: bool,
    /// Prompts take time.
    paced: bool,
    speaks: bool,
    /// The rest of the prompts is skipped.
    skips: bool,
    acted: Option<(u64, u64)>,
    silent_in: Option<u64>,
    /// When the talk began: days are counted from here.
    began: DateTime,
    /// What was said last.
    said: String,
    /// The talk as a test case.
    pub(super) written: Vec<Written>,
}

impl Terminal {
    /// Reads standard input on a thread that ends with the process: a read can't be called off.
    pub(super) fn new(fast: bool, began: DateTime) -> Self {
        let (typed, lines) = sync_channel(LINES);
        let reading = std::thread::Builder::new()
            .name("keyboard".to_owned())
            .spawn(move || {
                for line in std::io::stdin().lines() {
                    let Ok(line) = line else { return };
                    if typed.send(line).is_err() {
                        return;
                    }
                }
            });
        if let Err(error) = reading {
            screen::fault(&format!("клавиатура недоступна: {error}"));
        }
        let keyboard = screen::has_keyboard();
        Self {
            typed: Some(lines),
            acts: VecDeque::new(),
            keyboard,
            paced: keyboard && !fast,
            speaks: false,
            skips: false,
            acted: None,
            silent_in: None,
            began,
            said: String::new(),
            written: Vec::new(),
        }
    }

    /// One more line from the keyboard, whatever it is: after the talk.
    pub(super) fn line(&self) -> Option<String> {
        self.typed.as_ref()?.recv().ok()
    }

    fn take(&mut self, line: &str) {
        match parse(line) {
            Ok(None) => self.skips = true,
            Ok(Some(act)) => self.acts.push_back(act),
            Err(sentence) => screen::line(&format!(
                "         {}",
                sentence.replace('\n', "\n         ")
            )),
        }
    }

    /// What is typed while the robot listens. The end of a pipe is just nothing more to say; that of a keyboard a hang-up.
    fn wait_for_line(&mut self) {
        while self.acts.is_empty() {
            if self.keyboard {
                screen::text("Вы:      ");
            }
            match self.typed.as_ref().and_then(|typed| typed.recv().ok()) {
                Some(line) => self.take(&line),
                None => {
                    self.typed = None;
                    if self.keyboard {
                        screen::line("");
                        self.acts.push_back(Act::HangUp);
                    }
                    return;
                }
            }
        }
    }

    fn say(&mut self, scene: &Scene, deed: Deed, written: Written) -> Next {
        self.acts.pop_front();
        self.written.push(written);
        let length_ms = match &deed {
            Deed::Speak(voice) => voice.length_ms,
            _ => 0,
        };
        self.acted = Some((scene.turns, scene.now_ms + length_ms + PATIENCE_MS));
        Next::Do(deed)
    }
}

impl Person for Terminal {
    fn next(&mut self, scene: &Scene) -> Next {
        self.speaks = scene.speaks;
        if scene.over {
            return Next::Nothing;
        }
        let busy_until = self
            .acted
            .filter(|(turn, until_ms)| *turn == scene.turns && *until_ms > scene.now_ms);
        let quiet_ms = scene.quiet_since_ms.filter(|_| busy_until.is_none());
        if self.acts.is_empty() && quiet_ms.is_some() {
            self.skips = false;
            if self.typed.is_some() {
                self.wait_for_line();
            }
        }
        let busy = busy_until.map_or(Next::Nothing, |(_, until_ms)| Next::At(until_ms));
        let polite = |at_ms: u64| {
            let at_ms = at_ms + POLITE_MS;
            (at_ms > scene.now_ms).then_some(Next::At(at_ms))
        };
        match self.acts.front().cloned() {
            None => busy,
            Some(Act::Silence) => {
                let Some(turn) = self.silent_in else {
                    if quiet_ms.is_some() {
                        self.silent_in = Some(scene.turns);
                    }
                    return busy;
                };
                if scene.turns > turn || scene.quiet_since_ms.is_none() {
                    self.silent_in = None;
                    self.acts.pop_front();
                    // It was silent before the robot went on.
                    let prompts = self
                        .written
                        .iter()
                        .rev()
                        .take_while(|w| matches!(w, Written::Robot(_)))
                        .count();
                    let since = scene
                        .heard
                        .iter()
                        .rev()
                        .take(prompts)
                        .filter(|heard| heard.at_ms >= scene.ended_ms)
                        .count();
                    self.written
                        .insert(self.written.len() - since, Written::Silence);
                    return self.next(scene);
                }
                Next::Nothing
            }
            Some(Act::HangUp) => {
                let into_ms = scene
                    .sounds()
                    .filter(|_| quiet_ms.is_none())
                    .map(|heard| scene.now_ms - heard.at_ms);
                match (quiet_ms, into_ms) {
                    (None, None) if scene.turns > 0 && !self.paced => busy,
                    _ => self.say(scene, Deed::HangUp, Written::HangUp(into_ms)),
                }
            }
            Some(Act::Machine) => {
                if scene.turns == 0 {
                    return busy;
                }
                let voice = Voice::machine(MACHINE_SAYS);
                self.say(scene, Deed::Speak(voice), Written::Machine)
            }
            Some(Act::Interrupt(words)) => {
                let Some(sounds) = scene.sounds() else {
                    return match quiet_ms {
                        Some(_) => self.say(
                            scene,
                            Deed::Speak(Voice::says(&words)),
                            Written::Says(words, None),
                        ),
                        None => busy,
                    };
                };
                let at_ms = if self.paced {
                    scene.now_ms
                } else {
                    sounds.at_ms + CUTS_AFTER_MS
                };
                if at_ms > scene.now_ms {
                    return Next::At(at_ms);
                }
                let into_ms = scene.now_ms - sounds.at_ms;
                self.say(
                    scene,
                    Deed::Speak(Voice::says(&words)),
                    Written::Says(words, Some(into_ms)),
                )
            }
            Some(Act::Say(words)) => match quiet_ms {
                Some(at_ms) => match polite(at_ms) {
                    Some(later) => later,
                    None => self.say(
                        scene,
                        Deed::Speak(Voice::says(&words)),
                        Written::Says(words, None),
                    ),
                },
                None => busy,
            },
            Some(Act::Digits(keys)) => {
                let into_ms = scene
                    .sounds()
                    .filter(|_| self.paced)
                    .map(|heard| scene.now_ms - heard.at_ms);
                if into_ms.is_none() && quiet_ms.is_none() {
                    return busy;
                }
                self.say(
                    scene,
                    Deed::Press(keys.clone()),
                    Written::Presses(keys, into_ms),
                )
            }
        }
    }

    fn pass(&mut self, now_ms: u64, until_ms: u64) -> u64 {
        if !self.paced || !self.speaks || self.skips {
            return until_ms;
        }
        let Some(typed) = &self.typed else {
            return until_ms;
        };
        let began = Instant::now();
        match typed.recv_timeout(Duration::from_millis((until_ms - now_ms) / SPEED)) {
            Ok(line) => {
                self.take(&line);
                let passed = u64::try_from(began.elapsed().as_millis()).unwrap_or(0) * SPEED;
                (now_ms + passed).min(until_ms)
            }
            Err(RecvTimeoutError::Timeout) => until_ms,
            Err(RecvTimeoutError::Disconnected) => {
                self.typed = None;
                self.acts.push_back(Act::HangUp);
                now_ms
            }
        }
    }

    fn transferred(&mut self, number: &str) -> &'static str {
        self.written.push(Written::Transfer(number.to_owned()));
        "answered"
    }

    fn saw(&mut self, line: &HistoryLine) {
        if line.kind == kind::PROMPT && line.word("event") == "started" {
            self.written
                .push(Written::Robot(line.word("name").to_owned()));
        }
        if let Some(text) = transcript::line(line) {
            // What was typed stands there already.
            if !(self.keyboard && line.kind == kind::UTTERANCE && line.word("state") == "complete")
            {
                screen::line(&text);
            }
        }
        if line.kind == kind::UTTERANCE && line.word("state") == "complete" {
            line.word("text").clone_into(&mut self.said);
        }
        // What is no answer by name may be a day or a number.
        if line.kind == kind::WINDOW
            && line.word("reason") == "speech"
            && line.word("intent").is_empty()
        {
            let figures = understand::figures(&self.said, self.began);
            if !figures.is_empty() {
                screen::line(&format!("           прочитано: {figures}"));
            }
        }
    }
}
