//! Hot reload: a change in the folder is read within a second, whatever the editor's habits.
//!
//! The system's notices only wake the watcher; what counts is a list of paths, lengths and times, compared now and then
//! even without a notice, so that a replaced folder or a network disk is seen, too.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use notify::{RecursiveMode, Watcher};

use crate::call::Fault;

use super::files::{Fingerprint, fingerprint};
use super::library::{Library, Reloaded};

/// A change is read when the folder has been quiet for so long: editors write in steps.
const QUIET: Duration = Duration::from_millis(150);
/// It is read after so many quiet spans, even if somebody goes on writing.
const MAX_QUIET_WAITS: u32 = 4;
/// A refused reload is tried once more after so long: the file may have been half-written.
const RETRY: Duration = Duration::from_millis(300);
/// The folder is looked at so often even without notices.
const LOOK_ANYWAY: Duration = Duration::from_secs(3);

enum Wake {
    Changed,
    Stop,
}

/// A running watcher; dropping it stops and joins its thread.
#[derive(Debug)]
pub struct Watch {
    wake: SyncSender<Wake>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Watches the library's folder on a thread of its own. With `poll_ms` over 0 the folder is looked at so often
    /// instead of by the system's notices; where notices can't be had, once in three seconds.
    pub fn start(library: Arc<Library>, poll_ms: u64) -> std::io::Result<Self> {
        // One waiting notice is as good as many; a stop waits for room.
        let (wake, woken) = sync_channel(1);
        let notices = wake.clone();
        let thread = std::thread::Builder::new()
            .name("scripts-watch".to_owned())
            .spawn(move || run(&library, poll_ms, &notices, &woken))?;
        Ok(Self {
            wake,
            thread: Some(thread),
        })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.wake.send(Wake::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The system's notices, which only say "something changed". Kept alive by the caller.
fn notices(folder: PathBuf, wake: SyncSender<Wake>) -> Option<notify::RecommendedWatcher> {
    let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Reading the files makes access events, which must not wake us again.
        if event.is_ok_and(|e| e.kind.is_access()) {
            return;
        }
        let _ = wake.try_send(Wake::Changed);
    });
    let watched = watcher.and_then(|mut watcher| {
        watcher.watch(&folder, RecursiveMode::Recursive)?;
        Ok(watcher)
    });
    match watched {
        Ok(watcher) => Some(watcher),
        Err(error) => {
            tracing::warn!(folder = %folder.display(), %error,
                "no notices of changed dialogs; the folder is looked at every {LOOK_ANYWAY:?} instead");
            None
        }
    }
}

fn run(library: &Library, poll_ms: u64, wake: &SyncSender<Wake>, woken: &Receiver<Wake>) {
    let folder = library.folder().to_owned();
    // Before the first look, so that no change falls between the two.
    let mut watcher = (poll_ms == 0)
        .then(|| notices(folder.clone(), wake.clone()))
        .flatten();
    let mut seen = fingerprint(&folder).ok();
    // What changed between the library's first reading and now.
    let mut logged = reload(library, None);
    loop {
        if poll_ms == 0 && watcher.is_none() && seen.is_some() {
            watcher = notices(folder.clone(), wake.clone());
        }
        let wait = match poll_ms {
            0 => LOOK_ANYWAY,
            ms => Duration::from_millis(ms.max(50)),
        };
        let noticed = match woken.recv_timeout(wait) {
            Ok(Wake::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            Ok(Wake::Changed) => true,
            Err(RecvTimeoutError::Timeout) => false,
        };
        let now = fingerprint(&folder).ok();
        if now == seen && !noticed {
            continue;
        }
        if !noticed {
            // Seen without a notice: the watched folder may be gone and another in its place.
            watcher = None;
        }
        let Some(settled) = settle(&folder, now, woken) else {
            return;
        };
        if settled == seen {
            continue;
        }
        seen = settled;
        logged = reload(library, logged);
        if logged.is_some() {
            // Perhaps half-written. What changed meanwhile is seen by the next look anyway.
            match woken.recv_timeout(RETRY) {
                Ok(Wake::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                _ => {}
            }
            seen = fingerprint(&folder).ok();
            logged = reload(library, logged);
        }
    }
}

/// Waits until the folder has been quiet; `None` when told to stop.
fn settle(
    folder: &std::path::Path,
    mut now: Option<Fingerprint>,
    woken: &Receiver<Wake>,
) -> Option<Option<Fingerprint>> {
    for _ in 0..MAX_QUIET_WAITS {
        // The watcher's own thread, for a moment: a stop is taken right after.
        #[allow(clippy::disallowed_methods)]
        std::thread::sleep(QUIET);
        while let Ok(wake) = woken.try_recv() {
            if matches!(wake, Wake::Stop) {
                return None;
            }
        }
        let later = fingerprint(folder).ok();
        if later == now {
            break;
        }
        now = later;
    }
    Some(now)
}

/// Reloads and says what came of it; the same faults are said once. Gives the faults, where it was refused.
fn reload(library: &Library, logged: Option<Vec<Fault>>) -> Option<Vec<Fault>> {
    match library.reload() {
        Reloaded::Swapped { version } => {
            tracing::info!(version, "dialogs reloaded: new calls use them");
            None
        }
        Reloaded::Same => {
            if logged.is_some() {
                tracing::info!("dialogs are sound again, and as they were");
            }
            None
        }
        Reloaded::Refused { faults } => {
            if logged.as_ref() != Some(&faults) {
                for fault in &faults {
                    tracing::error!(
                        file = fault.file,
                        line = fault.line,
                        column = fault.column,
                        "dialogs refused, the old ones go on: {}",
                        fault.message
                    );
                }
            }
            Some(faults)
        }
    }
}
