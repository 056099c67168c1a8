//! 1C's own HTTP service that is told of ends: it goes away for moments, answers 500 or nothing at random, and keeps what
//! it was told.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::town::Dice;

/// Key of the signatures; that they are right is `http::callbacks`' own matter.
pub const SECRET: &str = "chaos-secret-of-1c";

/// One delivery that reached us whole.
#[derive(Clone, Debug)]
pub struct Told {
    pub delivery: String,
    pub signed: bool,
    pub body: Value,
    /// We said 200 (and it may have been lost on its way back).
    pub taken: bool,
}

#[derive(Debug)]
pub struct Receiver {
    pub address: SocketAddr,
    told: Arc<Mutex<Vec<Told>>>,
    _task: AbortOnDropHandle<()>,
}

impl Receiver {
    /// `calm` ends its absences and refusals.
    pub async fn start(dice: Dice, calm: CancellationToken) -> Self {
        let mut listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let told: Arc<Mutex<Vec<Told>>> = Arc::default();
        let kept = Arc::clone(&told);
        let task = tokio::spawn(async move {
            loop {
                let up = Duration::from_millis(dice.between(1_000, 6_000));
                let mut talks = JoinSet::new();
                let serving = async {
                    while let Ok((socket, _)) = listener.accept().await {
                        while talks.try_join_next().is_some() {}
                        let (dice, kept, calm) = (dice.clone(), Arc::clone(&kept), calm.clone());
                        talks.spawn(serve(socket, dice, kept, calm));
                    }
                };
                tokio::select! {
                    () = serving => return,
                    () = tokio::time::sleep(up), if !calm.is_cancelled() => {}
                }
                // Away, with all that was going on.
                drop((listener, talks));
                tokio::time::sleep(Duration::from_millis(dice.between(100, 1_500))).await;
                listener = TcpListener::bind(address).await.unwrap();
            }
        });
        Self {
            address,
            told,
            _task: AbortOnDropHandle::new(task),
        }
    }

    pub fn told(&self) -> Vec<Told> {
        self.told.lock().unwrap().clone()
    }
}

async fn serve(
    mut socket: TcpStream,
    dice: Dice,
    kept: Arc<Mutex<Vec<Told>>>,
    calm: CancellationToken,
) {
    let mut got = Vec::new();
    loop {
        // One request after another on one connection, as HTTP clients do.
        let Some(end) = got.windows(4).position(|w| w == b"\r\n\r\n") else {
            let mut piece = [0; 8192];
            match socket.read(&mut piece).await {
                Ok(count @ 1..) => got.extend_from_slice(&piece[..count]),
                _ => return,
            }
            continue;
        };
        let head = String::from_utf8_lossy(&got[..end]).to_lowercase();
        let header = |name: &str| {
            let line = head.lines().find_map(|line| line.strip_prefix(name));
            line.map(|value| value.trim_start_matches(':').trim().to_owned())
        };
        let length: usize = header("content-length").unwrap().parse().unwrap();
        while got.len() < end + 4 + length {
            let mut piece = [0; 8192];
            match socket.read(&mut piece).await {
                Ok(count @ 1..) => got.extend_from_slice(&piece[..count]),
                _ => return,
            }
        }
        let roll = if calm.is_cancelled() {
            99
        } else {
            dice.below(100)
        };
        let body: Vec<u8> = got.drain(..end + 4 + length).skip(end + 4).collect();
        kept.lock().unwrap().push(Told {
            delivery: header("x-govorun-delivery").unwrap(),
            signed: header("x-govorun-signature").is_some_and(|s| s.starts_with("sha256=")),
            body: serde_json::from_slice(&body).unwrap(),
            taken: roll >= 12,
        });
        let answer: &[u8] = match roll {
            // Nothing at all.
            0..4 => return,
            4..12 => b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n",
            _ => b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        };
        if socket.write_all(answer).await.is_err() {
            return;
        }
    }
}
