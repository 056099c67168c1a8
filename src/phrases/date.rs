//! The day that an utterance names: "послезавтра", "в пятницу", "двадцать пятого ноября", "через три дня", "на выходных".
//!
//! Today is an argument. A day is never in the past unless it was said so ("вчера", a year); a stretch of days is told as its
//! first and last; "не в пятницу" and "в пятницу не могу" take the day back; "в пятницу, нет, в субботу" corrects it.

mod read;
mod resolve;
mod vocabulary;

use jiff::civil::Date;

use super::found::{Found, MAX_READINGS, Span};
use super::number::parts_from_last;
use super::tokens::{Item, items};
use read::{Hit, Kind, hits, may_precede};

/// The day or stretch of days in `text`; `today` is the day of the call where the person is.
pub fn date(text: &str, today: Date) -> Found<Span<Date>> {
    of_items(&items(text), today)
}

pub(super) fn of_items(items: &[Item], today: Date) -> Found<Span<Date>> {
    for part in parts_from_last(items) {
        match of_part(part, today) {
            Found::Nothing => {}
            found => return found,
        }
    }
    Found::Nothing
}

fn of_part(items: &[Item], today: Date) -> Found<Span<Date>> {
    let all = hits(items, today);
    let mut kept: Vec<Hit> = Vec::new();
    for (index, hit) in all.iter().enumerate() {
        let end = all.get(index + 1).map_or(items.len(), |next| next.from);
        if !is_refused(items, hit, end) {
            kept.push(bounded(items, hit, today));
        }
    }
    let kept = joined(items, kept, today);
    let mut readings: Vec<Span<Date>> = Vec::new();
    for hit in &kept {
        // "на следующей неделе, двадцать пятого": the narrower one.
        if kept
            .iter()
            .any(|other| other.from != hit.from && covers(hit, other) && !covers(other, hit))
        {
            continue;
        }
        for reading in &hit.readings {
            if !readings.contains(reading) && readings.len() < MAX_READINGS {
                readings.push(*reading);
            }
        }
    }
    match (kept.is_empty(), readings.as_slice()) {
        (true, _) => Found::Nothing,
        (_, [one]) => Found::Sure(*one),
        _ => Found::Unsure(readings),
    }
}

fn covers(wide: &Hit, narrow: &Hit) -> bool {
    let ends = |h: &Hit| h.readings.first().and_then(|r| r.from.zip(r.to));
    match (ends(wide), ends(narrow)) {
        (Some((a, b)), Some((c, d))) => a <= c && d <= b,
        _ => false,
    }
}

/// "не в пятницу", "кроме пятницы", "в пятницу не могу".
fn is_refused(items: &[Item], hit: &Hit, end: usize) -> bool {
    let before = items[..hit.from].iter().rev().find(|i| !may_precede(i));
    if before.is_some_and(|i| i.is(&["не", "ни", "кроме", "not", "except"])) {
        return true;
    }
    is_taken_back(&items[hit.to.min(end)..end])
}

/// What follows a day or time says that it won't do.
pub(super) fn is_taken_back(after: &[Item]) -> bool {
    const STEMS: &[&str] = &[
        "мог",
        "смог",
        "смож",
        "мож",
        "получ",
        "подход",
        "устра",
        "приед",
        "прид",
        "хо",
        "удоб",
        "буд",
        "выйд",
        "успе",
        "работа",
        "надо",
        "нужно",
    ];
    for (at, item) in after.iter().take(5).enumerate() {
        if item.is(&[
            "но",
            "давайте",
            "лучше",
            "может",
            "можно",
            "или",
            "but",
            "либо",
            "если",
        ]) {
            return false;
        }
        if item.is(&[
            "никак",
            "неудобно",
            "занят",
            "занята",
            "заняты",
            "cant",
            "cannot",
            "wont",
            "doesnt",
        ]) {
            return true;
        }
        if item.is(&["не"]) {
            return after.get(at + 1).is_some_and(|next| next.begins(STEMS));
        }
    }
    false
}

/// "до пятницы", "после двадцатого", "не раньше среды": an end that is open.
fn bounded(items: &[Item], hit: &Hit, today: Date) -> Hit {
    let mut hit = hit.clone();
    let word = |back: usize| {
        hit.from
            .checked_sub(back)
            .map_or("", |at| items[at].word.as_str())
    };
    let not = |back: usize| matches!(word(back), "не" | "not");
    let change = |span: Span<Date>| match (word(1), span) {
        ("до" | "by" | "until" | "till", s) => Span {
            from: Some(today).filter(|t| s.to.is_some_and(|to| *t <= to)),
            to: s.to,
        },
        ("после" | "after", s) => Span {
            from: s.to.and_then(|to| resolve::days(to, 1)),
            to: None,
        },
        ("с" | "со" | "from" | "since", s) if s.single().is_some() => Span {
            from: s.from,
            to: None,
        },
        ("раньше" | "ранее", s) if not(2) => Span {
            from: s.from,
            to: None,
        },
        ("позже" | "позднее", s) if not(2) => Span {
            from: Some(today),
            to: s.to,
        },
        ("раньше" | "before", s) => Span {
            from: Some(today),
            to: s.from.and_then(|from| resolve::days(from, -1)),
        },
        ("позже", s) => Span {
            from: s.to.and_then(|to| resolve::days(to, 1)),
            to: None,
        },
        (_, s) => s,
    };
    let changed = hit.readings.iter().copied().map(change).collect();
    hit.readings = changed;
    hit
}

/// Puts together what belongs together: "с понедельника по среду", "в ноябре двадцать пятого", "завтра-послезавтра".
fn joined(items: &[Item], hits: Vec<Hit>, today: Date) -> Vec<Hit> {
    let mut out: Vec<Hit> = Vec::new();
    for hit in hits {
        let Some(last) = out.last_mut() else {
            out.push(hit);
            continue;
        };
        let word = |back: usize| {
            hit.from
                .checked_sub(back)
                .map_or("", |at| items[at].word.as_str())
        };
        let near = hit.from <= last.to + 2;
        let opened = last.from > 0 && items[last.from - 1].is(&["с", "со", "от", "from"]);
        let closes = matches!(word(1), "по" | "до" | "to" | "till" | "until");
        let tied = hit.from == last.to && items[hit.from].tie == Some('-');
        if near && (tied || (opened && closes)) {
            let first = last.readings.first().and_then(|r| r.from);
            let mut end = hit.readings.first().and_then(|r| r.to);
            // "с пятницы по понедельник": the Monday after that Friday.
            if let (Some(first), Some(early)) = (first, end)
                && early < first
            {
                end = match hit.kind {
                    Kind::Weekday(day) => resolve::weekday(first, day, resolve::Which::Bare)
                        .first()
                        .copied(),
                    Kind::DayOnly(day) => resolve::day_only(first, day).first().copied(),
                    _ => None,
                };
            }
            let sure = last.readings.len() <= 1;
            let span = first.zip(end).map(|(first, end)| Span::between(first, end));
            last.readings = span.into_iter().collect();
            if !sure {
                // One end is unsure, so the stretch is: told as its likeliest reading and as nothing.
                last.readings.extend(span.map(|s| Span {
                    from: s.from,
                    to: None,
                }));
            }
            last.to = hit.to;
            last.kind = Kind::Stretch;
            continue;
        }
        if let (Kind::Month(month), Kind::DayOnly(day)) | (Kind::DayOnly(day), Kind::Month(month)) =
            (last.kind, hit.kind)
        {
            *last = Hit::day(
                last.from,
                hit.to,
                Kind::Day,
                resolve::day_of_month(today, day, month, None),
            );
            continue;
        }
        out.push(hit);
    }
    out
}

/// The number at `at` is the day of a month, not an hour: "на двадцать пятое", "25 числа", "25-27 ноября".
pub(super) fn names_day_of_month(items: &[Item], at: usize) -> bool {
    read::is_day_of_month(items, at)
}
