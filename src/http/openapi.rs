//! `GET /api/v1/openapi.json`: the table of requests as an OpenAPI 3.1 document, for people's tools and for tests.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde_json::{Map, Value, json};

use super::HttpState;
use super::orders::answer;
use super::routes::{self, Route};
use super::schema::{free, named, saying, text_of};
use crate::config::Language;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::of("GET", "/api/v1/openapi.json", "openapi", get(show))
            .title("Это описание (OpenAPI 3.1)", "This document (OpenAPI 3.1)")
            .answers(200, "описание", "the document", free()),
    ]
}

async fn show(State(state): State<HttpState>) -> Response {
    answer(StatusCode::OK, &document(state.language()))
}

/// The whole document.
pub(super) fn document(language: Language) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for route in routes::table() {
        let operation = operation(&route, language);
        let method = route.method.to_ascii_lowercase();
        let path = paths
            .entry(route.path.to_owned())
            .or_insert_with(|| json!({}));
        path[&method] = operation;
    }
    let forms: Map<String, Value> = routes::forms()
        .into_iter()
        .map(|(name, form)| (name.to_owned(), form))
        .collect();
    let (bearer, basic) = language.pick(
        (
            "Authorization: Bearer ТОКЕН (http.tokens)",
            "логин и пароль (http.users)",
        ),
        (
            "Authorization: Bearer TOKEN (http.tokens)",
            "user and password (http.users)",
        ),
    );
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": language.pick("Говорун: заказы и итоги звонков", "Govorun: orders and outcomes of calls"),
            "version": env!("CARGO_PKG_VERSION"),
        },
        "security": [{ "bearer": [] }, { "basic": [] }],
        "paths": paths,
        "components": {
            "schemas": forms,
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer", "description": bearer },
                "basic": { "type": "http", "scheme": "basic", "description": basic },
            },
        },
    })
}

fn operation(route: &Route, language: Language) -> Value {
    let pick = |(ru, en): (&'static str, &'static str)| language.pick(ru, en);
    let in_path = route.path.split('/').filter_map(|part| {
        let name = part.strip_prefix('{')?.strip_suffix('}')?;
        let (form, what) = path_part(name);
        Some(json!({ "name": name, "in": "path", "required": true, "schema": form, "description": pick(what) }))
    });
    let in_query = route.asks.iter().map(|asked| {
        json!({
            "name": asked.name,
            "in": "query",
            "required": asked.required,
            "schema": asked.form,
            "description": pick(asked.what),
        })
    });
    let parameters: Vec<Value> = in_path.chain(in_query).collect();
    let mut responses = Map::new();
    for given in &route.answers {
        let content = json!({ given.kind: { "schema": given.form } });
        let told = json!({ "description": pick(given.what), "content": content });
        let key = given.status.to_string();
        match responses.get_mut(&key) {
            // The same status with another type of body.
            Some(known) => known["content"][given.kind] = json!({ "schema": given.form }),
            None => drop(responses.insert(key, told)),
        }
    }
    for status in route.refusals() {
        let told = json!({
            "description": pick(why(status)),
            "content": { "application/json": { "schema": named("Refusal") } },
        });
        responses.insert(status.to_string(), told);
    }
    let mut operation = json!({
        "operationId": route.id,
        "summary": pick(route.title),
        "parameters": parameters,
        "responses": responses,
    });
    if let Some(form) = &route.takes {
        let mut content = Map::new();
        content.insert("application/json".to_owned(), json!({ "schema": form }));
        for kind in &route.kinds {
            let what = language.pick("по одному JSON на строку", "a JSON a line");
            let lines = saying(json!({ "type": "string" }), what);
            content.insert((*kind).to_owned(), json!({ "schema": lines }));
        }
        operation["requestBody"] = json!({ "required": true, "content": content });
    }
    if route.open {
        operation["security"] = json!([]);
    }
    operation
}

/// The form of a path's part, and what it is.
fn path_part(name: &str) -> (Value, (&'static str, &'static str)) {
    match name {
        "id" => (text_of(1, 100), ("id звонка", "the call's id")),
        "name" => (text_of(1, 200), ("имя диалога", "the dialog's name")),
        "n" => (
            json!({ "type": "integer", "minimum": 1 }),
            ("номер", "the number"),
        ),
        "phone" => (super::form::phone_form(), ("номер телефона", "the number")),
        _ => (text_of(1, 200), ("", "")),
    }
}

/// What a refusal's status says.
fn why(status: u16) -> (&'static str, &'static str) {
    match status {
        400 => ("запрос не прочитать", "the request can't be read"),
        401 => ("нет ключа или он не подходит", "no key, or a wrong one"),
        403 => ("запрос чужого сайта", "another site's request"),
        404 => ("такого нет", "there is no such thing"),
        408 => ("тело шло слишком медленно", "the body came too slowly"),
        409 => ("сейчас это невозможно", "it can't be done as things stand"),
        413 => ("слишком большое тело", "too large a body"),
        415 => ("тело не JSON в UTF-8", "the body is no JSON in UTF-8"),
        416 => ("такой части нет", "there is no such range"),
        422 => (
            "запрос понятен, но поле неверно",
            "it can be read, and a field is wrong",
        ),
        500 => ("ошибка сервера", "the server failed"),
        503 => (
            "база не отвечает, повторите",
            "the store doesn't answer, repeat",
        ),
        _ => ("отказ", "refused"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_request_is_told_and_every_name_that_is_used_is_there() {
        for language in [Language::Ru, Language::En] {
            let document = document(language);
            let text = document.to_string();
            let used: BTreeSet<&str> = text
                .split("#/components/schemas/")
                .skip(1)
                .map(|rest| rest.split('"').next().unwrap())
                .collect();
            let there = document["components"]["schemas"].as_object().unwrap();
            for name in used {
                assert!(there.contains_key(name), "{name} is used and isn't there");
            }
            let ids: BTreeSet<&str> = routes::table().iter().map(|route| route.id).collect();
            assert_eq!(
                ids.len(),
                routes::table().len(),
                "an operationId stands twice"
            );
            for route in routes::table() {
                assert!(
                    !language.pick(route.title.0, route.title.1).is_empty(),
                    "{}",
                    route.id
                );
                assert!(!route.answers.is_empty(), "{}", route.id);
            }
        }
    }
}
