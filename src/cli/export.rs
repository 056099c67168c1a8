//! `export`: ended calls, or their histories, into a file or onto the screen; the server may go on meanwhile.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use jiff::tz::TimeZone;
use jiff::{ToSpan, Zoned};

use crate::config::Language;
use crate::store::{Archive, ExportFormat, ExportOf, ExportQuery};

use super::arguments::Export;
use super::{Ended, check, screen, wrong_use};

/// The window where none is named: so many days, today the last.
const USUAL_DAYS: i64 = 30;

/// Runs it.
pub(super) fn run(wanted: &Export) -> Ended {
    match exported(wanted) {
        Ok(ended) | Err(ended) => ended,
    }
}

fn exported(wanted: &Export) -> Result<Ended, Ended> {
    let (store, language) = place(wanted)?;
    if !store.is_file() {
        return Err(wrong_use::told(&format!(
            "файла {} нет: укажите --store ФАЙЛ или -c govorun.yaml",
            store.display()
        )));
    }
    let query = query(wanted, language)?;
    let archive = Archive::open(&store).map_err(|error| broken(&error))?;
    let write = |out: &mut dyn Write| {
        let done = archive.export(query, &mut |bytes| out.write_all(bytes));
        done.map(|written| written.and_then(|()| out.flush()))
    };
    let done = match &wanted.out {
        Some(path) => {
            let cannot = |error: io::Error| {
                screen::fault(&format!("{}: {error}", path.display()));
                Ended::Fault
            };
            let file = File::create(path).map_err(cannot)?;
            write(&mut BufWriter::new(file))
        }
        None => write(&mut io::stdout().lock()),
    };
    match done.map_err(|error| broken(&error))? {
        Ok(()) => Ok(Ended::Sound),
        // `| head` has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Ended::Sound),
        Err(error) => {
            screen::fault(&format!("не записывается: {error}"));
            Err(Ended::Fault)
        }
    }
}

fn broken(error: &dyn std::fmt::Display) -> Ended {
    screen::fault(&format!("история не читается: {error}"));
    Ended::Fault
}

/// The store's file and the headings' language: by the key, else by the settings.
fn place(wanted: &Export) -> Result<(PathBuf, Language), Ended> {
    if let Some(store) = &wanted.store {
        return Ok((store.clone(), Language::Ru));
    }
    let config = check::load(&wanted.config).map_err(|faults| {
        faults
            .iter()
            .for_each(|fault| screen::fault(&check::shown(fault)));
        screen::fault("Без настроек укажите --store ФАЙЛ.");
        Ended::Fault
    })?;
    Ok((config.store, config.language))
}

fn query(wanted: &Export, language: Language) -> Result<ExportQuery, Ended> {
    let zone = TimeZone::system();
    let to = wanted.to.unwrap_or_else(|| Zoned::now().date());
    let from = wanted
        .from
        .unwrap_or_else(|| to.saturating_sub((USUAL_DAYS - 1).days()));
    if from > to {
        return Err(wrong_use::told(&format!(
            "начало ({from}) позже конца ({to})"
        )));
    }
    let begins = |day: jiff::civil::Date| {
        let at = day.to_zoned(zone.clone()).map(|at| at.timestamp());
        at.map_err(|error| wrong_use::told(&format!("{day}: {error}")))
    };
    let after = to.tomorrow().unwrap_or(to);
    let names = wanted.data.iter().flat_map(|names| names.split(','));
    Ok(ExportQuery {
        of: match wanted.what.as_str() {
            "events" => ExportOf::Events,
            _ => ExportOf::Calls,
        },
        format: match wanted.format.as_str() {
            "jsonl" => ExportFormat::Jsonl,
            _ => ExportFormat::Csv,
        },
        from: begins(from)?,
        to: begins(after)?,
        dialog: wanted.dialog.clone(),
        data: names
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty())
            .collect(),
        zone: zone.clone(),
        language,
    })
}
