//! A call's history as people read it: lines while it goes on, a table afterwards. Takes the JSON of
//! `GET /api/v1/calls/{id}/events`, which is all that 1C has, too.

use jiff::Timestamp;
use serde_json::Value;

use super::outcomes::{answer_ru, outcome_told};

/// Longest text of a table's row, characters.
const MAX_CHARS: usize = 110;

fn word<'v>(data: &'v Value, key: &str) -> &'v str {
    data[key].as_str().unwrap_or_default()
}

/// Milliseconds as seconds: `1,9 с`.
pub(super) fn seconds(ms: u64) -> String {
    format!("{},{} с", ms / 1000, ms % 1000 / 100)
}

/// The line of a call that goes on; `None` for what only the table shows.
pub(super) fn live(event: &Value) -> Option<String> {
    let data = &event["data"];
    let what = word(data, "event");
    let told = match event["kind"].as_str().unwrap_or_default() {
        "attempt" => match what {
            "began" => format!("☎  звоним, попытка {}", event["attempt"]),
            "ringing" => "☎  гудки".to_owned(),
            "answered" => "☎  трубку сняли".to_owned(),
            "put_back" => format!("☎  звонок отложен: {}", word(data, "reason")),
            _ => return None,
        },
        "prompt" => match what {
            "started" => format!("Робот:   {}", word(data, "name")),
            "cut" => format!(
                "         ✂ перебили на {}",
                seconds(data["played_ms"].as_u64().unwrap_or(0))
            ),
            "failed" => format!(
                "   ⚠     не прозвучало «{}»: {}",
                word(data, "name"),
                word(data, "reason")
            ),
            _ => return None,
        },
        "utterance" => match word(data, "state") {
            "complete" => format!("Человек: {}", word(data, "text")),
            "left" if !word(data, "text").is_empty() => {
                format!("         (сказано мимо вопроса: {})", word(data, "text"))
            }
            _ => return None,
        },
        "answerer" => format!("☎  {}", answerer(data)?),
        "digit" => format!("Человек: [клавиша {}]", word(data, "digit")),
        "window" => format!("         → {}", window(data)?),
        "stage" => format!("──       этап: {}", word(data, "name")),
        "log" => format!("         журнал: {}", word(data, "text")),
        "web" if what == "began" => format!(
            "         спрашиваем сервер: {} {}",
            word(data, "method"),
            word(data, "url")
        ),
        "web" if !word(data, "fault").is_empty() => {
            format!("   ⚠     сервер: {}", word(data, "fault"))
        }
        "web" => format!("         сервер ответил: {}", data["status"]),
        "recording" => format!("●        {}", recording(what, data)),
        "transfer" if what == "began" => format!("☎  переводим на {}", word(data, "to")),
        "transfer" => format!("☎  перевод окончен: {}", transferred(word(data, "status"))),
        "fault" => format!("   ⚠     {}", fault(data)),
        // That it ends is how a call ends, too.
        "media" if matches!(what, "failed" | "lost") || what.starts_with("not one frame") => {
            format!("   ⚠     звук: {what} {}", word(data, "reason"))
                .trim_end()
                .to_owned()
        }
        "recognizer" if !matches!(what, "opened" | "answers" | "sent") => {
            let told = format!(
                "   ⚠     распознавание {}: {what} {}",
                word(data, "name"),
                word(data, "reason")
            );
            told.trim_end().to_owned()
        }
        "hang_up" => format!("☎  {}", hang_up(word(data, "by"))),
        _ => return None,
    };
    Some(told)
}

fn recording(what: &str, data: &Value) -> String {
    match (what, word(data, "what")) {
        ("began", "message") => "записываем сообщение".to_owned(),
        ("ended", "message") => {
            let length = seconds(data["length_ms"].as_u64().unwrap_or(0));
            format!("сообщение записано: {length}")
        }
        ("began", _) => "разговор записывается".to_owned(),
        ("ended", _) => "запись разговора окончена".to_owned(),
        _ => flat(data),
    }
}

fn window(data: &Value) -> Option<String> {
    Some(match word(data, "reason") {
        "speech" => match data["intent"].as_str() {
            Some(intent) => format!("понято: {}", answer_ru(intent)),
            None => "имени ответа нет, только текст".to_owned(),
        },
        "digits" => format!("клавиши: {}", word(data, "digits")),
        "no_input" => "молчание".to_owned(),
        "machine" => "не человек: вопрос снят".to_owned(),
        "too_long" => "говорит слишком долго".to_owned(),
        "failed" => "не слышим: распознавание недоступно".to_owned(),
        _ => return None,
    })
}

/// Who answered, in words; `None`: a person, as ever.
fn answerer(data: &Value) -> Option<String> {
    let who = match (word(data, "event"), word(data, "who")) {
        ("verdict", "voicemail") => "ответил автоответчик",
        ("verdict", "assistant") => "ответил помощник абонента",
        ("verdict", "unreachable") => "объявление: абонент недоступен",
        ("verdict", "invalid_number") => "объявление: такого номера нет",
        ("tone", _) => return Some("сигнал".to_owned()),
        ("announced", _) => return Some(format!("до ответа: {}", word(data, "text"))),
        _ => return None,
    };
    let phrase = word(data, "phrase");
    Some(if phrase.is_empty() {
        who.to_owned()
    } else {
        format!("{who} («{phrase}»)")
    })
}

fn fault(data: &Value) -> String {
    let message = word(data, "message");
    match (word(data, "file"), &data["line"]) {
        ("", _) => message.to_owned(),
        (file, Value::Number(line)) if line.as_u64() != Some(0) => {
            format!("{file}:{line}:{}: {message}", data["column"])
        }
        (file, _) => format!("{file}: {message}"),
    }
}

fn transferred(status: &str) -> &str {
    match status {
        "answered" => "соединили, поговорили",
        "busy" => "занято",
        "no_answer" => "не ответили",
        "hung_up" => "человек положил трубку",
        "failed" => "не удалось",
        other => other,
    }
}

fn callback(what: &str, data: &Value) -> String {
    let why = word(data, "error");
    match what {
        "delivered" => "1С ответила, что приняла".to_owned(),
        "not_delivered" => format!("не принят, повторим: {why}"),
        "given_up" => format!("не доставлен, больше не пробуем: {why}"),
        _ => flat(data),
    }
}

fn hang_up(by: &str) -> &str {
    match by {
        "dialog" => "робот положил трубку",
        "person" => "человек положил трубку",
        "runtime" => "звонок оборван: отменён или слишком долгий",
        _ => "связь потеряна",
    }
}

/// The rows of the table, its head first. Times count from the first event, by the wall clock.
pub(super) fn table(events: &[Value]) -> Vec<String> {
    let mut lines = vec![
        format!("{:>9}  {:<14}  {}", "секунды", "что", "подробности"),
        "─".repeat(80),
    ];
    let from = events.first().and_then(at_ms).unwrap_or(0);
    lines.extend(events.iter().map(|event| row(event, from)));
    lines
}

fn at_ms(event: &Value) -> Option<i64> {
    let at: Timestamp = event["at"].as_str()?.parse().ok()?;
    // A time for 1C has whole seconds; the rest stands beside it.
    Some(at.as_millisecond() + event["ms"].as_i64().unwrap_or(0))
}

fn row(event: &Value, from_ms: i64) -> String {
    let kind = event["kind"].as_str().unwrap_or_default();
    let data = &event["data"];
    let ms = at_ms(event).map_or(0, |at| at.saturating_sub(from_ms).max(0));
    let time = format!("{},{:03}", ms / 1000, ms % 1000);
    let (ru, text) = named(kind, data);
    let mut text: String = text.replace(['\n', '\r'], " ");
    if text.chars().count() > MAX_CHARS {
        text = text.chars().take(MAX_CHARS - 1).chain(['…']).collect();
    }
    format!("{time:>9}  {ru:<14}  {text}").trim_end().to_owned()
}

fn named<'k>(kind: &'k str, data: &Value) -> (&'k str, String) {
    let what = word(data, "event");
    match kind {
        "order" => ("заказ", order(what)),
        "attempt" => ("попытка", attempt(what, data)),
        "asterisk" => ("Asterisk", asterisk(data)),
        "callback" => ("обратный вызов", callback(what, data)),
        "media" => (
            "звук",
            medium(what).map_or_else(|| flat(data), str::to_owned),
        ),
        "recognizer" => ("распознавание", flat(data)),
        "dialog" => ("диалог", dialog(data)),
        "stage" => ("этап", word(data, "name").to_owned()),
        "set" => (
            "запомнено",
            format!("{} = {}", word(data, "key"), plain(&data["value"])),
        ),
        "log" => ("журнал", word(data, "text").to_owned()),
        "event" => ("событие", flat(data)),
        "prompt" => ("фраза", prompt(what, data)),
        "window" => (
            "слушаем",
            window(data).unwrap_or_else(|| hang_up("person").to_owned()),
        ),
        "utterance" => ("сказано", utterance(data)),
        "digit" => ("клавиша", word(data, "digit").to_owned()),
        "recording" => ("запись", recording(what, data)),
        "transfer" => ("перевод", flat(data)),
        "web" => ("сервер", flat(data)),
        "fault" => ("ошибка", fault(data)),
        "turn" => ("времена", turn(data)),
        "hang_up" => ("отбой", hang_up(word(data, "by")).to_owned()),
        other => (other, flat(data)),
    }
}

fn order(what: &str) -> String {
    match what {
        "accepted" => "принят и записан",
        "changed" => "изменён",
        "cancelled" => "отменён",
        "cancel_asked" => "просят отменить",
        "expired" => "срок вышел",
        "came_in" => "входящий звонок",
        other => other,
    }
    .to_owned()
}

fn attempt(what: &str, data: &Value) -> String {
    match what {
        "began" => format!("началась, канал {}", word(data, "channel_id")),
        "dialing" => format!("набираем, звук: {}", word(data, "media")),
        "ringing" => "гудки".to_owned(),
        "answered" => "трубку сняли".to_owned(),
        "ended" => format!("закончена: {}", outcome_told(word(data, "outcome"))),
        _ => flat(data),
    }
}

fn dialog(data: &Value) -> String {
    let which = word(data, "dialog");
    match word(data, "event") {
        "began" => format!("{which}, версия {}", word(data, "version")),
        "ended" => format!("{which}: итог {}", outcome_told(word(data, "outcome"))),
        _ => flat(data),
    }
}

fn prompt(what: &str, data: &Value) -> String {
    let name = word(data, "name");
    let played = || seconds(data["played_ms"].as_u64().unwrap_or(0));
    match what {
        "started" => format!("звучит: {name}"),
        "ended" => format!("дослушали ({})", played()),
        "cut" => format!("оборвана на {}", played()),
        "barge_in" => format!("перебивают на {} ({})", played(), word(data, "by")),
        "paused" => format!("придержана на {}: человек подал голос", played()),
        "resumed" => "продолжаем: слов не было".to_owned(),
        "stopped" => format!("остановлена на {}: трубку положили", played()),
        "stuck" => "не закончилась вовремя: идём дальше".to_owned(),
        "lost" => format!("звук оборвался на {}", played()),
        "again" => format!("звучит снова с {}", played()),
        "failed" => format!("не прозвучала: {}", word(data, "reason")),
        _ => flat(data),
    }
}

fn medium(what: &str) -> Option<&'static str> {
    match what {
        "ended" => Some("закончился"),
        "is opened again" => Some("оборвался, а человек ещё здесь: открываем заново"),
        "back" => Some("снова есть"),
        _ => None,
    }
}

fn utterance(data: &Value) -> String {
    let text = word(data, "text");
    match word(data, "state") {
        "complete" => text.to_owned(),
        "left" => format!("мимо вопроса: {text}"),
        "noise" => "шум без слов".to_owned(),
        "late_final" => format!("уточнение вдогонку: {text}"),
        _ => flat(data),
    }
}

fn turn(data: &Value) -> String {
    let from = ["end_of_speech_ms", "end_of_utterance_ms", "final_text_ms"]
        .into_iter()
        .find_map(|key| data[key].as_u64());
    match (
        from,
        data["decision_ms"].as_u64(),
        data["first_audio_ms"].as_u64(),
    ) {
        (Some(from), _, Some(audio)) => format!(
            "от конца речи до ответа робота {} мс",
            audio.saturating_sub(from)
        ),
        (Some(from), Some(decision), None) => {
            format!(
                "от конца речи до решения диалога {} мс",
                decision.saturating_sub(from)
            )
        }
        _ => flat(data),
    }
}

/// An event's name and the few values that tell something.
fn asterisk(data: &Value) -> String {
    let mut told = word(data, "Event").to_owned();
    if told.is_empty() {
        return flat(data);
    }
    let keys = [
        "Channel",
        "ChannelStateDesc",
        "DialStatus",
        "Response",
        "Reason",
        "Digit",
        "Cause",
        "Cause-txt",
    ];
    for value in keys
        .into_iter()
        .map(|key| word(data, key))
        .filter(|value| !value.is_empty())
    {
        told.push_str("  ");
        told.push_str(value);
    }
    told
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "—".to_owned(),
        other => other.to_string(),
    }
}

/// `key value, key value`, without what is empty.
fn flat(data: &Value) -> String {
    let Value::Object(map) = data else {
        return plain(data);
    };
    let parts: Vec<String> = map
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(key, value)| match key.as_str() {
            "event" => plain(value),
            _ => format!("{key} {}", plain(value)),
        })
        .collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_live_call_reads_as_a_talk() {
        for (kind, data, want) in [
            ("attempt", json!({"event": "ringing"}), Some("☎  гудки")),
            (
                "prompt",
                json!({"event": "started", "name": "Вы приедете?"}),
                Some("Робот:   Вы приедете?"),
            ),
            (
                "prompt",
                json!({"event": "cut", "name": "x", "played_ms": 1930}),
                Some("         ✂ перебили на 1,9 с"),
            ),
            ("prompt", json!({"event": "ended", "name": "x"}), None),
            (
                "utterance",
                json!({"state": "complete", "text": "да"}),
                Some("Человек: да"),
            ),
            (
                "window",
                json!({"reason": "speech", "intent": "yes"}),
                Some("         → понято: да (yes)"),
            ),
            ("window", json!({"reason": "hang_up"}), None),
            (
                "hang_up",
                json!({"by": "person"}),
                Some("☎  человек положил трубку"),
            ),
            (
                "fault",
                json!({"file": "a.rhai", "line": 3, "column": 5, "message": "нет"}),
                Some("   ⚠     a.rhai:3:5: нет"),
            ),
            ("asterisk", json!({"Event": "Newstate"}), None),
        ] {
            let event = json!({"kind": kind, "attempt": 1, "data": data});
            assert_eq!(live(&event).as_deref(), want, "{event}");
        }
    }

    #[test]
    fn the_table_has_a_row_for_every_event_and_no_row_is_endless() {
        let at = |second: &str| format!("2026-11-25T10:00:{second}Z");
        let events = [
            json!({"kind": "order", "at": at("01.5"), "at_ms": null, "data": {"event": "accepted"}}),
            json!({"kind": "asterisk", "at": at("02.704"), "data": {"Event": "Hangup", "Cause": "16", "Cause-txt": "Normal"}}),
            json!({"kind": "turn", "at": at("03"), "data": {"final_text_ms": 1000, "decision_ms": 1001, "first_audio_ms": 1004}}),
            json!({"kind": "set", "at": at("03"), "data": {"key": "k", "value": "д".repeat(500)}}),
            json!({"kind": "novelty", "at": "?", "data": {"a": 1, "b": null}}),
        ];
        let lines = table(&events);
        assert_eq!(lines.len(), 7);
        assert!(
            lines[2].contains("0,000  заказ") && lines[2].ends_with("принят и записан"),
            "{}",
            lines[2]
        );
        assert!(
            lines[3].contains("1,204  Asterisk") && lines[3].ends_with("Hangup  16  Normal"),
            "{}",
            lines[3]
        );
        assert!(lines[4].ends_with("4 мс"), "{}", lines[4]);
        assert!(lines[5].ends_with('…'));
        assert!(lines[6].ends_with("a 1"), "{}", lines[6]);
        assert!(lines.iter().all(|line| line.chars().count() < 150));
    }
}
