//! `talk`: a dialog of the folder, held in the terminal. The whole server runs, on a stage.

use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::app::{Scene, Stage};
use crate::config::{Language, MediaKind};
use crate::script::check_folder;

use super::arguments::Talk;
use super::outcomes::{is_fault, outcome_told};
use super::temp::TempFolder;
use super::{Ended, caller, conversation, screen, telemetry};

/// As a calm speaker.
const CHAR_MS: u64 = 60;
/// Quicker than speech: who reads needs no more.
const PROMPT_SPEED: u32 = 3;
/// The person's number.
const PHONE: &str = "+79120000000";
/// Likewise.
const WORD: Duration = Duration::from_millis(60);
/// Longest talk.
const LONGEST: Duration = Duration::from_secs(900);

/// Runs it.
pub(super) async fn run(wanted: Talk) -> Ended {
    telemetry::start("error", false);
    if let Some(ended) = refused(&wanted) {
        return ended;
    }
    match talk(&wanted).await {
        Ok(ended) => ended,
        Err(sentence) => {
            screen::fault(&sentence);
            Ended::Fault
        }
    }
}

/// What can be told before anything starts.
fn refused(wanted: &Talk) -> Option<Ended> {
    let folder = &wanted.scripts;
    if !folder.is_dir() {
        return Some(super::wrong_use::told(&format!(
            "папки «{}» нет: перейдите туда, где она лежит, или укажите --scripts ПАПКА",
            folder.display()
        )));
    }
    let report = check_folder(folder, Language::Ru);
    if !report.is_sound() {
        screen::fault(&report.to_string());
        screen::fault("Сначала исправьте ошибки: с ними и сервер не взял бы эти диалоги.");
        return Some(Ended::Fault);
    }
    let names = dialogs(folder);
    let name = wanted
        .dialog
        .strip_suffix(".rhai")
        .unwrap_or(&wanted.dialog);
    if names.iter().any(|known| known == name) {
        return None;
    }
    let near = crate::config::nearest(name, names.iter().map(String::as_str));
    let near = near
        .map(|near| format!("; может быть, {near}?"))
        .unwrap_or_else(|| ".".to_owned());
    let all = if names.is_empty() {
        "ни одного".to_owned()
    } else {
        names.join(", ")
    };
    Some(super::wrong_use::told(&format!(
        "диалога «{name}» в папке {} нет{near} Есть: {all}",
        folder.display()
    )))
}

fn dialogs(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| {
            Some(
                entry
                    .file_name()
                    .to_str()?
                    .strip_suffix(".rhai")?
                    .to_owned(),
            )
        })
        .filter(|name| !name.starts_with('.'))
        .collect();
    names.sort();
    names
}

async fn talk(wanted: &Talk) -> Result<Ended, String> {
    let folder =
        TempFolder::new().map_err(|error| format!("временная папка не создаётся: {error}"))?;
    let scene = Scene {
        scripts: wanted.scripts.clone(),
        folder: folder.path().to_owned(),
        phone: PHONE.to_owned(),
        char_ms: CHAR_MS,
        prompt_speed: PROMPT_SPEED,
        word: WORD,
        ring_ms: 100,
        media: MediaKind::Auto,
    };
    let stage = Stage::start(scene).await?;
    if screen::has_keyboard() {
        screen::line(caller::HELP);
        screen::line("");
    }
    let params: Map<String, Value> = wanted
        .params
        .iter()
        .map(|(name, value)| (name.clone(), Value::String(value.clone())))
        .collect();
    let dialog = wanted
        .dialog
        .strip_suffix(".rhai")
        .unwrap_or(&wanted.dialog);
    let order = json!({ "phone": PHONE, "dialog": dialog, "params": params });
    let client = conversation::client(&stage)?;
    let (id, _) = conversation::order(&client, &order).await?;
    let held = conversation::hold(&stage, &id, conversation::keyboard(), LONGEST).await;
    stage.leave().await;
    let held = held?;

    // With `call_again` the order waits for its next attempt; the attempt's own outcome is what came of the talk.
    let outcome = held.call["attempt_list"][0]["outcome"]
        .as_str()
        .unwrap_or_default();
    screen::line("");
    screen::line(&format!("Итог для 1С: {}", outcome_told(outcome)));
    if let Some(data) = held.call["data"].as_object() {
        for (key, value) in data {
            screen::line(&format!("  {key}: {value}"));
        }
    }
    if let Some(next) = held.call["next_attempt"].as_str() {
        screen::line(&format!("  перезвонить: {next}"));
    }
    Ok(if is_fault(outcome) {
        Ended::Fault
    } else {
        Ended::Sound
    })
}
