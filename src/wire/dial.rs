//! Dial strings and caller ids: the only place where a telephone number enters what Asterisk dials.
//!
//! A dial string is code to Asterisk: `&` rings a second place, `,` begins options, `/` and `@` choose trunk and
//! context. So a number comes as [`Phone`] (digits with an optional plus, checked where it entered) into a
//! [`DialTemplate`] that was checked when the config was read; no other text is ever joined to one.

use std::fmt;
use std::net::SocketAddr;

use crate::ident::{Phone, Token};

use super::{chan_websocket, line};

/// Longest dial string, bytes.
pub const MAX_DIAL_STRING: usize = 200;

/// What Asterisk can dial: made by a [`DialTemplate`] or by one of the constructors for the call's audio.
#[derive(Clone, PartialEq, Eq)]
pub struct DialString {
    text: String,
    /// Holds a person's number: not to be logged.
    personal: bool,
}

impl DialString {
    /// The channel that carries a spied call's audio to our AudioSocket server, 8 kHz signed linear.
    /// Asterisk 18+ (chan_audiosocket).
    pub fn audio_socket(server: SocketAddr, call: &Token) -> Self {
        Self::ours(format!("AudioSocket/{server}/{}/c(slin)", call.as_uuid()))
    }

    /// The channel that carries a spied call's audio to us as RTP; `codec` as Asterisk names it.
    pub fn unicast_rtp(receiver: SocketAddr, codec: RtpCodec) -> Self {
        Self::ours(format!("UnicastRTP/{receiver}/c({})", codec.as_str()))
    }

    /// A named outgoing WebSocket of websocket_client.conf (chan_websocket), 8 kHz signed linear. The token comes to us in
    /// the query of the connection's URI: its path can't be changed by a dial string (seen on 22.10.1).
    pub fn web_socket(connection: &str, call: &Token) -> Result<Self, DialError> {
        if connection.is_empty()
            || connection.len() > 80
            || !connection
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
        {
            return Err(DialError::Connection(line::one_line(connection)));
        }
        let parameter = chan_websocket::parameter(call);
        Ok(Self::ours(format!(
            "WebSocket/{connection}/c(slin)v({parameter})"
        )))
    }

    fn ours(text: String) -> Self {
        Self {
            text,
            personal: false,
        }
    }

    /// The whole string; with a number in it never to be logged.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for DialString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.personal {
            let technology = self.text.split('/').next().unwrap_or_default();
            write!(f, "{technology}/…")
        } else {
            f.write_str(&self.text)
        }
    }
}

/// Codecs in which a UnicastRTP channel can send to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RtpCodec {
    /// G.711 A-law, payload type 8, 160 bytes a packet.
    Alaw,
    /// Signed linear 8 kHz, big-endian on the wire, 320 bytes a packet.
    Slin,
}

impl RtpCodec {
    /// Asterisk's name of it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Alaw => "alaw",
            Self::Slin => "slin",
        }
    }
}

/// How a number is dialed, from the config: `PJSIP/{phone}@trunk`, `Local/8{digits}@outgoing`.
///
/// `{phone}` is the number as 1C gave it, with its plus if it has one; `{digits}` the same without a plus. Exactly one
/// of them stands in a template, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialTemplate {
    before: String,
    after: String,
    plus: bool,
}

/// What is wrong with a dial template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DialError {
    /// None or several places for the number.
    #[error(
        "{0:?} has to hold {{phone}} (or {{digits}}) exactly once, as in PJSIP/{{phone}}@trunk"
    )]
    Places(String),
    /// A character with a meaning of its own to Asterisk.
    #[error("{template:?} holds {found:?}: letters, digits and _ - . / @ : ; = + * # only")]
    Character {
        /// The template.
        template: String,
        /// The first wrong one.
        found: char,
    },
    /// No `Technology/` before the number.
    #[error(
        "{0:?} has to begin with a channel technology and a slash, as in PJSIP/{{phone}}@trunk"
    )]
    Technology(String),
    /// Too long with the longest number in it.
    #[error("a dial template of {bytes} bytes, at most {max} fit", max = MAX_DIAL_STRING - 21)]
    TooLong {
        /// How many it had.
        bytes: usize,
    },
    /// Not a section's name of websocket_client.conf.
    #[error("{0:?} can't be a connection of websocket_client.conf: letters, digits, _ and - only")]
    Connection(String),
}

impl DialTemplate {
    /// Checks a template.
    pub fn parse(text: &str) -> Result<Self, DialError> {
        let shown = || line::one_line(text);
        if text.len() > MAX_DIAL_STRING - 21 {
            return Err(DialError::TooLong { bytes: text.len() });
        }
        let (mark, plus) = match (
            text.matches("{phone}").count(),
            text.matches("{digits}").count(),
        ) {
            (1, 0) => ("{phone}", true),
            (0, 1) => ("{digits}", false),
            _ => return Err(DialError::Places(shown())),
        };
        let (before, after) = text
            .split_once(mark)
            .ok_or_else(|| DialError::Places(shown()))?;
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_-./@:;=+*#".contains(c);
        if let Some(found) = before.chars().chain(after.chars()).find(|c| !allowed(*c)) {
            return Err(DialError::Character {
                template: shown(),
                found,
            });
        }
        let technology = before
            .split_once('/')
            .map_or("", |(technology, _)| technology);
        let sane = technology.starts_with(|c: char| c.is_ascii_alphabetic())
            && technology
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !sane {
            return Err(DialError::Technology(shown()));
        }
        Ok(Self {
            before: before.to_owned(),
            after: after.to_owned(),
            plus,
        })
    }

    /// The channel technology, such as `PJSIP` or `Local`.
    pub fn technology(&self) -> &str {
        self.before.split('/').next().unwrap_or_default()
    }

    /// The dial string for a number.
    pub fn dial(&self, phone: &Phone) -> DialString {
        let number = phone.as_str();
        let number = if self.plus {
            number
        } else {
            number.trim_start_matches('+')
        };
        DialString {
            text: format!("{}{number}{}", self.before, self.after),
            personal: true,
        }
    }
}

/// A caller id as Asterisk reads it: `"Name" <number>`.
///
/// The number is letters, digits and `+*#_.-`; anything else is refused. The name is text for people: what could end
/// its quotes or begin a number (`"`, `\`, `<`, `>`, control characters) becomes a space, and it is cut at 80 characters.
#[derive(Clone, PartialEq, Eq)]
pub struct CallerId {
    name: String,
    number: String,
}

/// A number that can't be shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a caller id's number holds letters, digits and + * # _ . - only, at most 40, not {0:?}")]
pub struct CallerIdError(String);

impl CallerId {
    /// Checks the number, cleans the name. Either may be empty.
    pub fn new(name: &str, number: &str) -> Result<Self, CallerIdError> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"+*#_.-".contains(&b);
        if number.len() > 40 || !number.bytes().all(allowed) {
            return Err(CallerIdError(
                line::one_line(number).chars().take(60).collect(),
            ));
        }
        let name: String = name
            .chars()
            .map(|c| if "\"\\<>".contains(c) { ' ' } else { c })
            .take(80)
            .collect();
        Ok(Self {
            name: line::one_line(&name),
            number: number.to_owned(),
        })
    }

    /// From a config's `"Name" <number>`, `Name <number>` or `number`.
    pub fn parse(text: &str) -> Result<Self, CallerIdError> {
        match text.split_once('<') {
            Some((name, number)) => Self::new(
                name.trim().trim_matches('"'),
                number.trim().trim_end_matches('>'),
            ),
            None => Self::new("", text.trim()),
        }
    }

    /// The text for `CallerID:` of Originate and for SET CALLERID.
    pub fn encode(&self) -> String {
        if self.name.is_empty() {
            format!("<{}>", self.number)
        } else {
            format!("\"{}\" <{}>", self.name, self.number)
        }
    }
}

impl fmt::Debug for CallerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CallerId(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_enter_at_their_place_only() {
        let phone = Phone::parse("+79121234567").unwrap();
        for (template, want) in [
            ("PJSIP/{phone}@trunk", "PJSIP/+79121234567@trunk"),
            (
                "Local/8{digits}@outgoing/n",
                "Local/879121234567@outgoing/n",
            ),
            ("SIP/trunk/{phone}", "SIP/trunk/+79121234567"),
            (
                "PJSIP/trunk/sip:{digits}@10.0.0.1:5060",
                "PJSIP/trunk/sip:79121234567@10.0.0.1:5060",
            ),
        ] {
            let dialed = DialTemplate::parse(template).unwrap().dial(&phone);
            assert_eq!(dialed.as_str(), want);
            assert!(!format!("{dialed:?}").contains("1234567"));
        }
        assert_eq!(
            DialTemplate::parse("PJSIP/{phone}@t").unwrap().technology(),
            "PJSIP"
        );
    }

    #[test]
    fn bad_templates_are_refused_with_the_mend() {
        for (template, part) in [
            ("PJSIP/100@trunk", "exactly once"),
            ("", "exactly once"),
            ("PJSIP/{phone}{phone}@trunk", "exactly once"),
            ("PJSIP/{phone}@t/{digits}", "exactly once"),
            ("PJSIP/{phone}@a&PJSIP/9@b", "'&'"),
            ("PJSIP/{phone}@a,30,g", "','"),
            ("PJSIP/{phone}@a\r\nAction: x", "'\\r'"),
            ("PJSIP/{phone}@a b", "' '"),
            ("PJSIP/{phone}@${X}", "'$'"),
            ("PJSIP/{phone}@{x}", "'{'"),
            ("PJSIP/{phone}|x", "'|'"),
            ("{phone}@trunk", "technology"),
            ("PJSIP{phone}", "technology"),
            ("/{phone}", "technology"),
            ("9X/{phone}", "technology"),
            (&format!("PJSIP/{{phone}}@{}", "x".repeat(200)), "at most"),
        ] {
            let error = DialTemplate::parse(template).unwrap_err().to_string();
            assert!(error.contains(part), "{template:?}: {error}");
        }
    }

    #[test]
    fn channels_for_the_calls_audio() {
        let token = Token::parse("00112233445566778899aabbccddeeff").unwrap();
        let at: SocketAddr = "127.0.0.1:9092".parse().unwrap();
        assert_eq!(
            DialString::audio_socket(at, &token).as_str(),
            "AudioSocket/127.0.0.1:9092/00112233-4455-6677-8899-aabbccddeeff/c(slin)"
        );
        assert_eq!(
            DialString::unicast_rtp(at, RtpCodec::Alaw).as_str(),
            "UnicastRTP/127.0.0.1:9092/c(alaw)"
        );
        assert_eq!(
            DialString::web_socket("govorun", &token).unwrap().as_str(),
            "WebSocket/govorun/c(slin)v(token=00112233445566778899aabbccddeeff)"
        );
        for bad in ["", "a/b", "a,b", "a&b", "a b", "a\n"] {
            assert!(DialString::web_socket(bad, &token).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn caller_ids() {
        let check =
            |text: &str, want: &str| assert_eq!(CallerId::parse(text).unwrap().encode(), want);
        check("+74951234567", "<+74951234567>");
        check("Клиника <74951234567>", "\"Клиника\" <74951234567>");
        check("\"ООО \\Рога\" <1>", "\"ООО  Рога\" <1>");
        for bad in [
            "1&2",
            "1,2",
            "1 2",
            "1\r\nAction: x",
            "<1> <2>",
            "1@2",
            &"1".repeat(41),
        ] {
            assert!(CallerId::parse(bad).is_err(), "{bad:?}");
        }
        let tricky = CallerId::new("x\" <911>\r\nAction: Originate", "1").unwrap();
        assert_eq!(tricky.encode(), "\"x   911 Action: Originate\" <1>");
    }

    proptest! {
        #[test]
        fn a_dialed_string_is_its_template_and_digits(text in r"[A-Z/@&,|{}phonedigts\r\n$]{0,20}", number in r"\+?[0-9]{2,20}") {
            let phone = Phone::parse(&number).unwrap();
            if let Ok(template) = DialTemplate::parse(&format!("PJSIP/{{phone}}{text}")) {
                let dialed = template.dial(&phone);
                prop_assert_eq!(dialed.as_str(), format!("PJSIP/{number}{text}"));
                prop_assert!(!dialed.as_str().contains(['&', ',', '|', '\r', '\n', '$']));
            }
        }

        #[test]
        fn names_never_leave_their_quotes(name in any::<String>()) {
            let text = CallerId::new(&name, "100").unwrap().encode();
            prop_assert!(line::check(&text).is_ok());
            prop_assert!(text.ends_with("<100>"));
            prop_assert!(matches!(text.matches('"').count(), 0 | 2));
            prop_assert_eq!(text.matches('<').count(), 1);
        }
    }
}
