//! What the person answered, as a script holds it.

use std::sync::Arc;

use crate::call::{Reply, ReplyKind};

use super::words::{answer_en, answer_ru};

/// A reply in a script's hand. Cheap to clone, never changes.
#[derive(Clone)]
pub(super) struct ScriptReply(Arc<Reply>);

impl ScriptReply {
    /// Wraps it.
    pub(super) fn new(reply: Reply) -> Self {
        Self(Arc::new(reply))
    }

    /// The reply itself.
    pub(super) fn reply(&self) -> &Reply {
        &self.0
    }

    /// `is(name)`: the best answer has that name, English or Russian. Digits are compared, too: `is("2")`.
    pub(super) fn is(&self, name: &str) -> bool {
        if self.0.kind == ReplyKind::Digits {
            return self.0.digits.as_str() == name;
        }
        self.0.is(answer_en(name)) || self.0.is(name)
    }

    /// The best answer's name in Russian, where it has one.
    pub(super) fn intent_ru(&self) -> &str {
        self.0.intent().map_or("", answer_ru)
    }

    /// The kind's word in Russian.
    pub(super) fn kind_ru(&self) -> &'static str {
        match self.0.kind {
            ReplyKind::Speech => "речь",
            ReplyKind::Digits => "цифры",
            ReplyKind::NoInput => "молчание",
            ReplyKind::TooLong => "слишком_долго",
            ReplyKind::HangUp => "отбой",
            ReplyKind::Failed => "сбой",
            ReplyKind::Played => "проиграно",
        }
    }
}

impl std::fmt::Debug for ScriptReply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reply({:?}, {:?})", self.0.kind, self.0.intents)
    }
}
