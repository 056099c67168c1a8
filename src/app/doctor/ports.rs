//! Our ports: free, held by our own server, or by somebody else.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::finding::Findings;
use crate::config::Config;

/// The server answers within this.
const PATIENCE: Duration = Duration::from_secs(3);
/// Longest answer of `/healthz`.
const MOST: u64 = 64 * 1024;

/// What `/healthz` of a running server says.
#[derive(Clone, Debug)]
pub(super) struct Server {
    version: String,
    failed: Vec<String>,
    parts: Vec<(String, String)>,
}

/// How one port is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Port {
    Free,
    Held,
    /// Not an address of this machine, or a port that only root may have.
    Refused(ErrorKind),
}

/// Tells of each port; the server if one of ours runs.
pub(super) async fn look(config: &Config, findings: &mut Findings) -> Option<Server> {
    let server = match config.http.listen.port() {
        0 => None,
        _ => ask(config.http.listen).await,
    };
    if let Some(server) = &server {
        tell_server(server, findings);
    }
    for (key, address) in ours(config) {
        if address.port() != 0 {
            judge(key, address, state(address), server.is_some(), findings);
        }
    }
    server
}

fn ours(config: &Config) -> [(&'static str, SocketAddr); 4] {
    [
        ("http.listen", config.http.listen),
        ("asterisk.agi_listen", config.asterisk.agi_listen),
        ("media.audiosocket_listen", config.media.audiosocket_listen),
        ("media.websocket_listen", config.media.websocket_listen),
    ]
}

fn state(address: SocketAddr) -> Port {
    match TcpListener::bind(address) {
        Ok(_) => Port::Free,
        Err(error) if error.kind() == ErrorKind::AddrInUse => Port::Held,
        Err(error) => Port::Refused(error.kind()),
    }
}

fn judge(key: &str, address: SocketAddr, port: Port, runs: bool, findings: &mut Findings) {
    match (port, runs) {
        (Port::Held, true) => findings.ok(
            "ports",
            (
                &format!("{key}: {address} занят нашим сервером"),
                &format!("{key}: {address} is held by our server"),
            ),
        ),
        (Port::Free, false) => findings.ok(
            "ports",
            (
                &format!("{key}: {address} свободен"),
                &format!("{key}: {address} is free"),
            ),
        ),
        (Port::Free, true) => findings.fault(
            "ports",
            (
                &format!("{key}: сервер работает, но {address} не слушает: настройки с тех пор изменились"),
                &format!("{key}: the server runs and doesn't listen on {address}: the settings have changed since"),
            ),
            (
                "systemctl restart govorun",
                "systemctl restart govorun",
            ),
        ),
        (Port::Held, false) => findings.fault(
            "ports",
            (
                &format!("{key}: {address} занят другой программой"),
                &format!("{key}: {address} is held by another program"),
            ),
            (
                &format!("узнать какой: ss -ltnp 'sport = :{}'; завершите её или задайте другой порт в {key}", address.port()),
                &format!("find it: ss -ltnp 'sport = :{}'; end it, or give {key} another port", address.port()),
            ),
        ),
        (Port::Refused(kind), _) => findings.fault(
            "ports",
            (
                &format!("{key}: {address} слушать нельзя: {kind}"),
                &format!("{key}: can't listen on {address}: {kind}"),
            ),
            (
                &format!("в {key} нужен адрес этой машины (ip -br addr) и порт от 1024"),
                &format!("{key} wants an address of this machine (ip -br addr) and a port from 1024 on"),
            ),
        ),
    }
}

fn tell_server(server: &Server, findings: &mut Findings) {
    let version = &server.version;
    if server.failed.is_empty() {
        return findings.ok(
            "server",
            (
                &format!("сервер {version} работает, /healthz: всё в порядке"),
                &format!("server {version} runs, /healthz: all is well"),
            ),
        );
    }
    let told: Vec<String> = server
        .parts
        .iter()
        .filter(|(name, _)| server.failed.contains(name))
        .map(|(name, text)| format!("{name} ({text})"))
        .collect();
    let told = told.join("; ");
    findings.warning(
        "server",
        (
            &format!("сервер {version} работает, но жалуется: {told}"),
            &format!("server {version} runs and complains: {told}"),
        ),
        (
            "смотрите находки ниже и журнал: journalctl -u govorun -n 50",
            "see the findings below and the log: journalctl -u govorun -n 50",
        ),
    );
}

/// Asks `/healthz`; `None` where nobody answers, or something else than a server of ours.
async fn ask(listens: SocketAddr) -> Option<Server> {
    let mut at = listens;
    if at.ip().is_unspecified() {
        at.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    let asked = async {
        let mut stream = TcpStream::connect(at).await.ok()?;
        let request = format!("GET /healthz HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = Vec::new();
        stream.take(MOST).read_to_end(&mut answer).await.ok()?;
        read(&String::from_utf8_lossy(&answer))
    };
    tokio::time::timeout(PATIENCE, asked).await.ok()?
}

fn read(answer: &str) -> Option<Server> {
    let (_, body) = answer.split_once("\r\n\r\n")?;
    let body: Value = serde_json::from_str(body.trim()).ok()?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    Some(Server {
        version: text(&body["version"])?,
        failed: body["failed"].as_array()?.iter().filter_map(text).collect(),
        parts: body["parts"]
            .as_array()?
            .iter()
            .filter_map(|part| Some((text(&part["name"])?, text(&part["text"])?)))
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::doctor::finding::Level;
    use crate::config::Language;

    #[test]
    fn each_state_of_a_port() {
        let at: SocketAddr = "127.0.0.1:4573".parse().unwrap();
        let key = "asterisk.agi_listen";
        let denied = Port::Refused(ErrorKind::PermissionDenied);
        for (port, runs, level, what, mend) in [
            (Port::Free, false, Level::Ok, "свободен", ""),
            (Port::Held, true, Level::Ok, "занят нашим сервером", ""),
            (
                Port::Held,
                false,
                Level::Fault,
                "занят другой программой",
                "ss -ltnp 'sport = :4573'",
            ),
            (
                Port::Free,
                true,
                Level::Fault,
                "не слушает",
                "systemctl restart govorun",
            ),
            (
                denied,
                false,
                Level::Fault,
                "слушать нельзя",
                "порт от 1024",
            ),
        ] {
            let mut found = Findings::new(Language::Ru);
            judge(key, at, port, runs, &mut found);
            assert_eq!(found.all[0].level, level, "{found:?}");
            assert!(found.all[0].what.contains(what), "{found:?}");
            assert!(found.all[0].mend.contains(mend), "{found:?}");
        }
    }

    #[tokio::test]
    async fn a_stranger_at_our_port_is_no_server_of_ours() {
        let stranger = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut config = Config::default();
        config.http.listen = stranger.local_addr().unwrap();
        config.asterisk.agi_listen.set_port(0);
        config.media.audiosocket_listen.set_port(0);
        config.media.websocket_listen.set_port(0);
        tokio::spawn(async move {
            let (mut peer, _) = stranger.accept().await.unwrap();
            let _ = peer.write_all(b"HTTP/1.1 200 OK\r\n\r\n<html>").await;
            std::future::pending::<()>().await;
        });
        let mut found = Findings::new(Language::Ru);
        assert!(look(&config, &mut found).await.is_none());
        assert_eq!(found.all.len(), 1);
        assert!(
            found.all[0].what.contains("занят другой программой"),
            "{found:?}"
        );
    }

    #[test]
    fn what_a_server_complains_of_is_told() {
        let body = r#"{"status":"failed","version":"0.1.0","failed":["media"],"parts":[{"name":"store","ok":true,"text":""},{"name":"media","ok":false,"text":"auto: нет модулей"}]}"#;
        let server = read(&format!("HTTP/1.1 503 X\r\nA: b\r\n\r\n{body}")).unwrap();
        let mut found = Findings::new(Language::Ru);
        tell_server(&server, &mut found);
        assert_eq!(found.all[0].level, Level::Warning);
        assert_eq!(
            found.all[0].what,
            "сервер 0.1.0 работает, но жалуется: media (auto: нет модулей)"
        );
        assert!(read("HTTP/1.1 200 OK\r\n\r\n{}").is_none());
    }
}
