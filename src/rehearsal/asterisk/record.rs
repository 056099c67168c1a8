//! All that happened in the double, in order and with its time: what a test looks at, what a load measures.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// Entries that are kept; the oldest make room.
pub const MAX_ENTRIES: usize = 400_000;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When, microseconds since the double's start.
    pub at_us: u64,
    /// The call's unique id; empty where it is about no call.
    pub channel: Box<str>,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // fields are named as Asterisk names them
pub enum What {
    /// An Originate of a call was taken.
    Dialed { number: String },
    /// A call came in.
    CalledIn { script: String },
    /// It rings.
    Ringing,
    /// The person picked up, or we did.
    Answered,
    /// The AGI connection stands; its environment is sent.
    AgiConnected,
    /// AGI could not be connected.
    AgiRefused { reason: String },
    /// An AGI command came.
    Command { name: String, args: Vec<String> },
    /// It was answered.
    CommandAnswered { text: String },
    /// The AGI connection is over.
    AgiClosed,
    /// A prompt of ours began. On both-way media its name is empty: it was heard, not named.
    PromptStarted { name: String, from_ms: u64 },
    /// ControlPlayback held it.
    PromptPaused { at_ms: u64 },
    /// ControlPlayback let it go on.
    PromptResumed { at_ms: u64 },
    /// It is over.
    PromptEnded {
        name: String,
        played_ms: u64,
        how: PromptEnd,
    },
    /// The person began to say something.
    Saying { name: String },
    /// Said to its end (or cut by the call's end).
    Said { name: String },
    /// The person pressed a key.
    Digit { digit: char },
    /// Audio of the call goes to us.
    MediaOpened { kind: &'static str },
    /// No more.
    MediaClosed {
        kind: &'static str,
        sent_frames: u64,
        dropped_frames: u64,
        heard_frames: u64,
        most_ahead_ms: u64,
    },
    /// A tap or a both-way medium could not be connected.
    MediaRefused { kind: &'static str, reason: String },
    /// A recording began.
    Recording { file: String },
    /// It was ended.
    RecordingStopped,
    /// A channel variable was set by us.
    Variable { name: String, value: String },
    /// A transfer to another number came to its end.
    Transferred { number: String, status: String },
    /// AMI's Redirect moved the call.
    Redirected { context: String, extension: String },
    /// The call is over.
    HungUp { cause: u16, by: HungUpBy },
    /// An AMI client logged in.
    LoggedIn { user: String },
    /// An AMI client was refused.
    LoginRefused { user: String },
    /// An AMI client is gone.
    ManagerGone,
    /// An AMI action came.
    Action { name: String },
}

/// How a prompt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PromptEnd {
    /// Heard to its end.
    Whole,
    /// ControlPlayback stopped it; on both-way media: no more sound came.
    Stopped,
    /// An escape digit.
    Digit,
    /// The call's end.
    HangUp,
    /// There is no such file.
    Missing,
}

/// Whose doing a call's end was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HungUpBy {
    /// The far end's, or the network's on the way to it.
    Person,
    /// Ours: AGI HANGUP, AMI Hangup, or AGI closed.
    Us,
    /// It rang too long.
    Timeout,
}

/// What a call came to: its entries folded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallRecord {
    /// Unique id.
    pub channel: String,
    /// The number that was dialed; empty for a call that came in.
    pub number: String,
    /// The person picked up, or we did.
    pub answered: bool,
    /// Prompts in order.
    pub prompts: Vec<HeardPrompt>,
    /// Keys that were pressed.
    pub digits: String,
    /// AGI commands by their names.
    pub commands: Vec<String>,
    /// Media by which we heard it.
    pub media: Vec<&'static str>,
    /// How it ended, if it did.
    pub end: Option<(u16, HungUpBy)>,
}

/// A prompt as the person heard it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeardPrompt {
    /// The file's name without folder; empty on both-way media.
    pub name: String,
    /// When it began, microseconds since the double's start.
    pub started_us: u64,
    /// When it ended.
    pub ended_us: Option<u64>,
    /// How much was heard, milliseconds from the file's start.
    pub played_ms: u64,
    /// How it ended.
    pub how: Option<PromptEnd>,
}

/// The record's clock, for others whose times are to be compared with its.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Clock {
    /// Microseconds since the double's start.
    pub fn now_us(self) -> u64 {
        u64::try_from(self.0.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

/// The record. Bounded; reading it never stops the double.
#[derive(Debug)]
pub struct Record {
    clock: Clock,
    entries: Mutex<VecDeque<Entry>>,
    news: watch::Sender<u64>,
}

impl Default for Record {
    fn default() -> Self {
        Self {
            clock: Clock(Instant::now()),
            entries: Mutex::default(),
            news: watch::Sender::new(0),
        }
    }
}

impl Record {
    /// Its clock.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// Microseconds since the start.
    pub fn now_us(&self) -> u64 {
        self.clock.now_us()
    }

    /// Milliseconds since the start.
    pub fn now_ms(&self) -> u64 {
        self.now_us() / 1000
    }

    /// The moment of `ms` milliseconds since the start.
    pub fn moment(&self, ms: u64) -> Instant {
        self.clock.0 + Duration::from_millis(ms)
    }

    pub(super) fn note(&self, channel: &str, what: What) {
        self.note_at(self.now_us(), channel, what);
    }

    pub(super) fn note_at(&self, at_us: u64, channel: &str, what: What) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() == MAX_ENTRIES {
            entries.pop_front();
        }
        entries.push_back(Entry {
            at_us,
            channel: channel.into(),
            what,
        });
        drop(entries);
        self.news.send_modify(|count| *count += 1);
    }

    /// All entries so far.
    pub fn entries(&self) -> Vec<Entry> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.iter().cloned().collect()
    }

    /// Waits until `found` finds what it wants among all entries; `None` when `limit` is over.
    pub async fn until<T>(
        &self,
        limit: Duration,
        mut found: impl FnMut(&[Entry]) -> Option<T>,
    ) -> Option<T> {
        let mut news = self.news.subscribe();
        let search = async {
            loop {
                news.borrow_and_update();
                let result = {
                    let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
                    found(entries.make_contiguous())
                };
                if result.is_some() {
                    return result;
                }
                if news.changed().await.is_err() {
                    return None;
                }
            }
        };
        tokio::time::timeout(limit, search).await.ok().flatten()
    }

    /// Each call's record, in the order in which they began.
    pub fn calls(&self) -> Vec<CallRecord> {
        calls(&self.entries())
    }
}

/// Folds entries into calls.
pub fn calls(entries: &[Entry]) -> Vec<CallRecord> {
    let mut calls: Vec<CallRecord> = Vec::new();
    let mut index = std::collections::HashMap::new();
    for entry in entries.iter().filter(|entry| !entry.channel.is_empty()) {
        let at = *index.entry(entry.channel.clone()).or_insert_with(|| {
            calls.push(CallRecord {
                channel: entry.channel.to_string(),
                ..CallRecord::default()
            });
            calls.len() - 1
        });
        fold(&mut calls[at], entry);
    }
    calls
}

fn fold(call: &mut CallRecord, entry: &Entry) {
    match &entry.what {
        What::Dialed { number } => call.number.clone_from(number),
        What::Answered => call.answered = true,
        What::Command { name, .. } => call.commands.push(name.clone()),
        What::Digit { digit } => call.digits.push(*digit),
        What::MediaOpened { kind } => call.media.push(kind),
        What::HungUp { cause, by } => call.end = Some((*cause, *by)),
        What::PromptStarted { name, from_ms } => call.prompts.push(HeardPrompt {
            name: name.clone(),
            started_us: entry.at_us,
            ended_us: None,
            played_ms: *from_ms,
            how: None,
        }),
        What::PromptEnded { played_ms, how, .. } => {
            if let Some(prompt) = call.prompts.last_mut().filter(|p| p.how.is_none()) {
                prompt.ended_us = Some(entry.at_us);
                prompt.played_ms = *played_ms;
                prompt.how = Some(*how);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn waits_see_what_was_and_what_comes() {
        let record = Record::default();
        let answered = |entries: &[Entry]| {
            let found = entries.iter().find(|e| e.what == What::Answered)?;
            Some(found.channel.to_string())
        };
        let none = record.until(Duration::from_millis(5), answered).await;
        assert_eq!(none, None);
        let (found, ()) = tokio::join!(record.until(Duration::from_secs(5), answered), async {
            tokio::task::yield_now().await;
            record.note("c1", What::Ringing);
            record.note("c1", What::Answered);
        });
        assert_eq!(found.as_deref(), Some("c1"));
    }

    #[test]
    fn a_call_is_folded() {
        let entry = |at_us, what| Entry {
            at_us,
            channel: "c".into(),
            what,
        };
        let entries = [
            entry(
                1,
                What::Dialed {
                    number: "79".into(),
                },
            ),
            entry(2, What::Answered),
            entry(
                3,
                What::PromptStarted {
                    name: "hi".into(),
                    from_ms: 0,
                },
            ),
            entry(4, What::Digit { digit: '2' }),
            entry(
                9,
                What::PromptEnded {
                    name: "hi".into(),
                    played_ms: 6,
                    how: PromptEnd::Stopped,
                },
            ),
            entry(
                10,
                What::HungUp {
                    cause: 16,
                    by: HungUpBy::Us,
                },
            ),
        ];
        let calls = calls(&entries);
        assert_eq!(calls.len(), 1);
        assert_eq!(
            (&*calls[0].number, &*calls[0].digits, calls[0].answered),
            ("79", "2", true)
        );
        assert_eq!(calls[0].end, Some((16, HungUpBy::Us)));
        assert_eq!(
            calls[0].prompts,
            [HeardPrompt {
                name: "hi".into(),
                started_us: 3,
                ended_us: Some(9),
                played_ms: 6,
                how: Some(PromptEnd::Stopped)
            }]
        );
    }
}
