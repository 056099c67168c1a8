//! A trunk, as far as placing a call goes.

use crate::wire::dial::{CallerId, DialTemplate};

/// How a call is dialed.
#[derive(Clone, Debug, PartialEq)]
pub struct TrunkLine {
    /// Its name in settings, history and metrics.
    pub name: String,
    /// The channel to dial.
    pub channel: DialTemplate,
    /// What the person sees; `None`: the trunk's own.
    pub caller_id: Option<CallerId>,
    /// How long it may ring, milliseconds.
    pub ring_timeout_ms: u64,
}
