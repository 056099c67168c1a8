//! What a wrong request gets: a status and `{"error": {"code", "message", "field"}}` in the configured language.
//!
//! A [`Refusal`] is made in both languages where the mistake is seen, travels in the answer's extensions, and is written
//! in the server's language by [`tell`]; so no handler has to know the language.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::HttpState;
use super::schema::{closed, maybe, named, object, text, whole};
use crate::config::Language;
use crate::ident::IdentError;

/// A refused request, told in Russian and English.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) field: Option<String>,
    pub(super) ru: String,
    pub(super) en: String,
    /// Of a batch: the number of the wrong line or place, from 1.
    pub(super) line: Option<usize>,
}

impl Refusal {
    pub(super) fn new(
        status: StatusCode,
        code: &'static str,
        ru: impl Into<String>,
        en: impl Into<String>,
    ) -> Self {
        Self {
            status,
            code,
            field: None,
            ru: ru.into(),
            en: en.into(),
            line: None,
        }
    }

    /// 400: it can't be read at all.
    pub(super) fn bad(code: &'static str, ru: impl Into<String>, en: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, ru, en)
    }

    /// 422: it can be read, and `field` is wrong.
    pub(super) fn field(
        code: &'static str,
        field: &str,
        ru: impl Into<String>,
        en: impl Into<String>,
    ) -> Self {
        let mut refusal = Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, ru, en);
        refusal.field = Some(field.to_owned());
        refusal
    }

    /// 404: no such call.
    pub(super) fn no_call() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "no_call",
            "звонка с таким id нет; проверьте id",
            "there is no call with that id; check the id",
        )
    }

    /// 503: ours to mend. What failed is logged here and not told to the other side.
    pub(super) fn store(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "the store failed a request");
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "store_failed",
            "база не отвечает; ничего не изменено, повторите запрос с тем же id",
            "the store doesn't answer; nothing was changed, repeat the request with the same id",
        )
    }

    /// 500: ours to mend, and not the store's.
    pub(super) fn failed(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "a request failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "failed",
            "ошибка сервера; подробности в его журнале",
            "the server failed; its log tells more",
        )
    }

    /// The same, of line `line` of a batch.
    pub(super) fn at_line(mut self, line: usize) -> Self {
        self.line = Some(line);
        self
    }

    /// The inner object of the answer.
    pub(super) fn json(&self, language: Language) -> Value {
        let mut error = json!({
            "code": self.code,
            "message": language.pick(&self.ru, &self.en),
            "field": self.field,
        });
        if let (Some(line), Some(map)) = (self.line, error.as_object_mut()) {
            map.insert("line".to_owned(), line.into());
        }
        error
    }
}

/// The form of a refusal.
pub(super) fn forms() -> Vec<(&'static str, Value)> {
    let fields = [
        ("code", text()),
        ("message", text()),
        ("field", maybe(text())),
        ("line", whole(1, i64::MAX)),
    ];
    let error = closed(&fields, &["code", "message", "field"]);
    let refusal = object(vec![("error", named("Error"))]);
    vec![("Error", error), ("Refusal", refusal)]
}

/// Why an id or a number was refused, in both languages.
pub(super) fn ident(field: &str, error: &IdentError) -> Refusal {
    let ru = match error {
        IdentError::CallIdLength { chars } => format!("в id от 1 до 100 знаков, а здесь {chars}"),
        IdentError::CallIdChar { found } => {
            format!("в id могут быть буквы, цифры и - _ . :, а здесь {found:?}")
        }
        IdentError::PhoneChar { found } => {
            format!(
                "номер — это цифры и, если нужно, плюс впереди, а здесь {found:?}; уберите пробелы, скобки и дефисы"
            )
        }
        IdentError::PhoneLength { digits } => format!("в номере от 2 до 20 цифр, а здесь {digits}"),
        IdentError::Token => "неверный ключ".to_owned(),
    };
    let code = match error {
        IdentError::PhoneChar { .. } | IdentError::PhoneLength { .. } => "bad_phone",
        _ => "bad_id",
    };
    Refusal::field(code, field, ru, error.to_string())
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Writes every refusal in the server's language, those that axum itself made included, and counts the answers.
pub(super) async fn tell(State(state): State<HttpState>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    state.counters().answered(response.status());
    // 304 has no body, and is no refusal.
    if response.status().is_success() || response.status().is_redirection() {
        return response;
    }
    let refusal = match response.extensions_mut().remove::<Refusal>() {
        Some(refusal) => refusal,
        // Answers of our own that aren't refusals have a body of their own (healthz, a batch's report).
        None if response
            .headers()
            .get(header::CONTENT_TYPE)
            .is_some_and(is_json) =>
        {
            return response;
        }
        None => by_status(response.status()),
    };
    let body = json!({ "error": refusal.json(state.language()) });
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(JSON));
    response.headers_mut().remove(header::CONTENT_LENGTH);
    *response.body_mut() = Body::from(body.to_string());
    response
}

/// The content type of every answer.
pub(super) const JSON: &str = "application/json; charset=utf-8";

fn is_json(value: &HeaderValue) -> bool {
    value.as_bytes().starts_with(b"application/json")
}

fn by_status(status: StatusCode) -> Refusal {
    match status {
        StatusCode::NOT_FOUND => Refusal::new(
            status,
            "no_path",
            "такого адреса нет; все адреса — в /api/v1/openapi.json; самые нужные: /call, /api/v1/calls, /api/v1/changes",
            "there is no such path; all are in /api/v1/openapi.json; those wanted most: /call, /api/v1/calls, /api/v1/changes",
        ),
        StatusCode::METHOD_NOT_ALLOWED => Refusal::new(
            status,
            "wrong_method",
            "этот метод здесь не подходит; подходящие — в заголовке Allow",
            "that method won't do here; the header Allow names those that will",
        ),
        _ => Refusal::new(
            status,
            "refused",
            format!("запрос не принят ({status})"),
            format!("the request was refused ({status})"),
        ),
    }
}
