//! Nobody is called whom we couldn't hear, and fewer are called while texts come late.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use govorun::config::{MediaKind, RecognizerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

use super::app::{TestApp, WORDS};
use super::vosk::{Do, VoskDouble, step};

/// A wire to the recognizer on which its answers take so much longer.
fn wire(listener: TcpListener, to: SocketAddr, delay: Duration) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            tokio::spawn(async move {
                let far = TcpStream::connect(to).await.unwrap();
                let (mut near_in, mut near_out) = near.into_split();
                let (mut far_in, mut far_out) = far.into_split();
                let (late, mut due) = tokio::sync::mpsc::channel::<(Instant, Vec<u8>)>(4096);
                tokio::spawn(async move { tokio::io::copy(&mut near_in, &mut far_out).await });
                tokio::spawn(async move {
                    while let Some((at, bytes)) = due.recv().await {
                        tokio::time::sleep_until(at.into()).await;
                        if near_out.write_all(&bytes).await.is_err() {
                            return;
                        }
                    }
                });
                let mut bytes = vec![0; 4096];
                while let Ok(count @ 1..) = far_in.read(&mut bytes).await {
                    let sent = (Instant::now() + delay, bytes[..count].to_vec());
                    let _ = late.send(sent).await;
                }
            });
        }
    }))
}

fn address(url: &str) -> SocketAddr {
    url.trim_start_matches("ws://").parse().unwrap()
}

async fn metric(app: &TestApp, name: &str) -> u64 {
    let mut stream = TcpStream::connect(app.runtime.http).await.unwrap();
    let ask = b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
    stream.write_all(ask).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let line = line.unwrap_or_else(|| panic!("no {name} in {text}"));
    line.trim().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_wait_for_a_recognizer_and_go_when_it_is_there() {
    let vosk = VoskDouble::by_loudness(&WORDS).await;
    let held = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = held.local_addr().unwrap();
    drop(held);
    let app = TestApp::with(MediaKind::AudiosocketTap, |config| {
        config.recognizers = vec![RecognizerConfig::vosk("vosk", format!("ws://{at}"))];
        let scripts = &config.scripts.folder;
        std::fs::create_dir_all(scripts).unwrap();
        let write = |name: &str, text: &str| std::fs::write(scripts.join(name), text).unwrap();
        write("visit.rhai", super::app::ASK);
        write("silent.rhai", "say(\"Здравствуйте!\"); finish(\"said\");");
        write("silent.yaml", "recognizer: none\n");
    })
    .await;
    app.order("waits", "01").await;
    let silent = serde_json::json!({"id": "silent", "phone": "+79000000005", "dialog": "silent"});
    assert_eq!(app.post("/api/v1/calls", silent).await.0, 201);
    assert_eq!(
        app.end_of("silent").await["outcome"],
        "said",
        "it needs no ear"
    );
    let (_, waits) = app.get("/api/v1/calls/waits").await;
    assert_eq!(waits["status"], "queued", "{waits:#}");
    assert!(metric(&app, "govorun_starts_held_total{reason=\"deaf\"}").await > 0);
    let listener = TcpListener::bind(at).await.unwrap();
    let _wire = wire(listener, address(&vosk.url), Duration::ZERO);
    assert_eq!(app.end_of("waits").await["outcome"], "confirmed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_texts_lower_the_calls_that_are_listened_to() {
    // What is late is told against our own end of the utterance: the person has a real voice, and the last text comes after
    // we have ended the utterance, never before.
    let says_yes = vec![
        step(150, Do::Partial("да")),
        step(150, Do::FinalOnEnd("да")),
    ];
    let vosk = VoskDouble::scripted(vec![says_yes]).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let _wire = wire(listener, address(&vosk.url), Duration::from_millis(1_500));
    let app = TestApp::with(MediaKind::AudiosocketTap, |config| {
        config.recognizers = vec![RecognizerConfig::vosk("vosk", format!("ws://{at}"))];
        config.calls.at_once = 20;
    })
    .await;
    // Enough that each of the governor's periods has its turns, however slow the machine is.
    for n in 0..40 {
        app.order(&format!("late{n}"), "17").await;
    }
    let began = Instant::now();
    while metric(&app, "govorun_recognizers_cuts_total").await == 0 {
        if began.elapsed() > Duration::from_secs(25) {
            let (_, history) = app.get("/api/v1/calls/late0/events").await;
            panic!("no cut: {history:#}");
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let limit = metric(&app, "govorun_recognizers_limit").await;
    assert!((1..20).contains(&limit), "{limit}");
    let (code, health) = app.get("/healthz").await;
    let parts = health["parts"].as_array().unwrap();
    let dialing = parts.iter().find(|p| p["name"] == "dialing").unwrap();
    let text = dialing["text"].as_str().unwrap();
    assert_eq!(code, 200, "slow is no outage: {health:#}");
    assert!(
        text.contains("распознавание опаздывает: слушаем не больше"),
        "{text}"
    );
    for n in 0..12 {
        let call = app.end_of(&format!("late{n}")).await;
        assert_eq!(call["outcome"], "confirmed", "late is not lost: {call:#}");
    }
}
