//! Who is called when: takes due orders from the [`queue`], as many as lines and the rate allow ([`limits`]), hands each
//! to the application to be placed ([`dialer::Place`]), and decides by [`rules`] what follows.
//!
//! Nothing here knows Asterisk: an attempt is an order that goes out and a summary that comes back.

mod brake;
pub mod dialer;
pub mod limits;
pub mod queue;
pub mod rules;

#[cfg(test)]
mod tests;

pub use dialer::{Clock, Dialer, Place, Placed};
pub use limits::{Lines, Taken};
pub use queue::Queue;
pub use rules::Rules;
