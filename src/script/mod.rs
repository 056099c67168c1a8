//! Dialogs: Rhai scripts over a [`crate::call::Line`], with every word in English and in Russian.
//!
//! ```text
//! folder ─► files ─► version (compiled, checked, immutable) ─► library (the current one, behind a lock)
//!                       │                                          ▲ watch: a change is read within a second
//!                       └─► dialog.run(line): one raw engine a call, on the caller's thread
//! ```
//!
//! A word of the language is one row: functions, values and reply fields in [`words`], options of `ask` and its kin in
//! [`options`], keywords in [`keywords`]. Everything that an analyst reads is told in the configured language.
//!
//! Start at [`library::Library`]; a call's life is in [`run`].

pub mod check;
pub mod coverage;
pub mod definitions;
pub mod files;
pub mod keywords;
pub mod library;
pub mod options;
pub mod run;
pub mod version;
pub mod watch;
pub mod words;

mod again;
mod api;
mod bounds;
mod engine;
mod explain;
mod fill;
mod flow;
mod foresee;
mod inspect;
mod keep;
mod lookalike;
mod modules;
mod near;
mod prompts;
mod questions;
mod recognizers;
mod recover;
mod reply;
mod settings;
mod slips;
mod sounds;
mod strays;
mod talk;
mod values;
mod web;
mod yaml;

#[cfg(test)]
mod tests;

pub use check::{Report, check_folder, check_folder_for};
pub use library::{DialogInfo, Library, LibraryStatus, OlderVersion, RollbackError, RolledBack};
pub use run::Dialog;
pub use settings::CallLimits;
pub use talk::perhaps;
pub use version::{Named, Version};
pub use watch::Watch;
pub use yaml::{not_utf8, slip as yaml_slip};

/// A sentence in the configured language, Russian first.
macro_rules! tr {
    ($language:expr, $ru:literal, $en:literal $(, $name:ident = $value:expr)* $(,)?) => {
        match $language {
            $crate::config::Language::Ru => format!($ru $(, $name = $value)*),
            $crate::config::Language::En => format!($en $(, $name = $value)*),
        }
    };
}
pub(crate) use tr;
