//! `EXEC`: the dialplan applications that the runtime asks for.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::audio::wav;
use crate::wire::agi::Answer;

use super::channel::Channel;
use super::record::{HungUpBy, What};
use super::world::{World, locked};
use super::{both_ways, dialing, websocket};

/// The longest recording that is written, milliseconds.
const LONGEST_RECORDING: u64 = 600_000;

/// Runs an application; gives AGI's answer.
pub(super) async fn run(
    world: &Arc<World>,
    channel: &Arc<Channel>,
    app: &str,
    data: &str,
) -> String {
    let result = match app.to_ascii_lowercase().as_str() {
        "audiosocket" if world.has_module("app_audiosocket") => {
            both_ways::run(world, channel, data).await
        }
        "audiofork" if world.has_module("app_audiofork") => {
            websocket::fork(world, channel, data);
            0
        }
        "dial" => dial(world, channel, data).await,
        "mixmonitor" => {
            let args = split_args(data);
            let option = args.get(1).map_or("", String::as_str);
            begin_recording(world, channel, recorded_into(&args[0], option));
            0
        }
        "stopmixmonitor" => {
            end_recording(world, channel, Some(data).filter(|id| !id.is_empty()));
            0
        }
        "wait" => {
            let seconds: f64 = data.parse().unwrap_or(1.0);
            let wait = tokio::time::sleep(Duration::from_secs_f64(seconds.clamp(0.0, 3600.0)));
            if channel.hung.run_until_cancelled(wait).await.is_none() {
                -1
            } else {
                0
            }
        }
        "hangup" => {
            channel.hang_up(data.parse().unwrap_or(16), HungUpBy::Us);
            -1
        }
        "answer" => {
            dialing::answer(world, channel);
            0
        }
        "noop" | "progress" | "ringing" | "set" | "verbose" => 0,
        // Seen: no such application.
        _ => -2,
    };
    Answer::done(result).encode()
}

async fn dial(world: &Arc<World>, channel: &Arc<Channel>, data: &str) -> i64 {
    let mut args = split_args(data).into_iter();
    let place = args.next().unwrap_or_default();
    let seconds = args.next().and_then(|text| text.parse().ok()).unwrap_or(30);
    if place.starts_with("WebSocket/") {
        return websocket::dial(world, channel, &place).await;
    }
    dialing::transfer(world, channel, &place, seconds).await;
    if channel.hung.is_cancelled() { -1 } else { 0 }
}

/// Arguments at commas outside of brackets.
fn split_args(data: &str) -> Vec<String> {
    let (mut args, mut depth) = (vec![String::new()], 0u32);
    for c in data.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                args.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(arg) = args.last_mut() {
            arg.push(c);
        }
    }
    args
}

/// The files of a MixMonitor: the mixed one, and those of the options `r(said)` and `t(heard)`.
pub(super) fn recorded_into(file: &str, options: &str) -> Vec<String> {
    let mut files: Vec<String> = (!file.is_empty())
        .then(|| file.to_owned())
        .into_iter()
        .collect();
    for letter in ["r(", "t("] {
        let inside = options
            .split_once(letter)
            .and_then(|(_, rest)| rest.split_once(')'));
        files.extend(inside.map(|(name, _)| name.to_owned()));
    }
    files
}

/// MixMonitor; its id.
pub(super) fn begin_recording(world: &World, channel: &Channel, files: Vec<String>) -> String {
    let now = world.record.now_ms();
    for file in files.clone() {
        channel.note(world, What::Recording { file });
    }
    let mut running = locked(&channel.recordings);
    let id = format!("0x{:x}", 0x7f00 + now + running.len() as u64);
    running.push((id.clone(), files, now));
    drop(running);
    world.emit("call", "MixMonitorStart", channel.pairs(""));
    id
}

/// The end of one MixMonitor, by its id or the first, or of the call: the file is there, as long as the recording was; what
/// it holds is silence. Tells whether there was one.
pub(super) fn end_recording(world: &World, channel: &Channel, id: Option<&str>) -> bool {
    let mut running = locked(&channel.recordings);
    let at = running
        .iter()
        .position(|(running, ..)| id.is_none_or(|id| id == running));
    let Some((_, files, since)) = at.map(|at| running.remove(at)) else {
        return false;
    };
    drop(running);
    let ms = world.record.now_ms().saturating_sub(since);
    let samples = usize::try_from(ms.min(LONGEST_RECORDING) * 8).unwrap_or(0);
    for file in files {
        let path = match &world.options.recordings {
            Some(folder) if Path::new(&file).is_relative() => folder.join(&file),
            _ => file.into(),
        };
        if path.is_absolute() {
            // Small, and only where a test or the demo asked for it.
            if let Err(error) = std::fs::write(&path, wav::encode(&vec![0; samples])) {
                tracing::warn!(path = %path.display(), %error, "double: a recording can't be written");
            }
        }
    }
    channel.note(world, What::RecordingStopped);
    world.emit("call", "MixMonitorStop", channel.pairs(""));
    true
}

#[cfg(test)]
mod tests {
    use super::{recorded_into, split_args};

    #[test]
    fn the_two_directions_are_files_of_their_own() {
        assert_eq!(recorded_into("/a.wav", ""), ["/a.wav"]);
        let apart = "r(/x-caller.wav)t(/x-robot.wav)S";
        assert_eq!(recorded_into("", apart), ["/x-caller.wav", "/x-robot.wav"]);
    }

    #[test]
    fn commas_in_brackets_stay() {
        let args = split_args("WebSocket/govorun/c(slin)v(token=1,a=2),,g");
        assert_eq!(args, ["WebSocket/govorun/c(slin)v(token=1,a=2)", "", "g"]);
    }
}
