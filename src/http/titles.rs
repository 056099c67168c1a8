//! Words for people beside the codes: of statuses, of the runtime's outcomes, and of a dialog's own (`outcomes:` in its YAML).

use std::sync::Arc;

use crate::call::{Status, outcome};
use crate::config::Language;
use crate::script::Version;
use crate::store::{CallbackState, Reason};

/// The words of one moment: of the language, and of the dialogs that run.
#[derive(Clone)]
pub(super) struct Titles {
    language: Language,
    dialogs: Arc<Version>,
}

/// The runtime's outcomes in Russian and English.
const OUTCOMES: [(&str, &str, &str); 14] = [
    (outcome::BUSY, "Занято", "Busy"),
    (outcome::NO_ANSWER, "Не ответили", "No answer"),
    (outcome::REJECTED, "Сбросили звонок", "Rejected"),
    (outcome::UNREACHABLE, "Вне сети", "Out of reach"),
    (
        outcome::INVALID_NUMBER,
        "Нет такого номера",
        "No such number",
    ),
    (
        outcome::CONGESTION,
        "Линия перегружена",
        "No room in the network",
    ),
    (outcome::MACHINE, "Автоответчик", "A machine answered"),
    (
        outcome::HUNG_UP,
        "Положили трубку",
        "Hung up before the end",
    ),
    (outcome::NO_REPLY, "Молчали", "Nothing was said"),
    (
        outcome::SCRIPT_ERROR,
        "Ошибка в диалоге",
        "A fault of the dialog",
    ),
    (outcome::RUNTIME_ERROR, "Сбой", "A failure of the system"),
    (
        outcome::OUT_OF_HOURS,
        "Вне часов для звонков",
        "Out of hours",
    ),
    (
        outcome::DO_NOT_CALL,
        "Просили не звонить",
        "On the do-not-call list",
    ),
    (
        outcome::COMPLETED,
        "Разговор закончен",
        "The dialog ran to its end",
    ),
];

impl Titles {
    pub(super) fn new(language: Language, dialogs: Arc<Version>) -> Self {
        Self { language, dialogs }
    }

    /// Of a status.
    pub(super) fn status(&self, status: Status) -> &'static str {
        let (ru, en) = match status {
            Status::Queued => ("Ждёт", "Waits"),
            Status::Dialing => ("Набираем номер", "Dialing"),
            Status::Talking => ("Разговор", "Talking"),
            Status::Finished => ("Закончен", "Finished"),
            Status::Cancelled => ("Отменён", "Cancelled"),
            Status::Expired => ("Срок вышел", "Expired"),
        };
        self.language.pick(ru, en)
    }

    /// Of a delivery's state.
    pub(super) fn callback(&self, state: CallbackState) -> &'static str {
        let (ru, en) = match state {
            CallbackState::Waiting => ("Ждёт доставки", "Waits"),
            CallbackState::Delivered => ("Доставлено", "Delivered"),
            CallbackState::Failed => ("Не доставлено", "Given up"),
        };
        self.language.pick(ru, en)
    }

    /// Why an order waits: in the rule's own words, which only the wish of the order itself hasn't.
    pub(super) fn reason<'r>(&self, reason: &'r Reason) -> &'r str {
        if reason.text.is_empty() && reason.rule == "not_before" {
            return self.language.pick(
                "Ждёт времени, заданного в not_before",
                "Waits for its not_before",
            );
        }
        &reason.text
    }

    /// Of an outcome: the dialog's own title, the runtime's, else the word itself.
    pub(super) fn outcome(&self, dialog: &str, outcome: Option<&str>) -> Option<String> {
        let word = outcome?;
        if let Some(title) = self.dialogs.outcome_title(dialog, word) {
            return Some(title.to_owned());
        }
        let known = OUTCOMES.iter().find(|(known, ..)| *known == word);
        let title = known.map_or(word, |(_, ru, en)| self.language.pick(ru, en));
        Some(title.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_of_the_runtime_has_a_title() {
        let named: Vec<&str> = OUTCOMES.iter().map(|(word, ..)| *word).collect();
        for word in outcome::ALL {
            assert!(named.contains(&word), "{word}");
        }
        let titles = Titles::new(Language::Ru, Version::empty(Language::Ru));
        assert_eq!(titles.outcome("d", Some("busy")).as_deref(), Some("Занято"));
        assert_eq!(titles.outcome("d", Some("дома")).as_deref(), Some("дома"));
        assert_eq!(titles.outcome("d", None), None);
    }
}
