//! The stream against a double: what a session does to us by its bytes' timing. Whole talks and the vendor's oddities are
//! in tests/yandex.rs, on the vendor's own stubs; decisions are in `progress`.

use super::*;
use crate::asr::tape::Tape;
use crate::asr::{RecognizerStream, listen};
use crate::audio::Frame;
use crate::ident::Secret;
use crate::wire::yandex::stt::recognizer_server::{Recognizer as Service, RecognizerServer};
use crate::wire::yandex::stt::streaming_request::Event as Asked;
use crate::wire::yandex::stt::streaming_response::Event as Said;
use crate::wire::yandex::stt::{Alternative, AlternativeUpdate, AudioCursors, EouUpdate};
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::time::{sleep, timeout};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response};

/// What a session does.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Does {
    /// Every 200 ms of audio are one more word; the end of the stream, or an `eou`, its final.
    Hears,
    /// The same, but the final comes so many ms late.
    Late(u64),
    /// The same, but without any final.
    Forgets,
    /// No header within so many ms.
    Waits(u64),
    /// Ends at once.
    Breaks,
}

#[derive(Clone, Debug)]
struct Double {
    does: &'static [Does],
    sessions: Arc<AtomicUsize>,
    audio: Arc<Mutex<Vec<usize>>>,
}

type Replies = Pin<Box<dyn futures_util::Stream<Item = Result<StreamingResponse, Status>> + Send>>;

fn heard(words: usize) -> AlternativeUpdate {
    let text = vec!["да"; words].join(" ");
    let best = Alternative {
        text,
        start_time_ms: 0,
        end_time_ms: 0,
    };
    AlternativeUpdate {
        alternatives: vec![best],
    }
}

#[tonic::async_trait]
impl Service for Double {
    type RecognizeStreamingStream = Replies;

    async fn recognize_streaming(
        &self,
        request: Request<Streaming<StreamingRequest>>,
    ) -> Result<Response<Replies>, Status> {
        let number = self.sessions.fetch_add(1, Ordering::SeqCst);
        let does = self.does[number.min(self.does.len() - 1)];
        self.audio.lock().unwrap().push(0);
        match does {
            Does::Breaks => return Err(Status::unavailable("broken")),
            Does::Waits(ms) => sleep(Duration::from_millis(ms)).await,
            _ => {}
        }
        let mut asked = request.into_inner();
        let (told, mut replies) = mpsc::channel(8);
        let audio = Arc::clone(&self.audio);
        tokio::spawn(async move {
            let (mut samples, mut from, mut index) = (0, 0, -1);
            let say = async |event, index: i64| {
                let audio_cursors = Some(AudioCursors {
                    received_data_ms: 0,
                    final_index: index.max(0),
                });
                let event = Some(event);
                let _ = told
                    .send(Ok(StreamingResponse {
                        audio_cursors,
                        event,
                    }))
                    .await;
            };
            loop {
                let message = asked.message().await;
                let event = match message {
                    Ok(Some(message)) => message.event,
                    Ok(None) => None,
                    Err(_) => return,
                };
                match event {
                    Some(Asked::Chunk(chunk)) => {
                        samples += chunk.data.len() / 2;
                        audio.lock().unwrap()[number] = samples;
                        if samples / 1_600 > from {
                            say(Said::Partial(heard(samples / 1_600 - from)), index).await;
                        }
                    }
                    None | Some(Asked::Eou(_)) => {
                        let words = samples / 1_600 - from;
                        if let Does::Late(ms) = does {
                            sleep(Duration::from_millis(ms)).await;
                        }
                        if words > 0 && does != Does::Forgets {
                            index += 1;
                            from = samples / 1_600;
                            say(Said::Final(heard(words)), index).await;
                            say(Said::EouUpdate(EouUpdate { time_ms: 0 }), index).await;
                        }
                        if event.is_none() {
                            return;
                        }
                    }
                    Some(_) => {}
                }
            }
        });
        let replies = futures_util::stream::poll_fn(move |cx| replies.poll_recv(cx));
        Ok(Response::new(Box::pin(replies)))
    }
}

async fn start(does: &'static [Does]) -> (Double, YandexConfig) {
    let double = Double {
        does,
        sessions: Arc::default(),
        audio: Arc::default(),
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = YandexConfig::new("yandex", CloudKey::ApiKey(Secret::new("k")));
    config.cloud.url = format!("http://{}", listener.local_addr().unwrap());
    config.final_timeout = Duration::from_millis(600);
    config.last_final_timeout = Duration::from_millis(600);
    let server = Server::builder().add_service(RecognizerServer::new(double.clone()));
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
    (double, config)
}

async fn push(stream: &RecognizerStream, ms: u64) {
    for _ in 0..ms / 20 {
        stream.tape.push(&Frame([5_000; 160]));
    }
}

fn hang_up(stream: &mut RecognizerStream) {
    stream.tape = Tape::new();
}

/// The next event that is no partial.
async fn next_told(stream: &mut RecognizerStream) -> String {
    loop {
        let event = timeout(Duration::from_secs(5), stream.events.recv()).await;
        match event.expect("an event within 5 s") {
            None => return "closed".into(),
            Some(AsrEvent::Ready | AsrEvent::Partial { .. }) => {}
            Some(AsrEvent::Final { text, .. }) => return text.as_str().to_owned(),
            Some(AsrEvent::Note { text }) => return format!("note: {text}"),
            Some(AsrEvent::Failed { reason, .. }) => return format!("failed: {reason}"),
        }
    }
}

#[tokio::test]
async fn who_speaks_and_hangs_up_is_heard() {
    for does in [
        &[Does::Hears][..],
        &[Does::Late(300)],
        &[Does::Forgets],
        &[Does::Waits(300)],
    ] {
        let (double, config) = start(does).await;
        let mut stream = listen(&Yandex::new(config).unwrap(), StreamOptions::default());
        push(&stream, 440).await;
        hang_up(&mut stream);
        assert_eq!(next_told(&mut stream).await, "да да", "{does:?}");
        assert_eq!(next_told(&mut stream).await, "closed");
        assert_eq!(
            *double.audio.lock().unwrap(),
            [440 * 8],
            "not a sample lost"
        );
    }
}

#[tokio::test]
async fn an_end_without_a_final_is_settled_while_the_server_lives() {
    let (_double, config) = start(&[Does::Forgets]).await;
    let stream = listen(&Yandex::new(config).unwrap(), StreamOptions::default());
    push(&stream, 400).await;
    stream.tape.end_of_utterance();
    let from = Instant::now();
    let RecognizerStream { tape, events } = stream;
    let pace = tokio::spawn(async move {
        loop {
            tape.push(&Frame::SILENCE);
            sleep(Duration::from_millis(20)).await;
        }
    });
    let mut stream = RecognizerStream {
        tape: Tape::new(),
        events,
    };
    assert!(next_told(&mut stream).await.starts_with("да да"));
    assert!(
        from.elapsed() >= Duration::from_millis(500),
        "{:?}",
        from.elapsed()
    );
    pace.abort();
}

#[tokio::test]
async fn a_server_that_always_breaks_is_given_up_and_one_that_breaks_once_is_not() {
    let (double, mut config) = start(&[Does::Breaks]).await;
    config.give_up_after = Duration::from_secs(60);
    let mut stream = listen(&Yandex::new(config).unwrap(), StreamOptions::default());
    push(&stream, 200).await;
    assert!(next_told(&mut stream).await.contains("connecting again"));
    let reason = next_told(&mut stream).await;
    assert!(
        reason.starts_with("failed: ") && reason.contains("broken"),
        "{reason}"
    );
    assert_eq!(next_told(&mut stream).await, "closed");
    assert_eq!(double.sessions.load(Ordering::SeqCst), 6);

    let (double, config) = start(&[Does::Breaks, Does::Hears]).await;
    let mut stream = listen(&Yandex::new(config).unwrap(), StreamOptions::default());
    push(&stream, 400).await;
    assert!(next_told(&mut stream).await.contains("connecting again"));
    assert!(next_told(&mut stream).await.contains("answers again"));
    stream.tape.end_of_utterance();
    assert_eq!(next_told(&mut stream).await, "да да");
    assert_eq!(*double.audio.lock().unwrap(), [0, 400 * 8]);
}

#[tokio::test]
async fn who_stops_listening_ends_the_session() {
    let (_double, config) = start(&[Does::Hears]).await;
    let stream = listen(&Yandex::new(config).unwrap(), StreamOptions::default());
    push(&stream, 100).await;
    drop(stream.events);
    for _ in 0..100 {
        if !stream.tape.has_reader() {
            return;
        }
        sleep(Duration::from_millis(20)).await;
    }
    panic!("the session goes on");
}

/// What our side costs: streams at once, each a minute of audio as fast as it goes, against the double in the same process.
#[tokio::test]
#[ignore = "a measurement: cargo test --release yandex_costs -- --ignored --nocapture"]
#[allow(clippy::print_stdout)]
async fn yandex_costs() {
    let (_double, mut config) = start(&[Does::Forgets]).await;
    config.final_timeout = Duration::from_secs(60);
    let yandex = Yandex::new(config).unwrap();
    let from = Instant::now();
    let all = (0..100).map(|_| {
        let mut stream = listen(&yandex, StreamOptions::default());
        tokio::spawn(async move {
            let pace = async {
                for _ in 0..3_000 {
                    stream.tape.push(&Frame([5_000; 160]));
                    while stream.tape.unread() > 8_000 {
                        tokio::task::yield_now().await;
                    }
                }
                stream.tape = Tape::new();
            };
            let hear = async { while stream.events.recv().await.is_some() {} };
            tokio::join!(pace, hear);
        })
    });
    for one in all.collect::<Vec<_>>() {
        one.await.unwrap();
    }
    println!(
        "100 streams of 60 s: {:?} with the double's own work",
        from.elapsed()
    );
}
