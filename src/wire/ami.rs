//! AMI, the manager interface: packets, actions, responses, events. Both directions: what the runtime speaks, and
//! what a double of Asterisk speaks.
//!
//! A banner line, then packets: `Key: Value` lines ended by an empty line, CRLF (Asterisk's main/manager.c; seen on
//! 16.28 and 22.10.1). Keys repeat. What a packet is, its first line says: `Action`, `Response` or `Event` (an
//! `OriginateResponse` event also has a `Response:` line).

mod action;
mod event;
mod originate;
mod packet;

pub use action::{
    Action, ActionError, Challenge, Control, MAX_ACTION_LINE, MAX_ACTION_LINES, RecordInto, md5_key,
};
pub use event::{ChannelState, DialStatus, Direction, Event, EventKind};
pub use originate::{Originate, Target};
pub use packet::{
    Banner, MAX_BANNER, MAX_LINE, MAX_LINES, MAX_PACKET, Packet, PacketDecoder, PacketError,
    PacketKind, Response,
};
