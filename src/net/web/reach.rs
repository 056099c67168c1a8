//! Which addresses a dialog may reach: those that begin as one of the settings' does. Pure.

use hyper::Uri;

use super::WebFault;
use crate::config::WebHost;

/// Longest address, bytes, once it is encoded.
pub const MAX_URL_BYTES: usize = 4_000;

/// An allowed address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Which of the hosts allows it.
    pub host: usize,
    /// `https`.
    pub tls: bool,
    /// Host name or address, without brackets.
    pub name: String,
    /// Port.
    pub port: u16,
    /// As it goes into the `Host` header.
    pub authority: String,
    /// Path and query, encoded.
    pub path: String,
}

impl Target {
    /// The whole address again.
    pub fn url(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}{}", self.authority, self.path)
    }
}

/// The target that `url` names, if `hosts` allow it. A path that begins with `/` belongs to the first host, below its path.
pub fn target(url: &str, hosts: &[WebHost]) -> Result<Target, WebFault> {
    let wrong = || WebFault::Url(url.chars().take(200).collect());
    let refused = || WebFault::NotAllowed {
        url: url.chars().take(200).collect(),
        allowed: hosts
            .iter()
            .map(|h| h.url.as_str())
            .collect::<Vec<_>>()
            .join(", "),
    };
    let encoded = encode(url.split('#').next().unwrap_or_default().trim());
    if encoded.len() > MAX_URL_BYTES {
        return Err(WebFault::TooLarge {
            what: "the address",
            most: MAX_URL_BYTES,
        });
    }
    let whole = if encoded.starts_with('/') && !encoded.starts_with("//") {
        let first = hosts.first().ok_or_else(refused)?;
        format!("{}{encoded}", first.url.trim_end_matches('/'))
    } else {
        encoded
    };
    let mut target = parse(&whole).ok_or_else(wrong)?;
    let at = hosts
        .iter()
        .position(|host| parse(&encode(&host.url)).is_some_and(|base| covers(&base, &target)));
    target.host = at.ok_or_else(refused)?;
    Ok(target)
}

/// `target` lies at or below `base`.
fn covers(base: &Target, target: &Target) -> bool {
    let below = |base: &str, path: &str| {
        let base = base.trim_end_matches('/');
        path.strip_prefix(base)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
    };
    base.tls == target.tls
        && base.port == target.port
        && base.name.eq_ignore_ascii_case(&target.name)
        && below(&base.path, &target.path)
}

pub(super) fn parse(url: &str) -> Option<Target> {
    let uri: Uri = url.parse().ok()?;
    let tls = match uri.scheme_str()? {
        "https" => true,
        "http" => false,
        _ => return None,
    };
    let authority = uri.authority()?;
    // A name before @ would look like the host to a hasty reader, and be none.
    if authority.as_str().contains('@') || authority.host().is_empty() {
        return None;
    }
    let path = uri.path_and_query().map_or("/", |p| p.as_str());
    // `/allowed/../secret` begins as it should and ends elsewhere.
    let dots = path
        .split('?')
        .next()
        .unwrap_or_default()
        .replace("%2e", ".")
        .replace("%2E", ".")
        .replace("%2f", "/")
        .replace("%2F", "/")
        .replace('\\', "/");
    if dots.split('/').any(|part| part == "." || part == "..") {
        return None;
    }
    let name = authority.host().trim_matches(['[', ']']).to_owned();
    Some(Target {
        host: 0,
        tls,
        name,
        port: authority.port_u16().unwrap_or(if tls { 443 } else { 80 }),
        authority: authority.to_string(),
        path: path.to_owned(),
    })
}

/// What may not stand in an address becomes `%XX`; what is encoded already stays.
pub fn encode(url: &str) -> String {
    let mut out = String::with_capacity(url.len());
    let bytes = url.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        let hex = |i: usize| bytes.get(i).is_some_and(u8::is_ascii_hexdigit);
        let keep = match byte {
            b'%' => hex(at + 1) && hex(at + 2),
            b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' => false,
            byte => byte.is_ascii_graphic(),
        };
        if keep {
            out.push(char::from(*byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// A value inside a query: everything but letters, digits and `-_.~` becomes `%XX`.
pub fn encode_value(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts() -> Vec<WebHost> {
        ["https://1c.example.ru/base", "http://10.0.0.5:8080"]
            .map(WebHost::open)
            .to_vec()
    }

    #[test]
    fn only_what_lies_below_an_allowed_address_is_reached() {
        for (url, want) in [
            (
                "https://1c.example.ru/base/hs/заказ?номер=А 1",
                Some(
                    "https://1c.example.ru/base/hs/%D0%B7%D0%B0%D0%BA%D0%B0%D0%B7?%D0%BD%D0%BE%D0%BC%D0%B5%D1%80=%D0%90%201",
                ),
            ),
            (
                "https://1C.example.RU:443/base",
                Some("https://1C.example.RU:443/base"),
            ),
            (
                "https://1c.example.ru/base?x=../..",
                Some("https://1c.example.ru/base?x=../.."),
            ),
            ("/hs/a", Some("https://1c.example.ru/base/hs/a")),
            (
                "http://10.0.0.5:8080/any#part",
                Some("http://10.0.0.5:8080/any"),
            ),
            (
                "http://10.0.0.5:8080/100%25/5%",
                Some("http://10.0.0.5:8080/100%25/5%25"),
            ),
            ("http://1c.example.ru/base", None),
            ("https://1c.example.ru/basement", None),
            ("https://1c.example.ru/base/../secret", None),
            ("https://1c.example.ru/base/%2e%2E/secret", None),
            ("https://1c.example.ru/base/..%2fsecret", None),
            ("https://1c.example.ru/base\\..\\secret", None),
            ("https://1c.example.ru/", None),
            ("https://1c.example.ru:8443/base", None),
            ("https://1c.example.ru@evil.ru/base", None),
            ("https://evil.ru/https://1c.example.ru/base", None),
            ("//evil.ru/x", None),
            ("http://10.0.0.5:80801/", None),
            ("http://10.0.0.5", None),
            ("file:///etc/passwd", None),
            (
                "http://10.0.0.5:8080/a\r\nX: y",
                Some("http://10.0.0.5:8080/a%0D%0AX:%20y"),
            ),
            ("", None),
        ] {
            let got = target(url, &hosts()).ok().map(|t| t.url());
            assert_eq!(got.as_deref(), want, "{url}");
        }
        assert!(matches!(
            target("/x", &[]),
            Err(WebFault::NotAllowed { .. })
        ));
        let long = format!("http://10.0.0.5:8080/{}", "я".repeat(1_000));
        assert!(matches!(
            target(&long, &hosts()),
            Err(WebFault::TooLarge { .. })
        ));
    }

    #[test]
    fn values_can_be_anything() {
        assert_eq!(encode_value("А&b=1 %"), "%D0%90%26b%3D1%20%25");
    }
}
