//! Whether a recognizer works, asked without a call: a stream, half a second of silence, its first sound answer.

use std::time::{Duration, Instant};

use super::{AsrEvent, Cause, Recognizer, StreamOptions, listen};
use crate::audio::Frame;
use crate::audio::frame::FRAME_MS;

/// How long a recognizer may take to answer: its own patience, and a little.
pub const PROBE_LIMIT: Duration = Duration::from_secs(8);
/// Silence that is sent, ms.
const SILENCE_MS: u64 = 500;

/// Why it doesn't work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeFault {
    /// Of which kind.
    pub cause: Cause,
    /// The recognizer's own words.
    pub reason: String,
}

/// Asks `recognizer`, at most for `limit`; how long its first sound answer took. On a tokio runtime.
///
/// # Errors
/// What the recognizer said when it failed, or that it said nothing.
pub async fn probe(recognizer: &dyn Recognizer, limit: Duration) -> Result<Duration, ProbeFault> {
    let from = Instant::now();
    let options = StreamOptions {
        call: "probe".to_owned(),
        ..StreamOptions::default()
    };
    let mut stream = listen(recognizer, options);
    for _ in 0..SILENCE_MS / FRAME_MS {
        stream.tape.push(&Frame::SILENCE);
    }
    stream.tape.end_of_utterance();
    let answer = async {
        while let Some(event) = stream.events.recv().await {
            match event {
                AsrEvent::Failed { cause, reason } => return Err(ProbeFault { cause, reason }),
                // Of a reconnect: not an answer yet.
                AsrEvent::Note { .. } => {}
                AsrEvent::Ready | AsrEvent::Partial { .. } | AsrEvent::Final { .. } => {
                    return Ok(from.elapsed());
                }
            }
        }
        let reason = "it ended its stream without a word".to_owned();
        let cause = Cause::Slow;
        Err(ProbeFault { cause, reason })
    };
    let silent = || ProbeFault {
        cause: Cause::Slow,
        reason: format!("no answer within {:.0} s", limit.as_secs_f64()),
    };
    let answer = tokio::time::timeout(limit, answer).await;
    answer.unwrap_or_else(|_| Err(silent()))
}
