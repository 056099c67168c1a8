//! One packet of AMI and how packets are taken from a stream of bytes.

use std::fmt;

use crate::wire::line;

/// Longest banner, bytes.
pub const MAX_BANNER: usize = 200;
/// Longest line of a packet, bytes. Asterisk's own lines end at some 20,000 (long variables).
pub const MAX_LINE: usize = 64 * 1024;
/// Most lines of a packet; a `Response: Follows` may be a long listing.
pub const MAX_LINES: usize = 16 * 1024;
/// Most bytes of a packet.
pub const MAX_PACKET: usize = 1024 * 1024;

/// Why bytes were refused. The stream has lost its step: the connection has to be closed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    /// A line over its cap.
    #[error("AMI packet: {0}")]
    Line(#[from] line::LineTooLong),
    /// Too many lines.
    #[error("AMI packet: over {MAX_LINES} lines")]
    Lines,
    /// Too many bytes.
    #[error("AMI packet: over {MAX_PACKET} bytes")]
    Bytes,
    /// The peer's first line isn't AMI's banner.
    #[error(
        "the peer says {start:?}, not \"Asterisk Call Manager/...\": is that the manager's port?"
    )]
    Banner {
        /// How it begins.
        start: String,
    },
    /// A key or value that can't be sent (encoding only).
    #[error("AMI packet: {key:?} {problem}")]
    Value {
        /// The key.
        key: String,
        /// What is wrong.
        problem: String,
    },
}

/// The first line of a connection: `Asterisk Call Manager/5.0.4`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Banner {
    /// AMI's version: 5.0.x with Asterisk 16, 11.0.0 with 22.10.
    pub version: String,
}

impl Banner {
    /// Reads it. `Ok(None)`: more bytes are needed, nothing is consumed.
    pub fn decode(bytes: &[u8]) -> Result<Option<(Self, usize)>, PacketError> {
        const NAME: &[u8] = b"Asterisk Call Manager/";
        let start = |raw: &[u8]| PacketError::Banner {
            start: String::from_utf8_lossy(&raw[..raw.len().min(60)]).into_owned(),
        };
        let same = bytes.len().min(NAME.len());
        if bytes[..same] != NAME[..same] {
            return Err(start(bytes));
        }
        match line::take(bytes, MAX_BANNER) {
            Ok(None) => Ok(None),
            Ok(Some((raw, used))) if raw.len() > NAME.len() => {
                let version = String::from_utf8_lossy(&raw[NAME.len()..]).into_owned();
                Ok(Some((Self { version }, used)))
            }
            Ok(Some((raw, _))) => Err(start(raw)),
            Err(_) => Err(start(bytes)),
        }
    }

    /// The bytes, for a double.
    pub fn encode(&self) -> String {
        format!(
            "Asterisk Call Manager/{}\r\n",
            line::one_line(&self.version)
        )
    }
}

/// Where one line's key and value stand in the packet's text.
#[derive(Clone, Copy)]
struct Span {
    key: u32,
    key_end: u32,
    value: u32,
    value_end: u32,
}

/// One packet: pairs in the order in which they came, repeated keys kept.
#[derive(Clone)]
pub struct Packet {
    text: Box<str>,
    spans: Vec<Span>,
}

/// What a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PacketKind {
    /// Something happened.
    Event,
    /// An answer to an action.
    Response,
    /// A request (a double of Asterisk gets these).
    Action,
    /// None of these.
    Other,
}

/// The key under which lines of a listing stand.
const OUTPUT: &str = "Output";

impl Packet {
    /// A packet of these pairs, for a double of Asterisk and for tests. Keys: ASCII letters, digits, `-`, `_`.
    pub fn from_pairs<'a>(
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, PacketError> {
        let mut text = String::new();
        let mut spans = Vec::new();
        for (key, value) in pairs {
            check_pair(key, value)?;
            let start = text.len();
            text.push_str(key);
            text.push_str(value);
            spans.push(Span {
                key: offset(start),
                key_end: offset(start + key.len()),
                value: offset(start + key.len()),
                value_end: offset(text.len()),
            });
        }
        Ok(Self {
            text: text.into(),
            spans,
        })
    }

    /// Reads lines that are known to be whole packets' lines (no empty one among them).
    fn from_lines(raw: &[u8], lines: usize) -> Self {
        let text = String::from_utf8_lossy(raw).into_owned();
        let mut spans = Vec::with_capacity(lines);
        let mut listing = false;
        let mut at = 0;
        for whole in text.split_inclusive('\n') {
            let line = whole.strip_suffix('\n').unwrap_or(whole);
            let line = line.strip_suffix('\r').unwrap_or(line);
            let colon = line
                .find(':')
                .filter(|colon| *colon > 0 && is_key(&line[..*colon]));
            // In an old listing only the first lines are pairs.
            let pair = match colon {
                Some(colon) if !listing || is_listing_key(&line[..colon]) => Some(colon),
                _ => None,
            };
            match pair {
                Some(colon) => {
                    let value = line[colon + 1..].trim_start_matches([' ', '\t']);
                    listing |= spans.is_empty() && is_follows(line.as_bytes());
                    spans.push(Span {
                        key: offset(at),
                        key_end: offset(at + colon),
                        value: offset(at + line.len() - value.len()),
                        value_end: offset(at + line.len()),
                    });
                }
                // A line without a key, under the name that newer Asterisks give it.
                None if line != END_COMMAND && !line.is_empty() => spans.push(Span {
                    key: u32::MAX,
                    key_end: u32::MAX,
                    value: offset(at),
                    value_end: offset(at + line.len()),
                }),
                None => {}
            }
            at += whole.len();
        }
        Self {
            text: text.into(),
            spans,
        }
    }

    /// The first value of that key; keys are compared without regard to case.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.pairs()
            .find(|(k, _)| k.eq_ignore_ascii_case(key))
            .map(|(_, value)| value)
    }

    /// All values of that key, in order.
    pub fn values<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.pairs()
            .filter(move |(k, _)| k.eq_ignore_ascii_case(key))
            .map(|(_, value)| value)
    }

    /// All pairs in order.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.spans.iter().map(|span| {
            let key = match span.key {
                u32::MAX => OUTPUT,
                key => &self.text[key as usize..span.key_end as usize],
            };
            (
                key,
                &self.text[span.value as usize..span.value_end as usize],
            )
        })
    }

    /// What it is, by its first line.
    pub fn kind(&self) -> PacketKind {
        match self.pairs().next() {
            Some((key, _)) if key.eq_ignore_ascii_case("Event") => PacketKind::Event,
            Some((key, _)) if key.eq_ignore_ascii_case("Response") => PacketKind::Response,
            Some((key, _)) if key.eq_ignore_ascii_case("Action") => PacketKind::Action,
            _ => PacketKind::Other,
        }
    }

    /// The first line's value: the event's or the action's name.
    pub fn name(&self) -> &str {
        self.pairs().next().map_or("", |(_, value)| value)
    }

    /// The action that this belongs to.
    pub fn action_id(&self) -> Option<&str> {
        self.value("ActionID")
    }

    /// Appends the packet's bytes.
    pub fn encode_into(&self, out: &mut Vec<u8>) {
        for (key, value) in self.pairs() {
            out.extend_from_slice(key.as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(value.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"\r\n");
    }
}

impl PartialEq for Packet {
    fn eq(&self, other: &Self) -> bool {
        self.pairs().eq(other.pairs())
    }
}

impl Eq for Packet {}

/// Shows kind and name only: values may be personal.
impl fmt::Debug for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?}({}, {} lines)",
            self.kind(),
            self.name(),
            self.spans.len()
        )
    }
}

/// An answer to an action; with its list of events if it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The packet.
    pub packet: Packet,
    /// The events of a list (`EventList: start` ... `Complete`), without the closing one.
    pub list: Vec<Packet>,
    /// Events of the list that were over the cap and left out.
    pub list_cut: usize,
}

impl Response {
    /// A response without a list.
    pub fn new(packet: Packet) -> Self {
        Self {
            packet,
            list: Vec::new(),
            list_cut: 0,
        }
    }

    /// `Response: Success` (or `Pong`, `Goodbye`, `Follows`), not `Error`.
    pub fn is_success(&self) -> bool {
        !self.packet.name().eq_ignore_ascii_case("Error")
    }

    /// Asterisk's own words.
    pub fn message(&self) -> &str {
        self.packet.value("Message").unwrap_or_default()
    }

    /// A value by its key.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.packet.value(key)
    }
}

/// The last line of an old command's listing.
const END_COMMAND: &str = "--END COMMAND--";

fn is_follows(line: &[u8]) -> bool {
    const FOLLOWS: &[u8] = b"Response: Follows";
    line.get(..FOLLOWS.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(FOLLOWS))
}

fn is_listing_key(key: &str) -> bool {
    ["Privilege", "ActionID", "Message"]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(key))
}

/// What Asterisk uses in keys, a few modules' spaces and brackets included.
fn is_key(key: &str) -> bool {
    key.bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"-_ ()./".contains(&b))
}

/// The rule for one line that we write: key and value can't become two lines.
pub(super) fn check_pair(key: &str, value: &str) -> Result<(), PacketError> {
    let problem = if key.is_empty()
        || !key
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    {
        "is no key: letters, digits, - and _ only".to_owned()
    } else if let Err(problem) = line::check(value) {
        problem.to_string()
    } else {
        return Ok(());
    };
    Err(PacketError::Value {
        key: line::one_line(key),
        problem,
    })
}

/// Packets are capped far below 4 GiB.
fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// Takes packets from bytes as they come. Remembers how far it has looked, so that a slow peer costs no more than a
/// fast one. Pure: its owner fills [`Self::buffer`] from wherever the bytes are.
#[derive(Debug, Default)]
pub struct PacketDecoder {
    buffer: Vec<u8>,
    /// Where the next packet begins.
    start: usize,
    /// Whole lines before this were looked at.
    scanned: usize,
    /// How many, of this packet.
    lines: usize,
    /// This packet ends by `--END COMMAND--`: 1 before it, 2 after.
    listing: u8,
}

impl PacketDecoder {
    /// The bytes that were read and not taken yet; append to it.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        if self.start > 0 && (self.start == self.buffer.len() || self.start > 64 * 1024) {
            self.buffer.drain(..self.start);
            self.scanned -= self.start;
            self.start = 0;
        }
        &mut self.buffer
    }

    /// Appends bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer().extend_from_slice(bytes);
    }

    /// Takes the banner, before the first packet. `Ok(None)`: more bytes are needed.
    pub fn banner(&mut self) -> Result<Option<Banner>, PacketError> {
        let Some((banner, used)) = Banner::decode(&self.buffer[self.start..])? else {
            return Ok(None);
        };
        self.start += used;
        self.scanned = self.start;
        Ok(Some(banner))
    }

    /// Takes the next packet. `Ok(None)`: more bytes are needed.
    #[allow(clippy::should_implement_trait)] // an iterator would end at `None`; this goes on
    pub fn next(&mut self) -> Result<Option<Packet>, PacketError> {
        while let Some((raw, used)) = line::take(&self.buffer[self.scanned..], MAX_LINE)? {
            if raw.is_empty() && self.listing != 1 {
                let packet = (self.lines > 0).then(|| {
                    Packet::from_lines(&self.buffer[self.start..self.scanned], self.lines)
                });
                self.scanned += used;
                self.start = self.scanned;
                self.lines = 0;
                self.listing = 0;
                match packet {
                    // Empty lines between packets are no packets.
                    None => continue,
                    packet => return Ok(packet),
                }
            }
            if self.lines == 0 && is_follows(raw) {
                self.listing = 1;
            }
            if self.listing == 1 && raw == END_COMMAND.as_bytes() {
                self.listing = 2;
            }
            self.lines += 1;
            self.scanned += used;
            if self.lines > MAX_LINES {
                return Err(PacketError::Lines);
            }
            if self.scanned - self.start > MAX_PACKET {
                return Err(PacketError::Bytes);
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn packets(bytes: &[u8]) -> Vec<Packet> {
        let mut decoder = PacketDecoder::default();
        decoder.feed(bytes);
        std::iter::from_fn(|| decoder.next().unwrap()).collect()
    }

    fn pairs(packet: &Packet) -> Vec<(&str, &str)> {
        packet.pairs().collect()
    }

    #[test]
    fn packets_of_all_sorts() {
        let bytes = b"Response: Success\r\nActionID: 1\r\nMessage: Authentication accepted\r\n\r\n\
            \r\nEvent: VarSet\nVariable: A\nVariable: B\nValue:\nUniqueid: 1.2\n\n\
            Event: OriginateResponse\r\nResponse: Failure\r\nReason: 0\r\n\r\nEvent: half\r\n";
        let found = packets(bytes);
        assert_eq!(found.len(), 3);
        assert_eq!(found[0].kind(), PacketKind::Response);
        assert_eq!(found[0].action_id(), Some("1"));
        assert!(Response::new(found[0].clone()).is_success());
        assert_eq!(found[1].kind(), PacketKind::Event);
        assert_eq!(found[1].values("variable").collect::<Vec<_>>(), ["A", "B"]);
        assert_eq!(found[1].value("VALUE"), Some(""));
        assert_eq!(
            (found[2].kind(), found[2].name()),
            (PacketKind::Event, "OriginateResponse")
        );
        assert_eq!(format!("{:?}", found[1]), "Event(VarSet, 5 lines)");
    }

    #[test]
    fn listings_old_and_new() {
        let old = b"Response: Follows\r\nPrivilege: Command\r\nActionID: 7\r\nName: not a pair\nx\n\ny\n--END COMMAND--\r\n\r\nEvent: A\r\n\r\n";
        let found = packets(old);
        assert_eq!(found.len(), 2);
        assert_eq!(
            pairs(&found[0])[2..],
            [
                ("ActionID", "7"),
                ("Output", "Name: not a pair"),
                ("Output", "x"),
                ("Output", "y")
            ]
        );
        let new = b"Response: Success\r\nMessage: Command output follows\r\nOutput: a: b\r\nOutput: \r\nOutput: c\r\n\r\n";
        assert_eq!(
            packets(new)[0].values("Output").collect::<Vec<_>>(),
            ["a: b", "", "c"]
        );
    }

    #[test]
    fn byte_by_byte_is_the_same_as_whole() {
        let bytes = b"Event: A\r\nx: 1\r\n\r\nResponse: Follows\r\nq\n\n--END COMMAND--\r\n\r\n\nEvent: B\n\n";
        let mut decoder = PacketDecoder::default();
        let mut found = Vec::new();
        for byte in bytes {
            decoder.feed(&[*byte]);
            found.extend(decoder.next().unwrap());
        }
        assert_eq!(found, packets(bytes));
        assert_eq!(found.len(), 3);
    }

    #[test]
    fn banners() {
        let decode = |bytes: &[u8]| Banner::decode(bytes);
        let (banner, used) = decode(b"Asterisk Call Manager/5.0.4\r\nEvent")
            .unwrap()
            .unwrap();
        assert_eq!((banner.version.as_str(), used), ("5.0.4", 29));
        assert_eq!(
            decode(banner.encode().as_bytes()).unwrap(),
            Some((banner, 29))
        );
        assert_eq!(decode(b"Asterisk Ca"), Ok(None));
        assert_eq!(decode(b""), Ok(None));
        for bad in [
            &b"SSH-2.0-OpenSSH\r\n"[..],
            b"\r\n",
            b"Asterisk Call Manager/\r\n",
        ] {
            assert!(matches!(decode(bad), Err(PacketError::Banner { .. })));
        }
        let endless = [&b"Asterisk Call Manager/"[..], &[b'1'; 300]].concat();
        assert!(decode(&endless).is_err());
    }

    #[test]
    fn floods_are_refused() {
        let check = |bytes: &[u8], want: PacketError| {
            let mut decoder = PacketDecoder::default();
            decoder.feed(bytes);
            assert_eq!(decoder.next(), Err(want));
        };
        check(
            &[b'x'; MAX_LINE + 2],
            line::LineTooLong { max: MAX_LINE }.into(),
        );
        check(
            "a: b\n".repeat(MAX_LINES + 1).as_bytes(),
            PacketError::Lines,
        );
        check(
            "a".repeat(60_000).add("\n").repeat(18).as_bytes(),
            PacketError::Bytes,
        );
    }

    use std::ops::Add;

    #[test]
    fn a_long_stream_does_not_grow_the_buffer() {
        let mut decoder = PacketDecoder::default();
        for _ in 0..10_000 {
            decoder.feed(b"Event: A\r\nUniqueid: 1.2\r\n\r\nEvent: ");
            assert!(decoder.next().unwrap().is_some());
            decoder.feed(b"B\r\n\r\n");
            assert!(decoder.next().unwrap().is_some());
            assert!(decoder.next().unwrap().is_none());
        }
        assert!(decoder.buffer().capacity() < 200 * 1024);
    }

    #[test]
    fn a_double_cant_send_two_lines_as_one() {
        for (key, value) in [
            ("A", "b\r\nEvent: c"),
            ("A\n", "b"),
            ("", "b"),
            ("A:", "b"),
            ("A", "\0"),
        ] {
            assert!(
                Packet::from_pairs([(key, value)]).is_err(),
                "{key:?} {value:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn packets_survive(list in prop::collection::vec(("[A-Za-z][A-Za-z0-9_-]{0,10}", "([^\\x00-\\x1f\\x7f ][^\\x00-\\x1f\\x7f]{0,20})?"), 1..20)) {
            let packet = Packet::from_pairs(list.iter().map(|(k, v)| (k.as_str(), v.as_str()))).unwrap();
            prop_assume!(!(list[0].0.eq_ignore_ascii_case("response") && list[0].1.to_ascii_lowercase().starts_with("follows")));
            let mut bytes = Vec::new();
            packet.encode_into(&mut bytes);
            prop_assert_eq!(packets(&bytes), [packet]);
        }

        #[test]
        fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300), text in r"[A: \r\n-]{0,80}") {
            for bytes in [bytes, text.into_bytes()] {
                let mut decoder = PacketDecoder::default();
                decoder.feed(&bytes);
                while let Ok(Some(_)) = decoder.next() {}
                let _ = Banner::decode(&bytes);
            }
        }
    }
}
