//! Who answered, beside all else that the call does: the decider sees what the machine sees. Where no person is there the
//! dialog is ended ([`Command::Machine`]), and may leave a message when the machine takes one.

use super::super::answerer::{Decider, OnMachine, Told, Who};
use super::super::event::{Command, Event};
use super::super::history::kind;
use super::{CallMachine, Doing};
use crate::call::fields::fields;

impl CallMachine {
    /// A machine that finds out who answered, too.
    pub fn finding_out(decider: Option<(Decider, OnMachine)>) -> Self {
        Self {
            decider,
            ..Self::default()
        }
    }

    /// Whoever speaks from now on is not who answered: a transfer.
    pub fn stop_finding_out(&mut self) {
        self.decider = None;
    }

    /// It was no person who answered, as far as is known.
    pub fn met_machine(&self) -> bool {
        self.met_machine
    }

    pub(super) fn hear_who_answered(&mut self, event: &Event, now: u64) {
        let Some((decider, _)) = &mut self.decider else {
            return;
        };
        match event {
            Event::VoiceStarted { at_ms } => decider.voice_started(*at_ms, now),
            Event::VoiceEnded { at_ms } => decider.voice_ended(*at_ms, now),
            Event::Partial(text) => decider.text(text.as_str(), false, now),
            Event::Final(text) => decider.text(text.as_str(), true, now),
            Event::Tone(tone) => {
                decider.tone(*tone, now);
                let data = fields!({"event": "tone", "hz": tone.hz, "lasted_ms": tone.lasted_ms(), "from_ms": tone.from_ms});
                self.note(kind::ANSWERER, now, data);
            }
            Event::AwaitTone => {
                self.leaves_message = true;
                decider.await_tone(now);
            }
            _ => decider.clock(now),
        }
    }

    pub(super) fn tell_who_answered(&mut self, now: u64) {
        while let Some((decider, on_machine)) = &mut self.decider
            && let Some(told) = decider.poll()
        {
            let (who, on_machine) = (decider.who(), *on_machine);
            match told {
                Told::Verdict(verdict) => {
                    self.met_machine = verdict.who.is_machine();
                    self.note(kind::ANSWERER, now, verdict.told());
                    if verdict.who.is_machine()
                        && on_machine == OnMachine::HangUp
                        && !self.leaves_message
                    {
                        self.end_for_machine(verdict.who, now);
                    }
                }
                Told::Awaited(awaited) => {
                    let data =
                        fields!({"event": "awaited", "who": who.as_str(), "by": awaited.as_str()});
                    self.note(kind::ANSWERER, now, data);
                    self.commands.push_back(Command::Awaited(who, awaited));
                }
            }
        }
    }

    /// The dialog's turn is over, and so is the dialog.
    fn end_for_machine(&mut self, who: Who, now: u64) {
        self.cut_prompts("machine", now);
        if let Doing::Turn(turn) = std::mem::replace(&mut self.doing, Doing::Idle)
            && let Some(window) = turn.window
        {
            let data = fields!({
                "window": window.number, "reason": "machine", "opened_ms": window.open_ms,
                "barged_in": turn.barged_in,
            });
            self.note(kind::WINDOW, now, data);
        }
        self.commands.push_back(Command::Machine(who));
    }
}
