//! Messages of Yandex SpeechKit v3, recognition and synthesis: requests built, replies read into values.
//!
//! [`stt`] and [`tts`] are generated from `yandex/*.proto`, our own trimmed copies of the vendor's files (field numbers,
//! limits and codes: yandex-cloud/cloudapi and its documentation, 2026). Unknown fields are skipped.

use tonic::{Code, Status};

/// Recognition, generated.
#[allow(
    missing_docs,
    unreachable_pub,
    rustdoc::all,
    clippy::all,
    clippy::unwrap_used
)]
pub mod stt {
    tonic::include_proto!("speechkit.stt.v3");
}

/// Synthesis, generated.
#[allow(
    missing_docs,
    unreachable_pub,
    rustdoc::all,
    clippy::all,
    clippy::unwrap_used
)]
pub mod tts {
    tonic::include_proto!("speechkit.tts.v3");
}

/// Where recognition listens.
pub const STT_URL: &str = "https://stt.api.cloud.yandex.net:443";
/// Where synthesis listens.
pub const TTS_URL: &str = "https://tts.api.cloud.yandex.net:443";
/// Longest session, ms of audio: `OUT_OF_RANGE` past it.
pub const MAX_SESSION_MS: u64 = 5 * 60 * 1000;
/// Longest session, bytes of audio.
pub const MAX_SESSION_BYTES: u64 = 10_000_000;
/// A session without a message for so long is aborted, ms.
pub const IDLE_ABORT_MS: u64 = 5_000;
/// Longest text of one synthesis, characters.
pub const MAX_TEXT_CHARS: usize = 250;
/// The same in unsafe mode.
pub const MAX_UNSAFE_TEXT_CHARS: usize = 5_000;
/// Longest reply that is read, bytes.
pub const MAX_REPLY_BYTES: usize = 1 << 20;
/// Longest text of one reply that is taken, characters; more is cut.
pub const MAX_HEARD_CHARS: usize = 10_000;

/// Who decides that an utterance has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Classifier {
    /// We, by the message `eou`.
    #[default]
    External,
    /// The vendor, at its usual pace.
    Default,
    /// The vendor, sooner.
    High,
}

/// What a recognition session is opened with; audio is 8 kHz mono 16 bit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SttSession {
    /// `general`, `general:rc`, `general:deprecated`, or one's own.
    pub model: String,
    /// `ru-RU`.
    pub language: String,
    /// Who ends utterances.
    pub classifier: Classifier,
    /// The vendor's classifier: longest pause between words, ms; 0 leaves it to the vendor.
    pub max_pause_ms: u64,
    /// Figures instead of words for numbers and dates.
    pub normalization: bool,
}

/// The first message of a session.
pub fn session(options: &SttSession) -> stt::StreamingRequest {
    use stt::eou_classifier_options::Classifier as Eou;
    use stt::language_restriction_options::LanguageRestrictionType;
    use stt::recognition_model_options::AudioProcessingType;
    use stt::text_normalization_options::TextNormalization;
    let sensitivity = match options.classifier {
        Classifier::High => stt::default_eou_classifier::EouSensitivity::High,
        _ => stt::default_eou_classifier::EouSensitivity::Default,
    };
    let classifier = match options.classifier {
        Classifier::External => Eou::ExternalClassifier(stt::ExternalEouClassifier {}),
        Classifier::Default | Classifier::High => {
            Eou::DefaultClassifier(stt::DefaultEouClassifier {
                r#type: sensitivity.into(),
                max_pause_between_words_hint_ms: signed(options.max_pause_ms),
            })
        }
    };
    let normalization = if options.normalization {
        TextNormalization::Enabled
    } else {
        // Words, as dialogs match them; normalizing costs time besides.
        TextNormalization::Disabled
    };
    let raw = stt::RawAudio {
        audio_encoding: stt::raw_audio::AudioEncoding::Linear16Pcm.into(),
        sample_rate_hertz: 8_000,
        audio_channel_count: 1,
    };
    request(stt::streaming_request::Event::SessionOptions(
        stt::StreamingOptions {
            recognition_model: Some(stt::RecognitionModelOptions {
                model: options.model.clone(),
                audio_format: Some(stt::AudioFormatOptions {
                    audio_format: Some(stt::audio_format_options::AudioFormat::RawAudio(raw)),
                }),
                text_normalization: Some(stt::TextNormalizationOptions {
                    text_normalization: normalization.into(),
                }),
                language_restriction: Some(stt::LanguageRestrictionOptions {
                    restriction_type: LanguageRestrictionType::Whitelist.into(),
                    language_code: vec![options.language.clone()],
                }),
                audio_processing_type: AudioProcessingType::RealTime.into(),
            }),
            eou_classifier: Some(stt::EouClassifierOptions {
                classifier: Some(classifier),
            }),
        },
    ))
}

/// Audio, 8 kHz.
pub fn audio(samples: &[i16]) -> stt::StreamingRequest {
    let data = samples.iter().flat_map(|s| s.to_le_bytes()).collect();
    request(stt::streaming_request::Event::Chunk(stt::AudioChunk {
        data,
    }))
}

/// Silence in place of audio, ms.
pub fn silence(duration_ms: u64) -> stt::StreamingRequest {
    let duration_ms = signed(duration_ms);
    request(stt::streaming_request::Event::SilenceChunk(
        stt::SilenceChunk { duration_ms },
    ))
}

/// The utterance has ended here.
pub fn end_of_utterance() -> stt::StreamingRequest {
    request(stt::streaming_request::Event::Eou(stt::Eou {}))
}

fn request(event: stt::streaming_request::Event) -> stt::StreamingRequest {
    stt::StreamingRequest { event: Some(event) }
}

fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

/// A text and its place, ms of the session's audio; 0 and 0 where the vendor doesn't tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeardText {
    /// The words.
    pub text: String,
    /// Where they begin.
    pub start_ms: u64,
    /// Where they end.
    pub end_ms: u64,
}

/// What a reply says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SttEvent {
    /// The text so far, after the last final; often empty.
    Partial(HeardText),
    /// Part of an utterance: its text won't change.
    Final(HeardText),
    /// The last final once more, with figures.
    Refined(HeardText),
    /// The utterance has ended, at this ms of the session (0: not told). May be said twice for one utterance.
    EndOfUtterance {
        /// Where. With the external classifier: the audio received when our `eou` came.
        time_ms: u64,
    },
    /// Neither, for instance the sign of life that comes at an even pace.
    Other,
}

/// One reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SttReply {
    /// What it says.
    pub event: SttEvent,
    /// Audio that the server has received, ms of the session, if it tells.
    pub received_ms: Option<u64>,
    /// Number of the last final, if it tells: grows with each.
    pub final_index: Option<i64>,
}

/// Reads one reply; times below 0 are taken for not told.
pub fn read(reply: stt::StreamingResponse) -> SttReply {
    use stt::streaming_response::Event;
    let event = match reply.event {
        Some(Event::Partial(update)) => SttEvent::Partial(heard(update)),
        Some(Event::Final(update)) => SttEvent::Final(heard(update)),
        Some(Event::EouUpdate(update)) => SttEvent::EndOfUtterance {
            time_ms: unsigned(update.time_ms),
        },
        Some(Event::FinalRefinement(refined)) => {
            SttEvent::Refined(heard(refined.normalized_text.unwrap_or_default()))
        }
        Some(Event::StatusCode(_)) | None => SttEvent::Other,
    };
    SttReply {
        event,
        received_ms: reply.audio_cursors.map(|c| unsigned(c.received_data_ms)),
        final_index: reply.audio_cursors.map(|c| c.final_index),
    }
}

/// The best alternative is the first.
fn heard(update: stt::AlternativeUpdate) -> HeardText {
    let Some(best) = update.alternatives.into_iter().next() else {
        return HeardText::default();
    };
    let text: String = best.text.chars().take(MAX_HEARD_CHARS).collect();
    HeardText {
        text: text.split_whitespace().collect::<Vec<_>>().join(" "),
        start_ms: unsigned(best.start_time_ms),
        end_ms: unsigned(best.end_time_ms),
    }
}

fn unsigned(ms: i64) -> u64 {
    u64::try_from(ms).unwrap_or(0)
}

/// How a text is spoken.
#[derive(Clone, Debug, PartialEq)]
pub struct Speech {
    /// Empty: the vendor's usual one.
    pub model: String,
    /// `marina`, `filipp`, ...
    pub voice: String,
    /// `friendly`, ...; empty: the voice's usual one.
    pub role: String,
    /// 0.1 to 3, 1 is usual.
    pub speed: f64,
    /// Allow texts over [`MAX_TEXT_CHARS`].
    pub unsafe_mode: bool,
}

/// Speak `text` as 8 kHz 16-bit samples without a header.
pub fn utterance(speech: &Speech, text: &str) -> tts::UtteranceSynthesisRequest {
    use tts::hints::Hint;
    let mut hints = vec![Hint::Voice(speech.voice.clone())];
    if speech.speed != 1.0 {
        hints.push(Hint::Speed(speech.speed));
    }
    if !speech.role.is_empty() {
        hints.push(Hint::Role(speech.role.clone()));
    }
    let raw = tts::RawAudio {
        audio_encoding: tts::raw_audio::AudioEncoding::Linear16Pcm.into(),
        sample_rate_hertz: 8_000,
    };
    tts::UtteranceSynthesisRequest {
        model: speech.model.clone(),
        utterance: Some(tts::utterance_synthesis_request::Utterance::Text(
            text.to_owned(),
        )),
        hints: hints
            .into_iter()
            .map(|hint| tts::Hints { hint: Some(hint) })
            .collect(),
        output_audio_spec: Some(tts::AudioFormatOptions {
            audio_format: Some(tts::audio_format_options::AudioFormat::RawAudio(raw)),
        }),
        unsafe_mode: speech.unsafe_mode,
    }
}

/// What a refusal asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing will help but the mend that is named.
    Fatal(String),
    /// The key isn't taken: a fresh one may be.
    Key(String),
    /// The session is over its length: a new one goes on.
    Renew(String),
    /// It may work when tried again.
    Again(String),
}

impl Verdict {
    /// The words.
    pub fn reason(&self) -> &str {
        let (Self::Fatal(reason) | Self::Key(reason) | Self::Renew(reason) | Self::Again(reason)) =
            self;
        reason
    }
}

/// What `status` asks for: by its code, never by its text. `role` is the one that the service wants.
pub fn verdict(status: &Status, role: &str) -> Verdict {
    let told = tell(status);
    match status.code() {
        Code::Unauthenticated => Verdict::Key(format!(
            "{told}: the key is refused; check api_key, or what iam_token_command prints"
        )),
        Code::PermissionDenied => Verdict::Fatal(format!(
            "{told}: the account may not; give it the role {role}, and leave folder_id empty for a service account"
        )),
        Code::ResourceExhausted => Verdict::Fatal(format!(
            "{told}: the quota is used up; raise SpeechKit's quotas of requests a second and of sessions in the cloud's console, or lower calls.at_once"
        )),
        Code::InvalidArgument | Code::NotFound | Code::FailedPrecondition => {
            Verdict::Fatal(format!(
                "{told}: the request is refused; check model, language, voice and role in the config"
            ))
        }
        Code::Unimplemented => {
            Verdict::Fatal(format!("{told}: no SpeechKit v3 is there; check url"))
        }
        Code::OutOfRange => Verdict::Renew(told),
        _ => Verdict::Again(told),
    }
}

/// The code's name, the message, and what lies under it.
fn tell(status: &Status) -> String {
    let mut told = format!("{:?}", status.code());
    let mut words = vec![status.message().to_owned()];
    let mut under = std::error::Error::source(status);
    while let Some(error) = under {
        words.push(error.to_string());
        under = error.source();
    }
    words.dedup();
    for word in words.iter().filter(|w| !w.is_empty()).take(4) {
        let word: String = word.chars().filter(|c| !c.is_control()).take(200).collect();
        told = format!("{told}: {word}");
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message;

    /// Bytes written by hand from the vendor's field numbers, so that a wrong number in our `.proto` shows.
    #[test]
    fn requests_have_the_vendors_numbers() {
        let options = SttSession {
            model: "general".into(),
            language: "ru-RU".into(),
            classifier: Classifier::External,
            max_pause_ms: 0,
            normalization: false,
        };
        let expect = [
            &b"\x0a\x28"[..],                                // session_options = 1
            b"\x0a\x22",                                     // recognition_model = 1
            b"\x0a\x07general",                              // model = 1
            b"\x12\x09\x0a\x07\x08\x01\x10\xc0\x3e\x18\x01", // audio_format = 2: raw 1: PCM, 8000, one channel
            b"\x1a\x02\x08\x02",                             // text_normalization = 3: disabled
            b"\x22\x09\x08\x01\x12\x05ru-RU",                // language_restriction = 4: whitelist
            b"\x28\x01",                                     // audio_processing_type = 5: real time
            b"\x12\x02\x12\x00",                             // eou_classifier = 2: external = 2
        ]
        .concat();
        let bytes = session(&options).encode_to_vec();
        assert_eq!(bytes[4..], expect[4..]);
        assert_eq!(usize::from(bytes[1]) + 2, bytes.len());
        let high = session(&SttSession {
            classifier: Classifier::High,
            max_pause_ms: 700,
            ..options
        });
        assert!(
            high.encode_to_vec()
                .ends_with(b"\x12\x07\x0a\x05\x08\x02\x10\xbc\x05")
        );
        assert_eq!(
            audio(&[1, -1]).encode_to_vec(),
            b"\x12\x06\x0a\x04\x01\x00\xff\xff"
        );
        assert_eq!(silence(2000).encode_to_vec(), b"\x1a\x03\x08\xd0\x0f");
        assert_eq!(end_of_utterance().encode_to_vec(), b"\x22\x00");
    }

    #[test]
    fn replies_are_read_and_what_is_unknown_is_skipped() {
        let decode = |bytes: &[u8]| read(stt::StreamingResponse::decode(bytes).unwrap());
        // alternatives = 1 {words = 1 (skipped), text = 2, start_time_ms = 3, end_time_ms = 4, confidence = 5 (skipped)}
        let best = [
            &b"\x0a\x02\x0a\x00\x12\x05 \xd0\xb4\xd0\xb0\x18\x0a\x20\x64\x29"[..],
            &1.0f64.to_le_bytes(),
        ]
        .concat();
        let n = best.len() as u8;
        // audio_cursors = 2 {received_data_ms = 1, final_index = 5}, final = 5
        let head = [0x12, 4, 0x08, 0x64, 0x28, 3, 0x2a, n + 2, 0x0a, n];
        let bytes = [&head[..], &best].concat();
        assert_eq!(
            decode(&bytes),
            SttReply {
                event: SttEvent::Final(HeardText {
                    text: "да".into(),
                    start_ms: 10,
                    end_ms: 100
                }),
                received_ms: Some(100),
                final_index: Some(3),
            }
        );
        for (bytes, event) in [
            (&b"\x22\x00"[..], SttEvent::Partial(HeardText::default())),
            (
                b"\x32\x03\x10\xac\x02",
                SttEvent::EndOfUtterance { time_ms: 300 },
            ),
            (b"\x42\x02\x08\x01", SttEvent::Other),
            // final_refinement = 7 {final_index = 1, normalized_text = 2 {alternatives = 1 {text = 2}}}
            (
                b"\x3a\x09\x08\x01\x12\x05\x0a\x03\x12\x01\x35",
                SttEvent::Refined(HeardText {
                    text: "5".into(),
                    ..HeardText::default()
                }),
            ),
            (b"", SttEvent::Other),
        ] {
            let reply = decode(bytes);
            assert_eq!((reply.event, reply.received_ms), (event, None));
        }
    }

    #[test]
    fn a_code_decides_what_is_done() {
        let tell = |code, text: &str| verdict(&Status::new(code, text), "ai.speechkit-stt.user");
        assert!(
            matches!(tell(Code::Unauthenticated, "x"), Verdict::Key(r) if r.contains("api_key"))
        );
        assert!(
            matches!(tell(Code::PermissionDenied, "x"), Verdict::Fatal(r) if r.contains("stt.user"))
        );
        assert!(
            matches!(tell(Code::ResourceExhausted, "rps"), Verdict::Fatal(r) if r.contains("rps") && r.contains("quota"))
        );
        assert!(
            matches!(tell(Code::InvalidArgument, "model"), Verdict::Fatal(r) if r.contains("model"))
        );
        assert!(matches!(tell(Code::OutOfRange, ""), Verdict::Renew(_)));
        for code in [
            Code::Unavailable,
            Code::DeadlineExceeded,
            Code::Internal,
            Code::Unknown,
            Code::Aborted,
        ] {
            assert!(matches!(tell(code, ""), Verdict::Again(_)), "{code:?}");
        }
    }

    #[test]
    fn a_voice_is_asked_with_one_hint_a_message() {
        let speech = Speech {
            model: String::new(),
            voice: "marina".into(),
            role: "friendly".into(),
            speed: 1.5,
            unsafe_mode: false,
        };
        let bytes = utterance(&speech, "да").encode_to_vec();
        let expect = [
            &b"\x12\x04\xd0\xb4\xd0\xb0"[..],        // text = 2
            b"\x22\x08\x0a\x06marina",               // hints = 4: voice = 1
            b"\x22\x09\x19\0\0\0\0\0\0\xf8\x3f",     // speed = 3
            b"\x22\x0a\x2a\x08friendly",             // role = 5
            b"\x2a\x07\x0a\x05\x08\x01\x10\xc0\x3e", // output_audio_spec = 5: raw = 1
        ]
        .concat();
        assert_eq!(bytes, expect);
    }
}
