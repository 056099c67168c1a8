//! The client against servers that say what a test wants, byte by byte.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::client::{MAX_ANSWER_BYTES, MAX_REQUEST_BYTES};
use super::*;
use crate::config::{WebConfig, WebHost};
use crate::ident::Secret;

/// A server that keeps what it was asked and gives each asker the next answer; after the last it says nothing.
async fn server(answers: Vec<String>) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&seen);
    tokio::spawn(async move {
        let mut answers = answers.into_iter();
        let mut silent = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = Vec::new();
            loop {
                let mut part = [0; 4096];
                let n = stream.read(&mut part).await.unwrap();
                asked.extend_from_slice(&part[..n]);
                if n == 0 || is_whole(&asked) {
                    break;
                }
            }
            kept.lock()
                .unwrap()
                .push(String::from_utf8_lossy(&asked).into_owned());
            match answers.next() {
                Some(answer) => {
                    // A client that has had enough closes in the middle.
                    let _ = stream.write_all(answer.as_bytes()).await;
                }
                None => silent.push(stream),
            }
        }
    });
    (at, seen)
}

fn is_whole(asked: &[u8]) -> bool {
    let text = String::from_utf8_lossy(asked);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let wanted = head.lines().find_map(|l| {
        l.to_lowercase()
            .strip_prefix("content-length: ")?
            .parse()
            .ok()
    });
    body.len() >= wanted.unwrap_or(0)
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    let n = body.len();
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {n}\r\n\r\n{body}")
}

fn web(hosts: Vec<WebHost>) -> Web {
    Web::new(&WebConfig {
        hosts,
        timeout_ms: 3_000,
        ca: None,
    })
    .unwrap()
}

fn order(method: WebMethod, url: &str, body: Option<Value>) -> WebOrder {
    WebOrder {
        method,
        url: url.to_owned(),
        body,
        timeout_ms: None,
    }
}

#[tokio::test]
async fn json_goes_out_and_comes_in_with_the_hosts_key() {
    let (at, seen) = server(vec![
        answer(
            "200 OK",
            "Content-Type: application/json\r\n",
            r#"{"сумма": 5}"#,
        ),
        answer("404 Not Found", "", "нет такого"),
        answer("204 No Content", "", ""),
    ])
    .await;
    let mut host = WebHost::open(&format!("http://{at}/base"));
    host.user = "говорун".to_owned();
    host.password = Secret::new("пароль");
    let web = web(vec![host]);
    let got = web.ask(&order(WebMethod::Get, "/долг?номер=1", None)).await;
    assert_eq!(got, WebAnswer::of(200, json!({"сумма": 5})));
    assert!(got.is_ok());
    let body = Some(json!({"имя": "Анна"}));
    let got = web.ask(&order(WebMethod::Post, "/hs", body)).await;
    assert_eq!(got, WebAnswer::of(404, json!("нет такого")));
    assert!(!got.is_ok());
    let got = web.ask(&order(WebMethod::Get, "/hs", None)).await;
    assert_eq!(got, WebAnswer::of(204, Value::Null));
    let seen = seen.lock().unwrap();
    let line = "GET /base/%D0%B4%D0%BE%D0%BB%D0%B3?%D0%BD%D0%BE%D0%BC%D0%B5%D1%80=1 HTTP/1.1\r\n";
    assert!(seen[0].starts_with(line), "{}", seen[0]);
    assert!(
        seen[0].contains("Authorization: Basic 0LPQvtCy0L7RgNGD0L06"),
        "{}",
        seen[0]
    );
    assert!(seen[1].starts_with("POST /base/hs ") && seen[1].ends_with(r#"{"имя":"Анна"}"#));
}

#[tokio::test]
async fn redirects_stay_among_the_allowed_hosts() {
    let (evil, reached) = server(vec![answer("200 OK", "", "{}")]).await;
    let away = format!("Location: http://{evil}/base/x\r\n");
    let (at, seen) = server(vec![
        answer("302 Found", "Location: /base/there\r\n", ""),
        answer("200 OK", "", "1"),
        answer("302 Found", &away, ""),
        answer("302 Found", "Location: /outside\r\n", ""),
        answer("307 Temporary Redirect", "Location: /base/there\r\n", ""),
        answer("302 Found", "Location: /base/\r\n", ""),
        answer("302 Found", "Location: /base/\r\n", ""),
        answer("302 Found", "Location: /base/\r\n", ""),
        answer("302 Found", "Location: /base/\r\n", ""),
    ])
    .await;
    let web = web(vec![WebHost::open(&format!("http://{at}/base"))]);
    let get = order(WebMethod::Get, "/a", None);
    assert_eq!(web.ask(&get).await, WebAnswer::of(200, json!(1)));
    for _ in 0..2 {
        let got = web.ask(&get).await.fault;
        assert!(matches!(got, Some(WebFault::NotAllowed { .. })), "{got:?}");
    }
    let got = web.ask(&order(WebMethod::Post, "/a", Some(json!(1)))).await;
    assert_eq!(got.status, 307);
    assert_eq!(web.ask(&get).await.fault, Some(WebFault::Redirects(3)));
    assert_eq!(seen.lock().unwrap().len(), 9);
    assert!(reached.lock().unwrap().is_empty(), "a stranger was asked");
}

#[tokio::test]
async fn what_is_slow_large_broken_or_gone_is_a_fault_in_time() {
    let large = "x".repeat(MAX_ANSWER_BYTES + 1);
    let (at, _) = server(vec![
        answer("200 OK", "", &large),
        answer("200 OK", "Content-Type: application/json\r\n", "{oops"),
        answer(
            "200 OK",
            "",
            &format!("{}{}", "[".repeat(5_000), "]".repeat(5_000)),
        ),
        "nonsense\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf".to_owned(),
    ])
    .await;
    let web = web(vec![WebHost::open(&format!("http://{at}"))]);
    let mut get = order(WebMethod::Get, "/", None);
    assert!(matches!(
        web.ask(&get).await.fault,
        Some(WebFault::TooLarge { .. })
    ));
    assert!(matches!(
        web.ask(&get).await.fault,
        Some(WebFault::NotJson(_))
    ));
    // Too deep to be read as JSON, and it doesn't say that it is.
    assert!(web.ask(&get).await.data.is_string());
    for _ in 0..2 {
        assert!(matches!(
            web.ask(&get).await.fault,
            Some(WebFault::Unreachable(_))
        ));
    }
    get.timeout_ms = Some(150);
    let began = Instant::now();
    assert_eq!(
        web.ask(&get).await.fault,
        Some(WebFault::Timeout { ms: 150 })
    );
    assert!(began.elapsed() < Duration::from_secs(2));
    let long = Some(json!("x".repeat(MAX_REQUEST_BYTES)));
    let got = web.ask(&order(WebMethod::Post, "/", long)).await.fault;
    assert!(matches!(got, Some(WebFault::TooLarge { .. })));
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone = closed.local_addr().unwrap();
    drop(closed);
    let web = self::web(vec![WebHost::open(&format!("http://{gone}"))]);
    let got = web.ask(&order(WebMethod::Get, "/", None)).await.fault;
    assert!(matches!(got, Some(WebFault::Unreachable(_))), "{got:?}");
}

/// A certificate for 127.0.0.1, its key and its authority: made by openssl for these tests only.
const AUTHORITY: &str = "tests/fixtures/web/authority.pem";
const CERTIFICATE: &str = "tests/fixtures/web/certificate.pem";
const KEY: &str = "tests/fixtures/web/key.pem";

#[tokio::test]
async fn https_wants_a_certificate_that_is_trusted() {
    use tokio_rustls::rustls::pki_types::pem::PemObject;
    use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use tokio_rustls::rustls::{ServerConfig, crypto};
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let chain = CertificateDer::pem_file_iter(root.join(CERTIFICATE)).unwrap();
    let key = PrivateKeyDer::from_pem_file(root.join(KEY)).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain.map(Result::unwrap).collect(), key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut asked = [0; 4096];
            let _ = stream.read(&mut asked).await;
            let _ = stream
                .write_all(answer("200 OK", "", r#"{"ok": true}"#).as_bytes())
                .await;
            let _ = stream.shutdown().await;
        }
    });
    let mut config = WebConfig {
        hosts: vec![WebHost::open(&format!("https://{at}"))],
        timeout_ms: 5_000,
        ca: Some(root.join(AUTHORITY)),
    };
    let get = order(WebMethod::Get, "/", None);
    let got = Web::new(&config).unwrap().ask(&get).await;
    assert_eq!(got, WebAnswer::of(200, json!({"ok": true})));
    // Without it the server is a stranger, whatever the system trusts.
    config.ca = None;
    if let Ok(web) = Web::new(&config) {
        let got = web.ask(&get).await.fault;
        assert!(matches!(got, Some(WebFault::Unreachable(_))), "{got:?}");
    }
    config.ca = Some(root.join("tests/fixtures/web/none.pem"));
    assert!(matches!(Web::new(&config), Err(WebConfigError::Ca { .. })));
}
