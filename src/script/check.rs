//! `check`: every fault of a folder at once, with file, line and what to do.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use crate::call::Fault;
use crate::config::Language;

use super::files::{self, Files};
use super::strays::strays;
use super::tr;
use super::version::{Named, Version};

/// What `check` found.
#[derive(Clone, Debug)]
pub struct Report {
    /// What has to be mended: with one of these the folder is refused.
    pub faults: Vec<Fault>,
    /// What looks like a slip.
    pub warnings: Vec<Fault>,
    /// How many dialogs were looked through.
    pub dialogs: usize,
    language: Language,
    /// The lines that are shown, by file.
    sources: BTreeMap<String, String>,
}

/// Checks a folder of dialogs.
pub fn check_folder(path: &Path, language: Language) -> Report {
    check_folder_for(path, language, &Named::default())
}

/// The same where the server's voices and recognizers are known.
pub fn check_folder_for(path: &Path, language: Language, named: &Named) -> Report {
    match files::read(path, language) {
        Ok(files) => {
            let mut report = check_for(&files, language, named);
            report.warnings.extend(strays(path, language));
            if report.dialogs == 0 {
                report.warnings.push(Fault {
                    // Its own name: the way to it is told by who asked.
                    file: path
                        .file_name()
                        .unwrap_or_default()
                        .to_string_lossy()
                        .into_owned(),
                    line: 0,
                    column: 0,
                    message: tr!(
                        language,
                        "в папке нет ни одного сценария: сценарий — это файл имя.rhai прямо в ней",
                        "there is no dialog in the folder: a dialog is a file name.rhai right in it"
                    ),
                });
            }
            report
        }
        Err(faults) => Report {
            faults,
            warnings: Vec::new(),
            dialogs: 0,
            language,
            sources: BTreeMap::new(),
        },
    }
}

/// Checks files that are in memory.
pub fn check(files: &Files, language: Language) -> Report {
    check_for(files, language, &Named::default())
}

fn check_for(files: &Files, language: Language, named: &Named) -> Report {
    let compiled = Version::compile_for(files, language, named);
    let named = |file: &str| {
        let mut all = compiled.faults.iter().chain(&compiled.warnings);
        all.any(|f| f.file == file && f.line > 0)
    };
    let sources = files
        .iter()
        .filter(|(file, _)| named(file))
        // Of a file that is no text nothing can be shown.
        .filter_map(|(file, bytes)| {
            let text = std::str::from_utf8(bytes).ok()?;
            Some((file.clone(), text.trim_start_matches('\u{feff}').to_owned()))
        })
        .collect();
    Report {
        dialogs: files
            .keys()
            .filter(|f| f.ends_with(".rhai") && !f.contains('/'))
            .count(),
        faults: compiled.faults,
        warnings: compiled.warnings,
        language,
        sources,
    }
}

impl Report {
    /// Nothing has to be mended.
    pub fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }

    fn show(&self, f: &mut fmt::Formatter<'_>, fault: &Fault, mark: &str) -> fmt::Result {
        match (fault.line, fault.column) {
            (0, _) => writeln!(f, "{}: {mark}{}", fault.file, fault.message)?,
            (line, 0) => writeln!(f, "{}:{line}: {mark}{}", fault.file, fault.message)?,
            (line, column) => {
                writeln!(f, "{}:{line}:{column}: {mark}{}", fault.file, fault.message)?;
            }
        }
        let text = self
            .sources
            .get(&fault.file)
            .and_then(|s| s.lines().nth(fault.line.checked_sub(1)?));
        let Some(text) = text else {
            return Ok(());
        };
        // Tabs would push the caret away from its place.
        let text: String = text.replace('\t', " ").chars().take(160).collect();
        writeln!(f, "{:>6} | {text}", fault.line)?;
        if fault.column > 0 {
            writeln!(f, "       | {:>1$}", "^", fault.column)?;
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for fault in &self.faults {
            self.show(f, fault, "")?;
        }
        let mark = tr!(self.language, "замечание: ", "note: ");
        for warning in &self.warnings {
            self.show(f, warning, &mark)?;
        }
        let (dialogs, faults, warnings) = (self.dialogs, self.faults.len(), self.warnings.len());
        let summary = tr!(
            self.language,
            "сценариев: {dialogs}, ошибок: {faults}, замечаний: {warnings}",
            "dialogs: {dialogs}, faults: {faults}, warnings: {warnings}"
        );
        writeln!(f, "{summary}")
    }
}
