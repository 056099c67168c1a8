//! From settings to recognizers and voices; and what is to be done about calls that a crash cut off.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::asr::Recognizer;
#[cfg(feature = "sherpa")]
use crate::asr::sherpa::{Sherpa, SherpaConfig};
use crate::asr::typed::Typed;
use crate::asr::vosk::{Vosk, VoskConfig};
use crate::config::{Config, RecognizerConfig, VoiceConfig};
use crate::net::ami::Ami;
use crate::store::{Fate, Store};
use crate::tts::{Cached, CommandConfig, CommandVoice, Voice};

/// A channel that a crash left behind is hung up within this, once Asterisk is there.
const HANG_UP_DEADLINE: Duration = Duration::from_secs(60);

/// The recognizers of the config; `None` where one can't be used.
pub(super) fn recognizers(
    config: &Config,
    keep: &mut dyn FnMut(String),
) -> Option<Vec<Arc<dyn Recognizer>>> {
    let mut all: Vec<Arc<dyn Recognizer>> = Vec::new();
    let mut sound = true;
    for recognizer in &config.recognizers {
        match recognizer {
            RecognizerConfig::Vosk {
                name,
                url,
                reset_on_end,
            } => {
                let mut settings = VoskConfig::new(name, url);
                settings.reset_on_end = *reset_on_end;
                match Vosk::new(settings) {
                    Ok(vosk) => all.push(Arc::new(vosk)),
                    Err(error) => {
                        keep(format!("recognizers: {name}: {error}"));
                        sound = false;
                    }
                }
            }
            #[cfg(feature = "sherpa")]
            RecognizerConfig::Sherpa {
                name,
                model,
                threads,
                streams,
            } => {
                let settings = SherpaConfig {
                    name: name.clone(),
                    model: model.clone(),
                    threads: *threads,
                    streams: *streams,
                };
                match Sherpa::load(&settings) {
                    Ok(sherpa) => all.push(Arc::new(sherpa)),
                    Err(error) => {
                        keep(format!("recognizers: {error}"));
                        sound = false;
                    }
                }
            }
            // The settings are refused at their line before; a config that was made by hand is refused here.
            #[cfg(not(feature = "sherpa"))]
            RecognizerConfig::Sherpa { name, .. } => {
                keep(format!(
                    "recognizers: {name}: built without feature sherpa: cargo build --release --features sherpa"
                ));
                sound = false;
            }
            RecognizerConfig::Typed => all.push(Arc::new(Typed::new())),
        }
    }
    sound.then_some(all)
}

/// The voices of the config; `None` where one can't be used.
pub(super) fn voices(config: &Config, keep: &mut dyn FnMut(String)) -> Option<Vec<Arc<dyn Voice>>> {
    let mut all: Vec<Arc<dyn Voice>> = Vec::new();
    let mut sound = true;
    for voice in &config.voices {
        let VoiceConfig::Command {
            name,
            command,
            timeout_ms,
            cache,
            cache_bytes,
        } = voice;
        let settings = CommandConfig {
            name: name.clone(),
            command: command.clone(),
            timeout: Duration::from_millis(*timeout_ms),
        };
        match CommandVoice::new(settings) {
            Ok(voice) => all.push(Arc::new(Cached::new(voice, cache.clone(), *cache_bytes))),
            Err(error) => {
                keep(format!("voices: {name}: {error}"));
                sound = false;
            }
        }
    }
    sound.then_some(all)
}

/// Closes or queues again the calls that a crash cut off, and ends the channels that Asterisk may still hold for them.
pub(super) async fn recover(store: &Store, ami: &Ami, ring_timeout_ms: u64) {
    let now = Timestamp::now();
    // Asterisk may still be ringing the person: not before it has given up.
    let ring = SignedDuration::from_millis(i64::try_from(ring_timeout_ms).unwrap_or(60_000));
    let recovered = match store
        .recover(now, now.saturating_add(ring).unwrap_or(now))
        .await
    {
        Ok(recovered) => recovered,
        Err(error) => {
            tracing::error!(%error, "calls that a crash cut off can't be looked for");
            return;
        }
    };
    for call in recovered {
        let fate = match call.fate {
            Fate::QueuedAgain => "queued again",
            Fate::Closed => "closed with runtime_error",
            Fate::Cancelled => "cancelled",
        };
        tracing::warn!(call = %call.id, attempt = call.attempt, fate, "a crash cut this call off");
        let ami = ami.clone();
        tokio::spawn(async move {
            let _ = ami.hang_up(&call.channel_id, 16, HANG_UP_DEADLINE).await;
        });
    }
}
