//! From settings to recognizers and voices; and what is to be done about calls that a crash cut off.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::asr::Recognizer;
use crate::asr::listed::Listed;
#[cfg(feature = "sherpa")]
use crate::asr::sherpa::{Sherpa, SherpaConfig};
use crate::asr::tape::Gate;
use crate::asr::typed::Typed;
use crate::asr::vosk::{Vosk, VoskConfig};
use crate::asr::yandex::{Yandex, YandexConfig};
use crate::config::{Config, RecognizerConfig, VoiceConfig, YandexCloud, YandexEou};
use crate::ident::ChannelId;
use crate::net::ami::Ami;
use crate::net::yandex::{CloudConfig, CloudKey};
use crate::store::{Fate, Store};
use crate::tts::yandex::{YandexVoice, YandexVoiceConfig};
use crate::tts::{Cached, CommandConfig, CommandVoice, Voice};
use crate::wire::yandex::{Classifier, Speech};

/// A channel that a crash left behind is hung up within this, once Asterisk is there.
const HANG_UP_DEADLINE: Duration = Duration::from_secs(60);
/// It goes within a moment of being told; so often it is told.
const HANG_UPS: u32 = 50;
const HANG_UP_PAUSE: Duration = Duration::from_millis(100);

/// The recognizers of the config; `None` where one can't be used.
pub fn recognizers(config: &Config, keep: &mut dyn FnMut(String)) -> Option<Vec<Arc<Listed>>> {
    let mut all = Vec::new();
    let mut sound = true;
    for recognizer in &config.recognizers {
        let gate = recognizer
            .speech_only()
            .map(|around| Gate::from_ms(around.before_ms, around.after_ms));
        match one(recognizer) {
            Ok(inner) => all.push(Arc::new(Listed::new(inner, gate))),
            Err(error) => {
                keep(format!("recognizers: {}: {error}", recognizer.name()));
                sound = false;
            }
        }
    }
    sound.then_some(all)
}

fn one(recognizer: &RecognizerConfig) -> Result<Arc<dyn Recognizer>, String> {
    Ok(match recognizer {
        RecognizerConfig::Vosk {
            name,
            url,
            reset_on_end,
            config_message,
            sample_rate,
            grammar,
            speech_only: _,
        } => {
            let mut settings = VoskConfig::new(name, url);
            settings.reset_on_end = *reset_on_end;
            settings.config_message = *config_message;
            settings.sample_rate = *sample_rate;
            settings.grammar = *grammar;
            Arc::new(Vosk::new(settings).map_err(|e| e.to_string())?)
        }
        RecognizerConfig::Yandex {
            name,
            cloud,
            model,
            language,
            eou,
            max_pause_ms,
            normalization,
            longest_session_ms,
            session_bytes,
            idle_ms,
            final_timeout_ms,
            speech_only: _,
        } => {
            let mut settings = YandexConfig::new(name, key(cloud));
            reach(&mut settings.cloud, cloud);
            settings.session.model.clone_from(model);
            settings.session.language.clone_from(language);
            settings.session.max_pause_ms = *max_pause_ms;
            settings.session.classifier = match eou {
                YandexEou::External => Classifier::External,
                YandexEou::Default => Classifier::Default,
                YandexEou::High => Classifier::High,
            };
            settings.session.normalization = *normalization;
            settings.longest_session = Duration::from_millis(*longest_session_ms);
            settings.session_bytes = *session_bytes;
            settings.idle_after = Duration::from_millis(*idle_ms);
            settings.final_timeout = Duration::from_millis(*final_timeout_ms);
            Arc::new(Yandex::new(settings).map_err(|e| e.to_string())?)
        }
        #[cfg(feature = "sherpa")]
        RecognizerConfig::Sherpa {
            name,
            model,
            threads,
            streams,
            speech_only: _,
        } => {
            let settings = SherpaConfig {
                name: name.clone(),
                model: model.clone(),
                threads: *threads,
                streams: *streams,
            };
            Arc::new(Sherpa::load(&settings).map_err(|e| e.to_string())?)
        }
        // The settings are refused at their line before; a config that was made by hand is refused here.
        #[cfg(not(feature = "sherpa"))]
        RecognizerConfig::Sherpa { .. } => {
            return Err(
                "built without feature sherpa: cargo build --release --features sherpa".to_owned(),
            );
        }
        RecognizerConfig::Typed => Arc::new(Typed::new()),
    })
}

/// The voices of the config, each with what it has spoken before; `None` where one can't be used.
pub(super) fn voices(config: &Config, keep: &mut dyn FnMut(String)) -> Option<Vec<Arc<dyn Voice>>> {
    let cached = |(voice, cache, bytes)| -> Arc<dyn Voice> {
        Arc::new(Cached::<Arc<dyn Voice>>::new(voice, cache, bytes))
    };
    let bare = bare_voices(config, keep)?;
    Some(bare.into_iter().map(cached).collect())
}

/// A voice, its cache's folder, and the most that may lie there.
type Bare = (Arc<dyn Voice>, PathBuf, u64);

/// The same voices without what they have spoken before.
pub(super) fn bare_voices(config: &Config, keep: &mut dyn FnMut(String)) -> Option<Vec<Bare>> {
    let mut all: Vec<Bare> = Vec::new();
    let mut sound = true;
    for voice in &config.voices {
        let made = match voice {
            VoiceConfig::Command {
                name,
                command,
                timeout_ms,
                cache,
                cache_bytes,
            } => {
                let settings = CommandConfig {
                    name: name.clone(),
                    command: command.clone(),
                    timeout: Duration::from_millis(*timeout_ms),
                };
                CommandVoice::new(settings)
                    .map(|v| all.push((Arc::new(v), cache.clone(), *cache_bytes)))
                    .map_err(|e| format!("voices: {name}: {e}"))
            }
            VoiceConfig::Yandex {
                name,
                cloud,
                model,
                voice,
                role,
                speed,
                unsafe_mode,
                timeout_ms,
                cache,
                cache_bytes,
            } => {
                let mut settings = YandexVoiceConfig::new(name, key(cloud));
                reach(&mut settings.cloud, cloud);
                settings.speech = Speech {
                    model: model.clone(),
                    voice: voice.clone(),
                    role: role.clone(),
                    speed: *speed,
                    unsafe_mode: *unsafe_mode,
                };
                settings.timeout = Duration::from_millis(*timeout_ms);
                YandexVoice::new(settings)
                    .map(|v| all.push((Arc::new(v), cache.clone(), *cache_bytes)))
                    .map_err(|e| format!("voices: {name}: {e}"))
            }
        };
        if let Err(fault) = made {
            keep(fault);
            sound = false;
        }
    }
    sound.then_some(all)
}

fn key(cloud: &YandexCloud) -> CloudKey {
    if cloud.iam_token_command.is_empty() {
        CloudKey::ApiKey(cloud.api_key.clone())
    } else {
        CloudKey::IamCommand(cloud.iam_token_command.clone())
    }
}

fn reach(settings: &mut CloudConfig, cloud: &YandexCloud) {
    if !cloud.url.is_empty() {
        settings.url.clone_from(&cloud.url);
    }
    settings.folder_id.clone_from(&cloud.folder_id);
    settings.ca.clone_from(&cloud.ca);
}

/// Closes or queues again the calls that a crash cut off, and ends the channels that Asterisk may still hold for them: the
/// answer is true when none is left.
pub(super) async fn recover(
    store: &Store,
    ami: &Ami,
    ring_timeout_ms: u64,
    stop: &CancellationToken,
) -> (watch::Receiver<bool>, u64) {
    let (cleared_in, cleared) = watch::channel(false);
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
            Vec::new()
        }
    };
    let mut unknown = 0;
    for call in &recovered {
        let fate = match call.fate {
            Fate::QueuedAgain => "queued again",
            Fate::Closed => "closed with runtime_error",
            Fate::Cancelled => "cancelled",
        };
        unknown += u64::from(call.fate == Fate::QueuedAgain);
        tracing::warn!(call = %call.id, attempt = call.attempt, fate, "a crash cut this call off");
    }
    let (ami, stop) = (ami.clone(), stop.clone());
    tokio::spawn(async move {
        let ends = recovered.iter().map(|call| end(&ami, &call.channel_id));
        tokio::select! {
            _ = join_all(ends) => {}
            () = stop.cancelled() => return,
        }
        cleared_in.send_replace(true);
        // Whoever waits has the value; the sender may go.
    });
    (cleared, unknown)
}

/// Ends a channel that a crash left behind, once Asterisk is there; returns when it is gone.
async fn end(ami: &Ami, channel: &ChannelId) {
    let mut hung_up = 0;
    while hung_up < HANG_UPS {
        match ami.hang_up(channel, 16, HANG_UP_DEADLINE).await {
            Ok(false) => return,
            Ok(true) => {
                hung_up += 1;
                tokio::time::sleep(HANG_UP_PAUSE).await;
            }
            Err(error) => {
                tracing::debug!(%error, "a channel that a crash left behind can't be hung up yet");
                tokio::time::sleep(HANG_UP_PAUSE * 10).await;
            }
        }
    }
    tracing::warn!(channel = %channel, "a channel that a crash left behind doesn't go");
}
