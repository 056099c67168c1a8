//! Settings: the example is what it says, and every mistake is told with its place.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::*;

const EXAMPLE: &str = include_str!("../../examples/govorun.yaml");

fn env(name: &str) -> Option<String> {
    let known = HashMap::from([
        ("GOVORUN_TOKEN", "t0ken"),
        ("GOVORUN_1C_PASSWORD", "пароль"),
        ("GOVORUN_AMI_SECRET", "s3cret"),
        ("YANDEX_API_KEY", "AQVN"),
        ("EMPTY", ""),
        ("N", "7"),
    ]);
    known.get(name).map(|v| (*v).to_owned())
}

fn with<T>(text: &str, look: impl Fn(&str, &Path, Surroundings) -> T) -> T {
    let is_folder = |path: &Path| !path.starts_with("/nowhere");
    let around = Surroundings {
        env: &env,
        is_folder: &is_folder,
        has_sherpa: true,
    };
    look(text, Path::new("govorun.yaml"), around)
}

fn read_text(text: &str) -> Result<Config, Vec<ConfigFault>> {
    with(text, read)
}

/// The faults of `text` as `line key: what`, with the one required key added at its end.
fn faults(text: &str) -> Vec<String> {
    let text = if text.contains("asterisk:") {
        text.to_owned()
    } else {
        format!("{text}\nasterisk:\n  secret: x\n")
    };
    let faults = read_text(&text).err().unwrap_or_default();
    faults
        .iter()
        .map(|f| format!("{} {}: {}", f.line, f.key, f.wrong.tell(f.language)))
        .collect()
}

#[test]
fn the_example_is_the_defaults() {
    let config = read_text(EXAMPLE).unwrap();
    let mut expect = Config::default();
    expect.http.tokens = vec![Secret::new("t0ken")];
    expect.http.users = vec![("1c".to_owned(), Secret::new("пароль"))];
    expect.asterisk.secret = Secret::new("s3cret");
    assert_eq!(config, expect);
}

/// The example with its optional parts put in.
fn full_example() -> String {
    EXAMPLE
        .replace("voices: []", "voices:")
        .replace("trunks: []", "trunks:")
        .replace("  hosts: []", "  hosts:")
        .replace("  sets: []", "  sets:")
        .replace("#: ", "  ")
}

#[test]
fn the_examples_optional_parts_are_sound_too() {
    let config = read_text(&full_example()).unwrap();
    assert_eq!(config.recognizers.len(), 4);
    let [mts, city] = &config.trunks[..] else {
        panic!("{:?}", config.trunks);
    };
    assert_eq!(mts.prefixes, ["79", "77"]);
    assert_eq!((mts.weight, mts.at_once, city.at_once), (3, 30, 0));
    assert_eq!(city.ring_timeout_ms, config.asterisk.ring_timeout_ms);
    assert_eq!(config.trunks_in_use().len(), 2);
    let RecognizerConfig::Yandex { cloud, eou, .. } = &config.recognizers[1] else {
        panic!("{:?}", config.recognizers[1]);
    };
    assert_eq!(
        (cloud.api_key.reveal(), *eou),
        ("AQVN", YandexEou::External)
    );
    let sherpa = RecognizerConfig::Sherpa {
        name: "sherpa".to_owned(),
        model: PathBuf::from("models/t-one"),
        threads: 2,
        streams: 50,
        speech_only: None,
    };
    assert_eq!(config.recognizers[2], sherpa);
    assert_eq!(config.recognizers[3], RecognizerConfig::Typed);
    let host = &config.web.hosts[0];
    assert_eq!(
        (
            host.url.as_str(),
            host.user.as_str(),
            host.password.reveal()
        ),
        ("https://1c.example.ru/base", "govorun", "пароль")
    );
    let VoiceConfig::Command {
        command,
        timeout_ms,
        cache,
        cache_bytes,
        ..
    } = &config.voices[0]
    else {
        panic!("{:?}", config.voices[0]);
    };
    let VoiceConfig::Yandex { voice, speed, .. } = &config.voices[1] else {
        panic!("{:?}", config.voices[1]);
    };
    assert_eq!((voice.as_str(), *speed), ("marina", 1.0));
    assert_eq!(command[0], "espeak-ng");
    assert_eq!((*timeout_ms, *cache_bytes), (30_000, 1 << 30));
    assert_eq!(cache, Path::new("voice-cache"));
}

#[test]
fn the_example_has_every_key() {
    let full = full_example();
    let asked = with(&full, |text, file, around| {
        read::read_noting(text, file, around).1.asked.clone()
    });
    assert!(asked.len() > 35, "{asked:?}");
    for path in &asked {
        let key = path.rsplit('.').next().unwrap();
        let written = full.lines().any(|line| {
            line.trim_start()
                .trim_start_matches("- ")
                .starts_with(&format!("{key}:"))
        });
        assert!(written, "examples/govorun.yaml lacks {path}");
    }
    // And every key of it has a comment of its own or its neighbours': at least one comment for two keys.
    let comments = EXAMPLE
        .lines()
        .filter(|l| l.trim_start().starts_with('#'))
        .count();
    assert!(comments * 2 > asked.len());
}

#[test]
fn yandex_wants_one_key() {
    let text = |keys: &str| format!("language: en\nrecognizers:\n  - kind: yandex\n{keys}");
    let one =
        "1 recognizers[0].api_key: exactly one of these keys is wanted: api_key, iam_token_command";
    for (keys, expect) in [
        ("", Some(one.replace("1 ", "3 "))),
        (
            "    api_key: a\n    iam_token_command: [yc]\n",
            Some(one.replace("1 ", "3 ")),
        ),
        ("    api_key: a\n", None),
        (
            "    iam_token_command: [yc, iam, create-token]\n    ca: \"\"\n",
            None,
        ),
        (
            "    api_key: a\n    eou: soon\n",
            Some("5 recognizers[0].eou: there are: external, default, high".to_owned()),
        ),
    ] {
        let found = faults(&text(keys));
        assert_eq!(found.first(), expect.as_ref(), "{keys}");
    }
}

#[test]
fn only_the_secret_must_be_there() {
    assert_eq!(faults("language: ru"), [""; 0]);
    let found = read_text("").unwrap_err();
    assert_eq!((found.len(), found[0].key.as_str()), (1, "asterisk.secret"));
    assert_eq!(found[0].wrong, Wrong::Missing);
}

#[test]
fn all_mistakes_are_told_at_once_in_the_files_language() {
    let text = "language: en
http:
  lisen: 127.0.0.1:1
  listen: localhost
calls:
  at_once: many
  at_once: 5
  longest: 1s
asterisk:
  secret: ${NOT_THERE}
";
    let told: Vec<String> = read_text(text)
        .unwrap_err()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        told,
        [
            "govorun.yaml:3:3: http.lisen: unknown key; did you mean listen? There are: listen, tokens, users, callback",
            "govorun.yaml:4:11: http.listen: an address IP:port is wanted, for instance 127.0.0.1:8080 or 0.0.0.0:8080",
            "govorun.yaml:6:12: calls.at_once: a whole number is wanted",
            "govorun.yaml:7:3: calls.at_once: the key is above already; keep one",
            "govorun.yaml:8:12: calls.longest: out of range; 10s to 1d will do",
            "govorun.yaml:10:11: asterisk.secret: NOT_THERE isn't in the environment (or is empty); set it: export NOT_THERE=..., in systemd: EnvironmentFile=",
        ]
    );
}

#[test]
fn every_kind_of_mistake_has_its_place_and_mend() {
    for (text, expect) in [
        ("htpp: {}", "1 htpp: неизвестный ключ; может быть, http?"),
        ("language: de", "1 language: можно: ru, en"),
        ("http: 5", "1 http: нужен раздел с ключами"),
        ("http:\n  tokens: one", "2 http.tokens: нужен список"),
        (
            "http:\n  tokens: [12345]",
            "2 http.tokens[0]: нужен текст; число возьмите в кавычки",
        ),
        ("http:\n  tokens: ['a b']", "2 http.tokens[0]: знак ' '"),
        ("http:\n  users: {a: }", "2 http.users.a: пусто"),
        ("http:\n  users: {'a:b': c}", "2 http.users.a:b: знак ':'"),
        (
            "http:\n  listen: 0.0.0.0:8080",
            "2 http.listen: без http.tokens и http.users",
        ),
        (
            "http:\n  tokens: ['${EMPTY}']",
            "2 http.tokens[0]: в окружении нет EMPTY",
        ),
        (
            "http:\n  tokens: ['${BAD NAME}']",
            "2 http.tokens[0]: после ${ нужно имя",
        ),
        (
            "http:\n  tokens: ['${OPEN']",
            "2 http.tokens[0]: после ${ нужно имя",
        ),
        (
            "http:\n  listen: 127.0.0.1:4573",
            "2 http.listen: этот порт уже занят ключом asterisk.agi_listen",
        ),
        (
            "http:\n  tokens: [x]\n  listen: 0.0.0.0:4575",
            "3 http.listen: этот порт уже занят ключом media.websocket_listen",
        ),
        (
            "asterisk:\n  secret: x\n  ami: pbx",
            "3 asterisk.ami: нужно имя:порт",
        ),
        (
            "asterisk:\n  secret: x\n  ami: pbx:0",
            "3 asterisk.ami: нужно имя:порт",
        ),
        (
            "asterisk:\n  secret: x\n  our_host: a:5",
            "3 asterisk.our_host: нужно имя или IP",
        ),
        (
            "asterisk:\n  secret: x\n  channel: PJSIP/{tel}@t",
            "3 asterisk.channel: в шаблоне нет {phone}",
        ),
        (
            "asterisk:\n  secret: x\n  channel: 'PJSIP/{phone}&SIP/1'",
            "3 asterisk.channel: знак '&'",
        ),
        (
            "asterisk:\n  secret: \"x\\r\\nAction: y\"",
            "2 asterisk.secret: знак '\\r'",
        ),
        (
            "trunks:\n  - name: a\n    channel: PJSIP/{phone}@a\n  - name: a\n    channel: PJSIP/{phone}@b",
            "4 trunks[1].name: такое имя в списке уже есть",
        ),
        (
            "trunks:\n  - name: a\n    chanel: PJSIP/{phone}@a",
            "3 trunks[0].chanel: неизвестный ключ; может быть, channel?",
        ),
        ("trunks:\n  - name: a", "2 trunks[0].channel: ключа нет"),
        (
            "trunks:\n  - channel: PJSIP/{phone}@a\n    prefixes: [79, 8-912]",
            "3 trunks[0].prefixes[1]: знак '-'",
        ),
        (
            "trunks:\n  - channel: PJSIP/{phone}@a\n    prefixes: [\"+\"]",
            "3 trunks[0].prefixes[0]: нужно от 1 до 15 цифр",
        ),
        (
            "trunks:\n  - channel: PJSIP/{phone}@a\n    weight: 0",
            "3 trunks[0].weight: вне пределов; можно от 1 до 1000",
        ),
        (
            "asterisk:\n  secret: x\n  ring_timeout: 45 parsecs",
            "3 asterisk.ring_timeout: нужно время",
        ),
        (
            "asterisk:\n  secret: x\n  ring_timeout: 1h",
            "3 asterisk.ring_timeout: вне пределов; можно от 1s до 10m",
        ),
        (
            "asterisk:\n  secret: x\n  sounds: /nowhere/a/b",
            "3 asterisk.sounds: папки нет: /nowhere/a",
        ),
        (
            "scripts:\n  folder: /nowhere/scripts",
            "2 scripts.folder: папки нет: /nowhere/scripts; создайте её (mkdir -p",
        ),
        ("store: /nowhere/x.sqlite", "1 store: папки нет: /nowhere"),
        (
            "media: audiofrok",
            "1 media: может быть, audiofork? Можно: auto,",
        ),
        ("media:\n  kind: telepathy", "2 media.kind: можно: auto,"),
        (
            "media:\n  rtp_ports: 20000-10000",
            "2 media.rtp_ports: нужны порты",
        ),
        (
            "media:\n  rtp_listen: here",
            "2 media.rtp_listen: нужно имя или IP",
        ),
        ("recognizers: []", "1 recognizers: пусто"),
        (
            "recognizers:\n  - kind: vosc",
            "2 recognizers[0].kind: может быть, vosk?",
        ),
        (
            "recognizers:\n  - kind: vosk",
            "2 recognizers[0].url: ключа нет",
        ),
        (
            "recognizers:\n  - kind: vosk\n    url: http://x",
            "3 recognizers[0].url: нужен адрес, который начинается с ws://",
        ),
        (
            "recognizers:\n  - {kind: vosk, url: 'ws://a'}\n  - {kind: vosk, url: 'ws://b'}",
            "3 recognizers[1].name: такое имя в списке уже есть",
        ),
        (
            "recognizers:\n  - kind: sherpa",
            "2 recognizers[0].model: ключа нет",
        ),
        ("recognizers: [sherpa]", "1 recognizers[0].model: ключа нет"),
        (
            "recognizers:\n  - kind: sherpa\n    model: /nowhere/t-one",
            "3 recognizers[0].model: папки нет: /nowhere/t-one",
        ),
        (
            "recognizers:\n  - kind: sherpa\n    model: t-one\n    threads: 0",
            "4 recognizers[0].threads: вне пределов; можно от 1 до 256",
        ),
        (
            "voices:\n  - kind: command\n    command: []",
            "3 voices[0].command: пусто",
        ),
        (
            "voices:\n  - kind: command\n    command: [a]\n    cache_bytes: 5",
            "4 voices[0].cache_bytes: вне пределов",
        ),
        (
            "calls:\n  at_once: 0",
            "2 calls.at_once: вне пределов; можно от 1 до 10000",
        ),
        (
            "calls:\n  starts_per_second: 0",
            "2 calls.starts_per_second: вне пределов; можно от 0.01 до 1000",
        ),
        ("calls:\n  at_once: -1", "2 calls.at_once: вне пределов"),
        ("a: [", "это не YAML"),
        ("[1, 2]", "нужен раздел с ключами"),
    ] {
        let found = if text == "[1, 2]" || text == "a: [" {
            read_text(text)
                .unwrap_err()
                .iter()
                .map(ToString::to_string)
                .collect()
        } else {
            faults(text)
        };
        assert!(
            found.iter().any(|f| f.contains(expect)),
            "{text:?} gave {found:#?}"
        );
        assert!(found.len() <= 2, "{text:?} gave {found:#?}");
    }
}

#[test]
fn a_recognizer_that_was_not_built_in_is_told_with_its_line() {
    let around = Surroundings {
        env: &env,
        is_folder: &|_| true,
        has_sherpa: false,
    };
    let text =
        "language: en\nasterisk: {secret: x}\nrecognizers:\n  - model: t-one\n    kind: sherpa\n";
    let found = read(text, Path::new("govorun.yaml"), around).unwrap_err();
    assert_eq!(
        found[0].to_string(),
        "govorun.yaml:5:11: recognizers[0].kind: built without feature sherpa: cargo build --release --features sherpa"
    );
    assert_eq!(found.len(), 1, "{found:#?}");
}

#[test]
fn short_forms_and_the_environment_will_do() {
    let config = read_text(
        "media: rtp\nrecognizers: [typed]\ncalls: {at_once: \"${N}\", longest: 60}\nasterisk: {secret: \"a${N}b$${N}\"}\nscripts: {poll: 2s}",
    )
    .unwrap();
    assert_eq!(config.media.kind, MediaKind::Rtp);
    assert_eq!(config.recognizers, [RecognizerConfig::Typed]);
    assert_eq!((config.calls.at_once, config.calls.longest_ms), (7, 60_000));
    assert_eq!(config.asterisk.secret.reveal(), "a7b${N}");
    assert_eq!(config.scripts.poll_ms, 2000);
}

#[test]
fn paths_are_relative_to_the_files_folder() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("govorun.yaml");
    std::fs::write(
        &file,
        EXAMPLE
            .replace("/var/lib/asterisk/sounds/", "")
            .replace("/var/spool/asterisk/monitor/", ""),
    )
    .unwrap();
    let missing = Config::load(&file, &env).unwrap_err();
    assert_eq!(missing.len(), 1, "{missing:#?}");
    assert_eq!(
        missing[0].wrong,
        Wrong::NoFolder(folder.path().join("scripts"))
    );
    std::fs::create_dir(folder.path().join("scripts")).unwrap();
    let config = Config::load(&file, &env).unwrap();
    assert_eq!(config.store, folder.path().join("govorun.sqlite"));
    assert_eq!(config.asterisk.sounds, folder.path().join("govorun"));
}

#[test]
fn a_file_that_cannot_be_read_is_told() {
    let found = Config::load(Path::new("/nowhere/govorun.yaml"), &env).unwrap_err();
    assert!(matches!(found[0].wrong, Wrong::Unreadable(_)), "{found:?}");
    assert_eq!(found[0].file, PathBuf::from("/nowhere/govorun.yaml"));
}

#[test]
fn what_is_printed_tells_no_secret() {
    let printed = format!("{:?}", read_text(EXAMPLE).unwrap());
    for secret in ["t0ken", "пароль", "s3cret"] {
        assert!(!printed.contains(secret));
    }
}

#[test]
fn urls_name_a_host() {
    for (text, good) in [
        ("http://1c.local/hook?a=b", true),
        ("https://u:p@1c.local:8443/x", true),
        ("http://[::1]:80/x", true),
        ("http://127.0.0.1", true),
        ("ftp://a", false),
        ("http://", false),
        ("http:///x", false),
        ("http://a b", false),
        ("http://a:0", false),
        ("http://a:99999", false),
        ("http://a\r\nX: y", false),
        ("http://[::1", false),
    ] {
        assert_eq!(is_url(text, &["http://", "https://"]), good, "{text}");
    }
}
