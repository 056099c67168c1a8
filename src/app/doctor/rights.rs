//! What the manager user may do (`write`) and is told (`read`), held against what calls need.

use super::finding::Findings;
use super::link::{Link, PATIENCE};
use crate::config::Config;
use crate::wire::ami::Action;

/// The line of asterisk-conf/.
const WRITE: &str = "write = originate,call,reporting,system";
const READ: &str = "read = call,dtmf,agi,system";

/// An action that only its class opens, and what calls can't do without it.
const CLASSES: [(&str, &str, &str, &str); 4] = [
    (
        "originate",
        "Originate",
        "звонить нельзя",
        "no call can be placed",
    ),
    (
        "call",
        "ControlPlayback",
        "фразу нельзя остановить или перебить, трубку нельзя положить",
        "no prompt can be stopped, nobody hung up",
    ),
    (
        "system",
        "ModuleCheck",
        "Asterisk не пустит звонок в AGI, не скажет модулей и не запишет разговор",
        "Asterisk refuses to originate into AGI, to tell its modules and to record",
    ),
    (
        "reporting",
        "ShowDialPlan",
        "диалплан и живые каналы не видны",
        "the dialplan and live channels can't be seen",
    ),
];

/// Asks which actions the user may use, and tells which classes are missing in `write`.
pub(super) async fn look(config: &Config, link: &Link, findings: &mut Findings) {
    let Ok(answer) = link.ami.ask(Action::list_commands(), PATIENCE).await else {
        return;
    };
    let may: Vec<&str> = answer.packet.pairs().map(|(name, _)| name).collect();
    judge_write(&config.asterisk.user, &may, findings);
}

fn judge_write(user: &str, may: &[&str], findings: &mut Findings) {
    let mut sound = true;
    for (class, action, ru, en) in CLASSES {
        if may.iter().any(|name| name.eq_ignore_ascii_case(action)) {
            continue;
        }
        sound = false;
        let what = (
            format!("пользователю AMI «{user}» не дано {class} в write: {ru}"),
            format!("the AMI user {user:?} has no {class} in write: {en}"),
        );
        let mend = mend(user, WRITE);
        let (what, mend) = ((&*what.0, &*what.1), (&*mend.0, &*mend.1));
        if class == "reporting" {
            findings.warning("rights", what, mend);
        } else {
            findings.fault("rights", what, mend);
        }
    }
    if sound {
        findings.ok(
            "rights",
            (
                &format!("пользователю AMI «{user}» можно всё нужное (write)"),
                &format!("the AMI user {user:?} may do all that is needed (write)"),
            ),
        );
    }
}

/// What the test call showed of `read`: `None` where it couldn't be seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) system: bool,
    pub(super) call: Option<bool>,
    pub(super) dtmf: Option<bool>,
}

/// Tells which classes are missing in `read`.
pub(super) fn judge_read(user: &str, told: Told, findings: &mut Findings) {
    let mut missing = Vec::new();
    for (class, seen, ru, en) in [
        (
            "call",
            told.call,
            "Говорун не узнает, что человек ответил или положил трубку",
            "we don't learn of answers and hang-ups",
        ),
        (
            "dtmf",
            told.dtmf,
            "клавиши не слышны, пока играет фраза",
            "keys are not heard while a prompt plays",
        ),
        (
            "system",
            Some(told.system),
            "Говорун не узнает, что Asterisk перезапущен",
            "we don't learn of Asterisk's restarts",
        ),
    ] {
        if seen == Some(false) {
            missing.push((class, ru, en));
        }
    }
    for (class, ru, en) in &missing {
        let what = (
            format!("пользователю AMI «{user}» не дано {class} в read: {ru}"),
            format!("the AMI user {user:?} has no {class} in read: {en}"),
        );
        let mend = mend(user, READ);
        let (what, mend) = ((&*what.0, &*what.1), (&*mend.0, &*mend.1));
        if *class == "system" {
            findings.warning("rights", what, mend);
        } else {
            findings.fault("rights", what, mend);
        }
    }
    if missing.is_empty() && told.call.is_some() {
        findings.ok(
            "rights",
            (
                &format!("пользователю AMI «{user}» видны нужные события (read)"),
                &format!("the AMI user {user:?} is told the events that are needed (read)"),
            ),
        );
    }
}

fn mend(user: &str, line: &str) -> (String, String) {
    (
        format!(
            "в manager.conf: [{user}] {line}; потом: asterisk -rx \"manager reload\" и перезапустить Говорун"
        ),
        format!(
            "in manager.conf: [{user}] {line}; then: asterisk -rx \"manager reload\", and restart Govorun"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::doctor::finding::Level;
    use crate::config::Language;

    #[test]
    fn missing_classes_are_named_with_the_whole_line() {
        let all = [
            "Originate",
            "ControlPlayback",
            "ModuleCheck",
            "ShowDialPlan",
        ];
        for (gone, class, level) in [
            ("Originate", "originate", Level::Fault),
            ("ControlPlayback", "call", Level::Fault),
            ("ModuleCheck", "system", Level::Fault),
            ("ShowDialPlan", "reporting", Level::Warning),
        ] {
            let may: Vec<&str> = all.iter().copied().filter(|a| *a != gone).collect();
            let mut found = Findings::new(Language::Ru);
            judge_write("govorun", &may, &mut found);
            assert_eq!(found.all.len(), 1);
            assert_eq!(found.all[0].level, level);
            assert!(
                found.all[0]
                    .what
                    .contains(&format!("не дано {class} в write")),
                "{found:?}"
            );
            assert!(found.all[0].mend.contains(&format!("[govorun] {WRITE}")));
        }
        let mut found = Findings::new(Language::Ru);
        judge_write("govorun", &all, &mut found);
        assert_eq!(found.all[0].level, Level::Ok);
    }

    #[test]
    fn events_that_did_not_come_are_named() {
        let mut found = Findings::new(Language::Ru);
        let told = Told {
            system: false,
            call: Some(true),
            dtmf: Some(false),
        };
        judge_read("govorun", told, &mut found);
        let told: Vec<_> = found
            .all
            .iter()
            .map(|f| (f.level, f.what.as_str()))
            .collect();
        assert_eq!(told[0].0, Level::Fault);
        assert!(told[0].1.contains("не дано dtmf в read"), "{told:?}");
        assert_eq!(told[1].0, Level::Warning);
        assert!(told[1].1.contains("не дано system в read"), "{told:?}");
        // A call that never came about tells nothing of `read`.
        let mut found = Findings::new(Language::Ru);
        let told = Told {
            system: true,
            ..Told::default()
        };
        judge_read("govorun", told, &mut found);
        assert_eq!(found.all, []);
    }
}
