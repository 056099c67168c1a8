//! Brings callbacks to where orders want them told: any host but those that no receiver lives at, one POST a connection,
//! no redirects, everything bounded.
//!
//! An order's address is given by whoever may order calls, not by the settings. So addresses are looked at after the name
//! was resolved, and the connection is made to that very address: link-local ones (where clouds keep their keys),
//! multicast and unspecified ones are refused, unless `http.callback.hosts` or `web.hosts` name the host.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::{Method, Request, header};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::client::{send, tls};
use super::reach::{Target, encode, parse, target};
use crate::config::{WebConfig, WebHost};

/// Most of a refusal's text that is read, bytes.
const MAX_REFUSAL_BYTES: usize = 4 * 1024;
/// Most of it that is told, characters.
const MAX_REFUSAL_CHARS: usize = 200;
/// Services of clouds that tell keys to whoever asks, outside of the link-local networks.
const METADATA: [&str; 3] = ["100.100.100.200", "192.0.0.192", "fd00:ec2::254"];

/// Why nothing was delivered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CourierFault {
    /// That address is never tried.
    #[error("{0}")]
    NotAllowed(String),
    /// Nobody there, or not within the time: the next delivery to that host would fare no better.
    #[error("{0}")]
    Unreachable(String),
    /// It answered, and not with 2xx.
    #[error("HTTP {status}{}{text}", if text.is_empty() { "" } else { ": " })]
    Refused {
        /// Its status.
        status: u16,
        /// The beginning of its text.
        text: String,
    },
}

/// See the module. Cheap to ask, built once.
pub struct Courier {
    keys: Vec<WebHost>,
    only: Vec<WebHost>,
    tls: Result<TlsConnector, String>,
    timeout: Duration,
}

impl Courier {
    /// `web` has the keys and the authority to trust; `only`, where it isn't empty, are the addresses below which receivers lie.
    pub fn new(web: &WebConfig, only: &[String], timeout: Duration) -> Self {
        Self {
            keys: web.hosts.clone(),
            only: only.iter().map(|url| WebHost::open(url)).collect(),
            tls: tls(web).map_err(|error| error.to_string()),
            timeout,
        }
    }

    /// Where `url` leads, or why it may not be told.
    fn allowed(&self, url: &str) -> Result<(Target, bool), CourierFault> {
        let refused = |why: &str| CourierFault::NotAllowed(format!("{url}: {why}"));
        if !self.only.is_empty() {
            return target(url, &self.only)
                .map(|target| (target, true))
                .map_err(|_| {
                    let all: Vec<&str> = self.only.iter().map(|host| host.url.as_str()).collect();
                    refused(&format!(
                        "not below http.callback.hosts ({})",
                        all.join(", ")
                    ))
                });
        }
        let there = parse(&encode(url)).ok_or_else(|| refused("no address of a receiver"))?;
        let named = target(url, &self.keys).is_ok();
        if !named
            && let Ok(ip) = there.name.parse::<IpAddr>()
            && forbidden(ip)
        {
            return Err(refused(
                "no receiver lives at such an address; if one does, name it in http.callback.hosts",
            ));
        }
        Ok((there, named))
    }

    /// Whether callbacks to `url` are tried at all.
    ///
    /// # Errors
    /// [`CourierFault::NotAllowed`].
    pub fn check(&self, url: &str) -> Result<(), CourierFault> {
        self.allowed(url).map(drop)
    }

    /// Posts JSON; answers the receiver's 2xx.
    ///
    /// # Errors
    /// Why it wasn't taken.
    pub async fn post(
        &self,
        url: &str,
        headers: &[(&'static str, String)],
        body: String,
    ) -> Result<u16, CourierFault> {
        let (there, named) = self.allowed(url)?;
        let whole = self.once(url, &there, named, headers, body);
        match tokio::time::timeout(self.timeout, whole).await {
            Ok(answer) => answer,
            Err(_) => Err(CourierFault::Unreachable(format!(
                "{}:{}: no answer within {} ms",
                there.name,
                there.port,
                self.timeout.as_millis()
            ))),
        }
    }

    async fn once(
        &self,
        url: &str,
        there: &Target,
        named: bool,
        headers: &[(&'static str, String)],
        body: String,
    ) -> Result<u16, CourierFault> {
        let lost = |error: &dyn std::fmt::Display| {
            CourierFault::Unreachable(format!("{}:{}: {error}", there.name, there.port))
        };
        let request = self.request(url, there, headers, body)?;
        let stream = connect(there, named).await?;
        let _ = stream.set_nodelay(true);
        // The connection's own task; it ends with this request.
        let mut connection = JoinSet::new();
        let response = if there.tls {
            let tls = self.tls.as_ref().map_err(|error| lost(error))?;
            let name = ServerName::try_from(there.name.clone()).map_err(|e| lost(&e))?;
            let stream = tls.connect(name, stream).await.map_err(|e| lost(&e))?;
            send(&mut connection, stream, request).await
        } else {
            send(&mut connection, stream, request).await
        }
        .map_err(|e| lost(&e))?;
        let status = response.status().as_u16();
        if response.status().is_success() {
            return Ok(status);
        }
        let read = Limited::new(response.into_body(), MAX_REFUSAL_BYTES)
            .collect()
            .await;
        let text = match read {
            Ok(body) => String::from_utf8_lossy(&body.to_bytes()).into_owned(),
            Err(_) => String::new(),
        };
        let plain = |c: char| if c.is_control() { ' ' } else { c };
        let text: String = text
            .trim()
            .chars()
            .map(plain)
            .take(MAX_REFUSAL_CHARS)
            .collect();
        Err(CourierFault::Refused { status, text })
    }

    fn request(
        &self,
        url: &str,
        there: &Target,
        headers: &[(&'static str, String)],
        body: String,
    ) -> Result<Request<Full<Bytes>>, CourierFault> {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(&there.path)
            .header(header::HOST, &there.authority)
            .header(header::USER_AGENT, "govorun")
            .header(header::CONNECTION, "close")
            .header(header::CONTENT_TYPE, "application/json; charset=utf-8");
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let key = target(url, &self.keys).ok();
        if let Some(host) = key.and_then(|key| self.keys.get(key.host)) {
            if !host.user.is_empty() {
                let pair = format!("{}:{}", host.user, host.password.reveal());
                let basic = format!("Basic {}", STANDARD.encode(pair));
                request = request.header(header::AUTHORIZATION, basic);
            } else if !host.token.reveal().is_empty() {
                let bearer = format!("Bearer {}", host.token.reveal());
                request = request.header(header::AUTHORIZATION, bearer);
            }
        }
        request
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| CourierFault::NotAllowed(format!("{url}: {error}")))
    }
}

impl std::fmt::Debug for Courier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Courier")
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// Connects to the first address that answers and may be told.
async fn connect(there: &Target, named: bool) -> Result<TcpStream, CourierFault> {
    let lost = |error: &dyn std::fmt::Display| {
        CourierFault::Unreachable(format!("{}:{}: {error}", there.name, there.port))
    };
    let found = tokio::net::lookup_host((there.name.as_str(), there.port)).await;
    let all: Vec<SocketAddr> = found.map_err(|e| lost(&e))?.collect();
    let mut last = CourierFault::NotAllowed(format!(
        "{}: no receiver lives at its address; if one does, name it in http.callback.hosts",
        there.name
    ));
    for address in all {
        if !named && forbidden(address.ip()) {
            continue;
        }
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = lost(&error),
        }
    }
    Err(last)
}

/// An address at which no receiver lives.
fn forbidden(ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    let metadata = METADATA.iter().any(|known| known.parse() == Ok(ip));
    let kind = match ip {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    metadata || kind || ip.is_unspecified() || ip.is_multicast()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ident::Secret;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    fn web(hosts: Vec<WebHost>) -> WebConfig {
        WebConfig {
            hosts,
            timeout_ms: 1_000,
            ca: None,
        }
    }

    fn courier(hosts: Vec<WebHost>, only: &[&str]) -> Courier {
        let only: Vec<String> = only.iter().map(|url| (*url).to_owned()).collect();
        Courier::new(&web(hosts), &only, Duration::from_millis(500))
    }

    #[test]
    fn addresses_without_receivers_are_refused_unless_named() {
        for (url, allowed) in [
            ("http://10.0.0.5/hs/calls", true),
            ("http://127.0.0.1:8080/x", true),
            ("https://1c.example.ru/base", true),
            ("http://169.254.169.254/latest/meta-data", false),
            ("http://[fe80::1]/x", false),
            ("http://[::ffff:169.254.169.254]/x", false),
            ("http://[fd00:ec2::254]/x", false),
            ("http://100.100.100.200/x", false),
            ("http://0.0.0.0/x", false),
            ("http://224.0.0.1/x", false),
            ("http://user:password@10.0.0.5/x", false),
            ("ftp://10.0.0.5/x", false),
            ("no address", false),
        ] {
            assert_eq!(
                courier(Vec::new(), &[]).check(url).is_ok(),
                allowed,
                "{url}"
            );
        }
        let named = courier(vec![WebHost::open("http://169.254.1.5/")], &[]);
        assert!(named.check("http://169.254.1.5/hs").is_ok());
        let only = courier(Vec::new(), &["https://1c.example.ru/base"]);
        assert!(only.check("https://1c.example.ru/base/hs/calls").is_ok());
        let refused = only.check("https://evil.ru/base").unwrap_err().to_string();
        assert!(refused.contains("https://1c.example.ru/base"), "{refused}");
    }

    /// A receiver of one request: what it heard, and says `answer`.
    async fn receiver(answer: &'static str) -> (String, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hs/calls", listener.local_addr().unwrap());
        let heard = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut got = Vec::new();
            while !got.ends_with(b"}") {
                let mut some = [0; 1024];
                let n = stream.read(&mut some).await.unwrap();
                got.extend_from_slice(&some[..n]);
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8(got).unwrap()
        });
        (url, heard)
    }

    #[tokio::test]
    async fn a_post_brings_headers_key_and_body() {
        let (url, heard) = receiver("HTTP/1.1 204 No Content\r\n\r\n").await;
        let mut host = WebHost::open(&url);
        (host.user, host.password) = ("1c".to_owned(), Secret::new("p"));
        let posted = courier(vec![host], &[])
            .post(
                &url,
                &[("x-govorun-timestamp", "5".to_owned())],
                "{\"a\":1}".to_owned(),
            )
            .await;
        assert_eq!(posted, Ok(204));
        let heard = heard.await.unwrap();
        assert!(heard.contains("\r\nX-Govorun-Timestamp: 5\r\n"), "{heard}");
        let heard = heard.to_lowercase();
        for part in [
            "post /hs/calls http/1.1",
            "x-govorun-timestamp: 5",
            "authorization: basic mwm6ca==",
            "content-type: application/json; charset=utf-8",
        ] {
            assert!(heard.contains(part), "{part} is not in {heard}");
        }
    }

    #[tokio::test]
    async fn refusals_and_silence_are_told_apart() {
        let (url, _heard) =
            receiver("HTTP/1.1 500 Oops\r\nContent-Length: 12\r\n\r\nno such\r\nbox").await;
        let refused = courier(Vec::new(), &[])
            .post(&url, &[], "{}".to_owned())
            .await;
        let expect = CourierFault::Refused {
            status: 500,
            text: "no such  box".to_owned(),
        };
        assert_eq!(refused, Err(expect));
        // A redirect isn't followed: whoever sent it isn't the receiver.
        let (url, _heard) = receiver(
            "HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n",
        )
        .await;
        let moved = courier(Vec::new(), &[])
            .post(&url, &[], "{}".to_owned())
            .await;
        assert!(
            matches!(moved, Err(CourierFault::Refused { status: 302, .. })),
            "{moved:?}"
        );
        // Takes the connection and says nothing.
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", silent.local_addr().unwrap());
        let late = courier(Vec::new(), &[])
            .post(&url, &[], "{}".to_owned())
            .await;
        assert!(
            matches!(&late, Err(CourierFault::Unreachable(why)) if why.contains("500 ms")),
            "{late:?}"
        );
        drop(silent);
        let gone = courier(Vec::new(), &[])
            .post(&url, &[], "{}".to_owned())
            .await;
        assert!(
            matches!(gone, Err(CourierFault::Unreachable(_))),
            "{gone:?}"
        );
    }
}
