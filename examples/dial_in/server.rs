//! What is measured: Govorun or the floor, started here or running already.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use govorun::audio::wav;
use govorun::rehearsal::asterisk::{FakeAsterisk, What};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::arguments::Arguments;
use crate::recognizer::Recognizer;
use crate::sounds;

/// How long the server may take to come up.
const UP: Duration = Duration::from_secs(20);

/// Lines of the server's log that are shown where calls went wrong.
const LOG_LINES: usize = 12;

/// A folder with the server's config, dialogs and prompt.
pub(crate) struct Place {
    folder: PathBuf,
    /// Removes the folder.
    _kept: Option<Temporary>,
}

struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Place {
    pub(crate) fn make(arguments: &Arguments) -> anyhow::Result<Self> {
        let temporary =
            std::env::temp_dir().join(format!("govorun-dial-in-{}", std::process::id()));
        let folder = arguments
            .write_dialogs
            .clone()
            .unwrap_or_else(|| temporary.clone());
        let own = arguments.write_dialogs.is_none();
        let scripts = folder.join("scripts");
        let sounds = scripts.join("sounds");
        for wanted in [
            &sounds,
            &folder.join("asterisk-sounds"),
            &folder.join("recordings"),
        ] {
            std::fs::create_dir_all(wanted).with_context(|| wanted.display().to_string())?;
        }
        std::fs::write(sounds.join("beep.wav"), wav::encode(&sounds::beep(100)))?;
        let (seconds, turns) = (arguments.seconds, arguments.turns);
        let quick = "play(\"beep\");\nfinish(\"done\");\n".to_owned();
        let audio = format!("pause({seconds});\nfinish(\"done\");\n");
        let talk = format!(
            "for turn in 0..{turns} {{\n    play(\"beep\", #{{ barge_in: false }});\n    let reply = listen(#{{ timeout: 10 }});\n    \
             if reply.kind != \"speech\" {{ finish(\"deaf\"); }}\n}}\nplay(\"beep\");\nfinish(\"done\");\n"
        );
        for (name, text) in [
            ("unheard", quick.clone()),
            ("quick", quick),
            ("voice", audio.clone()),
            ("audio", audio),
            ("talk", talk),
        ] {
            std::fs::write(scripts.join(format!("{name}.rhai")), text)?;
        }
        std::fs::write(scripts.join("unheard.yaml"), "recognizer: none\n")?;
        std::fs::write(scripts.join("voice.yaml"), "recognizer: typed\n")?;
        std::fs::write(scripts.join("phrases.yaml"), "yes: [да]\n")?;
        Ok(Self {
            folder,
            _kept: own.then_some(Temporary(temporary)),
        })
    }

    /// The last lines that the server logged; none if it wasn't started here.
    pub(crate) fn end_of_log(&self) -> String {
        let log = std::fs::read_to_string(self.folder.join("server.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let end = &lines[lines.len().saturating_sub(LOG_LINES)..];
        format!("the server's log ends with:\n{}\n", end.join("\n"))
    }

    /// Where the floor's beep is.
    pub(crate) fn sounds(&self) -> PathBuf {
        self.folder.join("scripts/sounds")
    }
}

/// A server under load.
pub(crate) struct Target {
    pub(crate) name: &'static str,
    pub(crate) agi: SocketAddr,
    pub(crate) pid: u32,
    /// Where it takes chan_websocket.
    pub(crate) websocket: Option<SocketAddr>,
    /// Where it takes audio, if we know.
    pub(crate) audio: Option<SocketAddr>,
    /// Ends with this value.
    _child: Option<Child>,
}

/// A port that was free a moment ago.
fn free() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn beside(name: &str) -> anyhow::Result<PathBuf> {
    let here = std::env::current_exe()?;
    let folder = here.parent().and_then(Path::parent);
    let found = folder.map(|folder| folder.join(name));
    found.filter(|path| path.is_file()).with_context(|| {
        format!("no {name} beside this example: cargo build --release --bins --examples")
    })
}

impl Target {
    /// Govorun: the one that runs, or a new one.
    pub(crate) async fn server(
        arguments: &Arguments,
        place: &Place,
        ami: SocketAddr,
        recognizer: &Recognizer,
    ) -> anyhow::Result<Self> {
        let name = "govorun";
        if let (Some(agi), Some(pid)) = (arguments.agi, arguments.pid) {
            let websocket = arguments.websocket;
            return Ok(Self {
                name,
                agi,
                pid,
                websocket,
                audio: None,
                _child: None,
            });
        }
        let (agi, http, audiosocket, websocket) = (free()?, free()?, free()?, free()?);
        let folder = place.folder.display();
        let config = format!(
            "language: en\nscripts:\n  folder: scripts\nstore: govorun.sqlite\nhttp:\n  listen: {http}\nasterisk:\n  ami: {ami}\n  \
             user: govorun\n  secret: secret\n  agi_listen: {agi}\n  our_host: 127.0.0.1\n  sounds: {folder}/asterisk-sounds\n  \
             sounds_in_asterisk: {folder}/asterisk-sounds\n  recordings: {folder}/recordings\n  recordings_in_asterisk: {folder}/recordings\n\
             media:\n  kind: {}\n  audiosocket_listen: {audiosocket}\n  websocket_listen: {websocket}\n\
             recognizers:\n  - kind: vosk\n    name: double\n    url: ws://{}\n    reset_on_end: true\n  - kind: typed\ncalls:\n  at_once: {}\n",
            arguments.media.as_str(),
            recognizer.address,
            // Those that end count until Asterisk has told of it.
            arguments.calls * 2 + 50,
        );
        let file = place.folder.join("govorun.yaml");
        std::fs::write(&file, config)?;
        let program = match &arguments.server {
            Some(program) => program.clone(),
            None => beside("govorun")?,
        };
        let log = std::fs::File::create(place.folder.join("server.log"))?;
        let child = Command::new(&program)
            .args(["serve", "-c"])
            .arg(&file)
            .env("RUST_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| program.display().to_string())?;
        let pid = child.id().context("the server ended at once")?;
        let mut target = Self {
            name,
            agi,
            pid,
            websocket: Some(websocket),
            audio: Some(audiosocket),
            _child: Some(child),
        };
        target.wait_for_port(place).await?;
        Ok(target)
    }

    async fn wait_for_port(&mut self, place: &Place) -> anyhow::Result<()> {
        let until = tokio::time::Instant::now() + UP;
        while tokio::net::TcpStream::connect(self.agi).await.is_err() {
            let ended = match &mut self._child {
                Some(child) => child.try_wait()?,
                None => None,
            };
            if ended.is_some() || tokio::time::Instant::now() > until {
                let log = std::fs::read_to_string(place.folder.join("server.log"));
                bail!("the server did not start:\n{}", log.unwrap_or_default());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Waits until it has logged in to our AMI and picked its medium.
    pub(crate) async fn wait_for_login(&self, asterisk: &FakeAsterisk) -> anyhow::Result<()> {
        let asked = |entries: &[govorun::rehearsal::asterisk::Entry]| {
            let module =
                |what: &What| matches!(what, What::Action { name } if name == "ModuleCheck");
            entries
                .iter()
                .any(|entry| module(&entry.what))
                .then_some(())
        };
        let record = asterisk.record();
        record
            .until(UP, asked)
            .await
            .context("the server did not log in to AMI")?;
        tokio::time::sleep(Duration::from_millis(500)).await;
        Ok(())
    }

    /// The bare server.
    pub(crate) async fn floor() -> anyhow::Result<Self> {
        let mut child = Command::new(beside("examples/floor")?)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let pid = child.id().context("the floor ended at once")?;
        let output = child.stdout.take().context("the floor's output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).await?;
        let agi = line
            .trim()
            .strip_prefix("agi ")
            .context("the floor's address")?
            .parse()?;
        Ok(Self {
            name: "floor",
            agi,
            pid,
            websocket: None,
            audio: None,
            _child: Some(child),
        })
    }
}
