//! The client behind `http_get` and `http_post`: allowed hosts only, one connection a request, everything bounded, and
//! nothing of it outlives its caller: dropping the future closes the connection.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper::{Method, Request, Response, header};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

use super::reach::{Target, target};
use super::{WebAnswer, WebFault, WebMethod, WebOrder};
use crate::config::{WebConfig, WebHost};

/// Longest body that is sent, bytes.
pub const MAX_REQUEST_BYTES: usize = 256 * 1024;
/// Longest body that is taken, bytes.
pub const MAX_ANSWER_BYTES: usize = 256 * 1024;
/// Redirects that a GET follows, all to allowed hosts.
pub const MAX_REDIRECTS: usize = 3;
/// Longest head of an answer, bytes.
const MAX_HEAD_BYTES: usize = 32 * 1024;

/// Why the settings can't be used.
#[derive(Debug, thiserror::Error)]
pub enum WebConfigError {
    /// The file of certificates.
    #[error("web.ca {path}: {reason}", path = path.display())]
    Ca {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// No certificates at all.
    #[error(
        "no certificates to trust, and web.hosts has an https address: install ca-certificates, or give web.ca a PEM file"
    )]
    NoCertificates,
    /// TLS itself.
    #[error("TLS: {0}")]
    Tls(String),
}

/// See the module. Cheap to share.
pub struct Web {
    hosts: Vec<WebHost>,
    timeout_ms: u64,
    /// Absent where no host wants it.
    tls: Option<TlsConnector>,
}

impl Web {
    /// Checks the settings and reads the certificates; connects only when asked for something.
    pub fn new(config: &WebConfig) -> Result<Self, WebConfigError> {
        let wants_tls = config.hosts.iter().any(|h| h.url.starts_with("https://"));
        Ok(Self {
            hosts: config.hosts.clone(),
            timeout_ms: config.timeout_ms,
            tls: wants_tls.then(|| tls(config)).transpose()?,
        })
    }

    /// Asks. Always answers within the order's time.
    pub async fn ask(&self, order: &WebOrder) -> WebAnswer {
        let ms = order.timeout_ms.unwrap_or(self.timeout_ms);
        match tokio::time::timeout(Duration::from_millis(ms), self.follow(order)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(fault)) => WebAnswer::failed(fault),
            Err(_) => WebAnswer::failed(WebFault::Timeout { ms }),
        }
    }

    async fn follow(&self, order: &WebOrder) -> Result<WebAnswer, WebFault> {
        let body = match &order.body {
            Some(body) => Bytes::from(body.to_string()),
            None => Bytes::new(),
        };
        if body.len() > MAX_REQUEST_BYTES {
            return Err(WebFault::TooLarge {
                what: "the request",
                most: MAX_REQUEST_BYTES,
            });
        }
        let mut at = target(&order.url, &self.hosts)?;
        for _ in 0..=MAX_REDIRECTS {
            let (status, there, answer) = self.once(order, &at, body.clone()).await?;
            // A POST that was taken elsewhere might be done twice.
            let moved =
                order.method == WebMethod::Get && matches!(status, 301 | 302 | 303 | 307 | 308);
            match there.filter(|_| moved) {
                Some(there) => at = target(&absolute(&there, &at), &self.hosts)?,
                None => return answer,
            }
        }
        Err(WebFault::Redirects(MAX_REDIRECTS))
    }

    /// One request: the status, where it sends us, and the answer.
    async fn once(
        &self,
        order: &WebOrder,
        at: &Target,
        body: Bytes,
    ) -> Result<(u16, Option<String>, Result<WebAnswer, WebFault>), WebFault> {
        let request = self.request(order, at, body)?;
        let lost = |error: &dyn std::fmt::Display| {
            WebFault::Unreachable(format!("{}:{}: {error}", at.name, at.port))
        };
        let stream = TcpStream::connect((at.name.as_str(), at.port))
            .await
            .map_err(|e| lost(&e))?;
        let _ = stream.set_nodelay(true);
        // The connection's own task; it ends with this request, or with the caller.
        let mut connection = JoinSet::new();
        let response = match (&self.tls, at.tls) {
            (Some(tls), true) => {
                let name = ServerName::try_from(at.name.clone()).map_err(|e| lost(&e))?;
                let stream = tls.connect(name, stream).await.map_err(|e| lost(&e))?;
                send(&mut connection, stream, request).await
            }
            _ => send(&mut connection, stream, request).await,
        }
        .map_err(|e| lost(&e))?;
        let status = response.status().as_u16();
        let text = |name| {
            let value = response.headers().get(name)?;
            value.to_str().ok().map(str::to_owned)
        };
        let there = text(header::LOCATION);
        let kind = text(header::CONTENT_TYPE).unwrap_or_default();
        let read = Limited::new(response.into_body(), MAX_ANSWER_BYTES)
            .collect()
            .await;
        let bytes = read.map(|b| b.to_bytes()).map_err(|error| {
            if error.is::<LengthLimitError>() {
                WebFault::TooLarge {
                    what: "the answer",
                    most: MAX_ANSWER_BYTES,
                }
            } else {
                lost(&error)
            }
        });
        let answer = bytes.and_then(|bytes| Ok(WebAnswer::of(status, value(&bytes, &kind)?)));
        Ok((status, there, answer))
    }

    fn request(
        &self,
        order: &WebOrder,
        at: &Target,
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, WebFault> {
        let method = match order.method {
            WebMethod::Get => Method::GET,
            WebMethod::Post => Method::POST,
        };
        let mut request = Request::builder()
            .method(method)
            .uri(&at.path)
            .header(header::HOST, &at.authority)
            .header(header::ACCEPT, "application/json")
            .header(header::USER_AGENT, "govorun")
            .header(header::CONNECTION, "close");
        if order.body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json; charset=utf-8");
        }
        let host = self.hosts.get(at.host);
        if let Some(host) = host.filter(|h| !h.user.is_empty()) {
            let pair = format!("{}:{}", host.user, host.password.reveal());
            let basic = format!("Basic {}", STANDARD.encode(pair));
            request = request.header(header::AUTHORIZATION, basic);
        } else if let Some(host) = host.filter(|h| !h.token.reveal().is_empty()) {
            let bearer = format!("Bearer {}", host.token.reveal());
            request = request.header(header::AUTHORIZATION, bearer);
        }
        request
            .body(Full::new(body))
            .map_err(|_| WebFault::Url(at.url()))
    }
}

impl std::fmt::Debug for Web {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let hosts: Vec<&str> = self.hosts.iter().map(|h| h.url.as_str()).collect();
        write!(f, "Web({hosts:?})")
    }
}

pub(super) async fn send<S>(
    connection: &mut JoinSet<()>,
    stream: S,
    request: Request<Full<Bytes>>,
) -> Result<Response<hyper::body::Incoming>, hyper::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, driver) = hyper::client::conn::http1::Builder::new()
        .max_buf_size(MAX_HEAD_BYTES)
        // As people write them: 1C's HTTP services know a header by its very letters.
        .title_case_headers(true)
        .handshake(TokioIo::new(stream))
        .await?;
    connection.spawn(async move {
        let _ = driver.await;
    });
    sender.send_request(request).await
}

/// JSON where it is JSON; a text otherwise.
fn value(bytes: &[u8], kind: &str) -> Result<Value, WebFault> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Null);
    }
    match serde_json::from_slice(bytes) {
        Ok(value) => Ok(value),
        Err(error) if kind.to_ascii_lowercase().contains("json") => {
            Err(WebFault::NotJson(error.to_string()))
        }
        Err(_) => Ok(Value::from(String::from_utf8_lossy(bytes).into_owned())),
    }
}

/// A redirect's target; paths are of the same server.
fn absolute(there: &str, from: &Target) -> String {
    let scheme = if from.tls { "https" } else { "http" };
    if there.starts_with("//") {
        format!("{scheme}:{there}")
    } else if there.starts_with('/') {
        format!("{scheme}://{}{there}", from.authority)
    } else {
        there.to_owned()
    }
}

pub(super) fn tls(config: &WebConfig) -> Result<TlsConnector, WebConfigError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = &config.ca {
        let wrong = |reason: String| WebConfigError::Ca {
            path: path.clone(),
            reason,
        };
        let pems = CertificateDer::pem_file_iter(path).map_err(|e| wrong(e.to_string()))?;
        for pem in pems {
            let certificate = pem.map_err(|e| wrong(e.to_string()))?;
            roots.add(certificate).map_err(|e| wrong(e.to_string()))?;
        }
    }
    if roots.is_empty() {
        return Err(WebConfigError::NoCertificates);
    }
    let provider = Arc::new(crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| WebConfigError::Tls(e.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
