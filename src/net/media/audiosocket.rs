//! AudioSocket streams: taps that only hear, and the dialplan application that also speaks.
//!
//! TCP gives bytes, not frames: messages are cut out of a buffer however reads were cut or joined.

use std::io::{self, Read};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::net::tcp::WriteHalf;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::hub::{Paired, Refusal, Shared};
use super::link::{Ear, LinkEnd, LinkTask, Mouth};
use super::pacer::Pacer;
use crate::audio::Frame;
use crate::config::MediaKind;
use crate::ident::Token;
use crate::net::speaker::SpeakerOrder;
use crate::wire::audiosocket::{
    AUDIO_MESSAGE, HANGUP, HEADER, MAX_PAYLOAD, Message, decode, encode,
};

/// Holds the longest message, and about 250 ms of what came while we were busy.
const READ_BUFFER: usize = 4_096;
const _: () = assert!(READ_BUFFER >= HEADER + MAX_PAYLOAD);
/// A tap is looked at this often instead of being woken by each 20 ms of every call: that is what most of a heard second's
/// cost was. Nobody waits for these moments: an utterance ends by the audio's own time, a recognizer gets 100 ms at once.
const PACE: Duration = Duration::from_millis(40);
/// Reads in one look: a stream that never runs dry must not hold the others up.
const MOST_READS: usize = 8;
/// Audio that Asterisk doesn't take for this long means that it is stuck: 1 s.
const MAX_UNSENT: usize = 50 * AUDIO_MESSAGE;
/// While nothing plays a frame of silence goes out this often: the application ends after 2 s in which neither side sent
/// audio (app_audiosocket.c, `MAX_WAIT_TIMEOUT_MSEC`), and telephones with silence suppression send none.
const IDLE_FRAME: Duration = Duration::from_millis(500);
/// How long the hang-up may take to go out.
const PARTING: Duration = Duration::from_secs(1);

/// A connection that told a token which was expected.
pub(super) struct Stream {
    stream: TcpStream,
    buffer: Buffer,
    paired: Paired,
    task: LinkTask,
}

/// Bytes that were read and not used.
struct Buffer {
    bytes: Box<[u8; READ_BUFFER]>,
    filled: usize,
}

/// Reads the UUID and claims its expectation.
pub(super) async fn meet(
    shared: &Shared,
    mut stream: TcpStream,
    peer: SocketAddr,
) -> Result<Stream, Refusal> {
    let mut buffer = Buffer {
        bytes: Box::new([0; READ_BUFFER]),
        filled: 0,
    };
    let token = loop {
        let found =
            decode(&buffer.bytes[..buffer.filled]).map_err(|e| Refusal::Garbage(e.to_string()))?;
        if let Some((message, used)) = found {
            let Message::Uuid(uuid) = message else {
                return Err(Refusal::Garbage("its first message is no UUID".to_owned()));
            };
            buffer.bytes.copy_within(used..buffer.filled, 0);
            buffer.filled -= used;
            break Token::from_bytes(uuid);
        }
        match stream.read(&mut buffer.bytes[buffer.filled..]).await {
            Ok(0) | Err(_) => return Err(Refusal::Closed),
            Ok(count) => buffer.filled += count,
        }
    };
    let kinds = [MediaKind::AudiosocketTap, MediaKind::Audiosocket];
    let (paired, task) = shared.claim(&token, &kinds)?.pair(shared, peer);
    Ok(Stream {
        stream,
        buffer,
        paired,
        task,
    })
}

impl Stream {
    /// Carries audio until either side ends it.
    pub(super) async fn run(self, shared: &Shared) {
        let Self {
            mut stream,
            mut buffer,
            paired,
            mut task,
        } = self;
        paired.deliver(shared);
        // What came together with the UUID is audio already, and no further read may ever come.
        let early = buffer.hear(&mut task.ear);
        let (end, stream) = match (early, task.mouth.take()) {
            (Some(end), _) => (end, Ok(stream)),
            (None, None) => listen(stream, &mut buffer, &mut task).await,
            (None, Some(mouth)) => {
                let end = converse(&mut stream, &mut buffer, &mut task, mouth).await;
                (end, Ok(stream))
            }
        };
        if end == LinkEnd::ByUs
            && let Ok(mut stream) = stream
        {
            part(&mut stream).await;
        }
        task.end(end);
    }
}

/// Hangs up and gives the other side a moment to take it: a close with unread audio would be a reset.
async fn part(stream: &mut TcpStream) {
    use tokio::io::AsyncWriteExt;
    let goodbye = async {
        stream.write_all(&HANGUP).await?;
        stream.shutdown().await?;
        let mut rest = [0; 1_024];
        while stream.read(&mut rest).await? > 0 {}
        io::Result::Ok(())
    };
    // Either way the connection is dropped next.
    let _ = tokio::time::timeout(PARTING, goodbye).await;
}

/// Reads a tap at its pace. The socket is taken out of the runtime's watch meanwhile: it would wake us at each frame.
async fn listen(
    stream: TcpStream,
    buffer: &mut Buffer,
    task: &mut LinkTask,
) -> (LinkEnd, io::Result<TcpStream>) {
    let stream = match stream.into_std() {
        Ok(stream) => stream,
        Err(error) => return (LinkEnd::Broken(error.to_string()), Err(error)),
    };
    let stop = task.stop.clone();
    let stopped = stop.cancelled();
    tokio::pin!(stopped);
    let mut look = interval(PACE);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let end = loop {
        tokio::select! {
            biased;
            () = &mut stopped => break LinkEnd::ByUs,
            _ = look.tick() => {}
        }
        if let Some(end) = look_at(&stream, buffer, &mut task.ear) {
            break end;
        }
    };
    (end, TcpStream::from_std(stream))
}

/// Takes what has come; gives the stream's end, if it is there.
fn look_at(
    mut stream: &std::net::TcpStream,
    buffer: &mut Buffer,
    ear: &mut Ear,
) -> Option<LinkEnd> {
    for _ in 0..MOST_READS {
        let room = READ_BUFFER - buffer.filled;
        let read = stream.read(&mut buffer.bytes[buffer.filled..]);
        if let Err(error) = &read {
            match error.kind() {
                io::ErrorKind::WouldBlock => return None,
                io::ErrorKind::Interrupted => continue,
                _ => {}
            }
        }
        // Less than there was room for: that was all.
        let all = read.as_ref().is_ok_and(|count| *count < room);
        let end = buffer.take(read, ear);
        if end.is_some() || all {
            return end;
        }
    }
    None
}

async fn converse(
    stream: &mut TcpStream,
    buffer: &mut Buffer,
    task: &mut LinkTask,
    mut mouth: Mouth,
) -> LinkEnd {
    let stop = task.stop.clone();
    let stopped = stop.cancelled();
    tokio::pin!(stopped);
    let (mut reader, mut writer) = stream.split();
    let mut pacer = Pacer::default();
    let mut unsent = Vec::new();
    let mut sent_at = Instant::now();
    loop {
        let idle = sent_at + IDLE_FRAME;
        let due = pacer.due_ms().map_or(idle, |ms| mouth.at(ms));
        tokio::select! {
            biased;
            () = &mut stopped => return LinkEnd::ByUs,
            () = sleep_until(due) => {}
            read = reader.read(&mut buffer.bytes[buffer.filled..]) => {
                if let Some(end) = buffer.take(read, &mut task.ear) {
                    return end;
                }
            }
            order = mouth.order() => obey(&mut pacer, &mouth, order),
            ready = writer.writable(), if !unsent.is_empty() => {
                if let Err(error) = ready {
                    return LinkEnd::Broken(error.to_string());
                }
            }
        }
        let mut sends = false;
        pacer.play(
            mouth.now_ms(),
            |frame| {
                sends = true;
                speak(frame, &mut unsent);
            },
            |event| mouth.tell(event),
        );
        let now = Instant::now();
        if !sends && pacer.due_ms().is_none() && now >= idle {
            sends = true;
            speak(&Frame::SILENCE, &mut unsent);
        }
        if sends {
            sent_at = now;
        }
        if let Err(error) = flush(&mut writer, &mut unsent) {
            return LinkEnd::Broken(error.to_string());
        }
    }
}

fn obey(pacer: &mut Pacer, mouth: &Mouth, order: SpeakerOrder) {
    pacer.order(mouth.now_ms(), order, |event| mouth.tell(event));
}

fn speak(frame: &Frame, unsent: &mut Vec<u8>) {
    let samples = &frame.to_le_bytes();
    encode(
        Message::Audio {
            rate: 8_000,
            samples,
        },
        unsent,
    );
}

/// Sends what the socket takes without waiting.
fn flush(writer: &mut WriteHalf<'_>, unsent: &mut Vec<u8>) -> io::Result<()> {
    let mut sent = 0;
    while sent < unsent.len() {
        match writer.try_write(&unsent[sent..]) {
            Ok(count) => sent += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    unsent.drain(..sent);
    if unsent.len() > MAX_UNSENT {
        return Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "Asterisk has not taken our audio for 1 s",
        ));
    }
    Ok(())
}

impl Buffer {
    /// Takes what a read brought; gives the end of the stream, if it is that.
    fn take(&mut self, read: io::Result<usize>, ear: &mut Ear) -> Option<LinkEnd> {
        match read {
            Ok(0) => return Some(LinkEnd::Closed),
            Ok(count) => self.filled += count,
            Err(error) => return Some(LinkEnd::Broken(error.to_string())),
        }
        self.hear(ear)
    }

    /// Takes all whole messages that are there.
    fn hear(&mut self, ear: &mut Ear) -> Option<LinkEnd> {
        let mut used = 0;
        let end = loop {
            match decode(&self.bytes[used..self.filled]) {
                Ok(None) => break None,
                Ok(Some((message, length))) => {
                    if let Some(end) = hear(message, ear) {
                        break Some(end);
                    }
                    used += length;
                }
                Err(error) => break Some(LinkEnd::Broken(error.to_string())),
            }
        };
        // Nearly always everything was used.
        if used < self.filled && used > 0 {
            self.bytes.copy_within(used..self.filled, 0);
        }
        self.filled -= used;
        end
    }
}

fn hear(message: Message<'_>, ear: &mut Ear) -> Option<LinkEnd> {
    match message {
        Message::Audio {
            rate: 8_000,
            samples,
        } => ear.hear_le(samples),
        Message::Audio {
            rate: 16_000,
            samples,
        } => {
            let pairs = samples.chunks_exact(2);
            ear.hear_wide(pairs.map(|p| i16::from_le_bytes([p[0], p[1]])));
        }
        Message::Audio { rate, .. } => {
            return Some(LinkEnd::Broken(format!(
                "audio at {rate} samples a second: dial AudioSocket with /c(slin)"
            )));
        }
        Message::Hangup => return Some(LinkEnd::HungUp),
        Message::Error(code) => {
            return Some(LinkEnd::Broken(format!("Asterisk tells error {code:02x?}")));
        }
        // Digits come from AMI, whatever the medium; a second UUID changes nothing.
        Message::Dtmf(_) | Message::Uuid(_) => {}
    }
    None
}
