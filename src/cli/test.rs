//! `test`: the dialogs' own tests under a virtual clock, and what of the dialogs they never reach.

use std::time::{Duration, Instant};

use crate::rehearsal::case::Case;
use crate::rehearsal::coverage::Missed;
use crate::rehearsal::suite::{ENDING, Suite};
use crate::rehearsal::trial::Trial;

use super::arguments::Test;
use super::{Ended, folder, junit, place, screen, telemetry, transcript};

/// Runs it.
pub(super) fn run(wanted: &Test) -> Ended {
    telemetry::start("off", false);
    match tested(wanted) {
        Ok(ended) | Err(ended) => ended,
    }
}

fn tested(wanted: &Test) -> Result<Ended, Ended> {
    let version = folder::load(&wanted.scripts)?;
    let all = wanted.dialogs.is_empty();
    let mut names = Vec::new();
    for dialog in &wanted.dialogs {
        let dialog = dialog.strip_suffix(ENDING).unwrap_or(dialog);
        names.push(folder::named(&version, &wanted.scripts, dialog)?);
    }
    if all {
        names.extend(version.dialogs().map(|(name, _)| name.to_owned()));
    }
    let mut suite = Suite::load(&wanted.scripts, names);
    if all {
        suite.tell_orphans(&wanted.scripts);
    }
    for fault in &suite.faults {
        let at = match (fault.line, fault.column) {
            (0, _) => fault.file.clone(),
            (line, column) => format!("{}:{line}:{column}", fault.file),
        };
        screen::line(&format!("{at}: {}", fault.message));
        let shown = place::of_file(&wanted.scripts.join(&fault.file), fault.line, fault.column);
        if let Some(shown) = shown {
            screen::line(&shown);
        }
    }
    if suite.cases.is_empty() && suite.faults.is_empty() {
        let which = suite.dialogs.first().map_or("диалог", String::as_str);
        return Err(super::wrong_use::told(&format!(
            "проверок нет: напишите их в файле {} (как — в scripts/README.md)",
            wanted.scripts.join(format!("{which}{ENDING}")).display()
        )));
    }
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let began = Instant::now();
    let (trials, coverage) = suite.run(&version, threads);
    let took = began.elapsed();
    let failed = tell(&suite, &trials);
    let missed = suite.missed(&version, &coverage);
    let percent = tell_coverage(&missed);
    tell_sum(trials.len(), failed, suite.faults.len(), took, percent);
    if let Some(file) = &wanted.junit
        && let Err(error) = std::fs::write(file, junit::report(&suite, &trials, took))
    {
        screen::fault(&format!("файл {} не пишется: {error}", file.display()));
        return Ok(Ended::Fault);
    }
    let little = wanted.min_coverage.filter(|least| percent < *least);
    if let Some(least) = little {
        screen::line(&format!(
            "Пройдено {percent} %, а нужно не меньше {least} %."
        ));
    }
    let sound = failed == 0 && suite.faults.is_empty() && little.is_none();
    Ok(if sound { Ended::Sound } else { Ended::Fault })
}

/// Tells each dialog's cases: one line where they hold, the talk where one doesn't. Gives the number of those.
fn tell(suite: &Suite, trials: &[Trial]) -> usize {
    let tried: Vec<(&String, &Case, &Trial)> = suite
        .cases
        .iter()
        .zip(trials)
        .map(|((d, c), t)| (d, c, t))
        .collect();
    for dialog in &suite.dialogs {
        let mine = || tried.iter().filter(|(of, ..)| *of == dialog);
        let failed: Vec<_> = mine()
            .filter(|(.., trial)| !trial.differences.is_empty())
            .collect();
        match (mine().count(), failed.len()) {
            (0, _) => screen::line(&format!("– {dialog}: проверок нет")),
            (all, 0) => screen::line(&format!("✓ {dialog}: {}", cases(all))),
            (all, failed) => {
                screen::line(&format!("✗ {dialog}: {}, не прошло {failed}", cases(all)));
            }
        }
        for (_, case, trial) in failed {
            screen::line("");
            screen::line(&format!("✗ {dialog}{ENDING}:{}: {}", case.line, case.name));
            for line in transcript::shown(&trial.lines, &trial.differences) {
                screen::line(&line);
            }
            screen::line("");
        }
    }
    tried
        .iter()
        .filter(|(.., trial)| !trial.differences.is_empty())
        .count()
}

fn cases(n: usize) -> String {
    screen::count(n, ["проверка", "проверки", "проверок"])
}

/// Tells what was never reached; gives the whole percents that were.
fn tell_coverage(missed: &[Missed]) -> u32 {
    let (mut reached, mut all) = (0, 0);
    for file in missed {
        let (of_file, all_of_file) = file.share();
        reached += of_file;
        all += all_of_file;
        if of_file == all_of_file {
            continue;
        }
        let mut told = format!(
            "{}: пройдено {} %",
            file.file,
            percent(of_file, all_of_file)
        );
        if !file.missed.is_empty() {
            told.push_str(&format!(
                "; ни разу не дошли до строк: {}",
                ranges(&file.missed)
            ));
        }
        for (line, answers) in &file.answers {
            told.push_str(&format!(
                "; на вопрос в строке {line} ни разу не ответили: {}",
                answers.join(", ")
            ));
        }
        screen::line(&told);
    }
    percent(reached, all)
}

/// Whole percents, rounded down: 100 means everything.
fn percent(reached: usize, all: usize) -> u32 {
    u32::try_from((reached * 100).checked_div(all).unwrap_or(100)).unwrap_or(0)
}

/// `3, 7–9`
fn ranges(lines: &[usize]) -> String {
    let mut told: Vec<(usize, usize)> = Vec::new();
    for line in lines {
        match told.last_mut() {
            Some((_, end)) if *end + 1 == *line => *end = *line,
            _ => told.push((*line, *line)),
        }
    }
    let told = told.iter().map(|(from, to)| {
        if from == to {
            from.to_string()
        } else {
            format!("{from}–{to}")
        }
    });
    told.collect::<Vec<_>>().join(", ")
}

fn tell_sum(all: usize, failed: usize, faults: usize, took: Duration, percent: u32) {
    let mut how = match failed {
        0 if faults > 0 => String::new(),
        0 => "все прошли".to_owned(),
        failed => format!("не прошло {failed}"),
    };
    if faults > 0 {
        // What can't be read wasn't tried.
        let told = screen::count(faults, ["ошибка", "ошибки", "ошибок"]);
        how = format!(
            "{how}{}{told} в файлах проверок",
            if how.is_empty() { "" } else { ", " }
        );
    }
    screen::line(&format!(
        "Итого: {}, {how}, за {} мс; пройдено {percent} % строк и ответов",
        cases(all),
        took.as_millis()
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_as_ranges_and_percents_rounded_down() {
        assert_eq!(ranges(&[1, 3, 4, 5, 9]), "1, 3–5, 9");
        assert_eq!(
            (percent(199, 200), percent(0, 0), percent(5, 5)),
            (99, 100, 100)
        );
    }
}
