//! 1C's side: orders over HTTP, and what came of them.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::history::History;
use super::server::logged;

/// The key that the lab's servers let in.
pub const TOKEN: &str = "lab-token";

/// A 1C that knows where the server is.
#[derive(Clone, Copy, Debug)]
pub struct OneC(pub SocketAddr);

impl OneC {
    /// One request; the answer's status and body. Fails as a socket does.
    pub async fn try_request(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> std::io::Result<(u16, Value)> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.0,
            body.len()
        );
        let mut socket = TcpStream::connect(self.0).await?;
        socket.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).await?;
        let answer = String::from_utf8(answer).unwrap();
        let broken = || std::io::Error::other(format!("no answer: {answer:?}"));
        let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(broken)?;
        let status = head
            .get(9..12)
            .and_then(|s| s.parse().ok())
            .ok_or_else(broken)?;
        Ok((status, serde_json::from_str(body).unwrap_or(Value::Null)))
    }

    pub async fn request(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        self.try_request(method, path, body).await.unwrap()
    }

    pub async fn get(&self, path: &str) -> Value {
        let (status, body) = self.request("GET", path, None).await;
        assert_eq!(status, 200, "GET {path}: {body}");
        body
    }

    /// Orders a call.
    pub async fn order(&self, id: &str, phone: &str, dialog: &str) {
        self.order_with(json!({"id": id, "phone": phone, "dialog": dialog}))
            .await;
    }

    pub async fn order_with(&self, order: Value) {
        let (status, body) = self.request("POST", "/api/v1/calls", Some(&order)).await;
        assert_eq!(status, 201, "{order}: {body}");
    }

    pub async fn call(&self, id: &str) -> Value {
        self.get(&format!("/api/v1/calls/{id}")).await
    }

    pub async fn history(&self, id: &str) -> History {
        History::from_json(&self.get(&format!("/api/v1/calls/{id}/events")).await)
    }

    /// Waits until the call's status is `status`.
    pub async fn until(&self, id: &str, status: &str, within: Duration) -> Value {
        let began = Instant::now();
        loop {
            let call = self.call(id).await;
            if call["status"] == status {
                return call;
            }
            if began.elapsed() > within {
                let history = self.history(id).await;
                panic!(
                    "{id} is not {status} within {within:?}: {call:#}\n{history}\n{}",
                    logged(60)
                );
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until the history has that line.
    pub async fn until_noted(
        &self,
        id: &str,
        kind: &str,
        key: &str,
        text: &str,
        within: Duration,
    ) -> History {
        let began = Instant::now();
        loop {
            let history = self.history(id).await;
            if history.find(kind, key, text).is_some() {
                return history;
            }
            assert!(
                began.elapsed() < within,
                "{id}: no {kind} with {key} = {text} within {within:?}:\n{history}\n{}",
                logged(60)
            );
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    /// Waits for the call's end: the call, and its history.
    pub async fn finished(&self, id: &str, within: Duration) -> (Value, History) {
        let call = self.until(id, "finished", within).await;
        (call, self.history(id).await)
    }

    /// All changes after a cursor, page by page; and the new cursor.
    pub async fn changes(&self, mut after: u64) -> (Vec<Value>, u64) {
        let mut all = Vec::new();
        loop {
            let page = self
                .get(&format!("/api/v1/changes?after={after}&limit=3"))
                .await;
            all.extend(page["changes"].as_array().unwrap().iter().cloned());
            after = page["cursor"].as_u64().unwrap();
            if page["more"] == false {
                return (all, after);
            }
        }
    }

    /// The last change of a call.
    pub async fn last_change(&self, id: &str) -> Value {
        let (changes, _) = self.changes(0).await;
        let last = changes.into_iter().rfind(|change| change["id"] == id);
        last.unwrap_or_else(|| panic!("{id} is in no change"))
    }
}
