//! Speaks through AGI: CONTROL STREAM FILE plays, AMI's ControlPlayback pauses, resumes and stops it while AGI blocks.
//! Works on every stock Asterisk from 16 on.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::agi_line::AgiLine;
use crate::audio::Sound;
use crate::ident::ChannelId;
use crate::net::ami::Ami;
use crate::net::speaker::{ORDER_QUEUE, PlaybackId, Speaker, SpeakerEvent, SpeakerOrder};
use crate::tts::AsteriskFiles;
use crate::wire::agi::{Command, ControlStream};
use crate::wire::ami::Control;

/// A stop that comes before Asterisk has opened the file has no effect, so it is said again this often.
const STOP_AGAIN: Duration = Duration::from_millis(100);
/// How often at most.
const STOPS: u32 = 20;
/// ControlPlayback is answered within this.
const CONTROL_DEADLINE: Duration = Duration::from_secs(2);
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
    tokio::spawn(task.run(orders_rx));
    Speaker { orders, events }
}

struct Task {
    agi: AgiLine,
    ami: Ami,
    files: Arc<AsteriskFiles>,
    channel: ChannelId,
    events: mpsc::Sender<SpeakerEvent>,
}

impl Task {
    async fn run(self, mut orders: mpsc::Receiver<SpeakerOrder>) {
        let mut next = None;
        loop {
            let order = match next.take() {
                Some(order) => order,
                None => match orders.recv().await {
                    Some(order) => order,
                    None => return,
                },
            };
            if let SpeakerOrder::Play { id, sound, from_ms } = order {
                match self.play(id, &sound, from_ms, &mut orders).await {
                    Ok(following) => next = following,
                    Err(reason) => {
                        let _ = self.events.send(SpeakerEvent::Failed { id, reason }).await;
                    }
                }
            }
        }
    }

    /// Plays one sound; gives back the order that replaced it, if one did.
    async fn play(
        &self,
        id: PlaybackId,
        sound: &Sound,
        from_ms: u64,
        orders: &mut mpsc::Receiver<SpeakerOrder>,
    ) -> Result<Option<SpeakerOrder>, String> {
        let file = self.files.publish(sound).await.map_err(|e| e.to_string())?;
        let stream = ControlStream {
            file: &file,
            offset_ms: from_ms,
            ..ControlStream::default()
        };
        let command = Command::control_stream_file(&stream).map_err(|e| e.to_string())?;
        let answer = self.agi.execute(command);
        tokio::pin!(answer);
        let _ = self.events.send(SpeakerEvent::Started { id }).await;
        let mut paused = false;
        let mut stops = 0;
        let mut following = None;
        let answer = loop {
            tokio::select! {
                answer = &mut answer => break answer.map_err(|e| e.to_string())?,
                order = orders.recv(), if following.is_none() => match order {
                    // Asterisk knows one word for both: "pause" again goes on.
                    Some(SpeakerOrder::Pause) if !paused && stops == 0 => {
                        paused = true;
                        self.control(Control::Pause).await;
                    }
                    Some(SpeakerOrder::Resume) if paused && stops == 0 => {
                        paused = false;
                        self.control(Control::Pause).await;
                    }
                    Some(SpeakerOrder::Pause | SpeakerOrder::Resume) => {}
                    Some(SpeakerOrder::Stop) => {
                        stops = 1;
                        self.control(Control::Stop).await;
                    }
                    Some(play @ SpeakerOrder::Play { .. }) => {
                        following = Some(play);
                        stops = 1;
                        self.control(Control::Stop).await;
                    }
                    // The call is gone.
                    None => return Ok(None),
                },
                () = tokio::time::sleep(STOP_AGAIN), if (1..STOPS).contains(&stops) => {
                    stops += 1;
                    self.control(Control::Stop).await;
                }
            }
        };
        if answer.result().is_none_or(|result| result < 0) {
            return Err(format!("asterisk could not play {file}: {answer:?}"));
        }
        // A file heard to its end has `endpos=-1`.
        let played_ms = answer
            .endpos()
            .and_then(|end| u64::try_from(end).ok())
            .unwrap_or(sound.duration_ms());
        let whole = played_ms + WHOLE_SLACK_MS >= sound.duration_ms();
        let event = SpeakerEvent::Ended {
            id,
            played_ms,
            whole,
        };
        let _ = self.events.send(event).await;
        Ok(following)
    }

    async fn control(&self, control: Control) {
        if let Err(error) = self
            .ami
            .control_playback(&self.channel, control, CONTROL_DEADLINE)
            .await
        {
            tracing::debug!(%error, "ControlPlayback");
        }
    }
}
