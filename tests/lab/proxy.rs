//! A wire that can be cut, or is slow: a TCP proxy between the server and something that it needs.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// A running proxy; ends when dropped.
#[derive(Debug)]
pub struct Proxy {
    pub at: SocketAddr,
    open: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Proxy {
    /// In front of `target`, `host:port`.
    pub async fn before(target: &str) -> Self {
        Self::late(target, Duration::ZERO).await
    }

    /// The same; all that `target` sends arrives so much later.
    pub async fn late(target: &str, late: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let (open, is_open) = watch::channel(true);
        let target = target.to_owned();
        let task = tokio::spawn(async move {
            let mut wires = tokio::task::JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                let (target, mut is_open) = (target.clone(), is_open.clone());
                wires.spawn(async move {
                    if !*is_open.borrow_and_update() {
                        return;
                    }
                    let Ok(far) = TcpStream::connect(target).await else {
                        return;
                    };
                    let _ = (near.set_nodelay(true), far.set_nodelay(true));
                    tokio::select! {
                        () = carry(near, far, late) => {}
                        _ = is_open.wait_for(|open| !open) => {}
                    }
                });
            }
        });
        Self { at, open, task }
    }

    /// Every connection ends, new ones end at once.
    pub fn cut(&self) {
        self.open.send_replace(false);
    }

    /// It carries again.
    pub fn mend(&self) {
        self.open.send_replace(true);
    }
}

async fn carry(mut near: TcpStream, mut far: TcpStream, late: Duration) {
    if late.is_zero() {
        let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
        return;
    }
    let (mut near_in, mut near_out) = near.split();
    let (mut far_in, mut far_out) = far.split();
    let (come, mut due) = mpsc::unbounded_channel();
    let read = async move {
        let mut bytes = vec![0; 4_096];
        while let Ok(count @ 1..) = far_in.read(&mut bytes).await {
            let at = tokio::time::Instant::now() + late;
            let _ = come.send((at, bytes[..count].to_vec()));
        }
    };
    let write = async move {
        while let Some((at, bytes)) = due.recv().await {
            tokio::time::sleep_until(at).await;
            if near_out.write_all(&bytes).await.is_err() {
                return;
            }
        }
    };
    let there = async {
        let _ = tokio::io::copy(&mut near_in, &mut far_out).await;
    };
    // Either side's end is the other's; what is on its way still arrives.
    tokio::select! {
        _ = async { tokio::join!(read, write) } => {}
        () = there => {}
    }
}
