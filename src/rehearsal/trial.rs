//! One test case, tried: the call that it describes is held, and what came of it is compared with what was wanted.

use std::sync::Arc;

use serde_json::Value;

use super::call::{self, Held, Opening};
use super::case::{Again, Case, FarEnd};
use super::coverage::Watch;
use super::person::{CasePerson, Difference, holds, seconds};
use super::scene::HistoryLine;
use crate::call::history::kind;
use crate::call::{CallInfo, Direction};
use crate::ident::{CallId, ChannelId};
use crate::script::Dialog;

/// What came of a case.
#[derive(Debug)]
pub struct Trial {
    /// Where it differs from what was wanted, the first difference first; none: it holds.
    pub differences: Vec<Difference>,
    /// Everything that happened.
    pub lines: Vec<HistoryLine>,
    /// The outcome.
    pub outcome: String,
    /// What 1C would get.
    pub data: serde_json::Map<String, Value>,
    /// How long the call went on, virtually, milliseconds.
    pub length_ms: u64,
}

/// Tries a case; what it reaches goes to `watch`.
pub fn attempt(case: &Case, dialog: Dialog, watch: Option<Arc<Watch>>) -> Trial {
    if let FarEnd::Nobody(outcome) = case.far_end {
        let mut trial = Trial {
            differences: Vec::new(),
            lines: Vec::new(),
            outcome: outcome.to_owned(),
            data: serde_json::Map::new(),
            length_ms: 0,
        };
        if let Some(step) = case.steps.first() {
            trial.differences.push(Difference {
                at: 0,
                line: step.line,
                message: "трубку не сняли, разговора нет: уберите «разговор»".to_owned(),
            });
        }
        compare_outcome(case, &trial.outcome, &mut trial.differences);
        return trial;
    }
    let Ok(call_id) = CallId::parse("test") else {
        return broken("no call id");
    };
    let info = CallInfo {
        call_id,
        channel_id: ChannelId::fresh(),
        attempt: case.attempt,
        direction: if case.incoming {
            Direction::Incoming
        } else {
            Direction::Outgoing
        },
        phone: case.phone.clone(),
        dialog: dialog.name().to_owned(),
        params: case.params.clone(),
        file: None,
    };
    let mut person = CasePerson::new(case);
    let held = call::hold(
        Opening {
            dialog,
            info,
            began: case.now.clone(),
            watch,
        },
        &mut person,
    );
    // Where the person gave up, the end of the call is of our making: only the difference that led to it counts.
    if !person.gave_up {
        person.judge(&held.lines, &held.heard);
        compare(case, &held, &mut person.differences);
    }
    let mut differences = person.differences;
    differences.sort_by_key(|difference| difference.at);
    Trial {
        differences,
        lines: held.lines,
        outcome: held.outcome,
        data: held.end.data,
        length_ms: held.length_ms,
    }
}

fn broken(message: &str) -> Trial {
    Trial {
        differences: vec![Difference {
            at: 0,
            line: 0,
            message: message.to_owned(),
        }],
        lines: Vec::new(),
        outcome: String::new(),
        data: serde_json::Map::new(),
        length_ms: 0,
    }
}

fn compare_outcome(case: &Case, outcome: &str, differences: &mut Vec<Difference>) {
    if let Some(wanted) = case
        .wants
        .outcome
        .as_ref()
        .filter(|wanted| *wanted != outcome)
    {
        differences.push(Difference {
            at: usize::MAX,
            line: 0,
            message: format!("итог должен быть «{wanted}», а он «{outcome}»"),
        });
    }
}

fn compare(case: &Case, held: &Held, differences: &mut Vec<Difference>) {
    let wants = &case.wants;
    let mut whole = |message: String| {
        differences.push(Difference {
            at: usize::MAX,
            line: 0,
            message,
        });
    };
    for (key, wanted) in &wants.data {
        let got = held.end.data.get(key).unwrap_or(&Value::Null);
        if !alike(wanted, got) {
            whole(format!(
                "в данных «{key}» должно быть {}, а там {}",
                shown(wanted),
                shown(got)
            ));
        }
    }
    if let Some(wanted) = &wants.stages {
        let passed: Vec<&str> = held
            .lines
            .iter()
            .filter(|l| l.kind == kind::STAGE)
            .map(|l| l.word("name"))
            .collect();
        if passed != *wanted {
            whole(format!(
                "этапы должны быть: {}, а прошли: {}",
                wanted.join(", "),
                passed.join(", ")
            ));
        }
    }
    match (&wants.call_again, held.end.call_again) {
        (None, _) | (Some(Again::Some), Some(_)) | (Some(Again::None), None) => {}
        (Some(Again::None), Some(_)) => {
            whole("перезванивать не надо, а диалог просит перезвонить".to_owned());
        }
        (Some(_), None) => whole("диалог должен просить перезвонить, а не просит".to_owned()),
        (Some(Again::At(wanted)), Some(at)) => {
            let at = at
                .to_zoned(case.now.time_zone().clone())
                .strftime("%Y-%m-%d %H:%M")
                .to_string();
            if at != *wanted {
                whole(format!("перезвонить надо {wanted}, а диалог просит {at}"));
            }
        }
    }
    if let Some(most_ms) = wants.lasts_ms.filter(|most_ms| held.length_ms > *most_ms) {
        whole(format!(
            "разговор длится {} с, а надо не дольше {} с",
            seconds(held.length_ms),
            seconds(most_ms)
        ));
    }
    for part in &wants.never {
        if let Some(heard) = held.heard.iter().find(|heard| holds(&heard.text, part)) {
            differences.push(Difference {
                at: heard.line + 1,
                line: 0,
                message: format!("«{part}» звучать не должно"),
            });
        }
    }
    compare_outcome(case, &held.outcome, differences);
    if wants.outcome.as_deref() != Some(held.outcome.as_str())
        && let Some(fault) = &held.end.fault
    {
        differences.push(Difference {
            at: held.lines.len(),
            line: 0,
            message: format!(
                "ошибка в сценарии: {}:{}: {}",
                fault.file, fault.line, fault.message
            ),
        });
    }
}

/// Equal for an analyst: the text `5` and the number 5 are, and of an object only the wanted fields count.
pub(super) fn alike(wanted: &Value, got: &Value) -> bool {
    match (wanted, got) {
        (Value::Object(wanted), Value::Object(got)) => wanted
            .iter()
            .all(|(key, value)| alike(value, got.get(key).unwrap_or(&Value::Null))),
        (Value::Array(wanted), Value::Array(got)) => {
            wanted.len() == got.len()
                && wanted
                    .iter()
                    .zip(got)
                    .all(|(wanted, got)| alike(wanted, got))
        }
        (Value::Object(_) | Value::Array(_), _) | (_, Value::Object(_) | Value::Array(_)) => false,
        (Value::Null, _) | (_, Value::Null) => wanted == got,
        (Value::Number(wanted), Value::Number(got)) => wanted.as_f64() == got.as_f64(),
        _ => plain(wanted) == plain(got),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "да".to_owned(),
        Value::Bool(false) => "нет".to_owned(),
        other => other.to_string(),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "ничего".to_owned(),
        Value::String(text) => format!("«{text}»"),
        other => other.to_string(),
    }
}
