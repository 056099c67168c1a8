//! Govorun: an IVR dialog runtime before a stock Asterisk.
//!
//! 1C orders a call over HTTP; Asterisk places it; the person is heard as a stream while prompts play; a Rhai
//! dialog decides on the words; 1C learns what came of it.
//!
//! # Layers (data flows downwards; an arrow never points up)
//!
//! ```text
//! ident  wire  audio  phrases     values and bytes: no tokio, no sockets, no clock
//!    └──────┬─────┘
//!       net   asr  tts            sockets and processes: bytes ↔ values, limits, reconnect
//!           │
//!         call                    Event → CallMachine → Command; Line, the blocking handle of a dialog
//!           │
//!        script                   Rhai over Line; library of dialogs; hot reload
//!           ┊
//!  outbound  store ┄ http         at the side: who is to be called when; what is kept; who asks
//!           │
//!    rehearsal                    the same machine without a telephone: a double of Asterisk, talk, demo
//!           │
//!         app                     the only place that knows every part and joins them
//! ```
//!
//! `tests/tidy.rs` holds the import table and fails where a `crate::` path breaks it.
//!
//! # Invariants
//!
//! - [`wire`], [`audio`] and [`phrases`] never wait, never read a clock, never open anything.
//! - [`call::machine`] decides, [`call::session`] does. Time is an argument. One closed `Event` in, one `Command` out, until "wait until t".
//! - A call's dialog never sees Rhai: a session is given `FnOnce(Line) -> DialogEnd`; tests drive a call with a Rust closure.
//! - Every wait in a call ends on hang-up too. A script never outlives its call and never blocks another.
//! - Everything is bounded: channels, calls, script operations, message sizes. What is dropped is counted.
//! - A bad script, config, peer or recognizer is reported and contained: one call or one refused reload, never the process.
//! - What crosses into Asterisk (AGI, AMI, dial strings) is encoded in one place ([`wire::agi`], [`wire::ami`], [`wire::dial`]) that makes injection impossible.
//! - Phone numbers, secrets and what people said are types that mask themselves in logs ([`ident`]).
//! - Adding a tap = one `wire` file + one `net` file; a recognizer = one `asr` file; a word of the script language = one row in `script`'s table.
//!
//! # Where to start reading
//!
//! A call from socket to script: [`http`] takes the order, [`store`] keeps it, [`outbound`] takes the next due one,
//! [`call`] places it and talks, [`script`] decides, [`store`] keeps what came of it.

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::disallowed_methods
    )
)]

pub mod app;
pub mod asr;
pub mod audio;
pub mod call;
pub mod cli;
pub mod config;
pub mod http;
pub mod ident;
pub mod net;
pub mod outbound;
pub mod phrases;
pub mod rehearsal;
pub mod script;
pub mod store;
pub mod tts;
pub mod wire;
