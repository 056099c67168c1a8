//! Who is let in: Bearer tokens and Basic users, compared in constant time.
//!
//! Without either the server is open, and then listens on the loopback only. A web page opened on the same machine could
//! still reach it through the browser, so an open server answers only requests that name a loopback host, and no
//! server answers what a browser marks as sent by another site.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use subtle::{Choice, ConstantTimeEq};

use super::HttpState;
use super::refusal::Refusal;
use crate::config::HttpConfig;

/// Longest `Authorization` header that is looked at, bytes.
const MAX_HEADER: usize = 4096;

/// Nobody would be asked for a key, and everybody could come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "without http.tokens and http.users the server listens on a loopback address only, not on {0}; give a token or a user"
)]
pub struct OpenToAll(pub std::net::SocketAddr);

/// Whether the server is open; warns where that is harmless and refuses where it isn't.
pub(super) fn check_open(
    config: &HttpConfig,
    listen: std::net::SocketAddr,
) -> Result<(), OpenToAll> {
    if !config.tokens.is_empty() || !config.users.is_empty() {
        return Ok(());
    }
    if !listen.ip().is_loopback() {
        return Err(OpenToAll(listen));
    }
    tracing::warn!(%listen, "HTTP asks nobody for a key: every program on this machine can order calls; set http.tokens or http.users");
    Ok(())
}

/// Lets the request through, or answers 401 or 403.
pub(super) async fn guard(
    State(state): State<HttpState>,
    request: Request,
    next: Next,
) -> Response {
    if request.uri().path() == "/healthz" {
        // Whoever watches the server has no key, and learns nothing that needs one.
        return next.run(request).await;
    }
    let config = state.http();
    let headers = request.headers();
    let open = config.tokens.is_empty() && config.users.is_empty();
    if from_another_site(headers) || (open && !names_loopback(&request)) {
        return Refusal::new(
            StatusCode::FORBIDDEN,
            "foreign",
            "запросы веб-страниц других сайтов не принимаются",
            "requests of other sites' web pages aren't taken",
        )
        .into_response();
    }
    if open || is_known(config, headers) {
        return next.run(request).await;
    }
    let (ru, en) = if headers.contains_key(header::AUTHORIZATION) {
        (
            "токен или пароль не подходит; проверьте http.tokens и http.users",
            "the token or password is wrong; see http.tokens and http.users",
        )
    } else {
        (
            "нужен заголовок Authorization: Bearer ТОКЕН, или логин и пароль (Basic)",
            "a header Authorization: Bearer TOKEN is wanted, or a user and password (Basic)",
        )
    };
    let mut response =
        Refusal::new(StatusCode::UNAUTHORIZED, "unauthorized", ru, en).into_response();
    for scheme in [
        r#"Bearer realm="govorun""#,
        r#"Basic realm="govorun", charset="UTF-8""#,
    ] {
        response
            .headers_mut()
            .append(header::WWW_AUTHENTICATE, HeaderValue::from_static(scheme));
    }
    response
}

/// A browser says that another site's page sent it (`Sec-Fetch-Site`, which pages can't forge).
fn from_another_site(headers: &HeaderMap) -> bool {
    headers
        .get("sec-fetch-site")
        .is_some_and(|site| site != "same-origin" && site != "none")
}

/// The host asked for is a loopback one: a name that an attacker's DNS points to 127.0.0.1 isn't.
fn names_loopback(request: &Request) -> bool {
    let named = request
        .headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let Some(host) = request.uri().host().or(named) else {
        return true;
    };
    let bare = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    bare.eq_ignore_ascii_case("localhost")
        || bare
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}

fn is_known(config: &HttpConfig, headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return false;
    };
    let Some((scheme, rest)) = value
        .to_str()
        .ok()
        .filter(|text| text.len() <= MAX_HEADER)
        .and_then(|text| text.split_once(' '))
    else {
        return false;
    };
    let rest = rest.trim();
    // Every entry is compared, so that the time tells nothing of which one came near.
    if scheme.eq_ignore_ascii_case("bearer") {
        let mut known = Choice::from(0);
        for token in &config.tokens {
            known |= token.reveal().as_bytes().ct_eq(rest.as_bytes());
        }
        return known.into();
    }
    if scheme.eq_ignore_ascii_case("basic") {
        let Ok(pair) = STANDARD.decode(rest) else {
            return false;
        };
        let Some(colon) = pair.iter().position(|byte| *byte == b':') else {
            return false;
        };
        let (name, password) = (&pair[..colon], &pair[colon + 1..]);
        let mut known = Choice::from(0);
        for (user, secret) in &config.users {
            known |= user.as_bytes().ct_eq(name) & secret.reveal().as_bytes().ct_eq(password);
        }
        return known.into();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ident::Secret;

    fn config() -> HttpConfig {
        let mut config = crate::config::Config::default().http;
        config.tokens = vec![Secret::new("one"), Secret::new("two")];
        config.users = vec![("1с".to_owned(), Secret::new("па:роль"))];
        config
    }

    #[test]
    fn tokens_and_users_are_known_and_nobody_else() {
        let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
        for (header, known) in [
            ("Bearer one".to_owned(), true),
            ("bearer two".to_owned(), true),
            ("Bearer tw".to_owned(), false),
            ("Bearer ".to_owned(), false),
            ("Bearer".to_owned(), false),
            ("Digest one".to_owned(), false),
            (basic("1с:па:роль"), true),
            (basic("1с:"), false),
            (basic("другой:па:роль"), false),
            (basic("1с"), false),
            ("Basic !!!".to_owned(), false),
            (format!("Bearer {}", "x".repeat(5000)), false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(
                header::AUTHORIZATION,
                HeaderValue::from_str(&header).unwrap(),
            );
            assert_eq!(is_known(&config(), &headers), known, "{header}");
        }
        assert!(!is_known(&config(), &HeaderMap::new()));
    }

    #[test]
    fn an_open_server_stays_at_home() {
        let mut config = config();
        let anywhere = "0.0.0.0:8080".parse().unwrap();
        assert!(check_open(&config, anywhere).is_ok());
        config.tokens.clear();
        config.users.clear();
        assert_eq!(check_open(&config, anywhere), Err(OpenToAll(anywhere)));
        assert!(check_open(&config, "127.0.0.1:0".parse().unwrap()).is_ok());
        assert!(check_open(&config, "[::1]:0".parse().unwrap()).is_ok());
    }
}
