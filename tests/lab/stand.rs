//! What a test needs besides the server: Asterisks, a recognizer, ports of its own. Everything that is started here ends
//! with the test, and with its process too, however that dies.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use govorun::ident::Secret;
use govorun::net::ami::{Ami, AmiConfig};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// Asterisk answers within this.
pub const SOON: Duration = Duration::from_secs(10);

fn script_path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/lab")
        .join(name)
}

/// Says that something was not tested, so that nobody takes it for a pass.
pub fn skip(what: &str) {
    static SKIPPED: AtomicUsize = AtomicUsize::new(0);
    assert!(
        std::env::var_os("GOVORUN_LAB_REQUIRED").is_none_or(|v| v.is_empty() || v == "0"),
        "GOVORUN_LAB_REQUIRED is set, and the lab has no {what}"
    );
    let count = SKIPPED.fetch_add(1, Ordering::Relaxed) + 1;
    println!("\nSKIP: no {what} in the lab: run tests/lab/setup.sh ({count} skipped so far)");
}

/// Runs a script of the lab; whether what it starts could be had.
fn run(name: &str, args: &[&str]) -> bool {
    let done = Command::new(script_path(name))
        .args(args)
        .stdout(Stdio::null())
        .output()
        .unwrap();
    match done.status.code() {
        Some(0) => true,
        Some(77) => false,
        _ => panic!(
            "{name} {args:?}: {}\n{}",
            done.status,
            String::from_utf8_lossy(&done.stderr)
        ),
    }
}

fn env_file(folder: &Path) -> HashMap<String, String> {
    let text = std::fs::read_to_string(folder.join("lab.env")).unwrap();
    text.lines()
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.to_owned(), value.trim_matches(['\'', '"']).to_owned()))
        .collect()
}

/// A hundred ports that no other run of these tests has.
#[derive(Debug)]
pub struct Ports {
    pub base: u16,
    _lock: File,
}

impl Ports {
    pub fn take() -> Self {
        let folder = std::env::temp_dir().join("govorun-lab-ports");
        std::fs::create_dir_all(&folder).unwrap();
        for base in (12_000..16_800).step_by(100) {
            let lock = File::create(folder.join(base.to_string())).unwrap();
            if lock.try_lock().is_ok() {
                return Self { base, _lock: lock };
            }
        }
        panic!("no ports left: too many labs run at once");
    }
}

/// Runs `down.sh` when it is dropped, or when this process is gone: a pipe tells it. It is there before what it guards, and
/// looks twice: what was being started when this process was killed comes up a moment later.
#[derive(Debug)]
struct Guardian {
    _told_by_its_pipe: Child,
    folder: PathBuf,
}

impl Guardian {
    fn of(folder: &Path) -> Self {
        let child = Command::new("setsid")
            .args([
                "bash",
                "-c",
                "cat >/dev/null; \"$0\" \"$1\"; sleep 5; \"$0\" \"$1\"",
            ])
            .arg(script_path("down.sh"))
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self {
            _told_by_its_pipe: child,
            folder: folder.to_owned(),
        }
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        let down = Command::new(script_path("down.sh"))
            .arg(&self.folder)
            .output();
        drop(down);
    }
}

/// The recognizer: Whisper behind the Vosk protocol.
#[derive(Debug)]
pub struct Ears {
    pub url: String,
    _guardian: Guardian,
    _folder: TempDir,
    _place: File,
}

impl Ears {
    /// One beside others: its words come, when they come.
    pub fn start() -> Option<Self> {
        Self::on(|place| place.lock_shared())
    }

    /// One that has the machine's decoding to itself, for what is decided on words so far. Waits until it can.
    pub fn alone() -> Option<Self> {
        Self::on(File::lock)
    }

    fn on(taken: impl FnOnce(&File) -> std::io::Result<()>) -> Option<Self> {
        let place = File::create(std::env::temp_dir().join("govorun-lab-ears")).unwrap();
        taken(&place).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let guardian = Guardian::of(folder.path());
        if !run("asr_up.sh", &["0", folder.path().to_str().unwrap()]) {
            skip("recognizer");
            return None;
        }
        let env = env_file(folder.path());
        Some(Self {
            url: format!("ws://127.0.0.1:{}", env["ASR_PORT"]),
            _guardian: guardian,
            _folder: folder,
            _place: place,
        })
    }
}

/// One Asterisk.
#[derive(Debug)]
pub struct Asterisk {
    pub version: &'static str,
    pub env: HashMap<String, String>,
    args: Vec<String>,
    _guardian: Guardian,
    folder: TempDir,
    pub ports: Ports,
}

impl Asterisk {
    /// Starts one whose SIP trunk leads to `peer`.
    fn start(version: &'static str, ports: Ports, peer: u16, steady: bool) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let guardian = Guardian::of(folder.path());
        let dir = folder.path().to_str().unwrap().to_owned();
        let media = (ports.base + 90).to_string();
        let mut args = [
            version,
            &ports.base.to_string(),
            &dir,
            "--peer",
            &peer.to_string(),
            "--media",
            &media,
        ]
        .map(str::to_owned)
        .to_vec();
        if steady {
            args.push("--steady".to_owned());
        }
        if !run(
            "up.sh",
            &args.iter().map(String::as_str).collect::<Vec<_>>(),
        ) {
            skip(&format!("Asterisk {version}"));
            return None;
        }
        Some(Self {
            version,
            env: env_file(folder.path()),
            args,
            _guardian: guardian,
            folder,
            ports,
        })
    }

    /// The one to be tested, and one of the same version as the far end of its trunk. People behind the trunk send audio
    /// without a gap, as telephones do; the tested one's own send none while they are silent.
    pub fn pair(version: &'static str) -> Option<(Self, Self)> {
        let (ours, theirs) = (Ports::take(), Ports::take());
        let (our_base, their_base) = (ours.base, theirs.base);
        let tested = Self::start(version, ours, their_base, false)?;
        let far = Self::start(version, theirs, our_base, true)?;
        Some((tested, far))
    }

    /// One alone, its trunk leads nowhere.
    pub fn alone(version: &'static str) -> Option<Self> {
        let ports = Ports::take();
        let nobody = ports.base + 95;
        Self::start(version, ports, nobody, false)
    }

    /// A port of its own that nothing else uses.
    pub fn port(&self, offset: u16) -> u16 {
        self.ports.base + offset
    }

    pub fn folder(&self) -> &str {
        self.folder.path().to_str().unwrap()
    }

    /// Kills it as a crash would.
    pub fn kill(&self) {
        run("down.sh", &[self.folder(), "--kill"]);
    }

    /// Starts it again after [`Self::kill`].
    pub fn start_again(&self) {
        assert!(run(
            "up.sh",
            &self.args.iter().map(String::as_str).collect::<Vec<_>>()
        ));
    }

    /// A command of its console.
    pub fn console(&self, command: &str) -> String {
        let done = Command::new("chroot")
            .arg(&self.env["LAB_ROOT"])
            .args(["asterisk", "-C", &self.env["LAB_CONF_ASTERISK"], "-rx"])
            .arg(command)
            .output()
            .unwrap();
        String::from_utf8_lossy(&done.stdout).into_owned()
    }

    /// How many channels live.
    pub fn channels(&self) -> usize {
        let told = self.console("core show channels count");
        let count = told.lines().find_map(|line| {
            line.strip_suffix(" active channels")
                .or(line.strip_suffix(" active channel"))
        });
        count
            .and_then(|n| n.trim().parse().ok())
            .unwrap_or_else(|| panic!("{told}"))
    }

    /// Waits until no channel lives any more: nothing of ours may stay behind.
    pub async fn quiet(&self) {
        let mut left = 0;
        // A hang-up that was lost is said again after 2 s, on a busy machine a little later.
        for _ in 0..100 {
            left = self.channels();
            if left == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let list = self.console("core show channels concise");
        panic!(
            "{left} channels stay behind in Asterisk {}:\n{list}",
            self.version
        );
    }

    /// Its log, with every step of its dialplan.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.env["LAB_LOG"]).unwrap()).into_owned()
    }

    /// Incoming calls go to this FastAGI server.
    pub fn calls_go_to(&self, agi: std::net::SocketAddr) {
        self.console(&format!("dialplan set global GOVORUN_AGI agi://{agi}"));
    }

    /// A manager connection of the test's own.
    pub async fn ami(&self) -> (Ami, tokio_util::sync::DropGuard) {
        self.ami_with("system,call,dtmf,user").await
    }

    /// The same, for these classes of events.
    pub async fn ami_with(&self, events: &str) -> (Ami, tokio_util::sync::DropGuard) {
        let stop = CancellationToken::new();
        let mut config = AmiConfig::new(
            format!("127.0.0.1:{}", self.env["LAB_AMI_PORT"]),
            &self.env["LAB_AMI_USER"],
            Secret::new(self.env["LAB_AMI_SECRET"].as_str()),
        );
        config.events = events.to_owned();
        let (ami, _) = Ami::start(config, stop.clone());
        ami.up(SOON).await.unwrap();
        (ami, stop.drop_guard())
    }

    /// Did it load our configuration without a word of complaint?
    pub fn check_conf(&self) {
        let done = Command::new(script_path("conf_check.sh"))
            .arg(self.folder())
            .output()
            .unwrap();
        assert!(
            done.status.success(),
            "Asterisk {}:\n{}{}",
            self.version,
            String::from_utf8_lossy(&done.stdout),
            String::from_utf8_lossy(&done.stderr)
        );
    }
}

/// A line of the report.
pub fn row(case: &str, medium: &str, version: &str, way: &str, result: &str) {
    println!("ROW | {case} | {medium} | {version} | {way} | {result} |");
}
