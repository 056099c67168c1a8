//! Identities that cross layers: a call, its channel, a telephone number, a secret, what a person said.
//!
//! Each type is checked once, where it enters, and masks itself in logs where it is personal.

use std::fmt;
use std::sync::Arc;

/// 1C's own id of a call (or ours, where 1C gave none): the `id` of HTTP, `call_id` of scripts.
///
/// 1 to 100 letters, digits and `-_.:` — so that it stands in a path, a file name and a header as it is. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallId(Arc<str>);

impl CallId {
    /// Longest accepted id, characters.
    pub const MAX_CHARS: usize = 100;

    /// Checks `text`; the error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, IdentError> {
        let chars = text.chars().count();
        if chars == 0 || chars > Self::MAX_CHARS {
            return Err(IdentError::CallIdLength { chars });
        }
        match text
            .chars()
            .find(|c| !(c.is_alphanumeric() || "-_.:".contains(*c)))
        {
            Some(found) => Err(IdentError::CallIdChar { found }),
            None => Ok(Self(text.into())),
        }
    }

    /// A new id for a call that came without one at `at`: `prefix`, the time in milliseconds and 32 random bits. Ids that
    /// stand in the order of their calls keep an index's busy pages few.
    pub fn fresh(prefix: &str, at: jiff::Timestamp) -> Self {
        let (at_ms, random) = (at.as_millisecond(), random::<4>());
        let random = u32::from_be_bytes(random);
        Self(format!("{prefix}-{at_ms:012x}{random:08x}").into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Asterisk's Uniqueid of one attempt's channel. Ours to choose for outgoing calls (`ChannelId` of Originate),
/// Asterisk's own for incoming ones. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelId(Arc<str>);

impl ChannelId {
    /// The id that we give to Asterisk for a new outgoing channel: `govorun-` and 64 random bits.
    pub fn fresh() -> Self {
        Self(format!("govorun-{:016x}", u64::from_be_bytes(random())).into())
    }

    /// An id that Asterisk told us.
    pub fn from_asterisk(unique_id: &str) -> Self {
        Self(unique_id.into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A telephone number: 2 to 20 digits with an optional leading plus. Shows only its ends in logs.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Phone(String);

impl Phone {
    /// Fewest and most digits.
    pub const DIGITS: std::ops::RangeInclusive<usize> = 2..=20;

    /// Checks `text`. Nothing is repaired: spaces, brackets and dashes are refused, so that what 1C sent is what is dialed.
    pub fn parse(text: &str) -> Result<Self, IdentError> {
        let digits = text.strip_prefix('+').unwrap_or(text);
        if let Some(found) = digits.chars().find(|c| !c.is_ascii_digit()) {
            return Err(IdentError::PhoneChar { found });
        }
        if !Self::DIGITS.contains(&digits.len()) {
            return Err(IdentError::PhoneLength {
                digits: digits.len(),
            });
        }
        Ok(Self(text.to_owned()))
    }

    /// The whole number, to be dialed or stored; never to be logged.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The number in one form, however it was written: `+79121234567`, `89121234567` and `9121234567` are one person,
    /// `79121234567`. What is no Russian number stays as it is, without its plus.
    pub fn key(&self) -> String {
        let Some(digits) = self.0.strip_prefix('+') else {
            let digits = self.0.as_str();
            return match (digits.len(), &digits[..1]) {
                (11, "7" | "8") => format!("7{}", &digits[1..]),
                (10, "3" | "4" | "8" | "9") => format!("7{digits}"),
                (12.., _) if digits.starts_with("810") => digits[3..].to_owned(),
                _ => digits.to_owned(),
            };
        };
        digits.to_owned()
    }
}

impl fmt::Display for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // All ASCII, so slicing by bytes is safe.
        let n = self.0.len();
        if n < 8 {
            return write!(f, "…{}", &self.0[n.saturating_sub(2)..]);
        }
        write!(f, "{}…{}", &self.0[..n - 7], &self.0[n - 2..])
    }
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A password or key; prints as `***`.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself, for the wire only.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What a person said, or keyed. Prints only its length; `as_str` is for the dialog, the store and 1C.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Spoken(String);

impl Spoken {
    /// Wraps what was said.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The words.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// No words at all.
    pub fn is_empty(&self) -> bool {
        self.0.trim().is_empty()
    }
}

impl fmt::Debug for Spoken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "‹{} characters›", self.0.chars().count())
    }
}

/// From the system's random source.
fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0u8; N];
    // It fails only where the kernel has none; a token that could be guessed must not exist.
    #[allow(clippy::expect_used)]
    getrandom::fill(&mut bytes).expect("the system's random source answers");
    bytes
}

/// 128 random bits as 32 lower-case hexadecimal digits: pairs a stream or an AGI connection with its call.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Token(String);

impl Token {
    /// A token from the system's random source.
    pub fn fresh() -> Self {
        Self::from_bytes(random())
    }

    /// A token that a peer presented: 32 hexadecimal digits, dashes of a UUID allowed.
    pub fn parse(text: &str) -> Result<Self, IdentError> {
        let hex: String = text.chars().filter(|c| *c != '-').collect();
        if hex.len() == 32 && hex.chars().all(|c| c.is_ascii_hexdigit()) {
            Ok(Self(hex.to_ascii_lowercase()))
        } else {
            Err(IdentError::Token)
        }
    }

    /// From the 16 bytes of AudioSocket's UUID message.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(format!("{:032x}", u128::from_be_bytes(bytes)))
    }

    /// 32 hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same in a UUID's form, 8-4-4-4-12, as AudioSocket wants it.
    pub fn as_uuid(&self) -> String {
        let t = &self.0;
        format!(
            "{}-{}-{}-{}-{}",
            &t[..8],
            &t[8..12],
            &t[12..16],
            &t[16..20],
            &t[20..]
        )
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}…", &self.0[..4])
    }
}

/// Why an identity was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentError {
    /// Too short or too long an id.
    #[error("an id has 1 to {max} characters, this one has {chars}", max = CallId::MAX_CHARS)]
    CallIdLength {
        /// How many it had.
        chars: usize,
    },
    /// A character that can't stand in an id.
    #[error("an id holds letters, digits and - _ . : only, not {found:?}")]
    CallIdChar {
        /// The first wrong one.
        found: char,
    },
    /// A character that can't stand in a telephone number.
    #[error("a phone number is digits with an optional leading plus, not {found:?}")]
    PhoneChar {
        /// The first wrong one.
        found: char,
    },
    /// Too short or too long a number.
    #[error("a phone number has 2 to 20 digits, this one has {digits}")]
    PhoneLength {
        /// How many it had.
        digits: usize,
    },
    /// Not a token.
    #[error("a token is 32 hexadecimal digits")]
    Token,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phones_are_digits_with_an_optional_plus() {
        for good in ["+79121234567", "89121234567", "112", "01"] {
            assert_eq!(Phone::parse(good).unwrap().as_str(), good);
        }
        for bad in [
            "",
            "+",
            "1",
            "8912&SIP",
            "8912,1",
            "8 912",
            "8912\r\nAction: x",
            "8912@evil",
            "8912/9",
            "++7",
            "٣٣٣",
            "123456789012345678901",
        ] {
            assert!(Phone::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_person_has_one_number_however_it_is_written() {
        for (written, key) in [
            ("+79121234567", "79121234567"),
            ("89121234567", "79121234567"),
            ("79121234567", "79121234567"),
            ("9121234567", "79121234567"),
            ("84951234567", "74951234567"),
            ("4951234567", "74951234567"),
            ("+380441234567", "380441234567"),
            ("810380441234567", "380441234567"),
            ("+84123456789", "84123456789"),
            ("112", "112"),
            ("2345678", "2345678"),
        ] {
            assert_eq!(Phone::parse(written).unwrap().key(), key, "{written}");
        }
    }

    #[test]
    fn personal_values_mask_themselves() {
        let phone = Phone::parse("+79121234567").unwrap();
        assert_eq!(format!("{phone} {phone:?}"), "+7912…67 +7912…67");
        assert_eq!(format!("{:?}", Secret::new("key")), "***");
        assert_eq!(format!("{:?}", Spoken::new("да")), "‹2 characters›");
    }

    #[test]
    fn tokens_survive_the_form_of_a_uuid() {
        let token = Token::fresh();
        assert_eq!(Token::parse(&token.as_uuid()).unwrap(), token);
        assert_ne!(token, Token::fresh());
        assert!(Token::parse("zz").is_err());
    }

    #[test]
    fn call_ids_stand_in_paths() {
        assert!(CallId::parse("ЦБ-000123").is_ok());
        for bad in ["", "a/b", "a b", "a\nb", "a?b"] {
            assert!(CallId::parse(bad).is_err(), "{bad:?}");
        }
        let at = jiff::Timestamp::from_millisecond;
        let fresh = |ms| CallId::fresh("in", at(ms).unwrap());
        let (first, second, later) = (
            fresh(1_764_000_000_000),
            fresh(1_764_000_000_000),
            fresh(1_764_000_000_001),
        );
        assert_eq!(CallId::parse(first.as_str()), Ok(first.clone()));
        assert_ne!(first, second);
        assert!(first < later && second < later);
    }
}
