//! A call: what a dialog may ask of it ([`mod@line`], [`request`], [`reply`]), the pure machine that decides, the session
//! that does, and what is kept of it ([`history`], [`summary`]).

mod agi_line;
mod agi_speaker;
pub mod answerer;
mod begun;
pub mod cause;
pub mod choice;
pub mod clock;
pub mod dialog_threads;
pub mod ear;
mod early;
pub mod event;
pub(crate) mod fields;
mod hearing;
pub mod history;
pub mod incoming;
pub mod journal;
pub mod line;
mod link;
pub mod machine;
pub mod medium;
pub mod order;
pub mod outgoing;
pub mod parts;
mod pbx;
pub mod recording;
pub mod registry;
pub mod reply;
pub mod request;
pub mod session;
pub mod summary;
mod talk;
pub mod timer;
pub mod timing;
pub mod trunk;
mod turn;
mod voicing;

pub use answerer::{OnMachine, Who};
pub use choice::{Choice, Hears};
pub use fields::Fields;
pub use history::HistoryEvent;
pub use journal::Journal;
pub use line::{CallInfo, Direction, Line, LineError};
pub use order::{Order, OrderPatch};
pub use parts::{Awaited, CallParts};
pub use recording::Recorded;
pub use registry::Registry;
pub use reply::{Reply, ReplyKind};
pub use request::{
    Ask, BargeIn, DigitRule, MessageAsk, MessageRule, Prompt, Request, Saying, Turn, Window,
};
pub use session::Dialog;
pub use summary::{DialogEnd, EndedBy, Fault, Status, Summary, outcome};
pub use timing::TurnTimings;
pub use trunk::TrunkLine;
