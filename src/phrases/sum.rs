//! Sums of money in roubles: "две тысячи пятьсот рублей", "сто рублей двадцать копеек", "полторы тысячи", "2500,50 руб".

use super::found::Found;
use super::number::parts_from_last;
use super::tokens::{Item, Num, items};
use super::words::is_filler;

/// A sum of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sum {
    /// Kopecks: hundredths of a rouble.
    pub kopecks: u64,
}

impl Sum {
    /// Roubles with two decimal places: `2500.00`.
    pub fn decimal(self) -> String {
        format!("{}.{:02}", self.kopecks / 100, self.kopecks % 100)
    }

    /// Roubles as a floating point number: what JSON and scripts show where there are kopecks.
    pub fn as_f64(self) -> f64 {
        // At most 10^14 kopecks: exact in 53 bits before the division.
        self.kopecks as f64 / 100.0
    }

    /// Whole roubles, where there are no kopecks.
    pub fn roubles(self) -> Option<u64> {
        self.kopecks
            .is_multiple_of(100)
            .then_some(self.kopecks / 100)
    }
}

/// The sum in `text`: a number with roubles or kopecks, or one in thousands, or a number that is all of the answer. A
/// number of something else ("пять часов", "пять долларов") is none; several sums are unsure.
pub fn sum(text: &str) -> Found<Sum> {
    of_items(&items(text))
}

pub(super) fn of_items(items: &[Item]) -> Found<Sum> {
    for part in parts_from_last(items) {
        match of_part(part) {
            Found::Nothing => {}
            found => return found,
        }
    }
    Found::Nothing
}

fn of_part(items: &[Item]) -> Found<Sum> {
    let mut sums: Vec<Sum> = Vec::new();
    let mut foreign = false;
    let mut alone: Option<(usize, Amount)> = None;
    let mut numbers = 0;
    let mut at = 0;
    while at < items.len() {
        if is_rouble(&items[at]) && !items[at].word.starts_with("рублик") {
            // "рублей двести", "рубль двадцать"
            if let Some(amount) = amount_at(items, at + 1).filter(|_| !unit_follows(items, at + 1))
            {
                let one = matches!(items[at].word.as_str(), "рубль" | "rouble" | "ruble");
                sums.push(Sum {
                    kopecks: if one {
                        100 + amount.hundredths / 100
                    } else {
                        amount.hundredths
                    },
                });
                at += 1 + amount.used;
                continue;
            }
            if items[at].is(&["рубль", "полрубля"]) {
                sums.push(Sum {
                    kopecks: if items[at].word == "рубль" {
                        100
                    } else {
                        50
                    },
                });
            }
            at += 1;
            continue;
        }
        let Some(amount) = amount_at(items, at) else {
            at += 1;
            continue;
        };
        numbers += 1;
        let after = at + amount.used;
        match items.get(after) {
            Some(unit) if is_rouble(unit) => {
                let mut kopecks = amount.hundredths;
                at = after + 1;
                let and = usize::from(items.get(at).is_some_and(|i| i.is(&["и", "and"])));
                // "сто рублей ноль ноль копеек"
                let zero = |at: usize| {
                    items
                        .get(at)
                        .and_then(|i| i.num.as_ref())
                        .is_some_and(|n| n.milli == 0)
                };
                if zero(at) && zero(at + 1) && items.get(at + 2).is_some_and(is_kopeck) {
                    at += 3;
                } else if let Some(small) =
                    amount_at(items, at + and).filter(|a| a.hundredths < 10_000)
                {
                    let end = at + and + small.used;
                    let named = items.get(end).is_some_and(is_kopeck);
                    if named || (end == items.len() && small.hundredths >= 1_000) {
                        kopecks += small.hundredths / 100;
                        at = end + usize::from(named);
                    }
                }
                sums.push(Sum { kopecks });
                continue;
            }
            Some(unit) if is_kopeck(unit) => {
                sums.push(Sum {
                    kopecks: amount.hundredths / 100,
                });
                at = after + 1;
                continue;
            }
            Some(unit) if is_foreign(unit) => foreign = true,
            Some(unit) if amount.scaled && !counts_something(unit) => sums.push(Sum {
                kopecks: amount.hundredths,
            }),
            None if amount.scaled => sums.push(Sum {
                kopecks: amount.hundredths,
            }),
            _ => alone = Some((at, amount)),
        }
        at = after;
    }
    // "до двух тысяч", "от двух до трёх тысяч": not this sum.
    let vague = items.iter().any(|i| {
        i.is(&[
            "от",
            "до",
            "около",
            "примерно",
            "между",
            "или",
            "свыше",
            "меньше",
            "больше",
            "не",
            "between",
            "about",
        ])
    });
    let found = sums.first().copied();
    sums.dedup();
    match (sums.len(), found) {
        (1, Some(sum)) if !vague || (numbers <= 1 && !bounded(items)) => Found::Sure(sum),
        (1.., _) => Found::Unsure(sums),
        _ if foreign => Found::Unsure(Vec::new()),
        _ => match alone {
            Some((from, amount))
                if numbers == 1 && only_fillers(items, from, from + amount.used) =>
            {
                Found::Sure(Sum {
                    kopecks: amount.hundredths,
                })
            }
            _ => Found::Nothing,
        },
    }
}

/// "до", "не больше": the sum is a bound, not the sum.
fn bounded(items: &[Item]) -> bool {
    items.iter().any(|i| {
        i.is(&[
            "от",
            "до",
            "между",
            "или",
            "свыше",
            "меньше",
            "больше",
            "between",
        ])
    })
}

fn only_fillers(items: &[Item], from: usize, to: usize) -> bool {
    // "в пять", "к шести" are times.
    if from > 0 && items[from - 1].is(&["в", "во", "к", "с", "до", "после"]) {
        return false;
    }
    let filler = |i: &Item| {
        i.num.is_none()
            && (is_filler(&i.word)
                || matches!(
                    i.word.as_str(),
                    "давайте"
                        | "наверное"
                        | "пусть"
                        | "будет"
                        | "сумма"
                        | "да"
                        | "на"
                        | "могу"
                        | "заплачу"
                        | "заплатить"
                        | "внесу"
                        | "оплачу"
                        | "ровно"
                        | "около"
                        | "примерно"
                ))
    };
    items[..from].iter().chain(&items[to..]).all(filler)
}

fn is_rouble(item: &Item) -> bool {
    item.is(&[
        "р",
        "руб",
        "₽",
        "rub",
        "rur",
        "rouble",
        "roubles",
        "ruble",
        "rubles",
        "полрубля",
    ]) || item.begins(&["рубл"])
}

fn is_kopeck(item: &Item) -> bool {
    item.is(&["коп", "kopecks", "kopeck", "kopek", "kopeks"]) || item.begins(&["копе"])
}

fn is_foreign(item: &Item) -> bool {
    item.begins(&[
        "доллар",
        "евро",
        "бакс",
        "тенге",
        "гривен",
        "гривн",
        "юан",
        "dollar",
        "euro",
    ])
}

/// A word that says that the number before it counts something else.
fn counts_something(item: &Item) -> bool {
    item.begins(&[
        "час",
        "минут",
        "день",
        "дн",
        "недел",
        "месяц",
        "год",
        "лет",
        "штук",
        "километр",
        "метр",
        "человек",
        "раз",
        "процент",
        "км",
    ])
}

fn unit_follows(items: &[Item], at: usize) -> bool {
    amount_at(items, at).is_some_and(|a| {
        items.get(at + a.used).is_some_and(|i| {
            is_rouble(i) || (is_kopeck(i) && items[at - 1].word != "рубль") || counts_something(i)
        })
    })
}

/// A number with its fraction, in hundredths.
struct Amount {
    hundredths: u64,
    used: usize,
    scaled: bool,
}

fn amount_at(items: &[Item], at: usize) -> Option<Amount> {
    let num: &Num = items
        .get(at)?
        .num
        .as_ref()
        .filter(|n| !n.ordinal && !n.half_of_hour)?;
    let mut amount = Amount {
        hundredths: num.milli / 10,
        used: 1,
        scaled: num.scaled,
    };
    let next = items.get(at + 1);
    if let (Some(_), Some(next)) = (&num.written, next)
        && let (Some(sign), Some(part)) =
            (next.tie, next.num.as_ref().and_then(|n| n.written.as_ref()))
    {
        // "17:30" and "25/11" are no amounts; "2500,50" and "2500.50" are; "100-20" is not sure.
        if !(sign == '.' || sign == ',') || part.len() > 2 {
            return None;
        }
        let fraction: u64 = format!("{part:0<2}").parse().ok()?;
        amount.hundredths += fraction;
        amount.used = 2;
    }
    Some(amount)
}
