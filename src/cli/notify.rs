//! Tells systemd how far we are (`Type=notify`): one datagram to `NOTIFY_SOCKET`. Nothing where nobody asked.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Orders are taken now.
pub(super) fn ready() {
    tell("READY=1");
}

/// Calls that talk may end; nothing new begins.
pub(super) fn stopping() {
    tell("STOPPING=1");
}

fn tell(state: &str) {
    let Some(socket) = std::env::var_os("NOTIFY_SOCKET") else {
        return;
    };
    let Some(socket) = socket.to_str() else {
        return;
    };
    if let Err(error) = send(socket, state) {
        tracing::warn!(%error, "systemd can't be told {state}");
    }
}

/// A path, or with a leading `@` a name of Linux's own.
fn send(socket: &str, state: &str) -> std::io::Result<()> {
    let address = match socket.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(socket)?,
    };
    UnixDatagram::unbound()?
        .send_to_addr(state.as_bytes(), &address)
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_sockets_get_the_state() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let name = format!("govorun-notify-{}", std::process::id());
        let abstract_name = SocketAddr::from_abstract_name(&name).unwrap();
        for (socket, listener) in [
            (
                path.display().to_string(),
                UnixDatagram::bind(&path).unwrap(),
            ),
            (
                format!("@{name}"),
                UnixDatagram::bind_addr(&abstract_name).unwrap(),
            ),
        ] {
            send(&socket, "READY=1").unwrap();
            let mut got = [0; 64];
            let bytes = listener.recv(&mut got).unwrap();
            assert_eq!(&got[..bytes], b"READY=1", "{socket}");
        }
        assert!(send("/nowhere/at/all", "READY=1").is_err());
    }
}
