//! The task that keeps one connection to the manager: connects, logs in, writes actions, reads answers and events.

use std::collections::HashMap;
use std::fmt::Write;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::wire::ami::{
    Action, Challenge, Event, EventKind, Packet, PacketDecoder, PacketKind, Response,
};

use super::routes::AmiNotice;
use super::{AmiConfig, AmiDown, AmiPeer, AmiState, REQUESTS, Shared, Way};

/// Events of one list that are kept; the rest is counted.
const LIST_EVENTS: usize = 4096;
/// Bytes that may wait to be written before no more actions are taken.
const OUTGOING: usize = 64 * 1024;
/// What one read takes.
const READ: usize = 16 * 1024;
/// Originates that may wait for their OriginateResponse.
const ORIGINATES: usize = 8192;
/// How long Asterisk may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(1);
/// A link that lived this long was a good one: the next failure starts the back-off anew.
const GOOD_LINK: Duration = Duration::from_secs(10);

/// An action on its way.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) action: Action,
    pub(super) id: u64,
    pub(super) reply: oneshot::Sender<Outcome>,
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Outcome {
    Answered(Response),
    /// The link ended before a byte of it was written.
    NotSent,
    /// The link ended after that.
    CutOff,
}

/// Keeps a link up until `stop`.
pub(super) async fn run(shared: Arc<Shared>, config: AmiConfig, stop: CancellationToken) {
    let mut backoff = config.timing.backoff.clone();
    let mut last_peer: Option<AmiPeer> = None;
    let mut told: Option<AmiDown> = None;
    loop {
        let tried = tokio::select! {
            biased;
            () = stop.cancelled() => Err(AmiDown::Stopped),
            tried = Link::open(&shared, &config) => tried,
        };
        let reason = match tried {
            Err(reason) => reason,
            Ok((link, peer)) => {
                tracing::info!(asterisk = %peer.asterisk_version, ami = %peer.ami_version, "ami: up");
                told = None;
                let since = Instant::now();
                let restarted = last_peer
                    .replace(peer.clone())
                    .map(|before| before.started != peer.started);
                let reason = serve(&shared, link, peer, restarted, &config, &stop).await;
                if since.elapsed() >= GOOD_LINK {
                    backoff.reset();
                }
                reason
            }
        };
        if reason == AmiDown::Stopped {
            shared.way.send_replace(Way::Stopped);
            shared.state.send_replace(AmiState::Down { reason });
            return;
        }
        // The same failure again is no news.
        if told.as_ref() != Some(&reason) {
            tracing::error!(%reason, "ami: down");
            told = Some(reason.clone());
        }
        let wait = match &reason {
            AmiDown::Refused { .. } => config.timing.refused,
            _ => backoff.next_random(),
        };
        shared.state.send_replace(AmiState::Down { reason });
        // A stop ends the wait; the loop's head then ends the task.
        let _ = timeout(wait, stop.cancelled()).await;
    }
}

/// Opens the way for actions, and closes it again when the link ends.
async fn serve(
    shared: &Shared,
    mut link: Link<'_>,
    peer: AmiPeer,
    restarted: Option<bool>,
    config: &AmiConfig,
    stop: &CancellationToken,
) -> AmiDown {
    let (sender, mut requests) = mpsc::channel(REQUESTS);
    shared.counters.links.fetch_add(1, Ordering::Relaxed);
    shared.way.send_replace(Way::Open(sender));
    shared.state.send_replace(AmiState::Up(peer));
    if let Some(restarted) = restarted {
        shared.routes.notice(AmiNotice::Reconnected { restarted });
    }
    let reason = link.work(&mut requests, config, stop).await;
    // The way first: whoever is told that it wasn't sent waits for the next link, not for this one.
    shared.way.send_replace(match reason {
        AmiDown::Stopped => Way::Stopped,
        _ => Way::Closed,
    });
    shared.state.send_replace(AmiState::Down {
        reason: reason.clone(),
    });
    shared.routes.notice(AmiNotice::Lost);
    requests.close();
    while let Ok(request) = requests.try_recv() {
        let _ = request.reply.send(Outcome::NotSent);
    }
    link.abandon();
    reason
}

/// An action that waits for its answer.
struct Pending {
    reply: oneshot::Sender<Outcome>,
    /// How many bytes had been queued on this link before it.
    position: u64,
    /// The list that its answer announced.
    list: Option<Response>,
}

/// One connection.
struct Link<'a> {
    shared: &'a Shared,
    stream: TcpStream,
    decoder: PacketDecoder,
    outgoing: Vec<u8>,
    /// How much of `outgoing` is written.
    sent: usize,
    /// Bytes written before those in `outgoing`.
    written: u64,
    pending: HashMap<u64, Pending>,
    /// Originates of ours by their number, to route an OriginateResponse that names no channel.
    originates: HashMap<u64, Box<str>>,
    booted: bool,
}

impl<'a> Link<'a> {
    /// Connects and logs in; ready to place calls when it returns.
    async fn open(shared: &'a Shared, config: &AmiConfig) -> Result<(Link<'a>, AmiPeer), AmiDown> {
        let timing = &config.timing;
        let connect = |error: String| AmiDown::Connect {
            address: config.address.clone(),
            error,
        };
        let stream = timeout(timing.answer, TcpStream::connect(&config.address))
            .await
            .map_err(|_| connect("no answer".to_owned()))?
            .map_err(|error| connect(error.to_string()))?;
        let _ = stream.set_nodelay(true);
        let mut link = Link {
            shared,
            stream,
            decoder: PacketDecoder::default(),
            outgoing: Vec::new(),
            sent: 0,
            written: 0,
            pending: HashMap::new(),
            originates: HashMap::new(),
            booted: false,
        };
        let ami_version = timeout(timing.answer, link.banner())
            .await
            .map_err(|_| AmiDown::Silent("banner"))??;
        link.log_in(config).await?;
        let peer = link.introduce(config, ami_version).await?;
        Ok((link, peer))
    }

    async fn banner(&mut self) -> Result<String, AmiDown> {
        loop {
            if let Some(banner) = self.decoder.banner().map_err(protocol)? {
                return Ok(banner.version);
            }
            self.read().await?;
        }
    }

    async fn log_in(&mut self, config: &AmiConfig) -> Result<(), AmiDown> {
        let refused = |message: &str| AmiDown::Refused {
            user: config.user.clone(),
            message: message.to_owned(),
        };
        let limit = config.timing.answer;
        let response = self.exchange(&Action::challenge(), limit).await?;
        let challenge =
            Challenge::from_response(&response).ok_or_else(|| refused(response.message()))?;
        let login = Action::login(&config.user, &config.secret, &challenge, &config.events)
            .map_err(|error| refused(&error.to_string()))?;
        let response = self.exchange(&login, limit).await?;
        if !response.is_success() {
            return Err(refused(response.message()));
        }
        Ok(())
    }

    /// Sets filters, asks who it is and waits until it can place calls.
    async fn introduce(
        &mut self,
        config: &AmiConfig,
        ami_version: String,
    ) -> Result<AmiPeer, AmiDown> {
        let limit = config.timing.answer;
        for expression in &config.filters {
            let answer = match Action::filter(expression) {
                Ok(action) => self.exchange(&action, limit).await?.message().to_owned(),
                Err(error) => error.to_string(),
            };
            tracing::debug!(expression, answer, "ami: filter");
        }
        // Asked after the boot: a restarting Asterisk closes the door once more on its way.
        let until = Instant::now() + config.timing.boot;
        while !self.booted {
            match timeout_at(until, self.read()).await {
                Ok(read) => read?,
                Err(_) => {
                    tracing::warn!(
                        "ami: no FullyBooted event; does the account's `read` hold `system`?"
                    );
                    break;
                }
            }
            while let Some(packet) = self.decoder.next().map_err(protocol)? {
                self.take(packet);
            }
        }
        let settings = self.exchange(&Action::core_settings(), limit).await?;
        let status = self.exchange(&Action::core_status(), limit).await?;
        let text = |response: &Response, key| response.value(key).unwrap_or_default().to_owned();
        Ok(AmiPeer {
            ami_version,
            asterisk_version: text(&settings, "AsteriskVersion"),
            started: format!(
                "{} {}",
                text(&status, "CoreStartupDate"),
                text(&status, "CoreStartupTime")
            )
            .trim()
            .to_owned(),
        })
    }

    /// One action and its answer, while nobody else uses the link.
    async fn exchange(&mut self, action: &Action, limit: Duration) -> Result<Response, AmiDown> {
        let (reply, mut answer) = oneshot::channel();
        self.queue(Request {
            action: action.clone(),
            id: self.shared.next.fetch_add(1, Ordering::Relaxed),
            reply,
        });
        let work = async {
            while self.sent < self.outgoing.len() {
                let written = self.stream.write(&self.outgoing[self.sent..]).await;
                self.wrote(written)?;
            }
            loop {
                if let Ok(Outcome::Answered(response)) = answer.try_recv() {
                    return Ok(response);
                }
                self.read().await?;
                while let Some(packet) = self.decoder.next().map_err(protocol)? {
                    self.take(packet);
                }
            }
        };
        timeout(limit, work)
            .await
            .map_err(|_| AmiDown::Silent("answer to the login"))?
    }

    /// Reads some bytes into the decoder. Cancel-safe.
    async fn read(&mut self) -> Result<(), AmiDown> {
        let buffer = self.decoder.buffer();
        buffer.reserve(READ);
        match self.stream.read_buf(buffer).await {
            Ok(0) => Err(AmiDown::Lost("closed by Asterisk".to_owned())),
            Ok(_) => Ok(()),
            Err(error) => Err(AmiDown::Lost(error.to_string())),
        }
    }

    fn wrote(&mut self, written: std::io::Result<usize>) -> Result<(), AmiDown> {
        match written {
            Ok(0) => return Err(AmiDown::Lost("closed by Asterisk".to_owned())),
            Ok(bytes) => self.sent += bytes,
            Err(error) => return Err(AmiDown::Lost(error.to_string())),
        }
        if self.sent == self.outgoing.len() {
            self.written += self.sent as u64;
            self.outgoing.clear();
            self.sent = 0;
        }
        Ok(())
    }

    /// Encodes an action; from now on its answer is awaited.
    fn queue(&mut self, request: Request) {
        if request.reply.is_closed() {
            // Its deadline passed while it waited: nobody would learn that it was carried out.
            return;
        }
        if request.action.name() == "Originate"
            && self.originates.len() < ORIGINATES
            && let Some(channel) = request.action.value("ChannelId")
        {
            self.originates.insert(request.id, channel.into());
        }
        let mut action_id = self.shared.prefix.clone();
        // Writing into a String can't fail.
        let _ = write!(action_id, "{}", request.id);
        let position = self.written + self.outgoing.len() as u64;
        request.action.encode_into(&action_id, &mut self.outgoing);
        let waits = Pending {
            reply: request.reply,
            position,
            list: None,
        };
        self.pending.insert(request.id, waits);
    }

    /// Works until the link ends, and says why.
    async fn work(
        &mut self,
        requests: &mut mpsc::Receiver<Request>,
        config: &AmiConfig,
        stop: &CancellationToken,
    ) -> AmiDown {
        let timing = &config.timing;
        let mut heard = Instant::now();
        let mut pinged = false;
        let mut alarm = pin!(tokio::time::sleep(timing.idle));
        let mut batch = Vec::new();
        loop {
            let result = {
                let buffer = self.decoder.buffer();
                buffer.reserve(READ);
                let (mut reader, mut writer) = self.stream.split();
                tokio::select! {
                    () = stop.cancelled() => Step::Stop,
                    read = reader.read_buf(buffer) => Step::Read(read),
                    written = writer.write(&self.outgoing[self.sent..]), if self.sent < self.outgoing.len() => Step::Wrote(written),
                    _ = requests.recv_many(&mut batch, 64), if self.outgoing.len() < OUTGOING => Step::Asked,
                    () = &mut alarm => Step::Alarm,
                }
            };
            let done = match result {
                Step::Stop => {
                    let _ = timeout(GOODBYE, self.say_goodbye()).await;
                    return AmiDown::Stopped;
                }
                Step::Read(Ok(0)) => Err(AmiDown::Lost("closed by Asterisk".to_owned())),
                Step::Read(Err(error)) => Err(AmiDown::Lost(error.to_string())),
                Step::Read(Ok(_)) => {
                    heard = Instant::now();
                    pinged = false;
                    self.take_all()
                }
                Step::Wrote(written) => self.wrote(written),
                Step::Asked => {
                    for request in batch.drain(..) {
                        self.queue(request);
                    }
                    Ok(())
                }
                Step::Alarm => {
                    let silence = heard.elapsed();
                    if silence < timing.idle {
                        alarm.as_mut().reset(heard + timing.idle);
                        Ok(())
                    } else if pinged {
                        Err(AmiDown::Silent("answer to a ping"))
                    } else {
                        pinged = true;
                        self.forget_the_late();
                        // Any byte is an answer; the pong itself is only taken off the list.
                        let (reply, _answer) = oneshot::channel();
                        self.queue(Request {
                            action: Action::ping(),
                            id: self.shared.next.fetch_add(1, Ordering::Relaxed),
                            reply,
                        });
                        alarm.as_mut().reset(Instant::now() + timing.dead);
                        Ok(())
                    }
                }
            };
            if let Err(reason) = done {
                return reason;
            }
        }
    }

    fn take_all(&mut self) -> Result<(), AmiDown> {
        while let Some(packet) = self.decoder.next().map_err(protocol)? {
            self.take(packet);
        }
        Ok(())
    }

    async fn say_goodbye(&mut self) -> Result<(), AmiDown> {
        Action::logoff().encode_into("bye", &mut self.outgoing);
        while self.sent < self.outgoing.len() {
            let written = self.stream.write(&self.outgoing[self.sent..]).await;
            self.wrote(written)?;
        }
        loop {
            // Until Asterisk closes.
            self.read().await?;
            self.take_all()?;
        }
    }

    /// Drops actions whose deadline has passed: their answers may never come.
    fn forget_the_late(&mut self) {
        self.pending.retain(|_, pending| !pending.reply.is_closed());
    }

    /// Tells whoever still waits that the link is gone.
    fn abandon(&mut self) {
        let written = self.written + self.sent as u64;
        for (_, pending) in self.pending.drain() {
            let outcome = if written > pending.position {
                Outcome::CutOff
            } else {
                Outcome::NotSent
            };
            let _ = pending.reply.send(outcome);
        }
    }

    /// Our number of the action that a packet belongs to.
    fn number(&self, packet: &Packet) -> Option<u64> {
        packet
            .action_id()?
            .strip_prefix(self.shared.prefix.as_str())?
            .parse()
            .ok()
    }

    fn take(&mut self, packet: Packet) {
        match packet.kind() {
            PacketKind::Event => self.take_event(packet),
            PacketKind::Response => self.take_response(packet),
            PacketKind::Action | PacketKind::Other => {
                self.shared.counters.stray.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn take_response(&mut self, packet: Packet) {
        let Some(id) = self.number(&packet) else {
            self.shared.counters.stray.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let response = Response::new(packet);
        if !response.is_success() {
            self.originates.remove(&id);
        }
        let is_list = response
            .value("EventList")
            .is_some_and(|word| word.eq_ignore_ascii_case("start"));
        if is_list && let Some(pending) = self.pending.get_mut(&id) {
            pending.list = Some(response);
            return;
        }
        match self.pending.remove(&id) {
            Some(pending) => {
                let _ = pending.reply.send(Outcome::Answered(response));
            }
            None => {
                self.shared.counters.stray.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn take_event(&mut self, packet: Packet) {
        self.shared.counters.events.fetch_add(1, Ordering::Relaxed);
        let number = self.number(&packet);
        if let Some(id) = number
            && let Some(list) = self.pending.get_mut(&id).and_then(|p| p.list.as_mut())
        {
            let complete = packet
                .value("EventList")
                .is_some_and(|word| word.eq_ignore_ascii_case("Complete"));
            if !complete && list.list.len() < LIST_EVENTS {
                list.list.push(packet);
            } else if !complete {
                list.list_cut += 1;
            } else if let Some(pending) = self.pending.remove(&id)
                && let Some(response) = pending.list
            {
                let _ = pending.reply.send(Outcome::Answered(response));
            }
            return;
        }
        let Some(event) = Event::from_packet(packet) else {
            return;
        };
        let mut channel = None;
        match event.kind() {
            EventKind::FullyBooted => self.booted = true,
            EventKind::OriginateResponse { .. } => {
                channel = number.and_then(|id| self.originates.remove(&id));
            }
            _ => {}
        }
        let event = Arc::new(event);
        self.shared.routes.route(&event, channel.as_deref());
        if self.shared.all.receiver_count() > 0 {
            // Fails only without receivers.
            let _ = self.shared.all.send(event);
        }
    }
}

enum Step {
    Stop,
    Read(std::io::Result<usize>),
    Wrote(std::io::Result<usize>),
    Asked,
    Alarm,
}

fn protocol(error: crate::wire::ami::PacketError) -> AmiDown {
    AmiDown::Protocol(error.to_string())
}
