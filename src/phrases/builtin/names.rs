//! First names as they are asked for: "я не Анна", "Ивана здесь нет" is another person.

/// The usual ones, in small letters.
pub(in crate::phrases) const NAMES: &[&str] = &[
    "анна",
    "мария",
    "елена",
    "ольга",
    "наталья",
    "наталия",
    "татьяна",
    "ирина",
    "светлана",
    "екатерина",
    "юлия",
    "анастасия",
    "людмила",
    "галина",
    "валентина",
    "надежда",
    "любовь",
    "вера",
    "нина",
    "марина",
    "оксана",
    "лариса",
    "алла",
    "дарья",
    "виктория",
    "ксения",
    "полина",
    "алина",
    "александра",
    "евгения",
    "софия",
    "елизавета",
    "вероника",
    "тамара",
    "зоя",
    "раиса",
    "александр",
    "сергей",
    "андрей",
    "алексей",
    "дмитрий",
    "иван",
    "михаил",
    "николай",
    "владимир",
    "максим",
    "евгений",
    "павел",
    "артем",
    "роман",
    "игорь",
    "олег",
    "юрий",
    "виктор",
    "виталий",
    "денис",
    "антон",
    "никита",
    "илья",
    "кирилл",
    "константин",
    "василий",
    "петр",
    "анатолий",
    "валерий",
    "борис",
    "григорий",
    "степан",
    "федор",
    "егор",
    "тимур",
    "руслан",
    "рустам",
    "марат",
    "артур",
    "вадим",
    "вячеслав",
    "станислав",
    "леонид",
    "геннадий",
    "эдуард",
];

/// "Анна" → "Анны": whom somebody asks for, or who isn't there.
pub(in crate::phrases) fn genitive(name: &str) -> String {
    let mut stem = name.to_owned();
    let last = stem.pop().unwrap_or_default();
    let before = stem.chars().next_back().unwrap_or_default();
    match last {
        'а' if matches!(before, 'г' | 'к' | 'х' | 'ж' | 'ч' | 'ш' | 'щ') => stem + "и",
        'а' => stem + "ы",
        'я' => stem + "и",
        'й' => stem + "я",
        'ь' if name == "игорь" => stem + "я",
        'ь' => stem + "и",
        _ if name == "павел" => "павла".to_owned(),
        _ if name == "петр" => "петра".to_owned(),
        last => {
            stem.push(last);
            stem + "а"
        }
    }
}

/// "Анна" → "Анну", where that isn't the genitive: whom somebody doesn't know.
pub(in crate::phrases) fn accusative(name: &str) -> Option<String> {
    let (stem, end) = match (name.strip_suffix('а'), name.strip_suffix('я')) {
        (Some(stem), _) => (stem, "у"),
        (_, Some(stem)) => (stem, "ю"),
        _ => return None,
    };
    Some(stem.to_owned() + end)
}

/// "Иванович", "Петровна".
pub(in crate::phrases) fn is_patronymic(word: &str) -> bool {
    ends_like_one(word, &["ович", "евич", "овна", "евна", "ична"])
}

/// "Ивановича", "Петровны".
pub(in crate::phrases) fn is_patronymic_of(word: &str) -> bool {
    ends_like_one(word, &["овича", "евича", "овны", "евны", "ичны"])
}

fn ends_like_one(word: &str, ends: &[&str]) -> bool {
    word.chars().count() > 6 && ends.iter().any(|end| word.ends_with(end))
}
