//! Finds the days that an utterance names, one after the other.

use jiff::civil::Date;

use super::resolve::{self, Dates, Which};
use super::vocabulary::{NEAREST, NEXT, PREPOSITIONS, Part, THIS, Unit, unit};
use crate::phrases::calendar::{month_of, weekday_of};
use crate::phrases::found::Span;
use crate::phrases::items::Items;
use crate::phrases::tokens::{Item, Num};

/// What kind of naming it was: some complete each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A day by itself.
    Day,
    /// "двадцать пятого": the month may be named elsewhere.
    DayOnly(i8),
    /// "в пятницу"
    Weekday(i8),
    /// "в ноябре"
    Month(i8),
    /// Another stretch.
    Stretch,
}

/// A day or stretch of days found in an utterance.
#[derive(Clone, Debug)]
pub(super) struct Hit {
    /// Index of its first item, prepositions not counted.
    pub from: usize,
    /// Index after its last item.
    pub to: usize,
    /// What it may be, likeliest first; one where it is sure.
    pub readings: Vec<Span<Date>>,
    pub kind: Kind,
}

impl Hit {
    pub(super) fn day(from: usize, to: usize, kind: Kind, dates: Dates) -> Self {
        Self {
            from,
            to,
            readings: dates.into_iter().map(Span::point).collect(),
            kind,
        }
    }

    fn stretch(
        from: usize,
        to: usize,
        kind: Kind,
        first: Option<Date>,
        last: Option<Date>,
    ) -> Self {
        let span = first
            .zip(last)
            .map(|(first, last)| Span::between(first, last));
        Self {
            from,
            to,
            readings: span.into_iter().collect(),
            kind,
        }
    }
}

/// All of them, in order.
pub(super) fn hits(items: &[Item], today: Date) -> Vec<Hit> {
    let reader = Reader {
        items: Items(items),
        today,
    };
    let mut found: Vec<Hit> = Vec::new();
    let mut at = 0;
    while at < items.len() {
        match reader.hit_at(at) {
            Some(hit) => {
                at = hit.to.max(at + 1);
                found.push(hit);
            }
            None => at += 1,
        }
    }
    found
}

struct Reader<'a> {
    items: Items<'a>,
    today: Date,
}

impl Reader<'_> {
    fn hit_at(&self, at: usize) -> Option<Hit> {
        self.relative(at)
            .or_else(|| self.in_time(at))
            .or_else(|| self.week(at))
            .or_else(|| self.weekday(at))
            .or_else(|| self.part(at))
            .or_else(|| self.month(at))
            .or_else(|| self.numeric(at))
            .or_else(|| self.day(at))
    }

    /// "завтра", "послезавтра"
    fn relative(&self, at: usize) -> Option<Hit> {
        const DAYS: &[(&str, i64)] = &[
            ("сегодня", 0),
            ("сегодняшний", 0),
            ("завтра", 1),
            ("завтрашний", 1),
            ("послезавтра", 2),
            ("послепослезавтра", 3),
            ("вчера", -1),
            ("позавчера", -2),
            ("today", 0),
            ("tonight", 0),
            ("tomorrow", 1),
            ("yesterday", -1),
        ];
        if self.items.is(at, &["day"])
            && self.items.is(at + 1, &["after"])
            && self.items.is(at + 2, &["tomorrow"])
        {
            return Some(Hit::day(
                at,
                at + 3,
                Kind::Day,
                resolve::days(self.today, 2).into_iter().collect(),
            ));
        }
        let word = &self.items.at(at)?.word;
        let parted = usize::from(
            word == "после"
                && self.items.is(at + 1, &["завтра"])
                && self.items.0[at + 1].tie.is_none_or(|c| c == '-'),
        );
        let days = if parted == 1 {
            2
        } else {
            DAYS.iter().find(|(name, _)| name == word)?.1
        };
        let day = resolve::days(self.today, days).into_iter().collect();
        Some(Hit::day(at, at + 1 + parted, Kind::Day, day))
    }

    /// "через три дня", "дня через три", "через неделю в пятницу", "in two weeks"
    fn in_time(&self, at: usize) -> Option<Hit> {
        // "дня через три"
        if let Some(unit) = unit(self.items.at(at)?)
            && self.items.is(at + 1, &["через"])
            && let Some(count) = self.items.num(at + 2).and_then(|n| n.cardinal(1_000))
        {
            return Some(Hit::day(
                at,
                at + 3,
                Kind::Day,
                self.ahead(count * 1_000, unit, false),
            ));
        }
        let english = self.items.is(at, &["in"]);
        if !english && !self.items.is(at, &["через", "спустя"]) {
            return None;
        }
        let mut next = at + 1;
        if self.items.is(next, &["a", "an", "где", "примерно", "еще"]) {
            next += 1;
        }
        let mut milli = 1_000;
        let mut to_milli = None;
        if let Some(num) = self
            .items
            .num(next)
            .filter(|n| !n.ordinal && n.milli <= 1_000_000)
        {
            milli = num.milli;
            next += 1;
            if let Some(last) = self
                .items
                .num(next)
                .filter(|n| !n.ordinal && n.milli <= 1_000_000 && n.milli > milli)
            {
                to_milli = Some(last.milli);
                next += 1;
            }
        } else if english && next == at + 1 {
            return None;
        }
        let working = self.items.begins(next, &["рабоч"]);
        next += usize::from(working);
        let (unit, milli) = match self.items.at(next)? {
            i if i.is(&["полгода"]) => (Unit::Month, 6_000),
            i if i.is(&["полмесяца"]) => (Unit::Month, 500),
            i => (unit(i)?, milli),
        };
        next += 1;
        if let Some(last) = to_milli {
            let first = self.ahead(milli, unit, working).first().copied();
            let last = self.ahead(last, unit, working).first().copied();
            return Some(Hit::stretch(at, next, Kind::Stretch, first, last));
        }
        // "через неделю в пятницу"
        let skip = usize::from(self.items.is(next, &["в", "во", "on"]));
        if unit == Unit::Week
            && milli.is_multiple_of(1_000)
            && let Some(day) = self.items.at(next + skip).and_then(weekday_of)
        {
            let weeks = i64::try_from(milli / 1_000).ok()?;
            let dates = resolve::weekday(self.today, day, Which::Week(weeks));
            return Some(Hit::day(at, next + skip + 1, Kind::Weekday(day), dates));
        }
        let mut dates = self.ahead(milli, unit, working);
        // "через день" is tomorrow for some, the day after for others.
        if unit == Unit::Day && milli == 1_000 && next == at + 2 && !english {
            dates.extend(resolve::days(self.today, 2));
        }
        Some(Hit::day(at, next, Kind::Day, dates))
    }

    fn ahead(&self, milli: u64, unit: Unit, working: bool) -> Dates {
        let Ok(milli) = i64::try_from(milli) else {
            return Vec::new();
        };
        let whole = milli % 1_000 == 0;
        let days = |n| resolve::days(self.today, n);
        let found = match unit {
            Unit::Day if working => vec![resolve::working_days(self.today, milli / 1_000)],
            Unit::Day if whole => vec![days(milli / 1_000)],
            Unit::Week if whole => vec![days(milli * 7 / 1_000)],
            Unit::Month if whole => vec![resolve::months(self.today, milli / 1_000)],
            Unit::Year if whole => vec![resolve::months(self.today, milli * 12 / 1_000)],
            Unit::Day => vec![days(milli / 1_000 + 1), days(milli / 1_000)],
            Unit::Week => vec![days(milli * 7 / 1_000), days(milli * 7 / 1_000 + 1)],
            Unit::Month => vec![days(milli * 30 / 1_000), days(milli * 30 / 1_000 + 1)],
            Unit::Year => vec![resolve::months(self.today, milli * 12 / 1_000)],
        };
        found.into_iter().flatten().collect()
    }

    /// So many weeks ahead: "следующей неделе" at `at`.
    fn named_week(&self, at: usize) -> Option<(i64, usize)> {
        const WEEK: &[&str] = &[
            "неделе",
            "неделю",
            "недели",
            "неделей",
            "неделька",
            "недельке",
            "week",
        ];
        if self.items.begins(at, NEXT) && self.items.is(at + 1, WEEK) {
            return Some((1, at + 2));
        }
        if self.items.is(at, THIS) && self.items.is(at + 1, WEEK) {
            return Some((0, at + 2));
        }
        if self.items.is(at, &["через"]) && self.items.is(at + 1, &["неделю"]) {
            return Some((1, at + 2));
        }
        None
    }

    /// "на следующей неделе", alone or with a day before or after it.
    fn week(&self, at: usize) -> Option<Hit> {
        let (weeks, mut next) = self.named_week(at)?;
        let skip = usize::from(self.items.is(next, &["в", "во", "on"]));
        if let Some(day) = self.items.at(next + skip).and_then(weekday_of) {
            next += skip + 1;
            return Some(Hit::day(
                at,
                next,
                Kind::Weekday(day),
                resolve::weekday(self.today, day, Which::Week(weeks)),
            ));
        }
        let first = resolve::monday(self.today, weeks);
        let last = first.and_then(|m| resolve::days(m, 6));
        Some(Hit::stretch(
            at,
            next,
            Kind::Stretch,
            first.map(|f| f.max(self.today)),
            last,
        ))
    }

    /// "в пятницу", "в следующую пятницу", "в пятницу на следующей неделе", "в пятницу двадцать седьмого"
    fn weekday(&self, at: usize) -> Option<Hit> {
        let (which, name) = if self.items.begins(at, NEXT) {
            (Which::Week(1), at + 1)
        } else if self.items.begins(at, NEAREST) {
            (Which::Nearest, at + 1)
        } else if self.items.is(at, THIS) {
            (Which::This, at + 1)
        } else {
            (Which::Bare, at)
        };
        let day = self.items.at(name).and_then(weekday_of)?;
        let mut next = name + 1;
        let skip = usize::from(self.items.is(next, &["на", "of"]));
        let mut which = which;
        if let Some((weeks, end)) = self.named_week(next + skip) {
            which = Which::Week(weeks);
            next = end;
        }
        let dates = resolve::weekday(self.today, day, which);
        // "в пятницу двадцать седьмого": both have to say the same.
        let skip = usize::from(self.items.is(next, &["на", "the"]));
        if let Some(date) = self.day(next + skip).or_else(|| self.numeric(next + skip))
            && let Some(named) = date.readings.first().and_then(Span::single)
        {
            let mut readings = date.readings.clone();
            if named.weekday().to_monday_one_offset() != day {
                readings.extend(dates.into_iter().map(Span::point));
            } else {
                readings.truncate(1);
            }
            return Some(Hit {
                from: at,
                to: date.to,
                readings,
                kind: Kind::Day,
            });
        }
        Some(Hit::day(at, next, Kind::Weekday(day), dates))
    }

    /// "на выходных", "в конце недели", "в начале декабря", "в середине месяца"
    fn part(&self, at: usize) -> Option<Hit> {
        let today = self.today;
        let (ahead, name) = if self.items.begins(at, NEXT) {
            (1, at + 1)
        } else if self.items.begins(at, NEAREST) || self.items.is(at, THIS) {
            (0, at + 1)
        } else {
            (0, at)
        };
        if self.items.is(
            name,
            &["выходные", "выходных", "выходным", "weekend", "уикенд"],
        ) {
            let monday = resolve::monday(today, ahead)?;
            let mut first = resolve::days(monday, 5)?;
            let mut last = resolve::days(monday, 6)?;
            if ahead == 0 && last == today && name == at {
                first = resolve::days(first, 7)?;
                last = resolve::days(last, 7)?;
            }
            return Some(Hit::stretch(
                at,
                name + 1,
                Kind::Stretch,
                Some(first.max(today)),
                Some(last),
            ));
        }
        let part = Part::of(self.items.at(at)?)?;
        let mut next = at + 1;
        if self.items.is(next, &["of"]) {
            next += 1;
        }
        if self.items.is(next, &["the"]) {
            next += 1;
        }
        let (ahead, next) = if self.items.begins(next, NEXT) {
            (1, next + 1)
        } else if self.items.is(next, THIS) {
            (0, next + 1)
        } else {
            (0, next)
        };
        if self.items.is(next, &["недели", "неделе", "week"]) {
            let monday = resolve::monday(today, ahead)?;
            let (first, last) = match part {
                Part::Beginning => (0, 1),
                Part::Middle => (2, 3),
                Part::End => (4, 6),
            };
            let late = ahead == 0 && resolve::days(monday, last)? < today;
            let monday = if late {
                resolve::days(monday, 7)?
            } else {
                monday
            };
            let first = resolve::days(monday, first)?.max(today);
            return Some(Hit::stretch(
                at,
                next + 1,
                Kind::Stretch,
                Some(first),
                resolve::days(monday, last),
            ));
        }
        let (first, last) = if self.items.is(next, &["месяца", "месяце", "month"]) {
            let first = resolve::months(today.first_of_month(), ahead)?;
            (first, first.last_of_month())
        } else {
            resolve::month(today, self.items.at(next).and_then(month_of)?, None)?
        };
        let span = |last_of: Date| match part {
            Part::Beginning => Some((
                last_of.first_of_month(),
                resolve::days(last_of.first_of_month(), 9)?,
            )),
            Part::Middle => Some((
                resolve::days(last_of.first_of_month(), 10)?,
                resolve::days(last_of.first_of_month(), 19)?,
            )),
            Part::End => Some((resolve::days(last_of.first_of_month(), 20)?, last_of)),
        };
        let (mut from, mut to) = span(last)?;
        if to < today {
            // "в начале месяца" after its tenth day is the next month's, a named month's is next year's.
            let again = if self.items.is(next, &["месяца", "месяце", "month"]) {
                1
            } else {
                12
            };
            (from, to) = span(resolve::months(first, again)?.last_of_month())?;
        }
        Some(Hit::stretch(
            at,
            next + 1,
            Kind::Stretch,
            Some(from.max(today)),
            Some(to),
        ))
    }

    /// "в ноябре", "в следующем месяце", "november 25th"
    fn month(&self, at: usize) -> Option<Hit> {
        if let Some(month) = self.items.at(at).and_then(month_of) {
            let word = &self.items.0[at].word;
            // English: the day after the month.
            if word.is_ascii() {
                let skip = usize::from(self.items.is(at + 1, &["the"]));
                if let Some(day) = self.items.num(at + 1 + skip).and_then(day_number) {
                    let (year, to) = self.year(at + 2 + skip);
                    return Some(Hit::day(
                        at,
                        to,
                        Kind::Day,
                        resolve::day_of_month(self.today, day, month, year),
                    ));
                }
                if word == "may" || word == "march" {
                    return None;
                }
            }
            // "май", "март" in another form than "в мае" may be a name.
            let (year, to) = self.year(at + 1);
            let (first, last) = resolve::month(self.today, month, year)?;
            return Some(Hit::stretch(
                at,
                to,
                Kind::Month(month),
                Some(first.max(self.today)),
                Some(last),
            ));
        }
        let ahead = if self.items.begins(at, NEXT) {
            1
        } else if self.items.is(at, THIS) {
            0
        } else {
            return None;
        };
        if !self
            .items
            .is(at + 1, &["месяце", "месяц", "месяца", "month"])
        {
            return None;
        }
        let first = resolve::months(self.today.first_of_month(), ahead)?;
        Some(Hit::stretch(
            at,
            at + 2,
            Kind::Stretch,
            Some(first.max(self.today)),
            Some(first.last_of_month()),
        ))
    }

    /// "25.11", "25.11.2026", "2026-11-25", "25/11"
    fn numeric(&self, at: usize) -> Option<Hit> {
        let written = |at: usize| {
            self.items
                .num(at)
                .and_then(|n| n.written.as_deref())
                .filter(|w| w.len() <= 4)
        };
        let tie = |at: usize| self.items.at(at).and_then(|i| i.tie);
        let first = written(at)?;
        let second = written(at + 1)?;
        let sign = tie(at + 1).filter(|c| matches!(c, '.' | '/' | '-'))?;
        let third = written(at + 2).filter(|_| tie(at + 2) == Some(sign));
        if first.len() == 4 {
            let day = third?;
            let date = Date::new(first.parse().ok()?, second.parse().ok()?, day.parse().ok()?);
            return Some(Hit::day(
                at,
                at + 3,
                Kind::Day,
                date.ok().into_iter().collect(),
            ));
        }
        let (day, month): (i8, i8) = (first.parse().ok()?, second.parse().ok()?);
        if second.len() > 2 || !(1..=31).contains(&day) || !(1..=12).contains(&month) {
            return None;
        }
        let year = match third {
            Some(y) if y.len() == 4 => Some(y.parse().ok()?),
            Some(y) if y.len() == 2 => Some(2_000 + y.parse::<i16>().ok()?),
            Some(_) => return None,
            // "10-12" is a stretch of something, "2.5" a number; "05.12" and "5.12" are days.
            None if sign == '-' || second.len() != 2 => return None,
            None => None,
        };
        let mut to = at + 2 + usize::from(third.is_some());
        if self.items.is(to, &["г", "года", "год"]) {
            to += 1;
        }
        Some(Hit::day(
            at,
            to,
            Kind::Day,
            resolve::day_of_month(self.today, day, month, year),
        ))
    }

    /// "25 ноября 2026 года", "двадцать пятого", "25 числа", "с 25 по 27 ноября"
    fn day(&self, at: usize) -> Option<Hit> {
        let num = self.items.num(at)?;
        let day = day_number(num)?;
        let tie = |at: usize| self.items.at(at).and_then(|i| i.tie);
        // "the 25th of november"
        let of = usize::from(self.items.is(at + 1, &["of"]));
        if let Some(month) = self.items.at(at + 1 + of).and_then(month_of) {
            let (year, to) = self.year(at + 2 + of);
            return Some(Hit::day(
                at,
                to,
                Kind::Day,
                resolve::day_of_month(self.today, day, month, year),
            ));
        }
        // "25-27 ноября", "с 25 по 27 ноября", "с двадцать пятого по двадцать седьмое"
        let joined = tie(at + 1) == Some('-');
        let last_at = at + 1 + usize::from(!joined);
        let opened = self.items.is_before(at, &["с", "со", "от", "from", "the"]);
        if (joined || (opened && self.items.is(at + 1, &["по", "до", "to", "till"])))
            && let Some(last) = self.items.num(last_at).and_then(day_number)
        {
            let month = self.items.at(last_at + 1).and_then(month_of);
            let named = self.items.begins(last_at + 1, &["числ"]);
            if let Some(month) = month {
                let (year, to) = self.year(last_at + 2);
                let first = resolve::day_of_month(self.today, day, month, year)
                    .first()
                    .copied();
                let last = resolve::day_of_month(self.today, last, month, year)
                    .first()
                    .copied();
                return Some(Hit::stretch(at, to, Kind::Stretch, first, last));
            }
            if named || (num.day && self.items.num(last_at).is_some_and(|n| n.day)) {
                let first = resolve::day_only(self.today, day).first().copied();
                let last = first.and_then(|f| resolve::day_only(f, last).first().copied());
                return Some(Hit::stretch(
                    at,
                    last_at + 1 + usize::from(named),
                    Kind::Stretch,
                    first,
                    last,
                ));
            }
        }
        if self.items.begins(at + 1, &["числа", "число", "числу"])
            || (num.written.is_some() && self.items.is(at + 1, &["го"]))
        {
            let to = at + 2;
            // "25 числа следующего месяца"
            let ahead = if self.items.begins(to, NEXT) && self.items.is(to + 1, &["месяца"]) {
                Some(1)
            } else if self.items.is(to, THIS) && self.items.is(to + 1, &["месяца"]) {
                Some(0)
            } else {
                None
            };
            if let Some(ahead) = ahead {
                let first = resolve::months(self.today.first_of_month(), ahead)?;
                let date = Date::new(first.year(), first.month(), day).ok();
                return Some(Hit::day(at, to + 2, Kind::Day, date.into_iter().collect()));
            }
            return Some(Hit::day(
                at,
                to,
                Kind::DayOnly(day),
                resolve::day_only(self.today, day),
            ));
        }
        let english = num.ordinal
            && !num.day
            && self.items.is_before(at, &["the"])
            && (self.items.at(at + 1).is_none()
                || self.items.is(at + 1, &["at", "in", "please", "around"]));
        if !(num.day || english)
            || num.half_of_hour
            || self.tells_time(at)
            || self.items.begins(
                at + 1,
                &["этаж", "раз", "час", "подъезд", "вариант", "класс"],
            )
        {
            return None;
        }
        // "двадцать пятого одиннадцатого [двадцать шестого]"
        if let Some(month) = self
            .items
            .num(at + 1)
            .filter(|n| n.day && !n.half_of_hour)
            .and_then(|n| n.whole())
            .and_then(|n| i8::try_from(n).ok())
            .filter(|m| (1..=12).contains(m))
        {
            let (year, to) = self.year(at + 2);
            return Some(Hit::day(
                at,
                to,
                Kind::Day,
                resolve::day_of_month(self.today, day, month, year),
            ));
        }
        Some(Hit::day(
            at,
            at + 1,
            Kind::DayOnly(day),
            resolve::day_only(self.today, day),
        ))
    }

    /// The ordinal is an hour: "десять минут шестого", "половина шестого", "четверть шестого".
    fn tells_time(&self, at: usize) -> bool {
        at > 0
            && (self.items.begins(at - 1, &["минут", "четверть"])
                || self.items.num(at - 1).is_some_and(|n| n.milli == 500))
    }

    /// The year at `at`, and where it ends: "2026", "2026 года", "двадцать шестого года", "следующего года".
    fn year(&self, at: usize) -> (Option<i16>, usize) {
        const YEAR: &[&str] = &["года", "год", "году", "г"];
        if self.items.is(at + 1, YEAR) {
            if self.items.begins(at, NEXT) {
                return (Some(self.today.year() + 1), at + 2);
            }
            if self.items.is(at, THIS) {
                return (Some(self.today.year()), at + 2);
            }
        }
        let named = self.items.is(at + 1, YEAR);
        let value = self
            .items
            .num(at)
            .and_then(Num::whole)
            .and_then(|n| i16::try_from(n).ok());
        let written_time = self.items.at(at + 1).is_some_and(|i| i.tie == Some(':'));
        match value {
            Some(year @ 2_000..=2_100) if !written_time => {
                (Some(year), at + 1 + usize::from(named))
            }
            Some(year @ 0..=99) if named => (Some(2_000 + year), at + 2),
            _ => (None, at),
        }
    }
}

fn day_number(num: &Num) -> Option<i8> {
    if num.half_of_hour || num.scaled {
        return None;
    }
    num.whole()
        .and_then(|n| i8::try_from(n).ok())
        .filter(|d| (1..=31).contains(d))
}

/// Words that may stand between "не" and the day that it refuses.
pub(super) fn may_precede(item: &Item) -> bool {
    item.is(PREPOSITIONS) || item.is(THIS) || item.begins(NEXT)
}

/// The number at `at` belongs to a day's name.
pub(super) fn is_day_of_month(items: &[Item], at: usize) -> bool {
    let any = Date::constant(2_024, 1, 1);
    let reader = Reader {
        items: Items(items),
        today: any,
    };
    items[at].num.is_some()
        && (at.saturating_sub(3)..=at).any(|start| {
            reader
                .numeric(start)
                .or_else(|| reader.day(start))
                .is_some_and(|hit| hit.from <= at && at < hit.to)
        })
}
