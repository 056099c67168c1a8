//! Figures: CPU and memory from `/proc`, reactions from the record, and the table that tells them.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::time::Duration;

use anyhow::Context;
use govorun::rehearsal::asterisk::{Entry, What};

use crate::arguments::Arguments;

/// `sysconf(_SC_CLK_TCK)` of every Linux that there is.
const TICKS_A_SECOND: f64 = 100.0;
/// Errors that are shown.
const SHOWN: usize = 5;

/// What a process has used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// User and system time.
    pub(crate) cpu: Duration,
    pub(crate) resident_kib: u64,
}

impl Usage {
    pub(crate) fn of(pid: u32) -> anyhow::Result<Self> {
        let read = |name: &str| {
            let path = format!("/proc/{pid}/{name}");
            std::fs::read_to_string(&path).with_context(|| path)
        };
        let stat = read("stat")?;
        // The program's name may hold spaces: fields are counted behind its bracket.
        let fields: Vec<&str> = stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .collect();
        let ticks =
            |at: usize| -> f64 { fields.get(at).and_then(|f| f.parse().ok()).unwrap_or(0.0) };
        let cpu = Duration::from_secs_f64((ticks(11) + ticks(12)) / TICKS_A_SECOND);
        let status = read("status")?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let resident = resident.and_then(|rest| rest.trim().split(' ').next()?.parse().ok());
        let resident_kib = resident.context("VmRSS")?;
        Ok(Self { cpu, resident_kib })
    }

    pub(crate) fn since(&self, before: &Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(before.cpu),
            resident_kib: self.resident_kib.saturating_sub(before.resident_kib),
        }
    }
}

/// Bytes of 20 ms of audio on an AudioSocket.
const AUDIOSOCKET_FRAME: u64 = 323;

/// The most that lies unread in one of the sockets that were accepted on that port: milliseconds of audio.
pub(crate) fn unread_ms(port: u16) -> f64 {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let suffix = format!(":{port:04X}");
    let unread = table.lines().filter_map(|line| {
        let mut fields = line.split_whitespace();
        let (local, state, queues) = (fields.nth(1)?, fields.nth(1)?, fields.next()?);
        let established = local.ends_with(&suffix) && state == "01";
        let received = queues.split(':').nth(1).filter(|_| established)?;
        u64::from_str_radix(received, 16).ok()
    });
    // The frame that has just come is not late.
    let frames = unread.max().unwrap_or(0) / AUDIOSOCKET_FRAME;
    frames.saturating_sub(1) as f64 * 20.0
}

/// What a load showed.
#[derive(Debug)]
pub(crate) struct Figures {
    pub(crate) load: &'static str,
    pub(crate) of: &'static str,
    pub(crate) calls: usize,
    pub(crate) took: Duration,
    pub(crate) cpu: Duration,
    /// This program's: where both together come near to all cores, times tell of the queue for them.
    pub(crate) own_cpu: Duration,
    /// What all calls together added.
    pub(crate) resident_kib: Option<f64>,
    /// Audio that was sent, seconds of all calls together.
    pub(crate) audio_s: Option<f64>,
    /// The longest that any call's audio lay unread in the server's socket, milliseconds.
    pub(crate) unread_ms: Option<f64>,
    /// Microseconds.
    pub(crate) reactions: Vec<u64>,
    /// The same by the command that followed, the first one too.
    pub(crate) by_command: BTreeMap<String, Vec<u64>>,
    pub(crate) errors: Vec<String>,
}

impl Figures {
    fn cores(&self, cpu: Duration) -> f64 {
        cpu.as_secs_f64() / self.took.as_secs_f64()
    }

    fn cpu_ms_a_call(&self) -> f64 {
        self.cpu.as_secs_f64() * 1000.0 / self.calls.max(1) as f64
    }
}

/// Calls a second of the load "paced", at most.
pub(crate) const MOST_RATE: f64 = 190.0;

/// Half of the calls a second that a load came to, at most [`MOST_RATE`].
pub(crate) fn half_of(figures: &Figures) -> f64 {
    let managed = figures.calls as f64 / figures.took.as_secs_f64();
    (managed / 2.0).clamp(1.0, MOST_RATE)
}

/// From each AGI answer to the same call's next command, by that command; to the first one, from the connection.
pub(crate) fn reactions(entries: &[Entry]) -> BTreeMap<String, Vec<u64>> {
    let mut since: HashMap<&str, u64> = HashMap::new();
    let mut found: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for entry in entries {
        match &entry.what {
            What::AgiConnected | What::CommandAnswered { .. } => {
                since.insert(&entry.channel, entry.at_us);
            }
            What::Command { name, .. } => {
                if let Some(before) = since.remove(&*entry.channel) {
                    let times = found.entry(name.clone()).or_default();
                    times.push(entry.at_us.saturating_sub(before));
                }
            }
            _ => {}
        }
    }
    found
}

/// The value under which `part` of them lie.
fn quantile(values: &[u64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let at = (sorted.len() as f64 * part) as usize;
    sorted
        .get(at.min(sorted.len().saturating_sub(1)))
        .map_or(f64::NAN, |us| *us as f64 / 1000.0)
}

/// All of it, for people.
pub(crate) fn report(arguments: &Arguments, all: &[Figures]) -> String {
    let mut text = String::new();
    // Writing into a String can't fail.
    let _ = writeln!(
        text,
        "{} calls at once, media {}; CPU and memory of the server alone; \"cores\": of the server + of this program, which runs beside it\n",
        arguments.calls,
        arguments.media.as_str()
    );
    let _ = writeln!(
        text,
        "{:<6} {:<8} {:>6} {:>8} {:>11} {:>13} {:>12} {:>10} {:>9} {:>9} {:>11} {:>7}",
        "load",
        "of",
        "calls",
        "calls/s",
        "CPU ms/call",
        "CPU ms/s audio",
        "KiB/call",
        "unread ms",
        "p50 ms",
        "p99 ms",
        "cores of+in",
        "errors"
    );
    for figures in all {
        let _ = writeln!(
            text,
            "{:<6} {:<8} {:>6} {:>8.1} {:>11.3} {:>13} {:>12} {:>10} {:>9} {:>9} {:>11} {:>7}",
            figures.load,
            figures.of,
            figures.calls,
            figures.calls as f64 / figures.took.as_secs_f64(),
            figures.cpu_ms_a_call(),
            shown(audio_ms(all, figures)),
            shown(figures.resident_kib.map(|kib| kib / figures.calls as f64)),
            shown(figures.unread_ms),
            some(quantile(&figures.reactions, 0.5)),
            some(quantile(&figures.reactions, 0.99)),
            format!(
                "{:.2}+{:.2}",
                figures.cores(figures.cpu),
                figures.cores(figures.own_cpu)
            ),
            figures.errors.len()
        );
        for error in figures.errors.iter().take(SHOWN) {
            let _ = writeln!(text, "       {error}");
        }
    }
    let _ = writeln!(
        text,
        "\nreaction before each command, load \"paced\", p50 / p99 ms:"
    );
    for figures in all.iter().filter(|figures| figures.load == "paced") {
        let _ = write!(text, "  {}:", figures.of);
        for (name, times) in &figures.by_command {
            let (half, most) = (quantile(times, 0.5), quantile(times, 0.99));
            let _ = write!(text, "  {name} {half:.2} / {most:.2}");
        }
        text.push('\n');
    }
    let find = |load: &str, of: &str| all.iter().find(|f| f.load == load && f.of == of);
    if let Some(floor) = find("calls", "floor").map(Figures::cpu_ms_a_call) {
        for (load, what) in [
            ("unheard", "dialog and history"),
            ("calls", "dialog, history, tap, recognizer"),
        ] {
            if let Some(ours) = find(load, "govorun") {
                let ratio = ours.cpu_ms_a_call() / floor;
                let _ = writeln!(text, "CPU a call, {what}: {ratio:.1} times the floor");
            }
        }
    }
    let audio = |load: &str, of: &str| find(load, of).and_then(|f| audio_ms(all, f));
    if let Some(floor) = audio("audio", "floor") {
        for (load, what) in [
            ("voice", "with voice activity"),
            ("audio", "and the recognizer's client"),
        ] {
            if let Some(ours) = audio(load, "govorun") {
                let ratio = ours / floor;
                let _ = writeln!(
                    text,
                    "CPU a second of audio, {what}: {ratio:.1} times the floor"
                );
            }
        }
    }
    text
}

/// CPU a second of audio, milliseconds; what the call itself costs taken off.
fn audio_ms(all: &[Figures], figures: &Figures) -> Option<f64> {
    let calls = all
        .iter()
        .find(|f| f.load == "calls" && f.of == figures.of)?;
    let cpu_ms = figures.cpu.as_secs_f64() * 1000.0 - calls.cpu_ms_a_call() * figures.calls as f64;
    figures.audio_s.map(|seconds| cpu_ms / seconds)
}

fn some(value: f64) -> String {
    shown((!value.is_nan()).then_some(value))
}

fn shown(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"))
}
