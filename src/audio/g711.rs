//! G.711: the A-law and mu-law of telephone lines, both ways (ITU-T G.711).

/// A-law byte to sample.
pub const fn alaw_decode(byte: u8) -> i16 {
    ALAW[byte as usize]
}

/// mu-law byte to sample.
pub const fn ulaw_decode(byte: u8) -> i16 {
    ULAW[byte as usize]
}

/// Sample to A-law byte.
pub const fn alaw_encode(sample: i16) -> u8 {
    let (magnitude, mask) = if sample >= 0 {
        (sample >> 3, 0xd5)
    } else {
        // One's complement keeps -32768 in range.
        (!sample >> 3, 0x55)
    };
    let magnitude = magnitude as u16;
    // Segment 0 and 1 share their step; every further one doubles it.
    let segment = segment_of(magnitude, 5);
    let shift = if segment < 2 { 1 } else { segment };
    (((segment as u8) << 4) | ((magnitude >> shift) & 0x0f) as u8) ^ mask
}

/// Sample to mu-law byte.
pub const fn ulaw_encode(sample: i16) -> u8 {
    const BIAS: i32 = 0x84;
    const CLIP: i32 = 32_635;
    let (magnitude, mask) = if sample >= 0 {
        (sample as i32, 0xff)
    } else {
        (-(sample as i32), 0x7f)
    };
    let magnitude = if magnitude > CLIP { CLIP } else { magnitude } + BIAS;
    let segment = segment_of((magnitude >> 2) as u16, 6);
    (((segment as u8) << 4) | ((magnitude >> (segment + 3)) & 0x0f) as u8) ^ mask
}

/// How many bits `magnitude` has over `free` of them: the companding segment, 0 to 7.
const fn segment_of(magnitude: u16, free: u32) -> u32 {
    let bits = 16 - magnitude.leading_zeros();
    bits.saturating_sub(free)
}

const ALAW: [i16; 256] = {
    let mut table = [0i16; 256];
    let mut byte = 0usize;
    while byte < 256 {
        let code = (byte as u8) ^ 0x55;
        let mantissa = ((code & 0x0f) as i16) << 4;
        let magnitude = match (code & 0x70) >> 4 {
            0 => mantissa + 8,
            segment => (mantissa + 0x108) << (segment - 1),
        };
        table[byte] = if code & 0x80 != 0 {
            magnitude
        } else {
            -magnitude
        };
        byte += 1;
    }
    table
};

const ULAW: [i16; 256] = {
    let mut table = [0i16; 256];
    let mut byte = 0usize;
    while byte < 256 {
        let code = !(byte as u8);
        let magnitude = ((((code & 0x0f) as i16) << 3) + 0x84) << ((code & 0x70) >> 4);
        table[byte] = if code & 0x80 != 0 {
            0x84 - magnitude
        } else {
            magnitude - 0x84
        };
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values_of_the_recommendation() {
        for (byte, sample) in [(0xd5, 8), (0x55, -8), (0xaa, 32_256), (0x2a, -32_256)] {
            assert_eq!(alaw_decode(byte), sample, "a-law {byte:#x}");
        }
        for (byte, sample) in [
            (0xff, 0),
            (0x7f, 0),
            (0x80, 32_124),
            (0x00, -32_124),
            (0xfe, 8),
        ] {
            assert_eq!(ulaw_decode(byte), sample, "mu-law {byte:#x}");
        }
    }

    #[test]
    fn every_code_survives_decoding_and_encoding() {
        for byte in 0..=255u8 {
            assert_eq!(alaw_encode(alaw_decode(byte)), byte);
            // mu-law has two zeros.
            if byte != 0x7f {
                assert_eq!(ulaw_encode(ulaw_decode(byte)), byte);
            }
        }
    }

    #[test]
    fn every_sample_comes_back_within_its_step() {
        for sample in i16::MIN..=i16::MAX {
            let wide = i32::from(sample);
            let step = (wide.abs() / 16).max(16);
            assert!((i32::from(alaw_decode(alaw_encode(sample))) - wide).abs() <= step);
            assert!((i32::from(ulaw_decode(ulaw_encode(sample))) - wide).abs() <= step);
        }
    }
}
