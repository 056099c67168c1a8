//! What dialogs ask of other servers in mid-call (`http_get`, `http_post`): plain values here, the client in [`client`],
//! which hosts it may reach in [`reach`]. Callbacks to 1C have a client of their own: [`courier`].

pub mod client;
pub mod courier;
pub mod reach;
#[cfg(test)]
mod tests;

use serde_json::Value;

pub use client::{Web, WebConfigError};
pub use courier::{Courier, CourierFault};

/// GET or POST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebMethod {
    /// Asks; repeating it changes nothing.
    Get,
    /// Hands over.
    Post,
}

impl WebMethod {
    /// As HTTP and history write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

/// One request.
#[derive(Clone, Debug, PartialEq)]
pub struct WebOrder {
    /// GET or POST.
    pub method: WebMethod,
    /// Absolute, or a path that begins with `/`: then the first allowed host is meant. Letters of any alphabet.
    pub url: String,
    /// Sent as JSON.
    pub body: Option<Value>,
    /// How long all of it may take, milliseconds; `None`: as the settings say.
    pub timeout_ms: Option<u64>,
}

/// What came of it. A server's refusal (404, 500) is an answer like any other.
#[derive(Clone, Debug, PartialEq)]
pub struct WebAnswer {
    /// The server's status; 0 where there is none.
    pub status: u16,
    /// The answer's JSON; a text where it is none; `null` where there is nothing.
    pub data: Value,
    /// Why there is no answer.
    pub fault: Option<WebFault>,
}

impl WebAnswer {
    /// An answer of a server.
    pub fn of(status: u16, data: Value) -> Self {
        Self {
            status,
            data,
            fault: None,
        }
    }

    /// No answer.
    pub fn failed(fault: WebFault) -> Self {
        Self {
            status: 0,
            data: Value::Null,
            fault: Some(fault),
        }
    }

    /// The server said 2xx.
    pub fn is_ok(&self) -> bool {
        self.fault.is_none() && (200..300).contains(&self.status)
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebFault {
    /// No address.
    #[error("{0:?} is no address: write http://host/path, https://host/path or /path")]
    Url(String),
    /// The settings don't allow it.
    #[error("{url:?} is not among web.hosts ({})", if allowed.is_empty() { "none" } else { allowed })]
    NotAllowed {
        /// Which.
        url: String,
        /// What is allowed.
        allowed: String,
    },
    /// It took too long.
    #[error("no answer within {ms} ms")]
    Timeout {
        /// The bound.
        ms: u64,
    },
    /// No connection, or it broke.
    #[error("{0}")]
    Unreachable(String),
    /// Too much was sent, or came.
    #[error("{what} is longer than {most} bytes")]
    TooLarge {
        /// `the request`, `the answer`
        what: &'static str,
        /// The bound, bytes.
        most: usize,
    },
    /// It says that it is JSON and is not.
    #[error("the answer is no JSON: {0}")]
    NotJson(String),
    /// It sends us round in circles.
    #[error("over {0} redirects")]
    Redirects(usize),
}

impl WebFault {
    /// A word for a script to branch on.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Url(_) => "url",
            Self::NotAllowed { .. } => "not_allowed",
            Self::Timeout { .. } => "timeout",
            Self::Unreachable(_) => "unreachable",
            Self::TooLarge { .. } => "too_large",
            Self::NotJson(_) => "not_json",
            Self::Redirects(_) => "redirects",
        }
    }
}
