//! The store's file: whether it opens, is sound and of a version that we know.

use std::time::Duration;

use super::finding::Findings;
use crate::config::Config;
use crate::store::{Examined, Result, StoreError, VERSION, examine};

/// SQLite may look through the file for so long.
const PATIENCE: Duration = Duration::from_secs(8);

/// Blocks for at most [`PATIENCE`] and a little.
pub(super) fn look(config: &Config, findings: &mut Findings) {
    let path = config.store.display();
    if !config.store.exists() {
        return findings.ok(
            "store",
            (
                &format!("базы {path} ещё нет: сервер создаст её при первом запуске"),
                &format!("no store {path} yet: the server makes it at its first start"),
            ),
        );
    }
    judge(
        &path.to_string(),
        examine(&config.store, PATIENCE),
        findings,
    );
}

fn judge(path: &str, examined: Result<Examined>, findings: &mut Findings) {
    let found = match examined {
        Ok(found) => found,
        Err(error) => {
            let mend = match &error {
                StoreError::Newer { .. } => (
                    "запустите новую версию программы, которая её записала".to_owned(),
                    "run the newer program that wrote it".to_owned(),
                ),
                StoreError::NotOurs { .. } => (
                    format!("укажите в store другой файл или уберите этот: mv {path} {path}.old"),
                    format!("name another file in `store`, or move this one: mv {path} {path}.old"),
                ),
                _ => (
                    format!(
                        "проверьте права: ls -l {path}*; файл и папка должны принадлежать пользователю Говоруна"
                    ),
                    format!(
                        "check the rights: ls -l {path}*; file and folder belong to the user that runs us"
                    ),
                ),
            };
            let what = match &error {
                StoreError::Newer { found, known, .. } => format!(
                    "база {path} записана новой версией программы ({found}, а мы знаем {known})"
                ),
                StoreError::NotOurs { .. } => format!("{path} — не база Говоруна"),
                other => format!("база {path} не открывается: {other}"),
            };
            return findings.fault("store", (&what, &error.to_string()), (&mend.0, &mend.1));
        }
    };
    let mb = found.bytes >> 20;
    if let Some(damage) = found.damage {
        return findings.fault(
            "store",
            (
                &format!("база {path} повреждена: {damage}"),
                &format!("the store {path} is damaged: {damage}"),
            ),
            (
                &format!("остановите сервер, верните копию или соберите заново: sqlite3 {path} .recover | sqlite3 new.sqlite"),
                &format!("stop the server, put a copy back or recover it: sqlite3 {path} .recover | sqlite3 new.sqlite"),
            ),
        );
    }
    let (looked, looked_en) = if found.whole {
        ("проверена целиком", "checked as a whole")
    } else {
        ("большая, проверена частично", "large, checked in part")
    };
    let (next, next_en) = if found.version < VERSION {
        (
            format!("; версия {}, при запуске станет {VERSION}", found.version),
            format!(
                "; version {}, becomes {VERSION} at the next start",
                found.version
            ),
        )
    } else {
        (String::new(), String::new())
    };
    findings.ok(
        "store",
        (
            &format!("база {path}: {mb} MiB, {looked}{next}"),
            &format!("store {path}: {mb} MiB, {looked_en}{next_en}"),
        ),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::doctor::finding::Level;
    use crate::config::Language;
    use crate::store::Store;

    #[tokio::test]
    async fn files_that_are_no_store_and_a_sound_one() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config {
            store: folder.path().join("govorun.sqlite"),
            ..Config::default()
        };
        let mut found = Findings::new(Language::Ru);
        look(&config, &mut found);
        let store = Store::open(&config.store).unwrap();
        // Beside the server that holds it.
        look(&config, &mut found);
        assert_eq!(
            crate::store::holder(&config.store),
            Some(std::process::id())
        );
        drop(store);
        assert_eq!(crate::store::holder(&config.store), None);
        config.store = folder.path().join("text");
        std::fs::write(
            &config.store,
            "a text that is no database at all, but long enough for a header; ".repeat(20),
        )
        .unwrap();
        look(&config, &mut found);
        let levels: Vec<Level> = found.all.iter().map(|f| f.level).collect();
        assert_eq!(levels, [Level::Ok, Level::Ok, Level::Fault]);
        assert!(found.all[1].what.contains("проверена целиком"), "{found:?}");
        assert!(found.all[2].what.contains("не база Говоруна"), "{found:?}");
        assert!(found.all[2].mend.contains("mv "), "{found:?}");
    }

    #[test]
    fn a_damaged_file_is_a_fault() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("govorun.sqlite");
        drop(Store::open(&path).unwrap());
        let mut bytes = std::fs::read(&path).unwrap();
        // A page in the middle, not the header.
        let from = bytes.len() / 2;
        bytes[from..from + 4096].fill(0xa5);
        std::fs::write(&path, bytes).unwrap();
        let mut found = Findings::new(Language::Ru);
        judge("g.sqlite", examine(&path, PATIENCE), &mut found);
        assert_eq!(found.all[0].level, Level::Fault, "{found:?}");
        assert!(found.all[0].mend.contains(".recover"), "{found:?}");
    }
}
