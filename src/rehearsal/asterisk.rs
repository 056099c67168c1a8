//! A double of Asterisk that speaks real bytes over loopback: AMI, FastAGI, taps and both-way media.
//!
//! ```text
//!   our AMI client ──▶ manager ─ Originate ─▶ dialing ─▶ person (a FarEnd's steps) ─▶ voice ─▶ taps ──▶ our media server
//!                        ▲                        │                                     ▲
//!                        └── events ── world ◀────┴─▶ agi ──▶ our FastAGI server ── exec (AudioSocket, Dial)
//! ```
//!
//! What it does is what Asterisk 16.28 and 22.10.1 were seen to do; what they were not seen to do, it doesn't.
//! [`far_end`], [`playback`], [`meter`] and the folding in [`record`] are pure; the rest is sockets and tasks.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use govorun::rehearsal::asterisk::{FakeAsterisk, FarEnd, Options};
//!
//! let asterisk = FakeAsterisk::start(Options::new(|number| match number {
//!     "79000000001" => FarEnd::busy(),
//!     _ => FarEnd::answers().until_prompt_ends().hang_up(),
//! })).await?;
//! println!("AMI is at {}", asterisk.ami_addr());
//! # Ok(())
//! # }
//! ```

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::audio::Sound;
use crate::ident::Secret;

mod actions;
mod agi;
mod both_ways;
mod channel;
mod dialing;
mod exec;
pub mod far_end;
mod manager;
pub mod meter;
mod person;
pub mod playback;
pub mod record;
mod taps;
#[cfg(test)]
mod tests;
mod voice;
mod websocket;
mod world;

pub use far_end::{FarEnd, Prompts, Refusal, Step};
pub use record::{CallRecord, Clock, Entry, HeardPrompt, HungUpBy, PromptEnd, Record, What};

use channel::Channel;
use world::World;

/// Who answers a dialed number (digits with an optional plus).
pub type Directory = Arc<dyn Fn(&str) -> FarEnd + Send + Sync>;

/// What the double is.
#[derive(Clone)]
pub struct Options {
    /// Where AMI listens; port 0 for any.
    pub ami_listen: SocketAddr,
    /// The version in AMI's banner.
    pub ami_version: String,
    /// The version that CoreSettings tells.
    pub asterisk_version: String,
    /// Modules that ModuleCheck finds, without `.so`; taps need theirs.
    pub modules: Vec<String>,
    /// The section in manager.conf.
    pub user: String,
    /// Its secret.
    pub secret: Secret,
    /// Who answers which number.
    pub far_end: Directory,
    /// Where relative prompt names are looked for. Absolute ones are taken as they are.
    pub sounds: Option<PathBuf>,
    /// Where relative recordings are written.
    pub recordings: Option<PathBuf>,
    /// Where `Dial(WebSocket/...)` connects to, as websocket_client.conf would say.
    pub websocket: Option<SocketAddr>,
    /// Prompts of AGI play so many times faster. The person's own sound stays in real time.
    pub prompt_speed: u32,
    /// The far end sends silence while nothing is said, as a telephone does; a Local channel sends nothing.
    pub steady: bool,
    /// Which payload `UnicastRTP/...` asks for is obeyed; this is the start of its timestamps and numbers.
    pub rtp_start: u16,
}

impl Options {
    /// Asterisk 22.10.1 with all taps, user `govorun`, secret `secret`, on a free port of loopback.
    pub fn new(far_end: impl Fn(&str) -> FarEnd + Send + Sync + 'static) -> Self {
        let modules = [
            "app_audiosocket",
            "chan_audiosocket",
            "res_audiosocket",
            "app_chanspy",
            "chan_rtp",
            "chan_websocket",
            "res_websocket_client",
            "res_agi",
            "app_mixmonitor",
        ];
        Self {
            ami_listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            ami_version: "11.0.0".to_owned(),
            asterisk_version: "22.10.1".to_owned(),
            modules: modules.map(str::to_owned).to_vec(),
            user: "govorun".to_owned(),
            secret: Secret::new("secret"),
            far_end: Arc::new(far_end),
            sounds: None,
            recordings: None,
            websocket: None,
            prompt_speed: 1,
            steady: true,
            rtp_start: 65_500,
        }
    }

    /// Asterisk 16.28 as Debian has it: no AudioSocket, no chan_websocket.
    #[must_use]
    pub fn version_16(mut self) -> Self {
        self.ami_version = "5.0.4".to_owned();
        self.asterisk_version = "16.28.0~dfsg-0+deb11u4".to_owned();
        self.modules
            .retain(|module| !module.contains("socket") && !module.contains("websocket"));
        self
    }

    /// With the third-party module app_audiofork.
    #[must_use]
    pub fn with_audiofork(mut self) -> Self {
        self.modules.push("app_audiofork".to_owned());
        self
    }
}

/// The double. Dropping it ends all that it runs.
#[derive(Debug)]
pub struct FakeAsterisk {
    world: Arc<World>,
    ami: SocketAddr,
    listening: watch::Sender<bool>,
}

impl FakeAsterisk {
    /// Starts it; fails where the port can't be had.
    pub async fn start(options: Options) -> io::Result<Self> {
        let listener = manager::listen(options.ami_listen)?;
        let ami = listener.local_addr()?;
        let world = Arc::new(World::new(options));
        let (listening, wanted) = watch::channel(true);
        tokio::spawn(manager::serve(Arc::clone(&world), ami, listener, wanted));
        Ok(Self {
            world,
            ami,
            listening,
        })
    }

    /// Where AMI listens. Stays the same after [`Self::restart`].
    pub fn ami_addr(&self) -> SocketAddr {
        self.ami
    }

    /// All that happened.
    pub fn record(&self) -> &Record {
        &self.world.record
    }

    /// The record's clock.
    pub fn clock(&self) -> Clock {
        self.world.record.clock()
    }

    /// Each call's record, in the order in which they began.
    pub fn calls(&self) -> Vec<CallRecord> {
        self.world.record.calls()
    }

    /// Waits for a call to satisfy `wanted`; `None` after 10 s.
    pub async fn call_that(&self, wanted: impl Fn(&CallRecord) -> bool) -> Option<CallRecord> {
        let limit = Duration::from_secs(10);
        self.world
            .record
            .until(limit, |entries| {
                record::calls(entries).into_iter().find(|call| wanted(call))
            })
            .await
    }

    /// Waits until a prompt of that name has begun in any call; gives it as it then stands. `None` after 10 s.
    pub async fn prompt_heard(&self, name: &str) -> Option<HeardPrompt> {
        let has = |call: &CallRecord| call.prompts.iter().any(|prompt| prompt.name == name);
        let call = self.call_that(has).await?;
        call.prompts.into_iter().find(|prompt| prompt.name == name)
    }

    /// Waits until `count` calls have ended; false after `limit`.
    pub async fn calls_ended(&self, count: usize, limit: Duration) -> bool {
        let ended = |entries: &[Entry]| {
            let over = |entry: &&Entry| matches!(entry.what, What::HungUp { .. });
            (entries.iter().filter(over).count() >= count).then_some(())
        };
        self.world.record.until(limit, ended).await.is_some()
    }

    /// Calls that stand, by their unique ids.
    pub fn channels(&self) -> Vec<String> {
        self.world.ids()
    }

    /// A call comes in: the dialplan runs `AGI(script)` (`agi://host:port/dialog`) for it. Gives its unique id.
    ///
    /// `far_end`'s steps begin when the call is answered: by AGI's ANSWER, or by the dialplan if `answered`.
    pub fn incoming(&self, script: &str, call: Incoming, far_end: FarEnd) -> String {
        dialing::incoming(&self.world, script, call, far_end)
    }

    /// A person on the line, for one who plays them by hand; `None` if there is no such call.
    pub fn line(&self, channel: &str) -> Option<PersonOnLine> {
        let channel = self.world.find(channel)?;
        let world = Arc::clone(&self.world);
        Some(PersonOnLine { world, channel })
    }

    /// Where `Dial(WebSocket/...)` connects to, from now on.
    pub fn set_websocket(&self, address: SocketAddr) {
        *world::locked(&self.world.websocket) = Some(address);
    }

    /// Cuts all AMI connections; calls go on.
    pub fn drop_ami(&self) {
        self.world.drop_managers();
    }

    /// Cuts all AMI connections and takes none until told otherwise.
    pub fn close_ami(&self, closed: bool) {
        self.listening.send_replace(!closed);
        if closed {
            self.world.drop_managers();
        }
    }

    /// Refuses every login from now on, or takes them again. Those who are in stay.
    pub fn refuse_logins(&self, refuse: bool) {
        self.world.faults.set_refuse_logins(refuse);
    }

    /// Reads AMI's actions and answers none, or answers again; no events either.
    pub fn mute_ami(&self, mute: bool) {
        self.world.faults.set_mute(mute);
    }

    /// Answers every action and AGI command so much later.
    pub fn delay_answers(&self, delay: Duration) {
        self.world.faults.set_delay(delay);
    }

    /// Takes every AGI command so much later, as a busy machine or a slow folder would: until then the channel is read, and
    /// ControlPlayback has no effect.
    pub fn take_agi_late(&self, late: Duration) {
        self.world.faults.set_agi_late(late);
    }

    /// Both-way media and taps can't be connected so many times from now on.
    pub fn refuse_media(&self, times: u32) {
        self.world.faults.set_refuse_media(times);
    }

    /// Sends these bytes to every AMI client.
    pub fn ami_garbage(&self, bytes: &[u8]) {
        self.world.to_managers(bytes);
    }

    /// Cuts a call's AGI connection as a crash would: no HANGUP line. The channel is hung up too.
    pub fn cut_agi(&self, channel: &str) {
        if let Some(channel) = self.world.find(channel) {
            channel.cut_agi.cancel();
        }
    }

    /// Cuts the connection that carries a call's sound, as a network would; the call goes on.
    pub fn cut_media(&self, channel: &str) {
        if let Some(channel) = self.world.find(channel) {
            channel.cut_media.notify_one();
        }
    }

    /// Sends these bytes as the next answer of a call's AGI.
    pub fn agi_garbage(&self, channel: &str, bytes: &[u8]) {
        if let Some(channel) = self.world.find(channel) {
            *world::locked(&channel.garbage) = Some(bytes.to_vec());
        }
    }

    /// Asterisk dies with all its calls and connections, without a word, and is there again after `down`.
    pub async fn restart(&self, down: Duration) {
        self.listening.send_replace(false);
        self.world.die();
        tokio::time::sleep(down).await;
        self.listening.send_replace(true);
    }
}

impl Drop for FakeAsterisk {
    fn drop(&mut self) {
        self.world.end();
    }
}

/// A call that comes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// Who calls.
    pub caller: String,
    /// The number that they called.
    pub called: String,
    /// The dialplan has answered before AGI.
    pub answered: bool,
}

impl Default for Incoming {
    fn default() -> Self {
        Self {
            caller: "79001234567".to_owned(),
            called: "74950000000".to_owned(),
            answered: false,
        }
    }
}

/// A person on the line, played by hand: the demo's terminal, or a test.
#[derive(Clone, Debug)]
pub struct PersonOnLine {
    world: Arc<World>,
    channel: Arc<Channel>,
}

impl PersonOnLine {
    /// The call's unique id.
    pub fn channel(&self) -> &str {
        &self.channel.id
    }

    /// Says something and waits until it is said, or the call is over.
    pub async fn say(&self, sound: &Sound) {
        person::say(&self.world, &self.channel, sound).await;
    }

    /// Presses a key.
    pub fn digit(&self, digit: char) {
        person::press(&self.world, &self.channel, digit);
    }

    /// Hangs up.
    pub fn hang_up(&self) {
        self.channel.hang_up(16, HungUpBy::Person);
    }

    /// Waits until all of the call is over: AGI has let go of it, and AMI has told its `Hangup`.
    pub async fn gone(&self) {
        self.channel.gone.cancelled().await;
    }

    /// Waits for the hang-up, whoever's.
    pub async fn ended(&self) {
        self.channel.hung.cancelled().await;
    }

    /// Waits until so many prompts have begun (`started`) and ended; false if the call ended first.
    pub async fn until_prompts(&self, wanted: Prompts) -> bool {
        let reached = |now: &Prompts| now.started >= wanted.started && now.ended >= wanted.ended;
        self.channel.until_prompts(reached).await
    }
}
