//! A wire that can be cut: a TCP proxy between the server and something that it needs.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
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
                    let Ok(mut far) = TcpStream::connect(target).await else {
                        return;
                    };
                    let mut near = near;
                    let _ = (near.set_nodelay(true), far.set_nodelay(true));
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
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
