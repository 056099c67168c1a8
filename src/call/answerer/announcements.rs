//! What the operator says before any answer. Nobody waits for it: it is read when the call has ended unanswered.

use std::sync::Arc;

use super::words::{Said, Words};
use crate::phrases::{Announced, Announcement, Answers};

/// The announcements of one call.
#[derive(Clone, Debug)]
pub struct Announcements {
    words: Words,
    said: Option<Announcement>,
}

impl Announcements {
    /// Nothing was said yet.
    pub fn new(answers: Arc<Answers>) -> Self {
        Self {
            words: Words::new(answers),
            said: None,
        }
    }

    /// A text so far, or a last one.
    pub fn text(&mut self, text: &str, is_final: bool, now_ms: u64) {
        // What a partial said and the next one takes back after it had stood was said.
        self.take(now_ms);
        self.words.text(text, is_final, now_ms);
        self.take(now_ms);
    }

    fn take(&mut self, now_ms: u64) {
        let Some(Said::Announced(found)) = self.words.tell(false, now_ms) else {
            return;
        };
        let known = self.said.as_ref().map(|said| said.what);
        if found.what != Announced::Perhaps && known < Some(found.what) {
            self.said = Some(found);
        }
    }

    /// What was announced. A partial that was cut by the end of the call counts.
    pub fn said(mut self) -> Option<Announcement> {
        self.take(u64::MAX);
        self.said
    }
}
