//! Words of the calendar: months and days of the week in their cases, Russian and English.

use super::tokens::Item;

/// The month (1 to 12) that a word names, in any case.
pub(super) fn month_of(item: &Item) -> Option<i8> {
    if item.num.is_some() {
        return None;
    }
    MONTHS
        .iter()
        .find(|(_, stem, endings)| {
            item.word
                .strip_prefix(stem)
                .is_some_and(|ending| endings.split(' ').any(|e| e == ending))
        })
        .map(|(month, ..)| *month)
        .or_else(|| {
            ENGLISH_MONTHS
                .iter()
                .find(|(_, forms)| forms.split(' ').any(|f| f == item.word))
                .map(|(m, _)| *m)
        })
}

/// The day of the week (1 = Monday to 7) that a word names, in any case.
pub(super) fn weekday_of(item: &Item) -> Option<i8> {
    if item.num.is_some() {
        return None;
    }
    WEEKDAYS
        .iter()
        .find(|(_, forms)| forms.split(' ').any(|f| f == item.word))
        .map(|(day, _)| *day)
}

const MONTHS: &[(i8, &str, &str)] = &[
    (1, "январ", "ь я е ю ем"),
    (2, "феврал", "ь я е ю ем"),
    (3, "март", " а е у ом"),
    (4, "апрел", "ь я е ю ем"),
    (5, "ма", "й я е ю ем"),
    (6, "июн", "ь я е ю ем"),
    (7, "июл", "ь я е ю ем"),
    (8, "август", " а е у ом"),
    (9, "сентябр", "ь я е ю ем"),
    (10, "октябр", "ь я е ю ем"),
    (11, "ноябр", "ь я е ю ем"),
    (12, "декабр", "ь я е ю ем"),
];

const ENGLISH_MONTHS: &[(i8, &str)] = &[
    (1, "january jan"),
    (2, "february feb"),
    (3, "march"),
    (4, "april apr"),
    (5, "may"),
    (6, "june"),
    (7, "july"),
    (8, "august aug"),
    (9, "september sept sep"),
    (10, "october oct"),
    (11, "november nov"),
    (12, "december dec"),
];

const WEEKDAYS: &[(i8, &str)] = &[
    (
        1,
        "понедельник понедельника понедельнику понедельником понедельнике пн monday",
    ),
    (2, "вторник вторника вторнику вторником вторнике вт tuesday"),
    (3, "среда среду среды среде средой ср wednesday"),
    (
        4,
        "четверг четверга четвергу четвергом четверге чт thursday",
    ),
    (5, "пятница пятницу пятницы пятнице пятницей пт friday"),
    (6, "суббота субботу субботы субботе субботой сб saturday"),
    (
        7,
        "воскресенье воскресенья воскресенью воскресеньем воскресение вс sunday",
    ),
];
