//! `call`: orders one call from a running server, as 1C would, and follows it to its end.

use std::collections::HashSet;
use std::time::Duration;

use hyper::Method;
use serde_json::{Map, Value, json};

use super::arguments::Call;
use super::client::{Client, ClientError};
use super::follow::{Follower, is_final};
use super::history::live;
use super::outcomes::{is_fault, outcome_told};
use super::{Ended, screen, wrong_use};

/// How often the server is asked for news.
const POLL: Duration = Duration::from_millis(200);
/// The server may be away for so long (a restart) before we give up following.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs it.
pub(super) async fn run(wanted: Call) -> Ended {
    let client = match Client::of(&wanted.server) {
        Ok(client) => client,
        Err(error) => return wrong_use::told(&error.to_string()),
    };
    let id = match order(&client, &wanted).await {
        Ok(id) => id,
        Err(error) => {
            screen::fault(&error.to_string());
            return Ended::Fault;
        }
    };
    tokio::select! {
        ended = follow(client, &id) => ended,
        _ = tokio::signal::ctrl_c() => {
            screen::line("");
            screen::line(&format!(
                "Больше не следим; звонок {id} идёт своим чередом. Отменить его: curl -X DELETE {}/api/v1/calls/{id}",
                wanted.server.url.trim_end_matches('/')
            ));
            Ended::Sound
        }
    }
}

async fn order(client: &Client, wanted: &Call) -> Result<String, ClientError> {
    let params: Map<String, Value> = wanted
        .params
        .iter()
        .map(|(name, value)| (name.clone(), Value::String(value.clone())))
        .collect();
    let mut order = json!({ "phone": wanted.phone, "dialog": wanted.dialog, "params": params });
    if let Some(id) = &wanted.id {
        order["id"] = json!(id);
    }
    let (status, answer) = client
        .ask(Method::POST, "/api/v1/calls", Some(&order))
        .await?;
    let id = answer["id"].as_str().unwrap_or_default().to_owned();
    let told = if status.as_u16() == 201 {
        "заказан"
    } else {
        "уже был заказан раньше"
    };
    screen::line(&format!(
        "Звонок {id} {told}: {}, диалог {}",
        wanted.phone, wanted.dialog
    ));
    Ok(id)
}

async fn follow(client: Client, id: &str) -> Ended {
    let mut follower = Follower::new(client, id);
    let mut away_since = None;
    let mut told_waiting = false;
    let mut told = HashSet::new();
    loop {
        let state = async {
            let call = follower.call().await?;
            // After the call, so that nothing comes between a final state and its last event.
            let news = follower.news().await?;
            Ok::<_, ClientError>((call, news))
        };
        match state.await {
            Ok((call, news)) => {
                if away_since.take().is_some() {
                    screen::line("Сервер снова отвечает.");
                }
                for event in &news {
                    // An order that waits for Asterisk is begun and put back over and over: told once.
                    let repeats = event["kind"] == "attempt";
                    match live(event) {
                        Some(line) if !repeats || told.insert(line.clone()) => screen::line(&line),
                        _ => {}
                    }
                }
                if is_final(&call) {
                    return ended(&call);
                }
                let next = call["next_attempt"]
                    .as_str()
                    .filter(|_| call["attempt"].as_u64() > Some(0));
                if let (Some(next), false) = (next, told_waiting) {
                    let outcome = outcome_told(call["outcome"].as_str().unwrap_or("—"));
                    screen::line(&format!(
                        "Попытка не удалась ({outcome}); следующая в {next}. Прекратить следить: Ctrl-C"
                    ));
                }
                told_waiting = next.is_some();
            }
            Err(error @ ClientError::NotThere { .. }) => {
                let since = *away_since.get_or_insert_with(|| {
                    screen::fault("Сервер перестал отвечать, ждём…");
                    tokio::time::Instant::now()
                });
                if since.elapsed() > PATIENCE {
                    screen::fault(&format!(
                        "{error}. Заказ {id} записан: спросите о нём, когда сервер вернётся"
                    ));
                    return Ended::Fault;
                }
            }
            Err(error) => {
                screen::fault(&error.to_string());
                return Ended::Fault;
            }
        }
        tokio::time::sleep(POLL).await;
    }
}

fn ended(call: &Value) -> Ended {
    let outcome = call["outcome"].as_str().unwrap_or_default();
    let told = match (call["status"].as_str(), outcome) {
        (Some("cancelled"), _) => "звонок отменён".to_owned(),
        (Some("expired"), _) => "срок заказа вышел".to_owned(),
        (_, outcome) => outcome_told(outcome),
    };
    screen::line(&format!("Итог: {told}"));
    if let Some(data) = call["data"].as_object().filter(|data| !data.is_empty()) {
        screen::line(&format!("Данные: {}", Value::Object(data.clone())));
    }
    if call["status"] == "finished" && !is_fault(outcome) {
        Ended::Sound
    } else {
        Ended::Fault
    }
}
