//! `talk`: a dialog of the folder, held in the terminal, on the live machine under a virtual clock.

use std::path::Path;

use jiff::Zoned;
use serde_json::{Map, Value};

use crate::call::{CallInfo, Direction, Fault};
use crate::ident::{CallId, ChannelId, Phone};
use crate::rehearsal::call::{self, Held, Opening};
use crate::rehearsal::suite::ENDING;
use crate::rehearsal::write;

use super::arguments::Talk;
use super::outcomes::{is_fault, outcome_told};
use super::terminal::Terminal;
use super::{Ended, caller, folder, place, screen, telemetry};

/// The person's number.
const PHONE: &str = "+79120000000";

/// Runs it.
pub(super) fn run(wanted: &Talk) -> Ended {
    telemetry::start("off", false);
    match talk(wanted) {
        Ok(ended) | Err(ended) => ended,
    }
}

fn talk(wanted: &Talk) -> Result<Ended, Ended> {
    let version = folder::load(&wanted.scripts)?;
    let name = folder::named(&version, &wanted.scripts, &wanted.dialog)?;
    let Some(dialog) = version.dialog(&name) else {
        return Err(Ended::Fault);
    };
    let Ok(call_id) = CallId::parse("talk") else {
        return Err(Ended::Fault);
    };
    if screen::has_keyboard() {
        screen::line(caller::HELP);
        screen::line("");
    }
    let params: Map<String, Value> = wanted
        .params
        .iter()
        .map(|(name, value)| (name.clone(), Value::String(value.clone())))
        .collect();
    let began = Zoned::now();
    let info = CallInfo {
        call_id,
        channel_id: ChannelId::fresh(),
        attempt: 1,
        direction: Direction::Outgoing,
        phone: Phone::parse(PHONE).ok(),
        dialog: name.clone(),
        params: params.clone(),
        file: None,
    };
    let mut person = Terminal::new(wanted.fast, began.datetime());
    let opening = Opening {
        dialog,
        info,
        began: began.clone(),
        watch: None,
    };
    let held = call::hold(opening, &mut person);

    screen::line("");
    screen::line(&format!("Итог для 1С: {}", outcome_told(&held.outcome)));
    for (key, value) in &held.end.data {
        screen::line(&format!("  {key}: {value}"));
    }
    if let Some(fault) = &held.end.fault {
        let Fault {
            file,
            line,
            column,
            message,
        } = fault;
        screen::line(&format!("\n{file}:{line}:{column}: {message}"));
        if let Some(shown) = place::of_file(&wanted.scripts.join(file), *line, *column) {
            screen::line(&shown);
        }
    }
    if let Some(next) = held.end.call_again {
        screen::line(&format!(
            "  перезвонить: {}",
            next.to_zoned(began.time_zone().clone())
                .strftime("%d.%m.%Y %H:%M")
        ));
    }
    let title = match &wanted.save {
        Some(title) => Some(title.clone()),
        None if screen::has_keyboard() => {
            screen::text("\nСохранить как проверку? Название (пусто — не сохранять): ");
            person.line().filter(|title| !title.trim().is_empty())
        }
        None => None,
    };
    let saved = match title {
        Some(title) => save(
            &wanted.scripts,
            &name,
            title.trim(),
            &params,
            &began,
            &held,
            &person,
        ),
        None => true,
    };
    let sound = saved && !is_fault(&held.outcome);
    Ok(if sound { Ended::Sound } else { Ended::Fault })
}

/// Appends the talk to the dialog's tests; tells where, or why not.
fn save(
    folder: &Path,
    name: &str,
    title: &str,
    params: &Map<String, Value>,
    began: &Zoned,
    held: &Held,
    person: &Terminal,
) -> bool {
    let file = folder.join(format!("{name}{ENDING}"));
    let case = write::case(title, params, began, held, &person.written);
    let old = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            format!(
                "# Проверки сценария {name}: govorun test {name}. Как их писать — в README.md.\n"
            )
        }
        Err(error) => {
            screen::fault(&format!("файл {} не читается: {error}", file.display()));
            return false;
        }
    };
    let Some(new) = write::appended(&old, &case) else {
        screen::fault(&format!(
            "в {} дописать не вышло: в нём ошибки. Сама проверка:\n\n{case}",
            file.display()
        ));
        return false;
    };
    match std::fs::write(&file, new) {
        Ok(()) => {
            screen::line(&format!("Записано в {}", file.display()));
            true
        }
        Err(error) => {
            screen::fault(&format!("файл {} не пишется: {error}", file.display()));
            false
        }
    }
}
