//! An order as it comes in, from JSON or from a query, checked field by field into [`Order`]. Pure: no store, no dialogs.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::refusal::{Refusal, ident};
use super::schema::{closed, either, list, maybe, saying, text_of, usual, whole};
use super::time;
use crate::call::{Order, OrderPatch};
use crate::config::{Hours, Language, is_url, nearest, zone_named};
use crate::ident::{CallId, Phone};

/// Most parameters of a dialog.
pub(super) const MAX_PARAMS: usize = 64;
/// Longest name of a parameter, characters.
const MAX_PARAM_NAME: usize = 64;
/// Longest value of a parameter, bytes of its text.
pub(super) const MAX_PARAM_BYTES: usize = 4096;
/// Longest name of a dialog or prompt, characters.
pub(super) const MAX_NAME: usize = 200;
/// Longest address of a callback, characters.
const MAX_URL: usize = 2000;
/// The fields of an order.
pub(super) const FIELDS: [&str; 13] = [
    "id",
    "phone",
    "dialog",
    "params",
    "file",
    "priority",
    "not_before",
    "expires",
    "attempts",
    "callback",
    "rules",
    "zone",
    "hours",
];

/// A telephone number.
pub(super) fn phone_form() -> Value {
    serde_json::json!({ "type": "string", "pattern": "^\\+?[0-9]{2,20}$", "examples": ["+79121234567"] })
}

/// The forms of orders.
pub(super) fn forms() -> Vec<(&'static str, Value)> {
    let when = || {
        saying(
            maybe(text_of(1, 40)),
            "2026-11-25T10:00:00, 2026-11-25T10:00:00+03:00",
        )
    };
    let bare = either(vec![
        text_of(0, MAX_PARAM_BYTES - 1),
        serde_json::json!({ "type": ["number", "boolean", "null"] }),
    ]);
    let params = serde_json::json!({
        "type": "object",
        "maxProperties": MAX_PARAMS,
        "propertyNames": text_of(1, MAX_PARAM_NAME),
        "additionalProperties": either(vec![bare.clone(), list(bare)]),
    });
    let fields = [
        ("id", maybe(text_of(1, CallId::MAX_CHARS))),
        ("phone", phone_form()),
        ("dialog", text_of(1, MAX_NAME)),
        ("params", maybe(params)),
        ("file", maybe(text_of(1, MAX_NAME))),
        ("priority", usual(maybe(whole(-100, 100)), 0)),
        ("not_before", when()),
        ("expires", when()),
        (
            "attempts",
            saying(maybe(whole(1, 20)), "absent: as the rules say"),
        ),
        ("callback", maybe(text_of(1, MAX_URL))),
        ("rules", maybe(text_of(0, MAX_NAME))),
        (
            "zone",
            saying(maybe(text_of(0, 100)), "IANA: Asia/Kamchatka"),
        ),
        (
            "hours",
            saying(maybe(text_of(0, 300)), "пн-пт 9-20; mon-fri 9-20"),
        ),
    ];
    let patch: Vec<(&str, Value)> = fields
        .iter()
        .filter(|(name, _)| PATCHED.contains(name))
        .cloned()
        .collect();
    vec![
        ("Order", closed(&fields, &["phone", "dialog"])),
        ("OrderPatch", closed(&patch, &[])),
    ]
}

/// The fields of an order that may be changed while it waits.
const PATCHED: [&str; 10] = [
    "params",
    "priority",
    "not_before",
    "expires",
    "attempts",
    "callback",
    "file",
    "rules",
    "zone",
    "hours",
];

/// What of an order is to be changed; `null` takes away, or brings the default back.
pub(super) fn patch_from_json(value: &Value, zone: &TimeZone) -> Result<OrderPatch, Refusal> {
    let Value::Object(map) = value else {
        return Err(Refusal::new(
            axum::http::StatusCode::UNPROCESSABLE_ENTITY,
            "wrong_type",
            "нужен объект JSON с тем, что меняется: {\"priority\": 10}",
            "a JSON object of what changes is wanted: {\"priority\": 10}",
        ));
    };
    if let Some(fixed) = map.keys().find(|key| !PATCHED.contains(&key.as_str())) {
        if !FIELDS.contains(&fixed.as_str()) {
            return Err(unknown_field(fixed));
        }
        let all = PATCHED.join(", ");
        return Err(Refusal::field(
            "fixed",
            fixed,
            format!("{fixed} изменить нельзя: отмените заказ и сделайте новый. Меняются: {all}"),
            format!(
                "{fixed} can't be changed: cancel the order and make another. These can: {all}"
            ),
        ));
    }
    let is_there = |key: &str| map.contains_key(key);
    let mut patch = OrderPatch::default();
    if is_there("params") {
        let empty = Value::Object(Map::new());
        patch.params = Some(checked_params(present(map, "params").unwrap_or(&empty))?);
    }
    if is_there("priority") {
        let priority = number(map, "priority", -100, 100)?.unwrap_or(0);
        patch.priority = Some(i32::try_from(priority).unwrap_or_default());
    }
    if is_there("attempts") {
        let attempts = number(map, "attempts", 1, 20)?.unwrap_or(0);
        patch.attempts = Some(u32::try_from(attempts).unwrap_or(0));
    }
    if is_there("not_before") {
        patch.not_before = Some(moment(map, "not_before", zone)?);
    }
    if is_there("expires") {
        patch.expires = Some(moment(map, "expires", zone)?);
    }
    if is_there("callback") {
        patch.callback = Some(callback(map)?);
    }
    if is_there("file") {
        patch.file = Some(file_of(map)?);
    }
    if is_there("rules") {
        patch.rules = Some(rules_of(map)?);
    }
    if is_there("zone") {
        patch.zone = Some(zone_of(map)?);
    }
    if is_there("hours") {
        patch.hours = Some(hours_of(map)?);
    }
    Ok(patch)
}

/// The order would run out before it may begin.
pub(super) fn expires_first() -> Refusal {
    Refusal::field(
        "wrong_value",
        "expires",
        "expires должен быть позже not_before",
        "expires has to be later than not_before",
    )
}

fn callback(map: &Map<String, Value>) -> Result<Option<String>, Refusal> {
    let Some(url) = text(map, "callback")? else {
        return Ok(None);
    };
    if url.chars().count() > MAX_URL || !is_url(url, &["http://", "https://"]) {
        return Err(Refusal::field(
            "bad_url",
            "callback",
            "нужен адрес http:// или https:// без пробелов",
            "an address http:// or https:// without blanks is wanted",
        ));
    }
    if url.contains('@') {
        return Err(Refusal::field(
            "bad_url",
            "callback",
            "пароль в адрес не пишут; его место — web.hosts в настройках сервера",
            "no password in the address; its place is web.hosts in the server's settings",
        ));
    }
    Ok(Some(url.to_owned()))
}

/// An order out of a JSON object. `zone` is meant where a time has none.
pub(super) fn from_json(value: &Value, zone: &TimeZone) -> Result<Order, Refusal> {
    let Value::Object(map) = value else {
        return Err(Refusal::new(
            axum::http::StatusCode::UNPROCESSABLE_ENTITY,
            "wrong_type",
            "нужен объект JSON: {\"phone\": \"...\", \"dialog\": \"...\"}",
            "a JSON object is wanted: {\"phone\": \"...\", \"dialog\": \"...\"}",
        ));
    };
    if let Some(unknown) = map.keys().find(|key| !FIELDS.contains(&key.as_str())) {
        return Err(unknown_field(unknown));
    }
    let mut order = basics(map)?;
    if let Some(params) = present(map, "params") {
        order.params = checked_params(params)?;
    }
    if let Some(priority) = number(map, "priority", -100, 100)? {
        order.priority = i32::try_from(priority).unwrap_or_default();
    }
    if let Some(attempts) = number(map, "attempts", 1, 20)? {
        order.attempts = u32::try_from(attempts).unwrap_or(1);
    }
    order.not_before = moment(map, "not_before", zone)?;
    order.expires = moment(map, "expires", zone)?;
    if let (Some(from), Some(to)) = (order.not_before, order.expires)
        && to <= from
    {
        return Err(expires_first());
    }
    order.callback = callback(map)?;
    order.rules = rules_of(map)?;
    order.zone = zone_of(map)?;
    order.hours = hours_of(map)?;
    Ok(order)
}

/// An order out of the query of `GET /call`: what isn't `id`, `phone`, `dialog` or `file` is a parameter of the dialog.
pub(super) fn from_query(pairs: Vec<(String, String)>) -> Result<Order, Refusal> {
    let mut map = Map::new();
    let mut params = Map::new();
    for (name, value) in pairs {
        let own = ["id", "phone", "dialog", "file"].contains(&name.as_str());
        // 1C concatenates: `&id=&file=` is how an empty variable comes in.
        if own && value.is_empty() {
            continue;
        }
        let place = if own { &mut map } else { &mut params };
        place.insert(name, Value::String(value));
    }
    let mut order = basics(&map)?;
    order.params = checked_params(&Value::Object(params))?;
    Ok(order)
}

/// The same for equal orders, however their JSON was laid out: SHA-256 of the checked order in one canonical form, in hexadecimal.
pub(super) fn hash(order: &Order) -> String {
    let sorted: std::collections::BTreeMap<&String, &Value> = order.params.iter().collect();
    let canonical = serde_json::json!([
        order.phone.as_str(),
        order.dialog,
        sorted,
        order.file,
        order.priority,
        order.not_before.map(|at| at.as_millisecond()),
        order.expires.map(|at| at.as_millisecond()),
        // Zero is "as the rules say", which once was one.
        order.attempts.max(1),
        order.callback,
    ]);
    let mut canonical = canonical;
    // Orders that were taken before there were these keep their hash.
    if order.rules.is_some() || order.zone.is_some() || order.hours.is_some() {
        canonical = serde_json::json!([canonical, order.rules, order.zone, order.hours]);
    }
    let digest = Sha256::digest(canonical.to_string().as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The set of rules; whether there is such a one the settings know.
fn rules_of(map: &Map<String, Value>) -> Result<Option<String>, Refusal> {
    let name = text(map, "rules")?.filter(|name| !name.is_empty());
    Ok(name.map(str::to_owned))
}

/// The callee's time zone.
fn zone_of(map: &Map<String, Value>) -> Result<Option<String>, Refusal> {
    let Some(name) = text(map, "zone")?.filter(|name| !name.is_empty()) else {
        return Ok(None);
    };
    match zone_named(name) {
        Ok(_) => Ok(Some(name.to_owned())),
        Err(near) => {
            let short: String = name.chars().take(40).collect();
            let (near_ru, near_en) = match near {
                Some(near) => (
                    format!("может быть, {near}? "),
                    format!("did you mean {near}? "),
                ),
                None => Default::default(),
            };
            Err(Refusal::field(
                "bad_zone",
                "zone",
                format!("часового пояса {short} нет; {near_ru}Пишите, например, Asia/Kamchatka"),
                format!(
                    "there is no time zone {short}; {near_en}Write, for instance, Asia/Kamchatka"
                ),
            ))
        }
    }
}

/// Calling hours of the order alone.
fn hours_of(map: &Map<String, Value>) -> Result<Option<String>, Refusal> {
    let Some(text) = text(map, "hours")?.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    match Hours::parse(text) {
        Ok(hours) => Ok(Some(hours.text().to_owned())),
        Err(wrong) => Err(Refusal::field(
            "bad_hours",
            "hours",
            wrong.tell(Language::Ru),
            wrong.tell(Language::En),
        )),
    }
}

fn basics(map: &Map<String, Value>) -> Result<Order, Refusal> {
    let phone = required(map, "phone")?;
    let phone = Phone::parse(phone).map_err(|error| ident("phone", &error))?;
    let dialog = required(map, "dialog")?;
    name("dialog", dialog, "-_")?;
    let id = match text(map, "id")? {
        Some(id) => CallId::parse(id).map_err(|error| ident("id", &error))?,
        None => CallId::fresh("call", jiff::Timestamp::now()),
    };
    let mut order = Order::simple(id, phone, dialog);
    order.file = file_of(map)?;
    Ok(order)
}

/// The prompt that is played first: a name below `sounds`.
fn file_of(map: &Map<String, Value>) -> Result<Option<String>, Refusal> {
    let Some(file) = text(map, "file")? else {
        return Ok(None);
    };
    name("file", file, "-_./ ")?;
    if file.starts_with('/')
        || file
            .split('/')
            .any(|part| part.trim_matches(['.', ' ']).is_empty())
    {
        return Err(Refusal::field(
            "bad_name",
            "file",
            "нужно имя файла из папки sounds, без .. и / впереди",
            "a file's name in the folder sounds is wanted, without .. and a leading /",
        ));
    }
    Ok(Some(file.to_owned()))
}

fn unknown_field(unknown: &str) -> Refusal {
    let short: String = unknown.chars().take(40).collect();
    let (near_ru, near_en) = match nearest(unknown, FIELDS) {
        Some(near) => (
            format!("может быть, {near}? "),
            format!("did you mean {near}? "),
        ),
        None => Default::default(),
    };
    let all = FIELDS.join(", ");
    Refusal::field(
        "unknown_field",
        &short,
        format!("поля {short} нет; {near_ru}Есть: {all}. То, что нужно диалогу, кладите в params"),
        format!(
            "there is no field {short}; {near_en}There are: {all}. What the dialog wants goes to params"
        ),
    )
}

/// The value of `key`; `null` is as good as absent.
fn present<'m>(map: &'m Map<String, Value>, key: &str) -> Option<&'m Value> {
    map.get(key).filter(|value| !value.is_null())
}

fn wrong_type(field: &str, ru: &str, en: &str) -> Refusal {
    Refusal::field("wrong_type", field, ru, en)
}

fn text<'m>(map: &'m Map<String, Value>, key: &str) -> Result<Option<&'m str>, Refusal> {
    match present(map, key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(wrong_type(
            key,
            "нужна строка в кавычках",
            "a string in quotes is wanted",
        )),
    }
}

fn required<'m>(map: &'m Map<String, Value>, key: &str) -> Result<&'m str, Refusal> {
    match text(map, key)? {
        Some(text) if !text.is_empty() => Ok(text),
        _ => Err(Refusal::field(
            "missing",
            key,
            format!("нет {key}; это поле обязательно"),
            format!("{key} isn't there and must be"),
        )),
    }
}

/// A file's name: letters, digits and `more`.
fn name(field: &str, text: &str, more: &str) -> Result<(), Refusal> {
    let chars = text.chars().count();
    let bad = text
        .chars()
        .find(|c| !(c.is_alphanumeric() || more.contains(*c)));
    if chars <= MAX_NAME && bad.is_none() {
        return Ok(());
    }
    let (ru, en) = match bad {
        Some(bad) => (
            format!("в имени не может быть {bad:?}"),
            format!("{bad:?} can't stand in the name"),
        ),
        None => (
            format!("имя длиннее {MAX_NAME} знаков"),
            format!("the name has more than {MAX_NAME} characters"),
        ),
    };
    Err(Refusal::field("bad_name", field, ru, en))
}

fn number(
    map: &Map<String, Value>,
    key: &str,
    least: i64,
    most: i64,
) -> Result<Option<i64>, Refusal> {
    let Some(value) = present(map, key) else {
        return Ok(None);
    };
    match value.as_i64() {
        Some(number) if (least..=most).contains(&number) => Ok(Some(number)),
        _ if !value.is_i64() && !value.is_u64() => Err(wrong_type(
            key,
            "нужно целое число без кавычек",
            "a whole number without quotes is wanted",
        )),
        _ => Err(Refusal::field(
            "out_of_range",
            key,
            format!("можно от {least} до {most}"),
            format!("{least} to {most} will do"),
        )),
    }
}

/// RFC 3339, or 1C's `2026-11-25T10:00:00` in `zone`; 1C's empty date is none.
fn moment(
    map: &Map<String, Value>,
    key: &str,
    zone: &TimeZone,
) -> Result<Option<Timestamp>, Refusal> {
    let Some(text) = text(map, key)? else {
        return Ok(None);
    };
    let wrong = || {
        Refusal::field(
            "bad_time",
            key,
            "нужно время: 2026-11-25T10:00:00 (часы сервера) или 2026-11-25T10:00:00+03:00",
            "a time is wanted: 2026-11-25T10:00:00 (the server's clock) or 2026-11-25T10:00:00+03:00",
        )
    };
    time::read(text, zone).ok_or_else(wrong)
}

fn checked_params(value: &Value) -> Result<Map<String, Value>, Refusal> {
    let Value::Object(params) = value else {
        return Err(wrong_type(
            "params",
            "нужен объект JSON",
            "a JSON object is wanted",
        ));
    };
    if params.len() > MAX_PARAMS {
        return Err(Refusal::field(
            "too_many",
            "params",
            format!("параметров {}, можно не больше {MAX_PARAMS}", params.len()),
            format!("{} parameters, at most {MAX_PARAMS} will do", params.len()),
        ));
    }
    for (name, value) in params {
        let shown: String = name.chars().take(MAX_PARAM_NAME).collect();
        let field = format!("params.{shown}");
        let sound_name = name.chars().all(|c| c.is_alphanumeric() || c == '_')
            && !name.chars().next().is_none_or(char::is_numeric);
        if !sound_name || name.chars().count() > MAX_PARAM_NAME {
            return Err(Refusal::field(
                "bad_name",
                &field,
                format!(
                    "имя параметра — буквы, цифры и _, первой идёт буква, до {MAX_PARAM_NAME} знаков"
                ),
                format!(
                    "a parameter's name is letters, digits and _, a letter first, up to {MAX_PARAM_NAME} characters"
                ),
            ));
        }
        checked_value(&field, value)?;
    }
    Ok(params.clone())
}

/// A scalar, or a list of scalars; texts without control characters.
fn checked_value(field: &str, value: &Value) -> Result<(), Refusal> {
    let mut bytes = 0;
    let parts = match value {
        Value::Array(list) => list.as_slice(),
        other => std::slice::from_ref(other),
    };
    for part in parts {
        // Numbers and the like count a little, so that a list of them is bounded too.
        bytes += match part {
            Value::String(text) => {
                if let Some(bad) = text.chars().find(|c| c.is_control()) {
                    return Err(Refusal::field(
                        "bad_char",
                        field,
                        format!(
                            "в значении управляющий знак {bad:?}; уберите переводы строк и табуляции"
                        ),
                        format!(
                            "a control character {bad:?} in the value; take out line breaks and tabs"
                        ),
                    ));
                }
                text.len() + 1
            }
            Value::Array(_) | Value::Object(_) => {
                return Err(wrong_type(
                    field,
                    "значение — строка, число, true, false или список из них, без вложенных объектов",
                    "a value is a string, a number, true, false, or a list of these, without nested objects",
                ));
            }
            _ => 8,
        };
    }
    if bytes > MAX_PARAM_BYTES {
        return Err(Refusal::field(
            "too_long",
            field,
            format!("значение длиннее {MAX_PARAM_BYTES} байтов"),
            format!("the value has more than {MAX_PARAM_BYTES} bytes"),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn moscow() -> TimeZone {
        TimeZone::fixed(jiff::tz::offset(3))
    }

    fn read(value: Value) -> Result<Order, Refusal> {
        from_json(&value, &moscow())
    }

    #[test]
    fn a_whole_order_is_read() {
        let order = read(json!({
            "id": "ЦБ-1", "phone": "+79121234567", "dialog": "confirm_visit", "params": {"имя": "Иван", "sum": 12.5, "list": [1, "а"]},
            "file": "hello.wav", "priority": -5, "not_before": "2026-11-25T10:00:00", "expires": "2026-11-25T10:00:00Z",
            "attempts": 3, "callback": "https://1c.local/hook",
        }))
        .unwrap();
        assert_eq!(order.id.as_str(), "ЦБ-1");
        assert_eq!(
            order.not_before.unwrap().to_string(),
            "2026-11-25T07:00:00Z"
        );
        assert_eq!(order.expires.unwrap().to_string(), "2026-11-25T10:00:00Z");
        assert_eq!((order.priority, order.attempts), (-5, 3));
        assert_eq!(order.params["имя"], "Иван");
    }

    #[test]
    fn every_wrong_field_is_named() {
        let long = "x".repeat(5000);
        let many: Map<String, Value> = (0..65).map(|i| (format!("p{i}"), json!(1))).collect();
        for (more, code, field) in [
            (json!({"phone": null}), "missing", "phone"),
            (json!({"phone": 79121234567u64}), "wrong_type", "phone"),
            (json!({"phone": "8 912"}), "bad_phone", "phone"),
            (
                json!({"phone": "112\r\nAction: Originate"}),
                "bad_phone",
                "phone",
            ),
            (json!({"phone": "112&SIP/x"}), "bad_phone", "phone"),
            (json!({"phone": "112@evil"}), "bad_phone", "phone"),
            (json!({"id": ""}), "bad_id", "id"),
            (json!({"id": "a/b"}), "bad_id", "id"),
            (json!({"id": "a\r\nb"}), "bad_id", "id"),
            (json!({"id": 5}), "wrong_type", "id"),
            (json!({"dialog": ""}), "missing", "dialog"),
            (json!({"dialog": "../etc/passwd"}), "bad_name", "dialog"),
            (json!({"dialog": "д".repeat(201)}), "bad_name", "dialog"),
            (json!({"file": "../x.wav"}), "bad_name", "file"),
            (json!({"file": "/x.wav"}), "bad_name", "file"),
            (json!({"file": "x&y"}), "bad_name", "file"),
            (json!({"params": []}), "wrong_type", "params"),
            (json!({"params": many}), "too_many", "params"),
            (json!({"params": {"a b": 1}}), "bad_name", "params.a b"),
            (json!({"params": {"1a": 1}}), "bad_name", "params.1a"),
            (json!({"params": {"": 1}}), "bad_name", "params."),
            (json!({"params": {"a": {"b": 1}}}), "wrong_type", "params.a"),
            (json!({"params": {"a": [[1]]}}), "wrong_type", "params.a"),
            (json!({"params": {"a": "x\ny"}}), "bad_char", "params.a"),
            (json!({"params": {"a": long}}), "too_long", "params.a"),
            (
                json!({"params": {"a": vec![0; 1000]}}),
                "too_long",
                "params.a",
            ),
            (json!({"priority": 101}), "out_of_range", "priority"),
            (json!({"priority": "5"}), "wrong_type", "priority"),
            (json!({"priority": 1.5}), "wrong_type", "priority"),
            (json!({"attempts": 0}), "out_of_range", "attempts"),
            (json!({"attempts": 21}), "out_of_range", "attempts"),
            (
                json!({"attempts": 18446744073709551615u64}),
                "out_of_range",
                "attempts",
            ),
            (json!({"not_before": "завтра"}), "bad_time", "not_before"),
            (
                json!({"not_before": "2026-11-25"}),
                "bad_time",
                "not_before",
            ),
            (
                json!({"not_before": "2026-02-30T10:00:00"}),
                "bad_time",
                "not_before",
            ),
            (json!({"expires": 5}), "wrong_type", "expires"),
            (
                json!({"not_before": "2026-11-25T10:00:00", "expires": "2026-11-25T09:00:00"}),
                "wrong_value",
                "expires",
            ),
            (json!({"callback": "ftp://x"}), "bad_url", "callback"),
            (
                json!({"callback": "http://x\r\nA: b"}),
                "bad_url",
                "callback",
            ),
            (json!({"phonee": "1"}), "unknown_field", "phonee"),
        ] {
            let mut order = json!({"id": "1", "phone": "112", "dialog": "d"});
            for (key, value) in more.as_object().unwrap() {
                order[key] = value.clone();
            }
            let refusal = read(order).unwrap_err();
            assert_eq!(
                (refusal.code, refusal.field.as_deref()),
                (code, Some(field)),
                "{more}"
            );
            assert_eq!(refusal.status.as_u16(), 422);
            assert!(!refusal.ru.is_empty() && !refusal.en.is_empty());
        }
        assert_eq!(read(json!([1])).unwrap_err().code, "wrong_type");
        assert!(
            read(json!({"phone": "1", "dialog": "d", "prams": {}}))
                .unwrap_err()
                .ru
                .contains("params")
        );
    }

    #[test]
    fn equal_orders_hash_equally() {
        let one = read(json!({"id": "1", "phone": "112", "dialog": "d", "params": {"a": 1, "b": "x"}, "priority": 0})).unwrap();
        let same = read(json!({"params": {"b": "x", "a": 1}, "dialog": "d", "phone": "112", "id": "1", "attempts": 1, "file": null})).unwrap();
        assert_eq!(hash(&one), hash(&same));
        let other =
            read(json!({"id": "1", "phone": "112", "dialog": "d", "params": {"a": "1", "b": "x"}}))
                .unwrap();
        assert_ne!(hash(&one), hash(&other));
    }

    #[test]
    fn a_query_gives_its_rest_to_the_dialog() {
        let pairs = |text: &str| super::super::query::parse(text).unwrap();
        let order = from_query(pairs(
            "phone=+7912&dialog=d&id=&file=hi.wav&name=%D0%AF&priority=5",
        ))
        .unwrap();
        assert_eq!(order.phone.as_str(), "+7912");
        assert!(order.id.as_str().starts_with("call-"));
        assert_eq!(order.file.as_deref(), Some("hi.wav"));
        assert_eq!(order.params["name"], "Я");
        assert_eq!(order.params["priority"], "5");
        assert_eq!(
            from_query(pairs("dialog=d")).unwrap_err().field.as_deref(),
            Some("phone")
        );
        assert_eq!(
            from_query(pairs("phone=112&dialog=d&a=x%0D%0Ay"))
                .unwrap_err()
                .code,
            "bad_char"
        );
    }
}
