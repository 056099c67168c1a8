//! One call's AGI connection, shared: commands wait for each other, the hang-up is noticed at any time.

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::net::agi::{AgiConnection, AgiError, GoneSignal};
use crate::wire::agi::{Answer, Command};

/// Commands that may wait.
const JOBS: usize = 8;

/// In a box: a queue has room for many from its start, and few commands ever wait.
type Job = Box<(Command, oneshot::Sender<Result<Answer, AgiError>>)>;

/// A handle; the connection closes (and Asterisk goes on in its dialplan) when the last one is dropped.
#[derive(Clone, Debug)]
pub(super) struct AgiLine {
    jobs: mpsc::Sender<Job>,
    gone: GoneSignal,
    close: CancellationToken,
}

impl AgiLine {
    /// Takes the connection over.
    pub(super) fn start(mut connection: AgiConnection) -> Self {
        let (jobs, mut queue) = mpsc::channel::<Job>(JOBS);
        let gone = connection.gone_signal();
        let close = CancellationToken::new();
        let closed = close.clone();
        let serve = async move {
            let mut alive = true;
            loop {
                let job = tokio::select! {
                    job = queue.recv() => job,
                    // Once it is told, the signal has it; commands may still be asked on a dead channel.
                    _ = connection.until_gone(), if alive => {
                        alive = false;
                        continue;
                    }
                };
                let Some(job) = job else { return };
                let (command, answer) = *job;
                let result = connection.execute(command).await;
                let _ = answer.send(result);
            }
        };
        tokio::spawn(async move {
            tokio::select! {
                () = serve => {}
                () = closed.cancelled() => {}
            }
        });
        Self { jobs, gone, close }
    }

    /// Sends a command when those before it are answered, and waits for its answer.
    pub(super) async fn execute(&self, command: Command) -> Result<Answer, AgiError> {
        let (sender, receiver) = oneshot::channel();
        self.jobs
            .send(Box::new((command, sender)))
            .await
            .map_err(|_| AgiError::Closed)?;
        receiver.await.unwrap_or(Err(AgiError::Closed))
    }

    /// Closes the connection. A channel that was hung up is gone only then: Asterisk waits for its AGI server.
    pub(super) fn close(&self) {
        self.close.cancel();
    }

    /// Tells of the call's end.
    pub(super) fn gone(&self) -> GoneSignal {
        self.gone.clone()
    }
}
