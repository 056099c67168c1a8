//! The servers that hear a call and, on two of the media, speak to it.
//!
//! ```text
//!   call ── MediaHub::expect(token, kind) ──► Expected ── link(within) ──► MediaLink { frames, speaker, closed }
//!                  │                                                            ▲
//!   Asterisk ── TCP / WebSocket / UDP ── token checked, claimed once ── a task per stream
//! ```
//!
//! A call says which token will come before it tells Asterisk to connect. A connection with that token is handed over
//! exactly once; whoever comes with none, with an unknown one or with something else gets nothing, and is dropped with
//! a reason after [`hub::PAIRING`]. An expectation ends with its [`Expected`], a stream with its [`MediaLink`].
//!
//! | kind | server | speaks |
//! | --- | --- | --- |
//! | `audiofork` | WebSocket, `/tap/<token>` | no |
//! | `audiosocket_tap` | AudioSocket, the token is its UUID | no |
//! | `rtp` | a UDP socket of the call's own | no |
//! | `audiosocket` | AudioSocket | yes: [`pacer`] |
//! | `chan_websocket` | WebSocket, `/media/<token>` or `/media?token=` | yes: [`queue`] |

mod audiosocket;
pub mod frames;
pub mod hub;
pub mod link;
pub mod pacer;
pub mod queue;
mod rtp;
mod websocket;

pub use frames::{FrameReceiver, FrameSender, frame_queue};
pub use hub::{Expected, MediaCounts, MediaError, MediaHub};
pub use link::{LinkEnd, LinkGuard, MediaLink};

#[cfg(test)]
mod tests;
