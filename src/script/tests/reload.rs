//! Hot reload on a real folder.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use super::super::library::{Library, Reloaded, RollbackError};
use super::super::version::Named;
use super::super::watch::Watch;
use super::*;

const OLD: &str = "let a = listen(); finish(\"old\");";
const NEW: &str = "let a = listen(); finish(\"new\");";
const BAD: &str = "let a = listen(); finish(\"bad\"";

fn folder(text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("d.rhai"), text).unwrap();
    folder
}

fn outcome(library: &Library) -> Option<String> {
    let version = library.current();
    let script = vec![Do::Say(said("да", ""))];
    hold(&version, "d", info(json!({})), script).end.outcome
}

/// Waits until `good` holds, at most for the second that is promised (and some for a busy machine).
fn within_a_second(what: &str, mut good: impl FnMut() -> bool) {
    let began = Instant::now();
    while !good() {
        assert!(began.elapsed() < Duration::from_secs(4), "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn good_replaces_bad_is_refused_and_calls_keep_their_version() {
    let folder = folder(OLD);
    let library = Library::open(folder.path(), Language::Ru);
    let before = library.current();
    assert_eq!(library.reload(), Reloaded::Same);
    let pinned = library.dialog("d").unwrap();

    fs::write(folder.path().join("d.rhai"), BAD).unwrap();
    let Reloaded::Refused { faults } = library.reload() else {
        panic!("a bad set was taken");
    };
    assert_eq!((faults[0].file.as_str(), faults[0].line), ("d.rhai", 1));
    assert_eq!(library.status().faults, faults);
    assert_eq!(library.current().id(), before.id());
    assert_eq!(outcome(&library).as_deref(), Some("old"));

    fs::write(folder.path().join("d.rhai"), NEW).unwrap();
    assert!(matches!(library.reload(), Reloaded::Swapped { .. }));
    assert!(library.status().faults.is_empty());
    assert_ne!(library.current().id(), before.id());
    assert_eq!(outcome(&library).as_deref(), Some("new"));
    assert_eq!(pinned.version().id(), before.id());
    let old = hold(
        pinned.version(),
        "d",
        info(json!({})),
        vec![Do::Say(said("да", ""))],
    );
    assert_eq!(old.end.outcome.as_deref(), Some("old"));
    assert_eq!(old.end.version, before.id());
}

#[test]
fn a_folder_that_is_bad_from_the_start_is_told_and_mended() {
    let folder = folder(BAD);
    let library = Library::open(folder.path(), Language::Ru);
    assert_eq!(library.status().faults.len(), 1);
    assert!(library.dialog("d").is_none());
    fs::write(folder.path().join("d.rhai"), OLD).unwrap();
    assert!(matches!(library.reload(), Reloaded::Swapped { .. }));
    assert!(library.dialog("d").is_some());
    let none = Library::open(folder.path().join("none"), Language::Ru);
    assert_eq!(none.status().faults.len(), 1);
}

/// Every way in which editors save.
fn habits(poll_ms: u64) {
    let folder = folder(OLD);
    let path = folder.path().join("d.rhai");
    let library = Arc::new(Library::open(folder.path(), Language::Ru));
    let watch = Watch::start(Arc::clone(&library), poll_ms).unwrap();
    let text = |n: usize| format!("let a = listen(); finish(\"v{n}\");");
    let is = |n: usize| {
        let want = format!("v{n}");
        outcome(&library).as_deref() == Some(&want)
    };

    fs::write(&path, text(1)).unwrap();
    within_a_second("written over", || is(1));

    let side = folder.path().join(".d.rhai.tmp");
    fs::write(&side, text(2)).unwrap();
    fs::rename(&side, &path).unwrap();
    within_a_second("renamed over", || is(2));

    fs::remove_file(&path).unwrap();
    fs::write(&path, text(3)).unwrap();
    within_a_second("removed and written", || is(3));

    // Half of the file, and the rest much later: the half is refused, the whole is taken.
    let whole = text(4);
    fs::write(&path, &whole[..20]).unwrap();
    within_a_second("the half is refused", || {
        !library.status().faults.is_empty()
    });
    assert!(is(3));
    fs::write(&path, &whole).unwrap();
    within_a_second("the whole is taken", || is(4));
    within_a_second("nothing to tell", || library.status().faults.is_empty());

    // Many files at once, one of them new and imported by another.
    for n in 0..200 {
        fs::write(folder.path().join(format!("x{n}.rhai")), "finish(\"x\");").unwrap();
    }
    fs::create_dir(folder.path().join("lib")).unwrap();
    fs::write(&path, "import \"lib/w\" as w; listen(); finish(w::word());").unwrap();
    fs::write(folder.path().join("lib/w.rhai"), "fn word() { \"v5\" }").unwrap();
    within_a_second("many at once", || {
        is(5) && library.status().dialogs.len() == 201
    });

    // The folder `lib` is new: it is watched, too.
    fs::write(folder.path().join("lib/w.rhai"), "fn word() { \"v6\" }").unwrap();
    within_a_second("inside a new folder", || is(6));

    drop(watch);
    fs::write(&path, text(7)).unwrap();
    std::thread::sleep(Duration::from_millis(400));
    assert!(is(6), "a stopped watcher reads nothing");
}

#[test]
fn changes_are_read_by_notices() {
    habits(0);
}

#[test]
fn changes_are_read_by_polling() {
    habits(100);
}

#[test]
fn a_replaced_folder_is_seen() {
    let parent = tempfile::tempdir().unwrap();
    let scripts = parent.path().join("scripts");
    let make = |path: &Path, text: &str| {
        fs::create_dir(path).unwrap();
        fs::write(path.join("d.rhai"), text).unwrap();
    };
    make(&scripts, OLD);
    let library = Arc::new(Library::open(&scripts, Language::Ru));
    let _watch = Watch::start(Arc::clone(&library), 0).unwrap();
    std::thread::sleep(Duration::from_millis(100));
    fs::rename(&scripts, parent.path().join("away")).unwrap();
    make(&scripts, NEW);
    let began = Instant::now();
    while outcome(&library).as_deref() != Some("new") {
        assert!(began.elapsed() < Duration::from_secs(8));
        std::thread::sleep(Duration::from_millis(50));
    }
    fs::write(scripts.join("d.rhai"), OLD).unwrap();
    within_a_second("the new folder is watched", || {
        outcome(&library).as_deref() == Some("old")
    });
}

#[test]
fn a_rollback_stays_until_the_files_change() {
    let folder = folder(OLD);
    let path = folder.path().join("d.rhai");
    let library = Library::open(folder.path(), Language::Ru);
    let old = library.current().id().to_owned();
    assert_eq!(library.rollback(None), Err(RollbackError::NoOlder));
    fs::write(&path, NEW).unwrap();
    library.reload();
    let new = library.current().id().to_owned();
    let pinned = library.dialog("d").unwrap();

    let told = library.rollback(None).unwrap();
    assert_eq!((&told.from, &told.version), (&new, &old));
    assert_eq!(outcome(&library).as_deref(), Some("old"));
    assert_eq!(pinned.version().id(), new);
    assert_eq!(library.status().rolled_back_from.as_deref(), Some(&*new));
    // The same files again, a fault in them: the old version stays.
    assert_eq!(library.reload(), Reloaded::Same);
    fs::write(&path, BAD).unwrap();
    assert!(matches!(library.reload(), Reloaded::Refused { .. }));
    fs::write(&path, NEW).unwrap();
    assert_eq!(library.reload(), Reloaded::Same);
    assert_eq!(outcome(&library).as_deref(), Some("old"));

    // Back to where we came from, by its name.
    let wrong = library.rollback(Some("нет"));
    assert!(matches!(wrong, Err(RollbackError::Unknown { known, .. }) if known == [new.clone()]));
    library.rollback(Some(&new)).unwrap();
    assert_eq!(outcome(&library).as_deref(), Some("new"));
    assert_eq!(library.status().rolled_back_from, None);
    // And what is mended comes by itself.
    library.rollback(None).unwrap();
    fs::write(&path, "let a = listen(); finish(\"mended\");").unwrap();
    assert!(matches!(library.reload(), Reloaded::Swapped { .. }));
    assert_eq!(outcome(&library).as_deref(), Some("mended"));
    let older: Vec<String> = library
        .status()
        .older
        .into_iter()
        .map(|o| o.version)
        .collect();
    assert_eq!(older, [old, new]);
}

#[test]
fn a_restart_undoes_no_rollback() {
    let folder = folder(OLD);
    let path = folder.path().join("d.rhai");
    let place = tempfile::tempdir().unwrap();
    let start = || {
        let kept = Some(place.path().join("govorun.dialogs"));
        Library::open_kept(folder.path(), Language::Ru, Named::default(), kept)
    };
    let library = start();
    fs::write(&path, NEW).unwrap();
    assert!(matches!(library.reload(), Reloaded::Swapped { .. }));
    let before = library.status();
    // What ran before the start can be gone back to.
    let library = start();
    assert_eq!(outcome(&library).as_deref(), Some("new"));
    assert_eq!(library.status().older, before.older);
    assert_eq!(library.status().since, before.since);
    let rolled = library.rollback(None).unwrap();
    // And stays so, start after start.
    for _ in 0..2 {
        let library = start();
        assert_eq!(outcome(&library).as_deref(), Some("old"));
        let status = library.status();
        assert_eq!(status.rolled_back_from.as_ref(), Some(&rolled.from));
        assert_eq!(status.older[0].version, rolled.from);
    }
    // Until the files change, be it while the server is down.
    fs::write(&path, "let a = listen(); finish(\"mended\");").unwrap();
    let library = start();
    assert_eq!(outcome(&library).as_deref(), Some("mended"));
    assert_eq!(library.status().rolled_back_from, None);
    fs::write(&path, NEW).unwrap();
    assert_eq!(outcome(&start()).as_deref(), Some("new"));
}

#[test]
fn a_start_with_faults_takes_what_was_sound_last() {
    let folder = folder(OLD);
    let path = folder.path().join("d.rhai");
    let place = tempfile::tempdir().unwrap();
    let kept = place.path().join("govorun.dialogs");
    let start = || {
        let kept = Some(kept.clone());
        Library::open_kept(folder.path(), Language::Ru, Named::default(), kept)
    };
    assert_eq!(outcome(&start()).as_deref(), Some("old"));
    fs::write(&path, BAD).unwrap();
    let library = start();
    assert_eq!(outcome(&library).as_deref(), Some("old"));
    assert_eq!(library.status().faults.len(), 1);
    // Mended, it is the folder's again; and gone, it is what the folder held last.
    fs::write(&path, NEW).unwrap();
    assert!(matches!(library.reload(), Reloaded::Swapped { .. }));
    assert_eq!(library.status().faults, []);
    fs::remove_dir_all(folder.path()).unwrap();
    assert_eq!(outcome(&start()).as_deref(), Some("new"));
    // Nothing kept, nothing to take.
    fs::remove_dir_all(&kept).unwrap();
    assert!(start().dialog("d").is_none());
}
