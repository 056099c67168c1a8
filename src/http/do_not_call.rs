//! The do-not-call list: numbers that are never dialed. Shown by pages, added to one by one or many at once, taken from.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{delete, get, post};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::form::phone_form;
use super::orders::answer;
use super::page::{self, Page};
use super::refusal::{Refusal, ident};
use super::report::Telling;
use super::routes::Route;
use super::schema::{
    closed, count, either, flag, list as list_of, maybe, named, object, text, text_of, time, told,
};
use super::{HttpState, body};
use crate::ident::Phone;
use crate::store::Listed;

/// Most numbers of one request.
const MAX_NUMBERS: usize = 10_000;
/// Numbers of one transaction.
const AT_ONCE: usize = 500;
/// Longest reason and name, characters.
const MAX_WORDS: usize = 200;

pub(super) fn routes() -> Vec<Route> {
    let (all, one) = ("/api/v1/do_not_call", "/api/v1/do_not_call/{phone}");
    let added = || object(vec![("added", count()), ("already", count())]);
    vec![
        Route::of("GET", all, "do_not_call", get(list))
            .title("Номера, на которые не звонят", "Numbers that aren't called")
            .pages(
                page::USUAL,
                (
                    "after прошлого ответа; вначале 0",
                    "the last answer's after; 0 at first",
                ),
                ("сколько номеров, не больше", "at most so many numbers"),
            )
            .answers(200, "номера", "the numbers", named("ListedPage")),
        Route::of("POST", all, "add_do_not_call", post(add))
            .title(
                "Больше не звонить на этот номер или номера",
                "Never call this number or these",
            )
            .takes(either(vec![
                named("ToList"),
                json!({ "type": "array", "items": named("ToList"), "maxItems": MAX_NUMBERS }),
            ]))
            .answers(201, "внесены", "listed", added())
            .answers(200, "все уже там были", "all were there", added()),
        Route::of("GET", one, "show_do_not_call", get(show))
            .title("Есть ли номер в списке", "Whether a number is listed")
            .answers(200, "есть", "it is", named("Listed")),
        Route::of("DELETE", one, "remove_do_not_call", delete(remove))
            .title("Снова можно звонить", "It may be called again")
            .answers(200, "убран", "it is off", object(vec![("removed", text())])),
    ]
}

pub(super) fn forms() -> Vec<(&'static str, Value)> {
    let words = || maybe(text_of(0, MAX_WORDS));
    let fields = [
        ("phone", phone_form()),
        ("reason", words()),
        ("who", words()),
    ];
    let page = vec![
        ("numbers", list_of(named("Listed"))),
        ("after", count()),
        ("more", flag()),
    ];
    vec![
        ("ToList", closed(&fields, &["phone"])),
        ("Listed", listed_form()),
        ("ListedPage", object(page)),
    ]
}

told! {
    /// An entry of the list.
    fn listed(entry: &Listed, told: &Telling), listed_form {
        "phone": text() => entry.phone.as_str(),
        "reason": text() => entry.reason,
        "who": text() => entry.who,
        "at": time() => told.at(entry.at),
    }
}

/// `GET /api/v1/do_not_call?after=&limit=`
async fn list(
    State(state): State<HttpState>,
    RawQuery(raw): RawQuery,
) -> Result<Response, Refusal> {
    let Page { after, limit } = Page::of(raw.as_deref(), page::USUAL)?;
    let page = state.store().do_not_call_page(after, limit).await;
    let (entries, next) = page.map_err(|error| Refusal::store(&error))?;
    let more = entries.len() == limit;
    let telling = state.telling();
    let told: Vec<Value> = entries.iter().map(|e| listed(e, &telling)).collect();
    let told = json!({ "numbers": told, "after": next, "more": more });
    Ok(answer(StatusCode::OK, &told))
}

/// `GET /api/v1/do_not_call/{phone}`, however the number is written.
async fn show(
    State(state): State<HttpState>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, Refusal> {
    let phone = path_phone(path)?;
    let found = state.store().do_not_call(&phone).await;
    match found.map_err(|error| Refusal::store(&error))? {
        Some(entry) => Ok(answer(StatusCode::OK, &listed(&entry, &state.telling()))),
        None => Err(not_listed()),
    }
}

/// `POST /api/v1/do_not_call`: `{"phone", "reason", "who"}`, or a list of such. A wrong one refuses all; one that is listed
/// already stays as it was. 201 where a number is new.
async fn add(State(state): State<HttpState>, request: Request) -> Result<Response, Refusal> {
    let value = body::one(&state, request).await?;
    let now = state.now();
    let entries: Vec<Listed> = match &value {
        Value::Array(list) if list.len() > MAX_NUMBERS => {
            return Err(Refusal::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too_many",
                format!("номеров {}, можно не больше {MAX_NUMBERS}", list.len()),
                format!("{} numbers, at most {MAX_NUMBERS} will do", list.len()),
            ));
        }
        Value::Array(list) => list
            .iter()
            .enumerate()
            .map(|(n, value)| entry(value, now).map_err(|refusal| refusal.at_line(n + 1)))
            .collect::<Result<_, _>>()?,
        one => vec![entry(one, now)?],
    };
    let all = entries.len();
    let mut added = 0;
    for part in entries.chunks(AT_ONCE) {
        let new = state.store().add_do_not_call(part.to_vec()).await;
        let new = new.map_err(|error| Refusal::store(&error))?;
        added += new.into_iter().filter(|new| *new).count();
    }
    tracing::info!(added, all, "numbers for the do-not-call list");
    let status = match added {
        0 => StatusCode::OK,
        _ => StatusCode::CREATED,
    };
    let told = json!({ "added": added, "already": all - added });
    Ok(answer(status, &told))
}

/// `DELETE /api/v1/do_not_call/{phone}`
async fn remove(
    State(state): State<HttpState>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, Refusal> {
    let phone = path_phone(path)?;
    let removed = state.store().remove_do_not_call(&phone).await;
    if !removed.map_err(|error| Refusal::store(&error))? {
        return Err(not_listed());
    }
    tracing::info!(%phone, "off the do-not-call list");
    Ok(answer(
        StatusCode::OK,
        &json!({ "removed": phone.as_str() }),
    ))
}

fn path_phone(path: Result<Path<String>, PathRejection>) -> Result<Phone, Refusal> {
    let text = path.map(|Path(text)| text).unwrap_or_default();
    Phone::parse(&text).map_err(|error| ident("phone", &error))
}

fn not_listed() -> Refusal {
    Refusal::new(
        StatusCode::NOT_FOUND,
        "not_listed",
        "этого номера в списке нет",
        "that number isn't listed",
    )
}

fn entry(value: &Value, at: Timestamp) -> Result<Listed, Refusal> {
    let Value::Object(map) = value else {
        return Err(Refusal::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "wrong_type",
            "нужен объект {\"phone\": \"...\", \"reason\": \"...\"} или список таких объектов",
            "an object {\"phone\": \"...\", \"reason\": \"...\"} or a list of such is wanted",
        ));
    };
    let known = ["phone", "reason", "who"];
    if let Some(unknown) = map.keys().find(|key| !known.contains(&key.as_str())) {
        let short: String = unknown.chars().take(40).collect();
        return Err(Refusal::field(
            "unknown_field",
            &short,
            format!("поля {short} нет; есть: phone, reason, who"),
            format!("there is no field {short}; there are: phone, reason, who"),
        ));
    }
    let phone = words(map, "phone")?;
    if phone.is_empty() {
        return Err(Refusal::field(
            "missing",
            "phone",
            "нет phone; это поле обязательно",
            "phone isn't there and must be",
        ));
    }
    Ok(Listed {
        phone: Phone::parse(phone).map_err(|error| ident("phone", &error))?,
        reason: words(map, "reason")?.to_owned(),
        who: words(map, "who")?.to_owned(),
        at,
    })
}

/// A short text in one line; absent or `null`: empty.
fn words<'m>(map: &'m Map<String, Value>, key: &str) -> Result<&'m str, Refusal> {
    let text = match map.get(key) {
        None | Some(Value::Null) => "",
        Some(Value::String(text)) => text,
        Some(_) => {
            return Err(Refusal::field(
                "wrong_type",
                key,
                "нужна строка в кавычках",
                "a string in quotes is wanted",
            ));
        }
    };
    if text.chars().count() > MAX_WORDS || text.chars().any(char::is_control) {
        return Err(Refusal::field(
            "too_long",
            key,
            format!("нужна одна строка до {MAX_WORDS} знаков"),
            format!("one line of at most {MAX_WORDS} characters is wanted"),
        ));
    }
    Ok(text)
}
