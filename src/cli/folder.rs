//! The folder of dialogs as the commands of the terminal take it: sound, with the dialogs that were named.

use std::path::Path;
use std::sync::Arc;

use crate::config::Language;
use crate::script::{Version, check_folder};

use super::{Ended, screen, wrong_use};

/// Reads the folder. `Err`: what was wrong is on the screen.
pub(super) fn load(folder: &Path) -> Result<Arc<Version>, Ended> {
    if !folder.is_dir() {
        return Err(wrong_use::told(&format!(
            "папки «{}» нет: перейдите туда, где она лежит, или укажите --scripts ПАПКА",
            folder.display()
        )));
    }
    Version::load(folder, Language::Ru).map_err(|_| {
        screen::fault(&check_folder(folder, Language::Ru).to_string());
        screen::fault("Сначала исправьте ошибки: с ними и сервер не взял бы эти диалоги.");
        Ended::Fault
    })
}

/// The dialog's name without its ending, if the folder has it. `Err`: told, with the nearest one.
pub(super) fn named(version: &Version, folder: &Path, dialog: &str) -> Result<String, Ended> {
    let name = dialog.strip_suffix(".rhai").unwrap_or(dialog);
    let names: Vec<&str> = version.dialogs().map(|(name, _)| name).collect();
    if names.contains(&name) {
        return Ok(name.to_owned());
    }
    let near = crate::config::nearest(name, names.iter().copied());
    let near = near.map_or_else(|| ".".to_owned(), |near| format!("; может быть, {near}?"));
    let all = if names.is_empty() {
        "ни одного".to_owned()
    } else {
        names.join(", ")
    };
    Err(wrong_use::told(&format!(
        "диалога «{name}» в папке {} нет{near} Есть: {all}",
        folder.display()
    )))
}
