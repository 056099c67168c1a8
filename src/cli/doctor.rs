//! `doctor`: what is missing between us, Asterisk, the recognizer and the disk, and the line that mends it.

use serde_json::json;

use crate::app::doctor::{self, Finding, Level};
use crate::config::Language;

use super::arguments::Doctor;
use super::{Ended, check, screen};

/// Runs it.
pub(super) async fn run(wanted: Doctor) -> Ended {
    let config = match check::load(&wanted.config) {
        Ok(config) => config,
        Err(faults) => {
            if wanted.json {
                let told: Vec<_> = faults
                    .iter()
                    .map(|f| json!({"check": "settings", "level": "fault", "what": f.to_string(), "mend": "govorun check"}))
                    .collect();
                screen::line(&json!({"sound": false, "findings": told}).to_string());
            } else {
                faults
                    .iter()
                    .for_each(|fault| screen::line(&check::shown(fault)));
            }
            return Ended::Fault;
        }
    };
    let l = config.language;
    if !wanted.json {
        screen::line(&l.pick(
            format!(
                "Проверяю {}; до минуты, никому не звоню.",
                wanted.config.display()
            ),
            format!(
                "Looking at {}; a minute at most, nobody is called.",
                wanted.config.display()
            ),
        ));
    }
    let quiet = wanted.json;
    let found = doctor::examine(&config, &mut |finding| {
        if !quiet {
            shown(finding, l).iter().for_each(|line| screen::line(line));
        }
    })
    .await;
    let of = |level| found.iter().filter(|f| f.level == level).count();
    let (faults, warnings) = (of(Level::Fault), of(Level::Warning));
    if wanted.json {
        let told: Vec<_> = found
            .iter()
            .map(|f| json!({"check": f.check, "level": f.level.as_str(), "what": f.what, "mend": f.mend}))
            .collect();
        screen::line(&json!({"sound": faults == 0, "findings": told}).to_string());
    } else {
        screen::line(&total(faults, warnings, l));
    }
    if faults > 0 {
        Ended::Fault
    } else {
        Ended::Sound
    }
}

fn shown(finding: &Finding, l: Language) -> Vec<String> {
    let word = match finding.level {
        Level::Ok => l.pick("ок       ", "ok     "),
        Level::Warning => l.pick("замечание", "warning"),
        Level::Fault => l.pick("ОШИБКА   ", "FAULT  "),
    };
    let mut lines = vec![format!("{word}  {}", finding.what)];
    if !finding.mend.is_empty() {
        lines.push(format!(
            "{}    → {}",
            " ".repeat(word.chars().count()),
            finding.mend
        ));
    }
    lines
}

fn total(faults: usize, warnings: usize, l: Language) -> String {
    let ru = |n, words| screen::count(n, words);
    match (faults, warnings) {
        (0, 0) => l.pick("Всё в порядке.", "All is sound.").to_owned(),
        (0, n) => l.pick(
            format!(
                "Ошибок нет, {}.",
                ru(n, ["замечание", "замечания", "замечаний"])
            ),
            format!("No fault, {n} to look at."),
        ),
        (n, w) => l.pick(
            format!(
                "Итого: {}, {}.",
                ru(n, ["ошибка", "ошибки", "ошибок"]),
                ru(w, ["замечание", "замечания", "замечаний"])
            ),
            format!("In all: {n} to mend, {w} to look at."),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_shown_with_the_line_that_mends_them() {
        let finding = Finding {
            check: "rights",
            level: Level::Fault,
            what: "не дано originate".to_owned(),
            mend: "write = originate".to_owned(),
        };
        assert_eq!(
            shown(&finding, Language::Ru),
            [
                "ОШИБКА     не дано originate",
                "             → write = originate"
            ]
        );
        assert_eq!(total(1, 2, Language::Ru), "Итого: 1 ошибка, 2 замечания.");
        assert_eq!(total(0, 0, Language::Ru), "Всё в порядке.");
    }
}
