//! A dialplan application and its arguments as one data string (`ChanSpy`, `<id>,uqoSE`): for AGI's EXEC and AMI's Originate.
//!
//! Asterisk splits the string at commas outside of parentheses, brackets and quotes (`__ast_app_separate_args` in
//! main/app.c); with `res_agi=1.4` in asterisk.conf, at pipes too. Applications differ in how they take quotes and
//! backslashes off again, so these are refused, and so is whatever would join two arguments or start a substitution.

use super::line;

/// Longest data string, bytes. AGI's whole line has 2,048, AMI's 1,024.
pub const MAX_DATA: usize = 900;

/// An application with its arguments, safe to be put into EXEC or Originate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    name: String,
    data: String,
    args: usize,
}

impl App {
    /// An application without arguments. Names are letters, digits and underscores.
    pub fn new(name: &str) -> Result<Self, AppError> {
        if name.is_empty()
            || name.len() > 64
            || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        {
            return Err(AppError::Name {
                name: line::one_line(name),
            });
        }
        Ok(Self {
            name: name.to_owned(),
            data: String::new(),
            args: 0,
        })
    }

    /// Adds one argument; it stays one whatever it holds, or is refused. Empty ones keep their place.
    pub fn arg(mut self, text: &str) -> Result<Self, AppError> {
        let at = self.args + 1;
        check_argument(text).map_err(|problem| AppError::Argument {
            app: self.name.clone(),
            at,
            problem,
        })?;
        if self.args > 0 {
            self.data.push(',');
        }
        self.data.push_str(text);
        self.args = at;
        if self.data.len() > MAX_DATA {
            return Err(AppError::TooLong {
                app: self.name,
                bytes: self.data.len(),
            });
        }
        Ok(self)
    }

    /// The application's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its arguments, joined by commas.
    pub fn data(&self) -> &str {
        &self.data
    }
}

/// What is wrong with an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArgumentProblem {
    /// A control character.
    #[error(transparent)]
    Control(#[from] line::ControlCharacter),
    /// A separator, a quote or an escape.
    #[error("holds {0:?}, which could make two arguments of one")]
    Separator(char),
    /// `(` without `)` or `[` without `]`, either way round.
    #[error("has unbalanced brackets, which would swallow the next argument")]
    Unbalanced,
    /// `${` or `$[`.
    #[error("holds a dialplan expression")]
    Expression,
}

/// The rule for one argument of an application.
pub fn check_argument(text: &str) -> Result<(), ArgumentProblem> {
    line::check(text)?;
    if let Some(found) = text.chars().find(|c| ",|\"\\".contains(*c)) {
        return Err(ArgumentProblem::Separator(found));
    }
    if text.contains("${") || text.contains("$[") {
        return Err(ArgumentProblem::Expression);
    }
    let mut open = Vec::new();
    for c in text.chars() {
        match c {
            '(' => open.push(')'),
            '[' => open.push(']'),
            ')' | ']' if open.pop() != Some(c) => return Err(ArgumentProblem::Unbalanced),
            _ => {}
        }
    }
    if open.is_empty() {
        Ok(())
    } else {
        Err(ArgumentProblem::Unbalanced)
    }
}

/// Why an application can't be run with these arguments.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppError {
    /// Not a name.
    #[error("{name:?} is no application's name (letters, digits, underscores)")]
    Name {
        /// As given.
        name: String,
    },
    /// One argument breaks the rule.
    #[error("argument {at} of {app} {problem}")]
    Argument {
        /// The application.
        app: String,
        /// Which argument, from 1.
        at: usize,
        /// What is wrong.
        problem: ArgumentProblem,
    },
    /// All together too long.
    #[error("the arguments of {app} have {bytes} bytes, at most {MAX_DATA} fit")]
    TooLong {
        /// The application.
        app: String,
        /// How many they had.
        bytes: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `__ast_app_separate_args` with a comma, written down anew: what Asterisk makes of the string.
    fn as_asterisk_splits(data: &str) -> Vec<String> {
        let (mut args, mut arg) = (Vec::new(), String::new());
        let (mut paren, mut bracket, mut quote) = (0u32, 0u32, false);
        let mut chars = data.chars();
        while let Some(c) = chars.next() {
            match c {
                '(' => paren += 1,
                ')' => paren = paren.saturating_sub(1),
                '[' => bracket += 1,
                ']' => bracket = bracket.saturating_sub(1),
                '"' => {
                    quote = !quote;
                    continue;
                }
                '\\' => {
                    arg.extend(chars.next());
                    continue;
                }
                ',' if paren == 0 && bracket == 0 && !quote => {
                    args.push(std::mem::take(&mut arg));
                    continue;
                }
                _ => {}
            }
            arg.push(c);
        }
        args.push(arg);
        args
    }

    #[test]
    fn real_uses_pass() {
        let app = App::new("ChanSpy")
            .unwrap()
            .arg("govorun-0011223344556677")
            .unwrap()
            .arg("uqoSE")
            .unwrap();
        assert_eq!(app.data(), "govorun-0011223344556677,uqoSE");
        let app = App::new("AudioFork")
            .unwrap()
            .arg("ws://127.0.0.1:8090/tap/0123")
            .unwrap()
            .arg("D(in)i(FORK_ID)")
            .unwrap();
        assert_eq!(app.data(), "ws://127.0.0.1:8090/tap/0123,D(in)i(FORK_ID)");
        assert_eq!(
            App::new("Dial")
                .unwrap()
                .arg("WebSocket/govorun/c(slin)")
                .unwrap()
                .data(),
            "WebSocket/govorun/c(slin)"
        );
    }

    #[test]
    fn what_could_make_two_of_one_is_refused() {
        for bad in [
            "a,b",
            "a|b",
            "a\"b",
            "a\\,b",
            "a\nb",
            "f(",
            ")(",
            "([)]",
            "${SHELL(id)}",
            "$[1+1]",
        ] {
            assert!(App::new("Dial").unwrap().arg(bad).is_err(), "{bad:?}");
        }
        for bad in ["", "Dial,x", "Dial x", "Dial\nx", "Диал"] {
            assert!(App::new(bad).is_err(), "{bad:?}");
        }
        assert!(matches!(
            App::new("A").unwrap().arg(&"x".repeat(901)),
            Err(AppError::TooLong { bytes: 901, .. })
        ));
    }

    proptest! {
        #[test]
        fn accepted_arguments_stay_as_many_as_they_are(args in prop::collection::vec(r#"[ab(),\[\]"\\|$\{ ]{1,6}"#, 1..5)) {
            let mut app = App::new("X").unwrap();
            let mut kept = Vec::new();
            for arg in &args {
                if let Ok(with) = app.clone().arg(arg) {
                    app = with;
                    kept.push(arg.clone());
                }
            }
            if !kept.is_empty() {
                prop_assert_eq!(as_asterisk_splits(app.data()), kept);
            }
        }
    }
}
