//! `check`: settings and dialogs, every fault at once, each with its place and the mend.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::config::{Config, ConfigFault, Language};
use crate::rehearsal::suite::Suite;
use crate::script::{Named, Report, check_folder_for};

use super::arguments::Check;
use super::{Ended, place, screen};

/// The settings' usual file, and the dialogs' usual folder.
const CONFIG: &str = "govorun.yaml";
const SCRIPTS: &str = "scripts";

/// Runs it.
pub(super) fn run(wanted: &Check) -> Ended {
    let (config, folder) = match (&wanted.config, &wanted.scripts) {
        (_, Some(folder)) => (None, Some(folder.clone())),
        (Some(config), None) => (Some(config.clone()), None),
        (None, None) if Path::new(CONFIG).exists() => (Some(PathBuf::from(CONFIG)), None),
        (None, None) if Path::new(SCRIPTS).is_dir() => (None, Some(PathBuf::from(SCRIPTS))),
        (None, None) => {
            return super::wrong_use::told(
                "здесь нет ни govorun.yaml, ни папки scripts: перейдите в нужную папку или укажите -c ФАЙЛ либо --scripts ПАПКА",
            );
        }
    };
    if let Some(folder) = folder.as_ref().filter(|folder| !folder.is_dir()) {
        return super::wrong_use::told(&format!(
            "папки «{}» нет: проверьте путь",
            folder.display()
        ));
    }
    if wanted.json {
        return json(config.as_deref(), folder);
    }
    let mut faults = 0;
    let mut named = Named::default();
    let (folder, language) = match (&config, folder) {
        (Some(file), _) => match load(file) {
            Ok(config) => {
                let missing = crate::app::probe(&config);
                faults += missing.len();
                if missing.is_empty() {
                    screen::line(&format!("Настройки {}: ошибок нет", file.display()));
                } else {
                    screen::line(&format!("Настройки {} на этой машине:", file.display()));
                    missing.iter().for_each(|fault| screen::line(fault));
                    screen::line("");
                }
                let strangers = strangers(&config);
                faults += strangers.len();
                strangers.iter().for_each(|fault| screen::line(fault));
                named = names(&config);
                if wanted.online && missing.is_empty() {
                    faults += online(&config);
                }
                (Some(config.scripts.folder), config.language)
            }
            Err(found) => {
                faults += found.len();
                screen::line(&format!("Настройки {}:", file.display()));
                found.iter().for_each(|fault| screen::line(&shown(fault)));
                screen::line("");
                (
                    beside(file),
                    found.first().map_or(Language::Ru, |f| f.language),
                )
            }
        },
        (None, folder) => (folder, Language::Ru),
    };
    let mut total = String::new();
    if let Some(folder) = folder {
        let report = checked(&folder, language, &named);
        faults += report.faults.len();
        tell(&folder, &report);
        total = totals(&report);
    }
    if faults > 0 {
        let all = screen::count(faults, ["ошибка", "ошибки", "ошибок"]);
        screen::line(&format!("Итого: {all}"));
        return Ended::Fault;
    }
    screen::line(&format!("Ошибок нет: {total}"));
    Ended::Sound
}

/// The folder's faults. Those of its tests are warnings: the server doesn't read them.
fn checked(folder: &Path, language: Language, named: &Named) -> Report {
    let mut report = check_folder_for(folder, language, named);
    report.warnings.extend(Suite::of_folder(folder).faults);
    report
}

/// Asks the recognizers and voices themselves; how many don't work.
fn online(config: &Config) -> usize {
    let mut faults = Vec::new();
    let all = crate::app::listed_recognizers(config, &mut |fault| faults.push(fault));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    match (all, runtime) {
        (Some(all), Ok(runtime)) => {
            for (name, found) in runtime.block_on(crate::app::ask_once(&all, config.language)) {
                match found {
                    Ok(ms) => screen::line(&config.language.pick(
                        format!("распознаватель {name}: отвечает, {ms} мс"),
                        format!("recognizer {name}: answers, {ms} ms"),
                    )),
                    Err(why) => faults.push(why),
                }
            }
            for (name, spoken) in runtime.block_on(crate::app::ask_voices(config)) {
                match spoken {
                    Ok(ms) => screen::line(&config.language.pick(
                        format!("голос {name}: говорит, {ms} мс"),
                        format!("voice {name}: speaks, {ms} ms"),
                    )),
                    Err(why) => faults.push(why),
                }
            }
        }
        (_, Err(error)) => faults.push(error.to_string()),
        (None, _) => {}
    }
    faults.iter().for_each(|fault| screen::line(fault));
    faults.len()
}

/// Dialogs that a set of rules names and that aren't there: it would never be gone by.
fn strangers(config: &Config) -> Vec<String> {
    let mut faults = Vec::new();
    for (n, set) in config.rules.sets.iter().enumerate() {
        for dialog in &set.dialogs {
            let file = config.scripts.folder.join(format!("{dialog}.rhai"));
            if !file.is_file() {
                faults.push(config.language.pick(
                    format!(
                        "rules.sets[{n}].dialogs: диалога {dialog} нет ({}); проверьте имя",
                        file.display()
                    ),
                    format!(
                        "rules.sets[{n}].dialogs: there is no dialog {dialog} ({}); check its name",
                        file.display()
                    ),
                ));
            }
        }
    }
    faults
}

/// What dialogs may name of the settings.
fn names(config: &Config) -> Named {
    let recognizers = config.recognizers.iter().map(|r| r.name().to_owned());
    Named {
        voices: Some(config.voice_names()),
        recognizers: Some(recognizers.collect()),
    }
}

/// One object for editors: `{"sound", "dialogs", "faults": [{"file", "line", "column", "severity", "message"}]}`. Files are
/// as an editor can open them; line and column count from 1, 0 where there is none.
fn json(config: Option<&Path>, folder: Option<PathBuf>) -> Ended {
    let mut told = Vec::new();
    let (mut folder, mut language) = (folder, Language::Ru);
    let mut named = Named::default();
    if let Some(file) = config {
        match load(file) {
            Ok(config) => {
                told.extend(crate::app::probe(&config).into_iter().map(|message| {
                    json!({"file": file, "line": 0, "column": 0, "severity": "error", "message": message})
                }));
                told.extend(strangers(&config).into_iter().map(|message| {
                    json!({"file": file, "line": 0, "column": 0, "severity": "error", "message": message})
                }));
                named = names(&config);
                (folder, language) = (Some(config.scripts.folder), config.language);
            }
            Err(found) => {
                folder = beside(file);
                language = found.first().map_or(language, |f| f.language);
                told.extend(found.iter().map(|f| {
                    let message = f.wrong.tell(f.language);
                    let message = if f.key.is_empty() {
                        message
                    } else {
                        format!("{}: {message}", f.key)
                    };
                    json!({"file": f.file, "line": f.line, "column": f.column, "severity": "error", "message": message})
                }));
            }
        }
    }
    let mut dialogs = 0;
    if let Some(folder) = folder {
        let report = checked(&folder, language, &named);
        dialogs = report.dialogs;
        for (faults, severity) in [(&report.faults, "error"), (&report.warnings, "warning")] {
            told.extend(faults.iter().map(|f| {
                let file = folder.join(&f.file);
                json!({"file": file, "line": f.line, "column": f.column, "severity": severity, "message": f.message})
            }));
        }
    }
    let sound = !told.iter().any(|f| f["severity"] == "error");
    screen::line(&json!({"sound": sound, "dialogs": dialogs, "faults": told}).to_string());
    if sound { Ended::Sound } else { Ended::Fault }
}

fn tell(folder: &Path, report: &Report) {
    if report.faults.is_empty() && report.warnings.is_empty() {
        return;
    }
    screen::line(&format!("Диалоги в {}:", folder.display()));
    // Its last line is a sum, and the sum of all is told at the end.
    let told = report.to_string();
    let told = told.trim_end();
    screen::line(told.rsplit_once('\n').map_or(told, |(faults, _)| faults));
    screen::line("");
}

fn totals(report: &Report) -> String {
    let dialogs = screen::count(report.dialogs, ["диалог", "диалога", "диалогов"]);
    match report.warnings.len() {
        0 => dialogs,
        n => format!(
            "{dialogs}, {}",
            screen::count(n, ["замечание", "замечания", "замечаний"])
        ),
    }
}

/// Where the settings can't be read, their dialogs usually lie beside them.
fn beside(file: &Path) -> Option<PathBuf> {
    let folder = file.parent()?.join(SCRIPTS);
    folder.is_dir().then_some(folder)
}

/// The settings, with secrets from the environment.
pub(super) fn load(file: &Path) -> Result<Config, Vec<ConfigFault>> {
    Config::load(file, &|name| std::env::var(name).ok())
}

/// A fault with its line and a caret.
pub(super) fn shown(fault: &ConfigFault) -> String {
    let told = fault.to_string();
    // A line that may hold a password is not for the screen.
    let secret = ["secret", "token", "users", "password"]
        .iter()
        .any(|word| fault.key.contains(word));
    match place::of_file(&fault.file, fault.line, fault.column) {
        Some(line) if !secret => format!("{told}\n{line}"),
        _ => told,
    }
}
