//! Words that are one letter off: "падтверждаю", "опертор". Speech that was misheard, and chats that were typed in haste.
//!
//! A slip is mended only where nothing else can be meant: the word is long, no phrase, filler or [`REAL`] word has it, its
//! beginning and its ending are those of the word that is meant (an ending is a form: "согласно" isn't "согласна"), and there
//! is just one such word in all phrases. A wrong guess would send the dialog the wrong way, so doubt leaves it as it is.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::book::Book;
use super::words::Word;

/// Shorter words have too many neighbours: "пойду" and "войду".
const MIN_CHARS: usize = 7;

/// Russian words that would pass for a slip of a built-in phrase's word and are something else, each in one of its forms:
/// "оказалась" isn't "отказалась". Found by trying all words of a dictionary.
const REAL: &str = "\
    вбросьте ввезите веерный вкиньте включен водящие воитель вписывайте вставляйте входные гадится главого \
    глодает горящая добреемся добываетесь доверием допиваетесь забреем забреет заверен заверчен завешен \
    закаетесь закачивайте заклянем заметно запищите заскачу заучили изменялась коврики кончено навались \
    надоили напирайте низачем нисколько обривает обсуживает окажемся оказалась оказываемся опадает описаться \
    опишите оправить оправлено оправляйте оправьте осуждений отличая отпадет отравить отравлено отравляйте \
    ошибетесь ошибись панировал панируем панируйте перевезти перевиден переедай перееден пережевать \
    перепросить перепрошу перепьюсь перешивайте побежим поберите побивайте погоним подгноим поддавайте \
    подерите подскачу подсочим покадит полакаю половну полостью получатся полущил поменеть пописан послушал \
    потерла потупит поучается поучила походит походящее пребудем предайте прейдем преложите преставайте \
    преставились преставьтесь престань престаньте преступайте преходит прибрел привесите привести пригасите \
    пробрел продеваем проживет прозвана проктит пропадет пропивайте прополи просела прошения прошивает \
    прядется разрежается разрежен разрежение ребеком ропотами сбирайте сбросили свижусь сдирайте седлаем \
    сервизом слоилось сменяла смесите сметите собралась совершено совпадет спишите средине тропитесь \
    троплюсь уделять упирайте устаивает утоните утончите уточите утраивает утроило";

/// The word that was meant, if `word` is a slip.
pub(super) fn meant(word: &Word, book: &Book, others: &Book) -> Option<Word> {
    let text = word.text.as_str();
    let first = text.chars().next()?;
    if text.is_ascii()
        || text.chars().count() < MIN_CHARS
        || !text.chars().all(char::is_alphabetic)
        || book.knows(word)
        || others.knows(word)
        || is_real(word)
    {
        return None;
    }
    let mut meant: Option<&Word> = None;
    for first in [Some(first), other_initial(first)].into_iter().flatten() {
        for known in book.words_from(first) {
            if !one_letter_off(text, &known.text) {
                continue;
            }
            if meant.is_some_and(|other| other.key != known.key) {
                return None;
            }
            meant = Some(known);
        }
    }
    meant.cloned()
}

fn is_real(word: &Word) -> bool {
    static KEYS: LazyLock<HashSet<String>> =
        LazyLock::new(|| REAL.split(' ').map(|word| Word::new(word).key).collect());
    KEYS.contains(&word.key)
}

/// Letters that sound alike where they aren't stressed, or before others.
const ALIKE: &[&str] = &[
    "ао", "еиэя", "иы", "бп", "вф", "гк", "дт", "жш", "зс", "шщч", "ую", "ьъ",
];

fn sound_alike(x: char, y: char) -> bool {
    ALIKE.iter().any(|row| row.contains(x) && row.contains(y))
}

/// The other letter with which such a word may begin.
fn other_initial(c: char) -> Option<char> {
    Some(match c {
        'а' => 'о',
        'о' => 'а',
        'е' => 'и',
        'и' => 'е',
        _ => return None,
    })
}

/// One letter is another that sounds alike, is missing, is doubled, or two changed places; not the first (but for its
/// sound), nor in the last two.
fn one_letter_off(said: &str, known: &str) -> bool {
    let (mut a, mut b) = (said.chars(), known.chars());
    let lengths = (a.clone().count(), b.clone().count());
    if lengths.0.abs_diff(lengths.1) > 1 || lengths.1 < MIN_CHARS - 1 {
        return false;
    }
    let (last_a, last_b) = (a.next_back(), b.next_back());
    if last_a != last_b || a.next_back() != b.next_back() {
        return false;
    }
    // What is the same at both ends is taken off.
    let mut same = 0;
    while let (Some(x), Some(y)) = (a.clone().next(), b.clone().next()) {
        if x != y {
            break;
        }
        a.next();
        b.next();
        same += 1;
    }
    while let (Some(x), Some(y)) = (a.clone().next_back(), b.clone().next_back()) {
        if x != y {
            break;
        }
        a.next_back();
        b.next_back();
    }
    let (left_a, left_b): (Vec<char>, Vec<char>) = (a.collect(), b.collect());
    match (left_a.as_slice(), left_b.as_slice()) {
        ([x], [y]) if same == 0 => other_initial(*x) == Some(*y),
        ([x], [y]) => sound_alike(*x, *y),
        ([x], []) => same > 0 && said.chars().nth(same - 1) == Some(*x),
        ([], [_]) => same > 0,
        ([x, y], [z, w]) => same > 0 && x == w && y == z,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn real_words_are_no_slips() {
        let answers = crate::phrases::Answers::builtin();
        for (text, wanted) in [
            ("она оказалась закрыта", None),
            ("окажусь в городе", None),
            ("она атказалась", Some("no")),
            ("я подтвержаю", Some("yes")),
        ] {
            let found = answers.understand(text, &[] as &[&str]).intent;
            assert_eq!(found.as_deref(), wanted, "{text}");
        }
    }

    #[test]
    fn one_letter_makes_a_slip_but_for_beginning_and_ending() {
        for (said, known, slip) in [
            ("падтверждаю", "подтверждаю", true),
            ("подтвержаю", "подтверждаю", true),
            ("аператор", "оператор", true),
            ("опреатор", "оператор", true),
            ("операторр", "оператор", false),
            ("согласно", "согласна", false),
            ("перевезите", "переведите", false),
            ("преведите", "переведите", true),
            ("отложжите", "отложите", true),
            ("заберите", "наберите", false),
            ("оператор", "оператор", false),
        ] {
            assert_eq!(one_letter_off(said, known), slip, "{said} {known}");
        }
    }
}
