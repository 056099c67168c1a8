//! Actions: what we ask of Asterisk. No text can leave its line, whoever it came from.

use std::borrow::Cow;
use std::fmt;

use md5::{Digest, Md5};

use crate::ident::{ChannelId, Secret};
use crate::wire::agi::VariableName;

use super::packet::{self, PacketError, Response};

/// Longest line, bytes: Asterisk drops lines over 1,024 (`inbuf` of its mansession).
pub const MAX_ACTION_LINE: usize = 1000;
/// Most lines: Asterisk takes 128 headers (`AST_MAX_MANHEADERS`).
pub const MAX_ACTION_LINES: usize = 120;

/// An action without its ActionID, which is given when it is sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Action {
    name: &'static str,
    pairs: Vec<(Cow<'static, str>, String)>,
}

/// Shows the name and the keys: values hold numbers, names and secrets.
impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Action({}", self.name)?;
        for (key, _) in &self.pairs {
            write!(f, ", {key}")?;
        }
        f.write_str(")")
    }
}

/// Why an action can't be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ActionError {
    /// A key or a value that can't be one line.
    #[error("{action}: {problem}")]
    Pair {
        /// The action.
        action: &'static str,
        /// What is wrong, with the key.
        problem: PacketError,
    },
    /// Over [`MAX_ACTION_LINE`].
    #[error(
        "{action}: the line of {key} has {bytes} bytes, Asterisk reads at most {MAX_ACTION_LINE}"
    )]
    LineTooLong {
        /// The action.
        action: &'static str,
        /// The key.
        key: String,
        /// How many it had.
        bytes: usize,
    },
    /// Over [`MAX_ACTION_LINES`].
    #[error("{action}: over {MAX_ACTION_LINES} lines")]
    TooManyLines {
        /// The action.
        action: &'static str,
    },
    /// A value outside of what that key may hold.
    #[error("{action}: {value:?} can't be its {key}: {rule}")]
    Value {
        /// The action.
        action: &'static str,
        /// The key.
        key: &'static str,
        /// The value.
        value: String,
        /// What may stand there.
        rule: &'static str,
    },
}

/// Where `MixMonitor` writes to: files with their ending, absolute or relative to Asterisk's monitor folder. A file's
/// name holds letters, digits and `/ _ - .` only: behind a comma Asterisk would run what stands there in a shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordInto<'f> {
    /// Both directions mixed into one file.
    Mixed(&'f str),
    /// Each direction into a file of its own.
    Apart {
        /// What the channel's person says.
        said: &'f str,
        /// What they hear.
        heard: &'f str,
        /// `S`: silence keeps the two in step. Later Asterisks do that by themselves, and note that the letter is old.
        sync: bool,
    },
    /// What the channel's person says, alone.
    Said {
        /// The file.
        said: &'f str,
        /// `S`: silence where no frame comes.
        sync: bool,
    },
}

/// The channel's variable in which MixMonitor leaves its id; without one it tells none.
const MIX_MONITOR_ID: &str = "GOVORUN_RECORDING";

/// What ControlPlayback does to a CONTROL STREAM FILE that plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Ends it; AGI gets its answer within milliseconds.
    Stop,
    /// Holds it; the same again goes on where it stood.
    Pause,
    /// From the start.
    Restart,
    /// One skip forward.
    Forward,
    /// One skip back.
    Reverse,
}

impl Control {
    /// AMI's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Pause => "pause",
            Self::Restart => "restart",
            Self::Forward => "forward",
            Self::Reverse => "reverse",
        }
    }

    /// From AMI's word, for a double.
    pub fn parse(text: &str) -> Option<Self> {
        [
            Self::Stop,
            Self::Pause,
            Self::Restart,
            Self::Forward,
            Self::Reverse,
        ]
        .into_iter()
        .find(|control| control.as_str().eq_ignore_ascii_case(text))
    }
}

/// The answer to [`Action::challenge`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge(String);

impl Challenge {
    /// From the response to [`Action::challenge`], if it holds one.
    pub fn from_response(response: &Response) -> Option<Self> {
        response
            .value("Challenge")
            .filter(|text| response.is_success() && !text.is_empty())
            .map(|text| Self(text.to_owned()))
    }
}

/// MD5 of challenge and secret as hexadecimal digits: the `Key` of a login.
pub fn md5_key(challenge: &str, secret: &Secret) -> String {
    let mut digest = Md5::new();
    digest.update(challenge.as_bytes());
    digest.update(secret.reveal().as_bytes());
    digest
        .finalize()
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect()
}

impl Action {
    /// An action without pairs. Prefer the constructors below.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            pairs: Vec::new(),
        }
    }

    /// Adds a pair; refuses what can't be one line.
    pub fn with(
        mut self,
        key: impl Into<Cow<'static, str>>,
        value: impl Into<String>,
    ) -> Result<Self, ActionError> {
        let (key, value) = (key.into(), value.into());
        packet::check_pair(&key, &value).map_err(|problem| ActionError::Pair {
            action: self.name,
            problem,
        })?;
        let bytes = key.len() + 2 + value.len();
        if bytes > MAX_ACTION_LINE {
            return Err(ActionError::LineTooLong {
                action: self.name,
                key: key.into_owned(),
                bytes,
            });
        }
        if self.pairs.len() + 2 >= MAX_ACTION_LINES {
            return Err(ActionError::TooManyLines { action: self.name });
        }
        self.pairs.push((key, value));
        Ok(self)
    }

    /// The action's name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The first value of a key.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.pairs
            .iter()
            .find(|(k, _)| k.eq_ignore_ascii_case(key))
            .map(|(_, value)| value.as_str())
    }

    /// Appends the action's bytes. `action_id` is ours: digits and letters, checked nowhere else.
    pub fn encode_into(&self, action_id: &str, out: &mut Vec<u8>) {
        let mut line = |key: &str, value: &str| {
            for part in [key, ": ", value, "\r\n"] {
                out.extend_from_slice(part.as_bytes());
            }
        };
        line("Action", self.name);
        line("ActionID", action_id);
        for (key, value) in &self.pairs {
            line(key, value);
        }
        out.extend_from_slice(b"\r\n");
    }

    /// `Challenge`, the first step of a login.
    pub fn challenge() -> Self {
        Self::fixed("Challenge", &[("AuthType", "MD5")])
    }

    /// `Login` by challenge. `events` is AMI's event mask, such as `system,call,dtmf,user`, or `off`.
    pub fn login(
        user: &str,
        secret: &Secret,
        challenge: &Challenge,
        events: &str,
    ) -> Result<Self, ActionError> {
        Self::fixed("Login", &[("AuthType", "MD5")])
            .with("Username", user)?
            .with("Key", md5_key(&challenge.0, secret))?
            .with("Events", events)
    }

    /// `Logoff`; answered by `Goodbye` and the connection's end.
    pub fn logoff() -> Self {
        Self::new("Logoff")
    }

    /// `Ping`.
    pub fn ping() -> Self {
        Self::new("Ping")
    }

    /// `CoreSettings`: `AsteriskVersion`, `AMIversion` ...
    pub fn core_settings() -> Self {
        Self::new("CoreSettings")
    }

    /// `CoreStatus`: `CoreStartupDate`, `CoreStartupTime`, `CoreCurrentCalls` ...
    pub fn core_status() -> Self {
        Self::new("CoreStatus")
    }

    /// `ModuleCheck`: success if the module (`app_audiofork`, without `.so`) is loaded.
    pub fn module_check(module: &str) -> Result<Self, ActionError> {
        Self::new("ModuleCheck").with("Module", module)
    }

    /// `PlayDTMF` as if the channel had received the key: its events come, nothing is sent.
    pub fn receive_key(channel: &ChannelId, key: char) -> Result<Self, ActionError> {
        Self::new("PlayDTMF")
            .with("Channel", channel.as_str())?
            .with("Digit", key.to_string())?
            .with("Receive", "true")
    }

    /// `ListCommands`: each action that this account may use, as a header of the response. Needs no right itself.
    pub fn list_commands() -> Self {
        Self::new("ListCommands")
    }

    /// `ShowDialPlan` of one context: a list of its steps and includes. Needs `reporting` (or `config`) in `write`.
    pub fn show_dial_plan(context: &str) -> Result<Self, ActionError> {
        let name = "ShowDialPlan";
        check_place(name, "Context", context)?;
        Self::new(name).with("Context", context)
    }

    /// `PJSIPShowEndpoint`: a list of the endpoint's parts, or an error where there is none of that name.
    pub fn pjsip_show_endpoint(endpoint: &str) -> Result<Self, ActionError> {
        let name = "PJSIPShowEndpoint";
        check_place(name, "Endpoint", endpoint)?;
        Self::new(name).with("Endpoint", endpoint)
    }

    /// `SIPshowpeer` of the old chan_sip.
    pub fn sip_show_peer(peer: &str) -> Result<Self, ActionError> {
        let name = "SIPshowpeer";
        check_place(name, "Peer", peer)?;
        Self::new(name).with("Peer", peer)
    }

    /// `Getvar` of a global variable: `Value` in the response.
    pub fn global_variable(name: &VariableName) -> Result<Self, ActionError> {
        Self::new("Getvar").with("Variable", name.as_str())
    }

    /// `Filter`, `Operation: Add`: a regular expression of events to be sent, or with a leading `!` not to be sent.
    pub fn filter(expression: &str) -> Result<Self, ActionError> {
        Self::fixed("Filter", &[("Operation", "Add")]).with("Filter", expression)
    }

    /// `Hangup` of a channel, by its name or id. `cause` is a Q.850 number, such as 16 (normal clearing).
    pub fn hang_up(channel: &ChannelId, cause: u8) -> Result<Self, ActionError> {
        Self::new("Hangup")
            .with("Channel", channel.as_str())?
            .with("Cause", cause.to_string())
    }

    /// `ControlPlayback` of the CONTROL STREAM FILE that plays on a channel. Asterisk takes the name or the id.
    pub fn control_playback(channel: &ChannelId, control: Control) -> Result<Self, ActionError> {
        Self::new("ControlPlayback")
            .with("Channel", channel.as_str())?
            .with("Control", control.as_str())
    }

    /// `MixMonitor`: records the channel in the background; the answer's `MixMonitorID` ends it, and no other recording.
    /// `options` are built here, so that nothing else gets in.
    pub fn mix_monitor(channel: &ChannelId, into: &RecordInto<'_>) -> Result<Self, ActionError> {
        let ok = |c: char| c.is_alphanumeric() || "/_-.".contains(c);
        let sound = |file: &str| -> Result<(), ActionError> {
            if !file.is_empty() && file.chars().all(ok) && !file.contains("..") {
                return Ok(());
            }
            Err(ActionError::Value {
                action: "MixMonitor",
                key: "File",
                value: crate::wire::line::one_line(file),
                rule: "letters, digits and / _ - . only, without ..",
            })
        };
        let action = Self::new("MixMonitor").with("Channel", channel.as_str())?;
        let in_step = |sync: bool| if sync { "S" } else { "" };
        let (action, options) = match into {
            RecordInto::Mixed(file) => {
                sound(file)?;
                (action.with("File", *file)?, String::new())
            }
            RecordInto::Apart { said, heard, sync } => {
                sound(said)?;
                sound(heard)?;
                (action, format!("r({said})t({heard}){}", in_step(*sync)))
            }
            RecordInto::Said { said, sync } => {
                sound(said)?;
                (action, format!("r({said}){}", in_step(*sync)))
            }
        };
        action.with("options", format!("{options}i({MIX_MONITOR_ID})"))
    }

    /// `StopMixMonitor`: ends the channel's recording; of several the one with that `MixMonitorID`.
    pub fn stop_mix_monitor(channel: &ChannelId, id: Option<&str>) -> Result<Self, ActionError> {
        let action = Self::new("StopMixMonitor").with("Channel", channel.as_str())?;
        match id {
            Some(id) => action.with("MixMonitorID", id),
            None => Ok(action),
        }
    }

    /// `Redirect`: sends the channel to another place of the dialplan; its AGI ends.
    pub fn redirect(
        channel: &ChannelId,
        context: &str,
        extension: &str,
        priority: u32,
    ) -> Result<Self, ActionError> {
        let name = "Redirect";
        for (key, value) in [("Context", context), ("Exten", extension)] {
            check_place(name, key, value)?;
        }
        Self::new(name)
            .with("Channel", channel.as_str())?
            .with("Context", context)?
            .with("Exten", extension)?
            .with("Priority", priority.to_string())
    }

    /// `Setvar` on a channel: the value is stored as it is.
    pub fn set_variable(
        channel: &ChannelId,
        name: &VariableName,
        value: &str,
    ) -> Result<Self, ActionError> {
        Self::new("Setvar")
            .with("Channel", channel.as_str())?
            .with("Variable", name.as_str())?
            .with("Value", value)
    }

    /// `Getvar` of a channel: `Value` in the response.
    pub fn variable(channel: &ChannelId, name: &VariableName) -> Result<Self, ActionError> {
        Self::new("Getvar")
            .with("Channel", channel.as_str())?
            .with("Variable", name.as_str())
    }

    /// `Status` of one channel by its name or id; an event list of one, or an error if there is no such channel.
    pub fn status(channel: &ChannelId) -> Result<Self, ActionError> {
        Self::new("Status").with("Channel", channel.as_str())
    }

    /// `CoreShowChannels`: an event list of all channels.
    pub fn channels() -> Self {
        Self::new("CoreShowChannels")
    }

    fn fixed(name: &'static str, pairs: &[(&'static str, &'static str)]) -> Self {
        Self {
            name,
            pairs: pairs
                .iter()
                .map(|(key, value)| (Cow::Borrowed(*key), (*value).to_owned()))
                .collect(),
        }
    }
}

/// A context or an extension: what Asterisk's dialplan names hold, nothing that it would evaluate.
pub(super) fn check_place(
    action: &'static str,
    key: &'static str,
    value: &str,
) -> Result<(), ActionError> {
    let ok = |b: u8| b.is_ascii_alphanumeric() || b"_-.+*#".contains(&b);
    if !value.is_empty() && value.len() <= 80 && value.bytes().all(ok) {
        return Ok(());
    }
    Err(ActionError::Value {
        action,
        key,
        value: crate::wire::line::one_line(value),
        rule: "letters, digits and _ - . + * # only, 1 to 80 of them",
    })
}

#[cfg(test)]
mod tests {
    use super::super::packet::{Packet, PacketDecoder};
    use super::*;
    use proptest::prelude::*;

    fn read(action: &Action) -> Packet {
        let mut bytes = Vec::new();
        action.encode_into("g1", &mut bytes);
        let mut decoder = PacketDecoder::default();
        decoder.feed(&bytes);
        let packet = decoder.next().unwrap().unwrap();
        assert_eq!(decoder.next().unwrap(), None, "one action, one packet");
        assert!(decoder.buffer().is_empty());
        packet
    }

    fn channel() -> ChannelId {
        ChannelId::from_asterisk("1700000000.5")
    }

    #[test]
    fn bytes_on_the_wire() {
        let mut bytes = Vec::new();
        Action::control_playback(&channel(), Control::Stop)
            .unwrap()
            .encode_into("g7", &mut bytes);
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            "Action: ControlPlayback\r\nActionID: g7\r\nChannel: 1700000000.5\r\nControl: stop\r\n\r\n"
        );
    }

    #[test]
    fn login_answers_the_challenge() {
        let response = Response::new(
            Packet::from_pairs([("Response", "Success"), ("Challenge", "123456789")]).unwrap(),
        );
        let challenge = Challenge::from_response(&response).unwrap();
        let login =
            Action::login("govorun", &Secret::new("secret"), &challenge, "system,call").unwrap();
        // echo -n 123456789secret | md5sum
        assert_eq!(login.value("Key"), Some("7ccde16e862dfe7681297713e9e9cadb"));
        assert_eq!(
            format!("{login:?}"),
            "Action(Login, AuthType, Username, Key, Events)"
        );
        let refused = Response::new(Packet::from_pairs([("Response", "Error")]).unwrap());
        assert_eq!(Challenge::from_response(&refused), None);
    }

    #[test]
    fn bad_values_are_refused_by_their_key() {
        let check = |result: Result<Action, ActionError>, part: &str| {
            let error = result.unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        };
        let evil = ChannelId::from_asterisk("x\r\nAction: Command");
        check(
            Action::hang_up(&evil, 16),
            "Hangup: AMI packet: \"Channel\"",
        );
        check(Action::new("X").with("Bad key", "v"), "is no key");
        check(Action::new("X").with("A\r\nB", "v"), "is no key");
        check(Action::new("X").with("A", "\0"), "control character");
        check(
            Action::new("X").with("A", "v".repeat(1000)),
            "line of A has 1003 bytes",
        );
        check(Action::redirect(&channel(), "ctx", "1,2", 1), "its Exten");
        check(Action::redirect(&channel(), "${X}", "1", 1), "its Context");
        for file in [
            "a.wav,,touch /tmp/x",
            "a b",
            "../x",
            "",
            "a|b",
            "a`id`",
            "a)t(b",
        ] {
            let mixed = RecordInto::Mixed(file);
            check(Action::mix_monitor(&channel(), &mixed), "its File");
            let said = RecordInto::Said {
                said: file,
                sync: false,
            };
            check(Action::mix_monitor(&channel(), &said), "its File");
            for (said, heard) in [(file, "b.wav"), ("a.wav", file)] {
                let apart = RecordInto::Apart {
                    said,
                    heard,
                    sync: true,
                };
                check(Action::mix_monitor(&channel(), &apart), "its File");
            }
        }
        let mut many = Ok(Action::new("X"));
        for _ in 0..200 {
            many = many.and_then(|action| action.with("A", "b"));
        }
        check(many, "over 120 lines");
    }

    proptest! {
        #[test]
        fn no_text_injects(value in any::<String>()) {
            let name = VariableName::new("PARAM").unwrap();
            if let Ok(action) = Action::set_variable(&channel(), &name, &value) {
                let packet = read(&action);
                prop_assert_eq!(packet.pairs().count(), 5);
                prop_assert_eq!(packet.value("Value"), Some(value.trim_start_matches([' ', '\t'])));
            }
        }

        #[test]
        fn no_line_breaks_inject(value in r"[a\r\n:Action ]{0,40}") {
            let result = Action::new("X").with("Key", value.clone());
            prop_assert_eq!(result.is_err(), value.contains(['\r', '\n']));
        }
    }
}
