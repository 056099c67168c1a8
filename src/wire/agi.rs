//! AGI over TCP (FastAGI): the environment block, commands, answers. Both directions: what the runtime speaks, and
//! what a double of Asterisk speaks.
//!
//! Asterisk connects, sends `agi_*: value` lines and an empty line, then takes one command line at a time and
//! answers it (Asterisk's res/res_agi.c; forms of answers seen on 16.28 and 22.10.1). A bare line `HANGUP` may stand
//! before any answer, or come unasked.

mod answer;
mod command;
mod environment;

pub use answer::{Answer, AnswerError, Line, MAX_ANSWER_LINE, MAX_ANSWER_LINES};
pub use command::{
    Command, CommandError, ControlStream, MAX_COMMAND_LINE, ParsedCommand, VariableName,
    VariableNameError, parse_command,
};
pub use environment::{
    Environment, EnvironmentError, MAX_ENVIRONMENT, MAX_ENVIRONMENT_LINE, MAX_ENVIRONMENT_LINES,
    NetworkScript,
};
