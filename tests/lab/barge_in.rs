//! Speech over a prompt stops it within 300 ms of the recognizer's first word, on every medium; and what the person is
//! sent really falls silent, by Asterisk's own recording of it.

use std::path::Path;
use std::time::Duration;

use govorun::audio::wav;
use govorun::config::MediaKind;
use govorun::ident::ChannelId;
use govorun::wire::ami::Action;

use super::dialogs::{LONG_MS, Place};
use super::server::{LOCAL, SIP, Server, settings};
use super::stand::{Asterisk, SOON, row};
use super::vosk::{Do, VoskDouble, step};

/// From the recognizer's word to the end of the prompt, milliseconds.
const LIMIT_MS: u64 = 300;
/// A 20 ms slice whose loudest sample is over this is sound.
const SOUND: u16 = 200;

/// From the first to the last slice with sound, milliseconds.
fn sounding_ms(file: &Path) -> u64 {
    let bytes = std::fs::read(file).unwrap();
    let sound = wav::decode("sent", &bytes).unwrap();
    let loud: Vec<usize> = sound
        .samples
        .chunks(160)
        .enumerate()
        .filter(|(_, slice)| slice.iter().any(|s| s.unsigned_abs() > SOUND))
        .map(|(n, _)| n)
        .collect();
    match (loud.first(), loud.last()) {
        (Some(first), Some(last)) => (last - first + 1) as u64 * 20,
        _ => 0,
    }
}

async fn speech_cuts(
    asterisk: &Asterisk,
    kind: MediaKind,
    way: &str,
    channel: &str,
    wrong: &mut Vec<String>,
) {
    // The word comes when 300 ms of the person's voice were heard, as a streaming recognizer's does.
    let script = vec![
        step(300, Do::Partial("да")),
        step(1_200, Do::Final("да всё верно")),
    ];
    let ears = VoskDouble::scripted(vec![script]).await;
    let place = Place::new();
    let server = Server::start(settings(asterisk, &place, kind, &ears.url, channel)).await;
    let one_c = server.one_c;
    one_c.order("c", "89180000001", "cut").await;
    let call = one_c.until("c", "talking", Duration::from_secs(10)).await;
    // What goes out to the person, recorded apart.
    let id = ChannelId::from_asterisk(call["attempt_list"][0]["channel_id"].as_str().unwrap());
    let (ami, _stop) = asterisk.ami().await;
    let name = format!("sent-{}-{way}", kind.as_str().replace('_', "-"));
    let sent = format!("{}/monitor/{name}.wav", asterisk.env["LAB_SPOOL_ASTERISK"]);
    let both = sent.replace(".wav", "-both.wav");
    let monitor = Action::new("MixMonitor")
        .with("Channel", id.as_str())
        .and_then(|a| a.with("File", both))
        .and_then(|a| a.with("options", format!("t({sent})")))
        .unwrap();
    ami.order(monitor, SOON).await.unwrap();
    let (call, history) = one_c.finished("c", Duration::from_secs(20)).await;
    let mut fail = |what: String| {
        wrong.push(format!(
            "{} over {way} on {}: {what}\n{history}",
            kind.as_str(),
            asterisk.version
        ));
    };
    if call["outcome"] != "confirmed" || call["data"]["barged_in"] != true {
        fail(format!("{call:#}"));
    }
    let words = history
        .must("utterance", "state", "first_words")
        .at_ms
        .unwrap();
    let cut = history.must("prompt", "event", "cut");
    let (stopped, played) = (cut.at_ms.unwrap(), cut.data["played_ms"].as_u64().unwrap());
    let took = stopped.saturating_sub(words);
    let file = format!("{}/monitor/{name}.wav", asterisk.env["LAB_SPOOL_HOST"]);
    let sounding = sounding_ms(Path::new(&file));
    row(
        "speech over the prompt",
        kind.as_str(),
        asterisk.version,
        way,
        &format!(
            "word at {words} ms, prompt stopped {took} ms later, {played} ms played, {sounding} ms of sound sent"
        ),
    );
    if took > LIMIT_MS {
        fail(format!("it took {took} ms"));
    }
    // The recording begins a moment after the prompt does, and the prompt begins with some silence.
    if played + 400 > LONG_MS || sounding > played + 100 || sounding == 0 {
        fail(format!("{sounding} ms of sound, {played} ms played"));
    }
    server.stop().await;
}

async fn on(version: &'static str, kinds: &[MediaKind]) {
    let Some((asterisk, _far)) = Asterisk::pair(version) else {
        return;
    };
    let mut wrong = Vec::new();
    for kind in kinds {
        for (way, channel) in [("Local", LOCAL), ("SIP", SIP)] {
            speech_cuts(&asterisk, *kind, way, channel, &mut wrong).await;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    asterisk.quiet().await;
}

#[ignore = "a real Asterisk"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn speech_over_the_prompt_16() {
    on("16", &[MediaKind::Rtp]).await;
}

#[ignore = "a real Asterisk"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn speech_over_the_prompt_22() {
    let kinds = [
        MediaKind::Rtp,
        MediaKind::AudiosocketTap,
        MediaKind::Audiosocket,
        MediaKind::ChanWebsocket,
    ];
    on("22", &kinds).await;
}
