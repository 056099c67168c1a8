//! One finding: what was looked at, how it is, and the line that mends it.

use crate::config::Language;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Sound.
    Ok,
    /// Works, or may work; somebody should look at it.
    Warning,
    /// Calls fail, or will.
    Fault,
}

impl Level {
    /// The word of `--json`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Fault => "fault",
        }
    }
}

/// What one look found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at: `rights`, `trunk`, `disk` ...
    pub check: &'static str,
    /// How bad it is.
    pub level: Level,
    /// One line: what there is.
    pub what: String,
    /// One line: what mends it; empty where nothing is to be done.
    pub mend: String,
}

/// Findings in the language of the config.
#[derive(Debug)]
pub(super) struct Findings {
    language: Language,
    pub(super) all: Vec<Finding>,
}

/// A text in Russian and in English.
pub(super) type Both<'a> = (&'a str, &'a str);

impl Findings {
    pub(super) fn new(language: Language) -> Self {
        Self {
            language,
            all: Vec::new(),
        }
    }

    pub(super) fn language(&self) -> Language {
        self.language
    }

    pub(super) fn ok(&mut self, check: &'static str, what: Both<'_>) {
        self.push(check, Level::Ok, what, ("", ""));
    }

    pub(super) fn warning(&mut self, check: &'static str, what: Both<'_>, mend: Both<'_>) {
        self.push(check, Level::Warning, what, mend);
    }

    pub(super) fn fault(&mut self, check: &'static str, what: Both<'_>, mend: Both<'_>) {
        self.push(check, Level::Fault, what, mend);
    }

    pub(super) fn push(
        &mut self,
        check: &'static str,
        level: Level,
        what: Both<'_>,
        mend: Both<'_>,
    ) {
        self.all.push(Finding {
            check,
            level,
            what: one_line(self.language.pick(what.0, what.1)),
            mend: one_line(self.language.pick(mend.0, mend.1)),
        });
    }
}

/// What others wrote may hold line breaks; a finding is one line.
fn one_line(text: &str) -> String {
    crate::wire::line::one_line(text).trim().to_owned()
}
