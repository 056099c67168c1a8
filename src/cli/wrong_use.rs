//! What the argument parser refused, told in Russian with the mend.

use clap::Error;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::{Ended, screen};

/// Tells it, or prints the help that was asked for.
pub(super) fn tell(error: &Error) -> Ended {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            screen::text(&error.to_string());
            Ended::Sound
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            screen::fault(&error.to_string());
            Ended::WrongUse
        }
        _ => {
            screen::fault(&format!(
                "{}\nСправка: govorun --help, govorun КОМАНДА --help",
                sentence(error)
            ));
            Ended::WrongUse
        }
    }
}

/// Tells a wrong use that the parser could not see.
pub(super) fn told(sentence: &str) -> Ended {
    screen::fault(sentence);
    Ended::WrongUse
}

fn sentence(error: &Error) -> String {
    let value = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        Some(ContextValue::Strings(all)) => all.join(", "),
        _ => String::new(),
    };
    let perhaps = |kind| match value(kind) {
        near if near.is_empty() => String::new(),
        near => format!("; может быть, {near}?"),
    };
    match error.kind() {
        ErrorKind::InvalidSubcommand => format!(
            "команды «{}» нет{}",
            value(ContextKind::InvalidSubcommand),
            perhaps(ContextKind::SuggestedSubcommand)
        ),
        ErrorKind::UnknownArgument => {
            format!(
                "«{}» здесь не подходит{}",
                value(ContextKind::InvalidArg),
                perhaps(ContextKind::SuggestedArg)
            )
        }
        ErrorKind::MissingRequiredArgument => {
            format!("не хватает: {}", value(ContextKind::InvalidArg))
        }
        ErrorKind::MissingSubcommand => "не названа команда".to_owned(),
        ErrorKind::ArgumentConflict => format!(
            "{} и {} вместе не бывают: оставьте одно",
            value(ContextKind::InvalidArg),
            value(ContextKind::PriorArg)
        ),
        ErrorKind::InvalidValue => {
            let valid = match value(ContextKind::ValidValue) {
                valid if valid.is_empty() => String::new(),
                valid => format!("; можно: {valid}"),
            };
            match value(ContextKind::InvalidValue) {
                given if given.is_empty() => format!(
                    "после {} нужно значение{valid}",
                    value(ContextKind::InvalidArg)
                ),
                given => format!(
                    "{}: «{given}» не подходит{valid}",
                    value(ContextKind::InvalidArg)
                ),
            }
        }
        ErrorKind::ValueValidation => {
            let why = std::error::Error::source(error)
                .map(|e| format!(": {e}"))
                .unwrap_or_default();
            format!("«{}» не подходит{why}", value(ContextKind::InvalidValue))
        }
        ErrorKind::InvalidUtf8 => "аргумент не в UTF-8: проверьте язык системы (LANG)".to_owned(),
        _ => error.to_string().trim_end().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::arguments::Arguments;
    use clap::Parser;

    #[test]
    fn wrong_uses_are_told_in_russian() {
        for (line, want) in [
            ("sevre", "команды «sevre» нет; может быть, serve?"),
            (
                "serve --confg x",
                "«--confg» здесь не подходит; может быть, --config?",
            ),
            ("serve -c", "после --config <ФАЙЛ> нужно значение"),
            (
                "serve --log xml",
                "--log <ВИД>: «xml» не подходит; можно: text, json",
            ),
            ("talk", "не хватает: <ДИАЛОГ>"),
            (
                "call 112 d abc",
                "«abc» не подходит: нужно имя=значение, например name=Анна",
            ),
            ("check -c a --scripts b", "вместе не бывают"),
            ("demo x", "«x» здесь не подходит"),
        ] {
            let error =
                Arguments::try_parse_from(std::iter::once("govorun").chain(line.split(' ')))
                    .unwrap_err();
            let told = sentence(&error);
            assert!(told.contains(want), "{line}: {told}");
        }
    }
}
