//! Reads a request's body: its type, its size, the time it takes; and JSON out of it, with the line of what is wrong.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::Value;

use super::HttpState;
use super::refusal::Refusal;

/// Largest body of one order, bytes.
pub(super) const MAX_BODY: usize = 1024 * 1024;

/// Refuses a body of another type, or one that says itself that it has over `max` bytes.
pub(super) fn check(headers: &HeaderMap, max: usize) -> Result<(), Refusal> {
    check_type(headers)?;
    let declared = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    match declared {
        Some(length) if length > max as u64 => Err(too_large(max)),
        _ => Ok(()),
    }
}

/// The body as text, at most `max` bytes, within the server's time for bodies. A byte order mark, which 1C likes to write, is taken off.
pub(super) async fn text(
    state: &HttpState,
    request: Request,
    max: usize,
) -> Result<String, Refusal> {
    check(request.headers(), max)?;
    let collect = Limited::new(request.into_body(), max).collect();
    let bytes = match tokio::time::timeout(state.limits().body, collect).await {
        Ok(Ok(collected)) => collected.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(too_large(max)),
        Ok(Err(_)) => return Err(cut_off()),
        Err(_) => return Err(too_slow()),
    };
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
    utf8(bytes).map(str::to_owned)
}

/// The bytes as UTF-8.
pub(super) fn utf8(bytes: &[u8]) -> Result<&str, Refusal> {
    std::str::from_utf8(bytes).map_err(|error| {
        let byte = error.valid_up_to() + 1;
        Refusal::bad(
            "not_utf8",
            format!(
                "тело не в UTF-8 (байт {byte}); в 1С: УстановитьТелоИзСтроки(Текст, КодировкаТекста.UTF8)"
            ),
            format!("the body is no UTF-8 (byte {byte})"),
        )
    })
}

pub(super) fn cut_off() -> Refusal {
    Refusal::bad(
        "cut_off",
        "тело запроса оборвалось; повторите запрос",
        "the body was cut off; repeat the request",
    )
}

pub(super) fn too_slow() -> Refusal {
    Refusal::new(
        StatusCode::REQUEST_TIMEOUT,
        "too_slow",
        "тело запроса идёт слишком медленно; повторите запрос",
        "the body comes too slowly; repeat the request",
    )
}

/// JSON, by its own name or none: 1C sends no `Content-Type` unless it is told to.
fn check_type(headers: &HeaderMap) -> Result<(), Refusal> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else {
        return Ok(());
    };
    let text = value.to_str().unwrap_or_default().to_ascii_lowercase();
    let mut parts = text.split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default();
    let json = matches!(
        kind,
        "application/json" | "application/x-ndjson" | "application/jsonl" | "text/json"
    ) || (kind.starts_with("application/") && kind.ends_with("+json"));
    let utf8 = parts
        .filter_map(|part| part.strip_prefix("charset="))
        .all(|charset| matches!(charset.trim_matches('"'), "utf-8" | "utf8" | "us-ascii"));
    if json && utf8 {
        return Ok(());
    }
    Err(Refusal::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "wrong_type_of_body",
        "нужен заголовок Content-Type: application/json и тело в UTF-8 (1С его не ставит и не обязана; curl: --json вместо -d)",
        "a header Content-Type: application/json and a body in UTF-8 are wanted (curl: --json instead of -d)",
    ))
}

pub(super) fn too_large(max: usize) -> Refusal {
    Refusal::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "too_large",
        format!("тело больше {max} байтов; разделите его"),
        format!("the body has more than {max} bytes; split it"),
    )
}

/// `text` as JSON; `first_line` is the number of its first line in the whole body.
pub(super) fn json(text: &str, first_line: usize) -> Result<Value, Refusal> {
    serde_json::from_str(text).map_err(|error| {
        let (line, column) = (first_line - 1 + error.line().max(1), error.column());
        let whole = error.to_string();
        let what = whole.split(" at line ").next().unwrap_or_default();
        Refusal::bad(
            "bad_json",
            format!("это не JSON: строка {line}, столбец {column}: {what}"),
            format!("this is no JSON: line {line}, column {column}: {what}"),
        )
    })
}

/// The body of one order as JSON.
pub(super) async fn one(state: &HttpState, request: Request<Body>) -> Result<Value, Refusal> {
    json(&text(state, request, MAX_BODY).await?, 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn json_is_taken_under_its_names() {
        for (kind, good) in [
            ("application/json", true),
            ("application/json; charset=utf-8", true),
            ("Application/JSON;charset=\"UTF-8\"", true),
            ("application/x-ndjson", true),
            ("application/vnd.1c+json", true),
            ("application/json; charset=windows-1251", false),
            ("text/plain", false),
            ("application/x-www-form-urlencoded", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_str(kind).unwrap());
            assert_eq!(check_type(&headers).is_ok(), good, "{kind}");
        }
        assert!(check_type(&HeaderMap::new()).is_ok());
    }

    #[test]
    fn wrong_json_is_told_with_line_and_column() {
        let refusal = json("{\"phone\": \"1\",\n  \"dialog\" \"d\"}", 1).unwrap_err();
        assert!(
            refusal.ru.contains("строка 2, столбец 12"),
            "{}",
            refusal.ru
        );
        assert!(json("{", 7).unwrap_err().en.contains("line 7"));
        assert!(json("", 1).unwrap_err().en.contains("line 1"));
        // Nesting is bounded by the parser itself.
        assert_eq!(json(&"[".repeat(100_000), 1).unwrap_err().code, "bad_json");
    }
}
