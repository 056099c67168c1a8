//! One channel of the double: what AGI, AMI, the person and the taps share of a call.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use tokio::sync::{Notify, broadcast, mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::wire::ami::Control;

use super::far_end::Prompts;
use super::record::{HungUpBy, What};
use super::voice::VoiceOrder;
use super::world::{World, locked};

/// Variables that a channel keeps.
const MAX_VARIABLES: usize = 256;
/// Digits that a slow reader may lag behind.
const DIGITS: usize = 32;

/// `ChannelState` numbers.
pub(super) mod state {
    pub(in super::super) const DOWN: i64 = 0;
    pub(in super::super) const RING: i64 = 4;
    pub(in super::super) const RINGING: i64 = 5;
    pub(in super::super) const UP: i64 = 6;

    pub(in super::super) fn name(state: i64) -> &'static str {
        match state {
            DOWN => "Down",
            RING => "Ring",
            RINGING => "Ringing",
            UP => "Up",
            _ => "Unknown",
        }
    }
}

/// A channel.
#[derive(Debug)]
pub(super) struct Channel {
    /// Uniqueid.
    pub(super) id: String,
    /// Linkedid.
    pub(super) linked: String,
    /// `PJSIP/trunk-0000001a`.
    pub(super) name: String,
    /// The person's number.
    pub(super) number: String,
    /// The number that was called, for calls that come in.
    pub(super) extension: String,
    /// A spy's channel or a transfer's second leg: not a call of its own, not in the record.
    pub(super) is_side: bool,
    state: AtomicI64,
    /// The call is being hung up.
    pub(super) hung: CancellationToken,
    end: Mutex<Option<(u16, HungUpBy)>>,
    /// All is over, AGI too.
    pub(super) gone: CancellationToken,
    /// Takes ControlPlayback's orders while a prompt plays.
    pub(super) control: Mutex<Option<mpsc::Sender<Control>>>,
    /// Keys that the person presses.
    pub(super) digits: broadcast::Sender<char>,
    /// The person's voice.
    pub(super) voice: mpsc::Sender<VoiceOrder>,
    prompts: watch::Sender<Prompts>,
    variables: Mutex<BTreeMap<String, String>>,
    /// AGI is over but the channel lives on in the dialplan.
    pub(super) redirected: CancellationToken,
    /// Cuts the AGI connection.
    pub(super) cut_agi: CancellationToken,
    /// Cuts the medium: the tap, or both ways.
    pub(super) cut_media: Notify,
    /// Sent instead of the next AGI answer.
    pub(super) garbage: Mutex<Option<Vec<u8>>>,
    /// The recordings that run, oldest first: id, files, and when they began.
    pub(super) recordings: Mutex<Vec<(String, Vec<String>, u64)>>,
}

impl Channel {
    pub(super) fn new(
        id: String,
        linked: String,
        name: String,
        number: String,
        voice: mpsc::Sender<VoiceOrder>,
    ) -> Self {
        Self {
            id,
            linked,
            name,
            number,
            extension: String::new(),
            is_side: false,
            state: AtomicI64::new(state::DOWN),
            hung: CancellationToken::new(),
            end: Mutex::default(),
            gone: CancellationToken::new(),
            control: Mutex::default(),
            digits: broadcast::Sender::new(DIGITS),
            voice,
            prompts: watch::Sender::default(),
            variables: Mutex::default(),
            redirected: CancellationToken::new(),
            cut_agi: CancellationToken::new(),
            cut_media: Notify::new(),
            garbage: Mutex::default(),
            recordings: Mutex::default(),
        }
    }

    pub(super) fn state(&self) -> i64 {
        self.state.load(Ordering::Relaxed)
    }

    pub(super) fn is_up(&self) -> bool {
        self.state() == state::UP
    }

    /// Sets the state; false where it was so already.
    pub(super) fn set_state(&self, state: i64) -> bool {
        self.state.swap(state, Ordering::Relaxed) != state
    }

    /// Hangs up; the first cause counts.
    pub(super) fn hang_up(&self, cause: u16, by: HungUpBy) {
        locked(&self.end).get_or_insert((cause, by));
        self.hung.cancel();
    }

    /// Why it ended.
    pub(super) fn end(&self) -> (u16, HungUpBy) {
        locked(&self.end).unwrap_or((0, HungUpBy::Us))
    }

    /// Notes what happened to a call.
    pub(super) fn note(&self, world: &World, what: What) {
        if !self.is_side {
            world.record.note(&self.id, what);
        }
    }

    pub(super) fn prompt_started(&self) {
        self.prompts.send_modify(|prompts| prompts.started += 1);
    }

    pub(super) fn prompt_ended(&self) {
        self.prompts.send_modify(|prompts| prompts.ended += 1);
    }

    /// Waits for that many prompts; false if the call ended first.
    pub(super) async fn until_prompts(&self, reached: impl Fn(&Prompts) -> bool) -> bool {
        let mut prompts = self.prompts.subscribe();
        tokio::select! {
            biased;
            found = prompts.wait_for(|now| reached(now)) => found.is_ok(),
            () = self.hung.cancelled() => false,
        }
    }

    pub(super) fn variable(&self, name: &str) -> Option<String> {
        match name {
            "CHANNEL" => Some(self.name.clone()),
            "UNIQUEID" => Some(self.id.clone()),
            "CALLERID(num)" => Some(self.number.clone()),
            _ => locked(&self.variables).get(name).cloned(),
        }
    }

    pub(super) fn set_variable(&self, name: &str, value: &str) {
        let mut variables = locked(&self.variables);
        if variables.len() < MAX_VARIABLES || variables.contains_key(name) {
            variables.insert(name.trim_start_matches('_').to_owned(), value.to_owned());
        }
    }

    /// Its pairs in an event; with `prefix` `Dest` as the dialed side of one.
    pub(super) fn pairs(&self, prefix: &str) -> Vec<(&'static str, String)> {
        let state = self.state();
        let keys = if prefix.is_empty() { PLAIN } else { DEST };
        let values = [
            self.name.clone(),
            state.to_string(),
            state::name(state).to_owned(),
            self.number.clone(),
            "<unknown>".to_owned(),
            "<unknown>".to_owned(),
            "<unknown>".to_owned(),
            "ru".to_owned(),
            String::new(),
            "govorun".to_owned(),
            self.extension.clone(),
            "1".to_owned(),
            self.id.clone(),
            self.linked.clone(),
        ];
        keys.into_iter().zip(values).collect()
    }
}

const PLAIN: [&str; 14] = [
    "Channel",
    "ChannelState",
    "ChannelStateDesc",
    "CallerIDNum",
    "CallerIDName",
    "ConnectedLineNum",
    "ConnectedLineName",
    "Language",
    "AccountCode",
    "Context",
    "Exten",
    "Priority",
    "Uniqueid",
    "Linkedid",
];
const DEST: [&str; 14] = [
    "DestChannel",
    "DestChannelState",
    "DestChannelStateDesc",
    "DestCallerIDNum",
    "DestCallerIDName",
    "DestConnectedLineNum",
    "DestConnectedLineName",
    "DestLanguage",
    "DestAccountCode",
    "DestContext",
    "DestExten",
    "DestPriority",
    "DestUniqueid",
    "DestLinkedid",
];
