//! `demo`: order, talk, outcome and history, with everything inside one program.

use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};

use crate::app::{Scene, Stage};
use crate::config::MediaKind;

use super::conversation::{self, Lines};
use super::history::table;
use super::outcomes::{is_fault, outcome_told};
use super::temp::TempFolder;
use super::{Ended, builtin, screen, telemetry};

/// A brisk speaker; a person at the keyboard gets a calm one.
const CHAR_MS: [u64; 2] = [40, 60];
/// As a person says words.
const WORD: Duration = Duration::from_millis(250);
/// Longest canned talk, and longest talk with a person.
const LONGEST: [Duration; 2] = [Duration::from_secs(40), Duration::from_secs(600)];
/// 1C's own number of the order.
const ID: &str = "ЦБ-000042";
/// The person's number.
const PHONE: &str = "+79121234567";
/// The dialog.
const DIALOG: &str = "подтверждение_визита";
/// What the canned person says: cuts in first, and then agrees.
const CANNED: [&str; 2] = ["/перебить алло, кто это?", "да, приеду"];
/// What has to come of it.
const EXPECTED: &str = "подтвердил";

/// Runs it.
pub(super) async fn run() -> Ended {
    telemetry::start("error", false);
    match show().await {
        Ok(()) => Ended::Sound,
        Err(sentence) => {
            screen::fault(&format!("\nПоказ не удался: {sentence}"));
            Ended::Fault
        }
    }
}

async fn show() -> Result<(), String> {
    let person = screen::has_keyboard();
    let folder =
        TempFolder::new().map_err(|error| format!("временная папка не создаётся: {error}"))?;
    let scripts = folder.path().join("scripts");
    builtin::unpack(&scripts).map_err(|error| format!("{}: {error}", scripts.display()))?;
    let stage = Stage::start(Scene {
        scripts,
        folder: folder.path().to_owned(),
        phone: PHONE.to_owned(),
        char_ms: CHAR_MS[usize::from(person)],
        prompt_speed: 1,
        word: WORD,
        ring_ms: 700,
        media: MediaKind::Auto,
    })
    .await?;
    let shown = shown(&stage, person).await;
    stage.leave().await;
    shown
}

async fn shown(stage: &Stage, person: bool) -> Result<(), String> {
    let http = stage.runtime.http;
    screen::line(&format!(
        "Говорун {}: показ без Asterisk и ключей.",
        env!("CARGO_PKG_VERSION")
    ));
    screen::line(
        "Работает весь сервер, данные идут по настоящим сокетам 127.0.0.1. Вместо Asterisk — двойник, который говорит",
    );
    screen::line(
        "на его языках (AMI, FastAGI, AudioSocket); вместо распознавания — клавиатура, вместо голоса — тишина той же длины.",
    );
    screen::line(&format!(
        "HTTP {http}, FastAGI {}, AMI двойника {}.",
        stage.runtime.agi,
        stage.ami()
    ));

    head("1. Заказ: так звонок просит 1С");
    let order = json!({
        "id": ID,
        "phone": PHONE,
        "dialog": DIALOG,
        "params": { "имя": "Анна Сергеевна", "время": "завтра в десять утра" },
    });
    screen::line(&format!("POST http://{http}/api/v1/calls"));
    screen::line("Authorization: Bearer ...");
    screen::line(&pretty(&order));
    let client = conversation::client(stage)?;
    let (id, answer) = conversation::order(&client, &order).await?;
    screen::line(&format!(
        "\nОтвет 201, заказ уже на диске:\n{}",
        pretty(&answer)
    ));

    head("2. Разговор");
    let lines = if person {
        screen::line(
            "Вы — Анна Сергеевна. Пишите, что она говорит, и нажимайте Enter: «да, приеду», «перенесите», «не знаю».",
        );
        screen::line(
            "Перебить робота: /перебить алло   Клавиши: /цифры 1   Промолчать: /тишина   Положить трубку: /отбой\n",
        );
        conversation::keyboard()
    } else {
        screen::line(
            "Клавиатуры нет, поэтому за человека говорит готовый текст; в первый раз он перебивает робота.\n",
        );
        Lines::Given(CANNED.to_vec())
    };
    let held = conversation::hold(stage, &id, lines, LONGEST[usize::from(person)]).await?;

    head("3. Что получает 1С");
    let outcome = held.call["attempt_list"][0]["outcome"]
        .as_str()
        .unwrap_or_default();
    screen::line(&format!("Итог: {}\n", outcome_told(outcome)));
    screen::line(&format!("GET /api/v1/calls/{ID}\n{}\n", pretty(&held.call)));
    let changes = client
        .ask(Method::GET, "/api/v1/changes?after=0", None)
        .await;
    let (_, changes) = changes.map_err(|error| error.to_string())?;
    screen::line(
        "GET /api/v1/changes?after=0    всё по порядку; в следующий раз 1С спросит after=cursor и ничего не пропустит",
    );
    screen::line(&pretty(&changes));

    head(&format!("4. История звонка: GET /api/v1/calls/{ID}/events"));
    table(&held.events)
        .iter()
        .for_each(|line| screen::line(line));
    screen::line(
        "\nДальше: govorun talk confirm_visit — свой диалог; govorun serve — настоящий Asterisk; README.ru.md — по шагам.",
    );
    verdict(person, outcome, &held.events)
}

/// The demo proves itself: what had to happen has happened.
fn verdict(person: bool, outcome: &str, events: &[Value]) -> Result<(), String> {
    if is_fault(outcome) || outcome.is_empty() {
        return Err(format!("итог звонка — {}", outcome_told(outcome)));
    }
    if person {
        return Ok(());
    }
    if outcome != EXPECTED {
        return Err(format!("итог «{outcome}», а должен быть «{EXPECTED}»"));
    }
    let cut = events
        .iter()
        .any(|e| e["kind"] == "prompt" && e["data"]["event"] == "cut");
    if !cut {
        return Err("человек перебил робота, а фраза не оборвалась".to_owned());
    }
    Ok(())
}

fn head(text: &str) {
    screen::line(&format!(
        "\n━━━ {text} {}",
        "━".repeat(90_usize.saturating_sub(text.chars().count()))
    ));
}

/// JSON with a line for each key, and for each object of a list.
fn pretty(value: &Value) -> String {
    let Value::Object(map) = value else {
        return value.to_string();
    };
    let lines: Vec<String> = map
        .iter()
        .map(|(key, value)| match value {
            Value::Array(list) if !list.is_empty() => {
                let items: Vec<String> = list.iter().map(|item| format!("    {item}")).collect();
                format!("  {}: [\n{}\n  ]", json!(key), items.join(",\n"))
            }
            other => format!("  {}: {other}", json!(key)),
        })
        .collect();
    format!("{{\n{}\n}}", lines.join(",\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pretty_json_is_json() {
        let value =
            json!({"a": 1, "list": [{"x": null}, {"y": "«да»"}], "none": [], "o": {"b": true}});
        let text = pretty(&value);
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        assert_eq!(text.lines().count(), 9);
    }

    #[test]
    fn the_demo_does_not_take_a_wrong_end_for_a_right_one() {
        let cut = [json!({"kind": "prompt", "data": {"event": "cut"}})];
        assert!(verdict(false, EXPECTED, &cut).is_ok());
        assert!(verdict(false, EXPECTED, &[]).is_err());
        assert!(verdict(false, "hung_up", &cut).is_err());
        assert!(verdict(true, "hung_up", &[]).is_ok());
        assert!(verdict(true, "runtime_error", &cut).is_err());
        assert!(verdict(true, "", &cut).is_err());
    }
}
