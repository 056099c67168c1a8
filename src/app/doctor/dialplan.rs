//! Whether incoming calls lead to us: the contexts in which they arrive, and the AGI steps in them.

use std::collections::{BTreeMap, BTreeSet};

use super::finding::Findings;
use super::link::{Link, PATIENCE};
use crate::config::Config;
use crate::net::ami::AmiError;
use crate::wire::agi::VariableName;
use crate::wire::ami::{Action, Packet};

/// The context of asterisk-conf/.
const USUAL: &str = "govorun-in";
/// Contexts that are looked into, includes and all.
const MOST_CONTEXTS: usize = 24;
/// Port of `agi://host/path` without one.
const AGI_PORT: u16 = 4573;

/// A step that runs AGI.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Step {
    context: String,
    extension: String,
    data: String,
}

/// Looks into the contexts of the trunks and the usual one; `dialogs` are those that can be named.
pub(super) async fn look(
    config: &Config,
    link: &Link,
    trunks: Vec<String>,
    dialogs: &[String],
    findings: &mut Findings,
) {
    let mut left: Vec<String> = trunks.clone();
    left.push(USUAL.to_owned());
    let (mut seen, mut steps, mut there) = (BTreeSet::new(), Vec::new(), BTreeSet::new());
    while let Some(context) = left.pop() {
        if seen.len() >= MOST_CONTEXTS || !seen.insert(context.clone()) {
            continue;
        }
        let Ok(action) = Action::show_dial_plan(&context) else {
            continue;
        };
        match link.ami.order(action, PATIENCE).await {
            Ok(answer) => {
                left.extend(includes(&answer.list));
                steps.extend(agi_steps(&answer.list));
                there.insert(context);
            }
            Err(AmiError::Refused { message, .. })
                if !message.to_ascii_lowercase().contains("permission") => {}
            // The right is missing, which is told elsewhere, or Asterisk is away.
            Err(_) => return,
        }
    }
    let globals = globals(&steps, link).await;
    for step in &mut steps {
        step.data = substituted(&step.data, &globals);
    }
    judge(config, &trunks, &there, &steps, dialogs, findings);
}

fn includes(list: &[Packet]) -> impl Iterator<Item = String> + '_ {
    list.iter()
        .filter_map(|p| p.value("IncludeContext"))
        .map(str::to_owned)
}

fn agi_steps(list: &[Packet]) -> impl Iterator<Item = Step> + '_ {
    let text = |p: &Packet, key| p.value(key).unwrap_or_default().to_owned();
    list.iter()
        .filter(|p| p.value("Application") == Some("AGI"))
        .map(move |p| Step {
            context: text(p, "Context"),
            extension: text(p, "Extension"),
            data: text(p, "AppData"),
        })
}

/// Values of the `${NAME}`s that stand in the steps.
async fn globals(steps: &[Step], link: &Link) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for name in steps.iter().filter_map(|step| named(&step.data)) {
        if found.len() >= 16 || found.contains_key(name) {
            continue;
        }
        let Ok(variable) = VariableName::plain(name) else {
            continue;
        };
        let value = match Action::global_variable(&variable) {
            Ok(action) => link.ami.ask(action, PATIENCE).await.ok(),
            Err(_) => None,
        };
        let value = value.and_then(|v| v.value("Value").map(str::to_owned));
        found.insert(name.to_owned(), value.unwrap_or_default());
    }
    found
}

/// The first `${NAME}`.
fn named(data: &str) -> Option<&str> {
    let (_, rest) = data.split_once("${")?;
    Some(rest.split_once('}')?.0)
}

fn substituted(data: &str, globals: &BTreeMap<String, String>) -> String {
    match named(data).and_then(|name| Some((name, globals.get(name)?))) {
        Some((name, value)) => data.replacen(&format!("${{{name}}}"), value, 1),
        None => data.to_owned(),
    }
}

/// Host, port and dialog of `agi://host:port/dialog?...`, an application's further arguments left out.
fn address(data: &str) -> Option<(&str, u16, &str)> {
    let url = data.split(',').next()?.trim().trim_matches('"');
    let (host, path) = url.strip_prefix("agi://")?.split_once('/')?;
    let dialog = path.split(['?', '/']).next().unwrap_or_default();
    let (host, port) = match host.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok()?),
        None => (host, AGI_PORT),
    };
    Some((host, port, dialog))
}

fn judge(
    config: &Config,
    trunks: &[String],
    there: &BTreeSet<String>,
    steps: &[Step],
    dialogs: &[String],
    findings: &mut Findings,
) {
    let ours = &config.asterisk.our_host;
    let port = config.asterisk.agi_listen.port();
    let url = format!("agi://{ours}:{port}");
    let (mut led, mut lost) = (Vec::new(), Vec::new());
    for step in steps {
        match address(&step.data) {
            Some((_, found, dialog)) if found == port || port == 0 => {
                if dialogs.iter().any(|d| d == dialog) {
                    led.push(format!("{} → {dialog}", step.extension));
                } else if !dialog.is_empty() {
                    lost.push((step, dialog));
                }
            }
            // Another AGI program's.
            _ if !step.context.contains("govorun") && !step.data.contains("GOVORUN") => {}
            _ => findings.warning(
                "dialplan",
                (
                    &format!("диалплан ведёт не к нам: [{}] {} AGI({})", step.context, step.extension, step.data),
                    &format!("the dialplan doesn't lead to us: [{}] {} AGI({})", step.context, step.extension, step.data),
                ),
                (
                    &format!("в extensions.conf: [globals] GOVORUN_AGI={url}; потом: asterisk -rx \"dialplan reload\""),
                    &format!("in extensions.conf: [globals] GOVORUN_AGI={url}; then: asterisk -rx \"dialplan reload\""),
                ),
            ),
        }
    }
    for (step, dialog) in &lost {
        findings.warning(
            "dialplan",
            (
                &format!(
                    "[{}] {} ведёт в диалог «{dialog}», а его нет в {}",
                    step.context,
                    step.extension,
                    config.scripts.folder.display()
                ),
                &format!(
                    "[{}] {} leads to the dialog {dialog:?}, which isn't in {}",
                    step.context,
                    step.extension,
                    config.scripts.folder.display()
                ),
            ),
            (
                &format!(
                    "назовите в extensions.conf один из: {}; или создайте {dialog}.rhai",
                    dialogs.join(", ")
                ),
                &format!(
                    "name one of these in extensions.conf: {}; or make {dialog}.rhai",
                    dialogs.join(", ")
                ),
            ),
        );
    }
    if led.is_empty() && lost.is_empty() {
        let example = dialogs.first().map_or("confirm_visit", String::as_str);
        let at = if there.contains(USUAL) {
            "контексте"
        } else {
            "новом контексте"
        };
        return findings.warning(
            "dialplan",
            (
                "входящие звонки к нам не ведут (для исходящих диалплан не нужен)",
                "no incoming call leads to us (outgoing ones need no dialplan)",
            ),
            (
                &format!("в extensions.conf в {at} [{USUAL}]: exten => _X!,1,Answer(); same => n,AGI({url}/{example}); same => n,Hangup(); и у транка context = {USUAL}"),
                &format!("in extensions.conf, [{USUAL}]: exten => _X!,1,Answer(); same => n,AGI({url}/{example}); same => n,Hangup(); and context = {USUAL} at the trunk"),
            ),
        );
    }
    if !led.is_empty() {
        let led = led.join(", ");
        findings.ok(
            "dialplan",
            (
                &format!("входящие ведут к нам: {led}"),
                &format!("incoming calls lead to us: {led}"),
            ),
        );
    }
    for trunk in trunks.iter().filter(|t| !there.contains(*t)) {
        findings.warning(
            "dialplan",
            (
                &format!("входящие транка идут в контекст «{trunk}», а его в диалплане нет"),
                &format!("the trunk's incoming calls go to the context {trunk:?}, which isn't in the dialplan"),
            ),
            (
                &format!("в pjsip.conf у транка: context = {USUAL}; потом: asterisk -rx \"pjsip reload\""),
                &format!("in pjsip.conf at the trunk: context = {USUAL}; then: asterisk -rx \"pjsip reload\""),
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::doctor::finding::{Finding, Level};
    use crate::config::Language;

    fn found(there: &[&str], data: &[&str]) -> Vec<Finding> {
        let mut findings = Findings::new(Language::Ru);
        let there = there.iter().map(|c| (*c).to_owned()).collect();
        let steps: Vec<Step> = data
            .iter()
            .map(|data| Step {
                context: USUAL.to_owned(),
                extension: "100".to_owned(),
                data: (*data).to_owned(),
            })
            .collect();
        judge(
            &Config::default(),
            &["trunk-in".to_owned()],
            &there,
            &steps,
            &["confirm_visit".to_owned()],
            &mut findings,
        );
        findings.all
    }

    #[test]
    fn incoming_calls_are_followed_to_a_dialog() {
        let all = found(
            &[USUAL, "trunk-in"],
            &["agi://127.0.0.1:4573/confirm_visit"],
        );
        assert_eq!((all.len(), all[0].level), (1, Level::Ok));
        assert_eq!(all[0].what, "входящие ведут к нам: 100 → confirm_visit");
        let all = found(&[], &[]);
        assert_eq!(all[0].level, Level::Warning);
        assert!(
            all[0]
                .mend
                .contains("AGI(agi://127.0.0.1:4573/confirm_visit)")
        );
        let all = found(
            &[USUAL, "trunk-in"],
            &["agi://127.0.0.1:4999/confirm_visit"],
        );
        assert!(all[0].what.contains("ведёт не к нам"), "{all:?}");
        assert!(all[0].mend.contains("GOVORUN_AGI=agi://127.0.0.1:4573"));
        let all = found(&[USUAL, "trunk-in"], &["agi://127.0.0.1/inbound"]);
        assert!(
            all[0].what.contains("диалог «inbound», а его нет"),
            "{all:?}"
        );
        let all = found(&[USUAL], &["agi://127.0.0.1:4573/confirm_visit"]);
        assert!(all[1].what.contains("контекст «trunk-in»"), "{all:?}");
    }

    #[test]
    fn variables_and_addresses_are_read() {
        let globals = BTreeMap::from([("GOVORUN_AGI".to_owned(), "agi://h:1".to_owned())]);
        assert_eq!(substituted("${GOVORUN_AGI}/d", &globals), "agi://h:1/d");
        assert_eq!(substituted("${OTHER}/d", &globals), "${OTHER}/d");
        assert_eq!(address("agi://h:1/d?x=1,arg"), Some(("h", 1, "d")));
        assert_eq!(address("agi://h/d"), Some(("h", 4573, "d")));
        assert_eq!(address("script.py"), None);
    }
}
