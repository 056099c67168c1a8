//! Files of the folder that look as if they belonged to a dialog but are never read: another ending, another place.

use std::fs;
use std::path::Path;

use crate::call::Fault;
use crate::config::Language;

use super::files::{belongs, is_left_behind};
use super::tr;

/// Endings of sounds that are no WAV.
const OTHER_SOUNDS: [&str; 7] = ["mp3", "ogg", "m4a", "wma", "flac", "aac", "opus"];
/// Most files that are looked at in a folder.
const MOST: usize = 5_000;

/// What lies there for nothing.
pub(super) fn strays(folder: &Path, language: Language) -> Vec<Fault> {
    let mut found = Vec::new();
    for sub in folders(folder) {
        let Ok(entries) = fs::read_dir(folder.join(&sub)) else {
            continue;
        };
        for entry in entries.flatten().take(MOST) {
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
            if !is_file || is_left_behind(&name) {
                continue;
            }
            let path = match sub.as_str() {
                "" => name,
                sub => format!("{sub}/{name}"),
            };
            if let Some(message) = stray(&path, language) {
                found.push(Fault {
                    file: path,
                    line: 0,
                    column: 0,
                    message,
                });
            }
        }
    }
    found.sort_by(|a, b| a.file.cmp(&b.file));
    found
}

/// The folder itself, as an empty name, and those in it.
fn folders(folder: &Path) -> Vec<String> {
    let inside = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = inside
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| !name.starts_with('.'));
    std::iter::once(String::new())
        .chain(names.take(MOST))
        .collect()
}

/// Why that file isn't read; `None`: it is, or it is none of ours.
fn stray(path: &str, language: Language) -> Option<String> {
    let (sub, name) = path.rsplit_once('/').unwrap_or(("", path));
    let lower = name.to_lowercase();
    let is_test = |name: &str| name.ends_with(".test.yaml") && sub.is_empty();
    if belongs(path) || is_test(name) || lower.ends_with(".d.rhai") {
        return None;
    }
    let (stem, ending) = lower.rsplit_once('.')?;
    let better = match ending {
        "txt" | "bak" if [".rhai", ".yaml", ".yml"].iter().any(|e| stem.ends_with(e)) => {
            if ending == "bak" {
                return None;
            }
            let good = &name[..name.len() - ".txt".len()];
            return Some(tr!(
                language,
                "файл не читается: уберите из имени .txt, нужно {good} (Проводник прячет окончания: «Вид» — «Расширения имён файлов»)",
                "the file isn't read: take .txt off its name, it should be {good}"
            ));
        }
        "yml" => "yaml",
        "rhai" | "yaml" | "wav" if !name.ends_with(ending) => ending,
        "rhai" => {
            return Some(tr!(
                language,
                "файл не читается: сценарии лежат в самой папке, общие функции — в папке lib",
                "the file isn't read: dialogs lie in the folder itself, shared functions in lib"
            ));
        }
        "wav" => {
            return Some(tr!(
                language,
                "файл не читается: звуки лежат в папке sounds",
                "the file isn't read: sounds lie in the folder sounds"
            ));
        }
        other if OTHER_SOUNDS.contains(&other) => {
            return Some(tr!(
                language,
                "файл не читается: нужен WAV в папке sounds, например ffmpeg -i {name} -ar 8000 -ac 1 стало.wav",
                "the file isn't read: it has to be a WAV in sounds, for example ffmpeg -i {name} -ar 8000 -ac 1 new.wav"
            ));
        }
        _ => return None,
    };
    let good = format!("{}.{better}", &name[..name.len() - ending.len() - 1]);
    Some(tr!(
        language,
        "файл не читается: окончание должно быть .{better}, переименуйте в {good}",
        "the file isn't read: its ending has to be .{better}, rename it to {good}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_never_read_is_told() {
        for (path, part) in [
            ("d.yml", "d.yaml"),
            ("Визит.RHAI", "Визит.rhai"),
            ("d.rhai.txt", "нужно d.rhai"),
            ("d.test.yml", "d.test.yaml"),
            ("мои/d.rhai", "lib"),
            ("привет.wav", "sounds"),
            ("sounds/привет.MP3", "ffmpeg"),
            ("sounds/привет.WAV", "привет.wav"),
        ] {
            let told = stray(path, Language::Ru).unwrap_or_default();
            assert!(told.contains(part), "{path}: {told}");
        }
        for path in [
            "d.rhai",
            "d.test.yaml",
            "phrases.yaml",
            "README.md",
            "govorun.d.rhai",
            "d.rhai.bak",
            "sounds/texts.yaml",
            "заметки.txt",
        ] {
            assert_eq!(stray(path, Language::Ru), None, "{path}");
        }
    }
}
