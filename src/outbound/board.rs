//! Who has room: every trunk's and every dialog's calls at once and starts a second, back-offs, ears. Pure: time is an
//! argument. The dialer takes an [`Offer`] from it for each look into the queue, and tells it what was started and ended.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::brake::{self, Brake, Room};
use super::governor::{Cut, Governor, Seen};
use super::limits::Pace;
use super::offer::{Offer, Vacancy};
use super::trunks::{Fares, Full, Trunks};
use crate::call::{Hears, outcome};

/// Dialogs whose turns are remembered.
const MAX_DIALOGS: usize = 10_000;

/// What a dialog allows its outgoing calls.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DialogLimits {
    /// Calls at once; `None`: no limit of its own.
    pub at_once: Option<usize>,
    /// Starts a second; `None`: no limit of its own.
    pub starts_per_second: Option<f64>,
    /// Who hears them.
    pub hears: Hears,
}

/// The dialogs of the current version, by name.
pub type Dialogs = Arc<HashMap<String, DialogLimits>>;

/// Why an order that is due isn't dialed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Held {
    /// `calls.at_once`.
    Lines,
    /// `calls.starts_per_second`.
    Rate,
    /// Asterisk is away.
    Asterisk,
    /// The trunk's calls at once.
    TrunkLines,
    /// The trunk's starts a second.
    TrunkRate,
    /// All trunks of the number answer congestion.
    TrunkCongested,
    /// The dialog's calls at once.
    DialogLines,
    /// The dialog's starts a second.
    DialogRate,
    /// None of the dialog's recognizers works: the person couldn't be heard.
    Deaf,
    /// The recognizers are slow, or refuse streams: fewer calls are listened to.
    Recognizers,
}

impl Held {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Lines,
        Self::Rate,
        Self::Asterisk,
        Self::TrunkLines,
        Self::TrunkRate,
        Self::TrunkCongested,
        Self::DialogLines,
        Self::DialogRate,
        Self::Deaf,
        Self::Recognizers,
    ];

    /// The word of `/metrics`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lines => "lines",
            Self::Rate => "rate",
            Self::Asterisk => "asterisk",
            Self::TrunkLines => "trunk_lines",
            Self::TrunkRate => "trunk_rate",
            Self::TrunkCongested => "trunk_congested",
            Self::DialogLines => "dialog_lines",
            Self::DialogRate => "dialog_rate",
            Self::Deaf => "deaf",
            Self::Recognizers => "recognizers",
        }
    }
}

impl From<Full> for Held {
    fn from(full: Full) -> Self {
        match full {
            Full::AtOnce => Self::TrunkLines,
            Full::Rate => Self::TrunkRate,
            Full::Congested => Self::TrunkCongested,
        }
    }
}

/// What is known of the recognizers, by name: whether calls can be listened to by it.
pub type Ears = BTreeMap<String, bool>;

#[derive(Debug)]
struct Trunk {
    used: usize,
    pace: Option<Pace>,
    brake: Brake,
    starts: u64,
    congested: u64,
}

#[derive(Debug, Default)]
struct Dialog {
    used: usize,
    pace: Option<Pace>,
    /// When it was served last, counted in starts.
    turn: u64,
    starts: u64,
}

/// A trunk as it stands, for `/healthz` and `/metrics`.
#[derive(Clone, Debug, PartialEq)]
pub struct TrunkStands {
    /// Its name.
    pub name: String,
    /// Calls that dial or talk over it.
    pub calls: usize,
    /// Its limit.
    pub at_once: Option<usize>,
    /// Starts so far.
    pub starts: u64,
    /// How often it answered congestion.
    pub congested: u64,
    /// For so long nothing is started over it, because it answers congestion.
    pub backed_off: Option<Duration>,
}

/// A dialog as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct DialogStands {
    /// Its name.
    pub name: String,
    /// Its outgoing calls.
    pub calls: usize,
    /// Starts so far.
    pub starts: u64,
}

/// How the dialing stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Stands {
    /// Every trunk.
    pub trunks: Vec<TrunkStands>,
    /// Every dialog that was served.
    pub dialogs: Vec<DialogStands>,
    /// Recognizers that don't work, or of which it isn't known yet.
    pub deaf: Vec<String>,
    /// Calls at once that may be listened to, where that is fewer than the settings allow, and why.
    pub cut: Option<(usize, Cut)>,
    /// How often that limit was lowered.
    pub cuts: u64,
    /// How often an order had to wait, by reason.
    pub held: Vec<(Held, u64)>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Board {
    trunks: Arc<Trunks>,
    states: Vec<Trunk>,
    dialogs: HashMap<String, Dialog>,
    limits: Dialogs,
    /// Outgoing calls that are listened to.
    heard: usize,
    starts: u64,
    ears: Ears,
    governor: Governor,
    held: BTreeMap<Held, u64>,
}

impl Board {
    pub(super) fn new(trunks: Arc<Trunks>, at_once: usize, now: Instant) -> Self {
        let states = trunks.all().iter().map(|trunk| Trunk {
            used: 0,
            pace: trunk.starts_per_second.map(|rate| Pace::cold(rate, now)),
            brake: Brake::new(brake::TRUNK),
            starts: 0,
            congested: 0,
        });
        Self {
            states: states.collect(),
            trunks,
            dialogs: HashMap::new(),
            limits: Dialogs::default(),
            heard: 0,
            starts: 0,
            ears: Ears::new(),
            governor: Governor::new(at_once),
            held: BTreeMap::new(),
        }
    }

    /// The dialogs are these now.
    pub(super) fn set_dialogs(&mut self, dialogs: &Dialogs, now: Instant) {
        if Arc::ptr_eq(&self.limits, dialogs) {
            return;
        }
        self.limits = Arc::clone(dialogs);
        for (name, dialog) in &mut self.dialogs {
            let rate = dialogs.get(name).and_then(|d| d.starts_per_second);
            match (&mut dialog.pace, rate) {
                (Some(pace), Some(rate)) => pace.set_rate(rate, now),
                (pace, rate) => *pace = rate.map(|rate| Pace::cold(rate, now)),
            }
        }
    }

    /// The recognizers stand so now; true where one works that did not.
    pub(super) fn set_ears(&mut self, ears: Ears) -> bool {
        let better = ears
            .iter()
            .any(|(name, works)| *works && self.ears.get(name) != Some(&true));
        self.ears = ears;
        better
    }

    /// A period of the governor's is over; true where more may be listened to than before.
    pub(super) fn observe(&mut self, seen: Seen) -> bool {
        let before = self.governor.limit();
        self.governor.observe(seen);
        self.governor.limit() > before
    }

    /// Whether one of those that a dialog wants works. Where no state is known at all (tests, a stage) everybody is heard.
    fn is_heard(&self, hears: &Hears) -> bool {
        let works = |name: &String| self.ears.get(name).copied().unwrap_or(false);
        match hears {
            Hears::Nobody => true,
            _ if self.ears.is_empty() => true,
            Hears::Named(names) if names.iter().any(|n| self.ears.contains_key(n)) => {
                names.iter().any(works)
            }
            Hears::Named(_) | Hears::All => self.ears.values().any(|works| *works),
        }
    }

    fn vacancy(&mut self, name: &str, limits: &DialogLimits, now: Instant) -> Vacancy {
        let heard = limits.hears != Hears::Nobody;
        let deaf = !self.is_heard(&limits.hears);
        if !self.dialogs.contains_key(name) && limits.starts_per_second.is_some() {
            let pace = limits.starts_per_second.map(|rate| Pace::cold(rate, now));
            let dialog = Dialog {
                pace,
                ..Dialog::default()
            };
            self.dialogs.insert(name.to_owned(), dialog);
        }
        let mut vacancy = Vacancy {
            room: usize::MAX,
            why: Held::DialogLines,
            turn: 0,
            heard,
        };
        let mut bound = |room: usize, why: Held| {
            if room < vacancy.room {
                (vacancy.room, vacancy.why) = (room, why);
            }
        };
        let dialog = self.dialogs.get_mut(name);
        let used = dialog.as_ref().map_or(0, |d| d.used);
        if let Some(most) = limits.at_once {
            bound(most.saturating_sub(used), Held::DialogLines);
        }
        if let Some(dialog) = dialog {
            if let Some(pace) = &mut dialog.pace {
                bound(pace.allowed(now), Held::DialogRate);
            }
            vacancy.turn = dialog.turn;
        }
        if deaf {
            (vacancy.room, vacancy.why) = (0, Held::Deaf);
        }
        vacancy
    }

    /// What there is room for, with at most `left` starts. `incoming` calls are listened to besides ours.
    pub(super) fn offer(&mut self, left: usize, incoming: usize, now: Instant) -> Offer {
        let limits = Arc::clone(&self.limits);
        let dialogs = limits
            .iter()
            .map(|(name, limits)| (name.clone(), self.vacancy(name, limits, now)))
            .collect();
        let mut rooms = Vec::with_capacity(self.states.len());
        for (trunk, state) in self.trunks.all().iter().zip(&mut self.states) {
            let by_calls = trunk
                .at_once
                .map_or(usize::MAX, |most| most.saturating_sub(state.used));
            let by_rate = state
                .pace
                .as_mut()
                .map_or(usize::MAX, |pace| pace.allowed(now));
            let by_brake = match state.brake.room(now) {
                Room::Any => usize::MAX,
                Room::One => 1,
                Room::None(_) => 0,
            };
            rooms.push([by_calls, by_rate, by_brake]);
        }
        let heard_left = self.governor.limit().saturating_sub(self.heard + incoming);
        let heard_left = if self.governor.cut().is_some() {
            heard_left
        } else {
            usize::MAX
        };
        Offer {
            trunks: Arc::clone(&self.trunks),
            rooms,
            dialogs,
            left,
            heard_left,
            turn: self.starts,
            held: BTreeMap::new(),
        }
    }

    /// An order was taken.
    pub(super) fn started(&mut self, dialog: &str, trunk: Option<&str>, now: Instant) -> Sitting {
        self.starts += 1;
        if self.dialogs.len() >= MAX_DIALOGS {
            self.dialogs.retain(|_, dialog| dialog.used > 0);
        }
        let limits = self.limits.get(dialog);
        let heard = limits.is_some_and(|limits| limits.hears != Hears::Nobody);
        self.heard += usize::from(heard);
        let state = self.dialogs.entry(dialog.to_owned()).or_default();
        state.used += 1;
        state.starts += 1;
        state.turn = self.starts;
        if let Some(pace) = &mut state.pace {
            pace.spend(1);
        }
        let trunk = trunk.and_then(|name| self.trunks.all().iter().position(|t| t.name == name));
        if let Some(state) = trunk.and_then(|n| self.states.get_mut(n)) {
            state.used += 1;
            state.starts += 1;
            if let Some(pace) = &mut state.pace {
                pace.spend(1);
            }
            state.brake.started(now);
        }
        Sitting {
            dialog: dialog.to_owned(),
            trunk,
            heard,
        }
    }

    /// Its trunk has answered, with that outcome; `None`: nothing was dialed.
    pub(super) fn answered(&mut self, sitting: &Sitting, told: Option<&str>, now: Instant) {
        let Some(state) = sitting.trunk.and_then(|n| self.states.get_mut(n)) else {
            return;
        };
        match told {
            Some(outcome::CONGESTION) => {
                state.congested += 1;
                state.brake.failed(now);
            }
            // Says nothing of the trunk.
            Some(outcome::RUNTIME_ERROR) | None => {}
            Some(_) => state.brake.succeeded(),
        }
    }

    /// It is over, and its room is free.
    pub(super) fn ended(&mut self, sitting: &Sitting) {
        self.heard = self.heard.saturating_sub(usize::from(sitting.heard));
        if let Some(dialog) = self.dialogs.get_mut(&sitting.dialog) {
            dialog.used = dialog.used.saturating_sub(1);
        }
        if let Some(state) = sitting.trunk.and_then(|n| self.states.get_mut(n)) {
            state.used = state.used.saturating_sub(1);
        }
    }

    /// Orders had to wait.
    pub(super) fn hold(&mut self, held: impl IntoIterator<Item = (Held, u64)>) {
        for (why, times) in held {
            *self.held.entry(why).or_default() += times;
        }
    }

    /// When there may be room without a call's end: a rate's next start, a back-off's end.
    pub(super) fn next_room(&mut self, now: Instant) -> Option<Instant> {
        let trunks = self.states.iter_mut().flat_map(|state| {
            let brake = match state.brake.room(now) {
                Room::None(until) => Some(until),
                Room::Any | Room::One => None,
            };
            [brake, state.pace.as_mut().map(|pace| pace.ready_at(now))]
        });
        let dialogs = self.dialogs.values_mut();
        let dialogs = dialogs.map(|dialog| dialog.pace.as_mut().map(|pace| pace.ready_at(now)));
        trunks.chain(dialogs).flatten().filter(|at| *at > now).min()
    }

    /// Calls that we placed.
    pub(super) fn outgoing(&self) -> usize {
        self.states.iter().map(|state| state.used).sum()
    }

    /// Calls of ours that are listened to.
    pub(super) fn heard(&self) -> usize {
        self.heard
    }

    pub(super) fn stands(&mut self, now: Instant) -> Stands {
        let trunks = self.trunks.all().iter().zip(&mut self.states);
        let trunks = trunks.map(|(trunk, state)| TrunkStands {
            name: trunk.name.clone(),
            calls: state.used,
            at_once: trunk.at_once,
            starts: state.starts,
            congested: state.congested,
            backed_off: match state.brake.room(now) {
                Room::None(until) => Some(until.saturating_duration_since(now)),
                Room::Any | Room::One => None,
            },
        });
        let trunks = trunks.collect();
        let served = self.dialogs.iter().filter(|(_, dialog)| dialog.starts > 0);
        let mut dialogs: Vec<DialogStands> = served
            .map(|(name, dialog)| DialogStands {
                name: name.clone(),
                calls: dialog.used,
                starts: dialog.starts,
            })
            .collect();
        dialogs.sort_by(|a, b| a.name.cmp(&b.name));
        let deaf = self.ears.iter().filter(|(_, works)| !**works);
        Stands {
            trunks,
            dialogs,
            deaf: deaf.map(|(name, _)| name.clone()).collect(),
            cut: self.governor.cut().map(|why| (self.governor.limit(), why)),
            cuts: self.governor.cuts(),
            held: Held::ALL
                .iter()
                .map(|why| (*why, self.held.get(why).copied().unwrap_or(0)))
                .collect(),
        }
    }
}

/// The room that a call takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sitting {
    dialog: String,
    trunk: Option<usize>,
    heard: bool,
}

impl super::offer::Offer {
    /// How a trunk fares by what is left of its rooms: calls, starts, back-off.
    pub(super) fn fares(rooms: &[usize; 3]) -> Fares {
        match rooms {
            [_, _, 0] => Fares::BackedOff,
            [0, _, _] => Fares::Full(Full::AtOnce),
            [_, 0, _] => Fares::Full(Full::Rate),
            _ => Fares::Free,
        }
    }
}
