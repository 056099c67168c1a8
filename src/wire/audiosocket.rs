//! AudioSocket messages: one byte kind, two bytes length big-endian, payload. TCP, Asterisk is the client.
//!
//! The first message is the call's UUID, then 20 ms of audio at a time both ways; either side ends with kind 0.
//! Source: `include/asterisk/res_audiosocket.h` of Asterisk 16 to 23; kinds seen on 22.10.1.

use std::borrow::Cow;

/// Longest payload that is taken: 240 ms at 8 kHz. Asterisk sends 320 bytes.
pub const MAX_PAYLOAD: usize = 3_840;
/// Bytes before the payload.
pub const HEADER: usize = 3;
/// A message of one 20 ms frame at 8 kHz, whole.
pub const AUDIO_MESSAGE: usize = HEADER + 320;
/// The message that hangs up.
pub const HANGUP: [u8; HEADER] = [0, 0, 0];

/// A message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// The other side ends it.
    Hangup,
    /// Whose audio it is: the dial string's UUID.
    Uuid([u8; 16]),
    /// A digit was keyed.
    Dtmf(u8),
    /// Signed 16-bit little-endian samples.
    Audio {
        /// Samples a second.
        rate: u32,
        /// The samples.
        samples: &'a [u8],
    },
    /// Asterisk tells an error; the payload is its code.
    Error(&'a [u8]),
}

/// A broken rule. The stream can't be read on after it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AudioSocketError {
    /// No such kind.
    #[error(
        "message kind {kind:#04x} is none of AudioSocket's: another program talks to this port?"
    )]
    Kind {
        /// The kind byte.
        kind: u8,
    },
    /// Too long, or not what the kind has.
    #[error("a message of kind {kind:#04x} with {length} bytes, {want} are taken")]
    Length {
        /// The kind byte.
        kind: u8,
        /// What its header says.
        length: usize,
        /// What is taken.
        want: Cow<'static, str>,
    },
}

/// The message at the beginning of `bytes`, and its whole length.
pub fn decode(bytes: &[u8]) -> Result<Option<(Message<'_>, usize)>, AudioSocketError> {
    let &[kind, high, low, ref rest @ ..] = bytes else {
        // A wrong kind is told at once, not when the header is complete.
        return match bytes.first() {
            Some(&kind) if !is_kind(kind) => Err(AudioSocketError::Kind { kind }),
            _ => Ok(None),
        };
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    let fail = |want: &'static str| {
        Err(AudioSocketError::Length {
            kind,
            length,
            want: want.into(),
        })
    };
    match kind {
        0x01 if length != 16 => return fail("16"),
        0x03 if length != 1 => return fail("1"),
        0x10..=0x18 if length % 2 == 1 => return fail("whole 16-bit samples"),
        kind if !is_kind(kind) => return Err(AudioSocketError::Kind { kind }),
        _ if length > MAX_PAYLOAD => {
            return Err(AudioSocketError::Length {
                kind,
                length,
                want: format!("at most {MAX_PAYLOAD}").into(),
            });
        }
        _ => {}
    }
    let Some(payload) = rest.get(..length) else {
        return Ok(None);
    };
    let message = match kind {
        0x00 => Message::Hangup,
        0x01 => {
            let mut uuid = [0; 16];
            uuid.copy_from_slice(payload);
            Message::Uuid(uuid)
        }
        0x03 => Message::Dtmf(payload[0]),
        0xff => Message::Error(payload),
        _ => Message::Audio {
            rate: rate_of(kind),
            samples: payload,
        },
    };
    Ok(Some((message, HEADER + length)))
}

/// The bytes of a message, appended to `out`. Audio is always sent at 8 kHz.
pub fn encode(message: Message<'_>, out: &mut Vec<u8>) {
    let (kind, payload): (u8, &[u8]) = match &message {
        Message::Hangup => (0x00, &[]),
        Message::Uuid(uuid) => (0x01, uuid),
        Message::Dtmf(digit) => (0x03, std::slice::from_ref(digit)),
        Message::Audio { samples, .. } => (0x10, samples),
        Message::Error(code) => (0xff, code),
    };
    let payload = &payload[..payload.len().min(MAX_PAYLOAD)];
    out.push(kind);
    out.extend_from_slice(&(payload.len() as u16).to_be_bytes());
    out.extend_from_slice(payload);
}

fn is_kind(kind: u8) -> bool {
    matches!(kind, 0x00 | 0x01 | 0x03 | 0x10..=0x18 | 0xff)
}

fn rate_of(kind: u8) -> u32 {
    match kind {
        0x11 => 12_000,
        0x12 => 16_000,
        0x13 => 24_000,
        0x14 => 32_000,
        0x15 => 44_100,
        0x16 => 48_000,
        0x17 => 96_000,
        0x18 => 192_000,
        _ => 8_000,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_kind_is_read_and_written() {
        let audio = [7u8; 320];
        let messages = [
            Message::Uuid([9; 16]),
            Message::Audio {
                rate: 8_000,
                samples: &audio,
            },
            Message::Dtmf(b'5'),
            Message::Error(&[1]),
            Message::Hangup,
        ];
        for message in messages {
            let mut bytes = Vec::new();
            encode(message, &mut bytes);
            assert_eq!(decode(&bytes), Ok(Some((message, bytes.len()))));
            for cut in 0..bytes.len() {
                assert_eq!(decode(&bytes[..cut]), Ok(None), "{message:?} cut at {cut}");
            }
        }
        assert_eq!(
            decode(&[0x12, 0, 2, 1, 2]),
            Ok(Some((
                Message::Audio {
                    rate: 16_000,
                    samples: &[1, 2]
                },
                5
            )))
        );
    }

    #[test]
    fn broken_rules_are_named() {
        let cases: [(&[u8], &str); 6] = [
            (b"GET / HTTP/1.1\r\n", "kind 0x47"),
            (&[0x02], "kind 0x02"),
            (&[0x01, 0, 15], "kind 0x01 with 15 bytes, 16"),
            (&[0x03, 0, 0], "kind 0x03 with 0 bytes"),
            (&[0x10, 0xff, 0xfe], "with 65534 bytes, at most 3840"),
            (&[0x10, 0, 3, 0, 0, 0], "whole 16-bit samples"),
        ];
        for (bytes, want) in cases {
            let error = decode(bytes).unwrap_err().to_string();
            assert!(error.contains(want), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_have_one_of_three_answers(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(Some((_, used))) = decode(&bytes) {
                prop_assert!(used >= HEADER && used <= bytes.len());
                // What was enough stays enough, whatever follows.
                prop_assert_eq!(decode(&bytes[..used]).unwrap().unwrap().1, used);
            }
        }
    }
}
