//! A call: what a dialog may ask of it ([`line`], [`request`], [`reply`]), the pure machine that decides, the session
//! that does, and what is kept of it ([`history`], [`summary`]).

pub mod ear;
pub mod event;
pub mod history;
pub mod line;
pub mod machine;
pub mod order;
pub mod reply;
pub mod request;
pub mod summary;
pub mod timer;
mod turn;

pub use history::HistoryEvent;
pub use line::{CallInfo, Direction, Line, LineError};
pub use order::Order;
pub use reply::{Reply, ReplyKind};
pub use request::{Ask, BargeIn, DigitRule, Prompt, Request, Turn, Window};
pub use summary::{DialogEnd, Fault, Status, Summary, outcome};
