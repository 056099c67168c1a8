//! What an utterance means: named answers, digits. Pure: no I/O, no clock.

/// Named answers.
#[derive(Clone, Debug, Default)]
pub struct Answers {}
