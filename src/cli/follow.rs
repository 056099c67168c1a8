//! Follows one call over HTTP: its events as they come, until its attempt or its order has ended.

use std::time::Duration;

use hyper::Method;
use serde_json::Value;

use super::client::{Client, ClientError, path_part};

/// A call, followed.
#[derive(Debug)]
pub(super) struct Follower {
    client: Client,
    path: String,
    after: i64,
    /// All that came, in order.
    pub(super) events: Vec<Value>,
}

impl Follower {
    /// Of the call `id`.
    pub(super) fn new(client: Client, id: &str) -> Self {
        Self {
            client,
            path: format!("/api/v1/calls/{}", path_part(id)),
            after: 0,
            events: Vec::new(),
        }
    }

    /// What came since the last time; they are kept too.
    pub(super) async fn news(&mut self) -> Result<Vec<Value>, ClientError> {
        let path = format!("{}/events?after={}", self.path, self.after);
        let (_, page) = self.client.ask(Method::GET, &path, None).await?;
        self.after = page["after"].as_i64().unwrap_or(self.after);
        let events = page["events"].as_array().cloned().unwrap_or_default();
        self.events.extend(events.iter().cloned());
        Ok(events)
    }

    /// How the call stands.
    pub(super) async fn call(&self) -> Result<Value, ClientError> {
        Ok(self.client.ask(Method::GET, &self.path, None).await?.1)
    }

    /// Waits until nothing more will come of the order (or, `patience` past, until it is as it is).
    pub(super) async fn settled(&self, patience: Duration) -> Result<Value, ClientError> {
        let deadline = tokio::time::Instant::now() + patience;
        loop {
            let call = self.call().await?;
            if is_final(&call) || tokio::time::Instant::now() >= deadline {
                return Ok(call);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Nothing more will come of it.
pub(super) fn is_final(call: &Value) -> bool {
    matches!(
        call["status"].as_str(),
        Some("finished" | "cancelled" | "expired")
    )
}
