//! Number words: cardinals and ordinals in all their cases, Russian and English, and what people say instead ("косарь").

use std::collections::HashMap;
use std::sync::LazyLock;

/// What a number word is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numeral {
    /// 0 to 999, cardinal.
    Cardinal(u32),
    /// First, twentieth, thousandth. `day` where the form is that of a date: "двадцать пятого", "пятое".
    Ordinal {
        /// Its number.
        value: u32,
        /// Neuter, genitive or dative.
        day: bool,
    },
    /// Thousand, million, milliard; `many` where the form is that of a number before it ("тысяч", "тысячи").
    Scale {
        /// 1,000 or more.
        value: u64,
        /// Not "тысяча", "тысячу".
        many: bool,
    },
    /// "полтора": a number of thousandths that a scale may follow.
    Milli(u64),
    /// "полмиллиона", "косарь": a number of its own that nothing multiplies.
    Fixed(u64),
    /// "пятёрка": a digit that may be counted ("две пятёрки").
    Counted(u32),
}

/// The numeral that `word` (lower case, ё as е) is.
pub(super) fn numeral(word: &str) -> Option<Numeral> {
    TABLE.get(word).copied()
}

/// The hour that "полшестого" is half an hour short of: the word after "пол", 1 to 12.
pub(super) fn half_of_hour(word: &str) -> Option<u32> {
    match word.strip_prefix("пол").and_then(numeral)? {
        Numeral::Ordinal { value, day: true } if (1..=12).contains(&value) => Some(value),
        _ => None,
    }
}

static TABLE: LazyLock<HashMap<String, Numeral>> = LazyLock::new(|| {
    let mut table = HashMap::new();
    for (value, forms) in CARDINALS {
        for form in forms.split(' ') {
            table.insert(form.to_owned(), Numeral::Cardinal(*value));
        }
    }
    for (value, stems) in ORDINALS {
        for stem in stems.split(' ') {
            for (ending, day) in ENDINGS {
                table.insert(format!("{stem}{ending}"), ordinal(*value, *day));
            }
        }
    }
    for (form, day) in THIRD {
        table.insert((*form).to_owned(), ordinal(3, *day));
    }
    for (value, forms) in ENGLISH_ORDINALS {
        for form in forms.split(' ') {
            table.insert(form.to_owned(), ordinal(*value, true));
        }
    }
    for (value, one, many) in SCALES {
        for (forms, many) in [(one, false), (many, true)] {
            for form in forms.split(' ') {
                table.insert(
                    form.to_owned(),
                    Numeral::Scale {
                        value: *value,
                        many,
                    },
                );
            }
        }
    }
    for (value, forms) in MILLI {
        for form in forms.split(' ') {
            table.insert(form.to_owned(), Numeral::Milli(*value));
        }
    }
    for (value, forms) in FIXED {
        for form in forms.split(' ') {
            table.insert(form.to_owned(), Numeral::Fixed(*value));
        }
    }
    for (value, stems) in COUNTED {
        for stem in stems.split(' ') {
            for ending in [
                "ка", "ки", "ку", "кой", "ке", "ок", "ек", "чка", "чки", "чку", "чек", "очка",
                "очки", "очку", "очек",
            ] {
                table.insert(format!("{stem}{ending}"), Numeral::Counted(*value));
            }
        }
    }
    for (value, forms) in COUNTED_WORDS {
        for form in forms.split(' ') {
            table.insert(form.to_owned(), Numeral::Counted(*value));
        }
    }
    table
});

fn ordinal(value: u32, day: bool) -> Numeral {
    Numeral::Ordinal { value, day }
}

const CARDINALS: &[(u32, &str)] = &[
    (0, "ноль нуль ноля нуля нолю нулю нолем нулем zero"),
    (1, "один одна одно одну одного одной одному одним одном one"),
    (2, "два две двух двум двумя двое двоих two"),
    (3, "три трех трем тремя трое троих three"),
    (4, "четыре четырех четырем четырьмя четверо четверых four"),
    (5, "пять пяти пятью пятеро пятерых five"),
    (6, "шесть шести шестью шестеро six"),
    (7, "семь семи семью семеро seven"),
    (8, "восемь восьми восемью восьмью eight"),
    (9, "девять девяти девятью nine"),
    (10, "десять десяти десятью ten"),
    (11, "одиннадцать одиннадцати одиннадцатью одинадцать eleven"),
    (12, "двенадцать двенадцати двенадцатью twelve"),
    (13, "тринадцать тринадцати тринадцатью thirteen"),
    (14, "четырнадцать четырнадцати четырнадцатью fourteen"),
    (15, "пятнадцать пятнадцати пятнадцатью fifteen"),
    (16, "шестнадцать шестнадцати шестнадцатью sixteen"),
    (17, "семнадцать семнадцати семнадцатью seventeen"),
    (18, "восемнадцать восемнадцати восемнадцатью eighteen"),
    (19, "девятнадцать девятнадцати девятнадцатью nineteen"),
    (20, "двадцать двадцати двадцатью twenty"),
    (30, "тридцать тридцати тридцатью thirty"),
    (40, "сорок сорока forty fourty"),
    (50, "пятьдесят пятидесяти пятьюдесятью писят fifty"),
    (60, "шестьдесят шестидесяти шестьюдесятью шисят sixty"),
    (70, "семьдесят семидесяти семьюдесятью seventy"),
    (80, "восемьдесят восьмидесяти восемьюдесятью eighty"),
    (90, "девяносто девяноста ninety"),
    (100, "сто ста"),
    (200, "двести двухсот двумстам двумястами двухстах"),
    (300, "триста трехсот тремстам тремястами трехстах"),
    (400, "четыреста четырехсот четыремстам четырехстах"),
    (500, "пятьсот пятисот пятистам пятьюстами пятистах пицот"),
    (600, "шестьсот шестисот шестистам шестистах"),
    (700, "семьсот семисот семистам семистах"),
    (800, "восемьсот восьмисот восьмистам восьмистах"),
    (900, "девятьсот девятисот девятистам девятистах"),
];

const ENDINGS: &[(&str, bool)] = &[
    ("ого", true),
    ("ое", true),
    ("ому", true),
    ("ый", false),
    ("ой", false),
    ("ая", false),
    ("ую", false),
    ("ым", false),
    ("ом", false),
    ("ые", false),
    ("ых", false),
    ("ыми", false),
];

const THIRD: &[(&str, bool)] = &[
    ("третий", false),
    ("третья", false),
    ("третье", true),
    ("третьего", true),
    ("третьему", true),
    ("третьим", false),
    ("третьем", false),
    ("третью", false),
    ("третьей", false),
    ("третьи", false),
    ("третьих", false),
];

const ORDINALS: &[(u32, &str)] = &[
    (0, "нулев"),
    (1, "перв"),
    (2, "втор"),
    (4, "четверт"),
    (5, "пят"),
    (6, "шест"),
    (7, "седьм"),
    (8, "восьм"),
    (9, "девят"),
    (10, "десят"),
    (11, "одиннадцат одинадцат"),
    (12, "двенадцат"),
    (13, "тринадцат"),
    (14, "четырнадцат"),
    (15, "пятнадцат"),
    (16, "шестнадцат"),
    (17, "семнадцат"),
    (18, "восемнадцат"),
    (19, "девятнадцат"),
    (20, "двадцат"),
    (30, "тридцат"),
    (40, "сороков"),
    (50, "пятидесят"),
    (60, "шестидесят"),
    (70, "семидесят"),
    (80, "восьмидесят"),
    (90, "девяност"),
    (100, "сот"),
    (200, "двухсот"),
    (300, "трехсот"),
    (400, "четырехсот"),
    (500, "пятисот"),
    (600, "шестисот"),
    (700, "семисот"),
    (800, "восьмисот"),
    (900, "девятисот"),
    (1000, "тысячн"),
    (2000, "двухтысячн"),
    (1_000_000, "миллионн"),
];

const ENGLISH_ORDINALS: &[(u32, &str)] = &[
    (1, "first"),
    (3, "third"),
    (4, "fourth"),
    (5, "fifth"),
    (6, "sixth"),
    (7, "seventh"),
    (8, "eighth"),
    (9, "ninth"),
    (10, "tenth"),
    (11, "eleventh"),
    (12, "twelfth"),
    (13, "thirteenth"),
    (14, "fourteenth"),
    (15, "fifteenth"),
    (16, "sixteenth"),
    (17, "seventeenth"),
    (18, "eighteenth"),
    (19, "nineteenth"),
    (20, "twentieth"),
    (30, "thirtieth"),
];

const SCALES: &[(u64, &str, &str)] = &[
    (
        1_000,
        "тысяча тысячу тысячей тысячью тыща тыщу thousand",
        "тысячи тысяч тысячам тысячами тысячах тыщи тыщ тыс тр",
    ),
    (
        1_000_000,
        "миллион миллиону миллионом million",
        "миллиона миллионов миллионам миллионами млн",
    ),
    (
        1_000_000_000,
        "миллиард миллиарду миллиардом billion",
        "миллиарда миллиардов миллиардам млрд",
    ),
    (100, "hundred", "hundreds"),
];

const MILLI: &[(u64, &str)] = &[
    (1_500, "полтора полторы полутора"),
    (500, "пол половина половину половины половине"),
    (2_000, "пара пару парочка парочку пары"),
    (10_000, "десяток десятка"),
    (12_000, "дюжина дюжину"),
];

const FIXED: &[(u64, &str)] = &[
    (150, "полтораста полутораста"),
    (500, "полтысячи пятихатка пятихатку"),
    (500_000, "полмиллиона поллимона"),
    (500_000_000, "полмиллиарда"),
    (100, "сотня сотню сотка сотку стольник"),
    (50, "полтинник полсотни"),
    (1_000, "косарь косаря штука штуку"),
];

const COUNTED: &[(u32, &str)] = &[
    (2, "двой двое"),
    (3, "трой трое"),
    (4, "четвер"),
    (5, "пятер"),
    (6, "шестер"),
    (7, "семер"),
    (8, "восьмер"),
    (9, "девят"),
];

const COUNTED_WORDS: &[(u32, &str)] = &[
    (
        0,
        "нуля нулей ноля нолей нолика нолик ноликов нулик zeros zeroes",
    ),
    (
        1,
        "единица единицы единиц единицу единичка единички единичек ones",
    ),
    (9, "девятка девятки девяток девятку"),
    (2, "двоек"),
    (3, "троек"),
];
