//! From a text to comparable words: case, ё, stress marks, punctuation and careless spelling don't count, word forms
//! share a key.

use rust_stemmers::{Algorithm, Stemmer};

use super::spelling::{undrawn, usual};

/// Words of an utterance that are looked at; 20 s of quick speech are about 80.
pub(super) const MAX_WORDS: usize = 400;
/// Characters of one word that are looked at.
pub(super) const MAX_WORD_CHARS: usize = 64;

/// Words up to this length are compared as they are: a stem of "да" or "три" would say nothing.
const EXACT_UP_TO: usize = 3;

/// One word of an utterance or of a phrase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    /// Lower case, ё as е, without marks, in its usual spelling.
    pub text: String,
    /// What its forms share: the Snowball stem, or the word itself where it is short.
    pub key: String,
    /// A comma, full stop or the like stood before it. Many recognizers write none: it may only sharpen what is found.
    pub pause: bool,
}

impl Word {
    /// A word as it is written in a list.
    pub(super) fn new(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            key: key(text, text.chars().count()),
            pause: false,
        }
    }
}

/// The words of `text`. An apostrophe joins ("don't" is "dont"), and so does a hyphen within a drawn-out vowel ("да-а");
/// everything else that is no letter or digit parts.
pub(super) fn words(text: &str) -> Vec<Word> {
    let mut found = Vec::with_capacity(text.len() / 10 + 1);
    let mut word = String::new();
    let mut chars = 0;
    let mut pause = false;
    let mut text = text.chars().flat_map(char::to_lowercase).peekable();
    while let Some(c) = text.next() {
        match c {
            // Letters that came as a base and a mark; other marks (stress) are dropped.
            '\u{306}' if word.ends_with('и') => {
                word.pop();
                word.push('й');
            }
            '\u{300}'..='\u{36f}' | '\'' | '’' | 'ʼ' | '\u{ad}' => {}
            c if c.is_alphanumeric() => {
                if chars < MAX_WORD_CHARS {
                    word.push(if c == 'ё' { 'е' } else { c });
                    chars += 1;
                }
            }
            '-' if word.ends_with(['а', 'е', 'и', 'о', 'у', 'э'])
                && text.peek().is_some_and(|next| word.ends_with(*next)) => {}
            c => {
                finish(&mut word, &mut chars, &mut pause, &mut found);
                pause |= matches!(c, ',' | '.' | ';' | '!' | '?' | '…' | '—' | '–');
                if found.len() == MAX_WORDS {
                    return found;
                }
            }
        }
    }
    finish(&mut word, &mut chars, &mut pause, &mut found);
    found
}

fn finish(word: &mut String, chars: &mut usize, pause: &mut bool, found: &mut Vec<Word>) {
    if !word.is_empty() {
        undrawn(word);
        let text = match usual(word) {
            Some(usual) => {
                word.clear();
                usual.to_owned()
            }
            None => std::mem::take(word),
        };
        let key = key(&text, text.chars().count());
        found.push(Word {
            text,
            key,
            pause: std::mem::take(pause),
        });
    }
    *chars = 0;
}

fn key(word: &str, chars: usize) -> String {
    if chars <= EXACT_UP_TO {
        return word.to_owned();
    }
    let algorithm = if word.is_ascii() {
        Algorithm::English
    } else {
        Algorithm::Russian
    };
    let stem = Stemmer::create(algorithm).stem(word).into_owned();
    // A stem of two letters joins what doesn't belong together.
    if stem.chars().count() < EXACT_UP_TO {
        word.to_owned()
    } else {
        stem
    }
}

/// Sounds and particles that may stand between the words of a phrase, or between "не" and its verb, and mean nothing.
pub(super) fn is_filler(word: &str) -> bool {
    const FILLERS: &[&str] = &[
        "а",
        "бы",
        "в",
        "вообще",
        "вот",
        "все",
        "дак",
        "же",
        "ж",
        "значит",
        "и",
        "как",
        "короче",
        "ли",
        "м",
        "мм",
        "ммм",
        "ну",
        "общем",
        "ой",
        "ох",
        "пожалуйста",
        "просто",
        "так",
        "там",
        "типа",
        "то",
        "у",
        "уж",
        "уже",
        "хм",
        "э",
        "ээ",
        "эээ",
        "эм",
        "это",
        "я",
        "мы",
        "мне",
        "нам",
        "oh",
        "please",
        "uh",
        "uhm",
        "um",
        "well",
        "hm",
        "hmm",
        "er",
        "just",
        "so",
    ];
    FILLERS.contains(&word)
}

/// Words that may stand between the words of a phrase besides: whom one speaks to and of, and what softens a speech.
/// "Не хочу я *вас больше* слышать", "соедините *меня, девушка,* с оператором".
pub(super) fn is_gap(word: &str) -> bool {
    matches!(
        word,
        "вы" | "вас"
            | "вам"
            | "вами"
            | "ты"
            | "тебе"
            | "тебя"
            | "меня"
            | "мной"
            | "нас"
            | "себе"
            | "ему"
            | "ей"
            | "им"
            | "мой"
            | "моя"
            | "мое"
            | "мою"
            | "моего"
            | "ваш"
            | "ваша"
            | "ваше"
            | "вашу"
            | "вашей"
            | "вашего"
            | "наш"
            | "наша"
            | "ваши"
            | "ваших"
            | "вашими"
            | "вашим"
            | "наши"
            | "мои"
            | "моим"
            | "моей"
            | "свои"
            | "своего"
            | "этими"
            | "этих"
            | "свой"
            | "свою"
            | "свое"
            | "этот"
            | "эту"
            | "эти"
            | "этой"
            | "этого"
            | "этим"
            | "такой"
            | "девушка"
            | "мужчина"
            | "женщина"
            | "дорогой"
            | "дорогая"
            | "милая"
            | "уважаемый"
            | "уважаемая"
            | "дамочка"
            | "братан"
            | "брат"
            | "друг"
            | "блин"
            | "господи"
            | "боже"
            | "черт"
            | "слушай"
            | "слушайте"
            | "знаете"
            | "знаешь"
            | "понимаете"
            | "видите"
            | "наверное"
            | "видимо"
            | "кажется"
            | "вроде"
            | "похоже"
            | "собственно"
            | "честно"
            | "говоря"
            | "скажем"
            | "сейчас"
            | "сегодня"
            | "еще"
            | "пока"
            | "тоже"
            | "также"
            | "опять"
            | "снова"
            | "очень"
            | "прямо"
            | "совсем"
            | "только"
            | "самый"
            | "самая"
            | "лишь"
            | "нибудь"
            | "либо"
            | "никуда"
            | "никому"
            | "никого"
            | "больше"
            | "просьба"
            | "быть"
            | "бы"
            | "сюда"
            | "туда"
            | "сразу"
            | "лучше"
            | "поскорее"
            | "побыстрее"
            | "там"
            | "тут"
            | "здесь"
            | "спасибо"
            | "случайно"
            | "кстати"
            | "точно"
            | "конечно"
            | "вобще"
            | "давно"
            | "теперь"
            | "теперича"
            | "пожалуй"
            | "никогда"
            | "the"
            | "a"
            | "my"
            | "me"
            | "you"
            | "your"
            | "now"
            | "really"
            | "maam"
            | "sir"
    )
}

/// Words that turn what follows into its contrary.
pub(super) fn is_negation(word: &str) -> bool {
    const NEGATIONS: &[&str] = &[
        "не",
        "ни",
        "вряд",
        "навряд",
        "никогда",
        "никак",
        "сомневаюсь",
        "not",
        "never",
        "dont",
        "doesnt",
        "didnt",
        "wont",
        "wouldnt",
        "cant",
        "cannot",
        "couldnt",
        "isnt",
        "arent",
        "aint",
        "hardly",
    ];
    NEGATIONS.contains(&word)
}

/// Words through which a negation reaches: "не очень удобно", "не думаю что приеду", "not really sure".
pub(super) fn lets_negation_through(word: &str) -> bool {
    const THROUGH: &[&str] = &[
        "очень",
        "совсем",
        "особо",
        "особенно",
        "слишком",
        "сильно",
        "настолько",
        "буду",
        "будем",
        "могу",
        "можем",
        "смогу",
        "сможем",
        "хочу",
        "хотим",
        "хотел",
        "хотела",
        "собираюсь",
        "собираемся",
        "планирую",
        "планируем",
        "думаю",
        "уверен",
        "уверена",
        "что",
        "чтобы",
        "сказал",
        "сказала",
        "говорил",
        "говорила",
        "обещаю",
        "обещал",
        "обещала",
        "факт",
        "гарантирую",
        "really",
        "very",
        "quite",
        "going",
        "to",
        "be",
        "able",
        "think",
        "i",
        "that",
        "sure",
        "want",
        "all",
    ];
    THROUGH.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        words(text).into_iter().map(|w| w.text).collect()
    }

    #[test]
    fn case_marks_and_punctuation_do_not_count() {
        assert_eq!(
            texts("Да, ЕЩЁ раз!.. пожа́луйста"),
            ["да", "еще", "раз", "пожалуйста"]
        );
        assert_eq!(texts("I don’t - no"), ["i", "dont", "no"]);
        assert_eq!(texts("и\u{306}од"), ["йод"]);
        assert!(texts(" ... — ! ").is_empty());
    }

    #[test]
    fn forms_share_a_key_and_short_words_stand_alone() {
        for (a, b, same) in [
            ("перенесите", "перенести", false),
            ("повторите", "повтори", true),
            ("оператор", "оператором", true),
            ("подтверждаю", "подтверждаем", true),
            ("записали", "записать", true),
            ("да", "дай", false),
            ("нет", "нету", true),
            ("yes", "yesterday", false),
            ("agree", "agreed", true),
        ] {
            let (a, b) = (words(a).remove(0), words(b).remove(0));
            assert_eq!(a.key == b.key, same, "{a:?} {b:?}");
        }
    }

    #[test]
    fn an_endless_text_is_cut() {
        assert_eq!(words(&"да ".repeat(10_000)).len(), MAX_WORDS);
        assert_eq!(
            words(&"яю".repeat(10_000))[0].text.chars().count(),
            MAX_WORD_CHARS
        );
    }
}
