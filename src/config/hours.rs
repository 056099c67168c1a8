//! Calling hours as people write them: `пн-пт 9:00-21:00; сб-вс 10-18`. One text for the settings and for an order.

use std::fmt;

use super::Language;

/// Longest text, characters.
const MAX_CHARS: usize = 300;
/// Most intervals of a day.
const MAX_SPANS: usize = 6;
const DAY: u16 = 24 * 60;

/// Part of a day, in minutes from its midnight: from the first to before the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// First minute.
    pub from: u16,
    /// The minute after the last; 1440 is midnight.
    pub to: u16,
}

/// Calling hours by weekday, in whatever zone.
#[derive(Clone, PartialEq, Eq)]
pub struct Hours {
    text: String,
    days: [Vec<Span>; 7],
    holidays: Option<Vec<Span>>,
}

impl Hours {
    /// Reads the text. Parts stand between `;` or `,`: days, then hours. A day that isn't named is closed.
    ///
    /// - days: `пн вт ср чт пт сб вс` or `mon tue wed thu fri sat sun`, ranges of them (`пн-пт`), `будни` / `weekdays`
    ///   (Monday to Friday), `выходные` / `weekend` (Saturday and Sunday), `ежедневно` / `daily`, `праздники` / `holidays`
    ///   (without it a holiday is as a Sunday);
    /// - hours: `9-21`, `9:00-21:30`, several of them (`9-13 14-18`), up to `24:00`; or `закрыто` / `closed`.
    ///
    /// # Errors
    /// The first mistake, with the word that holds it.
    pub fn parse(text: &str) -> Result<Self, HoursWrong> {
        let text = text.trim();
        if text.chars().count() > MAX_CHARS {
            return Err(HoursWrong::TooLong);
        }
        let mut days: [Option<Vec<Span>>; 8] = Default::default();
        for part in text.split([';', ',', '\n']) {
            let mut named = Vec::new();
            let (mut spans, mut closed) = (Vec::new(), false);
            for word in part.split_whitespace() {
                if word.contains(|c: char| c.is_ascii_digit()) {
                    spans.push(span(word)?);
                } else if ["закрыто", "нет", "closed"].contains(&word.to_lowercase().as_str())
                {
                    closed = true;
                } else if spans.is_empty() && !closed {
                    named.extend(days_of(word)?);
                } else {
                    return Err(HoursWrong::Order(word.to_owned()));
                }
            }
            if named.is_empty() && spans.is_empty() && !closed {
                continue;
            }
            if named.is_empty() {
                return Err(HoursWrong::NoDays(part.trim().to_owned()));
            }
            if spans.is_empty() != closed {
                return Err(HoursWrong::NoTimes(part.trim().to_owned()));
            }
            spans.sort_unstable();
            if spans.len() > MAX_SPANS || spans.windows(2).any(|two| two[0].to > two[1].from) {
                return Err(HoursWrong::Overlap(part.trim().to_owned()));
            }
            for day in named {
                if days[day].replace(spans.clone()).is_some() {
                    return Err(HoursWrong::Twice(DAYS[day].0));
                }
            }
        }
        let [mon, tue, wed, thu, fri, sat, sun, holidays] = days;
        let days = [mon, tue, wed, thu, fri, sat, sun].map(Option::unwrap_or_default);
        if days.iter().all(Vec::is_empty) {
            return Err(HoursWrong::NeverOpen);
        }
        Ok(Self {
            text: text.to_owned(),
            days,
            holidays,
        })
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The hours of a weekday, 0 = Monday; in their order, without overlaps.
    pub fn weekday(&self, day: usize) -> &[Span] {
        self.days.get(day).map_or(&[], Vec::as_slice)
    }

    /// The hours of a holiday: its own, else Sunday's.
    pub fn holiday(&self) -> &[Span] {
        self.holidays.as_deref().unwrap_or(&self.days[6])
    }
}

impl fmt::Debug for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}

const DAYS: [(&str, &str); 8] = [
    ("пн", "mon"),
    ("вт", "tue"),
    ("ср", "wed"),
    ("чт", "thu"),
    ("пт", "fri"),
    ("сб", "sat"),
    ("вс", "sun"),
    ("праздники", "holidays"),
];

fn days_of(word: &str) -> Result<Vec<usize>, HoursWrong> {
    let lower = word.to_lowercase();
    let named = match lower.as_str() {
        "будни" | "weekdays" => vec![0, 1, 2, 3, 4],
        "выходные" | "weekend" | "weekends" => vec![5, 6],
        "ежедневно" | "daily" => (0..7).collect(),
        _ => Vec::new(),
    };
    if !named.is_empty() {
        return Ok(named);
    }
    let one = |text: &str| {
        DAYS.iter()
            .position(|(ru, en)| text == *ru || text == *en)
            .ok_or_else(|| HoursWrong::Day(word.to_owned()))
    };
    match lower.split_once(['-', '–', '—']) {
        None => Ok(vec![one(&lower)?]),
        Some((from, to)) => {
            let (from, to) = (one(from)?, one(to)?);
            if from > 6 || to > 6 {
                return Err(HoursWrong::Day(word.to_owned()));
            }
            // `сб-пн` goes over the week's end.
            Ok((0..=(to + 7 - from) % 7).map(|n| (from + n) % 7).collect())
        }
    }
}

fn span(word: &str) -> Result<Span, HoursWrong> {
    let wrong = || HoursWrong::Time(word.to_owned());
    let (from, to) = word.split_once(['-', '–', '—']).ok_or_else(wrong)?;
    let (from, to) = (
        minute(from).ok_or_else(wrong)?,
        minute(to).ok_or_else(wrong)?,
    );
    if from >= to {
        return Err(HoursWrong::Backwards(word.to_owned()));
    }
    Ok(Span { from, to })
}

/// `9`, `9:00`, `09.30`, `24:00` as minutes.
fn minute(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once([':', '.']).unwrap_or((text, "00"));
    let two = |text: &str, least: usize| {
        let sound = (least..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        sound.then(|| text.parse::<u16>().ok()).flatten()
    };
    let (hours, minutes) = (two(hours, 1)?, two(minutes, 2)?);
    let sum = hours * 60 + minutes;
    (minutes < 60 && sum <= DAY).then_some(sum)
}

/// Why a text is no calling hours.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // The words below say it.
pub enum HoursWrong {
    TooLong,
    Day(String),
    Time(String),
    Backwards(String),
    Order(String),
    NoDays(String),
    NoTimes(String),
    Overlap(String),
    Twice(&'static str),
    NeverOpen,
}

impl HoursWrong {
    /// What is wrong and what to do.
    pub fn tell(&self, language: Language) -> String {
        let (ru, en) = match self {
            Self::TooLong => (
                format!("часы звонков длиннее {MAX_CHARS} знаков"),
                format!("the hours have more than {MAX_CHARS} characters"),
            ),
            Self::Day(word) => (
                format!(
                    "не понял день «{word}»; есть пн вт ср чт пт сб вс, промежутки (пн-пт), будни, выходные, ежедневно, праздники"
                ),
                format!(
                    "no such day: {word:?}; there are mon tue wed thu fri sat sun, ranges (mon-fri), weekdays, weekend, daily, holidays"
                ),
            ),
            Self::Time(word) => (
                format!("не понял время «{word}»; пишите 9-21 или 9:00-21:30, до 24:00"),
                format!("no such time: {word:?}; write 9-21 or 9:00-21:30, up to 24:00"),
            ),
            Self::Backwards(word) => (
                format!(
                    "«{word}»: конец не позже начала; ночь пишется по частям: пн 22-24, вт 0-6"
                ),
                format!(
                    "{word:?}: its end isn't later than its beginning; write a night in parts: mon 22-24, tue 0-6"
                ),
            ),
            Self::Order(word) => (
                format!(
                    "«{word}» стоит после времени; сначала дни, потом часы, между частями — точка с запятой"
                ),
                format!(
                    "{word:?} stands after a time; days first, then hours, parts by semicolons"
                ),
            ),
            Self::NoDays(part) => (
                format!("«{part}»: нет дней; например пн-пт 9-21"),
                format!("{part:?}: no days; for instance mon-fri 9-21"),
            ),
            Self::NoTimes(part) => (
                format!(
                    "«{part}»: нужны часы или слово «закрыто», что-то одно; например пн-пт 9-21"
                ),
                format!(
                    "{part:?}: hours or the word closed are wanted, one of them; for instance mon-fri 9-21"
                ),
            ),
            Self::Overlap(part) => (
                format!("«{part}»: промежутки пересекаются, или их больше {MAX_SPANS}"),
                format!("{part:?}: the intervals overlap, or are more than {MAX_SPANS}"),
            ),
            Self::Twice(day) => (
                format!("день «{day}» назван дважды; оставьте один раз"),
                format!("the day {day:?} is named twice; keep one"),
            ),
            Self::NeverOpen => (
                "звонить нельзя ни в один день недели; впишите часы: пн-пт 9-21".to_owned(),
                "no day of the week is open; write hours: mon-fri 9-21".to_owned(),
            ),
        };
        language.pick(ru, en)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(spans: &[Span]) -> String {
        let parts: Vec<String> = spans
            .iter()
            .map(|s| format!("{}-{}", s.from, s.to))
            .collect();
        parts.join(" ")
    }

    #[test]
    fn hours_are_read_as_people_write_them() {
        for (text, week) in [
            (
                "пн-пт 9:00-21:00; сб-вс 10-18",
                "540-1260|540-1260|540-1260|540-1260|540-1260|600-1080|600-1080|600-1080",
            ),
            (
                "Будни 8-22, выходные 9-20",
                "480-1320|480-1320|480-1320|480-1320|480-1320|540-1200|540-1200|540-1200",
            ),
            (
                "weekdays 9-13 14-18",
                "540-780 840-1080|540-780 840-1080|540-780 840-1080|540-780 840-1080|540-780 840-1080|||",
            ),
            (
                "ежедневно 0-24; праздники закрыто",
                "0-1440|0-1440|0-1440|0-1440|0-1440|0-1440|0-1440|",
            ),
            ("сб-пн 9.30–10:45", "570-645|||||570-645|570-645|570-645"),
            (
                "пн ср 9-10;вс закрыто; holidays 23:59-24:00",
                "540-600||540-600|||||1439-1440",
            ),
        ] {
            let hours = Hours::parse(text).unwrap();
            let mut got: Vec<String> = (0..7).map(|day| shown(hours.weekday(day))).collect();
            got.push(shown(hours.holiday()));
            assert_eq!(got.join("|"), week, "{text}");
            assert_eq!(hours.text(), text);
        }
    }

    #[test]
    fn every_mistake_has_its_words() {
        for (text, word) in [
            ("", "ни в один день"),
            ("пн закрыто", "ни в один день"),
            ("праздники 9-10", "ни в один день"),
            ("пон 9-10", "«пон»"),
            ("пн-пт", "нужны часы"),
            ("пн закрыто 9-10", "нужны часы"),
            ("9-10", "нет дней"),
            ("пн 9", "«9»"),
            ("пн 9-25", "«9-25»"),
            ("пн 9:60-10", "«9:60-10»"),
            ("пн 9:5-10", "«9:5-10»"),
            ("пн +9-10", "«+9-10»"),
            ("пн 22-6", "ночь пишется"),
            ("пн 9-9", "ночь пишется"),
            ("пн 9-12 вт 10-12", "после времени"),
            ("пн 9-12 11-13", "пересекаются"),
            ("пн-ср 9-12; вт 9-10", "«вт» назван дважды"),
            ("пн-праздники 9-12", "«пн-праздники»"),
            ("24/7", "«24/7»"),
        ] {
            let wrong = Hours::parse(text).unwrap_err();
            let told = wrong.tell(Language::Ru);
            assert!(told.contains(word), "{text}: {told}");
            assert!(!wrong.tell(Language::En).is_empty());
        }
        assert_eq!(
            Hours::parse(&"п".repeat(301)).unwrap_err(),
            HoursWrong::TooLong
        );
    }
}
