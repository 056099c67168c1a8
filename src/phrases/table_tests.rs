//! Tables of what people say and what has to be read from it: `tests/fixtures/phrases`, one line an utterance.

use jiff::civil::DateTime;

use super::*;

fn told<T>(found: &Found<T>, show: impl Fn(&T) -> String) -> String {
    match found {
        Found::Nothing => "-".to_owned(),
        Found::Sure(value) => show(value),
        Found::Unsure(readings) => {
            let shown: Vec<String> = readings.iter().map(show).collect();
            format!("?{}", shown.join("|"))
        }
    }
}

fn span<T: Copy + PartialEq>(span: &Span<T>, show: impl Fn(T) -> String) -> String {
    match span.single() {
        Some(one) => show(one),
        None => format!(
            "{}..{}",
            span.from.map(&show).unwrap_or_default(),
            span.to.map(&show).unwrap_or_default()
        ),
    }
}

/// "a..a" is the same as "a".
fn same(wanted: &str) -> String {
    match wanted.split_once("..") {
        Some((from, to)) if from == to => from.to_owned(),
        _ => wanted.to_owned(),
    }
}

fn check_table(table: &str, fewest: usize, read: impl Fn(&str, DateTime) -> String) {
    let wrong = faults(table, fewest, read);
    assert!(
        wrong.is_empty(),
        "{} wrong\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

fn faults(table: &str, fewest: usize, read: impl Fn(&str, DateTime) -> String) -> Vec<String> {
    let mut now: DateTime = "2026-11-24T12:00".parse().unwrap();
    let mut wrong = Vec::new();
    let mut lines = 0;
    for line in table
        .lines()
        .filter(|l| !l.trim().is_empty() && !l.starts_with('#'))
    {
        if let Some(at) = line.strip_prefix("now ") {
            now = at.parse().unwrap();
            continue;
        }
        let (text, wanted) = line
            .split_once(" -> ")
            .unwrap_or_else(|| panic!("no arrow: {line:?}"));
        let found = read(text, now);
        lines += 1;
        if found != same(wanted) {
            wrong.push(format!("{text}: wanted {wanted}, found {found}"));
        }
    }
    assert!(lines >= fewest, "only {lines} lines");
    wrong
}

macro_rules! table {
    ($name:literal) => {
        include_str!(concat!("../../tests/fixtures/phrases/", $name))
    };
}

#[test]
fn numbers() {
    check_table(table!("numbers.txt"), 100, |text, _| {
        told(&number(text), |n| {
            n.whole()
                .map_or_else(|| n.as_f64().to_string(), |w| w.to_string())
        })
    });
}

#[test]
fn dictated_digits() {
    check_table(table!("digits.txt"), 100, |text, _| {
        told(&digits(text), Clone::clone)
    });
}

#[test]
fn telephone_numbers() {
    check_table(table!("phones.txt"), 100, |text, _| {
        told(&phone(text), Clone::clone)
    });
}

#[test]
fn sums() {
    check_table(table!("sums.txt"), 100, |text, _| {
        told(&sum(text), |s| s.decimal())
    });
}

#[test]
fn dates() {
    check_table(table!("dates.txt"), 100, |text, now| {
        told(&date(text, now.date()), |s| span(s, |d| d.to_string()))
    });
}

#[test]
fn times() {
    check_table(table!("times.txt"), 100, |text, now| {
        told(&time(text, now), |s| {
            span(s, |t| t.strftime("%H:%M").to_string())
        })
    });
}

/// Each built-in answer against all others.
#[test]
fn built_in_answers() {
    let answers = Answers::builtin();
    let read = |text: &str, _: DateTime| {
        let found = answers.understand(text, &[] as &[&str]);
        match found.intent {
            Some(name) => name,
            None if found.unsure => "?".to_owned(),
            None => "-".to_owned(),
        }
    };
    let mut wrong = Vec::new();
    for (name, table) in [
        ("yes", table!("answers/yes.txt")),
        ("no", table!("answers/no.txt")),
        ("repeat", table!("answers/repeat.txt")),
        ("later", table!("answers/later.txt")),
        ("wrong_person", table!("answers/wrong_person.txt")),
        ("operator", table!("answers/operator.txt")),
        ("stop_calling", table!("answers/stop_calling.txt")),
        ("who_is_it", table!("answers/who_is_it.txt")),
        ("voicemail", table!("answers/voicemail.txt")),
        ("mixed", table!("answers/mixed.txt")),
        ("spoken", table!("answers/spoken.txt")),
    ] {
        wrong.extend(
            faults(table, 60, read)
                .into_iter()
                .map(|fault| format!("{name}: {fault}")),
        );
    }
    assert!(
        wrong.is_empty(),
        "{} wrong\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// Any row of words is read without a panic, within its bounds, and always alike.
#[test]
fn no_row_of_words_is_too_strange() {
    const WORDS: &str = "в с до по на через без пол половина четверть час часа минут пять шестого двадцать пятого сто тысяч тысячи \
        миллиардов полтора пара нуля ноябре ноября пятницу следующей неделе конце месяца года завтра 25 31 17 30 2026 00 999999999999 : . - , + \
        рублей копеек не нет ой то есть половиной утра вечера после обеда выходных к полшестого первой дня double oh in to half past";
    let words: Vec<&str> = WORDS.split_whitespace().collect();
    let now: DateTime = "2026-02-28T23:59".parse().unwrap();
    let answers = Answers::builtin();
    // A linear congruence: the same rows in every run.
    let mut seed = 20_261_124_u64;
    let mut next = || {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap()
    };
    for _ in 0..5_000 {
        let mut text = String::new();
        for _ in 0..next() % 9 + 1 {
            text.push_str(words[next() % words.len()]);
            text.push_str(["", " ", " ", " "][next() % 4]);
        }
        let found = Extracted::of(&text, now);
        assert_eq!(found, Extracted::of(&text, now), "{text:?}");
        if let Found::Unsure(readings) = &found.date {
            assert!(readings.len() <= MAX_READINGS, "{text:?}");
        }
    }
    for long in [
        "двадцать пятого ".repeat(1_000),
        "9".repeat(10_000),
        "1.".repeat(5_000),
        "нет то есть ".repeat(500),
    ] {
        Extracted::of(&long, now);
        answers.understand(&long, &[] as &[&str]);
    }
}
