//! The listening side: connections bounded in number, in the time their headers may take, and in the size of these.

use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::routes::router;
use super::{HttpState, OpenToAll, auth};

/// Bounds of connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once; more wait in the system's queue.
    pub connections: usize,
    /// For a request's headers, and between two requests.
    pub headers: Duration,
    /// For a request's body.
    pub body: Duration,
    /// For what is going on when the server stops.
    pub farewell: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 2048,
            headers: Duration::from_secs(15),
            body: Duration::from_secs(30),
            farewell: Duration::from_secs(5),
        }
    }
}

/// Most bytes of a request's headers.
const MAX_HEADERS_BYTES: usize = 64 * 1024;
/// Most headers of a request.
const MAX_HEADERS: usize = 64;
/// Pause after a failed accept (out of file descriptors, as a rule).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stop`, then lets what is going on end within [`Limits::farewell`].
///
/// # Errors
/// [`OpenToAll`] where there is neither a token nor a user and `listener` isn't on a loopback address.
pub async fn serve(
    listener: TcpListener,
    state: HttpState,
    stop: CancellationToken,
) -> Result<(), OpenToAll> {
    if let Ok(address) = listener.local_addr() {
        auth::check_open(state.http(), address)?;
    }
    let limits = state.limits().clone();
    let service = router(state.with_stop(stop.clone()));
    let room = Arc::new(Semaphore::new(limits.connections));
    let tasks = TaskTracker::new();
    loop {
        let next = async {
            let place = Arc::clone(&room).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            next = next => next,
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok((stream, _)) => {
                let (service, limits, stop) = (service.clone(), limits.clone(), stop.clone());
                tasks.spawn(async move {
                    connection(stream, service, &limits, &stop).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection couldn't be taken");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    tasks.close();
    if tokio::time::timeout(limits.farewell, tasks.wait())
        .await
        .is_err()
    {
        tracing::warn!(
            open = tasks.len(),
            "connections were still open when the server stopped"
        );
    }
    Ok(())
}

async fn connection(
    stream: TcpStream,
    service: axum::Router,
    limits: &Limits,
    stop: &CancellationToken,
) {
    // Small answers go out at once.
    let _ = stream.set_nodelay(true);
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.headers)
        .max_buf_size(MAX_HEADERS_BYTES)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    let mut serving = std::pin::pin!(serving);
    let ended: Result<_, hyper::Error> = tokio::select! {
        ended = serving.as_mut() => ended,
        () = stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            // Bounded by the server's farewell: the process ends after it.
            tokio::time::timeout(limits.farewell, serving).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke");
    }
}
