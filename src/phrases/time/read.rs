//! Finds the times that an utterance names, one after the other; which half of the day is left open where it wasn't said.

use crate::phrases::calendar::month_of;
use crate::phrases::items::Items;
use crate::phrases::tokens::{Item, Num};

/// A part of the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DayPart {
    Morning,
    Day,
    Evening,
    Night,
}

/// A time as it was named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clock {
    /// Minutes after midnight, below 1,440; below 720 and `open` where it may be twelve hours later.
    pub minutes: u16,
    /// Which half of the day wasn't said.
    pub open: bool,
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Clock(Clock),
    /// A named stretch, minutes after midnight; its part of the day settles clock times beside it.
    Stretch(u16, u16, Option<DayPart>),
    /// So many minutes from now.
    Ahead(u32),
}

/// A time found in an utterance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    /// Index of its first item, prepositions not counted.
    pub from: usize,
    /// Index after its last item.
    pub to: usize,
    pub what: What,
}

/// All of them, in order.
pub(super) fn hits(items: &[Item]) -> Vec<Hit> {
    let reader = Reader {
        items: Items(items),
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
}

const HOURS: &[&str] = &[
    "час",
    "часа",
    "часов",
    "часу",
    "часам",
    "часикам",
    "часиков",
    "ч",
    "oclock",
];
const MINUTES: &[&str] = &[
    "минут",
    "минуты",
    "минуту",
    "минута",
    "минуток",
    "мин",
    "м",
    "minutes",
    "minute",
];
/// Before an hour that stands without "часов".
const BEFORE_HOUR: &[&str] = &[
    "в",
    "во",
    "к",
    "ко",
    "с",
    "со",
    "до",
    "после",
    "около",
    "на",
    "от",
    "часов",
    "часа",
    "часам",
    "часу",
    "часик",
    "часиков",
    "at",
    "by",
    "around",
    "before",
    "after",
    "from",
    "till",
    "until",
    "ближе",
    "раньше",
    "позже",
    "не",
    "между",
    "between",
    // "в районе шести"
    "районе",
];

impl Reader<'_> {
    fn hit_at(&self, at: usize) -> Option<Hit> {
        self.ahead(at)
            .or_else(|| self.named(at))
            .or_else(|| self.to_hour(at))
            .or_else(|| self.of_hour(at))
            .or_else(|| self.written(at))
            .or_else(|| self.hour(at))
            .or_else(|| self.part(at))
    }

    fn clock(&self, from: usize, to: usize, minutes: u16, open: bool) -> Hit {
        // What follows says which half of the day: "вечера", "pm"; "сегодня", "завтра" may stand between.
        let (part, to) = match self.half_after(to) {
            Some((part, end)) => (Some(part), end),
            None => (None, to),
        };
        let clock = match part {
            Some(part) => Clock {
                minutes: place(minutes, part),
                open: false,
            },
            None => Clock { minutes, open },
        };
        Hit {
            from,
            to,
            what: What::Clock(clock),
        }
    }

    fn half_after(&self, at: usize) -> Option<(DayPart, usize)> {
        let item = self.items.at(at)?;
        let part = match item.word.as_str() {
            "утра" | "утром" | "am" => DayPart::Morning,
            "дня" | "днем" => DayPart::Day,
            "вечера" | "вечером" | "pm" | "tonight" => DayPart::Evening,
            "ночи" | "ночью" => DayPart::Night,
            "a" if self.items.is(at + 1, &["m"]) => return Some((DayPart::Morning, at + 2)),
            "p" if self.items.is(at + 1, &["m"]) => return Some((DayPart::Evening, at + 2)),
            "at" if self.items.is(at + 1, &["night"]) => return Some((DayPart::Evening, at + 2)),
            "in" if self.items.is(at + 1, &["the"]) => {
                let part = match self.items.at(at + 2)?.word.as_str() {
                    "morning" => DayPart::Morning,
                    "afternoon" => DayPart::Day,
                    "evening" => DayPart::Evening,
                    _ => return None,
                };
                return Some((part, at + 3));
            }
            _ => return None,
        };
        Some((part, at + 1))
    }

    /// "через час", "через полтора часа", "через 40 минут", "минут через десять"
    fn ahead(&self, at: usize) -> Option<Hit> {
        let hit = |to, minutes: u64| {
            let minutes = u32::try_from(minutes).ok().filter(|m| *m <= 48 * 60)?;
            Some(Hit {
                from: at,
                to,
                what: What::Ahead(minutes),
            })
        };
        if self.items.is(at + 1, &["через"]) {
            let count = self
                .items
                .num(at + 2)
                .filter(|n| !n.ordinal && n.milli <= 1_000_000);
            let unit = if self.items.is(at, HOURS) {
                60
            } else if self.items.is(at, MINUTES) {
                1
            } else {
                0
            };
            if let Some(count) = count.filter(|_| unit > 0) {
                return hit(at + 3, count.milli * unit / 1_000);
            }
        }
        let english = self.items.is(at, &["in"]);
        if !english && !self.items.is(at, &["через"]) {
            return None;
        }
        let mut next = at + 1;
        if self.items.is(next, &["a", "an", "где", "примерно", "half"]) {
            next += 1;
            if self.items.is(next, &["an"]) {
                next += 1;
            }
        }
        if self.items.is(next, &["полчаса", "полчасика"]) {
            return hit(next + 1, 30);
        }
        let half = english && self.items.is(at + 1, &["half"]);
        let count = match self
            .items
            .num(next)
            .filter(|n| !n.ordinal && n.milli <= 1_000_000)
        {
            Some(num) => {
                next += 1;
                num.milli
            }
            None if half => 500,
            None => 1_000,
        };
        let item = self.items.at(next)?;
        if item.is(&[
            "час",
            "часа",
            "часов",
            "часик",
            "часика",
            "часиков",
            "ч",
            "hour",
            "hours",
        ]) {
            // "через час двадцать", "через два часа десять минут"
            let extra = self
                .items
                .num(next + 1)
                .and_then(|n| n.cardinal(59))
                .filter(|_| !self.items.is(next + 2, HOURS));
            let minutes = extra.unwrap_or(0);
            let used = usize::from(extra.is_some());
            let named = usize::from(used == 1 && self.items.is(next + 2, MINUTES));
            return hit(next + 1 + used + named, count * 60 / 1_000 + minutes);
        }
        if item.is(MINUTES) || item.begins(&["минут"]) {
            return hit(next + 1, count / 1_000);
        }
        None
    }

    /// "полдень", "полночь"
    fn named(&self, at: usize) -> Option<Hit> {
        let item = self.items.at(at)?;
        let minutes = if item.is(&["полдень", "полудню", "полудня", "noon", "midday"])
        {
            720
        } else if item.is(&["полночь", "полуночи", "midnight"]) {
            0
        } else {
            return None;
        };
        // "после полудня" is a stretch.
        if minutes == 720 && self.items.is_before(at, &["после"]) {
            return Some(Hit {
                from: at - 1,
                to: at + 1,
                what: What::Stretch(12 * 60, 18 * 60, Some(DayPart::Day)),
            });
        }
        Some(Hit {
            from: at,
            to: at + 1,
            what: What::Clock(Clock {
                minutes,
                open: false,
            }),
        })
    }

    /// "без пятнадцати шесть", "без четверти час", "quarter to six", "ten to six"
    fn to_hour(&self, at: usize) -> Option<Hit> {
        if self.items.is(at, &["без"]) {
            let (missing, mut next) = if self.items.begins(at + 1, &["четверт"]) {
                (15, at + 2)
            } else {
                let missing = self.items.num(at + 1)?.cardinal(59)?;
                // "без двадцати пять" sounds like 25, and is 20 to 5.
                let hour_follows = self.items.num(at + 2).is_some()
                    || self.items.is(at + 2, MINUTES)
                    || self.items.is(at + 2, &["час"]);
                if missing > 20 && !missing.is_multiple_of(10) && !hour_follows {
                    let to = at + 2 + usize::from(self.items.is(at + 2, HOURS));
                    return Some(self.before_hour(at, to, missing % 10, missing / 10 * 10));
                }
                (missing, at + 2)
            };
            next += usize::from(self.items.is(next, MINUTES));
            let (hour, to) = match self.items.num(next) {
                Some(num) => (num.cardinal(24).filter(|h| *h > 0)?, next + 1),
                None if self.items.is(next, &["час"]) => (1, next + 1),
                None => return None,
            };
            let to = to + usize::from(self.items.is(to, HOURS));
            return Some(self.before_hour(at, to, hour, missing));
        }
        let (count, next) = self.english_count(at)?;
        if !self.items.is(next, &["to", "before"]) || self.items.is_before(at, &["from", "between"])
        {
            return None;
        }
        let hour = self.items.num(next + 1)?.cardinal(12).filter(|h| *h > 0)?;
        Some(self.before_hour(at, next + 2, hour, count))
    }

    fn english_count(&self, at: usize) -> Option<(u64, usize)> {
        let skip = usize::from(self.items.is(at, &["a"]));
        if self.items.is(at + skip, &["quarter"]) {
            return Some((15, at + skip + 1));
        }
        if self.items.is(at, &["half"]) {
            return Some((30, at + 1));
        }
        let count = self.items.num(at)?.cardinal(59)?;
        Some((
            count,
            at + 1 + usize::from(self.items.is(at + 1, &["minutes"])),
        ))
    }

    fn before_hour(&self, from: usize, to: usize, hour: u64, missing: u64) -> Hit {
        let minutes = (hour * 60).saturating_sub(missing);
        let open = hour <= 12;
        // "без пяти час": five to one is five to thirteen.
        let minutes = if open && minutes < 60 {
            minutes + 720
        } else {
            minutes
        };
        self.clock(from, to, small(minutes), open && minutes < 720)
            .noon(minutes)
    }

    /// "полшестого", "половина шестого", "четверть шестого", "десять минут шестого", "half past five"
    fn of_hour(&self, at: usize) -> Option<Hit> {
        let hour_at = |at: usize| {
            self.items
                .num(at)
                .filter(|n| n.ordinal && n.day && !n.half_of_hour)
                .and_then(Num::whole)
                .filter(|h| (1..=12).contains(h))
        };
        let of = |to: usize, hour: u64, minutes: u64| {
            // "четверть первого" is 12:15.
            let minutes = if hour == 1 {
                720 + minutes
            } else {
                (hour - 1) * 60 + minutes
            };
            let hit = self.clock(at, to, small(minutes), minutes < 720);
            Some(hit.noon(minutes))
        };
        let num = self.items.num(at);
        if let Some(num) = num.filter(|n| n.half_of_hour) {
            let to = at + 1 + usize::from(self.items.is(at + 1, &["часа"]));
            return of(to, num.whole()?, 30);
        }
        if num.is_some_and(|n| n.milli == 500)
            && let Some(hour) = hour_at(at + 1)
        {
            return of(at + 2, hour, 30);
        }
        if self.items.is(at, &["четверть"])
            && let Some(hour) = hour_at(at + 1)
        {
            return of(at + 2, hour, 15);
        }
        if let Some(count) = num.and_then(|n| n.cardinal(59))
            && self.items.is(at + 1, MINUTES)
            && let Some(hour) = hour_at(at + 2)
        {
            return of(at + 3, hour, count);
        }
        // "в шестом часу" is some time between five and six.
        if let Some(hour) = num
            .filter(|n| n.ordinal)
            .and_then(Num::whole)
            .filter(|h| (1..=12).contains(h))
            && self.items.is(at + 1, &["часу"])
        {
            let first = if hour == 1 { 720 } else { (hour - 1) * 60 };
            let half = self.half_after(at + 2);
            let first = match half {
                Some((part, _)) => place(small(first), part),
                None if first < 480 => small(first) + 720,
                None => small(first),
            };
            return Some(Hit {
                from: at,
                to: half.map_or(at + 2, |(_, end)| end),
                what: What::Stretch(first, first + 60, None),
            });
        }
        let (count, next) = self.english_count(at)?;
        if !self.items.is(next, &["past", "after"]) {
            return None;
        }
        let hour = self.items.num(next + 1)?.cardinal(12).filter(|h| *h > 0)?;
        let minutes = (hour % 12) * 60 + count;
        let minutes = if hour == 12 { minutes + 720 } else { minutes };
        Some(
            self.clock(at, next + 2, small(minutes), hour < 12)
                .noon(minutes),
        )
    }

    /// "17:30", "5:30", "17.30", "в 17-30"
    fn written(&self, at: usize) -> Option<Hit> {
        let written = |at: usize| {
            self.items
                .num(at)
                .and_then(|n| n.written.as_deref())
                .filter(|w| w.len() <= 2)
        };
        let hour = written(at)?;
        let minutes = written(at + 1).filter(|w| w.len() == 2)?;
        let sign = self.items.at(at + 1)?.tie?;
        let tied_before = self
            .items
            .at(at)?
            .tie
            .is_some_and(|c| matches!(c, '.' | '/' | ':'));
        let tied_after = self
            .items
            .at(at + 2)
            .is_some_and(|i| i.num.is_some() && i.tie.is_some_and(|c| matches!(c, '.' | '/')));
        let (h, m): (u64, u64) = (hour.parse().ok()?, minutes.parse().ok()?);
        if tied_before || tied_after || h > 24 || m > 59 || (h == 24 && m > 0) {
            return None;
        }
        let seconds = usize::from(
            self.items.at(at + 2).is_some_and(|i| i.tie == Some(':')) && written(at + 2).is_some(),
        );
        let fits = match sign {
            ':' => true,
            // "25.11" is a day; "17.30" can be none. "10.12" at is told by "в".
            '.' => m > 12 || m == 0,
            '-' => {
                self.items.is_before(at, &["в", "к", "на"])
                    && (m == 0 || m > 24)
                    && !self
                        .items
                        .at(at + 2)
                        .is_some_and(|i| month_of(i).is_some() || i.is(HOURS))
            }
            _ => false,
        };
        if !fits {
            return None;
        }
        // With two digits of the hour it is written by the clock of 24 hours.
        let open = hour.len() == 1 && h > 0;
        let minutes = (h % 24) * 60 + m;
        Some(self.clock(at, at + 2 + seconds, small(minutes), open))
    }

    /// "в пять", "в семь вечера", "в двадцать тридцать", "в 10 часов 30 минут", "в час дня", "5 pm"
    fn hour(&self, at: usize) -> Option<Hit> {
        // "в час", "час дня", "к часу"
        if self.items.is(at, &["час", "часу", "часа"])
            && self.items.num(at.wrapping_sub(1)).is_none_or(|n| n.ordinal)
        {
            let half = self.half_after(at + 1);
            let opened = self
                .items
                .is_before(at, &["в", "к", "до", "после", "с", "около", "на"]);
            if half.is_none() && !opened {
                return None;
            }
            // "в час тридцать", "в часа три"
            let minutes = self.minutes_at(at + 1);
            let (m, to) = minutes.unwrap_or((0, at + 1));
            if self.items.is(at, &["часа"]) && minutes.is_some() {
                return None;
            }
            return Some(self.clock(at, to, small(60 + m), true));
        }
        let num = self.items.num(at)?;
        let hour = num.cardinal(24)?;
        if num.half_of_hour
            || num.scaled
            || self.items.at(at + 1).is_some_and(|i| month_of(i).is_some())
        {
            return None;
        }
        // A number that is tied to others is no hour: "25.11", "123-45-67"; "10-12" is two.
        let tied = |at: usize| {
            self.items
                .at(at)
                .is_some_and(|i| i.num.is_some() && i.tie.is_some_and(|c| c != '-' && c != '\0'))
        };
        if tied(at) || tied(at + 1) || num.written.as_ref().is_some_and(|w| w.len() > 2) {
            return None;
        }
        let mut to = at + 1;
        let named = self.items.is(to, HOURS);
        to += usize::from(named);
        let minutes = self.minutes_at(to);
        let (m, to) = minutes.unwrap_or((0, to));
        // "ровно", "o'clock"
        let exact = self.items.is(to, &["ровно"]) || self.items.is_before(at, &["ровно"]);
        let to = to + usize::from(self.items.is(to, &["ровно"]));
        let half = self.half_after(to).is_some();
        let opened = self.items.is_before(at, BEFORE_HOUR);
        let joined = self.items.at(at)?.tie == Some('-')
            || self
                .items
                .at(at + 1)
                .is_some_and(|i| i.num.is_some() && i.tie == Some('-'));
        let opened_twice = joined && (opened || (at > 1 && self.items.is(at - 2, BEFORE_HOUR)));
        // "двадцать тридцать" alone may be a time; two numbers need "в", "часов" or a part of the day.
        let told = (named && minutes.is_some()) || half || exact || opened || opened_twice;
        if !told && !self.only_time(at, to) {
            return None;
        }
        if !half && !named && self.counts_something(to) {
            return None;
        }
        // "пять часов" without "в" is a stretch of time as well.
        let minutes = hour % 24 * 60 + m;
        let two_digits = minutes % 60 != 0 && hour >= 10;
        let leading_zero = num.written.as_ref().is_some_and(|w| w.starts_with('0'));
        let open = (1..=11).contains(&hour) && !two_digits && !leading_zero;
        Some(self.clock(at, to, small(minutes), open))
    }

    /// Minutes after an hour: "тридцать", "ноль пять", "ноль ноль", "30 минут".
    fn minutes_at(&self, at: usize) -> Option<(u64, usize)> {
        let num = self.items.num(at)?;
        let joined = self.items.at(at)?.tie.is_some_and(|c| c != '\0');
        if joined
            || self
                .items
                .at(at + 1)
                .is_some_and(|i| month_of(i).is_some() || i.is(HOURS))
        {
            return None;
        }
        let value = num.cardinal(59)?;
        if self.items.is(at + 1, MINUTES) {
            // "в пять десять минут шестого" isn't said.
            return Some((value, at + 2));
        }
        if self.half_after(at + 1).is_some() && value < 10 {
            return None;
        }
        match value {
            0 => {
                let next = self.items.num(at + 1).and_then(|n| n.cardinal(9));
                Some((next.unwrap_or(0), at + 1 + usize::from(next.is_some())))
            }
            10..=59 => Some((value, at + 1)),
            _ => None,
        }
    }

    /// Nothing else was said: "двадцать тридцать", "десять ноль ноль" are times then.
    fn only_time(&self, at: usize, to: usize) -> bool {
        to > at + 1
            && !self.items.is(at + 1, HOURS)
            && self.items.0[at + 1..to].iter().any(|i| {
                i.num
                    .as_ref()
                    .is_some_and(|n| n.milli == 0 || n.milli.is_multiple_of(15_000))
            })
            && at == 0
            && to == self.items.0.len()
    }

    /// "в пять раз", "с двух сторон", "до двух тысяч рублей"
    fn counts_something(&self, at: usize) -> bool {
        self.items.begins(
            at,
            &[
                "раз",
                "рубл",
                "тысяч",
                "человек",
                "сторон",
                "дом",
                "кварт",
                "этаж",
                "процент",
                "лет",
                "год",
                "день",
                "дня",
                "дней",
                "недел",
                "месяц",
                "числ",
                "минут",
                "штук",
                "метр",
                "километр",
                "км",
                "машин",
                "копе",
                "мест",
                "подъезд",
                "долл",
                "сутк",
                "секунд",
                "градус",
            ],
        ) || self.items.is(
            at,
            &[
                "%", "р", "руб", "₽", "го", "years", "days", "weeks", "people", "roubles",
                "hundred",
            ],
        )
    }

    /// "утром", "после обеда", "в первой половине дня", "в обед", "ближе к вечеру"
    fn part(&self, at: usize) -> Option<Hit> {
        let stretch = |to: usize, from_hour: u16, to_hour: u16, part: DayPart| {
            Some(Hit {
                from: at,
                to,
                what: What::Stretch(from_hour * 60, (to_hour * 60).min(1_439), Some(part)),
            })
        };
        let greets = at > 0
            && self
                .items
                .begins(at - 1, &["добр", "good", "спокойн", "хорош"]);
        let lunch = self.items.begins(at + 1, &["обед", "lunch"]);
        if self.items.is(at, &["после", "after"]) && lunch {
            return stretch(at + 2, 13, 18, DayPart::Day);
        }
        if self.items.is(at, &["до", "before"]) && lunch {
            return stretch(at + 2, 9, 13, DayPart::Morning);
        }
        if self.items.is(at, &["в"]) && self.items.is(at + 1, &["обед"])
            || self.items.is(at, &["во"])
                && self.items.is(at + 1, &["время"])
                && self.items.is(at + 2, &["обеда"])
        {
            return stretch(
                at + 2 + usize::from(self.items.is(at + 1, &["время"])),
                12,
                14,
                DayPart::Day,
            );
        }
        if self.items.is(at, &["после"]) && self.items.is(at + 1, &["работы"]) {
            return stretch(at + 2, 18, 21, DayPart::Evening);
        }
        if self.items.is(at, &["до"]) && self.items.is(at + 1, &["работы"]) {
            return stretch(at + 2, 7, 9, DayPart::Morning);
        }
        if self
            .items
            .num(at)
            .is_some_and(|n| n.ordinal && (n.milli == 1_000 || n.milli == 2_000))
            && self.items.is(at + 2, &["дня"])
        {
            let first = self.items.num(at).is_some_and(|n| n.milli == 1_000);
            // "в первой половине дня"; "половина" is a number here.
            return if first {
                stretch(at + 3, 9, 13, DayPart::Morning)
            } else {
                stretch(at + 3, 13, 18, DayPart::Day)
            };
        }
        let early = self
            .items
            .is_before(at, &["рано", "раннее", "пораньше", "early"])
            || self.items.is(at + 1, &["рано", "пораньше"]);
        let late =
            self.items.is_before(at, &["поздно", "late"]) || self.items.is(at + 1, &["поздно"]);
        let item = self.items.at(at)?;
        if greets {
            return None;
        }
        if item.is(&["утром", "утречком", "утра", "утру"])
            || (item.is(&["morning"])
                && self.items.is_before(at, &["the", "tomorrow", "this", "in"]))
        {
            // "с утра", "к утру"; "утра" after a number was taken with it.
            return if early {
                stretch(at + 1, 6, 9, DayPart::Morning)
            } else {
                stretch(at + 1, 6, 12, DayPart::Morning)
            };
        }
        if item.is(&["днем", "afternoon"]) {
            return stretch(at + 1, 12, 18, DayPart::Day);
        }
        if item.is(&["вечеру"]) {
            return stretch(at + 1, 16, 19, DayPart::Evening);
        }
        if item.is(&["вечером", "вечерком", "вечера", "tonight", "evening"]) {
            return if late {
                stretch(at + 1, 21, 24, DayPart::Evening)
            } else {
                stretch(at + 1, 18, 23, DayPart::Evening)
            };
        }
        if item.is(&["ночью"]) {
            return stretch(at + 1, 0, 6, DayPart::Night);
        }
        None
    }
}

impl Hit {
    /// Noon is told from midnight by what is said after it only.
    fn noon(mut self, minutes: u64) -> Self {
        if let What::Clock(clock) = &mut self.what
            && clock.open
            && minutes >= 720
        {
            clock.open = false;
        }
        self
    }
}

fn small(minutes: u64) -> u16 {
    u16::try_from(minutes % 1_440).unwrap_or(0)
}

/// A clock time of twelve hours in a part of the day; one of 24 hours stays.
pub(super) fn place(minutes: u16, part: DayPart) -> u16 {
    let hour = minutes / 60;
    match part {
        DayPart::Morning if hour == 12 => minutes - 720,
        DayPart::Day if hour < 7 => minutes + 720,
        DayPart::Evening if (1..12).contains(&hour) => minutes + 720,
        DayPart::Evening if hour == 12 => minutes - 720,
        DayPart::Night if hour == 12 => minutes - 720,
        DayPart::Night if (8..12).contains(&hour) => minutes + 720,
        _ => minutes,
    }
}
