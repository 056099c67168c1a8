//! The whole server against a double of Asterisk and a double of vosk-server: real HTTP, AMI, FastAGI, AudioSocket and
//! WebSocket bytes over loopback. What a real Asterisk does is in `tests/lab`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs,
    unreachable_pub
)]

mod app;
mod calls;
mod chaos;
mod drain;
mod ears;
mod faults;
mod metrics;
mod privacy;
mod reload;
mod voices;
#[path = "../support/vosk.rs"]
mod vosk;
