//! Who is called when: takes due orders from the [`queue`], as many as lines and the rate allow ([`limits`]), the [`trunks`]
//! and dialogs have room for (`board`, `offer`) and the recognizers can bear ([`governor`]), hands each to the application
//! to be placed ([`dialer::Place`]), and decides by [`rules`] what follows. [`Dialing`] is how the rest of the server sees it.
//!
//! The store asks the same rules of each order whether it may be called now (`admit`): hours in the callee's own time zone
//! (`hours`, `days`, `zones`), limits per number (`per_number`).
//!
//! Nothing here knows Asterisk: an attempt is an order that goes out and a summary that comes back.

mod admit;
mod board;
mod brake;
mod check;
mod days;
pub mod dialer;
mod dialing;
pub mod governor;
mod hours;
pub mod limits;
mod offer;
mod per_number;
mod preset_230fz;
pub mod queue;
mod retries;
pub mod rules;
pub mod trunks;
mod words;
mod zones;

#[cfg(test)]
mod rules_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod zone_table_tests;

pub use board::{DialogLimits, DialogStands, Dialogs, Ears, Held, Stands, TrunkStands};
pub use check::faults as rule_faults;
pub use dialer::{Clock, Dialer, Place, Placed};
pub use dialing::Dialing;
pub use limits::{Lines, Taken};
pub use queue::Queue;
pub use rules::Rules;
pub use trunks::Trunk;
