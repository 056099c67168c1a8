//! Bytes ↔ values of every protocol that we speak, decode and encode side by side. No I/O, no clock.
//!
//! Every decoder has three answers: `Ok(Some)`, `Ok(None)` = more bytes are needed (nothing is consumed), `Err` = a
//! rule is broken. Every length has a cap beside its parser.

pub mod agi;
pub mod ami;
pub mod app;
pub mod audiofork;
pub mod audiosocket;
pub mod chan_websocket;
pub mod dial;
pub mod line;
pub mod rtp;
pub mod vosk;
pub mod yandex;
