//! The time that an utterance names: "полшестого", "без пятнадцати шесть", "в семь вечера", "после обеда", "с двух до пяти".
//!
//! Hours from one to eleven without "утра", "вечера" or the like can be read twice: unless something else settles it ("вечером
//! часов в семь", "сегодня" with the morning over, "с девяти до шести"), that is unsure, the reading between 8:00 and 19:59
//! first. Parts of a day are stretches.

mod read;

use jiff::civil::{DateTime, Time};

use super::date::{is_taken_back, names_day_of_month};
use super::found::{Found, MAX_READINGS, Span};
use super::number::parts_from_last;
use super::tokens::{Item, items};
use read::{Clock, DayPart, Hit, What, hits, place};

/// The time or stretch of time in `text`; `now` is the call's own date and time where the person is.
pub fn time(text: &str, now: DateTime) -> Found<Span<Time>> {
    of_items(&items(text), now)
}

pub(super) fn of_items(items: &[Item], now: DateTime) -> Found<Span<Time>> {
    for part in parts_from_last(items) {
        match of_part(part, now) {
            Found::Nothing => {}
            found => return found,
        }
    }
    Found::Nothing
}

fn of_part(items: &[Item], now: DateTime) -> Found<Span<Time>> {
    let all: Vec<Hit> = hits(items)
        .into_iter()
        .filter(|h| !names_day_of_month(items, h.from))
        .collect();
    let mut kept: Vec<Hit> = Vec::new();
    for (index, hit) in all.iter().enumerate() {
        let end = all
            .get(index + 1)
            .map_or(items.len(), |next| next.from)
            .max(hit.to);
        if !is_refused(items, hit) && !is_taken_back(&items[hit.to..end]) {
            kept.push(*hit);
        }
    }
    let context = Context {
        part: kept.iter().find_map(|h| match h.what {
            What::Stretch(_, _, part) => part,
            _ => None,
        }),
        today: items.iter().any(|i| i.is(&["сегодня", "today", "tonight"])),
        now,
    };
    let clocks = kept.iter().any(|h| matches!(h.what, What::Clock(_)));
    let mut found: Vec<Vec<Span<Time>>> = Vec::new();
    let mut at = 0;
    while let Some(hit) = kept.get(at) {
        at += 1;
        match hit.what {
            // "вечером в семь": the stretch only settles the hour.
            What::Stretch(..) if clocks => {}
            What::Stretch(from, to, _) => found.extend(span(from, to).map(|s| vec![s])),
            What::Ahead(minutes) => found.push(ahead(now, minutes).into_iter().collect()),
            What::Clock(clock) => {
                let next = kept.get(at).and_then(|next| match next.what {
                    What::Clock(end) if is_range(items, hit, next) => Some(end),
                    _ => None,
                });
                if let Some(end) = next {
                    at += 1;
                    found.push(context.range(clock, end));
                } else {
                    found.push(open_end(items, hit, context.point(clock)));
                }
            }
        }
    }
    found.dedup();
    match found.as_slice() {
        [] => Found::Nothing,
        [one] => match one.as_slice() {
            [sure] => Found::Sure(*sure),
            many => Found::Unsure(many.to_vec()),
        },
        many => {
            let mut readings: Vec<Span<Time>> = many.iter().flatten().copied().collect();
            readings.dedup();
            readings.truncate(MAX_READINGS);
            Found::Unsure(readings)
        }
    }
}

/// "не в пять", "кроме утра".
fn is_refused(items: &[Item], hit: &Hit) -> bool {
    let before = items[..hit.from].iter().rev().find(|i| {
        !i.is(&[
            "в",
            "во",
            "на",
            "к",
            "с",
            "часов",
            "часа",
            "рано",
            "поздно",
            "at",
            "in",
            "the",
        ])
    });
    before.is_some_and(|i| i.is(&["не", "ни", "кроме", "not", "except"]))
}

/// "с двух до пяти", "от двух до пяти", "между двумя и пятью", "10-12"
fn is_range(items: &[Item], first: &Hit, last: &Hit) -> bool {
    let before = |hit: &Hit, words: &[&str]| hit.from > 0 && items[hit.from - 1].is(words);
    let tied = last.from == first.to && items[last.from].tie == Some('-');
    let opened = before(
        first,
        &["с", "со", "от", "from", "между", "between", "часов", "часа"],
    );
    tied || (last.from <= first.to + 2
        && opened
        && before(last, &["до", "по", "и", "to", "till", "until", "and"]))
}

/// "до шести", "после шести", "не раньше пяти": one end is open.
fn open_end(items: &[Item], hit: &Hit, readings: Vec<Span<Time>>) -> Vec<Span<Time>> {
    let word = |back: usize| {
        hit.from
            .checked_sub(back)
            .map_or("", |at| items[at].word.as_str())
    };
    let skip = usize::from(matches!(word(1), "часов" | "часа" | "ровно"));
    let not = word(2 + skip) == "не";
    let no_later = matches!(word(1 + skip), "до" | "before" | "until" | "till")
        || (word(1 + skip) == "позже" && not)
        || (word(1 + skip) == "раньше" && !not);
    let no_earlier = matches!(
        word(1 + skip),
        "после" | "с" | "со" | "от" | "after" | "from"
    ) || (word(1 + skip) == "раньше" && not)
        || (word(1 + skip) == "позже" && !not);
    let after = items.get(hit.to);
    let open_after = after.is_some_and(|i| i.is(&["позже", "позднее", "дальше"]))
        && items.get(hit.to.wrapping_sub(1)).is_some();
    readings
        .into_iter()
        .map(|s| match () {
            () if no_later => Span {
                from: None,
                to: s.to,
            },
            () if no_earlier || open_after => Span {
                from: s.from,
                to: None,
            },
            () => s,
        })
        .collect()
}

fn ahead(now: DateTime, minutes: u32) -> Option<Span<Time>> {
    let at = now
        .checked_add(jiff::Span::new().minutes(i64::from(minutes)))
        .ok()?;
    Time::new(at.hour(), at.minute(), 0, 0)
        .ok()
        .map(Span::point)
}

fn at(minutes: u16) -> Option<Time> {
    let minutes = minutes % 1_440;
    Time::new(
        i8::try_from(minutes / 60).ok()?,
        i8::try_from(minutes % 60).ok()?,
        0,
        0,
    )
    .ok()
}

fn span(from: u16, to: u16) -> Option<Span<Time>> {
    Some(Span::between(at(from)?, at(to)?))
}

/// What else in the utterance settles an hour.
struct Context {
    part: Option<DayPart>,
    today: bool,
    now: DateTime,
}

impl Context {
    fn readings(&self, clock: Clock) -> Vec<u16> {
        if !clock.open {
            return vec![clock.minutes];
        }
        if let Some(part) = self.part {
            return vec![place(clock.minutes, part)];
        }
        let minutes = clock.minutes % 720;
        let now = u16::try_from(self.now.hour()).unwrap_or(0) * 60
            + u16::try_from(self.now.minute()).unwrap_or(0);
        if self.today && minutes < now {
            return vec![minutes + 720];
        }
        if minutes < 8 * 60 {
            vec![minutes + 720, minutes]
        } else {
            vec![minutes, minutes + 720]
        }
    }

    fn point(&self, clock: Clock) -> Vec<Span<Time>> {
        self.readings(clock)
            .into_iter()
            .filter_map(at)
            .map(Span::point)
            .collect()
    }

    /// Both ends on one day, the second after the first. "с девяти до шести" has one reading only.
    fn range(&self, first: Clock, last: Clock) -> Vec<Span<Time>> {
        let (starts, ends) = (self.readings(first), self.readings(last));
        let mut found: Vec<(u16, u16)> = Vec::new();
        for start in &starts {
            for end in &ends {
                // A stretch of more than twelve hours needs its hours said in full.
                let sensible =
                    start < end && (end - start <= 720 || (starts.len() == 1 && ends.len() == 1));
                if sensible {
                    found.push((*start, *end));
                }
            }
        }
        // "с пяти до шести вечера": the half of the day that was said goes for both.
        if starts.len() > 1 && ends.len() == 1 {
            found.sort_by_key(|(start, end)| end - start);
            found.truncate(1);
        }
        // "с десяти до двух": within a day of 7 to 22 hours there is one way to read it.
        let by_day: Vec<(u16, u16)> = found
            .iter()
            .copied()
            .filter(|(s, e)| *s >= 7 * 60 && *e <= 22 * 60)
            .collect();
        if let [one] = by_day.as_slice() {
            found.retain(|f| f != one);
            found.insert(0, *one);
            if first.minutes % 720 > last.minutes % 720 {
                found.truncate(1);
            }
        }
        found
            .into_iter()
            .filter_map(|(from, to)| span(from, to))
            .collect()
    }
}
