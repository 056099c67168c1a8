//! Yandex SpeechKit STT v3: a gRPC stream a call.
//!
//! One task a stream, over as many sessions as it takes: a session is renewed before the vendor's limits (5 minutes, 10
//! MB), between utterances where that is possible; a lost one costs a pause and no word, because the audio of the
//! utterance that goes on is kept and sent again. See [`crate::wire::yandex`] for the protocol.

mod progress;

#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};
use tonic::{Code, Status, Streaming};

use super::{
    AsrEvent, AsrInput, EVENT_QUEUE, FEED_FRAMES, Recognizer, RecognizerStream, StreamOptions,
};
use crate::audio::frame::FRAME_MS;
use crate::net::backoff::Backoff;
use crate::net::yandex::{Cloud, CloudConfig, CloudError, CloudKey, Lease};
use crate::wire::yandex as wire;
use progress::{Limits, Outgoing, Progress};
use wire::stt::recognizer_client::RecognizerClient;
use wire::stt::{StreamingRequest, StreamingResponse};
use wire::{Classifier, SttSession, Verdict};

/// The role that recognition wants.
const ROLE: &str = "ai.speechkit-stt.user";
/// Messages that may wait for the connection: 1.6 s of audio; past that it waits with us.
const SEND_QUEUE: usize = 16;
/// Sessions that may be lost in one utterance before the stream is given up.
const MAX_LOSSES: u32 = 5;
/// A session that has lived so long was a good one.
const GOOD_AFTER: Duration = Duration::from_secs(10);

/// What to recognize by, and how patient to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct YandexConfig {
    /// Its name in the config and in history.
    pub name: String,
    /// Address and key.
    pub cloud: CloudConfig,
    /// Model, language, and who ends utterances.
    pub session: SttSession,
    /// Longest session before a new one takes over; the vendor's limit is 5 minutes of audio.
    pub longest_session: Duration,
    /// Most bytes of audio of one session; the vendor's limit is 10 MB.
    pub session_bytes: u64,
    /// Silence is sent after so long without audio; the vendor aborts after 5 s.
    pub idle_after: Duration,
    /// How long an end of utterance waits for its text; then the last partial is it.
    pub final_timeout: Duration,
    /// A server that gives no sign of life for so long, while it owes a text, is dead.
    pub answer_timeout: Duration,
    /// How long to try again, without one sound session, before the stream is given up.
    pub give_up_after: Duration,
    /// How long the last final is awaited after the call's end.
    pub last_final_timeout: Duration,
}

impl YandexConfig {
    /// The vendor's address with `key`, Russian, ends of utterances by our own voice activity.
    pub fn new(name: impl Into<String>, key: CloudKey) -> Self {
        Self {
            name: name.into(),
            cloud: CloudConfig {
                url: wire::STT_URL.to_owned(),
                key,
                folder_id: String::new(),
                ca: None,
                connect_timeout: Duration::from_secs(2),
            },
            session: SttSession {
                model: "general".to_owned(),
                language: "ru-RU".to_owned(),
                classifier: Classifier::External,
                max_pause_ms: 0,
            },
            longest_session: Duration::from_millis(wire::MAX_SESSION_MS - 15_000),
            session_bytes: wire::MAX_SESSION_BYTES / 20 * 19,
            idle_after: Duration::from_secs(2),
            final_timeout: Duration::from_secs(3),
            answer_timeout: Duration::from_secs(4),
            give_up_after: Duration::from_secs(5),
            last_final_timeout: Duration::from_secs(2),
        }
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Yandex {
    config: Arc<YandexConfig>,
    cloud: Arc<Cloud>,
}

impl Yandex {
    /// Checks the config; connects only when a stream is opened.
    pub fn new(config: YandexConfig) -> Result<Self, CloudError> {
        let cloud = Cloud::new(config.cloud.clone())?;
        Ok(Self {
            config: Arc::new(config),
            cloud: Arc::new(cloud),
        })
    }
}

impl Recognizer for Yandex {
    fn name(&self) -> &str {
        &self.config.name
    }

    fn open(&self, _options: StreamOptions) -> RecognizerStream {
        let (feed, inputs) = mpsc::channel(FEED_FRAMES);
        let (told, events) = mpsc::channel(EVENT_QUEUE);
        let config = Arc::clone(&self.config);
        let limits = Limits {
            external: config.session.classifier == Classifier::External,
            session_ms: to_ms(config.longest_session),
            session_bytes: config.session_bytes,
            final_timeout_ms: to_ms(config.final_timeout),
        };
        let stream = Stream {
            config,
            cloud: Arc::clone(&self.cloud),
            inputs,
            events: told,
            progress: Progress::new(limits),
            from: Instant::now(),
            trouble: None,
            losses: 0,
            fresh_key: false,
            backoff: Backoff::new(Duration::from_millis(100), Duration::from_secs(2)),
            again_ms: 0,
        };
        tokio::spawn(stream.run());
        RecognizerStream { feed, events }
    }
}

fn to_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

struct Stream {
    config: Arc<YandexConfig>,
    cloud: Arc<Cloud>,
    inputs: mpsc::Receiver<AsrInput>,
    events: mpsc::Sender<AsrEvent>,
    progress: Progress,
    /// What the ms of `progress` count from.
    from: Instant,
    /// Since when no session is sound.
    trouble: Option<Instant>,
    /// Sessions lost since the last final.
    losses: u32,
    /// The key was made anew because the old one was refused.
    fresh_key: bool,
    backoff: Backoff,
    /// Audio that this session was given a second time, ms.
    again_ms: u64,
}

/// How a session ended.
enum End {
    /// All is told, or nobody listens any more.
    Done,
    /// The next one goes on at once.
    Renew(String),
    /// It has to be made anew.
    Lost(String),
    /// Another one would end likewise.
    Failed(String),
}

impl Stream {
    async fn run(mut self) {
        loop {
            let reason = match self.session().await {
                End::Done => return,
                End::Renew(why) => {
                    let text = format!("recognizer {:?}: session renewed: {why}", self.config.name);
                    self.tell(AsrEvent::Note { text }).await;
                    continue;
                }
                End::Failed(reason) => return self.fail(reason).await,
                End::Lost(reason) => reason,
            };
            if self.progress.is_closed() {
                return self.tell_rest().await;
            }
            let first = self.trouble.is_none();
            let since = *self.trouble.get_or_insert_with(Instant::now);
            self.losses += 1;
            let wait = self.backoff.next_random();
            if since.elapsed() + wait > self.config.give_up_after || self.losses > MAX_LOSSES {
                let reason = format!(
                    "{reason}; gave up after {:.1} s and {} sessions: is the cloud reachable from here, and is url right?",
                    since.elapsed().as_secs_f64(),
                    self.losses,
                );
                return self.fail(reason).await;
            }
            if first {
                let text = format!(
                    "recognizer {:?} at {}: {reason}; connecting again",
                    self.config.name,
                    self.cloud.url()
                );
                self.tell(AsrEvent::Note { text }).await;
            }
            if self.absorb_until(sleep(wait)).await.is_none() {
                return self.tell_rest().await;
            }
        }
    }

    /// The last partial isn't told as final: who takes over gets the utterance's audio again.
    async fn fail(&mut self, reason: String) {
        if self.progress.is_closed() {
            self.tell_rest().await;
        }
        let reason = format!(
            "recognizer {:?} at {}: {reason}",
            self.config.name,
            self.cloud.url()
        );
        self.tell(AsrEvent::Failed { reason }).await;
    }

    /// Takes what comes while `wait` goes on. `None`: nobody is there to wait for.
    async fn absorb_until<T>(&mut self, wait: impl Future<Output = T>) -> Option<T> {
        tokio::pin!(wait);
        loop {
            tokio::select! {
                done = &mut wait => return Some(done),
                input = self.inputs.recv(), if self.progress.wants_audio() => {
                    self.take(input);
                    // Who said something and hung up at once is still heard, if the server is well.
                    if self.progress.is_closed() && self.trouble.is_some() {
                        return None;
                    }
                }
                () = self.events.closed() => return None,
            }
        }
    }

    fn take(&mut self, input: Option<AsrInput>) {
        match input {
            Some(AsrInput::Audio(frame)) => self.progress.push(&frame),
            Some(AsrInput::EndOfUtterance) => self.progress.push_end(),
            Some(AsrInput::Typed(_)) => {}
            None => self.progress.close(),
        }
    }

    fn now_ms(&self) -> u64 {
        to_ms(self.from.elapsed())
    }

    async fn session(&mut self) -> End {
        let lease = self.cloud.lease();
        let (sender, mut queue) = mpsc::channel(SEND_QUEUE);
        let messages = futures_util::stream::poll_fn(move |cx| queue.poll_recv(cx));
        let cloud = Arc::clone(&self.cloud);
        let request = match self.absorb_until(cloud.sign(messages)).await {
            None => {
                self.tell_rest().await;
                return End::Done;
            }
            Some(Err(reason)) => return End::Failed(reason),
            Some(Ok(request)) => request,
        };
        let mut client = RecognizerClient::new(lease.channel.clone())
            .max_decoding_message_size(wire::MAX_REPLY_BYTES);
        let opening = Box::pin(async move { client.recognize_streaming(request).await });
        // The queue is empty: there is room.
        let _ = sender.try_send(wire::session(&self.config.session));
        self.again_ms = self.progress.begin_session();
        self.converse(&lease, opening, sender).await
    }

    async fn converse<F>(
        &mut self,
        lease: &Lease,
        mut opening: std::pin::Pin<Box<F>>,
        sender: mpsc::Sender<StreamingRequest>,
    ) -> End
    where
        F: Future<Output = Result<tonic::Response<Streaming<StreamingResponse>>, Status>>,
    {
        let config = Arc::clone(&self.config);
        let began = Instant::now();
        let mut sender = Some(sender);
        let mut replies: Option<Streaming<StreamingResponse>> = None;
        let mut sent = began;
        let mut closed_at = self.progress.is_closed().then_some(began);
        let alarm = sleep_until(began);
        tokio::pin!(alarm);
        loop {
            let full = self.send_due(sender.as_ref(), &mut sent);
            if self.progress.is_finished() {
                // Half closed: the server tells the rest and ends the stream.
                sender = None;
            }
            if self.progress.wants_new_session() {
                return End::Renew(format!(
                    "its time is up after {} s",
                    began.elapsed().as_secs()
                ));
            }
            // The alarm is looked at when it fires, and only ever moved forward.
            let due = self.due(sender.is_some(), sent, closed_at);
            if due < alarm.deadline() || alarm.is_elapsed() {
                alarm.as_mut().reset(due);
            }
            tokio::select! {
                opened = &mut opening, if replies.is_none() => match opened {
                    Ok(response) => replies = Some(response.into_inner()),
                    Err(status) => return self.ended(&status, began).await,
                },
                reply = next(&mut replies) => match reply {
                    Ok(Some(reply)) => self.reply(reply, began).await,
                    Ok(None) if self.progress.is_closed() => {
                        self.tell_rest().await;
                        return End::Done;
                    }
                    Ok(None) => return End::Lost("the server ended the session".to_owned()),
                    Err(status) => return self.ended(&status, began).await,
                },
                () = room(sender.as_ref()), if full => {}
                input = self.inputs.recv(), if self.progress.wants_audio() => {
                    self.take(input);
                    if self.progress.is_closed() {
                        closed_at = Some(Instant::now());
                    }
                }
                () = &mut alarm => {
                    let now = Instant::now();
                    if closed_at.is_some_and(|at| now >= at + config.last_final_timeout) {
                        self.tell_rest().await;
                        return End::Done;
                    }
                    let now_ms = self.now_ms();
                    if let Some(owed) = self.progress.owed_since_ms()
                        && now_ms >= owed + to_ms(config.answer_timeout)
                    {
                        self.cloud.discard(lease);
                        return End::Lost(format!("no sign of life for {} ms", now_ms - owed));
                    }
                    if let Some(event) = self.progress.settle(now_ms) {
                        self.tell(event).await;
                    }
                    if now >= sent + config.idle_after && let Some(sender) = &sender {
                        // Whole frames, as a server may count them.
                        let ms = to_ms(now - sent) / FRAME_MS * FRAME_MS;
                        if sender.try_send(wire::silence(ms)).is_ok() {
                            self.progress.sent_silence(ms);
                            sent = now;
                        }
                    }
                }
                () = self.events.closed() => return End::Done,
            }
        }
    }

    /// Sends all that may be sent now; whether more waits for room.
    fn send_due(
        &mut self,
        sender: Option<&mpsc::Sender<StreamingRequest>>,
        sent: &mut Instant,
    ) -> bool {
        let now_ms = self.now_ms();
        while let Some(sender) = sender {
            // A closed queue belongs to a session whose end is about to be told.
            let Ok(permit) = sender.try_reserve() else {
                return !sender.is_closed();
            };
            permit.send(match self.progress.next(now_ms) {
                None => return false,
                Some(Outgoing::Audio(samples)) => wire::audio(&samples),
                Some(Outgoing::Eou) => wire::end_of_utterance(),
            });
            *sent = Instant::now();
        }
        false
    }

    /// When something has to be looked at without any message.
    fn due(&self, open: bool, sent: Instant, closed_at: Option<Instant>) -> Instant {
        let at = |ms| self.from + Duration::from_millis(ms);
        let answer_ms = to_ms(self.config.answer_timeout);
        let all = [
            open.then_some(sent + self.config.idle_after),
            closed_at.map(|closed| closed + self.config.last_final_timeout),
            self.progress.owed_since_ms().map(|ms| at(ms + answer_ms)),
            self.progress.due_ms().map(at),
        ];
        let far = Instant::now() + Duration::from_secs(60);
        all.into_iter().flatten().min().unwrap_or(far)
    }

    async fn reply(&mut self, reply: StreamingResponse, began: Instant) {
        let reply = wire::read(reply);
        let sound =
            began.elapsed() >= Duration::from_secs(1) || reply.event != wire::SttEvent::Other;
        if sound {
            self.fresh_key = false;
            if let Some(since) = self.trouble.take() {
                self.backoff.reset();
                let text = format!(
                    "recognizer {:?}: answers again after {} ms, {} ms of audio were sent again",
                    self.config.name,
                    since.elapsed().as_millis(),
                    self.again_ms,
                );
                self.tell(AsrEvent::Note { text }).await;
            }
        }
        if began.elapsed() >= GOOD_AFTER {
            self.losses = 0;
        }
        let now_ms = self.now_ms();
        for event in self.progress.heard(reply, now_ms).into_iter().flatten() {
            if matches!(event, AsrEvent::Final { .. }) {
                self.losses = 0;
            }
            self.tell(event).await;
        }
    }

    /// What the status that ended a session asks for.
    async fn ended(&mut self, status: &Status, began: Instant) -> End {
        if self.progress.is_closed() && status.code() == Code::Ok {
            self.tell_rest().await;
            return End::Done;
        }
        match wire::verdict(status, ROLE) {
            Verdict::Key(reason) if self.cloud.makes_tokens() && !self.fresh_key => {
                self.fresh_key = true;
                self.cloud.forget_token().await;
                End::Renew(reason)
            }
            Verdict::Key(reason) | Verdict::Fatal(reason) => End::Failed(reason),
            Verdict::Renew(reason) if began.elapsed() >= Duration::from_secs(1) => {
                End::Renew(reason)
            }
            Verdict::Renew(reason) | Verdict::Again(reason) => End::Lost(reason),
        }
    }

    async fn tell_rest(&mut self) {
        if let Some(event) = self.progress.give_up() {
            self.tell(event).await;
        }
    }

    /// A partial that finds the queue full is left out, the next one says more. Who listens no more is seen by `closed`.
    async fn tell(&self, event: AsrEvent) {
        if matches!(event, AsrEvent::Partial { .. }) {
            let _ = self.events.try_send(event);
        } else {
            let _ = self.events.send(event).await;
        }
    }
}

async fn next(
    replies: &mut Option<Streaming<StreamingResponse>>,
) -> Result<Option<StreamingResponse>, Status> {
    match replies {
        Some(replies) => replies.message().await,
        None => std::future::pending().await,
    }
}

/// The queue has room again, or is gone.
async fn room(sender: Option<&mpsc::Sender<StreamingRequest>>) {
    match sender {
        Some(sender) => drop(sender.reserve().await),
        None => std::future::pending().await,
    }
}
