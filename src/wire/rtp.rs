//! RTP headers (RFC 3550) of the audio that a UnicastRTP channel sends, and their order.

/// Fixed part of the header.
const HEADER: usize = 12;
/// Largest datagram that is taken.
pub const MAX_DATAGRAM: usize = 2_048;
/// Packets that are held back while an earlier one is awaited.
pub const WINDOW: usize = 3;
/// A jump in the sequence that means a sender which began anew.
const RESTART: i16 = 1_000;

/// How the payload is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// Type 0.
    MuLaw,
    /// Type 8.
    ALaw,
    /// Signed 16-bit big-endian: type 10 of Asterisk's `c(slin)`, 11, and the dynamic types.
    Linear,
}

/// A packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// How to read the payload.
    pub coding: Coding,
    /// Its place in the order, wraps at 65,536.
    pub sequence: u16,
    /// The sender's stream.
    pub ssrc: u32,
    /// The audio.
    pub payload: &'a [u8],
}

/// Why a datagram is no audio of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RtpError {
    /// Shorter than what its header says.
    #[error("a datagram of {length} bytes is shorter than its RTP header says")]
    Short {
        /// Its length.
        length: usize,
    },
    /// Not RTP.
    #[error("version {version} of RTP, 2 is taken")]
    Version {
        /// Its version.
        version: u8,
    },
    /// RTCP, comfort noise, digits or a codec that we don't read.
    #[error("payload type {kind} is not read: dial with c(alaw), c(ulaw) or c(slin)")]
    Type {
        /// The type.
        kind: u8,
    },
}

/// Reads a datagram.
pub fn decode(datagram: &[u8]) -> Result<Packet<'_>, RtpError> {
    let short = RtpError::Short {
        length: datagram.len(),
    };
    let (head, mut rest) = datagram.split_at_checked(HEADER).ok_or(short)?;
    let version = head[0] >> 6;
    if version != 2 {
        return Err(RtpError::Version { version });
    }
    let kind = head[1] & 0x7f;
    let coding = match kind {
        0 => Coding::MuLaw,
        8 => Coding::ALaw,
        10 | 11 => Coding::Linear,
        // 101 is digits by custom, 13 comfort noise, 72 to 76 RTCP.
        96..=127 if kind != 101 => Coding::Linear,
        _ => return Err(RtpError::Type { kind }),
    };
    let sources = usize::from(head[0] & 0x0f) * 4;
    rest = rest.get(sources..).ok_or(short)?;
    if head[0] & 0x10 != 0 {
        let (extension, after) = rest.split_at_checked(4).ok_or(short)?;
        let words = usize::from(u16::from_be_bytes([extension[2], extension[3]]));
        rest = after.get(words * 4..).ok_or(short)?;
    }
    if head[0] & 0x20 != 0 {
        let padding = usize::from(*rest.last().ok_or(short)?);
        let kept = rest.len().checked_sub(padding).ok_or(short)?;
        rest = &rest[..kept];
    }
    Ok(Packet {
        coding,
        sequence: u16::from_be_bytes([head[2], head[3]]),
        ssrc: u32::from_be_bytes([head[8], head[9], head[10], head[11]]),
        payload: rest,
    })
}

/// A packet's bytes: for tests and for doubles of Asterisk.
pub fn encode(kind: u8, sequence: u16, ssrc: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0x80, kind & 0x7f];
    out.extend_from_slice(&sequence.to_be_bytes());
    out.extend_from_slice(&(u32::from(sequence) * 160).to_be_bytes());
    out.extend_from_slice(&ssrc.to_be_bytes());
    out.extend_from_slice(payload);
    out
}

/// Puts payloads in order again; passes what comes in order straight on.
#[derive(Debug, Default)]
pub struct Sequencer {
    next: Option<u16>,
    /// Early ones, at most [`WINDOW`].
    held: Vec<(u16, Vec<u8>)>,
    /// Packets that never came.
    pub lost: u64,
    /// Packets that came twice, or after they had been given up.
    pub stale: u64,
}

impl Sequencer {
    /// A payload arrived; `out` gets all that are due, in order.
    pub fn push(&mut self, sequence: u16, payload: &[u8], mut out: impl FnMut(&[u8])) {
        let next = *self.next.get_or_insert(sequence);
        let ahead = sequence.wrapping_sub(next).cast_signed();
        if !(-RESTART..=RESTART).contains(&ahead) {
            self.flush(&mut out);
            self.next = Some(sequence);
        } else if ahead < 0 || self.held.iter().any(|(s, _)| *s == sequence) {
            self.stale += 1;
            return;
        }
        if self.next == Some(sequence) {
            out(payload);
            self.next = Some(sequence.wrapping_add(1));
        } else {
            self.held.push((sequence, payload.to_vec()));
        }
        self.drain(&mut out);
        if self.held.len() > WINDOW {
            self.skip_to_held();
            self.drain(&mut out);
        }
    }

    /// Gives out what is held, without waiting longer for what is missing.
    pub fn flush(&mut self, mut out: impl FnMut(&[u8])) {
        while !self.held.is_empty() {
            self.skip_to_held();
            self.drain(&mut out);
        }
    }

    /// Forgets the order, keeps the counts: the sender began a new stream.
    pub fn restart(&mut self) {
        self.next = None;
        self.held.clear();
    }

    /// Something waits for an earlier packet.
    pub fn is_waiting(&self) -> bool {
        !self.held.is_empty()
    }

    fn skip_to_held(&mut self) {
        let Some(next) = self.next else { return };
        let gap = self.held.iter().map(|(s, _)| s.wrapping_sub(next)).min();
        if let Some(gap) = gap {
            self.lost += u64::from(gap);
            self.next = Some(next.wrapping_add(gap));
        }
    }

    fn drain(&mut self, out: &mut impl FnMut(&[u8])) {
        while let Some(next) = self.next
            && let Some(at) = self.held.iter().position(|(s, _)| *s == next)
        {
            let (_, payload) = self.held.swap_remove(at);
            out(&payload);
            self.next = Some(next.wrapping_add(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn headers_of_every_shape_are_read() {
        let plain = encode(8, 7, 9, &[1, 2, 3]);
        let want = Packet {
            coding: Coding::ALaw,
            sequence: 7,
            ssrc: 9,
            payload: &[1, 2, 3],
        };
        assert_eq!(decode(&plain), Ok(want));
        let mut rich = plain[..12].to_vec();
        rich[0] = 0x80 | 0x20 | 0x10 | 2;
        rich[1] |= 0x80;
        rich.extend_from_slice(&[0xaa; 8]);
        rich.extend_from_slice(&[0xbe, 0xde, 0, 1, 5, 5, 5, 5]);
        rich.extend_from_slice(&[1, 2, 3, 0, 0, 3]);
        assert_eq!(decode(&rich), Ok(want));
        for (kind, coding) in [
            (0, Coding::MuLaw),
            (10, Coding::Linear),
            (118, Coding::Linear),
        ] {
            assert_eq!(decode(&encode(kind, 0, 0, &[])).unwrap().coding, coding);
        }
    }

    #[test]
    fn what_is_no_audio_is_refused() {
        assert_eq!(decode(&[0x80; 11]), Err(RtpError::Short { length: 11 }));
        assert_eq!(
            decode(b"OPTIONS sip:x SIP/2.0"),
            Err(RtpError::Version { version: 1 })
        );
        for kind in [13, 18, 72, 101] {
            assert_eq!(
                decode(&encode(kind, 0, 0, &[])),
                Err(RtpError::Type { kind })
            );
        }
        let mut padded = encode(8, 0, 0, &[9]);
        padded[0] |= 0x20;
        assert!(decode(&padded).is_err(), "more padding than payload");
    }

    fn order(arrivals: &[u16]) -> (Vec<u16>, Sequencer) {
        let mut sequencer = Sequencer::default();
        let mut out = Vec::new();
        for s in arrivals {
            let bytes = s.to_be_bytes();
            sequencer.push(*s, &bytes, |p| out.push(u16::from_be_bytes([p[0], p[1]])));
        }
        sequencer.flush(|p| out.push(u16::from_be_bytes([p[0], p[1]])));
        (out, sequencer)
    }

    #[test]
    fn small_disorder_is_mended() {
        let cases: [(&[u16], &[u16], u64, u64); 7] = [
            (&[1, 2, 3], &[1, 2, 3], 0, 0),
            (&[1, 3, 2, 4], &[1, 2, 3, 4], 0, 0),
            (&[65_534, 0, 65_535, 1], &[65_534, 65_535, 0, 1], 0, 0),
            (&[1, 2, 2, 3, 1], &[1, 2, 3], 0, 2),
            // 2 never comes: the others wait no longer than the window.
            (&[1, 3, 4, 5, 6, 7, 2], &[1, 3, 4, 5, 6, 7], 1, 1),
            (&[1, 2, 9], &[1, 2, 9], 6, 0),
            // A sender that began anew.
            (&[1, 2, 30_000, 30_001], &[1, 2, 30_000, 30_001], 0, 0),
        ];
        for (arrivals, want, lost, stale) in cases {
            let (out, sequencer) = order(arrivals);
            assert_eq!(
                (&out[..], sequencer.lost, sequencer.stale),
                (want, lost, stale),
                "{arrivals:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_datagram_breaks_it(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = decode(&bytes);
        }

        #[test]
        fn order_is_kept_and_little_is_held(arrivals in proptest::collection::vec(0u16..200, 0..300)) {
            let (out, sequencer) = order(&arrivals);
            prop_assert!(out.windows(2).all(|w| w[0] < w[1]));
            prop_assert!(!sequencer.is_waiting());
        }
    }
}
