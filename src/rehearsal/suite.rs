//! All tests of a folder: read, tried on every core, counted.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::case::Case;
use super::coverage::{Coverage, Missed, Watch};
use super::read;
use super::trial::{self, Trial};
use crate::call::Fault;
use crate::config::Language;
use crate::script::files::{MAX_TEXT_BYTES, is_left_behind};
use crate::script::{Version, perhaps};

/// The ending of a test file's name.
pub const ENDING: &str = ".test.yaml";

/// The tests of some dialogs.
#[derive(Debug, Default)]
pub struct Suite {
    /// Cases with the dialog that they try, in the order of their files.
    pub cases: Vec<(String, Case)>,
    /// What is wrong with the files.
    pub faults: Vec<Fault>,
    /// The dialogs that were named, or all.
    pub dialogs: BTreeSet<String>,
}

impl Suite {
    /// Reads the tests of these dialogs of the folder.
    pub fn load(folder: &Path, dialogs: impl IntoIterator<Item = String>) -> Self {
        let mut suite = Self {
            dialogs: dialogs.into_iter().collect(),
            ..Self::default()
        };
        for dialog in suite.dialogs.clone() {
            let file = format!("{dialog}{ENDING}");
            let path = folder.join(&file);
            let wrong = |message: String| Fault {
                file: file.clone(),
                line: 0,
                column: 0,
                message,
            };
            match std::fs::metadata(&path) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Ok(data) if data.len() > MAX_TEXT_BYTES => {
                    suite
                        .faults
                        .push(wrong(format!("файл длиннее {MAX_TEXT_BYTES} байт")));
                    continue;
                }
                _ => {}
            }
            match std::fs::read(&path) {
                Ok(bytes) => {
                    let (cases, faults) = read::read(&file, &bytes);
                    suite.faults.extend(faults);
                    suite
                        .cases
                        .extend(cases.into_iter().map(|case| (dialog.clone(), case)));
                }
                Err(error) => suite
                    .faults
                    .push(wrong(format!("файл не читается: {error}"))),
            }
        }
        suite
    }

    /// Reads all tests of the folder, whether its dialogs are sound or not.
    pub fn of_folder(folder: &Path) -> Self {
        let dialogs = names(folder)
            .into_iter()
            .filter_map(|file| file.strip_suffix(".rhai").map(str::to_owned));
        let mut suite = Self::load(folder, dialogs);
        suite.tell_orphans(folder);
        suite
    }

    /// Tells the tests of the folder whose dialog there isn't: nobody would ever run them.
    pub fn tell_orphans(&mut self, folder: &Path) {
        for file in names(folder) {
            let Some(dialog) = file.strip_suffix(ENDING) else {
                continue;
            };
            if !self.dialogs.contains(dialog) {
                let hint = perhaps(
                    Language::Ru,
                    dialog,
                    self.dialogs.iter().map(String::as_str),
                );
                let message = format!("проверки без сценария: файла {dialog}.rhai нет{hint}");
                self.faults.push(Fault {
                    file,
                    line: 0,
                    column: 0,
                    message,
                });
            }
        }
    }

    /// Tries all cases on `threads` threads; the answers are in the order of the cases.
    pub fn run(&self, version: &Arc<Version>, threads: usize) -> (Vec<Trial>, Coverage) {
        let next = AtomicUsize::new(0);
        let coverage = Mutex::new(Coverage::default());
        let trials: Mutex<Vec<(usize, Trial)>> = Mutex::default();
        thread::scope(|scope| {
            for _ in 0..threads.max(1) {
                scope.spawn(|| {
                    let mut mine = Vec::new();
                    let mut reached = Coverage::default();
                    while let Some((n, (dialog, case))) = {
                        let n = next.fetch_add(1, Ordering::Relaxed);
                        self.cases.get(n).map(|case| (n, case))
                    } {
                        let Some(dialog) = version.dialog(dialog) else {
                            continue;
                        };
                        let watch = Arc::new(Watch::default());
                        mine.push((n, trial::attempt(case, dialog, Some(Arc::clone(&watch)))));
                        reached.add(&watch);
                    }
                    coverage
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .merge(reached);
                    trials
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .extend(mine);
                });
            }
        });
        let mut trials = trials.into_inner().unwrap_or_else(PoisonError::into_inner);
        trials.sort_by_key(|(n, _)| *n);
        let coverage = coverage
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        (
            trials.into_iter().map(|(_, trial)| trial).collect(),
            coverage,
        )
    }

    /// What the tests missed: of the named dialogs, and, where all were named, of the `lib` files that they came to. Of
    /// shared files a few dialogs' tests needn't reach everything.
    pub fn missed(&self, version: &Version, coverage: &Coverage) -> Vec<Missed> {
        let mut wanted = version.lines().clone();
        let all = version
            .dialogs()
            .all(|(name, _)| self.dialogs.contains(name));
        wanted.retain(|file, _| {
            let name = file.strip_suffix(".rhai").unwrap_or(file);
            self.dialogs.contains(name)
                || (all && file.starts_with("lib/") && coverage.came_to(file))
        });
        coverage.missed(&wanted)
    }
}

/// The folder's files, in order.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<String> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|file| !is_left_behind(file))
        .collect();
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::config::Language;
    use crate::script::check_folder;

    #[test]
    fn the_shipped_dialogs_pass_their_tests_under_a_second_and_whole() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
        let version = Version::load(&folder, Language::Ru).unwrap();
        let names = version.dialogs().map(|(name, _)| name.to_owned());
        let suite = Suite::load(&folder, names);
        assert_eq!(suite.faults, []);
        let began = Instant::now();
        let (trials, coverage) = suite.run(&version, 2);
        let took = began.elapsed();
        assert_eq!(trials.len(), suite.cases.len());
        for ((dialog, case), trial) in suite.cases.iter().zip(&trials) {
            assert_eq!(trial.differences, [], "{dialog}: {}", case.name);
        }
        for file in suite.missed(&version, &coverage) {
            let (reached, all) = file.share();
            assert_eq!(reached, all, "{file:?}");
        }
        assert!(took < Duration::from_secs(1), "{took:?}");
    }

    /// The files of the guide's first hour, as a reader ends with them.
    #[test]
    fn the_guides_first_hour_ends_with_a_tested_dialog() {
        let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/README.md");
        let guide = std::fs::read_to_string(guide).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut written = 0;
        for block in guide.split("```").skip(1).step_by(2) {
            let (_, block) = block.split_once('\n').unwrap();
            let (head, text) = block.split_once('\n').unwrap();
            let name = head.trim_start_matches(['/', '#', ' ']);
            if let Some(name) = name.strip_prefix("файл: ") {
                std::fs::write(folder.path().join(name), text).unwrap();
                written += 1;
            }
        }
        assert_eq!(written, 4);
        let report = check_folder(folder.path(), Language::Ru);
        assert!(report.is_sound() && report.warnings.is_empty(), "{report}");
        let version = Version::load(folder.path(), Language::Ru).unwrap();
        let suite = Suite::load(folder.path(), ["клиника".to_owned()]);
        assert_eq!((suite.cases.len(), &suite.faults), (5, &Vec::new()));
        let (trials, coverage) = suite.run(&version, 1);
        for ((_, case), trial) in suite.cases.iter().zip(&trials) {
            assert_eq!(trial.differences, [], "{}", case.name);
        }
        for file in suite.missed(&version, &coverage) {
            let (reached, all) = file.share();
            assert_eq!(reached, all, "{file:?}");
        }
    }
}
