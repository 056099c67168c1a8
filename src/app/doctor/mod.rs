//! `doctor`: asks Asterisk, the recognizers, the voices and this machine what is missing, and tells the line that mends it.
//!
//! ```text
//! examine ─┬─ here:      limits  disk  clock  store  ports      this machine, our server
//!          ├─ asterisk:  link ─ rights ─ modules ─ trunk ─ dialplan ─ reach ─▶ verdict
//!          └─ ears, voices                                      beside it
//! ```
//!
//! Works beside a running server, whose ports it then uses (`visit`), and without one, when it holds them itself for some
//! seconds. It changes nothing and rings nobody; what it writes it takes away. Each wait has its end.

mod clock;
mod dialplan;
mod disk;
mod ears;
mod finding;
mod limits;
mod link;
mod modules;
mod ports;
mod reach;
mod rights;
mod store;
mod trunk;
mod verdict;
pub(crate) mod visit;
mod voices;

#[cfg(test)]
mod tests;

use std::time::Duration;

pub use finding::{Finding, Level};

use super::{probe, resolve};
use crate::config::Config;
use crate::script::{Named, check_folder_for};
use crate::store::holder;
use finding::Findings;
use rights::Told;

/// All that is asked of Asterisk ends after this; the rest has its own, shorter ends.
const ASTERISK: Duration = Duration::from_secs(50);

/// Looks at everything; `tell` gets each finding as soon as its part is done.
pub async fn examine(config: &Config, tell: &mut (dyn FnMut(&Finding) + Send)) -> Vec<Finding> {
    let mut all = Vec::new();
    let mut take = |found: Findings| {
        found.all.iter().for_each(&mut *tell);
        all.extend(found.all);
    };
    let here = here(config);
    let asked = asterisk(config);
    let spoken = async {
        let mut found = Findings::new(config.language);
        let mut said = Findings::new(config.language);
        tokio::join!(
            ears::look(config, &mut found),
            voices::look(config, &mut said)
        );
        found.all.extend(said.all);
        found
    };
    // The ports are looked at before the test call holds them itself.
    let (found, beside, dialogs) = here.await;
    take(found);
    let (found, spoken) = tokio::join!(asked(beside, dialogs), spoken);
    take(found);
    take(spoken);
    all
}

/// This machine and our own files; whether a server of ours runs; the names of the dialogs.
async fn here(config: &Config) -> (Findings, bool, Vec<String>) {
    let mut found = Findings::new(config.language);
    settings(config, &mut found);
    let dialogs = dialogs(config, &mut found);
    let server = ports::look(config, &mut found).await;
    let config = config.clone();
    let (mut held, mut beside) = (holder(&config.store), server.is_some());
    if held.is_some() && server.is_none() && config.http.listen.port() != 0 {
        beside = false;
        found.warning(
            "server",
            (
                &format!(
                    "базу держит процесс {}, а по http.listen никто не отвечает",
                    held.unwrap_or_default()
                ),
                &format!(
                    "process {} holds the store, and nobody answers at http.listen",
                    held.unwrap_or_default()
                ),
            ),
            (
                "другие настройки или сервер завис: systemctl status govorun",
                "other settings, or the server hangs: systemctl status govorun",
            ),
        );
        held = None;
    }
    // The disk may be slow.
    let language = found.language();
    let looked = tokio::task::spawn_blocking(move || {
        let mut found = Findings::new(language);
        store::look(&config, &mut found);
        disk::look(&config, &mut found);
        limits::look(&config, held, &mut found);
        found
    });
    if let Ok(looked) = looked.await {
        found.all.extend(looked.all);
    }
    clock::look(&mut found).await;
    (found, beside, dialogs)
}

/// What `check` sees too: programs and folders that aren't there.
fn settings(config: &Config, found: &mut Findings) {
    for fault in probe::probe(config) {
        found.fault(
            "settings",
            (&fault, &fault),
            (
                "govorun check -c govorun.yaml",
                "govorun check -c govorun.yaml",
            ),
        );
    }
}

fn dialogs(config: &Config, found: &mut Findings) -> Vec<String> {
    let named = Named {
        voices: Some(config.voice_names()),
        recognizers: Some(
            config
                .recognizers
                .iter()
                .map(|r| r.name().to_owned())
                .collect(),
        ),
    };
    let report = check_folder_for(&config.scripts.folder, config.language, &named);
    let folder = config.scripts.folder.display();
    match report.faults.first() {
        None => found.ok(
            "dialogs",
            (
                &format!("диалоги в {folder}: {}, ошибок нет", report.dialogs),
                &format!("dialogs in {folder}: {}, no fault", report.dialogs),
            ),
        ),
        Some(first) => found.fault(
            "dialogs",
            (
                &format!(
                    "диалоги в {folder}: ошибок {}, первая: {}:{}: {}",
                    report.faults.len(),
                    first.file,
                    first.line,
                    first.message
                ),
                &format!(
                    "dialogs in {folder}: {} faults, the first: {}:{}: {}",
                    report.faults.len(),
                    first.file,
                    first.line,
                    first.message
                ),
            ),
            (
                &format!("govorun check --scripts {folder}"),
                &format!("govorun check --scripts {folder}"),
            ),
        ),
    }
    let mut names: Vec<String> = std::fs::read_dir(&config.scripts.folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|ending| ending == "rhai"))
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    names
}

/// Everything that Asterisk is asked for.
fn asterisk(config: &Config) -> impl AsyncFnOnce(bool, Vec<String>) -> Findings + '_ {
    async move |beside, dialogs| {
        let mut found = Findings::new(config.language);
        let asked = ask(config, beside, &dialogs, &mut found);
        if tokio::time::timeout(ASTERISK, Box::pin(asked))
            .await
            .is_err()
        {
            found.warning(
                "asterisk",
                (
                    "Asterisk отвечает слишком медленно: спрошено не всё",
                    "Asterisk answers too slowly: not all was asked",
                ),
                (
                    "нагрузка на Asterisk: asterisk -rx \"core show channels count\"; top",
                    "Asterisk's load: asterisk -rx \"core show channels count\"; top",
                ),
            );
        }
        found
    }
}

async fn ask(config: &Config, beside: bool, dialogs: &[String], found: &mut Findings) {
    let ours = resolve(&config.asterisk.our_host);
    if let Err(error) = &ours {
        found.fault(
            "agi",
            (
                &format!("asterisk.our_host: имя не находится: {error}"),
                &format!("asterisk.our_host: the name isn't found: {error}"),
            ),
            (
                "в asterisk.our_host впишите IP этой машины (ip -br addr)",
                "write this machine's IP into asterisk.our_host (ip -br addr)",
            ),
        );
    }
    let Some(link) = link::look(config, found).await else {
        return;
    };
    rights::look(config, &link, found).await;
    let modules = modules::look(config, &link, found).await;
    let contexts = trunk::look(config, &link, found).await;
    dialplan::look(config, &link, contexts, dialogs, found).await;
    let mut told = Told {
        system: link.reads_system,
        ..Told::default()
    };
    if let (Ok(ours), Some(modules)) = (ours, modules) {
        let seen = reach::call(config, ours, beside, &modules, &link).await;
        if seen.no_call.is_none() {
            told.call = Some(seen.call_events);
            // Events of keys come as events of calls do.
            told.dtmf = seen.key_events.filter(|_| seen.call_events);
        }
        verdict::judge(config, ours, modules.medium, &seen, found);
    }
    rights::judge_read(&config.asterisk.user, told, found);
}
