//! Who answered, by what is said: announcements ([`crate::phrases::Announced`]) on partial texts, and a person's first words.

use std::sync::Arc;

use crate::phrases::{Announced, Announcement, Answers};

/// What a partial announces has to stand so long: a recognizer changes its mind in the middle of a word.
pub(super) const STANDS_MS: u64 = 300;
/// Words of the text before that are looked at together with the text at hand: an announcement may run over two of them.
const BEFORE_WORDS: usize = 12;
/// What people say who pick up, and machines don't say alone.
const PICKED_UP: [&str; 12] = [
    "алло",
    "ало",
    "алле",
    "да",
    "да да",
    "слушаю",
    "да слушаю",
    "слушаю вас",
    "алло да",
    "да алло",
    "алло слушаю",
    "hello",
];

/// What the words tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// A machine's words.
    Announced(Announcement),
    /// A person's.
    PickedUp(String),
}

/// The texts of one call.
#[derive(Clone, Debug)]
pub(super) struct Words {
    answers: Arc<Answers>,
    before: String,
    /// What the text at hand announces, since when, and whether that text is final.
    announced: Option<(Announcement, u64, bool)>,
    picked_up: Option<String>,
}

impl Words {
    pub(super) fn new(answers: Arc<Answers>) -> Self {
        Self {
            answers,
            before: String::new(),
            announced: None,
            picked_up: None,
        }
    }

    /// A text so far, or a last one.
    pub(super) fn text(&mut self, text: &str, is_final: bool, now_ms: u64) {
        if text.trim().is_empty() {
            return;
        }
        let whole = format!("{} {text}", self.before);
        self.announced = self.answers.announcement(&whole).map(|found| {
            let since_ms = match &self.announced {
                Some((before, since_ms, _)) if before.what == found.what => *since_ms,
                _ => now_ms,
            };
            (found, since_ms, is_final)
        });
        let plain = plain(&whole);
        if PICKED_UP.contains(&plain.as_str()) {
            self.picked_up = Some(plain);
        }
        if is_final {
            let words: Vec<&str> = whole.split_whitespace().collect();
            let from = words.len().saturating_sub(BEFORE_WORDS);
            self.before = words[from..].join(" ");
        }
    }

    /// What they tell now; `long`: they are part of a long speech.
    pub(super) fn tell(&self, long: bool, now_ms: u64) -> Option<Said> {
        if let Some((found, since_ms, is_final)) = &self.announced
            && (*is_final || now_ms >= since_ms + STANDS_MS)
            && (found.what != Announced::Perhaps || long)
        {
            return Some(Said::Announced(found.clone()));
        }
        let nothing_announced = self.announced.is_none();
        let picked_up = self.picked_up.clone().filter(|_| nothing_announced);
        picked_up.map(Said::PickedUp)
    }

    /// When [`Self::tell`] may tell more by time alone.
    pub(super) fn next_ms(&self) -> Option<u64> {
        let (found, since_ms, is_final) = self.announced.as_ref()?;
        (!is_final && found.what != Announced::Perhaps).then_some(since_ms + STANDS_MS)
    }
}

/// Lower case, no marks.
fn plain(text: &str) -> String {
    let letters: String = text
        .to_lowercase()
        .chars()
        .map(|c| if c.is_alphanumeric() { c } else { ' ' })
        .collect();
    letters.split_whitespace().collect::<Vec<_>>().join(" ")
}
