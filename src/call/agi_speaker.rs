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

use crate::audio::Sound;
use crate::ident::ChannelId;
use crate::net::agi::AgiConnection;
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

/// What the call wants of the sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Play,
    Hold,
    End,
}

/// The sound at hand.
#[derive(Debug)]
struct Playing {
    id: PlaybackId,
    sound: Sound,
    /// As Asterisk sees it, once it was made sure that it does.
    file: Option<String>,
    at_ms: u64,
    /// How often Asterisk stopped it though it was to play.
    unwanted: u32,
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

/// What plays, and what is wanted of it. Whoever has the AGI connection makes its steps.
#[derive(Debug)]
pub(super) struct AgiSpeaker {
    ami: Ami,
    files: Arc<AsteriskFiles>,
    channel: ChannelId,
    orders: mpsc::Receiver<SpeakerOrder>,
    events: mpsc::Sender<SpeakerEvent>,
    wish: Wish,
    playing: Option<Playing>,
    /// The `Play` that replaces the sound at hand: nothing is read past it.
    following: Option<SpeakerOrder>,
}

impl AgiSpeaker {
    /// It, and what its call holds of it.
    pub(super) fn new(ami: Ami, files: Arc<AsteriskFiles>, channel: ChannelId) -> (Self, Speaker) {
        let (orders, orders_rx) = mpsc::channel(ORDER_QUEUE);
        let (events_tx, events) = mpsc::channel(ORDER_QUEUE);
        let speaking = Self {
            ami,
            files,
            channel,
            orders: orders_rx,
            events: events_tx,
            wish: Wish::Play,
            playing: None,
            following: None,
        };
        (speaking, Speaker { orders, events })
    }

    /// Waits until there is a step to make; `None`: the call is gone. Cancel-safe.
    pub(super) async fn due(&mut self) -> Option<()> {
        loop {
            match (&self.playing, self.wish) {
                (Some(_), Wish::Play | Wish::End) => return Some(()),
                (Some(_), Wish::Hold) => self.take_order().await?,
                (None, _) => {
                    let order = match self.following.take() {
                        Some(order) => order,
                        None => self.orders.recv().await?,
                    };
                    if let SpeakerOrder::Play { id, sound, from_ms } = order {
                        self.wish = Wish::Play;
                        self.playing = Some(Playing {
                            id,
                            sound,
                            file: None,
                            at_ms: from_ms,
                            unwanted: 0,
                        });
                    }
                }
            }
        }
    }

    /// Plays the sound at hand until it ends or is not to play.
    pub(super) async fn step(&mut self, agi: &mut AgiConnection) {
        let Some(mut playing) = self.playing.take() else {
            return;
        };
        let event = match self.go_on(agi, &mut playing).await {
            Ok(Some(played_ms)) => SpeakerEvent::Ended {
                id: playing.id,
                played_ms,
                whole: played_ms + WHOLE_SLACK_MS >= playing.sound.duration_ms(),
            },
            Ok(None) => {
                self.playing = Some(playing);
                return;
            }
            Err(reason) => SpeakerEvent::Failed {
                id: playing.id,
                reason,
            },
        };
        let _ = self.events.send(event).await;
    }

    /// How much of it was heard when it ended; `None`: it is to be looked at again.
    async fn go_on(
        &mut self,
        agi: &mut AgiConnection,
        playing: &mut Playing,
    ) -> Result<Option<u64>, String> {
        if self.wish == Wish::End {
            return Ok(Some(playing.at_ms));
        }
        let file = match &playing.file {
            Some(file) => file,
            None => {
                let published = self.files.publish(&playing.sound).await;
                let file = playing.file.insert(published.map_err(|e| e.to_string())?);
                let started = SpeakerEvent::Started { id: playing.id };
                let _ = self.events.send(started).await;
                file
            }
        };
        match self.stream(agi, file, playing.at_ms).await? {
            Streamed::Whole => return Ok(Some(playing.sound.duration_ms())),
            Streamed::Stopped(ms) => playing.at_ms = ms,
            Streamed::Gone => return Ok(Some(playing.at_ms)),
        }
        if self.wish == Wish::Play {
            playing.unwanted += 1;
            if playing.unwanted == MOST_UNWANTED {
                return Err(format!("asterisk stops {file} though nobody asks it to"));
            }
        }
        Ok(None)
    }

    /// One CONTROL STREAM FILE from there on. It is stopped as soon as it is not to play.
    async fn stream(
        &mut self,
        agi: &mut AgiConnection,
        file: &str,
        from_ms: u64,
    ) -> Result<Streamed, String> {
        let stream = ControlStream {
            file,
            offset_ms: from_ms,
            ..ControlStream::default()
        };
        let command = Command::control_stream_file(&stream).map_err(|e| e.to_string())?;
        let answer = agi.execute(command);
        tokio::pin!(answer);
        let mut stops = 0;
        let mut stop_at: Option<Instant> = None;
        let answer = loop {
            tokio::select! {
                biased;
                answer = &mut answer => break answer.map_err(|e| e.to_string())?,
                taken = self.take_order() => {
                    if taken.is_none() {
                        return Ok(Streamed::Gone);
                    }
                    stop_at = (self.wish != Wish::Play).then(|| stop_at.unwrap_or_else(Instant::now));
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

    /// Takes in the next order for the sound at hand; `None`: the call is gone. Cancel-safe.
    async fn take_order(&mut self) -> Option<()> {
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
