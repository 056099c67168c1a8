//! Slow, silent, many: what a server must survive.

use std::time::Instant;

use super::*;

fn short() -> Limits {
    Limits {
        headers: Duration::from_millis(300),
        body: Duration::from_millis(300),
        ..Limits::default()
    }
}

#[tokio::test]
async fn slow_bodies_and_headers_are_dropped() {
    let server = start_with(keys(), |state| state.with_limits(short())).await;
    let began = Instant::now();
    let slow = format!(
        "POST /api/v1/calls HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{TOKEN}Content-Length: 100\r\n\r\n{{"
    );
    assert_eq!(server.raw(slow).await.refusal(), "408 too_slow -");
    // Half a header, and then nothing: the connection is closed without a word.
    assert_eq!(server.raw("GET /healthz HTTP/1.1\r\nHost").await.status, 0);
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(server.changes().await, 0);
}

#[tokio::test]
async fn a_chunked_body_is_bounded_too() {
    let server = start().await;
    let mut request = format!("POST /api/v1/calls HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{TOKEN}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
    for _ in 0..17 {
        request.extend_from_slice(b"10000\r\n");
        request.extend(std::iter::repeat_n(b' ', 0x10000));
        request.extend_from_slice(b"\r\n");
    }
    assert_eq!(server.raw(request).await.refusal(), "413 too_large -");
}

#[tokio::test]
async fn a_declared_size_is_enough_to_refuse() {
    let server = start().await;
    let request = format!(
        "POST /api/v1/calls HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{TOKEN}Content-Length: 99999999\r\n\r\n"
    );
    assert_eq!(server.raw(request).await.refusal(), "413 too_large -");
}

/// A thousand, or as many as this process may have open: both ends are ours.
fn many() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let open = limits.lines().find_map(|line| {
        line.strip_prefix("Max open files")?
            .split_whitespace()
            .next()?
            .parse::<usize>()
            .ok()
    });
    open.map_or(200, |open| (open.saturating_sub(200) / 2).min(1000))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_idle_connections_keep_nobody_out() {
    let server = start().await;
    let mut idle = Vec::new();
    for _ in 0..many() {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream
            .write_all(b"GET /healthz HTTP/1.1\r\nHost")
            .await
            .unwrap();
        idle.push(stream);
    }
    assert_eq!(server.order(&order("1")).await.status, 201);
    // And each of them is a working connection still.
    for stream in &mut idle {
        stream
            .write_all(b": x\r\nConnection: close\r\n\r\n")
            .await
            .unwrap();
    }
    for mut stream in idle {
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    }
}

#[tokio::test]
async fn a_connection_serves_many_requests_and_is_closed_when_idle() {
    let server = start_with(keys(), |state| state.with_limits(short())).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let request = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    stream.write_all(request).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut text = String::new();
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read_to_string(&mut text)).await;
    read.expect("closed for its silence").unwrap();
    assert_eq!(text.matches("HTTP/1.1 200").count(), 2, "{text}");
}

#[tokio::test]
async fn beyond_the_bound_connections_wait_their_turn() {
    let server = start_with(keys(), |state| {
        state.with_limits(Limits {
            connections: 2,
            ..short()
        })
    })
    .await;
    let mut idle = Vec::new();
    for _ in 0..4 {
        idle.push(TcpStream::connect(server.address).await.unwrap());
    }
    // The idle ones are dropped for their silence, and then it is our turn.
    assert_eq!(server.ask("GET", "/healthz", "", "").await.status, 200);
}

#[tokio::test]
async fn a_stop_ends_long_polls_and_the_server() {
    let server = Arc::new(start().await);
    let poll = {
        let server = Arc::clone(&server);
        tokio::spawn(async move { server.get("/api/v1/changes?wait=60").await })
    };
    tokio::time::sleep(Duration::from_millis(50)).await;
    let began = Instant::now();
    server.stop.cancel();
    assert_eq!(poll.await.unwrap().status, 200);
    while !server.task.is_finished() {
        assert!(began.elapsed() < Duration::from_secs(3));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
