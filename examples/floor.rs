//! The floor under `dial_in`: the least that a server in Rust can do with a call. One thread, a 1 KiB buffer; AGI is
//! answered with three fixed commands, audio is walked by its frame headers and thrown away. No dialog, no recognition,
//! no history: what Govorun costs above it is what these cost.
//!
//! Prints `agi ADDRESS` and serves until it is killed. Paths: `/calls` (ANSWER, STREAM FILE beep, HANGUP), `/audiosocket`
//! and `/audiofork` (ANSWER, the application with our address, HANGUP).

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let agi = TcpListener::bind("127.0.0.1:0").await?;
    let audio = TcpListener::bind("127.0.0.1:0").await?;
    let audio_at = audio.local_addr()?;
    println!("agi {}", agi.local_addr()?);
    tokio::spawn(async move {
        while let Ok((stream, _)) = audio.accept().await {
            tokio::spawn(discard(stream));
        }
    });
    while let Ok((stream, _)) = agi.accept().await {
        let _ = stream.set_nodelay(true);
        tokio::spawn(call(stream, audio_at));
    }
    Ok(())
}

async fn call(mut stream: TcpStream, audio: SocketAddr) -> Option<()> {
    let mut buffer = [0; 1024];
    let mut held = Vec::new();
    while !held.windows(2).any(|pair| pair == b"\n\n") {
        let read = stream.read(&mut buffer).await.ok().filter(|n| *n > 0)?;
        held.extend_from_slice(&buffer[..read]);
    }
    let text = String::from_utf8_lossy(&held);
    let script = text
        .lines()
        .find_map(|line| line.strip_prefix("agi_network_script: "))?;
    let second = match script {
        "audiosocket" => {
            format!("EXEC AudioSocket 00112233-4455-6677-8899-aabbccddeeff,{audio}\n")
        }
        "audiofork" => format!("EXEC AudioFork ws://{audio}/tap,D(in)\n"),
        _ => "STREAM FILE beep \"\"\n".to_owned(),
    };
    for command in ["ANSWER\n", &second, "HANGUP\n"] {
        stream.write_all(command.as_bytes()).await.ok()?;
        loop {
            let read = stream.read(&mut buffer).await.ok().filter(|n| *n > 0)?;
            let answer = String::from_utf8_lossy(&buffer[..read]);
            if answer.contains("HANGUP") || answer.starts_with("511") {
                return None;
            }
            if answer.starts_with("200") {
                break;
            }
        }
        // The fork runs beside AGI: the call lasts until the person hangs up.
        if command.starts_with("EXEC AudioFork") {
            let _ = stream.read(&mut buffer).await;
        }
    }
    Some(())
}

/// Walks AudioSocket's or WebSocket's frame headers; the payload is skipped.
async fn discard(mut stream: TcpStream) -> Option<()> {
    let mut buffer = [0; 1024];
    let mut head = [0; 14];
    let mut walk = Walk::new(shake_hands(&mut stream).await?);
    loop {
        let read = stream.read(&mut buffer).await.ok().filter(|n| *n > 0)?;
        let mut rest = &buffer[..read];
        while !rest.is_empty() {
            rest = walk.step(rest, &mut head);
        }
    }
}

/// Answers a WebSocket's handshake; tells whether it was one.
async fn shake_hands(stream: &mut TcpStream) -> Option<bool> {
    let mut first = [0; 1];
    stream.peek(&mut first).await.ok()?;
    if first != *b"G" {
        return Some(false);
    }
    let mut held = Vec::new();
    while !held.ends_with(b"\r\n\r\n") {
        held.push(stream.read_u8().await.ok()?);
    }
    let text = String::from_utf8_lossy(&held);
    let key = text
        .lines()
        .find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "))?;
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: echo\r\nSec-WebSocket-Accept: {}\r\n\r\n",
        derive_accept_key(key.trim().as_bytes())
    );
    stream.write_all(answer.as_bytes()).await.ok()?;
    Some(true)
}

/// Where in a frame the stream stands.
struct Walk {
    websocket: bool,
    /// Bytes of the header so far.
    had: usize,
    /// Bytes of the payload to come.
    skip: usize,
}

impl Walk {
    fn new(websocket: bool) -> Self {
        Self {
            websocket,
            had: 0,
            skip: 0,
        }
    }

    fn step<'a>(&mut self, bytes: &'a [u8], head: &mut [u8; 14]) -> &'a [u8] {
        if self.skip > 0 {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            return &bytes[skipped..];
        }
        head[self.had] = bytes[0];
        self.had += 1;
        let whole = if self.websocket {
            websocket_length(&head[..self.had])
        } else {
            (self.had == 3).then(|| usize::from(u16::from_be_bytes([head[1], head[2]])))
        };
        if let Some(length) = whole {
            self.skip = length;
            self.had = 0;
        }
        &bytes[1..]
    }
}

/// The payload's length and the mask's, once the header says it.
fn websocket_length(head: &[u8]) -> Option<usize> {
    let second = *head.get(1)?;
    let mask = if second & 0x80 == 0 { 0 } else { 4 };
    match second & 0x7f {
        126 => {
            let long = head.get(2..4)?;
            Some(usize::from(u16::from_be_bytes([long[0], long[1]])) + mask)
        }
        127 => {
            let long: [u8; 8] = head.get(2..10)?.try_into().ok()?;
            usize::try_from(u64::from_be_bytes(long))
                .ok()
                .map(|n| n + mask)
        }
        short => Some(usize::from(short) + mask),
    }
}
