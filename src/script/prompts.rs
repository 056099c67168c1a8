//! Prompts as scripts write them: a text, a file's name, a list of both.

use std::sync::Arc;

use rhai::{Array, Dynamic, ImmutableString, Map};

use crate::audio::Sound;
use crate::call::request::MAX_PROMPTS;
use crate::call::{Prompt, Saying};
use crate::config::Language;

use super::options::Options;
use super::talk::{Res, Talk, fault};
use super::tr;

/// Longest text of one prompt, characters: what voices take.
pub(super) const MAX_TEXT_CHARS: usize = 2_000;
/// `#{ play: "file" }`.
pub(super) const PLAY_KEYS: [&str; 2] = ["play", "проиграть"];
/// `#{ say: "text" }`.
pub(super) const SAY_KEYS: [&str; 2] = ["say", "сказать"];

/// What a bare string is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bare {
    /// A text to be spoken.
    Text,
    /// A file's name.
    File,
}

/// Reads a prompt: a string, `#{play: name}`, `#{say: text}`, a list of these, or `()` for nothing.
pub(super) fn prompts(
    talk: &Talk,
    value: &Dynamic,
    bare: Bare,
    options: &Options,
) -> Res<Vec<Prompt>> {
    let mut found = Vec::new();
    collect(talk, value, bare, options, &mut found, 0)?;
    if found.len() > MAX_PROMPTS {
        let n = found.len();
        return Err(fault(tr!(
            talk.language,
            "{n} фраз подряд, можно не больше {MAX_PROMPTS}",
            "{n} prompts in a row, {MAX_PROMPTS} are the most"
        )));
    }
    Ok(found)
}

/// Reads the prompt of `ask`: in a list, each element is the question of one more attempt ("rising prompts").
pub(super) fn rising(talk: &Talk, value: &Dynamic, options: &Options) -> Res<Vec<Vec<Prompt>>> {
    match value.read_lock::<Array>() {
        Some(list) => list
            .iter()
            .map(|v| prompts(talk, v, Bare::Text, options))
            .collect(),
        None => Ok(vec![prompts(talk, value, Bare::Text, options)?]),
    }
}

fn collect(
    talk: &Talk,
    value: &Dynamic,
    bare: Bare,
    options: &Options,
    found: &mut Vec<Prompt>,
    depth: usize,
) -> Res<()> {
    if value.is_unit() {
        return Ok(());
    }
    if let Some(text) = value.read_lock::<ImmutableString>() {
        let text = talk.fill(&text)?;
        if !text.trim().is_empty() {
            found.push(match bare {
                Bare::Text => spoken(talk, text, options)?,
                Bare::File => file(talk, &text)?,
            });
        }
        return Ok(());
    }
    if let Some(list) = value.read_lock::<Array>()
        && depth < 4
    {
        for item in list.iter() {
            collect(talk, item, bare, options, found, depth + 1)?;
        }
        return Ok(());
    }
    if let Some(map) = value.read_lock::<Map>()
        && depth < 4
        && map.len() == 1
    {
        for (keys, bare) in [(PLAY_KEYS, Bare::File), (SAY_KEYS, Bare::Text)] {
            if let Some(inner) = keys.iter().find_map(|k| map.get(*k)) {
                return collect(talk, inner, bare, options, found, depth + 1);
            }
        }
    }
    let what = value.type_name();
    Err(fault(tr!(
        talk.language,
        "это не фраза: нужна строка, #{{ play: \"файл\" }}, #{{ say: \"текст\" }} или список, а здесь {what}",
        "no prompt: a string, #{{ play: \"file\" }}, #{{ say: \"text\" }} or a list is wanted, here is {what}"
    )))
}

fn spoken(talk: &Talk, text: String, options: &Options) -> Res<Prompt> {
    if let Some(sound) = talk.sounds.speaking(&text) {
        // Under the text's own name: history and 1C read what was said, not which file said it.
        return Ok(Prompt::Sound(Sound::new(text, Arc::clone(&sound.samples))));
    }
    let chars = text.chars().count();
    if chars > MAX_TEXT_CHARS {
        return Err(fault(too_long(chars, talk.language)));
    }
    let fallback = &talk.dialog.settings.fallback;
    Ok(Prompt::Text(Saying {
        text,
        voice: options.voice.clone(),
        speed_percent: options.speed_percent,
        otherwise: talk.sounds.named(fallback).cloned(),
    }))
}

/// Told at run and at `check`.
pub(super) fn too_long(chars: usize, language: Language) -> String {
    tr!(
        language,
        "слишком длинный текст: {chars} знаков, можно не больше {MAX_TEXT_CHARS}; разделите его на несколько фраз",
        "too long a text: {chars} characters, {MAX_TEXT_CHARS} are the most; split it into several prompts"
    )
}

/// The sound of that name.
pub(super) fn file(talk: &Talk, name: &str) -> Res<Prompt> {
    match talk.sounds.named(name) {
        Some(sound) => Ok(Prompt::Sound(sound.clone())),
        None => {
            let hint = talk.perhaps(name, talk.sounds.names());
            Err(fault(tr!(
                talk.language,
                "нет звука «{name}» в папке sounds{hint}",
                "there is no sound {name:?} in sounds{hint}"
            )))
        }
    }
}
