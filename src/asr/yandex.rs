//! Yandex SpeechKit STT v3: a gRPC stream a call.
//!
//! One task a stream, over as many sessions as it takes: a session is renewed before the vendor's limits (5 minutes, 10
//! MB), between utterances where that is possible; a lost one costs a pause and no word, because the call's tape keeps the
//! audio of the utterance that goes on, and it is sent again. See [`crate::wire::yandex`] for the protocol.

mod progress;

#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tonic::{Code, Status, Streaming};

use super::retry::{Next, Patience, Retry};
use super::tape::TapeReader;
use super::{AsrEvent, Cause, EVENT_QUEUE, Recognizer, StreamOptions, tell};
use crate::audio::frame::FRAME_MS;
use crate::net::backoff::Backoff;
use crate::net::yandex::{Cloud, CloudConfig, CloudError, CloudKey, Lease};
use crate::wire::yandex as wire;
use progress::{Limits, MESSAGE_SAMPLES, Outgoing, Progress};
use wire::stt::recognizer_client::RecognizerClient;
use wire::stt::{StreamingRequest, StreamingResponse};
use wire::{Classifier, SttSession, Verdict};

/// The role that recognition wants.
const ROLE: &str = "ai.speechkit-stt.user";
/// Messages that may wait for the connection: 1.6 s of audio; past that it waits with us.
const SEND_QUEUE: usize = 16;
/// Sessions that may be lost in one utterance before the stream is given up.
const MAX_LOSSES: u32 = 5;
/// Silence that keeps a session of a gated stream alive. The vendor bills a session from its first message on, in steps of
/// 15 s of audio: to close it in every pause and open the next would cost 15 s an utterance; this costs 0.1 s every 2 s.
const SIGN_OF_LIFE_MS: u64 = 100;
/// First and longest rest after a quota error.
const REST: Duration = Duration::from_secs(2);
const MAX_REST: Duration = Duration::from_secs(60);
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
                normalization: false,
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
    rest: Arc<Rest>,
}

impl Yandex {
    /// Checks the config; connects only when a stream is opened.
    pub fn new(config: YandexConfig) -> Result<Self, CloudError> {
        let cloud = Cloud::new(config.cloud.clone())?;
        Ok(Self {
            config: Arc::new(config),
            cloud: Arc::new(cloud),
            rest: Arc::default(),
        })
    }
}

impl Recognizer for Yandex {
    fn name(&self) -> &str {
        &self.config.name
    }

    fn open(&self, audio: TapeReader, options: StreamOptions) -> mpsc::Receiver<AsrEvent> {
        let (told, events) = mpsc::channel(EVENT_QUEUE);
        let config = Arc::clone(&self.config);
        let limits = Limits {
            external: config.session.classifier == Classifier::External,
            session_ms: to_ms(config.longest_session),
            session_bytes: config.session_bytes,
            final_timeout_ms: to_ms(config.final_timeout),
        };
        let patience = Patience {
            give_up_after: config.give_up_after,
            losses: MAX_LOSSES,
        };
        let stream = Stream {
            retry: Retry::new(&config.name, self.cloud.url(), patience),
            config,
            cloud: Arc::clone(&self.cloud),
            events: told,
            progress: Progress::new(audio, limits),
            from: Instant::now(),
            fresh_key: false,
            rest: Arc::clone(&self.rest),
            last: options.last,
        };
        tokio::spawn(stream.run());
        events
    }
}

fn to_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

struct Stream {
    config: Arc<YandexConfig>,
    cloud: Arc<Cloud>,
    events: mpsc::Sender<AsrEvent>,
    progress: Progress,
    retry: Retry,
    /// What the ms of `progress` count from.
    from: Instant,
    /// The key was made anew because the old one was refused.
    fresh_key: bool,
    rest: Arc<Rest>,
    /// Nobody would take over.
    last: bool,
}

/// How a session ended.
enum End {
    /// All is told, or nobody listens any more.
    Done,
    /// The next one goes on at once.
    Renew(String),
    /// It has to be made anew.
    Lost(Cause, String),
    /// Another one would end likewise.
    Failed(Cause, String),
}

impl Stream {
    async fn run(mut self) {
        loop {
            let (cause, reason) = match self.session().await {
                End::Done => return,
                End::Renew(why) => {
                    let text = format!("recognizer {:?}: session renewed: {why}", self.config.name);
                    tell(&self.events, AsrEvent::Note { text }).await;
                    continue;
                }
                End::Failed(cause, reason) => {
                    let reason = format!("{}: {reason}", self.retry.who());
                    return self.fail(cause, reason).await;
                }
                End::Lost(cause, reason) => (cause, reason),
            };
            if self.progress.is_closed() {
                return self.tell_rest().await;
            }
            let audio = &self.progress.audio;
            match self.retry.lost(&reason, audio, &self.events).await {
                Next::Again => {}
                Next::Leave => return self.tell_rest().await,
                Next::GiveUp(reason) if cause == Cause::Unreachable => {
                    let mend = "is the cloud reachable from here, and is url right?";
                    return self.fail(cause, format!("{reason}: {mend}")).await;
                }
                Next::GiveUp(reason) => return self.fail(cause, reason).await,
            }
        }
    }

    /// The last partial isn't told as final: who takes over gets the utterance's audio again.
    async fn fail(&mut self, cause: Cause, reason: String) {
        if self.progress.is_closed() {
            self.tell_rest().await;
        }
        tell(&self.events, AsrEvent::Failed { cause, reason }).await;
    }

    fn now_ms(&self) -> u64 {
        to_ms(self.from.elapsed())
    }

    /// Waits for something to send: a gated stream has no session, and costs nothing, before the first voice.
    /// `false`: there will be none.
    async fn something(&mut self) -> bool {
        loop {
            let audio = &mut self.progress.audio;
            if audio.ready().samples > 0 {
                return true;
            }
            if audio.end_of_utterance().is_some() {
                continue;
            }
            if audio.is_closed() {
                return false;
            }
            audio.forget_skipped();
            tokio::select! {
                () = audio.news(MESSAGE_SAMPLES) => {}
                () = self.events.closed() => return false,
            }
        }
    }

    async fn session(&mut self) -> End {
        if self.progress.audio.is_gated() && !self.something().await {
            return End::Done;
        }
        if let Some(left) = self.rest.left().filter(|_| !self.last) {
            let text = format!(
                "the quota was used up; not asked again for {:.1} s",
                left.as_secs_f64()
            );
            return End::Failed(Cause::Quota, text);
        }
        let lease = self.cloud.lease();
        let (sender, mut queue) = mpsc::channel(SEND_QUEUE);
        let messages = futures_util::stream::poll_fn(move |cx| queue.poll_recv(cx));
        let cloud = Arc::clone(&self.cloud);
        let audio = &self.progress.audio;
        let signing = self
            .retry
            .meanwhile(audio, &self.events, cloud.sign(messages));
        let request = match signing.await {
            None => {
                self.tell_rest().await;
                return End::Done;
            }
            Some(Err(reason)) => return End::Failed(Cause::Key, reason),
            Some(Ok(request)) => request,
        };
        let mut client = RecognizerClient::new(lease.channel.clone())
            .max_decoding_message_size(wire::MAX_REPLY_BYTES);
        let opening = Box::pin(async move { client.recognize_streaming(request).await });
        // The queue is empty: there is room.
        let _ = sender.try_send(wire::session(&self.config.session));
        let again_ms = self.progress.begin_session();
        self.retry.begins(again_ms);
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
            if closed_at.is_none() && self.progress.is_closed() {
                closed_at = Some(Instant::now());
            }
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
                    Ok(None) => {
                        let text = "the server ended the session".to_owned();
                        return End::Lost(Cause::Unreachable, text);
                    },
                    Err(status) => return self.ended(&status, began).await,
                },
                () = room(sender.as_ref()), if full => {}
                () = self.progress.audio.news(MESSAGE_SAMPLES), if closed_at.is_none() && !full => {}
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
                        let text = format!("no sign of life for {} ms", now_ms - owed);
                        return End::Lost(Cause::Slow, text);
                    }
                    if let Some(event) = self.progress.settle(now_ms) {
                        tell(&self.events, event).await;
                    }
                    if now >= sent + config.idle_after && let Some(sender) = &sender {
                        // Whole frames, as a server may count them.
                        let ms = to_ms(now - sent) / FRAME_MS * FRAME_MS;
                        let ms = if self.progress.audio.is_gated() { ms.min(SIGN_OF_LIFE_MS) } else { ms };
                        if sender.try_send(wire::silence(ms)).is_ok() {
                            self.progress.audio.put_silence(ms);
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
            self.rest.end();
            self.retry.well(&self.events).await;
        }
        if began.elapsed() >= GOOD_AFTER {
            self.retry.forgive();
        }
        let now_ms = self.now_ms();
        for event in self.progress.heard(reply, now_ms).into_iter().flatten() {
            if matches!(event, AsrEvent::Final { .. }) {
                self.retry.forgive();
            }
            tell(&self.events, event).await;
        }
    }

    /// What the status that ended a session asks for.
    async fn ended(&mut self, status: &Status, began: Instant) -> End {
        if self.progress.is_closed() && status.code() == Code::Ok {
            self.tell_rest().await;
            return End::Done;
        }
        let cause = cause(status.code());
        match wire::verdict(status, ROLE) {
            Verdict::Key(reason) if self.cloud.makes_tokens() && !self.fresh_key => {
                self.fresh_key = true;
                self.cloud.forget_token().await;
                End::Renew(reason)
            }
            Verdict::Fatal(reason) if cause == Cause::Quota => {
                self.rest.begin();
                // Nobody else would take over: the quota of requests a second is free again soon.
                if self.last {
                    End::Lost(cause, reason)
                } else {
                    End::Failed(cause, reason)
                }
            }
            Verdict::Key(reason) | Verdict::Fatal(reason) => End::Failed(cause, reason),
            Verdict::Renew(reason) if began.elapsed() >= Duration::from_secs(1) => {
                End::Renew(reason)
            }
            Verdict::Renew(reason) | Verdict::Again(reason) => End::Lost(cause, reason),
        }
    }

    async fn tell_rest(&mut self) {
        if let Some(event) = self.progress.give_up() {
            tell(&self.events, event).await;
        }
    }
}

fn cause(code: Code) -> Cause {
    match code {
        Code::Unauthenticated => Cause::Key,
        Code::PermissionDenied => Cause::Role,
        Code::ResourceExhausted => Cause::Quota,
        Code::InvalidArgument | Code::NotFound | Code::FailedPrecondition => Cause::Settings,
        Code::Unimplemented => Cause::Stranger,
        Code::DeadlineExceeded => Cause::Slow,
        _ => Cause::Unreachable,
    }
}

/// After a quota error new calls leave the cloud alone for a while, longer each time, and take the next recognizer.
#[derive(Debug, Default)]
struct Rest(Mutex<Option<(Instant, Backoff)>>);

impl Rest {
    fn begin(&self) {
        let mut rest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let (until, backoff) = rest.get_or_insert_with(|| (now, Backoff::new(REST, MAX_REST)));
        // Streams that are refused together are one refusal.
        if *until <= now {
            *until = now + backoff.next_random();
        }
    }

    /// How long it goes on.
    fn left(&self) -> Option<Duration> {
        let rest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (until, _) = rest.as_ref()?;
        let left = until.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }

    /// A session was sound.
    fn end(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
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
