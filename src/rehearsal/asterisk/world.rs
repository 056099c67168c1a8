//! What all parts of the double share: its channels, its AMI clients, its faults, its record.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::audio::wav;
use crate::wire::ami::Packet;
use crate::wire::line;

use super::channel::Channel;
use super::record::Record;
use super::{FarEnd, Options};

/// Packets that an AMI client may lag behind before it is dropped, as Asterisk does.
pub(super) const MANAGER_QUEUE: usize = 4096;
/// Prompt lengths that are remembered.
const LENGTHS: usize = 4096;

/// A lock that a panicking test can't poison.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What may go wrong on demand.
#[derive(Debug, Default)]
pub(super) struct Faults {
    refuse_logins: AtomicBool,
    mute: AtomicBool,
    delay_ms: AtomicU64,
    agi_late_ms: AtomicU64,
    refuse_media: AtomicU32,
}

impl Faults {
    pub(super) fn set_refuse_logins(&self, refuse: bool) {
        self.refuse_logins.store(refuse, Ordering::Relaxed);
    }

    pub(super) fn refuses_logins(&self) -> bool {
        self.refuse_logins.load(Ordering::Relaxed)
    }

    pub(super) fn set_mute(&self, mute: bool) {
        self.mute.store(mute, Ordering::Relaxed);
    }

    pub(super) fn is_mute(&self) -> bool {
        self.mute.load(Ordering::Relaxed)
    }

    pub(super) fn set_delay(&self, delay: Duration) {
        let ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        self.delay_ms.store(ms, Ordering::Relaxed);
    }

    pub(super) async fn wait(&self) {
        wait(&self.delay_ms).await;
    }

    pub(super) fn set_agi_late(&self, late: Duration) {
        let ms = u64::try_from(late.as_millis()).unwrap_or(u64::MAX);
        self.agi_late_ms.store(ms, Ordering::Relaxed);
    }

    /// Before an AGI command is done.
    pub(super) async fn wait_for_agi(&self) {
        wait(&self.agi_late_ms).await;
    }

    pub(super) fn set_refuse_media(&self, times: u32) {
        self.refuse_media.store(times, Ordering::Relaxed);
    }

    /// Counts one down.
    pub(super) fn refuses_media(&self) -> bool {
        let (set, read) = (Ordering::Relaxed, Ordering::Relaxed);
        let one_less = |left: u32| left.checked_sub(1);
        self.refuse_media.fetch_update(set, read, one_less).is_ok()
    }
}

async fn wait(ms: &AtomicU64) {
    let ms = ms.load(Ordering::Relaxed);
    if ms > 0 {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
}

/// An AMI client that is logged in.
#[derive(Debug)]
struct Manager {
    number: u64,
    /// Classes of events that it wants.
    wants: Wants,
    packets: mpsc::Sender<Arc<[u8]>>,
    cut: CancellationToken,
}

/// The classes of events that a client asked for at its login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wants(Vec<String>);

impl Wants {
    /// From the `Events:` line: `on`, `off` or a list.
    pub(super) fn parse(text: &str) -> Self {
        Self(text.split(',').map(|c| c.trim().to_owned()).collect())
    }

    fn has(&self, class: &str) -> bool {
        let all = |c: &String| c == "on" || c == "all" || c.is_empty();
        self.0.iter().any(|c| c == class || all(c))
    }
}

/// The double's state. Tasks hold it by `Arc`; it ends when [`super::FakeAsterisk`] is dropped.
pub(super) struct World {
    pub(super) options: Options,
    pub(super) record: Record,
    pub(super) faults: Faults,
    pub(super) websocket: Mutex<Option<SocketAddr>>,
    channels: Mutex<HashMap<String, Arc<Channel>>>,
    managers: Mutex<Vec<Manager>>,
    /// Ends what belongs to this life of Asterisk; replaced by a restart.
    life: Mutex<CancellationToken>,
    /// Ends for good.
    pub(super) over: CancellationToken,
    numbers: AtomicU64,
    lengths: Mutex<HashMap<PathBuf, (SystemTime, u64)>>,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World")
            .field("channels", &locked(&self.channels).len())
            .finish_non_exhaustive()
    }
}

impl World {
    pub(super) fn new(options: Options) -> Self {
        let over = CancellationToken::new();
        Self {
            websocket: Mutex::new(options.websocket),
            life: Mutex::new(over.child_token()),
            over,
            options,
            record: Record::default(),
            faults: Faults::default(),
            channels: Mutex::default(),
            managers: Mutex::default(),
            numbers: AtomicU64::new(0),
            lengths: Mutex::default(),
        }
    }

    /// Asterisk's major version.
    pub(super) fn major(&self) -> u32 {
        let digits = self.options.asterisk_version.split('.').next();
        digits.and_then(|text| text.parse().ok()).unwrap_or(22)
    }

    pub(super) fn has_module(&self, name: &str) -> bool {
        let name = name.trim_end_matches(".so");
        self.options.modules.iter().any(|module| module == name)
    }

    pub(super) fn far_end(&self, number: &str) -> FarEnd {
        (self.options.far_end)(number)
    }

    /// A number that no other thing has.
    pub(super) fn next_number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Runs `work` until it ends or this life of Asterisk does.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let life = locked(&self.life).clone();
        tokio::spawn(async move {
            // In this order: who dies has no last word.
            tokio::select! {
                biased;
                () = life.cancelled() => {}
                () = work => {}
            }
        });
    }

    /// The current life's token.
    pub(super) fn life(&self) -> CancellationToken {
        locked(&self.life).clone()
    }

    /// All dies at once.
    pub(super) fn die(&self) {
        let old = std::mem::replace(&mut *locked(&self.life), self.over.child_token());
        locked(&self.managers).clear();
        let channels = std::mem::take(&mut *locked(&self.channels));
        old.cancel();
        for channel in channels.into_values() {
            // The dead say no HANGUP: the connection goes first.
            channel.cut_agi.cancel();
            channel.hung.cancel();
            channel.gone.cancel();
        }
    }

    /// For good.
    pub(super) fn end(&self) {
        self.over.cancel();
        self.die();
    }

    /// Adds a channel; false where its id is taken.
    pub(super) fn enter(&self, channel: &Arc<Channel>) -> bool {
        let mut channels = locked(&self.channels);
        if channels.contains_key(&channel.id) {
            return false;
        }
        channels.insert(channel.id.clone(), Arc::clone(channel));
        true
    }

    pub(super) fn leave(&self, channel: &Channel) {
        locked(&self.channels).remove(&channel.id);
        channel.gone.cancel();
    }

    /// By its unique id or its name.
    pub(super) fn find(&self, id_or_name: &str) -> Option<Arc<Channel>> {
        let channels = locked(&self.channels);
        let found = channels.get(id_or_name);
        let found = found.or_else(|| channels.values().find(|c| c.name == id_or_name));
        found.cloned()
    }

    pub(super) fn ids(&self) -> Vec<String> {
        let channels = locked(&self.channels);
        let calls = channels.values().filter(|channel| !channel.is_side);
        calls.map(|channel| channel.id.clone()).collect()
    }

    pub(super) fn all_channels(&self) -> Vec<Arc<Channel>> {
        locked(&self.channels).values().cloned().collect()
    }

    /// A client logged in; gives its number.
    pub(super) fn enlist(
        &self,
        wants: Wants,
        packets: mpsc::Sender<Arc<[u8]>>,
        cut: CancellationToken,
    ) -> u64 {
        let number = self.next_number();
        locked(&self.managers).push(Manager {
            number,
            wants,
            packets,
            cut,
        });
        number
    }

    pub(super) fn dismiss(&self, number: u64) {
        locked(&self.managers).retain(|manager| manager.number != number);
    }

    pub(super) fn drop_managers(&self) {
        for manager in locked(&self.managers).drain(..) {
            manager.cut.cancel();
        }
    }

    /// Bytes to every client, whatever it wants.
    pub(super) fn to_managers(&self, bytes: &[u8]) {
        let bytes: Arc<[u8]> = bytes.into();
        self.send(|_| true, &bytes);
    }

    /// An event of a class (`call`, `dtmf`, `agi`, `system`, `dialplan`, `user`) to those who want it.
    pub(super) fn emit<'a>(
        &self,
        class: &str,
        name: &str,
        pairs: impl IntoIterator<Item = (&'a str, String)>,
    ) {
        if self.faults.is_mute() || locked(&self.managers).is_empty() {
            return;
        }
        let all = [
            ("Event", name.to_owned()),
            ("Privilege", format!("{class},all")),
        ];
        let bytes: Arc<[u8]> = packet(all.into_iter().chain(pairs)).into();
        self.send(|wants| wants.has(class), &bytes);
    }

    fn send(&self, to: impl Fn(&Wants) -> bool, bytes: &Arc<[u8]>) {
        locked(&self.managers).retain(|manager| {
            if !to(&manager.wants) {
                return true;
            }
            let sent = manager.packets.try_send(Arc::clone(bytes)).is_ok();
            if !sent {
                manager.cut.cancel();
            }
            sent
        });
    }

    /// Where a prompt is on this disk, without its ending.
    pub(super) fn prompt_path(&self, name: &str) -> PathBuf {
        let path = Path::new(name);
        match &self.options.sounds {
            Some(folder) if path.is_relative() => folder.join(path),
            _ => path.to_owned(),
        }
    }

    /// How long a prompt plays, milliseconds; nothing if there is no such file.
    pub(super) async fn prompt_ms(&self, name: &str) -> Option<u64> {
        let mut path = self.prompt_path(name).into_os_string();
        path.push(".wav");
        let path = PathBuf::from(path);
        let changed = tokio::fs::metadata(&path).await.ok()?.modified().ok()?;
        if let Some((seen, ms)) = locked(&self.lengths).get(&path)
            && *seen == changed
        {
            return Some(*ms);
        }
        let bytes = tokio::fs::read(&path).await.ok()?;
        let ms = wav::decode(name, &bytes).ok()?.duration_ms();
        let mut lengths = locked(&self.lengths);
        if lengths.len() >= LENGTHS {
            lengths.clear();
        }
        lengths.insert(path, (changed, ms));
        Some(ms)
    }
}

/// A packet's bytes; what can't stand in one line is made to.
pub(super) fn packet<'a>(pairs: impl IntoIterator<Item = (&'a str, String)>) -> Vec<u8> {
    let pairs: Vec<(&str, String)> = pairs
        .into_iter()
        .map(|(key, value)| (key, line::one_line(&value)))
        .collect();
    let mut bytes = Vec::with_capacity(512);
    if let Ok(packet) = Packet::from_pairs(pairs.iter().map(|(k, v)| (*k, v.as_str()))) {
        packet.encode_into(&mut bytes);
    }
    bytes
}
