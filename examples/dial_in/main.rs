//! Dials into a server with many calls at once, as Asterisk would, and tells what they cost it.
//!
//! ```text
//! cargo build --release --bins --examples
//! target/release/examples/dial_in --calls 200                  # starts the server and the floor beside it, in a folder of its own
//! target/release/examples/dial_in --agi 10.0.0.5:4573 --pid 4711 --ami 0.0.0.0:5038   # a server that runs already
//! ```
//!
//! The loads, each on the server and (where it can) on `floor`, the bare tokio server:
//!
//! | load | a call | told |
//! | --- | --- | --- |
//! | audio | is heard for some seconds: every other one is voice | CPU a second of audio, resident memory a call, audio unread |
//! | voice | the same, but no recognizer is fed | the recognizer's client told apart |
//! | unheard | AGI, dialog and history: one short prompt, nobody listens; the next call as soon as one ends | calls a second, CPU a call |
//! | calls | the same with a tap and a recognizer | calls a second, CPU a call |
//! | paced | the same at 190 calls a second, or half of what "calls" came to | reaction: AGI's answer sent to the next command received |
//! | talk | prompt, word, prompt, word ... | reaction: the recognizer's final text sent to the next command received |
//!
//! A server that runs already needs the dialogs that `--write-dialogs FOLDER` writes, this program as its Asterisk
//! (`asterisk.ami`) and as its recognizer (`--vosk`). All on Linux: CPU and memory are read from `/proc`.

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod arguments;
mod loads;
mod measure;
mod recognizer;
mod server;
mod sounds;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use govorun::rehearsal::asterisk::{FakeAsterisk, FarEnd, Options};

use arguments::{Arguments, Kind};
use loads::Load;
use measure::{Figures, Usage};
use recognizer::Recognizer;
use server::{Place, Target};

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Without the backtrace: what went wrong is in the server or in the arguments.
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> anyhow::Result<()> {
    let arguments: Arguments = clap::Parser::parse();
    let place = Place::make(&arguments)?;
    if arguments.write_dialogs.is_some() {
        return Ok(());
    }
    let asterisk = start_asterisk(&arguments, &place).await?;
    let recognizer = Recognizer::start(&arguments.vosk, asterisk.clock()).await?;
    let mut all = Vec::new();

    let server = Target::server(&arguments, &place, asterisk.ami_addr(), &recognizer).await?;
    if let Some(address) = server.websocket {
        asterisk.set_websocket(address);
    }
    server.wait_for_login(&asterisk).await?;
    let load = Load {
        asterisk: &asterisk,
        recognizer: &recognizer,
        arguments: &arguments,
    };
    let (warm, total) = (arguments.calls.min(50), arguments.calls * arguments.rounds);
    let wants = |kind| arguments.wants(kind);
    // Audio first: what a call keeps is told against a server that has done nothing yet.
    let idle = Usage::of(server.pid)?;
    if wants(Kind::Audio) {
        all.push(load.audio(&server, "audio", "audio", &idle).await?);
    }
    if wants(Kind::Voice) {
        all.push(load.audio(&server, "voice", "voice", &idle).await?);
    }
    // A few calls first: threads, caches and the allocator are warm, as they are in a server that runs.
    load.calls(&server, "calls", "quick", warm, None).await?;
    if wants(Kind::Unheard) {
        let unheard = load.calls(&server, "unheard", "unheard", total, None);
        all.push(unheard.await?);
    }
    let mut rate = measure::MOST_RATE;
    if wants(Kind::Calls) {
        let flood = load.calls(&server, "calls", "quick", total, None).await?;
        rate = measure::half_of(&flood);
        all.push(flood);
    }
    if wants(Kind::Paced) {
        let paced = load.calls(&server, "paced", "quick", total, Some(rate));
        all.push(paced.await?);
    }
    if wants(Kind::Talk) {
        all.push(load.talk(&server, "talk").await?);
    }
    drop(server);

    if !arguments.no_floor {
        let floor = Target::floor().await?;
        let idle = Usage::of(floor.pid)?;
        let path = arguments.media.on_the_floor();
        if wants(Kind::Audio) || wants(Kind::Voice) {
            all.push(load.audio(&floor, "audio", path, &idle).await?);
        }
        load.calls(&floor, "calls", "calls", warm, None).await?;
        if wants(Kind::Unheard) || wants(Kind::Calls) {
            // Many: its CPU is told in steps of 10 ms.
            let flood = load.calls(&floor, "calls", "calls", total * 10, None);
            all.push(flood.await?);
        }
        if wants(Kind::Paced) {
            let paced = load.calls(&floor, "paced", "calls", total, Some(rate));
            all.push(paced.await?);
        }
    }
    print!("{}", measure::report(&arguments, &all));
    let errors: usize = all
        .iter()
        .map(|figures: &Figures| figures.errors.len())
        .sum();
    if errors > 0 {
        eprint!("{}", place.end_of_log());
    }
    anyhow::ensure!(errors == 0, "{errors} calls went wrong");
    Ok(())
}

async fn start_asterisk(arguments: &Arguments, place: &Place) -> anyhow::Result<FakeAsterisk> {
    let options = Options {
        ami_listen: arguments.ami,
        sounds: Some(place.sounds()),
        ..Options::new(|_| FarEnd::busy())
    };
    let options = options.with_audiofork();
    FakeAsterisk::start(options)
        .await
        .with_context(|| format!("AMI on {}", arguments.ami))
}

/// The time after a load in which what belongs to it comes to its end.
pub(crate) const SETTLE: Duration = Duration::from_millis(300);
