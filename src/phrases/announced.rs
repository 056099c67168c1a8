//! Who speaks: what a machine of the telephone announces, found among the phrases of the answer `voicemail`. An analyst who
//! replaces that list in `phrases.yaml` replaces it here, too; phrases of their own are an answering machine's.

use super::Answers;
use super::builtin::announcements;
use super::said::Said;

/// The answer whose phrases machines say.
const MACHINE: &str = "voicemail";

/// What is announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Announced {
    /// People say so, too ("это автоответчик?"): it counts in the long speech of a machine only.
    Perhaps,
    /// The person does not pick up.
    NoAnswer,
    /// The person talks to somebody else.
    Busy,
    /// Switched off, out of reach, blocked.
    Unreachable,
    /// An operator's assistant: it asks, and takes a message without a tone.
    Assistant,
    /// An answering machine or a mailbox: it takes a message after its tone.
    Voicemail,
    /// There is no such number.
    InvalidNumber,
}

/// An announcement in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// What it tells; of several, what tells most.
    pub what: Announced,
    /// The phrase that tells it, as it stands in the list.
    pub phrase: String,
}

impl Answers {
    /// What a machine of the telephone announces in `text`, if it does. A phrase within a longer one doesn't count
    /// ("абонент не может" in "абонент не может ответить").
    pub fn announcement(&self, text: &str) -> Option<Announcement> {
        let said = Said::new(text, |_| None);
        let found = self.book.hits(&said, |name| name == MACHINE);
        found
            .iter()
            .filter(|one| !found.iter().any(|other| one.hit.is_within(&other.hit)))
            .map(|one| {
                (
                    class(&one.phrase.text),
                    one.hit.to - one.hit.from,
                    one.phrase,
                )
            })
            .max_by_key(|(what, words, _)| (*what, *words))
            .map(|(what, _, phrase)| Announcement {
                what,
                phrase: phrase.text.clone(),
            })
    }
}

fn class(phrase: &str) -> Announced {
    announcements::told(phrase).unwrap_or(Announced::Voicemail)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn announcements_are_told_apart() {
        use Announced::*;
        let answers = Answers::builtin();
        let table = [
            (
                "вас приветствует автоответчик оставьте сообщение после сигнала",
                Some(Voicemail),
            ),
            (
                "здравствуйте я сейчас не могу ответить на ваш звонок",
                Some(Voicemail),
            ),
            ("абонент не может ответить на ваш звонок", Some(Voicemail)),
            (
                "аппарат абонента выключен или находится вне зоны действия сети",
                Some(Unreachable),
            ),
            (
                "абонент временно недоступен попробуйте позвонить позднее",
                Some(Unreachable),
            ),
            (
                "абонент временно недоступен оставьте сообщение после сигнала",
                Some(Voicemail),
            ),
            ("номер временно заблокирован", Some(Unreachable)),
            ("неправильно набран номер", Some(InvalidNumber)),
            ("набранный вами номер не существует", Some(InvalidNumber)),
            ("абонент разговаривает оставайтесь на линии", Some(Busy)),
            (
                "вызываемый абонент не отвечает перезвоните позднее",
                Some(NoAnswer),
            ),
            (
                "добрый день вас приветствует голосовой помощник мегафон",
                Some(Assistant),
            ),
            (
                "алло я секретарь абонента что ему передать",
                Some(Assistant),
            ),
            (
                "звонок принимает голосовой помощник что передать абоненту",
                Some(Assistant),
            ),
            ("please leave your message after the beep", Some(Voicemail)),
            // People.
            ("это автоответчик", Some(Perhaps)),
            ("вы автоответчик что ли", Some(Perhaps)),
            ("вы голосовой помощник", Some(Perhaps)),
            ("я сейчас не могу ответить", Some(Perhaps)),
            ("у меня телефон выключен был", Some(Perhaps)),
            ("хотите оставить сообщение", Some(Perhaps)),
            ("алло да слушаю", None),
            ("здравствуйте кто это", None),
            ("перезвоните позже", None),
            ("вы ошиблись номером", None),
            ("сообщение получил сигнал плохой", None),
        ];
        for (text, expect) in table {
            let found = answers.announcement(text).map(|found| found.what);
            assert_eq!(found, expect, "{text}");
        }
    }

    #[test]
    fn an_analysts_own_list_is_a_machines() {
        let own = BTreeMap::from([("voicemail".to_owned(), vec!["вы попали к нам".to_owned()])]);
        let answers = Answers::builtin().overlaid(&own).unwrap();
        let found = |text| answers.announcement(text).map(|found| found.what);
        assert_eq!(found("алло вы попали к нам"), Some(Announced::Voicemail));
        assert_eq!(found("оставьте сообщение"), None);
    }
}
