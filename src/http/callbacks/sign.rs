//! The signature of a callback: HMAC-SHA-256 (RFC 2104) of `timestamp + "." + body` under `http.callback.secret`. Pure.
//!
//! Of SHA-256 itself and a handful of lines rather than of one more crate; held by the vectors of RFC 4231.

use sha2::{Digest, Sha256};

/// Bytes of a block of SHA-256.
const BLOCK: usize = 64;

/// `X-Govorun-Signature`: `sha256=` and 64 hexadecimal digits.
pub(super) fn signature(secret: &str, timestamp: i64, body: &str) -> String {
    let stamp = format!("{timestamp}.");
    let mac = hmac(secret.as_bytes(), &[stamp.as_bytes(), body.as_bytes()]);
    let hex: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={hex}")
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut block = [0u8; BLOCK];
    if key.len() > BLOCK {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let mut inner = Sha256::new();
    inner.update(block.map(|byte| byte ^ 0x36));
    for part in parts {
        inner.update(part);
    }
    let mut outer = Sha256::new();
    outer.update(block.map(|byte| byte ^ 0x5c));
    outer.update(inner.finalize());
    outer.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(mac: [u8; 32]) -> String {
        mac.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// RFC 4231, test cases 1, 2, 3, 6 and 7.
    #[test]
    fn the_rfcs_vectors_hold() {
        let long = [0xaa; 131];
        for (key, data, expect) in [
            (
                &[0x0b; 20][..],
                &b"Hi There"[..],
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            ),
            (
                b"Jefe",
                b"what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                &[0xaa; 20],
                &[0xdd; 50],
                "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
            ),
            (
                &long,
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
            (
                &long,
                b"This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before being used by the HMAC algorithm.",
                "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
            ),
        ] {
            assert_eq!(hex(hmac(key, &[data])), expect);
            // In parts, it is the same.
            let (a, b) = data.split_at(3);
            assert_eq!(hex(hmac(key, &[a, b])), expect);
        }
    }

    /// The example of README.ru.md: `printf '%s' '1780000000.{"id":"1"}' | openssl dgst -sha256 -hmac …`
    #[test]
    fn the_signature_is_of_time_and_body() {
        let got = signature("0123456789abcdef", 1_780_000_000, "{\"id\":\"1\"}");
        let mac = hmac(b"0123456789abcdef", &[b"1780000000.{\"id\":\"1\"}"]);
        assert_eq!(got, format!("sha256={}", hex(mac)));
    }
}
