//! A small HTTP client: what 1C does, done by `call`, `talk` and `demo`. One connection a request, JSON both ways.

use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use super::arguments::Server;

/// A server that doesn't answer within this is not there.
const DEADLINE: Duration = Duration::from_secs(15);
/// Longest answer, bytes.
const MAX_ANSWER: usize = 16 * 1024 * 1024;

/// A server of ours, as its address and key say.
#[derive(Clone, Debug)]
pub(super) struct Client {
    /// `host:port`
    authority: String,
    /// What stands before every path: empty, or `/govorun` behind a proxy.
    prefix: String,
    token: Option<String>,
}

/// Why there is no usable answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClientError {
    /// The address can't be one.
    #[error("адрес «{0}» не подходит: нужно http://машина:порт, например http://127.0.0.1:8080{1}")]
    Url(String, &'static str),
    /// Nobody listens.
    #[error(
        "сервер http://{authority} не отвечает: {reason}. Запущен ли govorun serve, тот ли это порт? Другой адрес задаёт --url"
    )]
    NotThere {
        /// Where.
        authority: String,
        /// The system's word, in Russian where it is a usual one.
        reason: String,
    },
    /// Somebody listens who isn't us.
    #[error("на http://{authority} отвечает не Говорун ({what}); проверьте адрес и порт")]
    Stranger {
        /// Where.
        authority: String,
        /// What came.
        what: String,
    },
    /// The token can't go into a header.
    #[error(
        "в токене есть знаки, которых там быть не может: нужны латинские буквы, цифры и знаки без пробелов"
    )]
    Token,
    /// The server refused.
    #[error("{}", refused(*.status, .message, .field.as_deref()))]
    Refused {
        /// Its status.
        status: u16,
        /// Its sentence.
        message: String,
        /// Which field it names.
        field: Option<String>,
    },
}

fn refused(status: u16, message: &str, field: Option<&str>) -> String {
    match (status, field) {
        (401, _) => format!("сервер не пускает: {message}. Токен задают --token или GOVORUN_TOKEN"),
        (_, Some(field)) => format!("сервер отказал ({status}): {field}: {message}"),
        (_, None) => format!("сервер отказал ({status}): {message}"),
    }
}

impl Client {
    /// Of the server that was named; without a token the environment's.
    pub(super) fn of(server: &Server) -> Result<Self, ClientError> {
        let token = server
            .token
            .clone()
            .or_else(|| std::env::var("GOVORUN_TOKEN").ok());
        Self::new(&server.url, token.filter(|token| !token.is_empty()))
    }

    /// Of the server at `url`.
    pub(super) fn new(url: &str, token: Option<String>) -> Result<Self, ClientError> {
        let Some(rest) = url.trim().strip_prefix("http://") else {
            let more = if url.starts_with("https://") {
                " (https эта команда не умеет: обратитесь к серверу напрямую)"
            } else {
                ""
            };
            return Err(ClientError::Url(url.to_owned(), more));
        };
        let (authority, path) = rest.split_once('/').map_or((rest, ""), |(a, p)| (a, p));
        let parsed: Option<hyper::http::uri::Authority> = authority.parse().ok();
        let Some(parsed) = parsed.filter(|a| !a.host().is_empty() && !a.as_str().contains('@'))
        else {
            return Err(ClientError::Url(url.to_owned(), ""));
        };
        let authority = match parsed.port() {
            Some(_) => parsed.to_string(),
            None => format!("{parsed}:80"),
        };
        let path = path.trim_end_matches('/');
        Ok(Self {
            authority,
            prefix: if path.is_empty() {
                String::new()
            } else {
                format!("/{path}")
            },
            token,
        })
    }

    /// Asks; the answer is a 2xx one's status and JSON.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(StatusCode, Value), ClientError> {
        match tokio::time::timeout(DEADLINE, self.exchange(method, path, body)).await {
            Ok(answer) => answer,
            Err(_) => Err(self.not_there(format!("нет ответа за {} с", DEADLINE.as_secs()))),
        }
    }

    fn not_there(&self, reason: String) -> ClientError {
        ClientError::NotThere {
            authority: self.authority.clone(),
            reason,
        }
    }

    fn stranger(&self, what: impl ToString) -> ClientError {
        ClientError::Stranger {
            authority: self.authority.clone(),
            what: what.to_string(),
        }
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(StatusCode, Value), ClientError> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.prefix))
            .header(header::HOST, &self.authority)
            .header(header::CONNECTION, "close");
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let bytes = body
            .map(|body| Bytes::from(body.to_string()))
            .unwrap_or_default();
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json; charset=utf-8");
        }
        let request = request
            .body(Full::new(bytes))
            .map_err(|_| ClientError::Token)?;

        let stream = TcpStream::connect(&self.authority)
            .await
            .map_err(|error| self.not_there(in_russian(&error)))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| self.stranger(error))?;
        let connection = tokio::spawn(connection);
        let response = sender
            .send_request(request)
            .await
            .map_err(|error| self.stranger(error))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_ANSWER)
            .collect()
            .await;
        let body = body.map_err(|error| self.stranger(error))?.to_bytes();
        connection.abort();
        let value: Value = serde_json::from_slice(&body)
            .map_err(|_| self.stranger(format!("{status}, не JSON")))?;
        if status.is_success() {
            return Ok((status, value));
        }
        let error = &value["error"];
        let Some(message) = error["message"].as_str() else {
            return Err(self.stranger(status));
        };
        Err(ClientError::Refused {
            status: status.as_u16(),
            message: message.to_owned(),
            field: error["field"].as_str().map(str::to_owned),
        })
    }
}

fn in_russian(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::ConnectionRefused => "в соединении отказано".to_owned(),
        std::io::ErrorKind::TimedOut => "нет ответа".to_owned(),
        _ => error.to_string(),
    }
}

/// `text` as one part of a path.
pub(super) fn path_part(text: &str) -> String {
    let mut part = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~:".contains(&byte) {
            part.push(char::from(byte));
        } else {
            part.push_str(&format!("%{byte:02X}"));
        }
    }
    part
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    #[test]
    fn addresses_are_checked() {
        for (url, want) in [
            ("http://127.0.0.1:8080", Some(("127.0.0.1:8080", ""))),
            ("http://pbx.local/", Some(("pbx.local:80", ""))),
            ("http://[::1]:81/govorun/", Some(("[::1]:81", "/govorun"))),
            ("https://pbx.local", None),
            ("127.0.0.1:8080", None),
            ("http://", None),
            ("http://a b", None),
            ("http://user@host", None),
        ] {
            let client = Client::new(url, None).ok();
            let got = client
                .as_ref()
                .map(|c| (c.authority.as_str(), c.prefix.as_str()));
            assert_eq!(got, want, "{url}");
        }
        assert_eq!(path_part("ЦБ-1/a b"), "%D0%A6%D0%91-1%2Fa%20b");
    }

    /// Answers one connection with `answer` and gives back what was asked.
    async fn served(answer: &'static str) -> (String, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let task = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = vec![0; 4096];
            let n = stream.read(&mut asked).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8_lossy(&asked[..n]).into_owned()
        });
        (url, task)
    }

    #[tokio::test]
    async fn answers_and_refusals_are_told_apart() {
        for (answer, want) in [
            ("HTTP/1.1 200 OK\r\n\r\n{\"id\": 1}", "1"),
            (
                "HTTP/1.1 422 X\r\n\r\n{\"error\":{\"message\":\"bad\",\"field\":\"phone\"}}   ",
                "сервер отказал (422): phone: bad",
            ),
            (
                "HTTP/1.1 401 X\r\n\r\n{\"error\":{\"message\":\"no key\"}}",
                "--token",
            ),
            ("HTTP/1.1 200 OK\r\n\r\nhello", "отвечает не Говорун"),
            ("SSH-2.0-OpenSSH\r\n", "отвечает не Говорун"),
        ] {
            let (url, task) = served(answer).await;
            let client = Client::new(&url, Some("key".to_owned())).unwrap();
            let got = client.ask(Method::GET, "/x", None).await;
            let told = match got {
                Ok((_, value)) => value["id"].to_string(),
                Err(error) => error.to_string(),
            };
            assert!(told.contains(want), "{answer:?}: {told}");
            let asked = task.await.unwrap().to_lowercase();
            assert!(
                asked.starts_with("get /x http/1.1") && asked.contains("authorization: bearer key"),
                "{asked}"
            );
        }
    }

    #[tokio::test]
    async fn a_closed_port_and_a_wrong_token_are_told_with_the_mend() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let client = Client::new(&url, None).unwrap();
        let told = client
            .ask(Method::GET, "/", None)
            .await
            .unwrap_err()
            .to_string();
        assert!(
            told.contains("в соединении отказано") && told.contains("govorun serve"),
            "{told}"
        );
        let client = Client::new(&url, Some("a\nb".to_owned())).unwrap();
        assert!(matches!(
            client.ask(Method::GET, "/", None).await,
            Err(ClientError::Token)
        ));
    }
}
