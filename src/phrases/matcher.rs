//! Which phrases of an answer stand in an utterance: whole words and their forms, fillers between them not counted, a
//! phrase with a negation before it refused.

use super::words::{Word, is_filler, is_negation, lets_negation_through, words};

/// Fillers in a row that may stand between two words of a phrase.
const MAX_FILLERS: usize = 4;

/// One phrase of an answer, ready for comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Phrase {
    /// As it was written.
    pub text: String,
    /// Its words, one at least.
    pub words: Vec<Word>,
    /// It counts only where nothing else is said: "что" is a question by itself, and a part of many sentences.
    pub alone: bool,
    /// Its word counts as it stands only: "хорошо" is consent, "хорошая" isn't.
    pub strict: bool,
}

impl Phrase {
    /// A phrase that counts only where nothing else is said.
    pub(super) fn alone(text: &str) -> Option<Self> {
        Self::new(text).map(|phrase| Self {
            alone: true,
            ..phrase
        })
    }

    /// `None` where the text has no word.
    pub(super) fn new(text: &str) -> Option<Self> {
        let words = words(text);
        (!words.is_empty()).then(|| Self {
            text: text.trim().to_owned(),
            words,
            alone: false,
            strict: false,
        })
    }

    /// A built-in yes or no: its list holds all forms that are one, so a single word counts as it stands only.
    pub(super) fn verdict(self) -> Self {
        let strict = self.words.len() == 1;
        Self { strict, ..self }
    }

    /// Same words, whatever their forms.
    pub(super) fn same_as(&self, other: &Self) -> bool {
        self.words.len() == other.words.len()
            && self
                .words
                .iter()
                .zip(&other.words)
                .all(|(a, b)| a.text == b.text)
    }
}

/// Where a phrase stands in an utterance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    /// Index of its first word.
    pub from: usize,
    /// Index after its last word.
    pub to: usize,
    /// Words that are the phrase's very own, not only forms of them.
    pub exact: usize,
}

impl Hit {
    /// All of it lies within `other`, which is longer.
    pub(super) fn is_within(&self, other: &Self) -> bool {
        other.from <= self.from
            && self.to <= other.to
            && (other.to - other.from) > (self.to - self.from)
    }
}

/// All places where `phrase` stands in `text` and no negation refuses it.
pub(super) fn hits<'a>(phrase: &'a Phrase, text: &'a [Word]) -> impl Iterator<Item = Hit> + 'a {
    // "не, ну не приеду" is said by people who mean it: one more "не" doesn't refuse a phrase that has its own.
    let opens_with_negation = phrase.words.first().is_some_and(|w| is_negation(&w.text));
    (0..text.len())
        .filter_map(move |from| hit_at(phrase, text, from))
        .filter(move |hit| opens_with_negation || !is_refused(text, hit.from))
        .filter(move |hit| !phrase.strict || hit.exact == phrase.words.len())
        .filter(move |hit| {
            !phrase.alone
                || text[..hit.from]
                    .iter()
                    .chain(&text[hit.to..])
                    .all(|w| is_filler(&w.text))
        })
        // "приеду ли" asks.
        .filter(move |hit| text.get(hit.to).is_none_or(|next| next.text != "ли"))
}

fn hit_at(phrase: &Phrase, text: &[Word], from: usize) -> Option<Hit> {
    let mut at = from;
    let mut exact = 0;
    for (index, wanted) in phrase.words.iter().enumerate() {
        let mut skipped = 0;
        loop {
            let word = text.get(at)?;
            if word.key == wanted.key {
                exact += usize::from(word.text == wanted.text);
                at += 1;
                break;
            }
            if index == 0 || skipped == MAX_FILLERS || !is_filler(&word.text) {
                return None;
            }
            skipped += 1;
            at += 1;
        }
    }
    Some(Hit {
        from,
        to: at,
        exact,
    })
}

/// A negation stands right before `from`, or reaches it through fillers and words like "очень" and "смогу".
fn is_refused(text: &[Word], from: usize) -> bool {
    text[..from]
        .iter()
        .rev()
        .find(|w| !is_filler(&w.text) && !lets_negation_through(&w.text))
        .is_some_and(|w| is_negation(&w.text))
}
