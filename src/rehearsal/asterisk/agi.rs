//! The AGI application: connects to our FastAGI server for a call and does what it is told, one command at a time.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use crate::wire::agi::{Answer, Environment, ParsedCommand, parse_command};
use crate::wire::ami::Control;

use super::channel::Channel;
use super::playback::Playback;
use super::record::{HungUpBy, PromptEnd, What};
use super::world::{World, locked};
use super::{dialing, exec};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long AGI may go on after the hang-up. Asterisk has no limit; a test has.
const AFTERLIFE: Duration = Duration::from_secs(30);
/// FastAGI's port where a script names none.
const PORT: u16 = 4573;
/// ControlPlayback's orders that may wait.
const CONTROLS: usize = 16;

/// Connects to `script` (`agi://host:port/path`) and serves it until it closes, or the call is over.
pub(super) async fn run(world: &Arc<World>, channel: &Arc<Channel>, script: &str) {
    match connect(world, channel, script).await {
        Ok(mut session) => {
            channel.note(world, What::AgiConnected);
            session.serve().await;
            channel.note(world, What::AgiClosed);
        }
        Err(reason) => channel.note(world, What::AgiRefused { reason }),
    }
}

async fn connect(
    world: &Arc<World>,
    channel: &Arc<Channel>,
    script: &str,
) -> Result<Session, String> {
    let rest = script
        .strip_prefix("agi://")
        .ok_or_else(|| format!("{script:?} is no agi:// address"))?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = if host.contains(':') {
        host.to_owned()
    } else {
        format!("{host}:{PORT}")
    };
    let connected = timeout(CONNECT, TcpStream::connect(&host)).await;
    let mut stream = connected
        .map_err(|_| format!("{host} does not answer"))?
        .map_err(|error| format!("{host}: {error}"))?;
    let _ = stream.set_nodelay(true);
    let environment = environment(world, channel, script, path);
    let bytes = environment.encode().map_err(|error| error.to_string())?;
    let sent = stream.write_all(&bytes).await;
    sent.map_err(|error| error.to_string())?;
    Ok(Session {
        world: Arc::clone(world),
        channel: Arc::clone(channel),
        stream,
        buffer: Vec::with_capacity(512),
        told: false,
    })
}

fn environment(world: &World, channel: &Channel, script: &str, path: &str) -> Environment {
    let known = |text: &str| {
        if text.is_empty() {
            "unknown".to_owned()
        } else {
            text.to_owned()
        }
    };
    let technology = channel.name.split('/').next().unwrap_or_default();
    let pairs = [
        ("network", "yes".to_owned()),
        ("network_script", path.to_owned()),
        ("request", script.to_owned()),
        ("channel", channel.name.clone()),
        ("language", "ru".to_owned()),
        ("type", technology.to_owned()),
        ("uniqueid", channel.id.clone()),
        ("version", world.options.asterisk_version.clone()),
        ("callerid", known(&channel.number)),
        ("calleridname", "unknown".to_owned()),
        ("callingpres", "0".to_owned()),
        ("callingani2", "0".to_owned()),
        ("callington", "0".to_owned()),
        ("callingtns", "0".to_owned()),
        ("dnid", known(&channel.extension)),
        ("rdnis", "unknown".to_owned()),
        ("context", "govorun".to_owned()),
        ("extension", channel.extension.clone()),
        ("priority", "1".to_owned()),
        ("enhanced", "0.0".to_owned()),
        ("accountcode", String::new()),
        ("threadid", "140123456789".to_owned()),
    ];
    Environment::from_pairs(pairs.iter().map(|(name, value)| (*name, value.as_str())))
}

struct Session {
    world: Arc<World>,
    channel: Arc<Channel>,
    stream: TcpStream,
    buffer: Vec<u8>,
    /// The line HANGUP was sent.
    told: bool,
}

/// What a session waits for between commands.
enum Next {
    Command(ParsedCommand),
    HangUp,
    Over,
}

impl Session {
    async fn serve(&mut self) {
        let mut deadline = None;
        loop {
            match self.next(deadline).await {
                Next::Over => return,
                Next::HangUp => {
                    self.told = true;
                    deadline = Some(Instant::now() + AFTERLIFE);
                    if self.stream.write_all(b"HANGUP\n").await.is_err() {
                        return;
                    }
                }
                Next::Command(command) => {
                    let what = What::Command {
                        name: command.name.clone(),
                        args: command.args.clone(),
                    };
                    self.channel.note(&self.world, what);
                    self.world.faults.wait_for_agi().await;
                    let cut = self.channel.cut_agi.clone();
                    let executed = cut.run_until_cancelled(self.execute(&command)).await;
                    let Some(text) = executed else { return };
                    if !self.answer(&command, text).await {
                        return;
                    }
                }
            }
        }
    }

    async fn next(&mut self, deadline: Option<Instant>) -> Next {
        loop {
            match parse_command(&self.buffer) {
                Ok(Some((command, used))) => {
                    self.buffer.drain(..used);
                    return Next::Command(command);
                }
                Ok(None) => {}
                Err(_) => return Next::Over,
            }
            let over = async {
                match deadline {
                    Some(deadline) => sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = self.channel.cut_agi.cancelled() => return Next::Over,
                () = self.channel.hung.cancelled(), if !self.told => return Next::HangUp,
                () = self.channel.redirected.cancelled(), if !self.told => return Next::HangUp,
                read = self.stream.read_buf(&mut self.buffer) => {
                    if !matches!(read, Ok(1..)) {
                        return Next::Over;
                    }
                }
                () = over => return Next::Over,
            }
        }
    }

    async fn answer(&mut self, command: &ParsedCommand, text: String) -> bool {
        self.world.faults.wait().await;
        let garbage = locked(&self.channel.garbage).take();
        let told = [
            ("Command", command.name.clone()),
            ("ResultCode", text.get(..3).unwrap_or_default().to_owned()),
            ("Result", "Success".to_owned()),
        ];
        let pairs = self.channel.pairs("").into_iter().chain(told);
        self.world.emit("agi", "AGIExecEnd", pairs);
        let bytes = garbage.unwrap_or_else(|| text.clone().into_bytes());
        // Noted first: an answer can be acted on before a note taken after it.
        let text = text.trim_end().to_owned();
        self.channel
            .note(&self.world, What::CommandAnswered { text });
        self.stream.write_all(&bytes).await.is_ok()
    }

    /// Does the command; gives the answer's line.
    async fn execute(&mut self, command: &ParsedCommand) -> String {
        let told = [("Command", command.name.clone())];
        let pairs = self.channel.pairs("").into_iter().chain(told);
        self.world.emit("agi", "AGIExecStart", pairs);
        let (world, channel) = (&self.world, &self.channel);
        let dead = channel.hung.is_cancelled() || channel.redirected.is_cancelled();
        match command.name.as_str() {
            "NOOP" => Answer::done(0).encode(),
            "VERBOSE" => Answer::done(1).encode(),
            "GET VARIABLE" => variable(channel, command.arg(0)),
            "GET FULL VARIABLE" => variable(
                channel,
                command
                    .arg(0)
                    .trim_start_matches("${")
                    .trim_end_matches('}'),
            ),
            "SET VARIABLE" => {
                let (name, value) = (command.arg(0), command.arg(1));
                channel.set_variable(name, value);
                let what = What::Variable {
                    name: name.to_owned(),
                    value: value.to_owned(),
                };
                channel.note(world, what);
                Answer::done(1).encode()
            }
            "ANSWER"
            | "HANGUP"
            | "CHANNEL STATUS"
            | "SET CALLERID"
            | "CONTROL STREAM FILE"
            | "STREAM FILE"
            | "WAIT FOR DIGIT"
            | "EXEC"
                if dead =>
            {
                Answer::Dead.encode()
            }
            "ANSWER" => {
                dialing::answer(world, channel);
                Answer::done(0).encode()
            }
            "HANGUP" => {
                channel.hang_up(0, HungUpBy::Us);
                Answer::done(1).encode()
            }
            "CHANNEL STATUS" => Answer::done(channel.state()).encode(),
            "SET CALLERID" => Answer::done(1).encode(),
            "CONTROL STREAM FILE" => {
                let skip = command.arg(2).parse().unwrap_or(3_000);
                let from = command.arg(6).parse().unwrap_or(0);
                self.play(command, Some(skip), from).await
            }
            "STREAM FILE" => self.play(command, None, 0).await,
            "WAIT FOR DIGIT" => self.wait_for_digit(command).await,
            "EXEC" => exec::run(world, channel, command.arg(0), command.arg(1)).await,
            "" => Answer::Usage("Invalid command syntax.".into()).encode(),
            _ => Answer::Unknown.encode(),
        }
    }

    /// Plays a file; with `skip` under ControlPlayback, else deaf to it.
    async fn play(&self, command: &ParsedCommand, skip: Option<u64>, from_ms: u64) -> String {
        let (world, channel) = (&self.world, &self.channel);
        let (file, escape) = (command.arg(0), command.arg(1));
        let name = file.rsplit('/').next().unwrap_or(file).to_owned();
        let ended = |played_ms, how| What::PromptEnded {
            name: name.clone(),
            played_ms,
            how,
        };
        let Some(length_ms) = world.prompt_ms(file).await else {
            channel.note(world, ended(0, PromptEnd::Missing));
            return Answer::with_endpos(-1, 0).encode();
        };
        let (orders, mut controls) = mpsc::channel(CONTROLS);
        if skip.is_some() {
            *locked(&channel.control) = Some(orders.clone());
        }
        let mut digits = channel.digits.subscribe();
        let speed = world.options.prompt_speed;
        let now = world.record.now_ms();
        let mut playback = Playback::start(length_ms, from_ms, skip.unwrap_or(0), speed, now);
        let started = What::PromptStarted {
            name: name.clone(),
            from_ms,
        };
        channel.note(world, started);
        channel.prompt_started();
        let (how, digit) = loop {
            let whole = async {
                match playback.ends_at_ms() {
                    Some(end) => sleep_until(world.record.moment(end)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = channel.hung.cancelled() => break (PromptEnd::HangUp, None),
                () = channel.redirected.cancelled() => break (PromptEnd::HangUp, None),
                Some(control) = controls.recv() => {
                    let now = world.record.now_ms();
                    let was_paused = playback.is_paused();
                    if playback.control(control, now) {
                        break (PromptEnd::Stopped, None);
                    }
                    let at_ms = playback.position_ms(now);
                    if control == Control::Pause {
                        let what = if was_paused {
                            What::PromptResumed { at_ms }
                        } else {
                            What::PromptPaused { at_ms }
                        };
                        channel.note(world, what);
                    }
                }
                Ok(digit) = digits.recv() => if escape.contains(digit) {
                    break (PromptEnd::Digit, Some(digit));
                },
                () = whole => break (PromptEnd::Whole, None),
            }
        };
        *locked(&channel.control) = None;
        let played_ms = match how {
            PromptEnd::Whole => length_ms,
            _ => playback.position_ms(world.record.now_ms()),
        };
        channel.note(world, ended(played_ms, how));
        channel.prompt_ended();
        let scale = if skip.is_some() { 1 } else { 8 };
        let position = (played_ms * scale).cast_signed();
        match (how, digit) {
            // Seen: CONTROL STREAM FILE tells no position where the file was heard whole.
            (PromptEnd::Whole, _) if skip.is_some() => Answer::with_endpos(0, -1).encode(),
            (PromptEnd::HangUp, _) => Answer::with_endpos(-1, position).encode(),
            (_, Some(digit)) => Answer::with_endpos(i64::from(u32::from(digit)), position).encode(),
            _ => Answer::with_endpos(0, position).encode(),
        }
    }

    async fn wait_for_digit(&self, command: &ParsedCommand) -> String {
        let mut digits = self.channel.digits.subscribe();
        let wait = async {
            match command.arg(0).parse::<i64>() {
                Ok(ms @ 0..) => tokio::time::sleep(Duration::from_millis(ms.cast_unsigned())).await,
                _ => std::future::pending().await,
            }
        };
        tokio::pin!(wait);
        loop {
            tokio::select! {
                biased;
                () = self.channel.hung.cancelled() => return Answer::done(-1).encode(),
                Ok(digit) = digits.recv() => if digit != dialing::ANSWER_MARK {
                    return Answer::done(i64::from(u32::from(digit))).encode();
                },
                () = &mut wait => return Answer::done(0).encode(),
            }
        }
    }
}

fn variable(channel: &Channel, name: &str) -> String {
    match channel.variable(name) {
        Some(value) => Answer::with_value(1, &value).encode(),
        None => Answer::done(0).encode(),
    }
}
