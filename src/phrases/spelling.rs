//! Spellings of what was said carelessly: "щас", "чё", "канешно", "нееет" stand for the words that they are.
//!
//! A recognizer without a language model writes what it hears, and a person in a chat what they would say: without this
//! table each list of phrases, an analyst's own too, would have to hold every word in all its spellings.

/// The usual spelling, and the careless ones.
const SPELLINGS: &[(&str, &[&str])] = &[
    (
        "сейчас",
        &[
            "щас",
            "ща",
            "щаз",
            "щаса",
            "щасс",
            "счас",
            "сичас",
            "щя",
            "сечас",
            "сйчас",
        ],
    ),
    ("что", &["чо", "че", "шо", "што", "щто", "чот"]),
    ("чтобы", &["штобы", "шобы", "чтоб", "штоб", "шоб"]),
    ("сегодня", &["седня", "сегодне", "севодня", "сегоня"]),
    ("завтра", &["завтро", "затра", "завтрева", "завтря"]),
    ("только", &["токо", "тока", "толька", "токма"]),
    ("когда", &["када", "кагда"]),
    ("тогда", &["тада", "тагда"]),
    ("сколько", &["скока", "скоко", "сколька"]),
    (
        "конечно",
        &[
            "канешно",
            "конешно",
            "канеш",
            "конеш",
            "канечно",
            "канешн",
            "конечн",
        ],
    ),
    ("хорошо", &["хошо", "харашо", "хрш", "хорошенечко"]),
    ("надо", &["нада", "нать"]),
    (
        "спасибо",
        &["пасиб", "пасибо", "спс", "спасиб", "спасибки", "спасибочки"],
    ),
    (
        "пожалуйста",
        &[
            "пжл",
            "пжлст",
            "пожалста",
            "пожалуста",
            "пожалуйсто",
            "пожалуйсты",
            "плиз",
            "плис",
        ],
    ),
    ("вообще", &["ваще", "вобще", "воще", "вообщем", "вобщем"]),
    ("короче", &["кароче", "короч"]),
    ("это", &["эт", "ето", "этож"]),
    (
        "нет",
        &["неть", "нетушки", "нетю", "нетути", "неет", "нит", "нее"],
    ),
    ("неа", &["ниа", "нея"]),
    ("да", &["даа", "дась", "дыа", "ды", "дада", "ес", "йес"]),
    ("ага", &["агась", "агаа", "аха", "ыгы"]),
    ("угу", &["угум", "угушки", "огу"]),
    (
        "окей",
        &[
            "окейка",
            "океюшки",
            "оке",
            "оки",
            "окай",
            "окэй",
            "окэ",
            "океи",
            "окееей",
        ],
    ),
    (
        "ладно",
        &[
            "ладн",
            "лан",
            "лано",
            "ланна",
            "ладна",
            "ладненько",
            "ладушки",
            "лады",
            "ладнечко",
        ],
    ),
    ("может", &["мож", "могет"]),
    (
        "наверное",
        &["наверна", "навернае", "навер", "наверн", "наверно"],
    ),
    ("алло", &["алле", "але", "ало", "аллоу"]),
    ("телефон", &["телефончик", "телефончику"]),
    ("номер", &["номерок", "номерочек"]),
    (
        "нормально",
        &["норм", "нормас", "нормуль", "нормалек", "нармально"],
    ),
    (
        "попозже",
        &["попоже", "попозжа", "попозжее", "попожже", "попозднее"],
    ),
    ("позже", &["позжее", "поздней", "позжа", "опосля", "апосля"]),
    (
        "здравствуйте",
        &["здрасте", "здрасьте", "здравствуй", "здрассте"],
    ),
    ("разок", &["разочек"]),
    ("вечером", &["вечерком"]),
    ("утром", &["утречком"]),
    (
        "перезвоните",
        &["перезвонити", "перезваните", "перизвоните", "перезвонете"],
    ),
    (
        "позовите",
        &["позавите", "пазавите", "позавить", "пазовите"],
    ),
    ("пускай", &["пущай"]),
    ("уже", &["ужо"]),
    ("отмените", &["атмените", "отминити"]),
    ("меня", &["миня"]),
    ("тебя", &["тибя"]),
    ("его", &["ево"]),
    ("никого", &["никово"]),
    ("ничего", &["ничево", "нече", "ниче", "ничо"]),
    ("чего", &["чево"]),
    ("придти", &["притти"]),
    (
        "повторите",
        &[
            "паафтарите",
            "павтарите",
            "поторите",
            "поовторите",
            "повтарите",
            "повторити",
        ],
    ),
];

/// The usual spelling of a careless one; `None` for every other word.
pub(super) fn usual(word: &str) -> Option<&'static str> {
    use std::collections::HashMap;
    use std::sync::LazyLock;
    static TABLE: LazyLock<HashMap<&'static str, &'static str>> = LazyLock::new(|| {
        SPELLINGS
            .iter()
            .flat_map(|(usual, careless)| careless.iter().map(move |one| (*one, *usual)))
            .filter(|(one, usual)| one != usual)
            .collect()
    });
    TABLE.get(word).copied()
}

/// Three and more of the same letter are one that was drawn out: "нееет", "дааа".
pub(super) fn undrawn(word: &mut String) {
    let drawn = {
        let mut chars = word.chars();
        let (mut a, mut b) = (chars.next(), chars.next());
        chars.any(|c| {
            let three = a == b && b == Some(c) && c.is_alphabetic();
            (a, b) = (b, Some(c));
            three
        })
    };
    if !drawn {
        return;
    }
    let mut short = String::with_capacity(word.len());
    let mut run = String::new();
    for c in word.chars().chain(std::iter::once('\0')) {
        if run.chars().next().is_some_and(|first| first != c) {
            let count = run.chars().count();
            let keep = if count > 2 { 1 } else { count };
            short.extend(run.chars().take(keep));
            run.clear();
        }
        run.push(c);
    }
    *word = short;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn careless_spellings_stand_for_usual_ones() {
        for (word, expect) in [
            ("щас", Some("сейчас")),
            ("че", Some("что")),
            ("час", None),
            ("да", None),
        ] {
            assert_eq!(usual(word), expect, "{word}");
        }
        let mut careless: Vec<_> = SPELLINGS.iter().flat_map(|(_, list)| *list).collect();
        careless.sort_unstable();
        let count = careless.len();
        careless.dedup();
        assert_eq!(careless.len(), count, "a spelling stands twice");
        for (usual_one, _) in SPELLINGS {
            assert_eq!(usual(usual_one), None, "{usual_one} is careless itself");
        }
    }

    #[test]
    fn drawn_out_letters_are_one() {
        for (word, expect) in [
            ("нееет", "нет"),
            ("дааааа", "да"),
            ("ссср", "ср"),
            ("группа", "группа"),
            ("длинношеее", "длинноше"),
            ("1111", "1111"),
        ] {
            let mut word = word.to_owned();
            undrawn(&mut word);
            assert_eq!(word, expect);
        }
    }
}
