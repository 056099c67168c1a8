//! `replay`: recorded calls through today's dialogs: where they go another way, how many would have ended otherwise.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::call::CallInfo;
use crate::ident::{CallId, ChannelId};
use crate::rehearsal::call::Opening;
use crate::rehearsal::person::Difference;
use crate::rehearsal::replay::{Recorded, Replayed};
use crate::script::Version;
use crate::store::{Archive, CallRecord, EventRecord};

use super::arguments::Replay;
use super::outcomes::outcome_told;
use super::{Ended, check, folder, screen, telemetry, transcript, wrong_use};

/// Calls that `--all` names.
const NAMED: usize = 10;

/// Runs it.
pub(super) fn run(wanted: &Replay) -> Ended {
    telemetry::start("off", false);
    match replayed(wanted) {
        Ok(ended) | Err(ended) => ended,
    }
}

fn replayed(wanted: &Replay) -> Result<Ended, Ended> {
    let (scripts, store) = places(wanted)?;
    let version = folder::load(&scripts)?;
    if !store.is_file() {
        return Err(wrong_use::told(&format!(
            "файла {} нет: укажите --store ФАЙЛ или -c govorun.yaml",
            store.display()
        )));
    }
    let archive = Archive::open(&store).map_err(|error| broken(&error))?;
    match (&wanted.call, &wanted.all) {
        (Some(id), None) => {
            let id = CallId::parse(id)
                .map_err(|error| wrong_use::told(&format!("«{id}» — не номер звонка: {error}")))?;
            let Some((call, events)) = archive.call(&id).map_err(|error| broken(&error))? else {
                return Err(wrong_use::told(&format!(
                    "звонка «{id}» в {} нет",
                    store.display()
                )));
            };
            one(&version, &call, events)
        }
        (None, Some(dialog)) => {
            let dialog = folder::named(&version, &scripts, dialog)?;
            all(&version, &archive, &dialog, wanted.last)
        }
        _ => Err(wrong_use::told(
            "назовите звонок (govorun replay НОМЕР) или диалог (govorun replay --all ДИАЛОГ)",
        )),
    }
}

fn broken(error: &dyn std::fmt::Display) -> Ended {
    screen::fault(&format!("история не читается: {error}"));
    Ended::Fault
}

/// The folder of dialogs and the file of the history: by their own keys, else by the settings.
fn places(wanted: &Replay) -> Result<(PathBuf, PathBuf), Ended> {
    if let (Some(scripts), Some(store)) = (&wanted.scripts, &wanted.store) {
        return Ok((scripts.clone(), store.clone()));
    }
    let config = check::load(&wanted.config).map_err(|faults| {
        faults
            .iter()
            .for_each(|fault| screen::fault(&check::shown(fault)));
        screen::fault("Без настроек укажите и --scripts ПАПКА, и --store ФАЙЛ.");
        Ended::Fault
    })?;
    Ok((
        wanted.scripts.clone().unwrap_or(config.scripts.folder),
        wanted.store.clone().unwrap_or(config.store),
    ))
}

/// The last answered attempt, its outcome, and its run through today's dialog. `Err`: why there is none.
fn again(
    version: &Arc<Version>,
    call: &CallRecord,
    events: Vec<EventRecord>,
) -> Result<(Recorded, String, Replayed), String> {
    let Some(attempt) = call
        .attempt_list
        .iter()
        .rev()
        .find(|attempt| attempt.answered.is_some())
    else {
        return Err("трубку не сняли, разговора не было".to_owned());
    };
    let lines = events
        .into_iter()
        .filter(|event| event.attempt == attempt.attempt);
    let lines = lines.filter_map(|event| Some((event.kind, event.at_ms?, event.data)));
    let recorded = Recorded::read(lines).ok_or("в истории нет разговора")?;
    let Some(dialog) = version.dialog(&call.dialog) else {
        return Err(format!("диалога «{}» больше нет", call.dialog));
    };
    let outcome = attempt.outcome.clone().unwrap_or_default();
    let opening = Opening {
        dialog,
        info: CallInfo {
            call_id: call.id.clone(),
            channel_id: ChannelId::fresh(),
            attempt: attempt.attempt,
            direction: call.direction,
            phone: call.phone.clone(),
            dialog: call.dialog.clone(),
            params: call.params.clone(),
            file: call.file.clone(),
        },
        began: attempt
            .answered
            .unwrap_or(attempt.started)
            .to_zoned(TimeZone::system()),
        watch: None,
    };
    let replayed = recorded.replay(opening, &outcome);
    Ok((recorded, outcome, replayed))
}

fn one(
    version: &Arc<Version>,
    call: &CallRecord,
    events: Vec<EventRecord>,
) -> Result<Ended, Ended> {
    let (recorded, outcome, replayed) = again(version, call, events).map_err(|why| {
        screen::fault(&format!("Повторить нечего: {why}."));
        Ended::Fault
    })?;
    let mark = |at: usize, message: String| {
        vec![Difference {
            at,
            line: 0,
            message,
        }]
    };
    let Some((old, new)) = replayed.parted else {
        for line in transcript::shown(&replayed.held.lines, &[]) {
            screen::line(&line);
        }
        screen::line(&format!(
            "\nСегодня разговор пошёл бы так же; итог {}",
            outcome_told(&outcome)
        ));
        return Ok(Ended::Sound);
    };
    screen::line("Как было:");
    for line in transcript::shown(
        &recorded.lines,
        &mark(old, "отсюда сегодня идёт иначе".to_owned()),
    ) {
        screen::line(&line);
    }
    screen::line(&format!("Итог: {}\n", outcome_told(&outcome)));
    screen::line("Как пошло бы сегодня:");
    for line in transcript::shown(
        &replayed.held.lines,
        &mark(new, "отсюда иначе, чем было".to_owned()),
    ) {
        screen::line(&line);
    }
    screen::line(&format!("Итог: {}", outcome_told(&replayed.held.outcome)));
    Ok(Ended::Fault)
}

fn all(
    version: &Arc<Version>,
    archive: &Archive,
    dialog: &str,
    last: usize,
) -> Result<Ended, Ended> {
    let ids = archive.last(dialog, last).map_err(|error| broken(&error))?;
    // Old and new outcome: how many, and the first few of them.
    let mut changed: BTreeMap<(String, String), (usize, Vec<String>)> = BTreeMap::new();
    let (mut tried, mut left_out) = (0, 0);
    for id in ids {
        let Some((call, events)) = archive.call(&id).map_err(|error| broken(&error))? else {
            continue;
        };
        let Ok((recorded, old, replayed)) = again(version, &call, events) else {
            left_out += 1;
            continue;
        };
        if recorded.cut_off {
            left_out += 1;
            continue;
        }
        tried += 1;
        let new = replayed.held.outcome;
        if old != new {
            let (count, named) = changed.entry((old, new)).or_default();
            *count += 1;
            if named.len() < NAMED {
                named.push(id.to_string());
            }
        }
    }
    let calls = |n| screen::count(n, ["звонок", "звонка", "звонков"]);
    for ((old, new), (count, named)) in &changed {
        let more = if *count > named.len() { " …" } else { "" };
        screen::line(&format!(
            "{old} → {new}: {} ({}{more})",
            calls(*count),
            named.join(", ")
        ));
    }
    let otherwise: usize = changed.values().map(|(count, _)| count).sum();
    let skipped = match left_out {
        0 => String::new(),
        n => format!("; не повторить: {n} (без разговора или оборваны сервером)"),
    };
    screen::line(&format!(
        "Повторено: {}, кончилось бы иначе: {otherwise}{skipped}",
        calls(tried)
    ));
    Ok(if otherwise == 0 {
        Ended::Sound
    } else {
        Ended::Fault
    })
}
