//! Whether the clock is right: hours of calling, `expires`, signatures and TLS depend on it.

use std::time::Duration;

use jiff::Timestamp;

use super::finding::Findings;

/// Before this the clock was never set: the program is younger. 2026-11-01.
const EARLIEST: i64 = 1_793_491_200;
/// The system answers within this.
const PATIENCE: Duration = Duration::from_secs(3);
/// Asterisk's clock may differ so much, seconds.
const APART: f64 = 2.0;

/// Of this machine.
pub(super) async fn look(findings: &mut Findings) {
    let now = Timestamp::now();
    if now.as_second() < EARLIEST {
        return findings.fault(
            "clock",
            (
                &format!("часы машины показывают {now}: они не установлены"),
                &format!("this machine's clock says {now}: it was never set"),
            ),
            ("timedatectl set-ntp true", "timedatectl set-ntp true"),
        );
    }
    synchronized(ask_system().await, now, findings);
}

/// Whether the kernel's clock is kept by NTP, whichever program does it; `None` where nobody tells.
async fn ask_system() -> Option<bool> {
    let asked = tokio::process::Command::new("timedatectl")
        .args(["show", "-p", "NTPSynchronized", "--value"])
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true)
        .output();
    let told = tokio::time::timeout(PATIENCE, asked).await.ok()?.ok()?;
    match String::from_utf8_lossy(&told.stdout).trim() {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

fn synchronized(told: Option<bool>, now: Timestamp, findings: &mut Findings) {
    match told {
        Some(true) => findings.ok(
            "clock",
            (
                "часы сверяются по сети (NTP)",
                "the clock is kept by the network (NTP)",
            ),
        ),
        Some(false) => findings.warning(
            "clock",
            (
                "часы не сверяются по сети (NTP): со временем уйдут, а с ними часы звонков и подписи для 1С",
                "the clock isn't kept by the network (NTP): it will drift, and calling hours and signatures with it",
            ),
            (
                "timedatectl set-ntp true (или apt-get install chrony)",
                "timedatectl set-ntp true (or apt-get install chrony)",
            ),
        ),
        None => findings.ok(
            "clock",
            (
                &format!("часы машины: {now}; о сверке по сети (NTP) спросить некого"),
                &format!("this machine's clock: {now}; nobody tells whether NTP keeps it"),
            ),
        ),
    }
}

/// Against Asterisk's, as its `Ping` told it (seconds since 1970); `asked` and `told` are ours around it.
pub(super) fn against_asterisk(
    theirs: f64,
    asked: Timestamp,
    told: Timestamp,
    findings: &mut Findings,
) {
    let seconds = |t: Timestamp| t.as_duration().as_secs_f64();
    let apart = (seconds(asked) - theirs)
        .max(theirs - seconds(told))
        .max(0.0);
    if apart <= APART {
        return;
    }
    findings.warning(
        "clock",
        (
            &format!(
                "часы Asterisk и наши расходятся на {apart:.0} с: история и журнал не сойдутся"
            ),
            &format!(
                "Asterisk's clock and ours are {apart:.0} s apart: history and logs won't match"
            ),
        ),
        (
            "на обеих машинах: timedatectl set-ntp true",
            "on both machines: timedatectl set-ntp true",
        ),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::doctor::finding::Level;
    use crate::config::Language;

    #[test]
    fn clocks_that_differ_are_told() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut found = Findings::new(Language::Ru);
        against_asterisk(1000.5, at(1000), at(1001), &mut found);
        against_asterisk(1002.5, at(1000), at(1001), &mut found);
        assert_eq!(found.all, []);
        against_asterisk(970.0, at(1000), at(1001), &mut found);
        assert_eq!(
            found.all[0].what,
            "часы Asterisk и наши расходятся на 30 с: история и журнал не сойдутся"
        );
        synchronized(Some(true), at(0), &mut found);
        synchronized(Some(false), at(0), &mut found);
        synchronized(None, at(0), &mut found);
        let levels: Vec<Level> = found.all[1..].iter().map(|f| f.level).collect();
        assert_eq!(levels, [Level::Ok, Level::Warning, Level::Ok]);
    }
}
