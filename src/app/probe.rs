//! What of the settings can't work on this machine: programs that aren't there, folders that can't be written. Asked by
//! `check` and at the start, so that no call is the first to find out.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::asr::sherpa::model::ModelFiles;
use crate::config::{Config, Language, MediaKind, RecognizerConfig, VoiceConfig, YandexCloud};
use crate::ident::Token;
use crate::tts::AsteriskFiles;

/// Every fault, each with its key and the mend. The folder of prompts for Asterisk matters where Asterisk plays them.
pub fn probe(config: &Config) -> Vec<String> {
    let mut faults = voices(config);
    faults.extend(recognizers(config));
    faults.extend(crate::outbound::rule_faults(config, Timestamp::now()));
    let by_files = !matches!(
        config.media.kind,
        MediaKind::Audiosocket | MediaKind::ChanWebsocket
    );
    if by_files && let Err(error) = writable(&config.asterisk.sounds) {
        let folder = config.asterisk.sounds.display();
        faults.push(config.language.pick(
            format!("asterisk.sounds: в папку {folder} нельзя писать: {error}; создайте её и дайте права пользователю, под которым работает Говорун"),
            format!("asterisk.sounds: can't write into {folder}: {error}; make it, and let the user that runs us write there"),
        ));
    }
    if by_files && !AsteriskFiles::may_be_seen_as(&config.asterisk.sounds_in_asterisk) {
        faults.push(seen_path(config.language));
    }
    faults
}

/// A path that Asterisk can't be told.
pub(super) fn seen_path(language: Language) -> String {
    language.pick(
        "asterisk.sounds_in_asterisk: нужен полный путь от / без пробелов и знаков & , | \" ' \\ $ { }: так эту папку видит Asterisk".to_owned(),
        "asterisk.sounds_in_asterisk: a whole path from /, without white space and & , | \" ' \\ $ { }: as Asterisk sees that folder".to_owned(),
    )
}

/// Of the recognizers: what can be seen without asking them.
fn recognizers(config: &Config) -> Vec<String> {
    let mut faults = Vec::new();
    let l = config.language;
    for (n, recognizer) in config.recognizers.iter().enumerate() {
        match recognizer {
            // Its weights take seconds to load; what is in the folder is seen at once.
            RecognizerConfig::Sherpa { model, .. } => {
                if let Err(error) = ModelFiles::find(model) {
                    faults.push(l.pick(
                        format!("recognizers[{n}].model: модель не годится: {error}"),
                        format!("recognizers[{n}].model: the model can't be used: {error}"),
                    ));
                }
            }
            RecognizerConfig::Yandex { cloud, .. } => {
                if let Some(program) = cloud.iam_token_command.first()
                    && let Err(why) = runs(program, l)
                {
                    faults.push(format!("recognizers[{n}].iam_token_command: {why}"));
                }
                if let Some(Err(error)) = cloud.ca.as_ref().map(std::fs::read) {
                    faults.push(l.pick(
                        format!("recognizers[{n}].ca: файл не читается: {error}"),
                        format!("recognizers[{n}].ca: the file can't be read: {error}"),
                    ));
                }
            }
            RecognizerConfig::Vosk { .. } | RecognizerConfig::Typed => {}
        }
    }
    faults
}

/// Of the voices only.
fn voices(config: &Config) -> Vec<String> {
    let mut faults = Vec::new();
    let l = config.language;
    for (n, voice) in config.voices.iter().enumerate() {
        let (command, key, cache) = match voice {
            VoiceConfig::Command { command, cache, .. } => (command, "command", cache),
            VoiceConfig::Yandex {
                cloud: YandexCloud {
                    iam_token_command, ..
                },
                cache,
                ..
            } => (iam_token_command, "iam_token_command", cache),
        };
        if let Some(program) = command.first()
            && let Err(why) = runs(program, l)
        {
            faults.push(format!("voices[{n}].{key}: {why}"));
        }
        if let Err(error) = writable(cache) {
            let folder = cache.display();
            faults.push(l.pick(
                format!("voices[{n}].cache: в папку {folder} нельзя писать: {error}; укажите другую или дайте права"),
                format!("voices[{n}].cache: can't write into {folder}: {error}; name another one, or give us the right to"),
            ));
        }
    }
    faults
}

/// Whether a program can be started: by its path, or found in `PATH`.
fn runs(program: &str, l: Language) -> Result<(), String> {
    let candidates: Vec<PathBuf> = if program.contains('/') {
        vec![PathBuf::from(program)]
    } else {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path)
            .map(|p| p.join(program))
            .collect()
    };
    let files = candidates.iter().filter_map(|p| std::fs::metadata(p).ok());
    let mut files = files.filter(|data| data.is_file()).peekable();
    if files.peek().is_none() {
        return Err(l.pick(
            format!("программы «{program}» нет: установите её или укажите полный путь"),
            format!("there is no program {program:?}: install it, or write its whole path"),
        ));
    }
    if files.any(|data| data.permissions().mode() & 0o111 != 0) {
        return Ok(());
    }
    Err(l.pick(
        format!("файл «{program}» нельзя запускать: chmod +x {program}"),
        format!("{program:?} may not be run: chmod +x {program}"),
    ))
}

/// Whether we may write into a folder, or make it. Leaves nothing behind.
fn writable(folder: &Path) -> io::Result<()> {
    let here = Path::new(".");
    let mut nearest = folder;
    // A folder that is not there yet is made when it is needed: the one above it counts.
    let data = loop {
        match std::fs::metadata(nearest) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                nearest = match nearest.parent() {
                    Some(above) if !above.as_os_str().is_empty() => above,
                    _ if nearest != here => here,
                    _ => return Err(error),
                };
            }
            other => break other?,
        }
    };
    if !data.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    let file = nearest.join(format!(".govorun-{}.tmp", Token::fresh().as_str()));
    std::fs::File::create_new(&file)?;
    std::fs::remove_file(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn voice(command: &[&str], cache: &Path) -> VoiceConfig {
        VoiceConfig::Command {
            name: "v".into(),
            command: command.iter().map(|s| (*s).to_owned()).collect(),
            timeout_ms: 1_000,
            cache: cache.to_owned(),
            cache_bytes: 1 << 20,
        }
    }

    #[test]
    fn what_is_missing_here_is_told_in_both_languages_with_its_key() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("file");
        std::fs::write(&file, "#!/bin/sh\n").unwrap();
        let mut config = Config::default();
        config.asterisk.sounds = home.path().join("not/yet/there");
        config.voices = vec![voice(&["sh", "-c", "true"], &home.path().join("cache"))];
        assert_eq!(probe(&config), Vec::<String>::new());
        assert!(!home.path().join("cache").exists() && !home.path().join("not").exists());
        config.voices = vec![
            voice(&["no-such-program-at-all"], home.path()),
            voice(&[&file.display().to_string()], home.path()),
            voice(&["sh"], &file.join("cache")),
        ];
        config.asterisk.sounds = file.join("sounds");
        for (language, words) in [
            (
                Language::Ru,
                ["программы", "chmod +x", "нельзя писать", "нельзя писать"],
            ),
            (
                Language::En,
                [
                    "there is no program",
                    "chmod +x",
                    "can't write",
                    "can't write",
                ],
            ),
        ] {
            config.language = language;
            let told = probe(&config);
            let keys = [
                "voices[0].command",
                "voices[1].command",
                "voices[2].cache",
                "asterisk.sounds",
            ];
            assert_eq!(told.len(), 4, "{told:#?}");
            for ((told, key), word) in told.iter().zip(keys).zip(words) {
                assert!(told.starts_with(key) && told.contains(word), "{told}");
            }
        }
        // What a recognizer lacks is seen without asking it.
        config.recognizers = vec![RecognizerConfig::Sherpa {
            name: "sherpa".into(),
            model: home.path().to_owned(),
            threads: 1,
            streams: 1,
            speech_only: None,
        }];
        let told = probe(&config);
        assert_eq!(told.len(), 5, "{told:#?}");
        assert!(
            told[3].starts_with("recognizers[0].model: ") && told[3].contains("tokens.txt"),
            "{told:#?}"
        );
        config.recognizers.clear();
        // Nothing is written there where the call itself carries the sound.
        config.media.kind = MediaKind::Audiosocket;
        assert_eq!(probe(&config).len(), 3);
    }
}
