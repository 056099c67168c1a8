//! Calls on a real Asterisk 16 and 22, ordered over HTTP as 1C does. See README.md; run by
//! `cargo nextest run --profile lab --run-ignored all --test lab`, or
//! `cargo test --test lab -- --ignored --nocapture --test-threads=3`.
//!
//! Where a part of the lab can't be had here, a test says so in a line that begins with `SKIP` and passes; with
//! `GOVORUN_LAB_REQUIRED=1` it fails instead. What was measured is told in lines that begin with `ROW`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    unreachable_pub
)]

#[path = "../support/vosk.rs"]
mod vosk;

mod dialogs;
mod far_ends;
mod history;
mod one_c;
mod proxy;
mod server;
mod stand;

mod answerer;
mod barge_in;
mod crash;
mod doctor;
mod inbound;
mod injection;
mod messages;
mod outages;
mod pauses;
mod phrases;
mod recordings;
mod reload;
mod telephone;
mod transfer;
mod trunks;
mod words;
