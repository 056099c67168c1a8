//! The person of a test case: goes through its steps, and sees where the call goes another way.

use std::collections::VecDeque;

use super::case::{Canned, Case, Deed, FarEnd, Step, What, When};
use super::scene::{Act, Heard, HistoryLine, Next, Person, Scene};
use super::trial::alike;
use super::voice::Voice;
use crate::call::history::kind;
use crate::net::web::{WebAnswer, WebFault, WebOrder};

/// Somebody who has done something in a window that doesn't close waits so long before the next thing, milliseconds.
const PATIENCE_MS: u64 = 4_000;
/// An answering machine begins so soon.
const MACHINE_MS: u64 = 300;
/// An assistant says this.
const ASSISTANT_SAYS: &str =
    "здравствуйте вас приветствует голосовой помощник абонент сейчас занят что ему передать";
/// An operator.
const OPERATOR_SAYS: &str = "аппарат абонента выключен или находится вне зоны действия сети";
/// And a machine.
pub const MACHINE_SAYS: &str = "здравствуйте абонент не может ответить на ваш звонок оставьте сообщение после звукового сигнала";

/// Where a call and its case differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// How many history lines precede it.
    pub at: usize,
    /// The line in the test file; 0: of the whole case.
    pub line: usize,
    /// What was wanted and what was there.
    pub message: String,
}

/// What the person did, for what is judged afterwards.
#[derive(Debug)]
struct Done {
    step: Step,
    /// History lines before it.
    at: usize,
}

/// The person.
#[derive(Debug)]
pub(super) struct CasePerson {
    steps: VecDeque<Step>,
    /// Prompts that steps have used up.
    used: usize,
    /// What was done in this turn, and until when the next thing waits.
    acted: Option<(u64, u64)>,
    /// The turn in which a silence began.
    silent_in: Option<(u64, u64)>,
    /// When the person last did something, for `within`.
    last_ms: u64,
    /// What a machine says first.
    machine: Option<Voice>,
    web: VecDeque<Canned>,
    /// What went another way while the dialog waited for something else.
    surprise: Option<(usize, String)>,
    done: Vec<Done>,
    pub(super) differences: Vec<Difference>,
    /// Saw no way on, and hung up.
    pub(super) gave_up: bool,
}

impl CasePerson {
    pub(super) fn new(case: &Case) -> Self {
        Self {
            steps: case.steps.iter().cloned().collect(),
            used: 0,
            acted: None,
            silent_in: None,
            last_ms: 0,
            machine: match case.far_end {
                FarEnd::Machine => Some(Voice::machine(MACHINE_SAYS)),
                FarEnd::Assistant => Some(Voice::says(ASSISTANT_SAYS)),
                FarEnd::Announcement => Some(Voice::says(OPERATOR_SAYS)),
                FarEnd::Person | FarEnd::Nobody(_) => None,
            },
            web: case.web.iter().cloned().collect(),
            surprise: None,
            done: Vec::new(),
            differences: Vec::new(),
            gave_up: false,
        }
    }

    fn differs(&mut self, scene: &Scene, line: usize, message: String) -> Next {
        self.differences.push(Difference {
            at: scene.lines.len(),
            line,
            message,
        });
        self.steps.clear();
        self.gave_up = true;
        Next::Do(Act::HangUp)
    }

    /// What the dialog has said since the last step that heard something.
    fn said(&self, scene: &Scene) -> String {
        let texts: Vec<String> = scene
            .heard
            .iter()
            .skip(self.used)
            .map(|h| format!("«{}»", h.text))
            .collect();
        if texts.is_empty() {
            "он ничего не сказал".to_owned()
        } else {
            format!("он сказал {}", texts.join(", "))
        }
    }

    /// The robot's step; false where it has yet to be heard.
    fn hears(&mut self, heard: &[Heard], text: &str, within_ms: Option<u64>, line: usize) -> bool {
        let Some(at) = (self.used..heard.len()).find(|n| holds(&heard[*n].text, text)) else {
            return false;
        };
        self.used = at + 1;
        let took = heard[at].at_ms.saturating_sub(self.last_ms);
        if let Some(within_ms) = within_ms.filter(|within_ms| took > *within_ms) {
            let (took, wanted) = (seconds(took), seconds(within_ms));
            self.differences.push(Difference {
                at: heard[at].line + 1,
                line,
                message: format!(
                    "робот сказал это через {took} с, а надо не позже чем через {wanted} с"
                ),
            });
        }
        true
    }

    /// When the act comes; `None`: that can't be said yet.
    fn moment(&self, scene: &Scene, when: &When) -> Option<u64> {
        match when {
            When::Polite(after_ms) => {
                let quiet_ms = scene.quiet_since_ms?;
                let free_ms = match self.acted {
                    // A message may have several parts.
                    Some((turn, until_ms)) if turn == scene.turns && scene.message => {
                        until_ms - PATIENCE_MS + after_ms
                    }
                    Some((turn, until_ms)) if turn == scene.turns => until_ms,
                    _ => 0,
                };
                Some((quiet_ms + after_ms).max(free_ms))
            }
            When::Into(ms) => scene.sounds().map(|heard| heard.at_ms + ms),
            When::At(words) => {
                let heard = scene.sounds()?;
                let at = position(&heard.text, words)?;
                Some(heard.at_ms + super::mouth::spoken_ms(&heard.text[..at]))
            }
        }
    }

    fn act(&mut self, scene: &Scene, step: Step) -> Next {
        let What::Person { deed, .. } = &step.what else {
            return Next::Nothing;
        };
        let mut length_ms = 0;
        let act = match deed {
            Deed::Speak(voice) => {
                length_ms = voice.length_ms;
                Act::Speak(voice.clone())
            }
            Deed::Press(keys) => Act::Press(keys.clone()),
            Deed::HangUp | Deed::Silence(_) => Act::HangUp,
        };
        self.last_ms = scene.now_ms + length_ms;
        self.acted = Some((scene.turns, self.last_ms + PATIENCE_MS));
        self.finish(scene, step);
        Next::Do(act)
    }

    fn finish(&mut self, scene: &Scene, step: Step) {
        let at = scene.lines.len();
        self.done.push(Done { step, at });
        self.steps.pop_front();
    }

    /// A silence goes on until the dialog gives up, or its time is over.
    fn silent(&mut self, scene: &Scene, step: Step, ms: Option<u64>) -> Option<Next> {
        let (turn, since_ms) = match (self.silent_in, ms, scene.quiet_since_ms) {
            (Some(silent), ..) => silent,
            (None, None, None) => return Some(Next::Nothing),
            (None, ..) => *self.silent_in.insert((scene.turns, scene.now_ms)),
        };
        let over = match ms {
            Some(ms) if scene.now_ms < since_ms + ms => return Some(Next::At(since_ms + ms)),
            Some(_) => true,
            None => scene.turns > turn || scene.quiet_since_ms.is_none(),
        };
        if !over {
            return Some(Next::Nothing);
        }
        self.silent_in = None;
        // What was said before ended that question: the silence is the next one's.
        let spoke = self.acted.is_some_and(|(acted, _)| acted == turn);
        if ms.is_none() && spoke && answered(scene) {
            return Some(Next::Nothing);
        }
        self.last_ms = scene.now_ms;
        self.finish(scene, step);
        None
    }

    /// After the call: what was left undone, and what was understood of what was done.
    pub(super) fn judge(&mut self, scene_lines: &[HistoryLine], heard: &[Heard]) {
        // What the last words of the dialog were is heard, too.
        while let Some(Step {
            line,
            what: What::Robot { text, within_ms },
        }) = self.steps.front().cloned()
            && self.hears(heard, &text, within_ms, line)
        {
            self.steps.pop_front();
        }
        if let Some((line, message)) = self.surprise.take() {
            self.differences.push(Difference {
                at: scene_lines.len(),
                line,
                message,
            });
        }
        if let Some(canned) = self.web.front() {
            self.differences.push(Difference {
                at: scene_lines.len(),
                line: canned.line,
                message: format!("запроса «{}» не было", canned.url),
            });
        }
        if let Some(step) = self.steps.front() {
            let message = match &step.what {
                What::Robot { text, .. } => {
                    let said: Vec<String> = heard
                        .iter()
                        .skip(self.used)
                        .map(|h| format!("«{}»", h.text))
                        .collect();
                    let said = if said.is_empty() {
                        "ничего".to_owned()
                    } else {
                        said.join(", ")
                    };
                    format!("робот не сказал «{text}»; перед концом разговора он сказал: {said}")
                }
                What::Person { deed, .. } => format!(
                    "разговор кончился раньше, чем человек успел {}",
                    deed.to_do()
                ),
                What::Transfer { .. } => "перевода не было".to_owned(),
            };
            self.differences.push(Difference {
                at: scene_lines.len(),
                line: step.line,
                message,
            });
        }
        for done in &self.done {
            let What::Person {
                understood, closed, ..
            } = &done.step.what
            else {
                continue;
            };
            if understood.is_none() && closed.is_none() {
                continue;
            }
            let from = if matches!(
                done.step.what,
                What::Person {
                    deed: Deed::Silence(_),
                    ..
                }
            ) {
                // The silence is done when its window has closed.
                scene_lines[..done.at]
                    .iter()
                    .rposition(|l| l.kind == kind::WINDOW)
                    .unwrap_or(done.at)
            } else {
                done.at
            };
            let window = scene_lines
                .iter()
                .enumerate()
                .skip(from)
                .find(|(_, l)| l.kind == kind::WINDOW);
            let Some((at, window)) = window else {
                self.differences.push(Difference {
                    at: scene_lines.len(),
                    line: done.step.line,
                    message: "робот этого не слушал".to_owned(),
                });
                continue;
            };
            let intent = window.word("intent");
            if let Some(wanted) = understood.as_ref().filter(|wanted| *wanted != intent) {
                let got = if intent.is_empty() {
                    "ничего".to_owned()
                } else {
                    format!("«{intent}»")
                };
                self.differences.push(Difference {
                    at: at + 1,
                    line: done.step.line,
                    message: format!("должно быть понято «{wanted}», а понято {got}"),
                });
            }
            if let Some(wanted) = closed.filter(|wanted| *wanted != window.word("reason")) {
                self.differences.push(Difference {
                    at: at + 1,
                    line: done.step.line,
                    message: format!(
                        "вопрос должен кончиться так: {wanted}, а кончился так: {}",
                        window.word("reason")
                    ),
                });
            }
        }
    }
}

/// The last question was ended by words or keys.
fn answered(scene: &Scene) -> bool {
    let mut lines = scene.lines.iter().rev();
    lines
        .find(|line| line.kind == kind::WINDOW)
        .is_some_and(|line| matches!(line.word("reason"), "speech" | "digits"))
}

impl Person for CasePerson {
    fn next(&mut self, scene: &Scene) -> Next {
        if scene.over {
            return Next::Nothing;
        }
        if let Some((line, message)) = self.surprise.take() {
            return self.differs(scene, line, message);
        }
        if self.machine.is_some() && scene.now_ms < MACHINE_MS {
            return Next::At(MACHINE_MS);
        }
        if let Some(voice) = self.machine.take() {
            self.last_ms = scene.now_ms + voice.length_ms;
            self.acted = Some((scene.turns, self.last_ms + PATIENCE_MS));
            return Next::Do(Act::Speak(voice));
        }
        loop {
            let Some(step) = self.steps.front().cloned() else {
                // The robot listens, and the case has nothing more.
                if self.is_waited_for(scene) {
                    return self.differs(
                        scene,
                        0,
                        "робот ждёт ответа, а проверка кончилась: допишите, что делает человек (человек, цифры, тишина, отбой)".to_owned(),
                    );
                }
                return self.later(scene);
            };
            match &step.what {
                What::Robot { text, within_ms } => {
                    if self.hears(&scene.heard, text, *within_ms, step.line) {
                        self.steps.pop_front();
                        continue;
                    }
                    if self.is_waited_for(scene) {
                        let said = self.said(scene);
                        return self.differs(
                            scene,
                            step.line,
                            format!("робот должен сказать «{text}», а {said} и слушает"),
                        );
                    }
                    return self.later(scene);
                }
                What::Transfer { .. } => {
                    if self.is_waited_for(scene) {
                        return self.differs(
                            scene,
                            step.line,
                            "робот должен перевести звонок, а он слушает".to_owned(),
                        );
                    }
                    return self.later(scene);
                }
                What::Person {
                    deed: Deed::Silence(ms),
                    ..
                } => {
                    let ms = *ms;
                    match self.silent(scene, step, ms) {
                        Some(next) => return next,
                        None => continue,
                    }
                }
                What::Person { when, .. } => {
                    let when = when.clone();
                    if !matches!(when, When::Polite(_)) && self.is_waited_for(scene) {
                        let said = self.said(scene);
                        return self.differs(
                            scene,
                            step.line,
                            format!("перебить не вышло: {said} и уже слушает"),
                        );
                    }
                    return match self.moment(scene, &when) {
                        Some(at_ms) if at_ms <= scene.now_ms => self.act(scene, step),
                        Some(at_ms) => Next::At(at_ms),
                        None => Next::Nothing,
                    };
                }
            }
        }
    }

    fn transferred(&mut self, number: &str) -> &'static str {
        // What was to be said before it has been said by now; the steps for it are judged with the rest.
        let mut steps = self.steps.iter();
        let at = steps.position(|step| matches!(step.what, What::Transfer { .. }));
        let step = at.and_then(|at| self.steps.remove(at));
        let Some((line, What::Transfer { status, to })) = step.map(|step| (step.line, step.what))
        else {
            self.surprise = Some((
                0,
                format!(
                    "робот переводит звонок на {number}, а в проверке этого нет: допишите «перевод: ответили» (или занято, не ответили)"
                ),
            ));
            return "answered";
        };
        if let Some(to) = to.filter(|to| to != number) {
            self.surprise = Some((
                line,
                format!("перевод должен быть на {to}, а он на {number}"),
            ));
        }
        status
    }

    fn asked(&mut self, order: &WebOrder) -> (u64, WebAnswer) {
        let Some(canned) = self.web.pop_front() else {
            let what = format!("{} {}", order.method.as_str(), order.url);
            self.surprise = Some((
                0,
                format!(
                    "диалог делает запрос {what}, а в проверке его нет: допишите в «запросы» адрес и ответ"
                ),
            ));
            return (
                0,
                WebAnswer::failed(WebFault::Unreachable("not in the test".to_owned())),
            );
        };
        if !order.url.contains(&canned.url) {
            self.surprise = Some((
                canned.line,
                format!(
                    "запрос должен быть на «{}», а он на «{}»",
                    canned.url, order.url
                ),
            ));
        } else if let Some(wanted) = &canned.body {
            let got = order.body.clone().unwrap_or_default();
            if !alike(wanted, &got) {
                self.surprise = Some((
                    canned.line,
                    format!("в запросе должно быть {wanted}, а там {got}"),
                ));
            }
        }
        (canned.after_ms, canned.answer)
    }
}

impl CasePerson {
    /// The dialog listens, nothing sounds, and what was done before has had its time.
    fn is_waited_for(&self, scene: &Scene) -> bool {
        let busy = |(turn, until_ms)| turn == scene.turns && scene.now_ms < until_ms;
        scene.quiet_since_ms.is_some() && !self.acted.is_some_and(busy)
    }

    /// Something may become true by time alone.
    fn later(&self, scene: &Scene) -> Next {
        match self.acted {
            Some((turn, until_ms)) if turn == scene.turns && until_ms > scene.now_ms => {
                Next::At(until_ms)
            }
            _ => Next::Nothing,
        }
    }
}

impl Deed {
    fn to_do(&self) -> String {
        match self {
            Self::Speak(voice) if voice.text.is_empty() => "пошуметь".to_owned(),
            Self::Speak(voice) => format!("сказать «{}»", voice.text),
            Self::Press(keys) => format!("нажать {keys}"),
            Self::Silence(_) => "помолчать".to_owned(),
            Self::HangUp => "положить трубку".to_owned(),
        }
    }
}

/// Milliseconds as people write seconds: `1,9`.
pub(super) fn seconds(ms: u64) -> String {
    format!("{},{}", ms / 1000, ms % 1000 / 100)
}

/// Case, white space and ё don't count.
fn same(text: &str) -> String {
    text.to_lowercase()
        .replace('ё', "е")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

/// `text` holds `part`.
pub(super) fn holds(text: &str, part: &str) -> bool {
    same(text).contains(&same(part))
}

/// Where `part` begins in `text`, bytes.
fn position(text: &str, part: &str) -> Option<usize> {
    let part = same(part);
    text.char_indices()
        .map(|(at, _)| at)
        .find(|at| same(&text[*at..]).starts_with(&part))
}
