//! What a dialog wants of its call before it begins: which recognizers hear it (those of the config in its order, those that
//! the dialog names, or none), and what is done about machines.

use std::sync::Arc;

use super::answerer::OnMachine;
use crate::asr::Recognizer;
use crate::phrases::Answers;

/// Who hears a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Hears {
    /// All of the config, in its order.
    #[default]
    All,
    /// These, in order of preference.
    Named(Vec<String>),
    /// Nobody: the dialog speaks and takes keys. No audio is tapped and no recognizer paid.
    Nobody,
}

/// What a dialog wants of its recognizers and of who answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Who hears.
    pub hears: Hears,
    /// The phrases that it knows, for recognizers that take a grammar.
    pub phrases: Arc<[String]>,
    /// What machines say, besides people's answers.
    pub answers: Arc<Answers>,
    /// What is to be done when one answers.
    pub on_machine: OnMachine,
}

impl Choice {
    /// Those of `all` that are wanted; `None`: nobody is. A name that isn't there is left out; if none is, all are.
    pub fn of(&self, all: &[Arc<dyn Recognizer>]) -> Option<Vec<Arc<dyn Recognizer>>> {
        let named = |name: &String| all.iter().find(|r| r.name() == name).cloned();
        let wanted: Vec<_> = match &self.hears {
            Hears::All => return Some(all.to_vec()),
            Hears::Named(names) => names.iter().filter_map(named).collect(),
            Hears::Nobody => return None,
        };
        Some(if wanted.is_empty() {
            all.to_vec()
        } else {
            wanted
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asr::typed::Typed;
    use crate::asr::vosk::{Vosk, VoskConfig};

    #[test]
    fn a_dialog_chooses_by_name_and_order() {
        let vosk = Vosk::new(VoskConfig::new("vosk", "ws://127.0.0.1:1")).unwrap();
        let all: Vec<Arc<dyn Recognizer>> = vec![Arc::new(Typed::new()), Arc::new(vosk)];
        for (wanted, expect) in [
            (&["vosk"][..], &["vosk"][..]),
            (&["vosk", "typed"], &["vosk", "typed"]),
            (&["gone", "vosk"], &["vosk"]),
            (&["gone"], &["typed", "vosk"]),
        ] {
            let choice = Choice {
                hears: Hears::Named(wanted.iter().map(|w| (*w).to_owned()).collect()),
                ..Choice::default()
            };
            let chosen = choice.of(&all).unwrap();
            let names: Vec<&str> = chosen.iter().map(|r| r.name()).collect();
            assert_eq!(names, expect, "{wanted:?}");
        }
        assert_eq!(Choice::default().of(&all).unwrap().len(), 2);
        let nobody = Choice {
            hears: Hears::Nobody,
            ..Choice::default()
        };
        assert!(nobody.of(&all).is_none());
    }
}
