//! From YAML to usable settings, section by section; all mistakes are told together.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use super::fault::{ConfigFault, Wanted, Wrong};
use super::node::{self, Place, Value};
use super::table::{Reader, Spot, Table};
use super::{Config, Language, MediaKind, RecognizerConfig, SpeechOnly, VoiceConfig};
use crate::ident::Secret;

/// What settings are read against, beside their text: so that a test needs neither variables nor folders.
#[derive(Clone, Copy)]
pub struct Surroundings<'s> {
    /// Looks up `${NAME}`.
    pub env: &'s dyn Fn(&str) -> Option<String>,
    /// Whether a folder is there.
    pub is_folder: &'s dyn Fn(&Path) -> bool,
    /// Whether the program was built with the cargo feature `sherpa`.
    pub has_sherpa: bool,
}

/// Most entries of any list of the settings.
const MAX_LIST: usize = 100;

const SECOND: u64 = 1000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Reads the settings of `file` whose text is `text`. Relative paths in it are relative to its folder.
///
/// # Errors
/// Every mistake that is in it, in the order of their lines.
pub fn read(text: &str, file: &Path, around: Surroundings) -> Result<Config, Vec<ConfigFault>> {
    let (config, reader) = read_noting(text, file, around);
    if reader.faults.is_empty() {
        return Ok(config);
    }
    let mut faults = reader.faults;
    faults.sort_by_key(|f| (f.line, f.column));
    Err(faults)
}

pub(super) fn read_noting<'s>(
    text: &str,
    file: &Path,
    around: Surroundings<'s>,
) -> (Config, Reader<'s>) {
    let mut reader = Reader {
        file: file.to_owned(),
        language: Language::Ru,
        around,
        faults: Vec::new(),
        asked: Default::default(),
        places: Default::default(),
    };
    let mut config = Config::default();
    let root = match node::parse(text) {
        Ok(root) => root,
        Err(broken) => {
            reader.fault(broken.at, "", Wrong::NotYaml(broken.message));
            return (config, reader);
        }
    };
    // The language comes first: it is the one that the other mistakes are told in.
    if let Value::Map(entries) = &root.value {
        let english = |value: &Value| *value == Value::Text("en".to_owned());
        let named = |key: &Value| *key == Value::Text("language".to_owned());
        if entries
            .iter()
            .any(|(key, value)| named(&key.value) && english(&value.value))
        {
            reader.language = Language::En;
        }
    }
    reader.config(&root, &mut config);
    (config, reader)
}

pub(super) fn set<T>(target: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *target = value;
    }
}

/// How long it may ring.
pub(super) const RING_MS: std::ops::RangeInclusive<u64> = SECOND..=10 * MINUTE;

/// `set!(reader, table, "key", kind(arguments) => target)`: reads `key`, if it is there, into `target`.
macro_rules! set {
    ($r:ident, $t:ident, $key:literal, $kind:ident($($arg:expr),*) => $target:expr) => {
        if let Some(spot) = $r.spot(&mut $t, $key) {
            let value = $r.$kind(&spot $(, $arg)*);
            set(&mut $target, value);
        }
    };
}

impl Reader<'_> {
    fn config(&mut self, root: &node::Node, c: &mut Config) {
        let mut top = self.table("", Some(root));
        set!(self, top, "language", word(&[("ru", Language::Ru), ("en", Language::En)]) => c.language);
        self.scripts(&mut top, c);
        set!(self, top, "store", path() => c.store);
        if !self.has_place("store") {
            c.store = self.beside(&c.store);
        }
        if let Some(parent) = c.store.parent() {
            self.folder("store", parent);
        }
        self.http(&mut top, c);
        self.asterisk(&mut top, c);
        if let Some(spot) = self.spot(&mut top, "trunks") {
            c.trunks = self.trunks(&spot, &c.asterisk);
            // Transfers go where the first trunk does, unless a channel is written.
            if let (Some(first), false) = (c.trunks.first(), self.has_place("asterisk.channel")) {
                c.asterisk.channel.clone_from(&first.channel);
            }
        }
        self.media(&mut top, c);
        if let Some(spot) = self.spot(&mut top, "recognizers") {
            c.recognizers = self.recognizers(&spot);
        }
        if let Some(spot) = self.spot(&mut top, "voices") {
            c.voices = self.voices(&spot);
        }
        self.calls(&mut top, c);
        self.rules(&mut top, c);
        self.web(&mut top, c);
        self.history(&mut top, c);
        self.finish(&top);
        self.ports(c);
    }

    fn has_place(&self, key: &str) -> bool {
        self.places.contains_key(key)
    }

    fn place(&self, key: &str) -> Place {
        self.places.get(key).copied().unwrap_or_default()
    }

    /// Tells where a folder isn't there. The folder that is meant by an empty path is the one we are in.
    fn folder(&mut self, key: &str, folder: &Path) {
        if !folder.as_os_str().is_empty() && !(self.around.is_folder)(folder) {
            let at = self.place(key);
            self.fault(at, key, Wrong::NoFolder(folder.to_owned()));
        }
    }

    fn scripts(&mut self, top: &mut Table, c: &mut Config) {
        let mut t = self.section(top, "scripts");
        c.scripts.folder = self.beside(&c.scripts.folder);
        set!(self, t, "folder", path() => c.scripts.folder);
        self.folder("scripts.folder", &c.scripts.folder.clone());
        if let Some(spot) = self.spot(&mut t, "poll") {
            // Nothing between 0 and a tenth of a second: reading a folder that often helps nobody.
            let least = if matches!(spot.node.value, Value::Int(0)) {
                0
            } else {
                100
            };
            let value = self.duration(&spot, least..=HOUR);
            set(&mut c.scripts.poll_ms, value);
        }
        self.finish(&t);
    }

    fn http(&mut self, top: &mut Table, c: &mut Config) {
        let mut t = self.section(top, "http");
        set!(self, t, "listen", address() => c.http.listen);
        if let Some(spot) = self.spot(&mut t, "tokens") {
            for place in self.places_of(&spot) {
                if let Some(token) = self.token(&place) {
                    c.http.tokens.push(Secret::new(token));
                }
            }
        }
        if let Some(spot) = self.spot(&mut t, "users") {
            for (name, place) in self.free_entries(&spot) {
                if let Some(bad) = name.chars().find(|c| *c == ':' || c.is_control()) {
                    self.fault(place.node.at, &place.path, Wrong::Char(bad));
                } else if let Some(password) = self.words(&place) {
                    c.http.users.push((name, Secret::new(password)));
                }
            }
        }
        c.http.callback = self.callback(&mut t);
        self.finish(&t);
        // Asked of what is written, not of what could be read: a mistake in a token is told once.
        if !t.has("tokens") && !t.has("users") && !c.http.listen.ip().is_loopback() {
            self.fault(self.place("http.listen"), "http.listen", Wrong::OpenToAll);
        }
    }

    /// A Bearer token: what can stand in a header.
    pub(super) fn token(&mut self, spot: &Spot) -> Option<String> {
        let token = self.words(spot)?;
        if let Some(bad) = token.chars().find(|c| !c.is_ascii_graphic()) {
            self.fault(spot.node.at, &spot.path, Wrong::Char(bad));
            return None;
        }
        Some(token)
    }

    fn asterisk(&mut self, top: &mut Table, c: &mut Config) {
        let mut t = self.section(top, "asterisk");
        let a = &mut c.asterisk;
        set!(self, t, "ami", host_port() => a.ami);
        set!(self, t, "user", words() => a.user);
        if t.has("secret") {
            if let Some(spot) = self.spot(&mut t, "secret") {
                set(&mut a.secret, self.words(&spot).map(Secret::new));
            }
        } else {
            self.spot(&mut t, "secret");
            self.missing(&t, "secret");
        }
        set!(self, t, "agi_listen", address() => a.agi_listen);
        set!(self, t, "our_host", host() => a.our_host);
        set!(self, t, "channel", channel() => a.channel);
        set!(self, t, "caller_id", text() => a.caller_id);
        set!(self, t, "ring_timeout", duration(RING_MS) => a.ring_timeout_ms);
        set!(self, t, "transfer_channel", channel() => a.transfer_channel);
        set!(self, t, "sounds", path() => a.sounds);
        set!(self, t, "recordings", path() => a.recordings);
        for (key, path) in [
            ("asterisk.sounds", &a.sounds),
            ("asterisk.recordings", &a.recordings),
        ] {
            // We make the folder itself where it isn't there; what it is in has to be there.
            if self.has_place(key) && !(self.around.is_folder)(path) {
                self.folder(key, path.parent().unwrap_or(path));
            }
        }
        let same = |path: &PathBuf| {
            std::path::absolute(path)
                .unwrap_or_else(|_| path.clone())
                .display()
                .to_string()
        };
        a.sounds_in_asterisk = same(&a.sounds);
        a.recordings_in_asterisk = same(&a.recordings);
        set!(self, t, "sounds_in_asterisk", words() => a.sounds_in_asterisk);
        set!(self, t, "recordings_in_asterisk", words() => a.recordings_in_asterisk);
        if let Some(spot) = self.spot(&mut t, "recording_channels") {
            let channels = self.whole(&spot, 1..=2).and_then(|n| u8::try_from(n).ok());
            set(&mut a.recording_channels, channels);
        }
        set!(self, t, "websocket_client", name() => a.websocket_client);
        self.finish(&t);
    }

    /// A channel's template. Empty only where it may be left out; the strict check of its form is the dialer's own.
    pub(super) fn channel(&mut self, spot: &Spot) -> Option<String> {
        let template = self.text(spot)?;
        let wrong = if template.is_empty() {
            return Some(template);
        } else if !template.contains("{phone}") && !template.contains("{digits}") {
            Wrong::NoPhone
        } else if let Some(bad) = template.chars().find(|c| "&,|\"' ".contains(*c)) {
            Wrong::Char(bad)
        } else {
            return Some(template);
        };
        self.fault(spot.node.at, &spot.path, wrong);
        None
    }

    /// A name that stands in commands and addresses: letters, digits, `-` and `_`.
    fn name(&mut self, spot: &Spot) -> Option<String> {
        let name = self.words(spot)?;
        if let Some(bad) = name
            .chars()
            .find(|c| !(c.is_alphanumeric() || "-_".contains(*c)))
        {
            self.fault(spot.node.at, &spot.path, Wrong::Char(bad));
            return None;
        }
        Some(name)
    }

    fn host(&mut self, spot: &Spot) -> Option<String> {
        let host = self.text(spot)?;
        if is_host(&host) {
            return Some(host);
        }
        self.fault(spot.node.at, &spot.path, Wrong::Host);
        None
    }

    fn host_port(&mut self, spot: &Spot) -> Option<String> {
        let text = self.text(spot)?;
        let sound = text.rsplit_once(':').is_some_and(|(host, port)| {
            let host = host
                .strip_prefix('[')
                .and_then(|h| h.strip_suffix(']'))
                .unwrap_or(host);
            is_host(host) && port.parse::<u16>().is_ok_and(|port| port > 0)
        });
        if sound {
            return Some(text);
        }
        self.fault(spot.node.at, &spot.path, Wrong::HostPort);
        None
    }

    pub(super) fn url(&mut self, spot: &Spot, schemes: &'static [&'static str]) -> Option<String> {
        let text = self.text(spot)?;
        if is_url(&text, schemes) {
            return Some(text);
        }
        self.fault(spot.node.at, &spot.path, Wrong::Url { schemes });
        None
    }

    fn media(&mut self, top: &mut Table, c: &mut Config) {
        let spot = self.spot(top, "media");
        let m = &mut c.media;
        // `media: auto` is short for `media: {kind: auto}`.
        let short = spot
            .as_ref()
            .filter(|s| matches!(s.node.value, Value::Text(_)));
        if let Some(spot) = short {
            set(&mut m.kind, self.word(spot, &MediaKind::WORDS));
            return;
        }
        let mut t = self.table("media", spot.map(|s| s.node));
        set!(self, t, "kind", word(&MediaKind::WORDS) => m.kind);
        set!(self, t, "audiosocket_listen", address() => m.audiosocket_listen);
        set!(self, t, "websocket_listen", address() => m.websocket_listen);
        if let Some(spot) = self.spot(&mut t, "rtp_listen") {
            match self.text(&spot).map(|text| text.parse::<IpAddr>()) {
                Some(Ok(ip)) => m.rtp_listen = ip,
                Some(Err(_)) => self.fault(spot.node.at, &spot.path, Wrong::Host),
                None => {}
            }
        }
        if let Some(spot) = self.spot(&mut t, "rtp_ports") {
            match ports(&spot.node.value) {
                Some(range) => m.rtp_ports = range,
                None => self.fault(
                    spot.node.at,
                    &spot.path,
                    Wrong::Type {
                        wanted: Wanted::Ports,
                    },
                ),
            }
        }
        self.finish(&t);
    }

    /// The places of a list that is bounded.
    pub(super) fn places_of<'n>(&mut self, spot: &Spot<'n>) -> Vec<Spot<'n>> {
        let mut places = self.list(spot).unwrap_or_default();
        if places.len() > MAX_LIST {
            let (least, most) = ("0".to_owned(), MAX_LIST.to_string());
            self.fault(spot.node.at, &spot.path, Wrong::Range { least, most });
            places.truncate(MAX_LIST);
        }
        places
    }

    /// A name for history, once in its list.
    pub(super) fn own_name(
        &mut self,
        t: &mut Table,
        kind: &str,
        taken: &mut Vec<String>,
        at: Place,
    ) -> String {
        let spot = self.spot(t, "name");
        let name = spot
            .as_ref()
            .and_then(|s| self.name(s))
            .unwrap_or_else(|| kind.to_owned());
        if taken.contains(&name) {
            let at = spot.map_or(at, |s| s.node.at);
            self.fault(at, &t.child("name"), Wrong::SameName);
        }
        taken.push(name.clone());
        name
    }

    fn recognizers(&mut self, spot: &Spot) -> Vec<RecognizerConfig> {
        const KINDS: [(&str, &str); 4] = [
            ("vosk", "vosk"),
            ("yandex", "yandex"),
            ("sherpa", "sherpa"),
            ("typed", "typed"),
        ];
        let mut recognizers = Vec::new();
        let mut names = Vec::new();
        for place in self.places_of(spot) {
            // `- typed` is short for `- kind: typed`.
            if let Value::Text(_) = place.node.value {
                match self.word(&place, &KINDS) {
                    Some("typed") => recognizers.push(RecognizerConfig::Typed),
                    Some(kind) => {
                        let key = match kind {
                            "yandex" => "api_key",
                            "sherpa" => "model",
                            _ => "url",
                        };
                        let path = format!("{}.{key}", place.path);
                        self.fault(place.node.at, &path, Wrong::Missing);
                    }
                    None => {}
                }
                continue;
            }
            let mut t = self.table(&place.path, Some(place.node));
            match self.kind(&mut t, &KINDS) {
                Some("vosk") => {
                    let name = self.own_name(&mut t, "vosk", &mut names, place.node.at);
                    let (mut reset_on_end, mut config_message) = (true, true);
                    let (mut sample_rate, mut grammar) = (8_000, false);
                    set!(self, t, "reset_on_end", flag() => reset_on_end);
                    set!(self, t, "config_message", flag() => config_message);
                    set!(self, t, "sample_rate", sample_rate() => sample_rate);
                    set!(self, t, "grammar", flag() => grammar);
                    let speech_only = self.speech_only(&mut t);
                    match self.spot(&mut t, "url") {
                        Some(spot) => {
                            if let Some(url) = self.url(&spot, &["ws://"]) {
                                recognizers.push(RecognizerConfig::Vosk {
                                    name,
                                    url,
                                    reset_on_end,
                                    config_message,
                                    sample_rate,
                                    grammar,
                                    speech_only,
                                });
                            }
                        }
                        None => self.missing(&t, "url"),
                    }
                }
                Some("yandex") => {
                    let name = self.own_name(&mut t, "yandex", &mut names, place.node.at);
                    recognizers.push(self.yandex_recognizer(&mut t, name, place.node.at));
                }
                Some("sherpa") => {
                    let name = self.own_name(&mut t, "sherpa", &mut names, place.node.at);
                    recognizers.extend(self.sherpa(&mut t, name));
                }
                Some(_) => recognizers.push(RecognizerConfig::Typed),
                None => continue,
            }
            self.finish(&t);
        }
        if recognizers.is_empty()
            && matches!(&spot.node.value, Value::List(list) if list.is_empty())
        {
            self.fault(spot.node.at, &spot.path, Wrong::Empty);
        }
        recognizers
    }

    /// `speech_only`, and how much around a voice is sent with it.
    pub(super) fn speech_only(&mut self, mut t: &mut Table) -> Option<SpeechOnly> {
        let (mut on, mut before_ms, mut after_ms) = (false, 500, 800);
        set!(self, t, "speech_only", flag() => on);
        set!(self, t, "speech_before", duration(200..=2_000) => before_ms);
        set!(self, t, "speech_after", duration(200..=5_000) => after_ms);
        on.then_some(SpeechOnly {
            before_ms,
            after_ms,
        })
    }

    /// What audio of 8 kHz can be brought to.
    fn sample_rate(&mut self, spot: &Spot) -> Option<u32> {
        const RATES: [(&str, u32); 4] = [
            ("8000", 8_000),
            ("16000", 16_000),
            ("24000", 24_000),
            ("48000", 48_000),
        ];
        let rate = self.whole(spot, 0..=1_000_000)?;
        let known = RATES.iter().find(|(_, r)| u64::from(*r) == rate);
        if known.is_none() {
            let known = RATES.iter().map(|(word, _)| *word).collect();
            let nearest = None;
            self.fault(spot.node.at, &spot.path, Wrong::Word { nearest, known });
        }
        known.map(|(_, rate)| *rate)
    }

    fn sherpa(&mut self, mut t: &mut Table, name: String) -> Option<RecognizerConfig> {
        let (mut model, mut threads, mut streams) = (None, 2, 50);
        set!(self, t, "threads", whole(1..=256) => threads);
        set!(self, t, "streams", whole(1..=10_000) => streams);
        let speech_only = self.speech_only(t);
        match self.spot(t, "model") {
            Some(spot) => model = self.path(&spot),
            None => self.missing(t, "model"),
        }
        if !self.around.has_sherpa {
            let key = t.child("kind");
            let feature = "sherpa";
            self.fault(self.place(&key), &key, Wrong::NotBuilt { feature });
            return None;
        }
        let model = model?;
        self.folder(&t.child("model"), &model);
        Some(RecognizerConfig::Sherpa {
            name,
            model,
            threads: usize::try_from(threads).ok()?,
            streams: usize::try_from(streams).ok()?,
            speech_only,
        })
    }

    fn kind(
        &mut self,
        t: &mut Table,
        kinds: &[(&'static str, &'static str)],
    ) -> Option<&'static str> {
        match self.spot(t, "kind") {
            Some(spot) => self.word(&spot, kinds),
            None => {
                self.missing(t, "kind");
                None
            }
        }
    }

    fn voices(&mut self, spot: &Spot) -> Vec<VoiceConfig> {
        let mut voices = Vec::new();
        let mut names = Vec::new();
        for place in self.places_of(spot) {
            let mut t = self.table(&place.path, Some(place.node));
            let kinds = [("command", "command"), ("yandex", "yandex")];
            let Some(kind) = self.kind(&mut t, &kinds) else {
                continue;
            };
            let name = self.own_name(&mut t, kind, &mut names, place.node.at);
            let command = if kind == "command" {
                self.voice_command(&mut t)
            } else {
                Vec::new()
            };
            let mut timeout_ms = 30 * SECOND;
            set!(self, t, "timeout", duration(100..=10 * MINUTE) => timeout_ms);
            let mut cache = self.beside(Path::new("voice-cache"));
            set!(self, t, "cache", path() => cache);
            let mut cache_bytes = 1 << 30;
            set!(self, t, "cache_bytes", size(1 << 20..=1 << 40) => cache_bytes);
            let voice = if kind == "command" {
                VoiceConfig::Command {
                    name,
                    command,
                    timeout_ms,
                    cache,
                    cache_bytes,
                }
            } else {
                self.yandex_voice(
                    &mut t,
                    name,
                    place.node.at,
                    timeout_ms,
                    (cache, cache_bytes),
                )
            };
            voices.push(voice);
            self.finish(&t);
        }
        voices
    }

    fn voice_command(&mut self, t: &mut Table) -> Vec<String> {
        let mut command = Vec::new();
        match self.spot(t, "command") {
            Some(spot) => {
                command = self.command(&spot);
                if command
                    .first()
                    .is_none_or(|program| program.trim().is_empty())
                {
                    self.fault(spot.node.at, &spot.path, Wrong::Empty);
                }
            }
            None => self.missing(t, "command"),
        }
        command
    }

    /// Program and arguments.
    pub(super) fn command(&mut self, spot: &Spot) -> Vec<String> {
        let words = self.places_of(spot);
        words.iter().filter_map(|word| self.text(word)).collect()
    }

    fn calls(&mut self, top: &mut Table, c: &mut Config) {
        let mut t = self.section(top, "calls");
        let calls = &mut c.calls;
        if let Some(spot) = self.spot(&mut t, "at_once") {
            let value = self
                .whole(&spot, 1..=10_000)
                .and_then(|n| usize::try_from(n).ok());
            set(&mut calls.at_once, value);
        }
        set!(self, t, "starts_per_second", number(0.01..=1000.0) => calls.starts_per_second);
        set!(self, t, "dialog_at_once", count(10_000) => calls.dialog_at_once);
        set!(self, t, "dialog_starts_per_second", number(0.0..=1000.0) => calls.dialog_starts_per_second);
        set!(self, t, "drain", duration(0..=DAY) => calls.drain_ms);
        set!(self, t, "retry_after", duration(SECOND..=30 * DAY) => calls.retry_after_ms);
        set!(self, t, "longest", duration(10 * SECOND..=DAY) => calls.longest_ms);
        set!(self, t, "early_media", flag() => calls.early_media);
        set!(self, t, "fallback", words() => calls.fallback);
        self.finish(&t);
    }

    /// No two servers of ours on one port.
    fn ports(&mut self, c: &Config) {
        let ours: [(&str, SocketAddr); 4] = [
            ("http.listen", c.http.listen),
            ("asterisk.agi_listen", c.asterisk.agi_listen),
            ("media.audiosocket_listen", c.media.audiosocket_listen),
            ("media.websocket_listen", c.media.websocket_listen),
        ];
        for (i, (key, address)) in ours.iter().enumerate() {
            let clash = ours[..i].iter().find(|(_, other)| {
                let anywhere = address.ip().is_unspecified() || other.ip().is_unspecified();
                address.port() != 0
                    && address.port() == other.port()
                    && (anywhere || address.ip() == other.ip())
            });
            if let Some((other, _)) = clash {
                // Told where it is written: a default has no line.
                let (key, other) = if self.has_place(key) {
                    (*key, *other)
                } else {
                    (*other, *key)
                };
                let wrong = Wrong::SamePort {
                    other: other.to_owned(),
                };
                self.fault(self.place(key), key, wrong);
            }
        }
    }
}

/// A DNS name or an IP address, without a port.
fn is_host(text: &str) -> bool {
    let name = || {
        text.len() <= 253
            && text.split('.').all(|label| {
                !label.is_empty()
                    && !label.starts_with('-')
                    && label
                        .chars()
                        .all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
            })
    };
    text.parse::<IpAddr>().is_ok() || name()
}

/// `text` begins with one of `schemes` (`http://`) and names a host, with a port or without; no blanks, no control characters.
pub fn is_url(text: &str, schemes: &[&str]) -> bool {
    let Some(rest) = schemes.iter().find_map(|scheme| text.strip_prefix(scheme)) else {
        return false;
    };
    if text.len() > 2000 || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return false;
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host_port = authority
        .rsplit_once('@')
        .map_or(authority, |(_, after)| after);
    if let Some(v6) = host_port.strip_prefix('[') {
        return v6.split_once(']').is_some_and(|(ip, port)| {
            ip.parse::<std::net::Ipv6Addr>().is_ok()
                && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
        });
    }
    match host_port.split_once(':') {
        Some((host, port)) => is_host(host) && is_port(port),
        None => is_host(host_port),
    }
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u16>().is_ok_and(|port| port > 0)
}

/// `10000-10100`, or 0 for any.
fn ports(value: &Value) -> Option<(u16, u16)> {
    match value {
        Value::Int(0) => Some((0, 0)),
        Value::Text(text) => {
            let (first, last) = text.split_once('-')?;
            let range = (first.trim().parse().ok()?, last.trim().parse().ok()?);
            (range.0 > 0 && range.0 <= range.1).then_some(range)
        }
        _ => None,
    }
}
