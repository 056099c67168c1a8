//! Speaks through AGI: CONTROL STREAM FILE plays, AMI's ControlPlayback stops it while AGI blocks. Works on every stock
//! Asterisk from 16 on.
//!
//! ```text
//! Play ─► CONTROL STREAM FILE from 0 ── its end (endpos -1) ─────────────────────────────────► Ended, whole
//! Pause ─► ControlPlayback stop, again and again until AGI answers: endpos 2980 ─► held there
//! Resume ─► CONTROL STREAM FILE from 2980 ...
//! Stop ─► as Pause ──────────────────────────────────────────────────────────────────────────► Ended, played = endpos
//! ```
//!
//! A pause is a stop and a new start, as it is inside Asterisk too. Asterisk's own `pause` can't be used: it answers Success
//! and does nothing where the file isn't opened yet (AGI reads the channel between its commands and throws the order
//! away), and said twice it goes on; so nobody can know whether the prompt holds. A stop that is lost is said again, and
//! AGI's answer tells that it was taken, and where. One that comes too late and hits the next file is made good: what
//! nobody wanted to be stopped goes on from there.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::agi_line::AgiLine;
use crate::audio::Sound;
use crate::ident::ChannelId;
use crate::net::ami::Ami;
use crate::net::speaker::{ORDER_QUEUE, PlaybackId, Speaker, SpeakerEvent, SpeakerOrder};
use crate::tts::AsteriskFiles;
use crate::wire::agi::{Command, ControlStream};
use crate::wire::ami::Control;

#[cfg(test)]
mod tests;

/// A stop that Asterisk has not taken is said again this often.
const STOP_AGAIN: Duration = Duration::from_millis(100);
/// So many times; then Asterisk is very late, and it is said at a [`LATE_STOP_AGAIN`].
const STOPS: u32 = 20;
/// How often from then on.
const LATE_STOP_AGAIN: Duration = Duration::from_secs(1);
/// ControlPlayback is answered within this.
const CONTROL_DEADLINE: Duration = Duration::from_secs(2);
/// How often a sound goes on after a stop that nobody wants (any more), before something is very wrong.
const MOST_UNWANTED: u32 = 50;
/// A playback that ends within this of its sound's end was heard whole.
const WHOLE_SLACK_MS: u64 = 60;

/// Starts the speaker's task; it ends when the [`Speaker`] is dropped.
pub(super) fn start(
    agi: AgiLine,
    ami: Ami,
    files: Arc<AsteriskFiles>,
    channel: ChannelId,
) -> Speaker {
    let (orders, orders_rx) = mpsc::channel(ORDER_QUEUE);
    let (events_tx, events) = mpsc::channel(ORDER_QUEUE);
    let task = Task {
        agi,
        ami,
        files,
        channel,
        events: events_tx,
    };
    tokio::spawn(task.run(Wishes {
        orders: orders_rx,
        wish: Wish::Play,
        following: None,
    }));
    Speaker { orders, events }
}

/// What the call wants of the sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Play,
    Hold,
    End,
}

/// The call's orders, and what they come to.
struct Wishes {
    orders: mpsc::Receiver<SpeakerOrder>,
    wish: Wish,
    /// The `Play` that replaces this sound: nothing is read past it.
    following: Option<SpeakerOrder>,
}

impl Wishes {
    /// Takes the next order in; `None`: the call is gone. Cancel-safe.
    async fn next(&mut self) -> Option<()> {
        if self.following.is_some() {
            return std::future::pending().await;
        }
        match self.orders.recv().await? {
            SpeakerOrder::Pause if self.wish == Wish::Play => self.wish = Wish::Hold,
            SpeakerOrder::Resume if self.wish == Wish::Hold => self.wish = Wish::Play,
            SpeakerOrder::Pause | SpeakerOrder::Resume => {}
            SpeakerOrder::Stop => self.wish = Wish::End,
            play @ SpeakerOrder::Play { .. } => {
                self.wish = Wish::End;
                self.following = Some(play);
            }
        }
        Some(())
    }
}

struct Task {
    agi: AgiLine,
    ami: Ami,
    files: Arc<AsteriskFiles>,
    channel: ChannelId,
    events: mpsc::Sender<SpeakerEvent>,
}

/// How one CONTROL STREAM FILE ended.
enum Streamed {
    /// With the file.
    Whole,
    /// So many milliseconds from the file's start.
    Stopped(u64),
    /// The call is gone.
    Gone,
}

impl Task {
    async fn run(self, mut wishes: Wishes) {
        loop {
            let order = match wishes.following.take() {
                Some(order) => order,
                None => match wishes.orders.recv().await {
                    Some(order) => order,
                    None => return,
                },
            };
            if let SpeakerOrder::Play { id, sound, from_ms } = order {
                wishes.wish = Wish::Play;
                let event = match self.play(id, &sound, from_ms, &mut wishes).await {
                    Ok(Some(played_ms)) => SpeakerEvent::Ended {
                        id,
                        played_ms,
                        whole: played_ms + WHOLE_SLACK_MS >= sound.duration_ms(),
                    },
                    Ok(None) => return,
                    Err(reason) => SpeakerEvent::Failed { id, reason },
                };
                let _ = self.events.send(event).await;
            }
        }
    }

    /// Plays one sound to its end, or to the order that ends it; how much of it was heard. `None`: the call is gone.
    async fn play(
        &self,
        id: PlaybackId,
        sound: &Sound,
        from_ms: u64,
        wishes: &mut Wishes,
    ) -> Result<Option<u64>, String> {
        let file = self.files.publish(sound).await.map_err(|e| e.to_string())?;
        let _ = self.events.send(SpeakerEvent::Started { id }).await;
        let mut at_ms = from_ms;
        let mut unwanted = 0;
        loop {
            match self.stream(&file, at_ms, wishes).await? {
                Streamed::Whole => return Ok(Some(sound.duration_ms())),
                Streamed::Stopped(ms) => at_ms = ms,
                Streamed::Gone => return Ok(None),
            }
            if wishes.wish == Wish::Play {
                unwanted += 1;
                if unwanted == MOST_UNWANTED {
                    return Err(format!("asterisk stops {file} though nobody asks it to"));
                }
            }
            while wishes.wish == Wish::Hold {
                if wishes.next().await.is_none() {
                    return Ok(None);
                }
            }
            if wishes.wish == Wish::End {
                return Ok(Some(at_ms));
            }
        }
    }

    /// One CONTROL STREAM FILE from there on. It is stopped as soon as it is not to play.
    async fn stream(
        &self,
        file: &str,
        from_ms: u64,
        wishes: &mut Wishes,
    ) -> Result<Streamed, String> {
        let stream = ControlStream {
            file,
            offset_ms: from_ms,
            ..ControlStream::default()
        };
        let command = Command::control_stream_file(&stream).map_err(|e| e.to_string())?;
        let answer = self.agi.execute(command);
        tokio::pin!(answer);
        let mut stops = 0;
        let mut stop_at: Option<Instant> = None;
        let answer = loop {
            tokio::select! {
                biased;
                answer = &mut answer => break answer.map_err(|e| e.to_string())?,
                taken = wishes.next() => {
                    if taken.is_none() {
                        return Ok(Streamed::Gone);
                    }
                    stop_at = (wishes.wish != Wish::Play).then(|| stop_at.unwrap_or_else(Instant::now));
                }
                () = until(stop_at) => {
                    tokio::select! {
                        biased;
                        answer = &mut answer => break answer.map_err(|e| e.to_string())?,
                        () = self.stop() => {}
                    }
                    stops += 1;
                    let again = if stops < STOPS { STOP_AGAIN } else { LATE_STOP_AGAIN };
                    stop_at = Some(Instant::now() + again);
                }
            }
        };
        if answer.result().is_none_or(|result| result < 0) {
            return Err(format!("asterisk could not play {file}: {answer:?}"));
        }
        // A file heard to its end has `endpos=-1`.
        let stopped = answer.endpos().and_then(|end| u64::try_from(end).ok());
        Ok(stopped.map_or(Streamed::Whole, Streamed::Stopped))
    }

    async fn stop(&self) {
        let (ami, channel) = (&self.ami, &self.channel);
        let stop = ami.control_playback(channel, Control::Stop, CONTROL_DEADLINE);
        if let Err(error) = stop.await {
            tracing::debug!(%error, "ControlPlayback");
        }
    }
}

/// Waits until that moment, if there is one.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
