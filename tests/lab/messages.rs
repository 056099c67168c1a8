//! Messages after a tone, recorded beside the call's own recording: each way of their end, fetched over HTTP, the words
//! recognized once more from what was fetched.

use std::time::Duration;

use govorun::audio::wav;
use govorun::config::MediaKind;
use serde_json::json;

use super::dialogs::Place;
use super::recordings::{fetch, heard_in, loud_ms};
use super::server::{LOCAL, SIP, Server, settings};
use super::stand::{Asterisk, Ears, row};

const MESSAGE: &str = r#"record();
let m = record(#{ message: true, prompt: "Короткий вопрос?", max: param("max"), end_silence: 6, terminator: "2" });
set("kind", m.kind); set("text", m.text); set("n", m.recording); set("seconds", m.seconds); set("parts", m.parts.len());
if m.kind != "hang_up" { say("Короткий вопрос?"); }
finish("left");"#;

/// The person, the longest message, how it ends, words that it has.
const PEOPLE: [(&str, i64, &str, &str); 4] = [
    // "да, конечно, перезвоните позже", 4 s later "да, конечно": one message, ended by silence.
    ("89360000001", 40, "speech", "да"),
    // Presses 2 after 2 s.
    ("89120000001", 40, "digits", ""),
    // "двадцать пять", 4 s later "да", and again every 3 s.
    ("89250000001", 12, "too_long", "да"),
    // Hangs up after 6 s.
    ("89170000001", 40, "hang_up", ""),
];

async fn messages(asterisk: &Asterisk, ears: &Ears, kind: MediaKind, channel: &str) {
    let place = Place::new();
    place.write("message", MESSAGE);
    let server = Server::start(settings(asterisk, &place, kind, &ears.url, channel)).await;
    let one_c = server.one_c;
    let id = |phone: &str| {
        let by = channel[..5].trim_end_matches('/');
        format!("msg-{}-{by}-{phone}", kind.as_str())
    };
    for (phone, longest, ..) in PEOPLE {
        let order = json!({"id": id(phone), "phone": phone, "dialog": "message", "params": {"max": longest}});
        one_c.order_with(order).await;
    }
    for (phone, _, ends, word) in PEOPLE {
        let id = id(phone);
        let (call, history) = one_c.finished(&id, Duration::from_secs(60)).await;
        let data = &call["data"];
        assert_eq!(
            (&call["outcome"], &data["kind"]),
            (&json!("left"), &json!(ends)),
            "{history}"
        );
        let (whole, message) = (&call["recordings"][0], &call["recordings"][1]);
        assert_eq!(
            (&whole["what"], &whole["number"]),
            (&json!("call"), &json!(1))
        );
        assert_eq!(
            (&message["what"], &message["number"], &message["ended_by"]),
            (&json!("message"), &json!(2), &json!(ends)),
            "{history}"
        );
        assert_eq!(data["n"], 2);
        let path = format!("/api/v1/calls/{id}/recording");
        let (status, head, bytes) = fetch(one_c, &format!("{path}?what=message"), "").await;
        assert_eq!(status, 200, "{head}\n{history}");
        let sound = wav::decode("message", &bytes).unwrap();
        let ms = sound.duration_ms();
        let seconds = data["seconds"].as_f64().unwrap();
        let words = if word.is_empty() {
            String::new()
        } else {
            heard_in(ears, &bytes).await
        };
        // The call's own recording went on after the message: it has the last words of the robot.
        let (status, head, stereo) = fetch(one_c, &path, "").await;
        assert_eq!(status, 200, "{head}\n{history}");
        let call_ms = (stereo.len() as u64 - 44) / 4 / 8;
        row(
            &format!("a message ended by {ends}"),
            kind.as_str(),
            asterisk.version,
            &channel[..5],
            &format!(
                "{seconds} s by our clock, {ms} ms in the file ({} loud), the whole call {call_ms} ms; in the call {:?}, from the file {words:?}",
                loud_ms(&sound.samples),
                data["text"].as_str().unwrap_or_default(),
            ),
        );
        if !word.is_empty() {
            assert!(words.contains(word), "{words}\n{history}");
            let text = data["text"].as_str().unwrap().to_lowercase();
            assert!(text.contains(word), "{history}");
            assert!(loud_ms(&sound.samples) >= 300);
        }
        if channel == SIP {
            let off = ms.abs_diff((seconds * 1000.0) as u64);
            assert!(off < 500, "{ms} ms of {seconds} s\n{history}");
            if ends != "hang_up" {
                assert!(call_ms > ms + 500, "{call_ms} {ms}\n{history}");
            }
        }
        if ends == "speech" {
            assert_eq!(data["parts"], 2, "{history}");
        }
    }
    server.stop().await;
}

async fn on(version: &'static str, kinds: &[MediaKind]) {
    let (Some(ears), Some((asterisk, _far))) = (Ears::start(), Asterisk::pair(version)) else {
        return;
    };
    for kind in kinds {
        messages(&asterisk, &ears, *kind, SIP).await;
    }
    messages(&asterisk, &ears, kinds[0], LOCAL).await;
    asterisk.quiet().await;
    let log = asterisk.log();
    let complaint = log.lines().find(|line| {
        line.contains("MixMonitor") && (line.contains("WARNING") || line.contains("NOTICE"))
    });
    assert_eq!(complaint, None);
}

#[ignore = "a real Asterisk"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_are_recorded_beside_the_call_16() {
    on("16", &[MediaKind::Rtp]).await;
}

#[ignore = "a real Asterisk"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_are_recorded_beside_the_call_22() {
    on("22", &[MediaKind::AudiosocketTap, MediaKind::ChanWebsocket]).await;
}
