//! Which answer an utterance is, when the phrases of several stand in it. The rules, each for the way in which people speak:
//!
//! - A phrase within a longer one claims nothing: "конечно" in "нет, конечно".
//! - A weak phrase counts only beside words that are known: who says "можно" agrees, who says "можно с собакой" asks, and the
//!   difference is in a word that no list holds.
//! - What stands after a question word is asked and no yes or no: "когда можно приехать", "сколько будет стоить".
//! - "Нет" after a thing in the genitive says that there is none of it ("хозяина нет"), and refuses nothing.
//! - Why somebody can't talk yields to an answer: "я за рулём, буду через час" has answered.
//! - Of two equal phrases that claim the same words the analyst's counts; and what is no answer for a built-in phrase ("да
//!   слушаю") may be one for theirs.
//! - Who refuses and proposes another time wants another time; who forbids calls has refused whatever else was said.
//! - Machines ask to call later, too: who says "оставьте сообщение" is one.
//! - A correction takes back what stood before it, a doubt ("не знаю", "если успею") a yes or a no.
//! - What two answers claim equally is none: asking again costs a second, a wrong guess the call.

use std::collections::BTreeMap;

use super::Match;
use super::announced::Announced;
use super::book::{Book, Found};
use super::builtin::{DECOY, DOUBT, NO_DOUBT, announcements, no_answers};
use super::corrections::corrections;
use super::kinds::Kinds;
use super::matcher::{Hit, Phrase};
use super::moments::own_verb;
use super::said::Said;

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

/// Words beside which a weak phrase still counts: greetings, thanks.
const POLITE: &[&str] = &[
    "спасибо",
    "благодарю",
    "большое",
    "огромное",
    "здравствуйте",
    "добрый",
    "день",
    "вечер",
    "доброе",
    "утро",
    "алло",
    "слушаю",
    "до",
    "свидания",
    "понял",
    "поняла",
    "понятно",
    "ясно",
    "помню",
    "и",
    "меня",
    "полностью",
    "вполне",
    "именно",
    "хорошо",
    "thanks",
    "thank",
    "hello",
    "hi",
    "bye",
    "that",
    "is",
    "it",
];

/// One phrase at one place.
#[derive(Clone, Copy)]
struct Place<'a> {
    /// The answer; `None` for what is no answer.
    name: Option<&'a str>,
    phrase: &'a Phrase,
    hit: Hit,
}

impl Place<'_> {
    fn is_covered_by(&self, other: &Self) -> bool {
        let longer = other.phrase.len() > self.phrase.len() && self.hit.is_within(&other.hit);
        // "верните" has the stem of "верно".
        let another = other.name.is_none()
            && (other.hit.from, other.hit.to) == (self.hit.from, self.hit.to)
            && other.hit.exact > self.hit.exact;
        // An analyst who wrote "слушаю" means it, whatever stands around it; and of two equal phrases theirs counts.
        let counts = other.name.is_some() || self.phrase.ours;
        let claimed = self.phrase.ours
            && !other.phrase.ours
            && other.phrase.len() == self.phrase.len()
            && other.hit.exact >= self.hit.exact
            && other.hit.from < self.hit.to
            && self.hit.from < other.hit.to;
        other.name != self.name && counts && (longer || another || claimed)
    }

    fn holds(&self, word: usize) -> bool {
        (self.hit.from..self.hit.to).contains(&word)
    }
}

/// Chooses among the answers for which `expected` holds.
pub(super) fn choose(book: &Book, said: &Said, expected: impl Fn(&str) -> bool) -> Chosen {
    // An answer that isn't expected claims nothing: "перезапишите меня" is "перезапись" where "later" isn't asked for.
    let mut places: Vec<Place<'_>> = book
        .hits(said, expected)
        .into_iter()
        .map(|found| Place {
            name: Some(found.name),
            phrase: found.phrase,
            hit: found.hit,
        })
        .collect();
    let others = no_answers().hits(said, |_| true);
    places.extend(
        others
            .iter()
            .filter(|found| found.name == DECOY)
            .map(|found| Place {
                name: None,
                phrase: found.phrase,
                hit: found.hit,
            }),
    );
    let uncovered: Vec<Place<'_>> = places
        .iter()
        .filter(|p| p.name.is_some() && !places.iter().any(|other| p.is_covered_by(other)))
        .copied()
        .collect();
    let claims: Vec<Place<'_>> = uncovered
        .iter()
        .filter(|p| !is_crowded(p, &uncovered, said))
        .filter(|p| !is_asked(p, &places, said))
        .filter(|p| !is_absence(p, &uncovered, said))
        .copied()
        .collect();
    for start in starts(said, &places) {
        let part: Vec<Place<'_>> = claims
            .iter()
            .filter(|p| p.hit.from >= start)
            .copied()
            .collect();
        let doubted = is_doubted(&others, start);
        if part.is_empty() && start > 0 && !doubted {
            continue;
        }
        return rank(&part, doubted);
    }
    Chosen::default()
}

/// A weak phrase beside words that nobody knows.
fn is_crowded(place: &Place<'_>, claims: &[Place<'_>], said: &Said) -> bool {
    if !place.phrase.weak {
        return false;
    }
    let mut at = 0;
    while at < said.words.len() {
        let text = said.text(at);
        if place.holds(at)
            || said.is(at, Kinds::FILLER)
            || said.is(at, Kinds::GAP)
            || PARTICLES.contains(&text)
            || POLITE.contains(&text)
            || claims
                .iter()
                .any(|other| other.name == place.name && other.holds(at))
        {
            at += 1;
        } else if let Some(to) = said.moment(at) {
            at = to;
        } else {
            return true;
        }
    }
    false
}

/// A yes or no after a question word of the same breath.
fn is_asked(place: &Place<'_>, places: &[Place<'_>], said: &Said) -> bool {
    if !place.name.is_some_and(is_verdict) || said.words[place.hit.from].pause {
        return false;
    }
    (0..place.hit.from)
        .rev()
        .take_while(|at| !said.words[at + 1].pause)
        .any(|at| said.is(at, Kinds::QUESTION) && !places.iter().any(|p| p.holds(at)))
}

/// "Хозяина нет": the "нет" of a thing that isn't there.
fn is_absence(place: &Place<'_>, claims: &[Place<'_>], said: &Said) -> bool {
    let from = place.hit.from;
    if !matches!(place.phrase.text.as_str(), "нет" | "нету") || said.words[from].pause {
        return false;
    }
    let before = (0..from)
        .rev()
        .take_while(|at| !said.words[at + 1].pause)
        .find(|at| !said.is(*at, Kinds::FILLER) && !said.is(*at, Kinds::GAP));
    before.is_some_and(|at| {
        let text = said.text(at);
        let thing = text.chars().count() > 3
            && ["а", "я", "ы", "и", "ов", "ев", "ей", "ого", "его", "ок"]
                .iter()
                .any(|end| text.ends_with(end));
        thing
            && !NO_THINGS.contains(&text)
            && said.moment(at).is_none()
            && !claims.iter().any(|p| p.holds(at))
    })
}

/// Words that end like a thing in the genitive.
const NO_THINGS: &[&str] = &[
    "скорей",
    "всегда",
    "тогда",
    "иногда",
    "никогда",
    "извини",
    "прости",
    "погоди",
    "подожди",
    "однако",
    "хотя",
    "мама",
    "вера",
    "сама",
    "дома",
    "друзья",
    "ребята",
    "товарищи",
    "пока",
    "отчего",
    "слава",
    "спасибочки",
    "либо",
    "чего",
    "этого",
    "семья",
    "тысячи",
];

/// Where what counts may begin: after the last correction, before it, and so on back to the beginning.
fn starts(said: &Said, places: &[Place<'_>]) -> Vec<usize> {
    let mut starts = vec![0];
    for correction in corrections(said.words.len(), |at| said.text(at)) {
        let mark = Hit {
            from: correction.mark,
            to: correction.after,
            exact: 0,
            ordered: true,
        };
        // "простите, что?" is a phrase, not a correction.
        if places.iter().any(|p| mark.is_within(&p.hit)) {
            continue;
        }
        // "да, ой нет": the "нет" counts where nothing follows it.
        if matches!(said.text(correction.after - 1), "нет" | "no") {
            starts.push(correction.after - 1);
        }
        starts.push(correction.after);
    }
    starts.sort_unstable();
    starts.reverse();
    starts
}

fn is_doubted(found: &[Found<'_>], start: usize) -> bool {
    found
        .iter()
        .filter(|doubt| doubt.name == DOUBT && doubt.hit.from >= start)
        .any(|doubt| {
            !found.iter().any(|polite| {
                polite.name == NO_DOUBT
                    && polite.hit.from <= doubt.hit.from
                    && doubt.hit.to <= polite.hit.to
            })
        })
}

/// What machines say holds "перезвоните позже" and the like; where both fit, it was a machine.
const MACHINE: &str = "voicemail";
/// "Не надо, и больше не звоните": who forbids calls has refused, too.
pub(super) const FORBIDS: &str = "stop_calling";
/// "В четверг не могу, давайте в пятницу": another time is what is wanted.
const LATER: &str = "later";

/// How much a phrase says: words that count, more than a particle, exact forms.
fn weight(place: &Place<'_>) -> Weight {
    let content = place
        .phrase
        .parts
        .iter()
        .any(|part| !PARTICLES.contains(&part.word.text.as_str()));
    Weight {
        words: if content { place.phrase.len() } else { 1 },
        content,
        exact: place.hit.exact,
        ordered: place.hit.ordered,
    }
}

/// Compared from the top down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Weight {
    words: usize,
    content: bool,
    exact: usize,
    ordered: bool,
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
            words: place.phrase.len(),
            exact: place.hit.exact,
        })
        .collect();
    if doubted {
        sorted.retain(|(name, _)| !is_verdict(name));
    }
    // "Приеду, если на работе отпустят": the doubt isn't about the reason.
    let doubtful = doubted && candidates.iter().any(|one| is_verdict(&one.name));
    if doubtful && sorted.first().is_some_and(|(_, top)| top.phrase.reason) {
        sorted.clear();
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
    let ours = weight(top);
    // "Оставьте сообщение, я вам перезвоню": no person says the former.
    let announced = sorted.iter().any(|(name, place)| {
        *name == MACHINE
            && place.phrase.len() > 1
            && announcements::told(&place.phrase.text) != Some(Announced::Perhaps)
    });
    if *name == LATER && announced {
        return Some(MACHINE.to_owned());
    }
    // "Я за рулём, буду через час"; "не могу, я на совещании" is no answer yet.
    if *name == LATER && top.phrase.reason {
        let answered = sorted[1..].iter().find(|(other, place)| {
            let text = place.phrase.text.as_str();
            match *other {
                "yes" => {
                    own_verb(text) || text.starts_with("соглас") || text.starts_with("подтвержд")
                }
                "no" => {
                    let unable = INABILITY.iter().any(|stem| text.contains(stem));
                    // "Не смогу прийти" says what is impossible.
                    weight(place).content && (!unable || text.ends_with("(приехать)"))
                }
                _ => false,
            }
        });
        if let Some((other, _)) = answered {
            return Some((*other).to_owned());
        }
    }
    let rival = sorted[1..].iter().find(|(other, place)| {
        let theirs = weight(place);
        // "Нет, приеду" is both; "да, отмените" isn't.
        let contrary = *name == "yes"
            && is_verdict(other)
            && theirs.words == ours.words
            && theirs.content != ours.content;
        // "Завтра не могу, давайте послезавтра".
        let proposed = !place.phrase.reason && top.hit.to <= place.hit.from;
        let postponed =
            *other == LATER && *name == "no" && (theirs.words == ours.words || proposed);
        contrary || postponed || theirs == ours
    });
    let Some((other, rival)) = rival else {
        return Some((*name).to_owned());
    };
    if [*name, *other].contains(&MACHINE) && ours.words > 1 {
        return Some(MACHINE.to_owned());
    }
    if [*name, *other].contains(&FORBIDS) {
        return Some(FORBIDS.to_owned());
    }
    if [*name, *other].contains(&LATER) && [*name, *other].contains(&"no") {
        return Some(LATER.to_owned());
    }
    if !(is_verdict(name) && is_verdict(other)) {
        return None;
    }
    // "Нет-нет, приду": soothes.
    if *name == "yes" && rival.phrase.text == "нет нет" && rival.hit.to <= top.hit.from {
        return Some((*name).to_owned());
    }
    // "да нет, приеду": said more often, and last.
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

/// A "no" that says that it is impossible: the reason beside it tells why it is so now.
const INABILITY: &[&str] = &[
    "не мог",
    "не смо",
    "не получ",
    "не удоб",
    "не буду",
    "никак",
];
