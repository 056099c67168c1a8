//! One call's AGI connection, on a task of its own: commands wait for each other, sounds play, the hang-up is noticed at any
//! time.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

use super::agi_speaker::AgiSpeaker;
use crate::ident::ChannelId;
use crate::net::agi::{AgiConnection, AgiError, GoneSignal};
use crate::net::ami::Ami;
use crate::net::speaker::Speaker;
use crate::tts::AsteriskFiles;
use crate::wire::agi::{Answer, Command};

/// Commands that may wait.
const JOBS: usize = 8;

/// In boxes: a queue has room for many from its start, and few ever wait.
enum Job {
    Execute(Box<(Command, oneshot::Sender<Result<Answer, AgiError>>)>),
    Speak(Box<AgiSpeaker>),
}

/// A handle; the connection closes (and Asterisk goes on in its dialplan) when the last one is dropped.
#[derive(Clone, Debug)]
pub(super) struct AgiLine {
    jobs: mpsc::Sender<Job>,
    gone: GoneSignal,
    task: AbortHandle,
}

impl AgiLine {
    /// Takes the connection over.
    pub(super) fn start(connection: AgiConnection) -> Self {
        let (jobs, queue) = mpsc::channel(JOBS);
        let gone = connection.gone_signal();
        let task = tokio::spawn(serve(connection, queue)).abort_handle();
        Self { jobs, gone, task }
    }

    /// Sends a command when those before it are answered, and waits for its answer.
    pub(super) async fn execute(&self, command: Command) -> Result<Answer, AgiError> {
        let (sender, receiver) = oneshot::channel();
        self.jobs
            .send(Job::Execute(Box::new((command, sender))))
            .await
            .map_err(|_| AgiError::Closed)?;
        receiver.await.unwrap_or(Err(AgiError::Closed))
    }

    /// A speaker whose sounds Asterisk plays from files, between the commands.
    pub(super) async fn speaker(
        &self,
        ami: Ami,
        files: Arc<AsteriskFiles>,
        channel: ChannelId,
    ) -> Speaker {
        let (speaking, speaker) = AgiSpeaker::new(ami, files, channel);
        // A line that is closed drops it: the speaker is gone then, as its closed events tell.
        let _ = self.jobs.send(Job::Speak(Box::new(speaking))).await;
        speaker
    }

    /// Closes the connection. A channel that was hung up is gone only then: Asterisk waits for its AGI server.
    pub(super) fn close(&self) {
        self.task.abort();
    }

    /// Tells of the call's end.
    pub(super) fn gone(&self) -> GoneSignal {
        self.gone.clone()
    }
}

/// Until the last handle is dropped.
async fn serve(mut connection: AgiConnection, mut jobs: mpsc::Receiver<Job>) {
    let mut alive = true;
    let mut speaking: Option<Box<AgiSpeaker>> = None;
    loop {
        tokio::select! {
            biased;
            job = jobs.recv() => match job {
                Some(Job::Execute(job)) => {
                    let (command, answer) = *job;
                    let _ = answer.send(connection.execute(command).await);
                }
                Some(Job::Speak(speaker)) => speaking = Some(speaker),
                None => return,
            },
            due = is_due(&mut speaking) => match &mut speaking {
                Some(speaker) if due => speaker.step(&mut connection).await,
                _ => speaking = None,
            },
            // Once it is told, the signal has it; commands may still be asked on a dead channel.
            _ = connection.until_gone(), if alive => alive = false,
        }
    }
}

/// Waits until the speaker has something to do; `false`: nobody speaks through it any more. Cancel-safe.
async fn is_due(speaking: &mut Option<Box<AgiSpeaker>>) -> bool {
    match speaking {
        Some(speaker) => speaker.due().await.is_some(),
        None => std::future::pending().await,
    }
}
