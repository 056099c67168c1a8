//! Originate: how a call is placed, and how a tap is put beside one.

use crate::ident::ChannelId;
use crate::wire::agi::VariableName;
use crate::wire::app::App;
use crate::wire::dial::{CallerId, DialString};

use super::action::{Action, ActionError, check_place};

/// What the channel does once it is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Runs an application: `AGI` with our address, `ChanSpy` with the spied channel's id.
    App(App),
    /// Enters the dialplan.
    Extension {
        /// Context.
        context: String,
        /// Extension.
        extension: String,
        /// Priority, from 1.
        priority: u32,
    },
}

/// An `Originate` action, always asynchronous: the response only says that it was queued, what came of it say
/// `DialEnd`, `Hangup` and `OriginateResponse` events with `channel_id`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Originate {
    /// What is dialed.
    pub channel: DialString,
    /// What is done with who answers.
    pub target: Target,
    /// The new channel's Uniqueid and its family's Linkedid, ours to choose.
    pub channel_id: Option<ChannelId>,
    /// The same for the second half of a Local channel.
    pub other_channel_id: Option<ChannelId>,
    /// How long it may ring, milliseconds; Asterisk's own default is 30,000.
    pub timeout_ms: Option<u32>,
    /// What the called person sees.
    pub caller_id: Option<CallerId>,
    /// Channel variables, set before dialing. Values are stored as they are; one with line breaks is refused
    /// ([`crate::wire::line::one_line`] makes it fit).
    pub variables: Vec<(VariableName, String)>,
    /// Connect to `target` at early media already, not at the answer.
    pub early_media: bool,
    /// Codecs to offer, such as `alaw`; Asterisk's choice if empty.
    pub codecs: Vec<&'static str>,
}

impl Originate {
    /// Dials `channel` and does `target` with who answers.
    pub fn new(channel: DialString, target: Target) -> Self {
        Self {
            channel,
            target,
            channel_id: None,
            other_channel_id: None,
            timeout_ms: None,
            caller_id: None,
            variables: Vec::new(),
            early_media: false,
            codecs: Vec::new(),
        }
    }

    /// The action. Fails where a value can't be one line, or is too long for Asterisk.
    pub fn action(&self) -> Result<Action, ActionError> {
        const NAME: &str = "Originate";
        let mut action = Action::new(NAME)
            .with("Channel", self.channel.as_str())?
            .with("Async", "true")?;
        match &self.target {
            Target::App(app) => {
                action = action.with("Application", app.name())?;
                if !app.data().is_empty() {
                    action = action.with("Data", app.data())?;
                }
            }
            Target::Extension {
                context,
                extension,
                priority,
            } => {
                check_place(NAME, "Context", context)?;
                check_place(NAME, "Exten", extension)?;
                action = action
                    .with("Context", context.as_str())?
                    .with("Exten", extension.as_str())?
                    .with("Priority", priority.to_string())?;
            }
        }
        for (key, id) in [
            ("ChannelId", &self.channel_id),
            ("OtherChannelId", &self.other_channel_id),
        ] {
            if let Some(id) = id {
                action = action.with(key, id.as_str())?;
            }
        }
        if let Some(timeout_ms) = self.timeout_ms {
            action = action.with("Timeout", timeout_ms.to_string())?;
        }
        if let Some(caller_id) = &self.caller_id {
            action = action.with("CallerID", caller_id.encode())?;
        }
        if self.early_media {
            action = action.with("EarlyMedia", "true")?;
        }
        if !self.codecs.is_empty() {
            action = action.with("Codecs", self.codecs.join(","))?;
        }
        for (name, value) in &self.variables {
            action = action.with("Variable", encode_variable(name, value))?;
        }
        Ok(action)
    }
}

/// `NAME=value`, in which Asterisk finds one variable whatever the value holds: it splits the line at commas like an
/// application's arguments (`man_do_variable_value`, `__ast_app_separate_args`), taking quotes away and a backslash
/// for "the next character as it is".
fn encode_variable(name: &VariableName, value: &str) -> String {
    let mut out = String::with_capacity(name.as_str().len() + 1 + value.len());
    out.push_str(name.as_str());
    out.push('=');
    for c in value.chars() {
        if "\\\",()[]".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// The variables of one `Variable:` line as Asterisk finds them, for a double.
pub(super) fn decode_variables(text: &str) -> Vec<(String, String)> {
    let mut parts = Vec::new();
    let mut part = String::new();
    let (mut paren, mut bracket, mut quote) = (0u32, 0u32, false);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '(' => paren += 1,
            ')' => paren = paren.saturating_sub(1),
            '[' => bracket += 1,
            ']' => bracket = bracket.saturating_sub(1),
            '"' => {
                quote = !quote;
                continue;
            }
            '\\' => {
                part.extend(chars.next());
                continue;
            }
            ',' if paren == 0 && bracket == 0 && !quote => {
                parts.push(std::mem::take(&mut part));
                continue;
            }
            _ => {}
        }
        part.push(c);
    }
    parts.push(part);
    parts
        .iter()
        .filter_map(|part| part.split_once('='))
        .filter(|(name, _)| !name.is_empty())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

impl super::packet::Packet {
    /// All variables of an Originate packet's `Variable:` lines, as Asterisk finds them. For a double.
    pub fn variables(&self) -> Vec<(String, String)> {
        self.values("Variable").flat_map(decode_variables).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::packet::{Packet, PacketDecoder};
    use super::*;
    use crate::ident::Phone;
    use crate::wire::dial::DialTemplate;
    use crate::wire::line;
    use proptest::prelude::*;

    fn originate() -> Originate {
        let channel = DialTemplate::parse("PJSIP/{phone}@trunk")
            .unwrap()
            .dial(&Phone::parse("+79121234567").unwrap());
        let app = App::new("AGI")
            .unwrap()
            .arg("agi://127.0.0.1:4573/out/00ff")
            .unwrap();
        Originate::new(channel, Target::App(app))
    }

    fn read(action: &Action) -> Packet {
        let mut bytes = Vec::new();
        action.encode_into("g1", &mut bytes);
        let mut decoder = PacketDecoder::default();
        decoder.feed(&bytes);
        let packet = decoder.next().unwrap().unwrap();
        assert_eq!(decoder.next().unwrap(), None, "one action, one packet");
        packet
    }

    #[test]
    fn a_call_is_placed() {
        let mut call = originate();
        call.channel_id = Some(ChannelId::from_asterisk("govorun-1"));
        call.timeout_ms = Some(45_000);
        call.caller_id = Some(CallerId::new("Клиника", "74951234567").unwrap());
        call.early_media = true;
        call.codecs = vec!["alaw", "ulaw"];
        call.variables = vec![(VariableName::new("__GOVORUN").unwrap(), "a,b\"c".to_owned())];
        let packet = read(&call.action().unwrap());
        let want = [
            ("Action", "Originate"),
            ("ActionID", "g1"),
            ("Channel", "PJSIP/+79121234567@trunk"),
            ("Async", "true"),
            ("Application", "AGI"),
            ("Data", "agi://127.0.0.1:4573/out/00ff"),
            ("ChannelId", "govorun-1"),
            ("Timeout", "45000"),
            ("CallerID", "\"Клиника\" <74951234567>"),
            ("EarlyMedia", "true"),
            ("Codecs", "alaw,ulaw"),
            ("Variable", r#"__GOVORUN=a\,b\"c"#),
        ];
        assert_eq!(packet.pairs().collect::<Vec<_>>(), want);
        assert_eq!(
            packet.variables(),
            [("__GOVORUN".to_owned(), "a,b\"c".to_owned())]
        );
        assert!(!format!("{call:?}").contains("9121234567"));
    }

    #[test]
    fn an_extension_is_a_place_and_nothing_else() {
        let mut call = originate();
        let place = |context: &str, extension: &str| Target::Extension {
            context: context.to_owned(),
            extension: extension.to_owned(),
            priority: 1,
        };
        call.target = place("govorun-out", "s");
        assert_eq!(read(&call.action().unwrap()).value("Exten"), Some("s"));
        for (context, extension) in [("a b", "s"), ("a", "s\r\nX: y"), ("", "s"), ("a", "s,1")] {
            call.target = place(context, extension);
            assert!(call.action().is_err(), "{context:?} {extension:?}");
        }
    }

    proptest! {
        #[test]
        fn a_variable_stays_one(value in any::<String>(), tricky in r#"[a=,"\\()\[\] \r\n]{0,30}"#) {
            for value in [value, tricky] {
                let mut call = originate();
                call.variables = vec![(VariableName::new("P").unwrap(), value.clone())];
                match call.action() {
                    Ok(action) => prop_assert_eq!(read(&action).variables(), [("P".to_owned(), value.clone())]),
                    Err(_) => prop_assert!(line::check(&value).is_err() || value.len() > 400),
                }
                call.variables[0].1 = line::one_line(&value);
                prop_assert!(call.action().is_ok() || value.len() > 400);
            }
        }
    }
}
