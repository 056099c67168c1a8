//! Room on the disks, and how long a write takes to be safe: an order is answered only when it is.

use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::finding::Findings;
use crate::config::Config;
use crate::ident::Token;

/// Less than this is a fault: SQLite stops taking orders on a full disk.
const LEAST: u64 = 200 << 20;
/// Less than this is worth a look.
const ENOUGH: u64 = 2 << 30;
/// Writes that are measured, and what one of them may take.
const WRITES: usize = 20;
const SLOW: Duration = Duration::from_millis(50);
const TOO_SLOW: Duration = Duration::from_millis(500);
/// All of them end after this, however slow the disk.
const PATIENCE: Duration = Duration::from_secs(5);

/// Blocks for some milliseconds; on a failing disk for seconds.
pub(super) fn look(config: &Config, findings: &mut Findings) {
    let mut seen = Vec::new();
    for (key, folder) in [
        ("store", parent(&config.store)),
        ("asterisk.sounds", config.asterisk.sounds.clone()),
        ("asterisk.recordings", config.asterisk.recordings.clone()),
    ] {
        let Some(folder) = existing(&folder) else {
            continue;
        };
        let Ok(stat) = rustix::fs::statvfs(&folder) else {
            continue;
        };
        // One disk is told once.
        let disk = std::fs::metadata(&folder).map(|data| data.dev()).ok();
        if seen.contains(&disk) {
            continue;
        }
        seen.push(disk);
        room(key, &folder, stat.f_bavail * stat.f_frsize, findings);
    }
    let folder = parent(&config.store);
    match measure(&folder) {
        Ok(mut took) => {
            took.sort();
            let median = took.get(took.len() / 2).copied().unwrap_or_default();
            speed(&folder, median, findings);
        }
        Err(error) => findings.fault(
            "disk",
            (
                &format!("в папку базы {} нельзя писать: {error}", folder.display()),
                &format!(
                    "can't write into the store's folder {}: {error}",
                    folder.display()
                ),
            ),
            (
                &format!(
                    "mkdir -p {0} && chown govorun: {0} (или под кем работает Говорун)",
                    folder.display()
                ),
                &format!(
                    "mkdir -p {0} && chown govorun: {0} (or whoever runs us)",
                    folder.display()
                ),
            ),
        ),
    }
}

fn room(key: &str, folder: &Path, free: u64, findings: &mut Findings) {
    let folder = folder.display();
    let told = size(free);
    let what = (
        format!("{key}: на диске {folder} свободно {told}"),
        format!("{key}: {told} free on the disk of {folder}"),
    );
    let what = (what.0.as_str(), what.1.as_str());
    let mend = (
        &*format!(
            "освободите место: du -xh {folder} | sort -h | tail; старые записи разговоров удаляют по сроку"
        ),
        &*format!("make room: du -xh {folder} | sort -h | tail; old recordings may go by age"),
    );
    match free {
        0..LEAST => findings.fault("disk", what, mend),
        LEAST..ENOUGH => findings.warning("disk", what, mend),
        _ => findings.ok("disk", what),
    }
}

fn speed(folder: &Path, median: Duration, findings: &mut Findings) {
    let ms = median.as_secs_f64() * 1000.0;
    let what = (
        format!("надёжная запись в {}: {ms:.1} мс", folder.display()),
        format!("a safe write into {}: {ms:.1} ms", folder.display()),
    );
    let what = (what.0.as_str(), what.1.as_str());
    let mend = (
        "перенесите store на локальный SSD: каждый заказ 1С ждёт такой записи",
        "put the store on a local SSD: each order of 1C waits for such a write",
    );
    if median >= TOO_SLOW {
        findings.fault("disk", what, mend);
    } else if median >= SLOW {
        findings.warning("disk", what, mend);
    } else {
        findings.ok("disk", what);
    }
}

/// What single writes took, each made safe. Leaves nothing behind.
fn measure(folder: &Path) -> std::io::Result<Vec<Duration>> {
    let path = folder.join(format!(".govorun-{}.tmp", Token::fresh().as_str()));
    let mut file = std::fs::File::create_new(&path)?;
    let written = (|| {
        let begin = Instant::now();
        let mut took = Vec::with_capacity(WRITES);
        while took.len() < WRITES && begin.elapsed() < PATIENCE {
            let from = Instant::now();
            file.write_all(&[0; 4096])?;
            file.sync_data()?;
            took.push(from.elapsed());
        }
        Ok(took)
    })();
    std::fs::remove_file(&path)?;
    written
}

/// The folder of a file; `.` for a bare name.
fn parent(file: &Path) -> PathBuf {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// The folder, or the nearest one above it that is there.
fn existing(folder: &Path) -> Option<PathBuf> {
    folder
        .ancestors()
        .find(|path| path.is_dir())
        .map(Path::to_owned)
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1_073_741_824 => format!("{} MiB", bytes >> 20),
        _ => format!("{} GiB", bytes >> 30),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::doctor::finding::Level;
    use crate::config::Language;

    #[test]
    fn a_full_or_a_slow_disk_is_told() {
        let mut found = Findings::new(Language::Ru);
        let folder = Path::new("/var/lib/govorun");
        room("store", folder, 100 << 20, &mut found);
        room("store", folder, 1 << 30, &mut found);
        room("store", folder, 100 << 30, &mut found);
        speed(folder, Duration::from_micros(1_900), &mut found);
        speed(folder, Duration::from_millis(70), &mut found);
        speed(folder, Duration::from_millis(900), &mut found);
        use Level::{Fault, Ok, Warning};
        let levels: Vec<Level> = found.all.iter().map(|f| f.level).collect();
        assert_eq!(levels, [Fault, Warning, Ok, Ok, Warning, Fault]);
        assert_eq!(
            found.all[0].what,
            "store: на диске /var/lib/govorun свободно 100 MiB"
        );
        assert_eq!(
            found.all[3].what,
            "надёжная запись в /var/lib/govorun: 1.9 мс"
        );
        assert!(found.all[4].mend.contains("SSD"));
    }

    #[test]
    fn writes_are_measured_and_leave_nothing() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!measure(folder.path()).unwrap().is_empty());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(measure(&folder.path().join("no")).is_err());
    }
}
