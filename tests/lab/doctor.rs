//! `govorun doctor` on a real Asterisk: a sound machine has no fault; then one thing after another is broken, and named.

use std::time::{Duration, Instant};

use govorun::app::doctor::{Finding, Level, examine};
use govorun::config::{Config, MediaKind, RecognizerConfig};
use govorun::ident::Secret;

use super::dialogs::Place;
use super::server::{SIP, Server, settings};
use super::stand::{Asterisk, Ears, row};

/// Settings whose ports are fixed, as an admin's are, so that a server and the doctor mean the same ones.
fn config(asterisk: &Asterisk, place: &Place, kind: MediaKind) -> Config {
    let mut config = settings(asterisk, place, kind, "ws://127.0.0.1:1", SIP);
    let port = |offset| {
        format!("127.0.0.1:{}", asterisk.port(offset))
            .parse()
            .unwrap()
    };
    config.http.listen = port(91);
    config.asterisk.agi_listen = port(92);
    config.media.audiosocket_listen = port(93);
    config.media.websocket_listen = port(90);
    config.recognizers = vec![RecognizerConfig::Typed];
    config
}

/// Incoming calls lead to our port and to a dialog that is there.
fn lead_here(asterisk: &Asterisk, config: &Config) {
    asterisk.calls_go_to(config.asterisk.agi_listen);
}

async fn looked(config: &Config) -> Vec<Finding> {
    let from = Instant::now();
    let found = examine(config, &mut |_| {}).await;
    let took = from.elapsed();
    assert!(took < Duration::from_secs(60), "it took {took:?}");
    found
}

fn faults(found: &[Finding]) -> Vec<&Finding> {
    found.iter().filter(|f| f.level == Level::Fault).collect()
}

/// The only fault is this one.
fn only(found: &[Finding], check: &str, what: &str, mend: &str) {
    let faults = faults(found);
    assert_eq!(faults.len(), 1, "{check}: {found:#?}");
    assert_eq!(faults[0].check, check, "{found:#?}");
    assert!(faults[0].what.contains(what), "{:?}", faults[0]);
    assert!(faults[0].mend.contains(mend), "{:?}", faults[0]);
}

fn has(found: &[Finding], level: Level, check: &str, what: &str) {
    let it = found
        .iter()
        .any(|f| f.level == level && f.check == check && f.what.contains(what));
    assert!(it, "no {check} {level:?} {what:?} in {found:#?}");
}

async fn sound(version: &'static str, kinds: &[MediaKind]) {
    let Some(asterisk) = Asterisk::alone(version) else {
        return;
    };
    let ears = Ears::start();
    let place = Place::new();
    for kind in kinds {
        let mut config = config(&asterisk, &place, *kind);
        if let Some(ears) = &ears {
            config.recognizers = vec![RecognizerConfig::vosk("lab".to_owned(), ears.url.clone())];
        }
        lead_here(&asterisk, &config);
        let from = Instant::now();
        let found = looked(&config).await;
        let ms = from.elapsed().as_millis();
        assert!(faults(&found).is_empty(), "{found:#?}");
        row(
            "doctor, sound",
            kind.as_str(),
            version,
            "no server",
            &format!("{ms} ms"),
        );
        let warnings: Vec<&str> = found
            .iter()
            .filter(|f| f.level == Level::Warning)
            .map(|f| f.what.as_str())
            .collect();
        println!("{version} {}: {warnings:#?}", kind.as_str());
        has(&found, Level::Ok, "agi", "достаёт до нас");
        has(&found, Level::Ok, "media", "");
        has(&found, Level::Ok, "recordings", "");
        has(&found, Level::Ok, "rights", "read");
        has(&found, Level::Ok, "trunk", "PJSIP/trunk");
        has(&found, Level::Ok, "dialplan", "confirm_visit");
        if ears.is_some() {
            has(&found, Level::Ok, "recognizer", "услышал");
        }
        asterisk.quiet().await;
        // Nothing is left behind.
        for folder in [&config.asterisk.sounds, &config.asterisk.recordings] {
            let left = std::fs::read_dir(folder).unwrap().flatten();
            let left: Vec<_> = left
                .map(|e| e.file_name().to_string_lossy().into_owned())
                .filter(|name| name.contains("doctor"))
                .collect();
            assert_eq!(left, Vec::<String>::new());
        }
        // And beside a server that holds the ports.
        let server = Server::start(config.clone()).await;
        let found = looked(&config).await;
        assert!(faults(&found).is_empty(), "{found:#?}");
        has(&found, Level::Ok, "ports", "занят нашим сервером");
        has(&found, Level::Ok, "agi", "достаёт до нас");
        has(&found, Level::Ok, "media", "");
        asterisk.quiet().await;
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the lab"]
async fn doctor_finds_a_sound_machine_sound_22() {
    let kinds = [
        MediaKind::Auto,
        MediaKind::Rtp,
        MediaKind::Audiosocket,
        MediaKind::ChanWebsocket,
    ];
    sound("22", &kinds).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the lab"]
async fn doctor_finds_a_sound_machine_sound_16() {
    sound("16", &[MediaKind::Auto]).await;
}

/// Writes other rights for the manager user and has Asterisk read them.
fn rights(asterisk: &Asterisk, read: &str, write: &str) {
    let env = &asterisk.env;
    let conf = env["LAB_CONF_ASTERISK"].replace("asterisk.conf", "manager.conf");
    let path = format!("{}{conf}", env["LAB_ROOT"]);
    let text = std::fs::read_to_string(&path).unwrap();
    let lines = text.lines().map(|line| match line.split(' ').next() {
        Some("read") => format!("read = {read}"),
        Some("write") => format!("write = {write}"),
        _ => line.to_owned(),
    });
    std::fs::write(&path, lines.collect::<Vec<_>>().join("\n") + "\n").unwrap();
    asterisk.console("manager reload");
}

async fn broken(version: &'static str) {
    let Some(asterisk) = Asterisk::alone(version) else {
        return;
    };
    let place = Place::new();
    let good = config(&asterisk, &place, MediaKind::Auto);
    lead_here(&asterisk, &good);
    let all = ("call,dtmf,agi,system", "originate,call,reporting,system");

    let mut bad = good.clone();
    bad.asterisk.secret = Secret::new("другой");
    only(
        &looked(&bad).await,
        "asterisk",
        "не пускает пользователя «govorun»",
        "[govorun] secret",
    );

    let mut bad = good.clone();
    bad.asterisk.our_host = "192.0.2.1".to_owned();
    only(
        &looked(&bad).await,
        "agi",
        "agi://192.0.2.1:",
        "asterisk.our_host (сейчас 192.0.2.1)",
    );

    let mut bad = good.clone();
    bad.asterisk.sounds_in_asterisk = "/nowhere".to_owned();
    only(
        &looked(&bad).await,
        "sounds",
        "не видит в /nowhere",
        "sounds_in_asterisk",
    );

    let mut other = good.clone();
    let elsewhere = tempfile::tempdir().unwrap();
    other.asterisk.recordings = elsewhere.path().to_owned();
    has(
        &looked(&other).await,
        Level::Warning,
        "recordings",
        "мы их не видим",
    );

    let mut bad = good.clone();
    bad.asterisk.channel = "PJSIP/{phone}@mts".to_owned();
    only(
        &looked(&bad).await,
        "trunk",
        "нет «mts»",
        "[mts] в pjsip.conf",
    );

    let holder = std::net::TcpListener::bind(good.asterisk.agi_listen).unwrap();
    only(
        &looked(&good).await,
        "ports",
        "занят другой программой",
        "ss -ltnp",
    );
    drop(holder);

    rights(&asterisk, all.0, "call,reporting,system");
    let found = looked(&good).await;
    has(&found, Level::Fault, "rights", "не дано originate в write");

    rights(&asterisk, all.0, "originate,call,reporting");
    has(
        &looked(&good).await,
        Level::Fault,
        "rights",
        "не дано system в write",
    );

    rights(&asterisk, "call,agi,system", all.1);
    only(
        &looked(&good).await,
        "rights",
        "не дано dtmf в read",
        "read = call,dtmf,agi,system",
    );

    rights(&asterisk, "agi,system", all.1);
    has(
        &looked(&good).await,
        Level::Fault,
        "rights",
        "не дано call в read",
    );

    rights(&asterisk, "call,dtmf,agi", all.1);
    has(
        &looked(&good).await,
        Level::Warning,
        "rights",
        "не дано system в read",
    );
    rights(&asterisk, all.0, all.1);

    asterisk.console("module unload app_chanspy.so");
    let mut rtp = good.clone();
    rtp.media.kind = MediaKind::Rtp;
    only(
        &looked(&rtp).await,
        "modules",
        "не загружены app_chanspy",
        "module load app_chanspy.so",
    );
    asterisk.console("module load app_chanspy.so");

    asterisk.console("module unload format_wav.so");
    let found = looked(&good).await;
    has(&found, Level::Fault, "modules", "не загружен format_wav");
    asterisk.console("module load format_wav.so");

    asterisk.calls_go_to("127.0.0.1:9".parse().unwrap());
    has(
        &looked(&good).await,
        Level::Warning,
        "dialplan",
        "ведёт не к нам",
    );
    lead_here(&asterisk, &good);
    let found = looked(&good).await;
    assert!(faults(&found).is_empty(), "mended again: {found:#?}");
    asterisk.quiet().await;
    row(
        "doctor, broken one by one",
        "all",
        version,
        "14 ways",
        "each named",
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the lab"]
async fn doctor_names_what_is_broken_22() {
    broken("22").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the lab"]
async fn doctor_names_what_is_broken_16() {
    broken("16").await;
}
