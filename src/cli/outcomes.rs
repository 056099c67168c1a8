//! Words of statuses and outcomes, as people read them.

/// What an outcome means; a dialog's own word stands for itself.
pub(super) fn outcome_ru(outcome: &str) -> &str {
    match outcome {
        "busy" => "занято",
        "no_answer" => "не берут трубку",
        "rejected" => "сбросили звонок",
        "unreachable" => "вне сети или выключен",
        "invalid_number" => "такого номера нет",
        "congestion" => "линия перегружена",
        "machine" => "ответил автоответчик",
        "hung_up" => "человек положил трубку",
        "no_reply" => "человек ничего не ответил",
        "script_error" => "ошибка в диалоге",
        "runtime_error" => "сбой сервера или связи с Asterisk",
        "out_of_hours" => "не время звонить",
        "do_not_call" => "просил не звонить",
        "completed" => "разговор закончен, итог не назван",
        own => own,
    }
}

/// `busy — занято`; a dialog's own word alone.
pub(super) fn outcome_told(outcome: &str) -> String {
    match outcome_ru(outcome) {
        ru if ru == outcome => outcome.to_owned(),
        ru => format!("{outcome} — {ru}"),
    }
}

/// Built-in answers' names as people read them.
pub(super) fn answer_ru(name: &str) -> String {
    match crate::script::words::ANSWERS
        .iter()
        .find(|(en, _)| *en == name)
    {
        Some((en, ru)) => format!("{ru} ({en})"),
        None => name.to_owned(),
    }
}

/// The outcome says that something is broken, not how the person answered.
pub(super) fn is_fault(outcome: &str) -> bool {
    matches!(outcome, "script_error" | "runtime_error")
}
