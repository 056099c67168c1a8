//! What a rule says, for history and for whoever asks why an order waits.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::per_number::{Reached, Window};
use super::retries::After;
use crate::config::{Counts, Language};

/// A moment by the callee's clock: of several zones, by the first one's.
fn clock(l: Language, at: Timestamp, zones: &[TimeZone]) -> String {
    let zone = zones.first().cloned().unwrap_or(TimeZone::UTC);
    let form = l.pick("%d.%m %H:%M", "%Y-%m-%d %H:%M");
    let name = zone.iana_name().unwrap_or("UTC").to_owned();
    format!("{} ({name})", at.to_zoned(zone).strftime(form))
}

fn places(l: Language, zones: &[TimeZone], known: bool) -> String {
    let names: Vec<&str> = zones.iter().filter_map(TimeZone::iana_name).collect();
    if known {
        return names.join(", ");
    }
    let all = match names.as_slice() {
        [one] => (*one).to_owned(),
        [first, .., last] => format!("{first} … {last}"),
        [] => String::new(),
    };
    l.pick(
        format!("пояс по номеру не узнать, нужно, чтобы было можно в {all}"),
        format!("the number doesn't tell its zone, it has to be time in {all}"),
    )
}

pub(super) fn hours(
    l: Language,
    now: Timestamp,
    until: Timestamp,
    zones: &[TimeZone],
    known: bool,
) -> String {
    let (now, until) = (clock(l, now, zones), clock(l, until, zones));
    let places = places(l, zones, known);
    l.pick(
        format!("вне часов звонков: у абонента {now}, звоним с {until}; {places}"),
        format!("outside calling hours: it is {now} there, to be called from {until}; {places}"),
    )
}

pub(super) fn never_opens(l: Language, zones: &[TimeZone], known: bool) -> String {
    let places = places(l, zones, known);
    l.pick(
        format!("в ближайшие 40 дней нет ни часа, когда можно звонить; {places}"),
        format!("there is no hour to call within 40 days; {places}"),
    )
}

pub(super) fn not_before(l: Language, at: Timestamp, zones: &[TimeZone]) -> String {
    let at = clock(l, at, zones);
    l.pick(
        format!("по часам звонков — не раньше {at}"),
        format!("by calling hours not before {at}"),
    )
}

pub(super) fn limit(l: Language, reached: &Reached, counts: Counts) -> String {
    let Reached { had, most, .. } = reached;
    let (ru, en) = match reached.window {
        Window::Day => ("сегодня", "today"),
        Window::Week => ("на этой неделе", "this week"),
        Window::Month => ("в этом месяце", "this month"),
    };
    let (what_ru, what_en) = match counts {
        Counts::Talks => ("разговоров", "talks"),
        Counts::Answers => ("ответов", "answers"),
        Counts::Attempts => ("попыток", "attempts"),
    };
    l.pick(
        format!("{what_ru} с этим номером {ru} уже {had}, можно {most}"),
        format!("{what_en} with this number {en}: {had} already, {most} may be"),
    )
}

pub(super) fn going_on(l: Language) -> String {
    l.pick(
        "на этот номер сейчас идёт другой звонок, от него зависит лимит".to_owned(),
        "another call to this number goes on, and the limit hangs on it".to_owned(),
    )
}

pub(super) fn call_again(l: Language) -> String {
    l.pick(
        "диалог просил перезвонить".to_owned(),
        "the dialog asked for it".to_owned(),
    )
}

pub(super) fn retry(l: Language, outcome: &str, after: After, nth: Option<(u32, u32)>) -> String {
    let when = match after {
        After::NextDay => l.pick("на следующий день".to_owned(), "on the next day".to_owned()),
        After::Ms(ms) => {
            let time = time(l, ms);
            l.pick(format!("через {time}"), format!("in {time}"))
        }
    };
    let count = match nth {
        Some((nth, times)) => l.pick(
            format!(" (повтор {nth} из {times})"),
            format!(" (retry {nth} of {times})"),
        ),
        None => String::new(),
    };
    l.pick(
        format!("{outcome}: ещё раз {when}{count}"),
        format!("{outcome}: once more {when}{count}"),
    )
}

fn time(l: Language, ms: i64) -> String {
    let seconds = ms / 1000;
    let units = [
        (86_400, l.pick("дн.", "d")),
        (3_600, l.pick("ч", "h")),
        (60, l.pick("мин", "min")),
    ];
    for (scale, unit) in units {
        if seconds >= scale && seconds % scale == 0 {
            return format!("{} {unit}", seconds / scale);
        }
    }
    let unit = l.pick("с", "s");
    if ms % 1000 == 0 {
        return format!("{seconds} {unit}");
    }
    format!("{ms} {}", l.pick("мс", "ms"))
}

pub(super) fn retries_used(l: Language, outcome: &str, times: u32) -> String {
    l.pick(
        format!("{outcome}: повторы по этому исходу кончились ({times} из {times})"),
        format!("{outcome}: no retries are left for it ({times} of {times})"),
    )
}

pub(super) fn attempts_used(l: Language, attempt: u32, most: u32) -> String {
    l.pick(
        format!("попытки кончились ({attempt} из {most})"),
        format!("no attempts are left ({attempt} of {most})"),
    )
}

pub(super) fn expires(l: Language, text: &str) -> String {
    l.pick(
        format!("до срока заказа (expires) уже не успеть: {text}"),
        format!("too late for the order's expires: {text}"),
    )
}
