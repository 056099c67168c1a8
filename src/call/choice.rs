//! Which recognizers hear a call: those of the config in its order, or those that the dialog names.

use std::sync::Arc;

use crate::asr::Recognizer;

/// What a dialog wants of its recognizers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Names, in order of preference; empty: all of the config, in its order.
    pub recognizers: Vec<String>,
    /// The phrases that it knows, for recognizers that take a grammar.
    pub phrases: Arc<[String]>,
}

impl Choice {
    /// Those of `all` that are wanted. A name that isn't there is left out; if none is, all are.
    pub fn of(&self, all: &[Arc<dyn Recognizer>]) -> Vec<Arc<dyn Recognizer>> {
        let named = |name: &String| all.iter().find(|r| r.name() == name).cloned();
        let wanted: Vec<_> = self.recognizers.iter().filter_map(named).collect();
        if wanted.is_empty() {
            all.to_vec()
        } else {
            wanted
        }
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
            (&[][..], &["typed", "vosk"][..]),
            (&["vosk"], &["vosk"]),
            (&["vosk", "typed"], &["vosk", "typed"]),
            (&["gone", "vosk"], &["vosk"]),
            (&["gone"], &["typed", "vosk"]),
        ] {
            let choice = Choice {
                recognizers: wanted.iter().map(|w| (*w).to_owned()).collect(),
                ..Choice::default()
            };
            let chosen = choice.of(&all);
            let names: Vec<&str> = chosen.iter().map(|r| r.name()).collect();
            assert_eq!(names, expect, "{wanted:?}");
        }
    }
}
