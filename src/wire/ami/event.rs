//! Events: what happens to channels, typed where the runtime needs it, raw pairs kept always.

use super::packet::{Packet, PacketKind};

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    packet: Packet,
    kind: EventKind,
}

/// What it tells. Texts stand in the packet: see [`Event`]'s accessors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A channel came into being. A tap can be put on it from now on.
    Newchannel {
        /// Its state.
        state: ChannelState,
    },
    /// A channel's state changed.
    Newstate {
        /// Its new state.
        state: ChannelState,
    },
    /// Dialing began; the dialed channel's keys begin with `Dest`.
    DialBegin,
    /// Dialing ended.
    DialEnd {
        /// How.
        status: DialStatus,
    },
    /// A channel is gone.
    Hangup {
        /// Q.850 cause: 16 normal, 17 busy, 19 no answer, 34 congestion, 1 unallocated number. 0 if not told.
        cause: u16,
    },
    /// What came of an Originate. Its reason doesn't tell busy from congestion: `DialEnd` and `Hangup` do, and come
    /// before or after this.
    OriginateResponse {
        /// It was answered.
        success: bool,
        /// 0 failed, 1 hung up, 3 rang too long, 4 answered, 5 busy, 8 congestion.
        reason: u16,
    },
    /// A key went down.
    DtmfBegin {
        /// `0` to `9`, `*`, `#`, `A` to `D`.
        digit: char,
        /// Who keyed it.
        direction: Direction,
    },
    /// A key came up: this counts as a digit.
    DtmfEnd {
        /// `0` to `9`, `*`, `#`, `A` to `D`.
        digit: char,
        /// Who keyed it.
        direction: Direction,
        /// How long it was down, milliseconds.
        duration_ms: u32,
    },
    /// An AGI command began.
    AgiExecStart,
    /// An AGI command ended, with its code: 200, 510, 511, 520 or -1.
    AgiExecEnd {
        /// Code.
        code: i32,
    },
    /// A variable was set. Many of them; the runtime needs none.
    VarSet,
    /// A recording of MixMonitor began.
    MixMonitorStart,
    /// A recording of MixMonitor ended.
    MixMonitorStop,
    /// The dialplan's own event.
    UserEvent,
    /// All modules are loaded: calls can be placed.
    FullyBooted,
    /// Asterisk is about to end.
    Shutdown {
        /// It comes back by itself.
        restart: bool,
    },
    /// Any other.
    Other,
}

/// A channel's state by its number (Asterisk's `ast_channel_state`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // the names are Asterisk's own
pub enum ChannelState {
    Down,
    Reserved,
    OffHook,
    Dialing,
    Ring,
    Ringing,
    Up,
    Busy,
    DialingOffHook,
    PreRing,
    Unknown,
}

impl ChannelState {
    /// From the number of `ChannelState:` and of AGI's CHANNEL STATUS.
    pub fn from_number(number: i64) -> Self {
        match number {
            0 => Self::Down,
            1 => Self::Reserved,
            2 => Self::OffHook,
            3 => Self::Dialing,
            4 => Self::Ring,
            5 => Self::Ringing,
            6 => Self::Up,
            7 => Self::Busy,
            8 => Self::DialingOffHook,
            9 => Self::PreRing,
            _ => Self::Unknown,
        }
    }
}

/// How dialing ended (`DialStatus:`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DialStatus {
    /// Answered.
    Answer,
    /// Busy.
    Busy,
    /// Nobody answered, or the number doesn't exist: the Hangup's cause tells.
    NoAnswer,
    /// We gave up.
    Cancel,
    /// The network is full, or refused.
    Congestion,
    /// The channel can't be reached.
    ChanUnavail,
    /// Another word of Asterisk's.
    Other(Box<str>),
}

impl DialStatus {
    /// From Asterisk's word.
    pub fn parse(text: &str) -> Self {
        match text {
            "ANSWER" => Self::Answer,
            "BUSY" => Self::Busy,
            "NOANSWER" => Self::NoAnswer,
            "CANCEL" => Self::Cancel,
            "CONGESTION" => Self::Congestion,
            "CHANUNAVAIL" => Self::ChanUnavail,
            other => Self::Other(other.into()),
        }
    }

    /// Asterisk's word.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Answer => "ANSWER",
            Self::Busy => "BUSY",
            Self::NoAnswer => "NOANSWER",
            Self::Cancel => "CANCEL",
            Self::Congestion => "CONGESTION",
            Self::ChanUnavail => "CHANUNAVAIL",
            Self::Other(word) => word,
        }
    }
}

/// Who keyed a digit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The far end of that channel: the person.
    Received,
    /// Asterisk towards that channel.
    Sent,
}

impl Event {
    /// The event of a packet; nothing if it is none.
    pub fn from_packet(packet: Packet) -> Option<Self> {
        if packet.kind() != PacketKind::Event {
            return None;
        }
        let kind = kind_of(&packet);
        Some(Self { packet, kind })
    }

    /// What it tells.
    pub fn kind(&self) -> &EventKind {
        &self.kind
    }

    /// Its name as Asterisk gives it.
    pub fn name(&self) -> &str {
        self.packet.name()
    }

    /// A value by its key, without regard to case.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.packet.value(key)
    }

    /// All pairs in order.
    pub fn packet(&self) -> &Packet {
        &self.packet
    }

    /// The id of the channel that it is about: `Uniqueid`, or `DestUniqueid` where only the dialed side is told.
    pub fn unique_id(&self) -> Option<&str> {
        known(self.value("Uniqueid")).or_else(|| known(self.value("DestUniqueid")))
    }

    /// The family of that channel: `Linkedid`, or `DestLinkedid`.
    pub fn linked_id(&self) -> Option<&str> {
        known(self.value("Linkedid")).or_else(|| known(self.value("DestLinkedid")))
    }

    /// The channel's name: `Channel`, or `DestChannel`.
    pub fn channel(&self) -> Option<&str> {
        known(self.value("Channel")).or_else(|| known(self.value("DestChannel")))
    }

    /// The cause in Asterisk's words, such as `User busy`.
    pub fn cause_text(&self) -> &str {
        self.value("Cause-txt").unwrap_or_default()
    }

    /// All ids of channels and families that stand in it: the values of every key that ends in `Uniqueid` or
    /// `Linkedid` (`Dest...`, `LocalOne...`, `Spyee...`, `Transferer...`). An id may come twice.
    pub fn unique_ids(&self) -> impl Iterator<Item = &str> {
        self.packet
            .pairs()
            .filter(|(key, _)| ends_with(key, "uniqueid") || ends_with(key, "linkedid"))
            .filter_map(|(_, value)| known(Some(value)))
    }

    /// A call can't do without it: what must not be lost where a slow reader's other events are.
    pub fn is_vital(&self) -> bool {
        matches!(
            self.kind,
            EventKind::Newchannel { .. }
                | EventKind::DialEnd { .. }
                | EventKind::Hangup { .. }
                | EventKind::OriginateResponse { .. }
                | EventKind::DtmfEnd { .. }
        )
    }
}

fn known(value: Option<&str>) -> Option<&str> {
    value.filter(|value| !value.is_empty() && *value != "<unknown>" && *value != "<null>")
}

fn ends_with(key: &str, end: &str) -> bool {
    key.len() >= end.len()
        && key.is_char_boundary(key.len() - end.len())
        && key[key.len() - end.len()..].eq_ignore_ascii_case(end)
}

fn kind_of(packet: &Packet) -> EventKind {
    let text = |key: &str| packet.value(key).unwrap_or_default();
    let state = || ChannelState::from_number(text("ChannelState").parse().unwrap_or(-1));
    let digit = || text("Digit").chars().next();
    let direction = || match text("Direction") {
        "Sent" => Direction::Sent,
        _ => Direction::Received,
    };
    match packet.name() {
        "Newchannel" => EventKind::Newchannel { state: state() },
        "Newstate" => EventKind::Newstate { state: state() },
        "DialBegin" => EventKind::DialBegin,
        "DialEnd" => EventKind::DialEnd {
            status: DialStatus::parse(text("DialStatus")),
        },
        "Hangup" => EventKind::Hangup {
            cause: text("Cause").parse().unwrap_or(0),
        },
        "OriginateResponse" => EventKind::OriginateResponse {
            success: text("Response") == "Success",
            reason: text("Reason").parse().unwrap_or(0),
        },
        "DTMFBegin" => match digit() {
            Some(digit) => EventKind::DtmfBegin {
                digit,
                direction: direction(),
            },
            None => EventKind::Other,
        },
        "DTMFEnd" => match digit() {
            Some(digit) => EventKind::DtmfEnd {
                digit,
                direction: direction(),
                duration_ms: text("DurationMs").parse().unwrap_or(0),
            },
            None => EventKind::Other,
        },
        "AGIExecStart" => EventKind::AgiExecStart,
        "AGIExecEnd" => EventKind::AgiExecEnd {
            code: text("ResultCode").parse().unwrap_or(0),
        },
        "VarSet" => EventKind::VarSet,
        "MixMonitorStart" => EventKind::MixMonitorStart,
        "MixMonitorStop" => EventKind::MixMonitorStop,
        "UserEvent" => EventKind::UserEvent,
        "FullyBooted" => EventKind::FullyBooted,
        "Shutdown" => EventKind::Shutdown {
            restart: text("Restart").eq_ignore_ascii_case("true"),
        },
        _ => EventKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(pairs: &[(&str, &str)]) -> Event {
        Event::from_packet(Packet::from_pairs(pairs.iter().copied()).unwrap()).unwrap()
    }

    #[test]
    fn kinds() {
        let table: &[(&[(&str, &str)], EventKind)] = &[
            (
                &[("Event", "Newchannel"), ("ChannelState", "0")],
                EventKind::Newchannel {
                    state: ChannelState::Down,
                },
            ),
            (
                &[
                    ("Event", "Newstate"),
                    ("ChannelState", "6"),
                    ("ChannelStateDesc", "Up"),
                ],
                EventKind::Newstate {
                    state: ChannelState::Up,
                },
            ),
            (
                &[("Event", "DialEnd"), ("DialStatus", "CONGESTION")],
                EventKind::DialEnd {
                    status: DialStatus::Congestion,
                },
            ),
            (
                &[("Event", "DialEnd"), ("DialStatus", "ABORT")],
                EventKind::DialEnd {
                    status: DialStatus::Other("ABORT".into()),
                },
            ),
            (
                &[("Event", "Hangup"), ("Cause", "17")],
                EventKind::Hangup { cause: 17 },
            ),
            (&[("Event", "Hangup")], EventKind::Hangup { cause: 0 }),
            (
                &[
                    ("Event", "OriginateResponse"),
                    ("Response", "Failure"),
                    ("Reason", "3"),
                ],
                EventKind::OriginateResponse {
                    success: false,
                    reason: 3,
                },
            ),
            (
                &[
                    ("Event", "DTMFEnd"),
                    ("Digit", "2"),
                    ("DurationMs", "120"),
                    ("Direction", "Received"),
                ],
                EventKind::DtmfEnd {
                    digit: '2',
                    direction: Direction::Received,
                    duration_ms: 120,
                },
            ),
            (
                &[
                    ("Event", "DTMFBegin"),
                    ("Digit", "#"),
                    ("Direction", "Sent"),
                ],
                EventKind::DtmfBegin {
                    digit: '#',
                    direction: Direction::Sent,
                },
            ),
            (&[("Event", "DTMFEnd"), ("Digit", "")], EventKind::Other),
            (
                &[("Event", "AGIExecEnd"), ("ResultCode", "-1")],
                EventKind::AgiExecEnd { code: -1 },
            ),
            (
                &[("Event", "Shutdown"), ("Restart", "True")],
                EventKind::Shutdown { restart: true },
            ),
            (&[("Event", "FullyBooted")], EventKind::FullyBooted),
            (&[("Event", "Newexten")], EventKind::Other),
        ];
        for (pairs, want) in table {
            assert_eq!(event(pairs).kind(), want, "{pairs:?}");
        }
    }

    #[test]
    fn ids_route_an_event_to_its_call() {
        let dial = event(&[
            ("Event", "DialEnd"),
            ("DestChannel", "PJSIP/trunk-1"),
            ("DestUniqueid", "govorun-1"),
            ("DestLinkedid", "govorun-1"),
            ("DialStatus", "BUSY"),
        ]);
        assert_eq!(dial.unique_id(), Some("govorun-1"));
        assert_eq!(dial.linked_id(), Some("govorun-1"));
        assert_eq!(dial.channel(), Some("PJSIP/trunk-1"));
        assert!(dial.is_vital());
        let bridge = event(&[
            ("Event", "LocalBridge"),
            ("LocalOneUniqueid", "a"),
            ("LocalOneLinkedid", "b"),
            ("LocalTwoUniqueid", "c"),
            ("Exten", "100"),
        ]);
        assert_eq!(bridge.unique_ids().collect::<Vec<_>>(), ["a", "b", "c"]);
        let failed = event(&[
            ("Event", "OriginateResponse"),
            ("Uniqueid", "<unknown>"),
            ("Channel", ""),
        ]);
        assert_eq!((failed.unique_id(), failed.channel()), (None, None));
        assert_eq!(failed.unique_ids().count(), 0);
    }

    #[test]
    fn responses_are_no_events() {
        let packet = Packet::from_pairs([("Response", "Success")]).unwrap();
        assert_eq!(Event::from_packet(packet), None);
    }
}
