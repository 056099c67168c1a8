//! Which answer an utterance is, when the phrases of several stand in it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::Match;
use super::corrections::corrections;
use super::matcher::{Hit, Phrase, hits};
use super::words::Word;

/// What was chosen.
#[derive(Debug, Default)]
pub(super) struct Chosen {
    pub intent: Option<String>,
    pub candidates: Vec<Match>,
    pub unsure: bool,
}

/// The answers that contradict each other, and that a doubt takes back.
const VERDICTS: [&str; 2] = ["yes", "no"];

/// Words that confirm or deny by themselves; beside a phrase that says more they only lead up to it: "да, перезвоните".
const PARTICLES: &[&str] = &[
    "да",
    "нет",
    "неа",
    "ага",
    "угу",
    "ну",
    "не",
    "yes",
    "yeah",
    "yep",
    "yup",
    "no",
    "nope",
    "nah",
    "ok",
    "okay",
    "ок",
    "окей",
    "можно",
    "хорошо",
    "ладно",
    "давайте",
    "давай",
    "fine",
    "sure",
];

/// What is said with the words of an answer and isn't one.
const DECOYS: &[&str] = &[
    "да слушаю",
    "слушаю да",
    "да слушаю вас",
    "да я слушаю",
    "алло да",
    "да алло",
    "але да",
    "да але",
    "да говорите",
    "говорите да",
    "да ладно",
    "да ну",
    "да уж",
    "да вы что",
    "да что вы",
    "да кто",
    "да что",
    "что да",
    "что нет",
    "да как",
    "нет слов",
    "нет дома",
    "нет на месте",
    "его нет",
    "ее нет",
    "нет его",
    "нет ее",
    "никого нет",
    "сейчас нет дома",
    "связи нет",
    "нет связи",
    "сети нет",
    "нет сети",
    "не надо отменять",
    "не нужно отменять",
    "отменять не надо",
    "отменять не нужно",
    "не отменяйте",
    "не надо переносить",
    "не нужно переносить",
    "переносить не надо",
    "переносить не нужно",
    "не переносите",
    "сколько можно",
    "хорошо бы",
    "машина готова",
    "заказ готов",
    "да что вы говорите",
    "хорошо слышно",
    "хорошо слышу",
    "слышу хорошо",
    "слышно хорошо",
    "хорошего дня",
    "хорошего вечера",
    "всего хорошего",
    "а можно",
    "можно вопрос",
    "можно узнать",
    "можно спросить",
    "можно подробнее",
    "можно поподробнее",
    "не можно",
    "буду думать",
    "буду знать",
    "верните",
    "вернуть",
    "готовить",
    "давайте быстрее",
    "давай быстрее",
    "давайте говорите",
    "давайте до свидания",
    "давай до свидания",
    "не всегда",
    "ок гугл",
    "окей гугл",
    "right now",
    "no idea",
    "right away",
    "not fine",
];

/// Doubts: they take back a yes or a no of the same sentence.
const DOUBTS: &[&str] = &[
    "не знаю",
    "не уверен",
    "не уверена",
    "не уверены",
    "может быть",
    "возможно",
    "посмотрим",
    "посмотрю",
    "как получится",
    "затрудняюсь",
    "сомневаюсь",
    "пятьдесят на пятьдесят",
    "50 на 50",
    "не решил",
    "не решила",
    "не решили",
    "надо подумать",
    "подумаю",
    "подумаем",
    "нужно подумать",
    "не определился",
    "не определилась",
    "не могу сказать",
    "не могу точно сказать",
    "трудно сказать",
    "сложно сказать",
    "то ли",
    "или",
    "если",
    "будет видно",
    "видно будет",
    "i dont know",
    "not sure",
    "maybe",
    "perhaps",
    "it depends",
    "depends",
    "if",
    "or",
    "we will see",
    "dont know",
    "might",
    "possibly",
];

/// What is said with the words of a doubt and is politeness.
const NO_DOUBTS: &[&str] = &[
    "если можно",
    "если не сложно",
    "если не трудно",
    "если вам удобно",
    "если вас не затруднит",
    "если не затруднит",
    "если что",
    "если честно",
    "если возможно",
    "if possible",
    "if you can",
    "if i may",
    "не посмотрю",
    "нет возможности",
    "нет такой возможности",
    "не сомневайтесь",
    "не сомневайся",
];

struct Lists {
    decoys: Vec<Phrase>,
    doubts: Vec<Phrase>,
    no_doubts: Vec<Phrase>,
}

static LISTS: LazyLock<Lists> = LazyLock::new(|| {
    let phrases = |list: &[&str]| list.iter().filter_map(|p| Phrase::new(p)).collect();
    Lists {
        decoys: phrases(DECOYS),
        doubts: phrases(DOUBTS),
        no_doubts: phrases(NO_DOUBTS),
    }
});

/// One phrase at one place.
#[derive(Clone, Copy)]
struct Place<'a> {
    /// The answer; `None` for what is no answer.
    name: Option<&'a str>,
    phrase: &'a Phrase,
    hit: Hit,
}

impl Place<'_> {
    fn words(&self) -> usize {
        self.phrase.words.len()
    }

    fn is_covered_by(&self, other: &Self) -> bool {
        let longer = other.words() > self.words() && self.hit.is_within(&other.hit);
        // "верните" has the stem of "верно".
        let another = other.name.is_none()
            && (other.hit.from, other.hit.to) == (self.hit.from, self.hit.to)
            && other.hit.exact > self.hit.exact;
        other.name != self.name && (longer || another)
    }
}

/// Chooses among the answers for which `expected` holds.
pub(super) fn choose(
    named: &BTreeMap<String, Vec<Phrase>>,
    said: &[Word],
    expected: impl Fn(&str) -> bool,
) -> Chosen {
    let lists = &*LISTS;
    let mut places: Vec<Place<'_>> = Vec::new();
    // An answer that isn't expected claims nothing: "перезапишите меня" is "перезапись" where "later" isn't asked for.
    for (name, phrases) in named.iter().filter(|(name, _)| expected(name)) {
        for phrase in phrases {
            places.extend(hits(phrase, said).map(|hit| Place {
                name: Some(name),
                phrase,
                hit,
            }));
        }
    }
    for phrase in &lists.decoys {
        places.extend(hits(phrase, said).map(|hit| Place {
            name: None,
            phrase,
            hit,
        }));
    }
    // "конечно" inside "нет конечно" is no claim of its own.
    let claims: Vec<Place<'_>> = places
        .iter()
        .filter(|p| p.name.is_some() && !places.iter().any(|other| p.is_covered_by(other)))
        .copied()
        .collect();
    for start in starts(said, &places) {
        let part: Vec<Place<'_>> = claims
            .iter()
            .filter(|p| p.hit.from >= start)
            .copied()
            .collect();
        let doubted = doubts(lists, said, start);
        if part.is_empty() && start > 0 && !doubted {
            continue;
        }
        return rank(&part, doubted);
    }
    Chosen::default()
}

/// Where what counts may begin: after the last correction, before it, and so on back to the beginning.
fn starts(said: &[Word], places: &[Place<'_>]) -> Vec<usize> {
    let mut starts = vec![0];
    for correction in corrections(said.len(), |at| said[at].text.as_str()) {
        let mark = Hit {
            from: correction.mark,
            to: correction.after,
            exact: 0,
        };
        // "простите, что?" is a phrase, not a correction.
        if places.iter().any(|p| mark.is_within(&p.hit)) {
            continue;
        }
        // "да, ой нет": the "нет" counts where nothing follows it.
        if matches!(said[correction.after - 1].text.as_str(), "нет" | "no") {
            starts.push(correction.after - 1);
        }
        starts.push(correction.after);
    }
    starts.sort_unstable();
    starts.reverse();
    starts
}

fn doubts(lists: &Lists, said: &[Word], start: usize) -> bool {
    lists.doubts.iter().any(|doubt| {
        hits(doubt, said)
            .filter(|hit| hit.from >= start)
            .any(|hit| {
                !lists
                    .no_doubts
                    .iter()
                    .any(|polite| hits(polite, said).any(|p| p.from <= hit.from && hit.to <= p.to))
            })
    })
}

/// What machines say holds "перезвоните позже" and the like; where both fit, it was a machine.
const MACHINE: &str = "voicemail";
/// "Не надо, и больше не звоните": who forbids calls has refused, too.
const FORBIDS: &str = "stop_calling";

/// How much a phrase says: words that count, more than a particle, exact forms.
fn weight(place: &Place<'_>) -> (usize, bool, usize) {
    let content = place
        .phrase
        .words
        .iter()
        .any(|w| !PARTICLES.contains(&w.text.as_str()));
    (
        if content { place.words() } else { 1 },
        content,
        place.hit.exact,
    )
}

/// "yes" and "no".
pub(super) fn is_verdict(name: &str) -> bool {
    VERDICTS.contains(&name)
}

fn rank(places: &[Place<'_>], doubted: bool) -> Chosen {
    let mut best: BTreeMap<&str, Place<'_>> = BTreeMap::new();
    for place in places {
        let Some(name) = place.name else { continue };
        if best
            .get(name)
            .is_none_or(|known| weight(known) < weight(place))
        {
            best.insert(name, *place);
        }
    }
    let mut sorted: Vec<(&str, Place<'_>)> = best.into_iter().collect();
    sorted.sort_by(|(a, first), (b, second)| {
        weight(second).cmp(&weight(first)).then_with(|| a.cmp(b))
    });
    let candidates: Vec<Match> = sorted
        .iter()
        .map(|(name, place)| Match {
            name: (*name).to_owned(),
            phrase: place.phrase.text.clone(),
            words: place.words(),
            exact: place.hit.exact,
        })
        .collect();
    if doubted {
        sorted.retain(|(name, _)| !is_verdict(name));
    }
    let intent = winner(&sorted, places);
    Chosen {
        unsure: intent.is_none() && (doubted || !candidates.is_empty()),
        intent,
        // What a doubt took back stays visible behind the answer, or alone.
        candidates,
    }
}

fn winner(sorted: &[(&str, Place<'_>)], places: &[Place<'_>]) -> Option<String> {
    let (name, top) = sorted.first()?;
    let (words, content, exact) = weight(top);
    let rival = sorted[1..].iter().find(|(other, place)| {
        let theirs = weight(place);
        let contrary =
            is_verdict(name) && is_verdict(other) && theirs.0 == words && theirs.1 != content;
        contrary || theirs == (words, content, exact)
    });
    let Some((other, _)) = rival else {
        return Some((*name).to_owned());
    };
    if [*name, *other].contains(&MACHINE) && words > 1 {
        return Some(MACHINE.to_owned());
    }
    if (*name == FORBIDS && is_verdict(other)) || (*other == FORBIDS && is_verdict(name)) {
        return Some(FORBIDS.to_owned());
    }
    // "да нет, приеду": said more often, and last.
    if !(is_verdict(name) && is_verdict(other)) {
        return None;
    }
    let count = |name: &str| {
        let mut from: Vec<usize> = places
            .iter()
            .filter(|p| p.name == Some(name))
            .map(|p| p.hit.from)
            .collect();
        from.sort_unstable();
        from.dedup();
        from.len()
    };
    let last = places.iter().max_by_key(|p| p.hit.to)?.name?;
    let (more, less) = if count(name) >= count(other) {
        (name, other)
    } else {
        (other, name)
    };
    (count(more) > count(less) && last == *more).then(|| (*more).to_owned())
}
