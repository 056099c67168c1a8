//! How many files may be open, and whether the zones of the callees are known.

use super::finding::Findings;
use crate::config::Config;

/// Sockets and files of one call: AGI, the tap, a recognizer, a web request, and what is on its way.
const FILES_A_CALL: u64 = 6;
/// Those of the server itself.
const FILES_BESIDE: u64 = 128;
/// Zones that a Russian numbering plan needs first and last.
const ZONES: [&str; 2] = ["Europe/Moscow", "Asia/Kamchatka"];

/// Of the server's process where one runs, else of this one.
pub(super) fn look(config: &Config, server: Option<u32>, findings: &mut Findings) {
    let path = server.map_or("/proc/self/limits".to_owned(), |pid| {
        format!("/proc/{pid}/limits")
    });
    if let Some(limit) = std::fs::read_to_string(path)
        .ok()
        .as_deref()
        .and_then(open_files)
    {
        judge(limit, config.calls.at_once as u64, findings);
    }
    zones(&|name| jiff::tz::TimeZone::get(name).is_ok(), findings);
}

fn judge(limit: u64, at_once: u64, findings: &mut Findings) {
    let needed = at_once * FILES_A_CALL + FILES_BESIDE;
    if limit >= needed {
        return findings.ok(
            "limits",
            (
                &format!("открытых файлов можно {limit}, на {at_once} звонков нужно {needed}"),
                &format!("{limit} open files allowed, {at_once} calls need {needed}"),
            ),
        );
    }
    findings.fault(
        "limits",
        (
            &format!("открытых файлов можно только {limit}, а на calls.at_once = {at_once} нужно {needed}"),
            &format!("only {limit} open files allowed, and calls.at_once = {at_once} needs {needed}"),
        ),
        (
            &format!("в юните systemd: LimitNOFILE={0}; в терминале перед запуском: ulimit -n {0}", needed.max(4096)),
            &format!("in the systemd unit: LimitNOFILE={0}; in a terminal before the start: ulimit -n {0}", needed.max(4096)),
        ),
    );
}

/// The soft limit in `/proc/<pid>/limits`; `None` where it isn't told.
fn open_files(text: &str) -> Option<u64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

fn zones(known: &dyn Fn(&str) -> bool, findings: &mut Findings) {
    match ZONES.iter().find(|name| !known(name)) {
        None => findings.ok(
            "zones",
            (
                "часовые пояса системы на месте",
                "the system's time zones are there",
            ),
        ),
        Some(missing) => findings.fault(
            "zones",
            (
                &format!("нет данных о часовых поясах ({missing}): время звонка нельзя посчитать по поясу человека"),
                &format!("no time zone data ({missing}): a call's hour can't be told in the person's zone"),
            ),
            ("apt-get install tzdata", "apt-get install tzdata"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::doctor::finding::Level;
    use crate::config::Language;

    #[test]
    fn too_few_files_and_no_zones_are_faults_with_their_mend() {
        let text = "Limit                     Soft Limit           Hard Limit           Units     \n\
                    Max processes             1                    2                    processes \n\
                    Max open files            1024                 524288               files     \n";
        assert_eq!(open_files(text), Some(1024));
        assert_eq!(
            open_files("Max open files  unlimited  unlimited files"),
            Some(u64::MAX)
        );
        assert_eq!(open_files("Max processes 1 2"), None);
        let mut found = Findings::new(Language::Ru);
        judge(1024, 100, &mut found);
        judge(1024, 1000, &mut found);
        zones(&|_| true, &mut found);
        zones(&|name| name != "Asia/Kamchatka", &mut found);
        let levels: Vec<Level> = found.all.iter().map(|f| f.level).collect();
        assert_eq!(levels, [Level::Ok, Level::Fault, Level::Ok, Level::Fault]);
        assert_eq!(
            found.all[1].what,
            "открытых файлов можно только 1024, а на calls.at_once = 1000 нужно 6128"
        );
        assert!(found.all[1].mend.contains("LimitNOFILE=6128"));
        assert_eq!(found.all[3].mend, "apt-get install tzdata");
    }
}
