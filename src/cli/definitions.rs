//! `definitions`: the words of the script language, for editors or as tables.

use crate::script::definitions::{editor, reference};

use super::arguments::Definitions;
use super::{Ended, screen};

/// Runs it.
pub(super) fn run(wanted: &Definitions) -> Ended {
    if !wanted.table {
        screen::text(&editor());
        return Ended::Sound;
    }
    let tables: Vec<String> = reference()
        .iter()
        .map(|table| format!("## {}\n\n{}", table.title, table.text))
        .collect();
    screen::text(&tables.join("\n"));
    Ended::Sound
}
