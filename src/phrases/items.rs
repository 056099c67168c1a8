//! Words and numbers of an utterance, looked at by their places: what the readers of dates and of times walk over.

use super::tokens::{Item, Num};

/// The items; a place behind the end holds nothing.
#[derive(Clone, Copy)]
pub(super) struct Items<'a>(pub(super) &'a [Item]);

impl<'a> Items<'a> {
    /// What stands there.
    pub(super) fn at(self, at: usize) -> Option<&'a Item> {
        self.0.get(at)
    }

    /// One of these words stands there.
    pub(super) fn is(self, at: usize, words: &[&str]) -> bool {
        self.at(at).is_some_and(|i| i.is(words))
    }

    /// A word stands there that begins like one of these.
    pub(super) fn begins(self, at: usize, stems: &[&str]) -> bool {
        self.at(at).is_some_and(|i| i.begins(stems))
    }

    /// The number that stands there.
    pub(super) fn num(self, at: usize) -> Option<&'a Num> {
        self.at(at)?.num.as_ref()
    }

    /// One of these words stands right before it.
    pub(super) fn is_before(self, at: usize, words: &[&str]) -> bool {
        at > 0 && self.is(at - 1, words)
    }
}
