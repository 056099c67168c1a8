//! `asterisk-conf/` and `examples/govorun.yaml` describe one system: the ports, the user and the names in them agree.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::path::Path;

use govorun::config::{Config, Surroundings, read};
use govorun::wire::dial::DialTemplate;

type Sections = BTreeMap<String, Vec<(String, String)>>;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// An Asterisk file: sections with their pairs in order, comments cut.
fn sections(version: &str, file: &str) -> Sections {
    let path = root().join("asterisk-conf").join(version).join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path:?}: {e}"));
    let mut all = Sections::new();
    let mut section = String::new();
    for line in text.lines() {
        let line = line.split(';').next().unwrap().trim();
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']').to_owned();
        } else if let Some((key, value)) = line.split_once('=') {
            let pair = (
                key.trim().to_owned(),
                value.trim_start_matches('>').trim().to_owned(),
            );
            all.entry(section.clone()).or_default().push(pair);
        }
    }
    all
}

fn values<'a>(all: &'a Sections, section: &str, key: &str) -> Vec<&'a str> {
    let pairs = all.get(section).unwrap_or_else(|| panic!("no [{section}]"));
    let found = pairs.iter().filter(|(k, _)| k == key);
    found.map(|(_, value)| value.as_str()).collect()
}

fn example() -> Config {
    let env = |name: &str| Some(format!("{name}-of-the-environment"));
    let path = root().join("examples/govorun.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    // Its folders are the admin's machine's.
    let around = Surroundings {
        env: &env,
        is_folder: &|_| true,
        has_sherpa: true,
    };
    read(&text, &path, around).unwrap_or_else(|faults| panic!("{faults:#?}"))
}

#[test]
fn ports_users_and_names_agree() {
    let config = example();
    for version in ["16", "22"] {
        let manager = sections(version, "manager.conf");
        let ami = format!(
            "{}:{}",
            values(&manager, "general", "bindaddr")[0],
            values(&manager, "general", "port")[0]
        );
        assert_eq!(config.asterisk.ami, ami, "{version}");
        assert_eq!(values(&manager, "general", "enabled"), ["yes"]);
        let user = &config.asterisk.user;
        assert_eq!(values(&manager, user, "secret").len(), 1, "[{user}]");
        let write: Vec<&str> = values(&manager, user, "write")[0].split(',').collect();
        // AGI by Originate, ControlPlayback, live channels, MixMonitor: see tests/lab/README.md.
        for class in ["originate", "call", "reporting", "system"] {
            assert!(write.contains(&class), "{version}: write has no {class}");
        }
        let read: Vec<&str> = values(&manager, user, "read")[0].split(',').collect();
        for class in ["call", "dtmf", "system"] {
            assert!(read.contains(&class), "{version}: read has no {class}");
        }

        let dialplan = sections(version, "extensions.conf");
        let agi = format!(
            "agi://{}:{}",
            config.asterisk.our_host,
            config.asterisk.agi_listen.port()
        );
        assert_eq!(
            values(&dialplan, "globals", "GOVORUN_AGI"),
            [agi],
            "{version}"
        );
        let inbound = values(&dialplan, "govorun-in", "same");
        assert!(
            inbound
                .iter()
                .any(|step| step.contains("AGI(${GOVORUN_AGI}/confirm_visit)")),
            "{inbound:?}"
        );
        assert!(root().join("scripts/confirm_visit.rhai").exists());

        let sip = sections(version, "pjsip.conf");
        let phone = govorun::ident::Phone::parse("89161234567").unwrap();
        let dialed = DialTemplate::parse(&config.asterisk.channel)
            .unwrap()
            .dial(&phone);
        assert_eq!(dialed.as_str(), "PJSIP/89161234567@trunk");
        assert_eq!(
            values(&sip, "trunk", "type"),
            ["endpoint", "aor", "identify"]
        );
        assert_eq!(values(&sip, "trunk", "context"), ["govorun-in"]);
        assert!(dialplan.contains_key("govorun-in"));
    }
}

#[test]
fn chan_websocket_reaches_our_port_by_its_name() {
    let config = example();
    let client = sections("22", "websocket_client.conf");
    let name = &config.asterisk.websocket_client;
    assert_eq!(values(&client, name, "type"), ["websocket_client"]);
    let ours = format!(
        "ws://{}:{}/media",
        config.asterisk.our_host,
        config.media.websocket_listen.port()
    );
    assert_eq!(values(&client, name, "uri"), [ours]);
    assert_eq!(values(&client, name, "protocols"), ["media"]);
    assert_eq!(
        values(&client, name, "connection_type"),
        ["per_call_config"]
    );
}

/// The table of ports in asterisk-conf/README.md is the example's.
#[test]
fn the_readme_names_the_ports() {
    let config = example();
    let readme = std::fs::read_to_string(root().join("asterisk-conf/README.md")).unwrap();
    let ami = config.asterisk.ami.rsplit(':').next().unwrap().to_owned();
    let ours = [
        config.asterisk.agi_listen.port(),
        config.media.audiosocket_listen.port(),
        config.media.websocket_listen.port(),
    ];
    for port in ours.iter().map(u16::to_string).chain([ami]) {
        assert!(
            readme.contains(&format!("| {port} TCP |")),
            "no row for port {port}"
        );
    }
}

/// 16 and 22 differ only where Asterisk does.
#[test]
fn both_versions_say_the_same() {
    for file in ["manager.conf", "extensions.conf", "pjsip.conf", "http.conf"] {
        assert_eq!(sections("16", file), sections("22", file), "{file}");
    }
}
