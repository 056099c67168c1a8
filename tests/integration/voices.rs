//! Voices that are programs, in the whole server: one that fails, and texts that are spoken before anybody calls.

use std::path::Path;
use std::time::Duration;

use govorun::audio::wav;
use govorun::config::{Config, MediaKind, VoiceConfig};

use super::app::{ASK, TestApp};

fn voice(name: &str, command: &[&str], folder: &Path) -> VoiceConfig {
    VoiceConfig::Command {
        name: name.to_owned(),
        command: command.iter().map(|s| (*s).to_owned()).collect(),
        timeout_ms: 5_000,
        cache: folder.join("voice-cache"),
        cache_bytes: 1 << 20,
    }
}

fn folder(config: &Config) -> &Path {
    config.scripts.folder.parent().unwrap()
}

/// A program that speaks half a second.
fn good(folder: &Path) -> VoiceConfig {
    let wav = folder.join("half.wav");
    std::fs::write(&wav, wav::encode(&[700; 4_000])).unwrap();
    voice("good", &["cat", &wav.display().to_string()], folder)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_voice_that_fails_is_stood_in_for_and_recorded() {
    let app = TestApp::with(MediaKind::AudiosocketTap, |config| {
        let scripts = &config.scripts.folder;
        std::fs::create_dir_all(scripts.join("sounds")).unwrap();
        let sorry = wav::encode(&[700; 4_000]);
        std::fs::write(scripts.join("sounds/sorry.wav"), sorry).unwrap();
        std::fs::write(scripts.join("visit.yaml"), "fallback: sorry\n").unwrap();
        config.voices = vec![voice("bad", &["false"], folder(config))];
    })
    .await;
    // The person answers what they heard: the prompt that stood in.
    app.order("stood-in", "01").await;
    let call = app.end_of("stood-in").await;
    assert_eq!(call["outcome"], "confirmed", "{call:#}");
    let events = app.events("stood-in").await;
    let faults: Vec<_> = events.iter().filter(|e| e["kind"] == "fault").collect();
    assert_eq!(faults.len(), 2, "{faults:#?}");
    let data = &faults[0]["data"];
    assert_eq!(data["text"], "Здравствуйте! Вы приедете?", "{data}");
    assert_eq!(data["instead"], "sorry", "{data}");
    assert!(
        data["message"].as_str().unwrap().contains("\"bad\""),
        "{data}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_voice_that_fails_leaves_the_call_to_the_next() {
    let app = TestApp::with(MediaKind::AudiosocketTap, |config| {
        let bad = voice("bad", &["false"], folder(config));
        config.voices = vec![bad, good(folder(config))];
    })
    .await;
    app.order("next", "01").await;
    let call = app.end_of("next").await;
    assert_eq!(call["outcome"], "confirmed", "{call:#}");
    let events = app.events("next").await;
    assert!(events.iter().all(|e| e["kind"] != "fault"), "{events:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn known_texts_are_spoken_before_anybody_calls() {
    let app = TestApp::with(MediaKind::AudiosocketTap, |config| {
        config.voices = vec![good(folder(config))];
        config.calls.fallback = "Извините.".to_owned();
    })
    .await;
    let cache = app.folder.path().join("voice-cache");
    // The question, "Ждём вас!" and the fallback.
    until(&cache, 3).await;
    app.write_script(&ASK.replace("Ждём вас!", "Очень ждём вас!"));
    until(&cache, 4).await;
}

async fn until(cache: &Path, files: usize) {
    let mut found = 0;
    for _ in 0..400 {
        found = std::fs::read_dir(cache).map_or(0, |entries| {
            let names = entries.map(|e| e.unwrap().file_name().into_string().unwrap());
            names.filter(|name| name.ends_with(".wav")).count()
        });
        if found == files {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{found} sounds instead of {files}");
}
