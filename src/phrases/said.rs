//! An utterance made ready for all phrases at once: its words, what kinds they are of, where a moment is named.

use super::kinds::{Kinds, kinds};
use super::moments::{Moment, moments};
use super::words::{Word, words};

/// The words of an utterance and what is known of them.
#[derive(Clone, Debug)]
pub(super) struct Said {
    pub words: Vec<Word>,
    /// Of each word.
    pub kinds: Vec<Kinds>,
    moments: Vec<Option<Moment>>,
    /// Words that were one letter off a phrase's word and stand for it now.
    mended: Vec<bool>,
}

impl Said {
    /// `mend` tells the word of which one is a slip.
    pub(super) fn new(text: &str, mend: impl Fn(&Word) -> Option<Word>) -> Self {
        let mut words = words(text);
        let mut mended = vec![false; words.len()];
        let mut known: Vec<Kinds> = words.iter().map(kinds).collect();
        for (at, word) in words.iter_mut().enumerate() {
            if known[at] != Kinds::default() {
                continue;
            }
            if let Some(meant) = mend(word) {
                *word = Word {
                    pause: word.pause,
                    ..meant
                };
                known[at] = kinds(word);
                mended[at] = true;
            }
        }
        let moments = moments(&words, &known);
        Self {
            words,
            kinds: known,
            moments,
            mended,
        }
    }

    /// Where the expression of this kind ends that begins at `at`.
    pub(super) fn kind_at(&self, kind: Kinds, at: usize) -> Option<usize> {
        if kind == Kinds::WHEN || kind == Kinds::ON_DAY {
            let moment = self.moments.get(at)?.as_ref()?;
            return (kind == Kinds::WHEN || moment.on_day).then_some(moment.to);
        }
        self.kinds.get(at)?.meets(kind).then_some(at + 1)
    }

    /// All kinds for which `at` is the first word.
    pub(super) fn begins(&self, kind: Kinds, at: usize) -> bool {
        self.kind_at(kind, at).is_some()
    }

    /// Index after the moment that begins at `at`.
    pub(super) fn moment(&self, at: usize) -> Option<usize> {
        self.kind_at(Kinds::WHEN, at)
    }

    /// The word at `at` was a slip.
    pub(super) fn mended(&self, at: usize) -> bool {
        self.mended.get(at).copied().unwrap_or_default()
    }

    /// Text of the word at `at`; empty outside.
    pub(super) fn text(&self, at: usize) -> &str {
        self.words.get(at).map_or("", |word| word.text.as_str())
    }

    pub(super) fn is(&self, at: usize, kind: Kinds) -> bool {
        self.kinds.get(at).is_some_and(|kinds| kinds.meets(kind))
    }
}
