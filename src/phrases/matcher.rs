//! Which phrases stand in an utterance. The rules, each for the way in which people speak:
//!
//! - Whole words and their forms, never substrings: "приеду" is no part of "приедут ли".
//! - Fillers and forms of address may stand between a phrase's words: "не, *ну* не приеду", "соедините *меня, девушка,* с
//!   оператором". They carry no answer.
//! - A Russian phrase of several words counts in any order, because the order says what is stressed and not what is meant:
//!   "номер не тот", "с роботом говорить не буду". What belongs together stays so: "не" and a preposition go with the word
//!   after them. English, questions ("вы что сказали" isn't "что вы сказали") and phrases of mere particles keep their order.
//! - A negation before a phrase refuses it, through fillers and through verbs like "думаю" and "могу"; one more "не" doesn't
//!   refuse a phrase that has its own, as "не, ну не приеду" is said by people who mean it; and no verb lets it through to a
//!   request ("не могу, давайте завтра").
//! - What asks for something doesn't tell of it: the built-in "перезвоните" isn't "перезвонили".
//! - "Приеду ли" asks.

use super::kinds::{self, Kinds};
use super::said::Said;
use super::words::{Word, is_filler, is_negation, words};

/// Fillers in a row that may stand between two words of a phrase.
const MAX_FILLERS: usize = 4;
/// Groups of words that may change places; there are few longer phrases, and people say them as they are.
const MAX_FREE: usize = 5;

/// Letters of a stem that quite different words share.
const SHORT_STEM: usize = 3;

/// One word of a phrase, or a kind of words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// The word, or the kind as it is written: "(когда)".
    pub word: Word,
    /// The kind; `None` for a word.
    pub kind: Option<Kinds>,
    /// It follows the part before it, whatever the order of the others.
    pub tied: bool,
    /// Which forms of the word count.
    pub forms: Forms,
}

/// Forms in which a word counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Forms {
    /// All.
    #[default]
    Any,
    /// All but the past: who says "перезвоните" asks for something, who says "перезвонили" tells.
    NoPast,
    /// As it stands: "хорошо" is consent, "хорошая" isn't.
    Exact,
}

impl Part {
    /// That form counts of a word with the same key.
    fn allows(&self, text: &str) -> bool {
        match self.forms {
            Forms::Any => true,
            Forms::NoPast => text == self.word.text || !may_be_past(text),
            Forms::Exact => text == self.word.text,
        }
    }
}

/// One phrase of an answer, ready for comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Phrase {
    /// As it was written.
    pub text: String,
    /// Its words, one at least.
    pub parts: Vec<Part>,
    /// Its groups of words may stand in any order.
    pub free: bool,
    /// It counts only where nothing else is said: "что" is a question by itself, and a part of many sentences.
    pub alone: bool,
    /// It counts only where nothing else is said that isn't known: "можно" consents, "можно с собакой" asks.
    pub weak: bool,
    /// It is built in: what is no answer for it may be one for an analyst's own phrase.
    pub ours: bool,
    /// Its words, parted by spaces.
    pub said: String,
    /// Their keys.
    pub keys: String,
    /// What is left of the keys without words that only lead up to others: "перенести" of "можно перенести на (день)".
    pub core: String,
    /// It tells why somebody can't talk, and yields to an answer: "я за рулём, буду через час".
    pub reason: bool,
}

impl Phrase {
    /// `None` where the text has no word.
    pub(super) fn new(text: &str) -> Option<Self> {
        Self::of(
            text,
            words(text).into_iter().map(|word| (word, None)).collect(),
        )
    }

    /// A built-in phrase, whose words in brackets are kinds.
    pub(super) fn pattern(text: &str) -> Option<Self> {
        let parts = text
            .split_whitespace()
            .flat_map(|written| match kinds::written(written) {
                Some(kind) => vec![(Word::new(written), Some(kind))],
                None => words(written)
                    .into_iter()
                    .map(|word| (word, None))
                    .collect(),
            });
        let mut phrase = Self::of(text, parts.collect())?;
        phrase.ours = true;
        let single = phrase.parts.len() == 1;
        for part in phrase.parts.iter_mut().filter(|part| part.kind.is_none()) {
            // "Шипит" isn't "шипы".
            if single && part.word.key.chars().count() <= SHORT_STEM + 1 {
                part.forms = Forms::Exact;
            } else if may_be_present(&part.word.text) {
                part.forms = Forms::NoPast;
            }
        }
        Some(phrase)
    }

    fn of(text: &str, words: Vec<(Word, Option<Kinds>)>) -> Option<Self> {
        let free = may_be_turned(&words);
        let mut tied = false;
        let parts: Vec<Part> = words
            .into_iter()
            .map(|(word, kind)| {
                let binds = is_negation(&word.text) || kinds::is_preposition(&word.text);
                Part {
                    word,
                    kind,
                    tied: std::mem::replace(&mut tied, binds),
                    forms: Forms::Any,
                }
            })
            .collect();
        let said: Vec<&str> = parts.iter().map(|part| part.word.text.as_str()).collect();
        let keys: Vec<&str> = parts.iter().map(|part| part.word.key.as_str()).collect();
        let core = parts.iter().filter(|part| !leads_up(part));
        let core: Vec<&str> = core.map(|part| part.word.key.as_str()).collect();
        let (said, keys, core) = (said.join(" "), keys.join(" "), core.join(" "));
        (!parts.is_empty()).then(|| Self {
            ours: false,
            said,
            keys,
            core,
            text: text.trim().to_owned(),
            free,
            parts,
            alone: false,
            weak: false,
            reason: false,
        })
    }

    /// Without forms where a word is all that it has, or where its stem is short: "заби" isn't "забыл". For lists that
    /// hold all forms that count.
    pub(super) fn strictly(mut self) -> Self {
        let single = self.parts.len() == 1;
        for part in &mut self.parts {
            if part.kind.is_none() && (single || part.word.key.chars().count() <= SHORT_STEM) {
                part.forms = Forms::Exact;
            }
        }
        self
    }

    /// What follows a "не" counts as it stands: "не звоните" forbids, "не звонили" tells.
    pub(super) fn strictly_refused(mut self) -> Self {
        for part in &mut self.parts {
            if part.tied && part.kind.is_none() {
                part.forms = Forms::Exact;
            }
        }
        self
    }

    /// How many words it has.
    pub(super) fn len(&self) -> usize {
        self.parts.len()
    }

    /// The parts with which it may begin: where to look for it.
    pub(super) fn openings(&self) -> impl Iterator<Item = &Part> {
        let all = if self.free { self.parts.len() } else { 1 };
        self.parts.iter().take(all).filter(|part| !part.tied)
    }

    /// Index after the group of tied words that begins at `part`.
    fn group_end(&self, part: usize) -> usize {
        (part + 1..self.parts.len())
            .find(|at| !self.parts[*at].tied)
            .unwrap_or(self.parts.len())
    }

    fn is_negated_itself(&self) -> bool {
        self.parts.iter().any(|part| is_negation(&part.word.text))
    }
}

/// Says when, or how somebody wants what the other words of the phrase say.
fn leads_up(part: &Part) -> bool {
    let text = part.word.text.as_str();
    match part.kind {
        Some(kind) => kind == Kinds::WHEN || kind == Kinds::ON_DAY,
        None => {
            kinds::is_preposition(text)
                || matches!(
                    text,
                    "можно"
                        | "давайте"
                        | "давай"
                        | "хочу"
                        | "хотел"
                        | "хотела"
                        | "хотелось"
                        | "нельзя"
                        | "надо"
                        | "нужно"
                        | "придется"
                        | "прошу"
                        | "лучше"
                )
        }
    }
}

/// Russian words that mean the same in any order.
fn may_be_turned(words: &[(Word, Option<Kinds>)]) -> bool {
    let groups = words
        .iter()
        .filter(|(word, _)| !is_negation(&word.text) && !kinds::is_preposition(&word.text))
        .count();
    let leads = |at: usize, text: &str| words.get(at).is_some_and(|(word, _)| word.text == text);
    (2..=MAX_FREE).contains(&groups)
        && words.iter().enumerate().all(|(at, (word, kind))| {
            let text = word.text.as_str();
            kind.is_some_and(|kind| !kind.meets(Kinds::QUESTION))
                || !(text.is_ascii()
                    || is_filler(text) && !kinds::is_preposition(text)
                    // "Проблем нет" is "нет проблем"; "нет, спасибо" and "думаю, нет" are said so.
                    || text == "нет" && (at > 0 || leads(1, "нет") || leads(1, "спасибо"))
                    || matches!(text, "да" | "что" | "чего" | "чем" | "если" | "или" | "вы")
                    || kinds::kinds(word).meets(Kinds::QUESTION))
        })
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
    /// They stand as the phrase has them.
    pub ordered: bool,
}

impl Hit {
    /// All of it lies within `other`, which is longer.
    pub(super) fn is_within(&self, other: &Self) -> bool {
        other.from <= self.from
            && self.to <= other.to
            && (other.to - other.from) > (self.to - self.from)
    }
}

/// `phrase` where it begins at `from` and nothing refuses it.
pub(super) fn hit(phrase: &Phrase, said: &Said, from: usize) -> Option<Hit> {
    let hit = hit_at(phrase, said, from)?;
    let refused = !phrase.is_negated_itself() && is_refused(said, hit.from);
    let crowded = phrase.alone
        && !(0..hit.from)
            .chain(hit.to..said.words.len())
            .all(|at| said.kinds[at].meets(Kinds::FILLER));
    let asked = said.words.get(hit.to).is_some_and(|next| next.text == "ли");
    (!(refused || crowded || asked)).then_some(hit)
}

fn hit_at(phrase: &Phrase, said: &Said, from: usize) -> Option<Hit> {
    let (mut at, mut exact, mut ordered) = (from, 0, true);
    let mut left: u32 = phrase
        .parts
        .iter()
        .enumerate()
        .filter(|(_, part)| !part.tied)
        .fold(0, |set, (index, _)| set | 1 << index);
    let mut skipped = 0;
    while left != 0 {
        let next = left.trailing_zeros() as usize;
        let taken = group_at(phrase, next, said, at)
            .map(|took| (next, took))
            .or_else(|| {
                (phrase.free)
                    .then(|| {
                        (next + 1..phrase.parts.len())
                            .filter(|index| left & 1 << index != 0)
                            .find_map(|index| {
                                group_at(phrase, index, said, at).map(|took| (index, took))
                            })
                    })
                    .flatten()
            });
        match taken {
            Some((index, (to, own))) => {
                ordered &= index == next;
                left &= !(1 << index);
                exact += own;
                at = to;
                skipped = 0;
            }
            None if at == from || skipped == MAX_FILLERS => return None,
            None => {
                let kinds = said.kinds.get(at)?;
                if !kinds.meets(Kinds::FILLER) && !kinds.meets(Kinds::GAP) {
                    return None;
                }
                skipped += 1;
                at += 1;
            }
        }
    }
    Some(Hit {
        from,
        to: at,
        exact,
        ordered,
    })
}

/// The group of tied words that begins with the phrase's part `index`, at `from`: where it ends, how many words are exact.
fn group_at(phrase: &Phrase, index: usize, said: &Said, from: usize) -> Option<(usize, usize)> {
    let (mut at, mut exact) = (from, 0);
    for part in &phrase.parts[index..phrase.group_end(index)] {
        let mut skipped = 0;
        loop {
            let word = said.words.get(at)?;
            if let Some(kind) = part.kind {
                if let Some(to) = said.kind_at(kind, at) {
                    exact += 1;
                    at = to;
                    break;
                }
            } else if word.key == part.word.key && part.allows(&word.text) {
                exact += usize::from(word.text == part.word.text && !said.mended(at));
                at += 1;
                break;
            }
            // "Это не так, я платил" isn't "это не я".
            let filler = said.kinds[at].meets(Kinds::FILLER) && word.text != "так"
                // "С вашим руководством".
                || is_whose(&word.text);
            if at == from || skipped == MAX_FILLERS || !filler {
                return None;
            }
            skipped += 1;
            at += 1;
        }
    }
    Some((at, exact))
}

/// A negation stands right before `from`, or reaches it through fillers and words like "очень" and "смогу". Through
/// those it reaches no request: "не могу, давайте завтра".
fn is_refused(said: &Said, from: usize) -> bool {
    let mut through = !asks(said.text(from));
    for at in (0..from).rev() {
        let kinds = said.kinds[at];
        // "Не могу, а в субботу пожалуйста".
        through &= said.text(at) != "а";
        if !(kinds.meets(Kinds::FILLER) || through && kinds.meets(Kinds::THROUGH)) {
            return kinds.meets(Kinds::NEGATION);
        }
    }
    false
}

/// Whose it is, in an oblique case.
fn is_whose(word: &str) -> bool {
    const ENDS: [&str; 6] = ["им", "ими", "их", "его", "ему", "ей"];
    ["ваш", "наш", "сво"].iter().any(|stem| {
        word.strip_prefix(stem)
            .is_some_and(|end| ENDS.contains(&end))
    })
}

/// It may be a verb that isn't past.
fn may_be_present(word: &str) -> bool {
    !may_be_past(word) && ["те", "ть", "и", "ю"].iter().any(|end| word.ends_with(end))
}

fn may_be_past(word: &str) -> bool {
    ["л", "ла", "ли", "ло"]
        .iter()
        .any(|end| word.ends_with(end))
}

/// An imperative: "давайте", "перезвоните".
fn asks(word: &str) -> bool {
    matches!(word, "давай" | "лучше") || ["йте", "ите", "ьте"].iter().any(|end| word.ends_with(end))
}
