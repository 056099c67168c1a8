//! Yandex SpeechKit TTS v3 as a voice.
//!
//! A text over the vendor's 250 characters is cut at the ends of its sentences (then at commas, then between words), each
//! piece is asked for, and the sound is joined. See [`crate::wire::yandex`] for the protocol.

#[cfg(test)]
mod tests;

use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::{Speed, Synthesis, TtsError, Voice};
use crate::audio::{Sound, wav};
use crate::net::backoff::Backoff;
use crate::net::yandex::{Cloud, CloudConfig, CloudError, CloudKey};
use crate::wire::yandex::tts::synthesizer_client::SynthesizerClient;
use crate::wire::yandex::{self as wire, Speech, Verdict};

/// The role that synthesis wants.
const ROLE: &str = "ai.speechkit-tts.user";
/// Syntheses at once; the vendor's quota is 40 a second.
pub const MAX_AT_ONCE: usize = 8;
/// Most bytes of one piece's sound: a minute; the vendor's bound is 24 s.
const MAX_PIECE_BYTES: usize = 60 * 16_000;
/// The same for a text that isn't cut.
const MAX_UNSAFE_BYTES: usize = 10 * MAX_PIECE_BYTES;
/// Slowest and fastest that the vendor takes.
const SPEEDS: (f64, f64) = (0.1, 3.0);
/// Tries of one piece.
const TRIES: u32 = 3;

/// How to speak, and where.
#[derive(Clone, Debug, PartialEq)]
pub struct YandexVoiceConfig {
    /// The voice's name in the config and in errors.
    pub name: String,
    /// Address and key.
    pub cloud: CloudConfig,
    /// Voice, role, speed.
    pub speech: Speech,
    /// Longest synthesis of one text.
    pub timeout: Duration,
}

impl YandexVoiceConfig {
    /// The vendor's address with `key`, voice marina.
    pub fn new(name: impl Into<String>, key: CloudKey) -> Self {
        Self {
            name: name.into(),
            cloud: CloudConfig {
                url: wire::TTS_URL.to_owned(),
                key,
                folder_id: String::new(),
                ca: None,
                connect_timeout: Duration::from_secs(2),
            },
            speech: Speech {
                model: String::new(),
                voice: "marina".to_owned(),
                role: String::new(),
                speed: 1.0,
                unsafe_mode: false,
            },
            timeout: Duration::from_secs(30),
        }
    }
}

/// See the module.
#[derive(Debug)]
pub struct YandexVoice {
    config: YandexVoiceConfig,
    cloud: Cloud,
    turns: Semaphore,
}

impl YandexVoice {
    /// Checks the config; connects only when it is to speak.
    pub fn new(config: YandexVoiceConfig) -> Result<Self, CloudError> {
        Ok(Self {
            cloud: Cloud::new(config.cloud.clone())?,
            config,
            turns: Semaphore::new(MAX_AT_ONCE),
        })
    }

    async fn speak(&self, text: &str, speed: Speed) -> Result<Sound, TtsError> {
        // Never closed, so always a permit.
        let _turn = self.turns.acquire().await;
        let speech = Speech {
            speed: (self.config.speech.speed * speed.factor()).clamp(SPEEDS.0, SPEEDS.1),
            ..self.config.speech.clone()
        };
        timeout(self.config.timeout, self.pieces(&speech, text))
            .await
            .map_err(|_| TtsError::Timeout {
                voice: self.config.name.clone(),
                ms: self.config.timeout.as_millis(),
            })?
    }

    async fn pieces(&self, speech: &Speech, text: &str) -> Result<Sound, TtsError> {
        let most = if self.config.speech.unsafe_mode {
            wire::MAX_UNSAFE_TEXT_CHARS
        } else {
            wire::MAX_TEXT_CHARS
        };
        let mut samples = Vec::new();
        for piece in split(text, most) {
            samples.extend(self.piece(speech, piece).await?);
        }
        Ok(Sound::new(text, samples))
    }

    async fn piece(&self, speech: &Speech, text: &str) -> Result<Vec<i16>, TtsError> {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        let mut fresh_key = false;
        loop {
            let verdict = match self.ask(speech, text).await? {
                Ok(bytes) => return self.samples(text, &bytes),
                Err(verdict) => verdict,
            };
            match verdict {
                Verdict::Key(_) if self.cloud.makes_tokens() && !fresh_key => {
                    fresh_key = true;
                    self.cloud.forget_token().await;
                }
                Verdict::Again(_) | Verdict::Renew(_) if backoff.failures() + 1 < TRIES => {
                    sleep(backoff.next_random()).await;
                }
                other => return Err(self.broken(other.reason())),
            }
        }
    }

    /// The bytes, or what the refusal asks for.
    async fn ask(&self, speech: &Speech, text: &str) -> Result<Result<Vec<u8>, Verdict>, TtsError> {
        let message = wire::utterance(speech, text);
        let request = self.cloud.sign(message).await;
        let request = request.map_err(|reason| self.broken(&reason))?;
        let lease = self.cloud.lease();
        let mut client = SynthesizerClient::new(lease.channel.clone());
        let mut chunks = match client.utterance_synthesis(request).await {
            Ok(response) => response.into_inner(),
            Err(status) => return Ok(Err(wire::verdict(&status, ROLE))),
        };
        let most = if self.config.speech.unsafe_mode {
            MAX_UNSAFE_BYTES
        } else {
            MAX_PIECE_BYTES
        };
        let mut bytes = Vec::new();
        loop {
            match chunks.message().await {
                Ok(Some(reply)) => bytes.extend(reply.audio_chunk.unwrap_or_default().data),
                Ok(None) => return Ok(Ok(bytes)),
                Err(status) => return Ok(Err(wire::verdict(&status, ROLE))),
            }
            if bytes.len() > most {
                return Err(TtsError::TooMuch {
                    voice: self.config.name.clone(),
                    most,
                });
            }
        }
    }

    fn samples(&self, text: &str, bytes: &[u8]) -> Result<Vec<i16>, TtsError> {
        if bytes.starts_with(b"RIFF") {
            let sound = wav::decode(text, bytes).map_err(|source| TtsError::Sound {
                voice: self.config.name.clone(),
                source,
            })?;
            return Ok(sound.samples.to_vec());
        }
        if bytes.len() < 2 {
            return Err(self.broken("the service answered without any sound"));
        }
        let pairs = bytes.chunks_exact(2);
        Ok(pairs.map(|b| i16::from_le_bytes([b[0], b[1]])).collect())
    }

    fn broken(&self, reason: &str) -> TtsError {
        TtsError::Broken {
            voice: self.config.name.clone(),
            reason: reason.to_owned(),
        }
    }
}

impl Voice for YandexVoice {
    fn name(&self) -> &str {
        &self.config.name
    }

    fn identity(&self) -> String {
        let s = &self.config.speech;
        let speed = s.speed.to_string();
        ["yandex", &s.model, &s.voice, &s.role, &speed].join("\u{0}")
    }

    fn synth<'a>(&'a self, text: &'a str, speed: Speed) -> Synthesis<'a> {
        Box::pin(self.speak(text, speed))
    }

    fn takes_speed(&self) -> bool {
        true
    }
}

/// `text` in pieces of at most `most` characters: at the last end of a sentence that fits, else at a comma, else between
/// words, else within a word.
fn split(text: &str, most: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text.trim();
    while let Some((limit, _)) = rest.char_indices().nth(most) {
        let fits = &rest[..limit];
        let after = |marks: &[char]| {
            let ends = fits.char_indices().filter(|(at, c)| {
                // Not in 3.5 or 10:30: a blank follows.
                marks.contains(c) && rest[at + c.len_utf8()..].starts_with(' ')
            });
            ends.map(|(at, c)| at + c.len_utf8()).next_back()
        };
        let cut = after(&['.', '!', '?', '…'])
            .or_else(|| after(&[',', ';', ':', '—', '–']))
            .or_else(|| fits.rfind(' ').filter(|at| *at > 0))
            .unwrap_or(limit);
        let (piece, left) = rest.split_at(cut);
        pieces.push(piece.trim_end());
        rest = left.trim_start();
    }
    if !rest.is_empty() {
        pieces.push(rest);
    }
    pieces
}
