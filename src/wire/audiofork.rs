//! The third-party module app_audiofork: a WebSocket client that asks for subprotocol `echo`.
//!
//! One fork of it (dmarenin) begins with a text message, the channel's name; the original (nadirhamid) doesn't. Then
//! binary messages of signed 16-bit little-endian mono at 8 kHz, 320 bytes each. Seen on Asterisk 16.28.

use crate::ident::Token;

/// The subprotocol that it asks for and must be answered with.
pub const SUBPROTOCOL: &str = "echo";
/// Longest channel name that is kept.
pub const MAX_NAME: usize = 256;
/// Longest binary message that is taken: 2 s.
pub const MAX_AUDIO: usize = 32_000;

const PREFIX: &str = "/tap/";

/// The path that the dialplan or `EXEC AudioFork` gives: `/tap/<token>`.
pub fn path(token: &Token) -> String {
    format!("{PREFIX}{}", token.as_str())
}

/// Whose audio a request for `path` brings.
pub fn token_in(path: &str) -> Option<Token> {
    Token::parse(path.strip_prefix(PREFIX)?.trim_end_matches('/')).ok()
}

/// The channel's name in the first text message; `None` where it can't be one.
pub fn channel_name(text: &str) -> Option<&str> {
    let name = text.trim();
    let sane = !name.is_empty() && name.len() <= MAX_NAME && !name.chars().any(char::is_control);
    sane.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_carries_the_token() {
        let token = Token::fresh();
        assert_eq!(token_in(&path(&token)), Some(token.clone()));
        assert_eq!(token_in(&format!("{}/", path(&token))), Some(token));
        for bad in [
            "/tap/",
            "/tap",
            "/",
            "/tap/123",
            "/media/00000000000000000000000000000000",
        ] {
            assert_eq!(token_in(bad), None, "{bad}");
        }
    }

    #[test]
    fn any_technology_may_have_the_channel() {
        for name in ["SIP/trunk-0000001a", "PJSIP/a-1", "Local/8912@out-0001;1"] {
            assert_eq!(channel_name(name), Some(name));
        }
        assert_eq!(channel_name(" "), None);
        assert_eq!(channel_name("a\nb"), None);
        assert_eq!(channel_name(&"x".repeat(300)), None);
    }
}
