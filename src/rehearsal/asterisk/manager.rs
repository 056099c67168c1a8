//! AMI's server side: connections, logins, the order of answers and events on the wire.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream, tcp::OwnedWriteHalf};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::wire::ami::{Banner, Packet, PacketDecoder, md5_key};

use super::actions;
use super::record::What;
use super::world::{MANAGER_QUEUE, Wants, World, packet};

/// The challenge is the same for everyone: this is a double.
const CHALLENGE: &str = "824917365";
/// Rest before the port is tried again.
const REST: Duration = Duration::from_millis(10);

/// A listener that may take the same port again at once.
pub(super) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(64)
}

/// Accepts while `wanted` is true; without a listener in between, so that a client is refused.
pub(super) async fn serve(
    world: Arc<World>,
    address: SocketAddr,
    listener: TcpListener,
    mut wanted: watch::Receiver<bool>,
) {
    let mut listener = Some(listener);
    loop {
        let on = *wanted.borrow_and_update();
        if on && listener.is_none() {
            listener = listen(address).ok();
            if listener.is_none() {
                tokio::time::sleep(REST).await;
                continue;
            }
        } else if !on {
            listener = None;
        }
        let accept = async {
            match &listener {
                Some(listener) => listener.accept().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = world.over.cancelled() => return,
            changed = wanted.changed() => if changed.is_err() { return },
            accepted = accept => if let Ok((stream, _)) = accepted {
                let _ = stream.set_nodelay(true);
                let client = Client::new(Arc::clone(&world));
                world.spawn(client.run(stream));
            },
        }
    }
}

struct Client {
    world: Arc<World>,
    /// Its number in the world once it is logged in.
    number: Option<u64>,
    packets: mpsc::Sender<Arc<[u8]>>,
    queue: Option<mpsc::Receiver<Arc<[u8]>>>,
    cut: CancellationToken,
}

/// What follows an action.
#[derive(PartialEq, Eq)]
enum After {
    GoOn,
    Close,
}

impl Client {
    fn new(world: Arc<World>) -> Self {
        let (packets, queue) = mpsc::channel(MANAGER_QUEUE);
        Self {
            world,
            number: None,
            packets,
            queue: Some(queue),
            cut: CancellationToken::new(),
        }
    }

    async fn run(mut self, stream: TcpStream) {
        let (mut reader, writer) = stream.into_split();
        let Some(queue) = self.queue.take() else {
            return;
        };
        let writing = tokio::spawn(write(writer, queue, self.cut.clone(), self.world.life()));
        let banner = Banner {
            version: self.world.options.ami_version.clone(),
        };
        self.send(banner.encode().into_bytes()).await;
        let mut decoder = PacketDecoder::default();
        'reading: loop {
            let buffer = decoder.buffer();
            buffer.reserve(1024);
            let read = tokio::select! {
                biased;
                () = self.cut.cancelled() => break,
                read = reader.read_buf(buffer) => read,
            };
            if !matches!(read, Ok(1..)) {
                break;
            }
            while let Ok(Some(packet)) = decoder.next() {
                if self.act(&packet).await == After::Close {
                    break 'reading;
                }
            }
        }
        if let Some(number) = self.number {
            self.world.dismiss(number);
            self.world.record.note("", What::ManagerGone);
        }
        // What was said last still goes out: the queue closes and the writer ends.
        drop(self.packets);
        let _ = writing.await;
    }

    async fn send(&self, bytes: Vec<u8>) {
        let _ = self.packets.send(bytes.into()).await;
    }

    async fn respond(&self, to: &Packet, response: &str, pairs: &[(&'static str, &str)]) {
        self.world.faults.wait().await;
        if self.world.faults.is_mute() {
            return;
        }
        let head = [("Response", response.to_owned())];
        let id = to.action_id().map(|id| ("ActionID", id.to_owned()));
        let rest = pairs.iter().map(|(key, value)| (*key, (*value).to_owned()));
        let bytes = packet(head.into_iter().chain(id).chain(rest));
        self.send(bytes).await;
    }

    async fn act(&mut self, action: &Packet) -> After {
        let name = action.name().to_owned();
        let what = What::Action { name: name.clone() };
        self.world.record.note("", what);
        match name.to_ascii_lowercase().as_str() {
            "challenge" => {
                let pairs = [("Challenge", CHALLENGE)];
                self.respond(action, "Success", &pairs).await;
                After::GoOn
            }
            "login" => self.log_in(action).await,
            "logoff" => {
                let pairs = [("Message", "Thanks for all the fish.")];
                self.respond(action, "Goodbye", &pairs).await;
                After::Close
            }
            _ if self.number.is_none() => {
                let pairs = [("Message", "Permission denied")];
                self.respond(action, "Error", &pairs).await;
                After::Close
            }
            _ => {
                let answer = actions::answer(&self.world, action);
                let pairs: Vec<_> = answer.pairs.iter().map(|(k, v)| (*k, v.as_str())).collect();
                self.respond(action, answer.response, &pairs).await;
                for event in answer.list {
                    self.send(event).await;
                }
                // Only now: no event of it overtakes the answer.
                if let Some(then) = answer.then {
                    then(&self.world);
                }
                After::GoOn
            }
        }
    }

    async fn log_in(&mut self, action: &Packet) -> After {
        let options = &self.world.options;
        let user = action.value("Username").unwrap_or_default().to_owned();
        let key = action.value("Key").unwrap_or_default();
        let by_key = key == md5_key(CHALLENGE, &options.secret);
        let by_secret = action.value("Secret") == Some(options.secret.reveal());
        let good = user == options.user && (by_key || by_secret);
        if !good || self.world.faults.refuses_logins() {
            self.world.record.note("", What::LoginRefused { user });
            let pairs = [("Message", "Authentication failed")];
            self.respond(action, "Error", &pairs).await;
            return After::Close;
        }
        let pairs = [("Message", "Authentication accepted")];
        self.respond(action, "Success", &pairs).await;
        let wants = Wants::parse(action.value("Events").unwrap_or("on"));
        let (packets, cut) = (self.packets.clone(), self.cut.clone());
        self.number = Some(self.world.enlist(wants, packets, cut));
        self.world.record.note("", What::LoggedIn { user });
        if !self.world.faults.is_mute() {
            let booted = [
                ("Event", "FullyBooted".to_owned()),
                ("Privilege", "system,all".to_owned()),
                ("Status", "Fully Booted".to_owned()),
            ];
            self.send(packet(booted)).await;
        }
        After::GoOn
    }
}

/// Writes what is queued until the queue closes, the client is cut or Asterisk dies.
async fn write(
    mut writer: OwnedWriteHalf,
    mut queue: mpsc::Receiver<Arc<[u8]>>,
    cut: CancellationToken,
    life: CancellationToken,
) {
    let work = async {
        while let Some(bytes) = queue.recv().await {
            if writer.write_all(&bytes).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        biased;
        () = cut.cancelled() => {}
        () = life.cancelled() => {}
        () = work => {}
    }
}
