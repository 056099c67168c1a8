//! Where calls go out: the endpoint, peer or context that the channel templates name.

use super::finding::Findings;
use super::link::{Link, PATIENCE};
use crate::config::{Config, TrunkConfig};
use crate::net::ami::AmiError;
use crate::wire::ami::{Action, Packet};

/// What a template dials through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// An endpoint of chan_pjsip.
    Pjsip(String),
    /// A peer of chan_sip.
    Sip(String),
    /// A context of the dialplan.
    Local(String),
    /// Another technology.
    Other(String),
}

impl Way {
    /// Reads `PJSIP/{phone}@trunk`, `PJSIP/trunk/sip:{phone}@host`, `SIP/trunk/{phone}`, `Local/8{digits}@context/n`.
    pub(super) fn of(template: &str) -> Self {
        let (technology, rest) = template.split_once('/').unwrap_or((template, ""));
        let first = rest.split('/').next().unwrap_or_default();
        // The number's part comes first before an `@`, alone before a `/`.
        let named = match first.split_once('@') {
            Some((_, place)) => place,
            None => first,
        };
        let named = named
            .split([':', ';'])
            .next()
            .unwrap_or_default()
            .to_owned();
        match technology.to_ascii_lowercase().as_str() {
            "pjsip" => Self::Pjsip(named),
            "sip" => Self::Sip(named),
            "local" => Self::Local(named),
            _ => Self::Other(technology.to_owned()),
        }
    }
}

/// Tells of each template; the answer is the contexts in which these trunks' incoming calls arrive.
pub(super) async fn look(config: &Config, link: &Link, findings: &mut Findings) -> Vec<String> {
    let mut contexts = Vec::new();
    let mut seen = Vec::new();
    for (key, template) in templates(config) {
        let (key, way) = (key.as_str(), Way::of(&template));
        if seen.contains(&way) {
            continue;
        }
        match &way {
            Way::Pjsip(name) => {
                if let Some(found) = pjsip(key, name, link, findings).await {
                    contexts.push(found);
                }
            }
            Way::Sip(name) => sip(key, name, link, findings).await,
            Way::Local(name) => local(key, name, link, findings).await,
            Way::Other(technology) => findings.ok(
                "trunk",
                (
                    &format!("{key}: о каналах {technology} спросить Asterisk нельзя, проверьте звонком: govorun call"),
                    &format!("{key}: Asterisk can't be asked about {technology} channels; try a call: govorun call"),
                ),
            ),
        }
        seen.push(way);
    }
    contexts
}

/// The key and the template of every way out.
fn templates(config: &Config) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = if config.trunks.is_empty() {
        vec![(
            "asterisk.channel".to_owned(),
            config.asterisk.channel.clone(),
        )]
    } else {
        let named = |(n, trunk): (usize, &TrunkConfig)| {
            (format!("trunks[{n}].channel"), trunk.channel.clone())
        };
        config.trunks.iter().enumerate().map(named).collect()
    };
    let transfer = &config.asterisk.transfer_channel;
    if !transfer.is_empty() {
        all.push(("asterisk.transfer_channel".to_owned(), transfer.clone()));
    }
    all
}

async fn pjsip(key: &str, name: &str, link: &Link, findings: &mut Findings) -> Option<String> {
    let action = Action::pjsip_show_endpoint(name).ok()?;
    let answer = link.ami.order(action, PATIENCE).await;
    match answer {
        Ok(answer) => {
            judge_endpoint(key, name, &answer.list, findings);
            let detail = answer.list.iter().find(|p| p.name() == "EndpointDetail");
            detail.and_then(|p| p.value("Context")).map(str::to_owned)
        }
        Err(error) => {
            absent(key, "pjsip.conf", "pjsip reload", name, &error, findings);
            None
        }
    }
}

fn judge_endpoint(key: &str, name: &str, parts: &[Packet], findings: &mut Findings) {
    let detail = |event: &str, what: &str| {
        let part = parts.iter().find(|p| p.name() == event);
        part.and_then(|p| p.value(what)).unwrap_or_default()
    };
    let contacts = detail("AorDetail", "Contacts");
    if contacts.is_empty() {
        return findings.fault(
            "trunk",
            (
                &format!("{key}: у PJSIP/{name} нет ни одного адреса: звонить некуда"),
                &format!("{key}: PJSIP/{name} has no address: calls go nowhere"),
            ),
            (
                &format!("в pjsip.conf: [{name}] type = aor, contact = sip:адрес-оператора:5060; потом: asterisk -rx \"pjsip reload\""),
                &format!("in pjsip.conf: [{name}] type = aor, contact = sip:operator:5060; then: asterisk -rx \"pjsip reload\""),
            ),
        );
    }
    let states: Vec<&str> = parts
        .iter()
        .filter(|p| p.name() == "ContactStatusDetail")
        .filter_map(|p| p.value("Status"))
        .collect();
    if !states.is_empty() && states.iter().all(|s| *s == "Unreachable") {
        return findings.warning(
            "trunk",
            (
                &format!("{key}: оператор за PJSIP/{name} не отвечает ({contacts})"),
                &format!("{key}: the operator behind PJSIP/{name} doesn't answer ({contacts})"),
            ),
            (
                &format!("asterisk -rx \"pjsip show endpoint {name}\"; проверьте адрес contact, сеть и договор с оператором"),
                &format!("asterisk -rx \"pjsip show endpoint {name}\"; check contact, the network and the operator"),
            ),
        );
    }
    let allow = detail("EndpointDetail", "Allow");
    if !allow.is_empty() && !["alaw", "ulaw", "slin"].iter().any(|c| allow.contains(c)) {
        return findings.warning(
            "trunk",
            (
                &format!(
                    "{key}: PJSIP/{name} разрешает только {allow}: телефонная сеть говорит на alaw"
                ),
                &format!(
                    "{key}: PJSIP/{name} allows {allow} only: the telephone network speaks alaw"
                ),
            ),
            (
                &format!(
                    "в pjsip.conf: [{name}] allow = alaw; потом: asterisk -rx \"pjsip reload\""
                ),
                &format!(
                    "in pjsip.conf: [{name}] allow = alaw; then: asterisk -rx \"pjsip reload\""
                ),
            ),
        );
    }
    findings.ok(
        "trunk",
        (
            &format!("{key}: PJSIP/{name} есть, {contacts}"),
            &format!("{key}: PJSIP/{name} is there, {contacts}"),
        ),
    );
}

async fn sip(key: &str, name: &str, link: &Link, findings: &mut Findings) {
    let Ok(action) = Action::sip_show_peer(name) else {
        return;
    };
    match link.ami.order(action, PATIENCE).await {
        Ok(answer) => {
            let status = answer.value("Status").unwrap_or_default();
            findings.ok(
                "trunk",
                (
                    &format!("{key}: SIP/{name} есть, {status}"),
                    &format!("{key}: SIP/{name} is there, {status}"),
                ),
            );
        }
        Err(error) => absent(key, "sip.conf", "sip reload", name, &error, findings),
    }
}

async fn local(key: &str, name: &str, link: &Link, findings: &mut Findings) {
    let Ok(action) = Action::show_dial_plan(name) else {
        return;
    };
    match link.ami.order(action, PATIENCE).await {
        Ok(_) => findings.ok(
            "trunk",
            (
                &format!("{key}: контекст {name} в диалплане есть"),
                &format!("{key}: the dialplan has the context {name}"),
            ),
        ),
        Err(error) => absent(
            key,
            "extensions.conf",
            "dialplan reload",
            name,
            &error,
            findings,
        ),
    }
}

fn absent(
    key: &str,
    file: &str,
    reload: &str,
    name: &str,
    error: &AmiError,
    findings: &mut Findings,
) {
    let AmiError::Refused { message, .. } = error else {
        return findings.warning(
            "trunk",
            (
                &format!("{key}: о «{name}» узнать не удалось: {error}"),
                &format!("{key}: nothing could be learnt of {name:?}: {error}"),
            ),
            ("повторите govorun doctor", "run govorun doctor again"),
        );
    };
    // Without the right nothing is known; that the right is missing is told elsewhere.
    if message.to_ascii_lowercase().contains("permission") {
        return;
    }
    findings.fault(
        "trunk",
        (
            &format!("{key}: в Asterisk нет «{name}»: {message}"),
            &format!("{key}: Asterisk has no {name:?}: {message}"),
        ),
        (
            &format!("впишите [{name}] в {file} и asterisk -rx \"{reload}\", или поправьте {key} в govorun.yaml"),
            &format!("write [{name}] into {file} and asterisk -rx \"{reload}\", or mend {key} in govorun.yaml"),
        ),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::doctor::finding::Level;
    use crate::config::Language;

    #[test]
    fn templates_name_their_way() {
        for (template, want) in [
            ("PJSIP/{phone}@trunk", Way::Pjsip("trunk".into())),
            (
                "PJSIP/trunk/sip:{digits}@10.0.0.1:5060",
                Way::Pjsip("trunk".into()),
            ),
            ("SIP/trunk/{phone}", Way::Sip("trunk".into())),
            ("SIP/{phone}@mango", Way::Sip("mango".into())),
            (
                "Local/8{digits}@from-internal/n",
                Way::Local("from-internal".into()),
            ),
            ("DAHDI/g0/{digits}", Way::Other("DAHDI".into())),
        ] {
            assert_eq!(Way::of(template), want, "{template}");
        }
    }

    #[test]
    fn every_trunk_is_looked_at_under_its_own_key() {
        let mut config = Config::default();
        config.asterisk.transfer_channel = "Local/{phone}@ops".to_owned();
        let keys = |config: &Config| -> Vec<String> {
            templates(config).into_iter().map(|(key, _)| key).collect()
        };
        assert_eq!(
            keys(&config),
            ["asterisk.channel", "asterisk.transfer_channel"]
        );
        config.trunks = [config.trunks_in_use(), config.trunks_in_use()].concat();
        assert_eq!(
            keys(&config)[..2],
            ["trunks[0].channel", "trunks[1].channel"]
        );
    }

    fn part(pairs: &[(&str, &str)]) -> Packet {
        Packet::from_pairs(pairs.iter().copied()).unwrap()
    }

    #[test]
    fn endpoints_without_an_address_an_answer_or_a_codec() {
        let endpoint = |allow| {
            part(&[
                ("Event", "EndpointDetail"),
                ("Allow", allow),
                ("Context", "in"),
            ])
        };
        let aor = |contacts| part(&[("Event", "AorDetail"), ("Contacts", contacts)]);
        let contact = |status| part(&[("Event", "ContactStatusDetail"), ("Status", status)]);
        let at = "trunk/sip:10.0.0.1:5060";
        for (parts, level, what) in [
            (
                vec![endpoint("(alaw|ulaw)"), aor(at), contact("NonQualified")],
                Level::Ok,
                "есть",
            ),
            (
                vec![endpoint("(alaw)"), aor("")],
                Level::Fault,
                "звонить некуда",
            ),
            (
                vec![endpoint("(alaw)"), aor(at), contact("Unreachable")],
                Level::Warning,
                "не отвечает",
            ),
            (
                vec![endpoint("(g729)"), aor(at)],
                Level::Warning,
                "разрешает только (g729)",
            ),
        ] {
            let mut found = Findings::new(Language::Ru);
            judge_endpoint("asterisk.channel", "trunk", &parts, &mut found);
            assert_eq!(found.all[0].level, level, "{found:?}");
            assert!(found.all[0].what.contains(what), "{found:?}");
        }
    }

    #[test]
    fn an_absent_trunk_is_a_fault_and_a_missing_right_is_not_told_twice() {
        let refused = |message: &str| AmiError::Refused {
            action: "PJSIPShowEndpoint",
            message: message.to_owned(),
        };
        let mut found = Findings::new(Language::Ru);
        let error = refused("Unable to retrieve endpoint mts");
        absent(
            "asterisk.channel",
            "pjsip.conf",
            "pjsip reload",
            "mts",
            &error,
            &mut found,
        );
        assert_eq!(found.all[0].level, Level::Fault);
        assert!(
            found.all[0].mend.contains("[mts] в pjsip.conf"),
            "{found:?}"
        );
        let error = refused("Permission denied");
        absent(
            "asterisk.channel",
            "pjsip.conf",
            "pjsip reload",
            "mts",
            &error,
            &mut found,
        );
        assert_eq!(found.all.len(), 1);
    }
}
