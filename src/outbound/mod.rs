//! Who is called when: takes due orders from the [`queue`], as many as lines and the rate allow ([`limits`]), the [`trunks`]
//! and dialogs have room for (`board`, `offer`) and the recognizers can bear ([`governor`]), hands each to the application
//! to be placed ([`dialer::Place`]), and decides by [`rules`] what follows. [`Dialing`] is how the rest of the server sees it.
//!
//! Nothing here knows Asterisk: an attempt is an order that goes out and a summary that comes back.

mod board;
mod brake;
pub mod dialer;
mod dialing;
pub mod governor;
pub mod limits;
mod offer;
pub mod queue;
pub mod rules;
pub mod trunks;

#[cfg(test)]
mod tests;

pub use board::{DialogLimits, DialogStands, Dialogs, Ears, Held, Stands, TrunkStands};
pub use dialer::{Clock, Dialer, Place, Placed};
pub use dialing::Dialing;
pub use limits::{Lines, Taken};
pub use queue::Queue;
pub use rules::Rules;
pub use trunks::Trunk;
