//! The command line: what a person types, what they read, and the exit code: 0 sound, 1 fault found, 2 wrong use.
//!
//! Everything that is printed goes through `screen`; every sentence is Russian, as the people who type here are.

mod arguments;
mod builtin;
mod call;
mod caller;
mod check;
mod client;
mod conversation;
mod definitions;
mod demo;
mod doctor;
mod drain;
mod export;
mod folder;
mod follow;
mod history;
mod junit;
mod notify;
mod outcomes;
mod place;
mod replay;
mod rollback;
mod screen;
mod serve;
mod talk;
mod telemetry;
mod temp;
mod terminal;
mod test;
mod transcript;
mod understand;
mod wrong_use;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command};

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    /// 0.
    Sound,
    /// 1.
    Fault,
    /// 2.
    WrongUse,
}

impl From<Ended> for ExitCode {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Sound => Self::SUCCESS,
            Ended::Fault => Self::from(1),
            Ended::WrongUse => Self::from(2),
        }
    }
}

/// Runs the command that `arguments` name; the first of them is the program's name.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let command = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments.command,
        Err(error) => return wrong_use::tell(&error).into(),
    };
    match command {
        Command::Check(wanted) => check::run(&wanted),
        Command::Test(wanted) => test::run(&wanted),
        Command::Doctor(wanted) => on_runtime(doctor::run(wanted)),
        Command::Definitions(wanted) => definitions::run(&wanted),
        Command::Rollback(wanted) => on_runtime(rollback::run(wanted)),
        Command::Export(wanted) => export::run(&wanted),
        Command::Drain(wanted) => on_runtime(drain::run(wanted)),
        Command::Replay(wanted) => replay::run(&wanted),
        Command::Understand(wanted) => understand::run(&wanted),
        Command::Serve(wanted) => on_runtime(serve::run(wanted)),
        Command::Call(wanted) => on_runtime(call::run(wanted)),
        Command::Talk(wanted) => talk::run(&wanted),
        Command::Demo => on_runtime(demo::run()),
    }
    .into()
}

fn on_runtime(command: impl Future<Output = Ended>) -> Ended {
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            screen::fault(&format!("не удалось запуститься: {error}"));
            return Ended::Fault;
        }
    };
    // The future is on the heap: some commands join every part of the server.
    let ended = runtime.block_on(Box::pin(command));
    // What still goes on has had its time.
    runtime.shutdown_background();
    ended
}
