//! Whole examinations before the double of Asterisk: what can't be asked ends the asking, with its reason, soon.

use std::time::{Duration, Instant};

use super::*;
use crate::config::RecognizerConfig;
use crate::ident::Secret;
use crate::rehearsal::asterisk::{FakeAsterisk, FarEnd, Options};

struct Place {
    _folder: tempfile::TempDir,
    config: Config,
}

/// Settings that are sound but for Asterisk: files in a folder that goes with the test, all ports free.
fn place(ami: String) -> Place {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("scripts")).unwrap();
    std::fs::write(at("scripts/привет.rhai"), "finish(\"ок\");\n").unwrap();
    let any = "127.0.0.1:0".parse().unwrap();
    let mut config = Config {
        store: at("govorun.sqlite"),
        recognizers: vec![RecognizerConfig::Typed],
        ..Config::default()
    };
    config.scripts.folder = at("scripts");
    config.http.listen = any;
    config.asterisk.ami = ami;
    config.asterisk.secret = Secret::new("secret");
    config.asterisk.agi_listen = any;
    config.asterisk.sounds = at("sounds");
    config.asterisk.recordings = at("recordings");
    config.media.audiosocket_listen = any;
    config.media.websocket_listen = any;
    Place {
        _folder: folder,
        config,
    }
}

async fn faults(config: &Config) -> Vec<Finding> {
    let mut told = 0;
    let found = examine(config, &mut |_| told += 1).await;
    assert_eq!(told, found.len(), "each finding is told once");
    found
        .into_iter()
        .filter(|f| f.level == Level::Fault)
        .collect()
}

#[tokio::test]
async fn a_wrong_secret_is_named_soon() {
    let asterisk = FakeAsterisk::start(Options::new(|_| FarEnd::busy()))
        .await
        .unwrap();
    let mut place = place(asterisk.ami_addr().to_string());
    place.config.asterisk.secret = Secret::new("не тот");
    let from = Instant::now();
    let found = faults(&place.config).await;
    assert!(from.elapsed() < Duration::from_secs(15));
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].check, "asterisk");
    assert!(found[0].what.contains("не пускает пользователя «govorun»"));
    assert!(!found[0].what.contains("не тот"), "a secret is not told");
}

#[tokio::test]
async fn nobody_at_the_managers_port_is_named() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = gone.local_addr().unwrap().to_string();
    drop(gone);
    let place = place(at.clone());
    let found = faults(&place.config).await;
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].what.starts_with(&format!("AMI {at}: нет связи")));
    assert!(found[0].mend.contains("enabled = yes"));
}

#[tokio::test]
async fn dialogs_with_faults_and_a_name_that_is_not_found() {
    let asterisk = FakeAsterisk::start(Options::new(|_| FarEnd::busy()))
        .await
        .unwrap();
    let mut place = place(asterisk.ami_addr().to_string());
    place.config.language = crate::config::Language::En;
    place.config.asterisk.our_host = "no-such-host.invalid".to_owned();
    std::fs::write(place.config.scripts.folder.join("плохой.rhai"), "say(;\n").unwrap();
    let found = faults(&place.config).await;
    let checks: Vec<&str> = found.iter().map(|f| f.check).collect();
    assert!(
        checks.contains(&"dialogs") && checks.contains(&"agi"),
        "{found:#?}"
    );
    assert!(
        found
            .iter()
            .all(|f| f.what.is_ascii() || f.check == "dialogs"),
        "{found:#?}"
    );
}
