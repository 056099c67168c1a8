//! Phrases by the words with which they may begin: an utterance is compared with the few that can stand in it, not with
//! thousands. A matcher has to have answered while a caller still draws breath, for many calls at once.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::kinds::WRITTEN;
use super::matcher::{Hit, Phrase, hit};
use super::said::Said;
use super::words::Word;

/// Named lists of phrases, each with its index: an overlay makes anew only what it changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Book {
    pub named: BTreeMap<String, Arc<List>>,
}

/// A list of phrases with its index.
#[derive(Debug, Default)]
pub(super) struct List {
    pub phrases: Vec<Phrase>,
    index: Index,
}

#[derive(Debug, Default)]
struct Index {
    /// Phrases, by their order, by the key of a word with which they may begin.
    by_key: HashMap<String, Vec<u32>>,
    /// The same by the kind's place in [`WRITTEN`].
    by_kind: Vec<Vec<u32>>,
    /// Keys of all words.
    keys: HashSet<String>,
    /// All words by their first letter: what a slip may have been.
    words: HashMap<char, Vec<Word>>,
}

impl PartialEq for List {
    fn eq(&self, other: &Self) -> bool {
        self.phrases == other.phrases
    }
}

impl Eq for List {}

/// A phrase where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found<'a> {
    pub name: &'a str,
    pub phrase: &'a Phrase,
    pub hit: Hit,
}

impl List {
    pub(super) fn new(phrases: Vec<Phrase>) -> Self {
        let mut index = Index {
            by_kind: vec![Vec::new(); WRITTEN.len()],
            ..Index::default()
        };
        let mut texts = HashSet::new();
        for (number, phrase) in (0..).zip(&phrases) {
            for part in phrase.openings() {
                let places = match part.kind {
                    Some(kind) => {
                        let at = WRITTEN.iter().position(|(_, one)| *one == kind);
                        at.and_then(|at| index.by_kind.get_mut(at))
                    }
                    None => Some(index.by_key.entry(part.word.key.clone()).or_default()),
                };
                if let Some(places) = places
                    && places.last() != Some(&number)
                {
                    places.push(number);
                }
            }
            for part in phrase.parts.iter().filter(|part| part.kind.is_none()) {
                if texts.insert(part.word.text.clone()) {
                    index.learn(&part.word);
                }
            }
        }
        Self { phrases, index }
    }

    /// Phrases that may begin with the word at `from`.
    fn beginning<'a>(&'a self, said: &Said, from: usize) -> impl Iterator<Item = &'a Phrase> {
        let by_word = self.index.by_key.get(&said.words[from].key);
        let by_kind = WRITTEN
            .iter()
            .zip(&self.index.by_kind)
            .filter(move |((_, kind), places)| !places.is_empty() && said.begins(*kind, from))
            .map(|(_, places)| places);
        by_word
            .into_iter()
            .chain(by_kind)
            .flatten()
            .filter_map(|number| self.phrases.get(usize::try_from(*number).ok()?))
    }
}

impl Book {
    /// All phrases of the lists for which `wanted` holds, at each place where they stand.
    pub(super) fn hits<'a>(&'a self, said: &Said, wanted: impl Fn(&str) -> bool) -> Vec<Found<'a>> {
        let mut found = Vec::new();
        for (name, list) in self.named.iter().filter(|(name, _)| wanted(name)) {
            for from in 0..said.words.len() {
                for phrase in list.beginning(said, from) {
                    if let Some(hit) = hit(phrase, said, from) {
                        found.push(Found { name, phrase, hit });
                    }
                }
            }
        }
        found
    }

    /// A phrase holds this word.
    pub(super) fn knows(&self, word: &Word) -> bool {
        self.named
            .values()
            .any(|list| list.index.keys.contains(&word.key))
    }

    /// Words of phrases that begin with that letter.
    pub(super) fn words_from(&self, first: char) -> impl Iterator<Item = &Word> {
        self.named
            .values()
            .filter_map(move |list| list.index.words.get(&first))
            .flatten()
    }
}

impl Index {
    fn learn(&mut self, word: &Word) {
        self.keys.insert(word.key.clone());
        if let Some(first) = word.text.chars().next() {
            self.words.entry(first).or_default().push(word.clone());
        }
    }
}
