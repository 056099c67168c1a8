//! The keys of Yandex SpeechKit, as a recognizer and as a voice.

use std::path::PathBuf;

use super::fault::Wrong;
use super::node::Place;
use super::read::set;
use super::table::{Reader, Table};
use super::{RecognizerConfig, VoiceConfig, YandexCloud, YandexEou};
use crate::ident::Secret;

impl Reader<'_> {
    fn yandex_cloud(&mut self, t: &mut Table, at: Place) -> YandexCloud {
        let mut cloud = YandexCloud {
            url: String::new(),
            api_key: Secret::default(),
            iam_token_command: Vec::new(),
            folder_id: String::new(),
            ca: None,
        };
        // Asked of what is written, not of what could be read: a mistake in a key is told once.
        let one = t.has("api_key") != t.has("iam_token_command");
        if let Some(spot) = self.spot(t, "api_key") {
            set(&mut cloud.api_key, self.words(&spot).map(Secret::new));
        }
        if let Some(spot) = self.spot(t, "iam_token_command") {
            cloud.iam_token_command = self.command(&spot);
            if cloud
                .iam_token_command
                .first()
                .is_none_or(|program| program.trim().is_empty())
            {
                self.fault(spot.node.at, &spot.path, Wrong::Empty);
            }
        }
        if !one {
            let key = t.child("api_key");
            self.fault(at, &key, Wrong::OneOf(&["api_key", "iam_token_command"]));
        }
        if let Some(spot) = self.spot(t, "url") {
            set(&mut cloud.url, self.url(&spot, &["https://", "http://"]));
        }
        if let Some(spot) = self.spot(t, "folder_id") {
            set(&mut cloud.folder_id, self.text(&spot));
        }
        if let Some(spot) = self.spot(t, "ca")
            && self.text(&spot).is_some_and(|text| !text.is_empty())
        {
            cloud.ca = self.path(&spot);
        }
        cloud
    }

    pub(super) fn yandex_recognizer(
        &mut self,
        t: &mut Table,
        name: String,
        at: Place,
    ) -> RecognizerConfig {
        const EOU: [(&str, YandexEou); 3] = [
            ("external", YandexEou::External),
            ("default", YandexEou::Default),
            ("high", YandexEou::High),
        ];
        let cloud = self.yandex_cloud(t, at);
        let (mut model, mut language) = ("general".to_owned(), "ru-RU".to_owned());
        if let Some(spot) = self.spot(t, "model") {
            set(&mut model, self.words(&spot));
        }
        if let Some(spot) = self.spot(t, "language") {
            set(&mut language, self.words(&spot));
        }
        let mut eou = YandexEou::External;
        if let Some(spot) = self.spot(t, "eou") {
            set(&mut eou, self.word(&spot, &EOU));
        }
        let mut max_pause_ms = 0;
        if let Some(spot) = self.spot(t, "max_pause") {
            set(&mut max_pause_ms, self.duration(&spot, 0..=5_000));
        }
        let mut normalization = false;
        if let Some(spot) = self.spot(t, "normalization") {
            set(&mut normalization, self.flag(&spot));
        }
        // The vendor ends a session after 5 minutes of audio, 10 MB, or 5 s without a message.
        let (mut longest_session_ms, mut session_bytes) = (285_000, 9 << 20);
        if let Some(spot) = self.spot(t, "longest_session") {
            set(
                &mut longest_session_ms,
                self.duration(&spot, 10_000..=299_000),
            );
        }
        if let Some(spot) = self.spot(t, "session_bytes") {
            set(&mut session_bytes, self.size(&spot, 500 << 10..=10_000_000));
        }
        let (mut idle_ms, mut final_timeout_ms) = (2_000, 3_000);
        if let Some(spot) = self.spot(t, "idle") {
            set(&mut idle_ms, self.duration(&spot, 200..=4_500));
        }
        if let Some(spot) = self.spot(t, "final_timeout") {
            set(&mut final_timeout_ms, self.duration(&spot, 200..=30_000));
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
            speech_only: self.speech_only(t),
        }
    }

    pub(super) fn yandex_voice(
        &mut self,
        t: &mut Table,
        name: String,
        at: Place,
        timeout_ms: u64,
        (cache, cache_bytes): (PathBuf, u64),
    ) -> VoiceConfig {
        let cloud = self.yandex_cloud(t, at);
        let (mut model, mut voice, mut role) = (String::new(), "marina".to_owned(), String::new());
        if let Some(spot) = self.spot(t, "model") {
            set(&mut model, self.text(&spot));
        }
        if let Some(spot) = self.spot(t, "voice") {
            set(&mut voice, self.words(&spot));
        }
        if let Some(spot) = self.spot(t, "role") {
            set(&mut role, self.text(&spot));
        }
        let mut speed = 1.0;
        if let Some(spot) = self.spot(t, "speed") {
            set(&mut speed, self.number(&spot, 0.1..=3.0));
        }
        let mut unsafe_mode = false;
        if let Some(spot) = self.spot(t, "unsafe_mode") {
            set(&mut unsafe_mode, self.flag(&spot));
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
        }
    }
}
