//! A recording of a call: what it is called, and which files it is.

/// After a recording's name without `.wav`: the file of what the person said.
pub const CALLER: &str = "-caller.wav";
/// The same, of what they heard.
pub const ROBOT: &str = "-robot.wav";

/// A recording that has begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// Its name, as Asterisk sees it: the file itself where `channels` is 1, else `name-caller.wav` and `name-robot.wav`
    /// stand for `name.wav`.
    pub file: String,
    /// From 1, within the attempt.
    pub number: u32,
    /// 2: each direction by itself; 1: both mixed.
    pub channels: u8,
}
