//! The way to Yandex Cloud, for recognition and synthesis: connections that calls share, TLS, and the key.
//!
//! Metadata (vendor's documentation, 2026): `authorization: Api-Key <key>` or `Bearer <IAM token>`, and `x-folder-id` for
//! accounts of people; a service account has its own folder. An IAM token lives 12 hours at most.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::Command;
use tokio::time::{Instant, timeout};
use tonic::Request;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

use crate::ident::Secret;

/// Streams on one connection; servers take about a hundred, and what is over waits unseen.
const STREAMS: usize = 50;
/// A token is made anew after this.
const RENEW_AFTER: Duration = Duration::from_secs(3_600);
/// A token that can't be made anew is used until this age.
const USE_UNTIL: Duration = Duration::from_secs(11 * 3_600);
/// Longest run of the token's command.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest token, bytes.
const MAX_TOKEN_BYTES: u64 = 8_192;

/// What opens the door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloudKey {
    /// A service account's API key.
    ApiKey(Secret),
    /// Program and arguments that print an IAM token: `[yc, iam, create-token]`, `[cat, /run/iam-token]`.
    IamCommand(Vec<String>),
}

/// How to reach one service of the cloud.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudConfig {
    /// `https://host:port`, or `http://` without TLS.
    pub url: String,
    /// The key.
    pub key: CloudKey,
    /// The folder, for accounts of people; empty: the service account's own.
    pub folder_id: String,
    /// A PEM file with the certificate authority to trust besides the system's own.
    pub ca: Option<PathBuf>,
    /// How long one connect may take.
    pub connect_timeout: Duration,
}

/// Why a [`CloudConfig`] was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CloudError {
    /// Not an address.
    #[error("url {url:?} must be https://host:port")]
    Url {
        /// The address.
        url: String,
    },
    /// A key that can't stand in a header.
    #[error("api_key is empty or holds a character that no key has: copy it whole")]
    ApiKey,
    /// Nothing to run.
    #[error(
        "iam_token_command is empty: write [program, argument, ...], for instance [yc, iam, create-token]"
    )]
    Command,
    /// A folder that can't stand in a header.
    #[error("folder_id {folder:?} holds a character that no id has")]
    Folder {
        /// The folder.
        folder: String,
    },
    /// The certificate can't be used.
    #[error("ca {path}: {reason}", path = path.display())]
    Ca {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// See the module. Cheap to share; asked by many calls at once.
#[derive(Debug)]
pub struct Cloud {
    config: CloudConfig,
    endpoint: Endpoint,
    connections: Mutex<Vec<Lease>>,
    token: tokio::sync::Mutex<Option<Token>>,
}

#[derive(Debug)]
struct Token {
    header: MetadataValue<Ascii>,
    made: Instant,
}

/// A place on a connection; given back when dropped.
#[derive(Clone, Debug)]
pub struct Lease {
    /// The connection; it is made when it is first used.
    pub channel: Channel,
    users: Arc<()>,
}

impl Cloud {
    /// Checks the config and reads the certificate; connects only when asked for something.
    pub fn new(config: CloudConfig) -> Result<Self, CloudError> {
        let wrong = || CloudError::Url {
            url: config.url.clone(),
        };
        let tls = config.url.starts_with("https://");
        if !tls && !config.url.starts_with("http://") {
            return Err(wrong());
        }
        let mut endpoint = Endpoint::from_shared(config.url.clone())
            .map_err(|_| wrong())?
            .connect_timeout(config.connect_timeout)
            .tcp_nodelay(true)
            .tcp_keepalive(Some(Duration::from_secs(10)));
        if tls {
            let mut trust = ClientTlsConfig::new().with_native_roots();
            if let Some(path) = &config.ca {
                let pem = std::fs::read(path).map_err(|e| CloudError::Ca {
                    path: path.clone(),
                    reason: e.to_string(),
                })?;
                trust = trust.ca_certificate(Certificate::from_pem(pem));
            }
            endpoint = endpoint.tls_config(trust).map_err(|e| CloudError::Ca {
                path: config.ca.clone().unwrap_or_default(),
                reason: format!(
                    "no certificates to trust: {e}; install ca-certificates, or give ca a PEM file"
                ),
            })?;
        }
        match &config.key {
            CloudKey::ApiKey(key) => {
                let text = key.reveal();
                if text.is_empty() || !text.bytes().all(|b| b.is_ascii_graphic()) {
                    return Err(CloudError::ApiKey);
                }
            }
            CloudKey::IamCommand(command) => {
                if command.first().is_none_or(|program| program.is_empty()) {
                    return Err(CloudError::Command);
                }
            }
        }
        if !config.folder_id.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(CloudError::Folder {
                folder: config.folder_id,
            });
        }
        Ok(Self {
            config,
            endpoint,
            connections: Mutex::default(),
            token: tokio::sync::Mutex::default(),
        })
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.config.url
    }

    /// A fresh key may be had: it is made by a command.
    pub fn makes_tokens(&self) -> bool {
        matches!(self.config.key, CloudKey::IamCommand(_))
    }

    /// A place on a connection that has one, or on a new one. On a tokio runtime.
    pub fn lease(&self) -> Lease {
        let mut connections = self.connections();
        // Connections that nobody uses go, but for one.
        let mut spare = 0;
        connections.retain(|c| {
            let used = Arc::strong_count(&c.users) > 1;
            spare += usize::from(!used);
            used || spare <= 1
        });
        if let Some(free) = connections
            .iter()
            .find(|c| Arc::strong_count(&c.users) <= STREAMS)
        {
            return free.clone();
        }
        let lease = Lease {
            channel: self.endpoint.connect_lazy(),
            users: Arc::default(),
        };
        connections.push(lease.clone());
        lease
    }

    /// Nobody else gets this connection: it answers nothing.
    pub fn discard(&self, lease: &Lease) {
        self.connections()
            .retain(|c| !Arc::ptr_eq(&c.users, &lease.users));
    }

    fn connections(&self) -> std::sync::MutexGuard<'_, Vec<Lease>> {
        // A poisoned lock holds a list of connections, nothing that could be broken.
        self.connections.lock().unwrap_or_else(|p| p.into_inner())
    }

    /// `message` with the key. `Err` says why there is none, and the mend.
    pub async fn sign<T>(&self, message: T) -> Result<Request<T>, String> {
        let header = match &self.config.key {
            CloudKey::ApiKey(key) => secret(&format!("Api-Key {}", key.reveal()))?,
            CloudKey::IamCommand(command) => self.token(command).await?,
        };
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", header);
        if !self.config.folder_id.is_empty() {
            let folder = self.config.folder_id.parse();
            let folder = folder.map_err(|_| "folder_id can't stand in a header".to_owned())?;
            request.metadata_mut().insert("x-folder-id", folder);
        }
        Ok(request)
    }

    /// The key was refused: the next request makes a new one, if it can be made.
    pub async fn forget_token(&self) {
        *self.token.lock().await = None;
    }

    async fn token(&self, command: &[String]) -> Result<MetadataValue<Ascii>, String> {
        // Held while the command runs: the others wait for its token.
        let mut kept = self.token.lock().await;
        if let Some(token) = kept.as_ref().filter(|t| t.made.elapsed() < RENEW_AFTER) {
            return Ok(token.header.clone());
        }
        match run(command).await {
            Ok(header) => {
                *kept = Some(Token {
                    header: header.clone(),
                    made: Instant::now(),
                });
                Ok(header)
            }
            Err(reason) => match kept.as_ref().filter(|t| t.made.elapsed() < USE_UNTIL) {
                Some(old) => {
                    tracing::warn!(
                        reason,
                        "the IAM token can't be renewed; the old one goes on"
                    );
                    Ok(old.header.clone())
                }
                None => Err(reason),
            },
        }
    }
}

fn secret(text: &str) -> Result<MetadataValue<Ascii>, String> {
    let mut value: MetadataValue<Ascii> = text
        .parse()
        .map_err(|_| "the key can't stand in a header".to_owned())?;
    value.set_sensitive(true);
    Ok(value)
}

async fn run(command: &[String]) -> Result<MetadataValue<Ascii>, String> {
    let wrong = |why: String| format!("iam_token_command {:?}: {why}", command.join(" "));
    let Some((program, arguments)) = command.split_first() else {
        return Err(wrong("is empty".to_owned()));
    };
    let work = async {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let mut printed = Vec::new();
        if let Some(out) = child.stdout.take() {
            out.take(MAX_TOKEN_BYTES).read_to_end(&mut printed).await?;
        }
        Ok::<_, std::io::Error>((child.wait().await?, printed))
    };
    let (status, printed) = timeout(COMMAND_TIMEOUT, work)
        .await
        .map_err(|_| wrong(format!("no token within {} s", COMMAND_TIMEOUT.as_secs())))?
        .map_err(|e| wrong(format!("can't run it: {e}")))?;
    if !status.success() {
        return Err(wrong(format!(
            "it ended with {status}; run it by hand to see why"
        )));
    }
    let token = String::from_utf8_lossy(&printed);
    let token = token.trim();
    if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(wrong("it must print a token and nothing else".to_owned()));
    }
    secret(&format!("Bearer {token}")).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(key: CloudKey) -> CloudConfig {
        CloudConfig {
            url: "http://127.0.0.1:1".into(),
            key,
            folder_id: String::new(),
            ca: None,
            connect_timeout: Duration::from_secs(1),
        }
    }

    fn shell(script: &str) -> CloudKey {
        CloudKey::IamCommand(["sh", "-c", script].map(str::to_owned).to_vec())
    }

    async fn header(cloud: &Cloud) -> Result<String, String> {
        let request = cloud.sign(()).await?;
        let value = request.metadata().get("authorization").unwrap();
        Ok(value.to_str().unwrap().to_owned())
    }

    #[tokio::test]
    async fn a_token_is_made_once_kept_and_made_again_when_refused() {
        let folder = tempfile::tempdir().unwrap();
        let counter = folder.path().join("n").display().to_string();
        let cloud = Cloud::new(config(shell(&format!(
            "echo x >> {counter}; wc -l < {counter}"
        ))))
        .unwrap();
        assert_eq!(header(&cloud).await.unwrap(), "Bearer 1");
        assert_eq!(header(&cloud).await.unwrap(), "Bearer 1");
        cloud.forget_token().await;
        assert_eq!(header(&cloud).await.unwrap(), "Bearer 2");
        cloud.token.lock().await.as_mut().unwrap().made = Instant::now() - RENEW_AFTER;
        assert_eq!(header(&cloud).await.unwrap(), "Bearer 3");
    }

    #[tokio::test]
    async fn a_command_that_gives_no_token_is_named() {
        for (script, part) in [
            ("exit 3", "exit status: 3"),
            ("true", "must print a token"),
            ("echo 'two words'", "must print a token"),
        ] {
            let cloud = Cloud::new(config(shell(script))).unwrap();
            let told = header(&cloud).await.unwrap_err();
            assert!(told.contains(part) && told.contains(script), "{told}");
        }
        let nobody = CloudKey::IamCommand(vec!["/nowhere/yc".into()]);
        let told = header(&Cloud::new(config(nobody)).unwrap())
            .await
            .unwrap_err();
        assert!(told.contains("can't run"), "{told}");
    }

    #[tokio::test]
    async fn connections_are_shared_up_to_a_bound() {
        let key = || CloudKey::ApiKey(Secret::new("AQVN-key"));
        let cloud = Cloud::new(config(key())).unwrap();
        assert_eq!(header(&cloud).await.unwrap(), "Api-Key AQVN-key");
        let leases: Vec<Lease> = (0..STREAMS * 2 + 1).map(|_| cloud.lease()).collect();
        assert_eq!(cloud.connections().len(), 3);
        cloud.discard(&leases[0]);
        assert_eq!(cloud.connections().len(), 2);
        drop(leases);
        let _one = cloud.lease();
        assert_eq!(cloud.connections().len(), 1);
        for key in ["", "a b", "ключ"] {
            let bad = config(CloudKey::ApiKey(Secret::new(key)));
            assert_eq!(Cloud::new(bad).unwrap_err(), CloudError::ApiKey);
        }
        let mut bad = config(key());
        bad.url = "stt.api.cloud.yandex.net:443".into();
        assert!(matches!(Cloud::new(bad), Err(CloudError::Url { .. })));
        let mut bad = config(key());
        bad.url = "https://127.0.0.1:1".into();
        bad.ca = Some("/nowhere.pem".into());
        assert!(matches!(Cloud::new(bad), Err(CloudError::Ca { .. })));
    }
}
