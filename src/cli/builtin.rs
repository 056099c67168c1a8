//! The dialogs that are built into the binary: `demo` needs no file beside it.

use std::path::Path;

/// Path inside the folder of dialogs, and content.
pub(super) const FILES: &[(&str, &str)] = &[
    (
        "confirm_visit.rhai",
        include_str!("../../scripts/confirm_visit.rhai"),
    ),
    (
        "confirm_visit.yaml",
        include_str!("../../scripts/confirm_visit.yaml"),
    ),
    (
        "inbound_menu.rhai",
        include_str!("../../scripts/inbound_menu.rhai"),
    ),
    (
        "inbound_menu.yaml",
        include_str!("../../scripts/inbound_menu.yaml"),
    ),
    (
        "подтверждение_визита.rhai",
        include_str!("../../scripts/подтверждение_визита.rhai"),
    ),
    (
        "подтверждение_визита.yaml",
        include_str!("../../scripts/подтверждение_визита.yaml"),
    ),
    (
        "lib/вежливость.rhai",
        include_str!("../../scripts/lib/вежливость.rhai"),
    ),
    (
        "lib/особые.rhai",
        include_str!("../../scripts/lib/особые.rhai"),
    ),
    ("lib/дни.rhai", include_str!("../../scripts/lib/дни.rhai")),
    ("phrases.yaml", include_str!("../../scripts/phrases.yaml")),
];

/// Writes them into `folder`, which is made.
pub(super) fn unpack(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder.join("lib"))?;
    for (path, content) in FILES {
        std::fs::write(folder.join(path), content)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Language;
    use crate::script::check_folder;

    #[test]
    fn what_is_built_in_is_sound() {
        let folder = tempfile::tempdir().unwrap();
        unpack(folder.path()).unwrap();
        let report = check_folder(folder.path(), Language::Ru);
        assert!(report.is_sound() && report.warnings.is_empty(), "{report}");
        assert_eq!(report.dialogs, 3);
    }
}
