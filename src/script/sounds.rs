//! The prompts of a version: sound files by name and by the text that they speak.

use std::collections::{BTreeMap, HashMap};

use crate::audio::Sound;
use crate::audio::wav::{MAX_CHANNELS, MAX_SECONDS, WavError};
use crate::config::Language;

/// Prompts, whole in memory.
#[derive(Debug, Default)]
pub(super) struct Sounds {
    by_name: BTreeMap<String, Sound>,
    by_text: HashMap<String, String>,
}

impl Sounds {
    /// Adds a file, by its name without ending.
    pub(super) fn add(&mut self, sound: Sound) {
        self.by_name.insert(sound.name.clone(), sound);
    }

    /// Says which text a file speaks. The file must be there; the answer is whether it was.
    pub(super) fn tell_text(&mut self, name: &str, text: &str) -> bool {
        let name = plain(name);
        let known = self.by_name.contains_key(name);
        if known {
            self.by_text.insert(same(text), name.to_owned());
        }
        known
    }

    /// The file of that name, with or without `.wav`.
    pub(super) fn named(&self, name: &str) -> Option<&Sound> {
        self.by_name.get(plain(name))
    }

    /// The file that speaks exactly that text; white space doesn't count.
    pub(super) fn speaking(&self, text: &str) -> Option<&Sound> {
        self.by_text
            .get(&same(text))
            .and_then(|n| self.by_name.get(n))
    }

    /// All names.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }
}

/// What is wrong with a sound file, for the analyst.
pub(super) fn unreadable(what: &WavError, language: Language) -> String {
    if language == Language::En {
        return format!("the sound can't be read: {what}");
    }
    let mend = "ffmpeg -i было.mp3 -ar 8000 -ac 1 стало.wav";
    match what {
        WavError::NotWav { found } => {
            format!("это не WAV (начинается с «{found}»): переведите в WAV, например {mend}")
        }
        WavError::Missing { chunk } => {
            format!(
                "в файле WAV нет части «{}»: он повреждён, сохраните его ещё раз",
                chunk.trim()
            )
        }
        WavError::Truncated {
            declared, there, ..
        } => format!(
            "файл обрезан: должно быть {declared} байт, а есть {there}; скопируйте его ещё раз"
        ),
        WavError::Format { format, bits } => format!(
            "такой вид звука не читается (код {format}, {bits} бит): сохраните как PCM 16 бит, например {mend}"
        ),
        WavError::Rate { rate } => {
            format!("частота {rate} Гц не годится, нужно от 4000 до 192000: сохраните с 8000")
        }
        WavError::Channels { channels } => format!(
            "каналов {channels}, можно от 1 до {MAX_CHANNELS}: сохраните одним каналом (моно)"
        ),
        WavError::TooLong { seconds } => {
            format!("звук длиной {seconds} с, можно не больше {MAX_SECONDS}: разделите его")
        }
        WavError::TooLarge { bytes } => {
            format!("{bytes} байт — слишком много: сохраните как 8 кГц, моно, 16 бит")
        }
        WavError::Empty => "в файле нет звука: запишите его ещё раз".to_owned(),
    }
}

fn plain(name: &str) -> &str {
    name.strip_suffix(".wav").unwrap_or(name)
}

fn same(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_are_found_by_name_and_by_text() {
        let mut sounds = Sounds::default();
        sounds.add(Sound::silence("привет", 20));
        assert!(sounds.tell_text("привет.wav", "Добрый  день!"));
        assert!(!sounds.tell_text("нет такого", "Что?"));
        assert!(sounds.named("привет").is_some() && sounds.named("привет.wav").is_some());
        assert_eq!(sounds.speaking(" Добрый день!\n").unwrap().name, "привет");
        assert!(sounds.speaking("добрый день").is_none());
    }
}
