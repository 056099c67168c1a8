//! `examples/1c/` as far as it can be checked without 1C: the texts are parsed by a real grammar of the language, and run by
//! a small evaluator (tests/onec/) against the real server, over HTTP; what they keep goes into the registers that the README describes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    unreachable_pub
)]

#[path = "onec/base.rs"]
mod base;
#[path = "onec/language.rs"]
mod language;
#[path = "onec/platform.rs"]
mod platform;
#[path = "onec/value.rs"]
mod value;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use govorun::app::{Instead, Runtime};
use govorun::config::{Config, RecognizerConfig};
use govorun::ident::Secret;
use govorun::rehearsal::asterisk::{FakeAsterisk, FarEnd, Options};
use jiff::{Timestamp, ToSpan};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use base::Base;
use language::{Module, Program, children, definitions, structure};
use platform::{Platform, bytes, from_json, local};
use value::{EMPTY_DATE, Object, Value, field};

const TOKEN: &str = "a-token-of-1c";
const KEY: &str = "общий секрет обмена";
const FILES: [(&str, &str); 4] = [
    ("Говорун", "ОбщиеМодули/Говорун.bsl"),
    ("ГоворунОбмен", "ОбщиеМодули/ГоворунОбмен.bsl"),
    ("ГоворунПодпись", "ОбщиеМодули/ГоворунПодпись.bsl"),
    ("HTTPСервис.Говорун", "HTTPСервисы/Говорун.bsl"),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/1c")
}

fn readme() -> String {
    std::fs::read_to_string(folder().join("README.md")).unwrap()
}

fn modules() -> HashMap<String, Module> {
    let read =
        |(name, file): (&str, &str)| (name.to_owned(), language::module(&folder().join(file)));
    FILES.into_iter().map(read).collect()
}

fn program(modules: &HashMap<String, Module>) -> Program<'_> {
    Program {
        modules,
        platform: Platform::new(Base::described(&readme())),
    }
}

#[test]
fn the_texts_are_sound_and_the_readme_names_them() {
    let (modules, readme) = (modules(), readme());
    for (name, file) in FILES {
        assert!(readme.contains(file), "the README doesn't name {file}");
        let module = &modules[name];
        let lines: Vec<&str> = module.source.lines().collect();
        for method in definitions(module.tree.root_node()) {
            let exported = method.child_by_field_name("export").is_some();
            let before = lines[method.start_position().row - 1];
            assert!(
                !exported || before.starts_with("//"),
                "{file}: an exported method without its words: {}",
                lines[method.start_position().row]
            );
        }
        for (n, line) in lines.iter().enumerate() {
            assert!(line.chars().count() <= 140, "{file}:{}: a long line", n + 1);
            assert_eq!(
                line.trim_end(),
                *line,
                "{file}:{}: blanks at the end",
                n + 1
            );
        }
    }
    // Methods that the platform calls by name.
    for (job, _) in jobs(&readme) {
        let (module, method) = job.split_once('.').unwrap();
        let module = &modules[module];
        let found = definitions(module.tree.root_node()).into_iter().find(|d| {
            let name = d.child_by_field_name("name").unwrap();
            module.source[name.byte_range()] == *method
        });
        let found = found.unwrap_or_else(|| panic!("no method {job}"));
        assert!(
            found.child_by_field_name("export").is_some(),
            "{job} is not exported"
        );
        let parameters = children(found.child_by_field_name("parameters").unwrap());
        assert_eq!(
            parameters.len(),
            2,
            "{job}: a scheduled job takes no arguments"
        );
    }
    assert_eq!(jobs(&readme).len(), 3);
}

/// Method and schedule of the README's scheduled jobs.
fn jobs(readme: &str) -> Vec<(String, String)> {
    let rows = readme
        .lines()
        .filter(|line| line.contains("| `ГоворунОбмен."));
    rows.map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        (cells[2].trim_matches('`').to_owned(), cells[3].to_owned())
    })
    .collect()
}

#[test]
fn hmac_is_that_of_rfc_4231() {
    let modules = modules();
    let mut program = program(&modules);
    let of = |data: &[u8]| Value::Bytes(data.into());
    let long = b"This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before being used by the HMAC algorithm.";
    let table: [(&[u8], &[u8], &str); 5] = [
        (
            &[0x0b; 20],
            b"Hi There",
            "B0344C61D8DB38535CA8AFCEAF0BF12B881DC200C9833DA726E9376C2E32CFF7",
        ),
        (
            b"Jefe",
            b"what do ya want for nothing?",
            "5BDCC146BF60754E6A042426089575C75A003F089D2739839DEC58B964EC3843",
        ),
        (
            &[0xaa; 20],
            &[0xdd; 50],
            "773EA91E36800E46854DB8EBD09181A72959098B3EF8C122D9635514CED565FE",
        ),
        (
            &[0xaa; 131],
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "60E431591EE0B67F0D8A26AACBF5B77F8E0BC6213728C5140546040F0EE37F54",
        ),
        (
            &[0xaa; 131],
            long,
            "9B09FFA71B942FCB27635FBCD5B0E944BFDC63644F0713938A7F51535C3A35E2",
        ),
    ];
    for (key, message, want) in table {
        // The message in one piece, and cut in two.
        for cut in [0, message.len() / 3] {
            let parts = Value::array(vec![of(&message[..cut]), of(&message[cut..])]);
            let sum = program
                .call("ГоворунПодпись", "HMACSHA256", vec![of(key), parts])
                .unwrap();
            let hex: String = bytes(&sum).iter().map(|b| format!("{b:02X}")).collect();
            assert_eq!(hex, want);
        }
    }
}

/// HMAC-SHA256 as the server's language has it: the other side of the same words.
fn signature(key: &str, timestamp: &str, body: &[u8]) -> String {
    let mut block = [0; 64];
    block[..key.len()].copy_from_slice(key.as_bytes());
    let inner = Sha256::new()
        .chain_update(block.map(|b| b ^ 0x36))
        .chain_update(timestamp)
        .chain_update(".")
        .chain_update(body)
        .finalize();
    let outer = Sha256::new()
        .chain_update(block.map(|b| b ^ 0x5c))
        .chain_update(inner)
        .finalize();
    let hex: String = outer.iter().map(|b| format!("{b:02x}")).collect();
    format!("sha256={hex}")
}

fn change(cursor: i64, outcome: &str) -> String {
    serde_json::json!({
        "cursor": cursor, "id": "ЦБ-1", "direction": "outgoing", "phone": "+79121234567", "dialog": "visit",
        "status": "finished", "status_title": "закончен", "outcome": outcome, "outcome_title": "приедет",
        "data": {"день": "2026-11-30", "два слова": [1, true, null]}, "attempt": 1, "attempts": 3,
        "next_attempt": null, "reason": null, "reason_title": null, "at": "2026-11-29T12:00:00+03:00",
    })
    .to_string()
}

/// The callback service as the web server calls it: status and body.
fn called(program: &mut Program<'_>, headers: &[(&str, &str)], body: &[u8]) -> (u16, String) {
    let headers = headers
        .iter()
        .map(|(name, value)| (Value::text(name), Value::text(value)));
    let request = Value::new(Object::ServiceRequest {
        headers: headers.collect(),
        body: body.to_vec(),
    });
    let answer = program
        .call("HTTPСервис.Говорун", "CallsPOST", vec![request])
        .unwrap();
    let Value::Object(answer) = answer else {
        panic!("no answer")
    };
    match &*answer.borrow() {
        Object::ServiceResponse { code, body } => (*code, body.clone()),
        other => panic!("{other:?}"),
    }
}

fn kept(program: &Program<'_>, register: &str, key: &str) -> Option<HashMap<String, Value>> {
    let fields = program.platform.base.read(register, &Value::text(key))?;
    Some(
        fields
            .into_iter()
            .map(|(key, value)| (key.shown(), value))
            .collect(),
    )
}

#[test]
fn the_callback_service_believes_a_signature_only() {
    let modules = modules();
    let mut program = program(&modules);
    let base = &mut program.platform.base;
    base.constants
        .insert("ГоворунКлючПодписи".to_owned(), Value::text(KEY));
    let now = Timestamp::now().as_second();
    let stamp = now.to_string();
    let body = change(7, "подтвердил");
    let sign = signature(KEY, &stamp, body.as_bytes());
    // The web server may write header names as it likes.
    let headers = [
        ("x-govorun-timestamp", stamp.as_str()),
        ("X-GOVORUN-SIGNATURE", sign.as_str()),
    ];
    let (code, _) = called(&mut program, &headers, body.as_bytes());
    assert_eq!(code, 200, "{:?}", program.platform.log);
    let call = kept(&program, "ГоворунЗвонки", "ЦБ-1").unwrap();
    assert_eq!(call["Итог"].shown(), "подтвердил");
    assert!(
        call["Данные"]
            .shown()
            .contains("\"два слова\":[1,true,null]")
    );
    assert!(call["Изменено"].same(&local("2026-11-29T09:00:00Z".parse().unwrap())));

    // Once more, and an older one late: nothing changes.
    assert_eq!(called(&mut program, &headers, body.as_bytes()).0, 200);
    let older = change(6, "старое");
    let sign_older = signature(KEY, &stamp, older.as_bytes());
    let older_headers = [
        ("X-Govorun-Timestamp", stamp.as_str()),
        ("X-Govorun-Signature", sign_older.as_str()),
    ];
    assert_eq!(
        called(&mut program, &older_headers, older.as_bytes()).0,
        200
    );
    assert_eq!(
        kept(&program, "ГоворунЗвонки", "ЦБ-1").unwrap()["Итог"].shown(),
        "подтвердил"
    );

    let changed = body.replace("подтвердил", "отказался");
    let old = (now - 301).to_string();
    let sign_old = signature(KEY, &old, body.as_bytes());
    let other = signature("чужой ключ", &stamp, body.as_bytes());
    for (stamp, sign, body, want) in [
        (stamp.as_str(), sign.as_str(), changed.as_str(), "signature"),
        (&stamp, &other, &body, "signature"),
        (&stamp, "", &body, "signature"),
        ("", &sign, &body, "signature"),
        (&stamp, &sign[..70], &body, "signature"),
        (&old, &sign_old, &body, "timestamp"),
    ] {
        let headers = [
            ("X-Govorun-Timestamp", stamp),
            ("X-Govorun-Signature", sign),
        ];
        let answer = called(&mut program, &headers, body.as_bytes());
        assert_eq!(answer, (401, want.to_owned()));
    }
    assert_eq!(called(&mut program, &[], body.as_bytes()).0, 401);
    // What can't be kept is not answered 200: it comes again.
    let sign_bad = signature(KEY, &stamp, b"no JSON");
    let headers = [
        ("X-Govorun-Timestamp", stamp.as_str()),
        ("X-Govorun-Signature", sign_bad.as_str()),
    ];
    assert_eq!(called(&mut program, &headers, b"no JSON").0, 500);
    assert!(program.platform.log.last().unwrap().0.ends_with("Ошибка"));
    assert!(
        !program.platform.base.in_transaction(),
        "a transaction was left open"
    );
}

/// A server before the double of Asterisk, at whose far ends all are busy.
struct Server {
    _asterisk: FakeAsterisk,
    runtime: Runtime,
    _folder: tempfile::TempDir,
}

fn tokio() -> &'static tokio::runtime::Runtime {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| tokio::runtime::Runtime::new().unwrap())
}

fn server() -> Server {
    server_with(|_| {})
}

fn server_with(change: impl FnOnce(&mut Config)) -> Server {
    tokio().block_on(Box::pin(async {
        let folder = tempfile::tempdir().unwrap();
        let asterisk = FakeAsterisk::start(Options::new(|_| FarEnd::busy()))
            .await
            .unwrap();
        let scripts = folder.path().join("scripts");
        std::fs::create_dir(&scripts).unwrap();
        std::fs::write(scripts.join("visit.rhai"), "finish(\"ok\");\n").unwrap();
        let any = "127.0.0.1:0".parse().unwrap();
        let mut config = Config::default();
        config.scripts.folder = scripts;
        config.store = folder.path().join("govorun.sqlite");
        config.http.listen = any;
        config.http.tokens = vec![Secret::new(TOKEN)];
        config.asterisk.ami = asterisk.ami_addr().to_string();
        config.asterisk.secret = Secret::new("secret");
        config.asterisk.agi_listen = any;
        config.asterisk.sounds = folder.path().join("sounds");
        config.media.audiosocket_listen = any;
        config.media.websocket_listen = any;
        config.recognizers = vec![RecognizerConfig::Typed];
        config.calls.starts_per_second = 100.0;
        change(&mut config);
        let runtime = Runtime::start(config, Instead::default(), CancellationToken::new()).await;
        Server {
            _asterisk: asterisk,
            runtime: runtime.unwrap(),
            _folder: folder,
        }
    }))
}

fn set_up(program: &mut Program<'_>, server: &Server) {
    let constants = &mut program.platform.base.constants;
    constants.insert("ГоворунСервер".to_owned(), Value::text("127.0.0.1"));
    constants.insert(
        "ГоворунПорт".to_owned(),
        Value::Number(f64::from(server.runtime.http.port())),
    );
    constants.insert("ГоворунТокен".to_owned(), Value::text(TOKEN));
}

const EXCHANGE: &str = "ГоворунОбмен";

fn enqueue(program: &mut Program<'_>, id: &str, phone: &str, dialog: &str, not_before: Value) {
    let params = structure(&[
        ("имя", Value::text("Анна \"Ы\"")),
        ("время", Value::text("завтра")),
    ]);
    let args = vec![
        Value::text(id),
        Value::text(phone),
        Value::text(dialog),
        params,
        not_before,
    ];
    program.call(EXCHANGE, "ПоставитьВОчередь", args).unwrap();
}

fn run(program: &mut Program<'_>, method: &str) -> Result<(), String> {
    let done = program.call(EXCHANGE, method, Vec::new()).map(drop);
    assert!(
        !program.platform.base.in_transaction(),
        "{method} left a transaction open"
    );
    done
}

fn queue(program: &Program<'_>) -> Vec<String> {
    let rows = program.platform.base.rows.get("ГоворунОчередь");
    rows.into_iter()
        .flat_map(|rows| rows.keys().cloned())
        .collect()
}

/// Polls until that call has this status.
fn until(program: &mut Program<'_>, id: &str, status: &str) -> HashMap<String, Value> {
    let from = Instant::now();
    loop {
        run(program, "ПолучитьРезультаты").unwrap();
        let found = kept(program, "ГоворунЗвонки", id);
        if let Some(call) = found.filter(|call| call["Состояние"].shown() == status) {
            return call;
        }
        assert!(
            from.elapsed() < Duration::from_secs(20),
            "{id} never became {status}: {:?}",
            kept(program, "ГоворунЗвонки", id)
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn orders_go_out_and_results_come_back() {
    let (modules, server) = (modules(), server());
    let mut program = program(&modules);
    set_up(&mut program, &server);
    let none = Value::Date(EMPTY_DATE);
    let tomorrow = local(Timestamp::now() + 24.hours());
    enqueue(
        &mut program,
        "ЦБ-1",
        "+7 (912) 123-45-67",
        "visit",
        none.clone(),
    );
    enqueue(
        &mut program,
        "ЦБ-2",
        "89121234568",
        "visit",
        tomorrow.clone(),
    );
    enqueue(
        &mut program,
        "ЦБ-3",
        "89121234569",
        "нет такого",
        none.clone(),
    );
    run(&mut program, "ОтправитьЗаказы").unwrap();
    // The wrong one alone stays, and says why.
    assert_eq!(queue(&program), ["ЦБ-3"]);
    let wrong = kept(&program, "ГоворунОчередь", "ЦБ-3").unwrap()["Ошибка"].shown();
    assert!(wrong.starts_with("dialog: "), "{wrong}");
    let statuses: Vec<u16> = program
        .platform
        .sent
        .iter()
        .map(|(_, _, code)| *code)
        .collect();
    assert_eq!(statuses, [422, 200]);

    let busy = until(&mut program, "ЦБ-1", "finished");
    assert_eq!(busy["Итог"].shown(), "busy");
    assert_eq!(busy["Телефон"].shown(), "+79121234567");
    assert!(busy["ИтогСловами"].filled() && busy["СостояниеСловами"].filled());
    let apart = busy["Изменено"].number() - local(Timestamp::now()).number();
    assert!(apart.abs() < 60.0, "its time is {apart} s off");

    // The single call, with all that belongs to it.
    let settings = program.call(EXCHANGE, "Настройки", Vec::new()).unwrap();
    let call = program
        .call(
            "Говорун",
            "Звонок",
            vec![settings.clone(), Value::text("ЦБ-2")],
        )
        .unwrap();
    let call = platform::to_json(&call);
    assert_eq!(call["params"]["имя"], "Анна \"Ы\"");
    let due: Timestamp = call["not_before"].as_str().unwrap().parse().unwrap();
    assert_eq!(local(due).number(), tomorrow.number());
    for key in [
        "status",
        "status_title",
        "outcome",
        "outcome_title",
        "data",
        "attempt_list",
        "transcript",
    ] {
        assert!(call.get(key).is_some(), "the comment promises {key}");
    }

    // Cancelled at the server, and in the queue before it went out.
    program
        .call(EXCHANGE, "Отменить", vec![Value::text("ЦБ-2")])
        .unwrap();
    until(&mut program, "ЦБ-2", "cancelled");
    enqueue(&mut program, "ЦБ-4", "89121234570", "visit", none.clone());
    program
        .call(EXCHANGE, "Отменить", vec![Value::text("ЦБ-4")])
        .unwrap();
    run(&mut program, "ОтправитьЗаказы").unwrap();
    assert_eq!(queue(&program), ["ЦБ-3"]);

    // The answer to a batch is lost: it goes out again, and there is one call.
    enqueue(
        &mut program,
        "ЦБ-5",
        "89121234571",
        "visit",
        tomorrow.clone(),
    );
    program.platform.lose = 1;
    assert!(run(&mut program, "ОтправитьЗаказы").is_err());
    assert_eq!(queue(&program), ["ЦБ-3", "ЦБ-5"]);
    run(&mut program, "ОтправитьЗаказы").unwrap();
    assert_eq!(queue(&program), ["ЦБ-3"]);
    until(&mut program, "ЦБ-5", "queued");

    // Cancelled by another session while the batch is on its way: whoever sent it cancels it.
    enqueue(&mut program, "ЦБ-7", "89121234573", "visit", tomorrow);
    program.platform.cancelled_meanwhile = Some("ЦБ-7".to_owned());
    run(&mut program, "ОтправитьЗаказы").unwrap();
    assert_eq!(queue(&program), ["ЦБ-3"]);
    until(&mut program, "ЦБ-7", "cancelled");

    // Another order under a number that is there.
    enqueue(&mut program, "ЦБ-5", "89121234599", "visit", none);
    run(&mut program, "ОтправитьЗаказы").unwrap();
    let conflict = kept(&program, "ГоворунОчередь", "ЦБ-5").unwrap();
    assert!(conflict["Ошибка"].shown().contains("уже есть другой заказ"));

    // One order at once, and the helper for dates.
    let order = program
        .call(
            "Говорун",
            "НовыйЗаказ",
            vec![
                Value::text("ЦБ-6"),
                Value::text("8 912 123-45-72"),
                Value::text("visit"),
            ],
        )
        .unwrap();
    let Value::Object(fields) = &order else {
        panic!()
    };
    if let Object::Struct(fields) = &mut *fields.borrow_mut() {
        assert_eq!(field(fields, "phone").unwrap().shown(), "89121234572");
        for (key, value) in [
            ("priority", Value::Number(5.0)),
            ("attempts", Value::Number(2.0)),
            ("callback", Value::text("https://1c.local/hs/govorun/calls")),
        ] {
            fields.push((Value::text(key), value));
        }
    }
    let taken = program
        .call("Говорун", "ЗаказатьЗвонок", vec![settings, order])
        .unwrap();
    let taken = platform::to_json(&taken);
    for key in ["id", "status", "status_title", "created"] {
        assert!(taken.get(key).is_some(), "the comment promises {key}");
    }
}

/// One request of HTTP, answered so; its headers and its body.
fn received(listener: &std::net::TcpListener, status: u16) -> (Vec<(String, String)>, Vec<u8>) {
    use std::io::{BufRead, BufReader, Read, Write};
    let (mut peer, _) = listener.accept().unwrap();
    let mut reader = BufReader::new(peer.try_clone().unwrap());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        match line.trim_end().split_once(": ") {
            Some((name, value)) => headers.push((name.to_owned(), value.to_owned())),
            None if line.trim_end().is_empty() => break,
            None => assert!(line.starts_with("POST /hs/govorun/calls "), "{line}"),
        }
    }
    let length = headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let mut body = vec![0; length.unwrap().1.parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    peer.write_all(answer.as_bytes()).unwrap();
    (headers, body)
}

#[test]
fn the_servers_own_callback_is_believed_and_kept() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hs/govorun/calls", listener.local_addr().unwrap());
    let modules = modules();
    let server = server_with(|config| {
        config.http.callback.url = url;
        config.http.callback.secret = Secret::new(KEY);
        config.http.callback.first_retry_ms = 100;
    });
    let mut program = program(&modules);
    set_up(&mut program, &server);
    let key = Value::text(KEY);
    program
        .platform
        .base
        .constants
        .insert("ГоворунКлючПодписи".to_owned(), key);
    enqueue(
        &mut program,
        "ЦБ-8",
        "+79121234567",
        "visit",
        Value::Date(EMPTY_DATE),
    );
    run(&mut program, "ОтправитьЗаказы").unwrap();
    // The first try is refused: it comes again.
    received(&listener, 500);
    let (headers, body) = received(&listener, 200);
    let headers: Vec<(&str, &str)> = headers
        .iter()
        .map(|(n, v)| (n.as_str(), v.as_str()))
        .collect();
    let answer = called(&mut program, &headers, &body);
    assert_eq!(answer, (200, "ok".to_owned()), "{:?}", program.platform.log);
    let call = kept(&program, "ГоворунЗвонки", "ЦБ-8").unwrap();
    assert_eq!(call["Состояние"].shown(), "finished");
    assert_eq!(call["Итог"].shown(), "busy");
    // Polling finds the same, and nothing newer is undone.
    run(&mut program, "ПолучитьРезультаты").unwrap();
    assert_eq!(
        kept(&program, "ГоворунЗвонки", "ЦБ-8").unwrap()["Итог"].shown(),
        "busy"
    );
}

#[test]
fn many_orders_and_pages_of_results() {
    let (modules, server) = (modules(), server());
    let mut program = program(&modules);
    set_up(&mut program, &server);
    let tomorrow = local(Timestamp::now() + 24.hours());
    for n in 0..620 {
        enqueue(
            &mut program,
            &format!("М-{n}"),
            &format!("7912{n:07}"),
            "visit",
            tomorrow.clone(),
        );
    }
    run(&mut program, "ОтправитьЗаказы").unwrap();
    assert_eq!(queue(&program), Vec::<String>::new());
    run(&mut program, "ПолучитьРезультаты").unwrap();
    let calls = &program.platform.base.rows["ГоворунЗвонки"];
    assert_eq!(calls.len(), 620);
    let pages = program
        .platform
        .sent
        .iter()
        .filter(|(_, address, _)| address.starts_with("/api/v1/changes"))
        .count();
    assert_eq!(pages, 2, "500 and the rest");
    // The poll that failed before its end comes back to the same place.
    let before = program.platform.base.constants["ГоворунКурсор"].number();
    assert_eq!(before, 620.0);
    program.platform.lose = 1;
    assert!(run(&mut program, "ПолучитьРезультаты").is_err());
    assert_eq!(
        program.platform.base.constants["ГоворунКурсор"].number(),
        before
    );
}

#[test]
fn faults_are_told_in_words() {
    let (modules, server) = (modules(), server());
    let mut program = program(&modules);
    set_up(&mut program, &server);
    let wrong = Value::text("другой токен");
    let right = program
        .platform
        .base
        .constants
        .insert("ГоворунТокен".to_owned(), wrong);
    let told = run(&mut program, "ПолучитьРезультаты").unwrap_err();
    assert!(told.starts_with("Говорун: ответ 401"), "{told}");
    program
        .platform
        .base
        .constants
        .insert("ГоворунТокен".to_owned(), right.unwrap());
    // A cursor of another store.
    program
        .platform
        .base
        .constants
        .insert("ГоворунКурсор".to_owned(), Value::Number(99.0));
    let told = run(&mut program, "ПолучитьРезультаты").unwrap_err();
    assert!(
        told.contains("422") && told.contains("unknown_cursor") && told.contains("поле after"),
        "{told}"
    );
    // Nobody there.
    let port = Value::Number(1.0);
    program
        .platform
        .base
        .constants
        .insert("ГоворунПорт".to_owned(), port);
    assert!(
        run(&mut program, "ПолучитьРезультаты")
            .unwrap_err()
            .contains("Интернет")
    );
    // Something else there.
    let stranger = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = Value::Number(f64::from(stranger.local_addr().unwrap().port()));
    program
        .platform
        .base
        .constants
        .insert("ГоворунПорт".to_owned(), port);
    let answers = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut peer, _) = stranger.accept().unwrap();
        let _ = peer.read(&mut [0; 1024]);
        let _ = peer.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>");
    });
    let told = run(&mut program, "ПолучитьРезультаты").unwrap_err();
    assert!(told.contains("не JSON: <html>"), "{told}");
    answers.join().unwrap();
}

#[test]
fn the_do_not_call_list_goes_both_ways() {
    let (modules, server) = (modules(), server());
    let mut program = program(&modules);
    set_up(&mut program, &server);
    let ours = program
        .platform
        .base
        .blank("ГоворунНеЗвонить")
        .into_iter()
        .map(|(key, value)| {
            let value = match key.shown().as_str() {
                "Телефон" => Value::text("+79121110001"),
                "Причина" => Value::text("просил в магазине"),
                "Кто" => Value::text("Иванова"),
                _ => value,
            };
            (key, value)
        });
    let ours = ours.collect();
    program.platform.base.write("ГоворунНеЗвонить", ours);
    let settings = program.call(EXCHANGE, "Настройки", Vec::new()).unwrap();
    // Somebody asked for it in a call.
    let theirs = from_json(
        &serde_json::json!([{"phone": "+79121110002", "reason": "stop_calling", "who": "visit"}]),
    );
    program
        .call(
            "Говорун",
            "ДобавитьНеЗвонить",
            vec![settings.clone(), theirs],
        )
        .unwrap();
    run(&mut program, "ОбменятьсяСпискомНеЗвонить").unwrap();
    let rows = &program.platform.base.rows["ГоворунНеЗвонить"];
    assert_eq!(rows.len(), 2, "{rows:?}");
    for phone in ["+79121110001", "+79121110002"] {
        let row = kept(&program, "ГоворунНеЗвонить", phone).unwrap();
        assert!(
            row["НаСервере"].truth() && row["Внесен"].filled(),
            "{row:?}"
        );
    }
    // Nothing goes twice.
    let before = program.platform.sent.len();
    run(&mut program, "ОбменятьсяСпискомНеЗвонить").unwrap();
    assert_eq!(program.platform.sent.len(), before + 1);
    // Off the list, and again: no error.
    for _ in 0..2 {
        let args = vec![settings.clone(), Value::text("+7 912 111-00-02")];
        program.call("Говорун", "УбратьНеЗвонить", args).unwrap();
    }
}
