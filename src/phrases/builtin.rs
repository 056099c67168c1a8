//! The answers that every dialog knows without a `phrases.yaml`. An answer named there replaces the list here.

pub(super) mod announcements;
mod names;
mod requests;
mod strangers;
mod verdicts;

use announcements::VOICEMAIL;
use requests::{LATER, OPERATOR, REPEAT};
use strangers::{STOP_CALLING, WHO_IS_IT, WRONG_PERSON};
use verdicts::{NO, YES};

/// Name and phrases, Russian and English.
pub const BUILTIN: &[(&str, &[&str])] = &[
    ("yes", YES),
    ("no", NO),
    ("repeat", REPEAT),
    ("later", LATER),
    ("wrong_person", WRONG_PERSON),
    ("operator", OPERATOR),
    ("stop_calling", STOP_CALLING),
    ("who_is_it", WHO_IS_IT),
    ("voicemail", VOICEMAIL),
];

/// Phrases that are made of lists: answer and phrase.
pub(super) fn made() -> impl Iterator<Item = (&'static str, String)> {
    names::denials().map(|phrase| ("wrong_person", phrase))
}

/// Phrases of words that stand in many sentences: they count only where nothing else is said.
pub(super) const ALONE: &[(&str, &[&str])] = &[
    ("yes", &["а как же", "а то", "еще бы"]),
    ("no", &["не а"]),
    (
        "repeat",
        &[
            "что",
            "чего",
            "чо",
            "как",
            "как это",
            "в смысле",
            "what",
            "sorry",
        ],
    ),
    ("later", &["потом", "ну потом", "завтра давайте"]),
];
