//! AGI commands: typed constructors that no text can break out of, and the parser of Asterisk for a double of it.
//!
//! Asterisk (res/res_agi.c, `parse_args`) splits a line at spaces and tabs outside of double quotes; a backslash takes
//! the next character as it is, within quotes and without. So every free text is put into quotes with `"` and `\`
//! escaped, and control characters are refused ([`crate::wire::line`]).

use std::fmt::{self, Write};

use crate::wire::{
    app::App,
    line::{self, ControlCharacter},
};

/// Longest command line with its line feed, bytes: Asterisk's buffer (`AGI_BUF_LEN`) has 2,048 with a NUL.
pub const MAX_COMMAND_LINE: usize = 2040;

/// One command, encoded: a line that ends with its line feed.
#[derive(Clone, PartialEq, Eq)]
pub struct Command {
    line: String,
    /// Bytes of the command's own words, which may be logged; what follows may be personal.
    words: usize,
}

/// Shows the command's words, not its arguments: these may hold numbers and names.
impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Command({} …)", self.name())
    }
}

/// Why a command can't be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// A control character in an argument.
    #[error("{command}: argument {at} {problem}")]
    Argument {
        /// The command's words.
        command: &'static str,
        /// Which argument, from 1.
        at: usize,
        /// What is wrong.
        problem: ControlCharacter,
    },
    /// Over [`MAX_COMMAND_LINE`].
    #[error("{command}: the line has {bytes} bytes, Asterisk reads at most {MAX_COMMAND_LINE}")]
    TooLong {
        /// The command's words.
        command: &'static str,
        /// How many it had, escaped.
        bytes: usize,
    },
    /// An argument that must not be empty, or holds characters that it can't hold.
    #[error("{command}: {text:?} can't be its {what}")]
    Invalid {
        /// The command's words.
        command: &'static str,
        /// What it should be.
        what: &'static str,
        /// What it is.
        text: String,
    },
}

/// A channel variable's name, or a dialplan function with one plain argument: `OUTCOME`, `__INHERITED`,
/// `CHANNEL(language)`, `CALLERID(num)`. Letters, digits, `_`; in brackets also `-`, `.`, `:` and `,`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VariableName(String);

/// Not a variable's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no variable's name: letters, digits and _, at most {max}, not a digit first",
    max = VariableName::MAX
)]
pub struct VariableNameError(String);

impl VariableName {
    /// Longest name, bytes.
    pub const MAX: usize = 80;

    /// A plain variable, or a function with an argument. For names that come from the program, not from users: a
    /// function can do more than hold a value.
    pub fn new(text: &str) -> Result<Self, VariableNameError> {
        let (name, argument) = match text.strip_suffix(')').and_then(|t| t.split_once('(')) {
            Some((name, argument)) => (name, argument),
            None => (text, ""),
        };
        let argument_ok = argument
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_-.:,".contains(&b));
        if text.len() <= Self::MAX && is_plain(name) && argument_ok {
            Ok(Self(text.to_owned()))
        } else {
            Err(VariableNameError(line::one_line(text)))
        }
    }

    /// A plain variable only: for names that an analyst or 1C chose.
    pub fn plain(text: &str) -> Result<Self, VariableNameError> {
        if text.len() <= Self::MAX && is_plain(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(VariableNameError(line::one_line(text)))
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && !name.as_bytes()[0].is_ascii_digit()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// How a prompt is played: `CONTROL STREAM FILE`. The file can be paused, moved and stopped by AMI's ControlPlayback.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ControlStream<'a> {
    /// The file without its ending, a path or a name in Asterisk's sounds.
    pub file: &'a str,
    /// Digits that end it; empty for none.
    pub escape_digits: &'a str,
    /// How far a skip goes, milliseconds; 0 for Asterisk's own 3,000.
    pub skip_ms: u32,
    /// Where it begins, milliseconds from the file's start.
    pub offset_ms: u64,
}

impl Command {
    fn of(words: &'static str) -> Builder {
        Builder {
            words,
            line: words.to_owned(),
            args: 0,
            problem: None,
        }
    }

    /// `ANSWER`: answers the channel; result 0, or -1 on a dead channel.
    pub fn answer() -> Self {
        Self::bare("ANSWER")
    }

    /// `HANGUP`: hangs this channel up; result 1.
    pub fn hang_up() -> Self {
        Self::bare("HANGUP")
    }

    /// `NOOP`: does nothing; result 0.
    pub fn noop() -> Self {
        Self::bare("NOOP")
    }

    /// `CHANNEL STATUS` of this channel: 0 down ... 6 up (see [`crate::wire::ami::ChannelState`]).
    pub fn channel_status() -> Self {
        Self::bare("CHANNEL STATUS")
    }

    /// `CONTROL STREAM FILE`: blocks until the file's end, a digit, a stop or the hang-up; `endpos` in milliseconds
    /// from the file's start.
    pub fn control_stream_file(stream: &ControlStream<'_>) -> Result<Self, CommandError> {
        let skip = if stream.skip_ms == 0 {
            3000
        } else {
            stream.skip_ms
        };
        // Forward, rewind and pause digits: none, or a caller's key would move the prompt.
        Self::of("CONTROL STREAM FILE")
            .file(stream.file)
            .digits(stream.escape_digits)
            .number(skip.into())
            .text("")
            .text("")
            .text("")
            .number(stream.offset_ms)
            .end()
    }

    /// `STREAM FILE`: blocks until the file's end, a digit or the hang-up; `endpos` in samples. Can't be stopped otherwise.
    pub fn stream_file(file: &str, escape_digits: &str) -> Result<Self, CommandError> {
        Self::of("STREAM FILE")
            .file(file)
            .digits(escape_digits)
            .end()
    }

    /// `GET VARIABLE`: `1 (value)`, or 0 if there is none. Asterisk cuts the value at 1,023 bytes (seen on 16 and 22);
    /// [`Self::full_variable`] doesn't.
    pub fn variable(name: &VariableName) -> Result<Self, CommandError> {
        Self::of("GET VARIABLE").text(name.as_str()).end()
    }

    /// `GET FULL VARIABLE ${NAME}`: the same for functions, evaluated by Asterisk.
    pub fn full_variable(name: &VariableName) -> Result<Self, CommandError> {
        Self::of("GET FULL VARIABLE")
            .text(&format!("${{{}}}", name.as_str()))
            .end()
    }

    /// `SET VARIABLE`: the value is stored as it is, nothing in it is evaluated. Result 1.
    pub fn set_variable(name: &VariableName, value: &str) -> Result<Self, CommandError> {
        Self::of("SET VARIABLE")
            .text(name.as_str())
            .text(value)
            .end()
    }

    /// `EXEC`: runs a dialplan application; the result is the application's own, -2 if there is no such.
    pub fn exec(app: &App) -> Result<Self, CommandError> {
        Self::of("EXEC").text(app.name()).text(app.data()).end()
    }

    /// `WAIT FOR DIGIT`: blocks for at most that many milliseconds, for ever at -1; the digit's ASCII code or 0.
    pub fn wait_for_digit(timeout_ms: i32) -> Self {
        let mut line = "WAIT FOR DIGIT".to_owned();
        let words = line.len();
        // Writing into a String can't fail.
        let _ = writeln!(line, " {}", timeout_ms.max(-1));
        Self { line, words }
    }

    /// `VERBOSE`: a line in Asterisk's console at this level, 1 to 4.
    pub fn verbose(text: &str, level: u8) -> Result<Self, CommandError> {
        Self::of("VERBOSE")
            .text(text)
            .number(level.clamp(1, 4).into())
            .end()
    }

    /// `SET CALLERID`: the number that this channel shows.
    pub fn set_caller_id(caller_id: &crate::wire::dial::CallerId) -> Result<Self, CommandError> {
        Self::of("SET CALLERID").text(&caller_id.encode()).end()
    }

    fn bare(words: &'static str) -> Self {
        Self {
            line: format!("{words}\n"),
            words: words.len(),
        }
    }

    /// The bytes to be sent, with the line feed.
    pub fn as_bytes(&self) -> &[u8] {
        self.line.as_bytes()
    }

    /// The same, taken out.
    pub fn into_bytes(self) -> Vec<u8> {
        self.line.into_bytes()
    }

    /// The command's own words (`CONTROL STREAM FILE`), fit for a log.
    pub fn name(&self) -> &str {
        &self.line[..self.words]
    }
}

struct Builder {
    words: &'static str,
    line: String,
    args: usize,
    problem: Option<CommandError>,
}

impl Builder {
    fn text(mut self, text: &str) -> Self {
        self.args += 1;
        if let Err(problem) = line::check(text) {
            self.fail(CommandError::Argument {
                command: self.words,
                at: self.args,
                problem,
            });
        }
        self.line.reserve(text.len() + 3);
        self.line.push_str(" \"");
        for c in text.chars() {
            if c == '"' || c == '\\' {
                self.line.push('\\');
            }
            self.line.push(c);
        }
        self.line.push('"');
        self
    }

    fn number(mut self, value: u64) -> Self {
        self.args += 1;
        // Writing into a String can't fail.
        let _ = write!(self.line, " {value}");
        self
    }

    fn file(mut self, file: &str) -> Self {
        if file.is_empty() {
            self.fail(CommandError::Invalid {
                command: self.words,
                what: "file",
                text: String::new(),
            });
        }
        self.text(file)
    }

    fn digits(mut self, digits: &str) -> Self {
        if !digits
            .bytes()
            .all(|b| b.is_ascii_digit() || b"*#ABCD".contains(&b))
        {
            self.fail(CommandError::Invalid {
                command: self.words,
                what: "escape digits",
                text: line::one_line(digits),
            });
        }
        self.text(digits)
    }

    fn fail(&mut self, problem: CommandError) {
        self.problem.get_or_insert(problem);
    }

    fn end(mut self) -> Result<Command, CommandError> {
        self.line.push('\n');
        match self.problem {
            Some(problem) => Err(problem),
            None if self.line.len() > MAX_COMMAND_LINE => Err(CommandError::TooLong {
                command: self.words,
                bytes: self.line.len(),
            }),
            None => Ok(Command {
                line: self.line,
                words: self.words.len(),
            }),
        }
    }
}

/// A command as Asterisk understands it: words and arguments, unescaped. For a double of Asterisk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedCommand {
    /// The command's own words in capitals, such as `CONTROL STREAM FILE`; the whole first word if it is unknown.
    pub name: String,
    /// What follows.
    pub args: Vec<String>,
}

impl ParsedCommand {
    /// An argument, or nothing, from 0.
    pub fn arg(&self, at: usize) -> &str {
        self.args.get(at).map_or("", String::as_str)
    }
}

/// The commands that a double can be sent, longest first where one begins another.
const KNOWN: &[&str] = &[
    "ANSWER",
    "HANGUP",
    "NOOP",
    "CHANNEL STATUS",
    "CONTROL STREAM FILE",
    "STREAM FILE",
    "GET FULL VARIABLE",
    "GET VARIABLE",
    "GET DATA",
    "SET VARIABLE",
    "SET CALLERID",
    "EXEC",
    "WAIT FOR DIGIT",
    "VERBOSE",
];

/// Takes one command line from `bytes`, split as Asterisk does. `Ok(None)`: more bytes are needed, nothing is
/// consumed. `Ok(Some((command, bytes)))`. An empty line is a command without a name.
pub fn parse_command(bytes: &[u8]) -> Result<Option<(ParsedCommand, usize)>, line::LineTooLong> {
    let Some((raw, used)) = line::take(bytes, MAX_COMMAND_LINE)? else {
        return Ok(None);
    };
    let mut words = split(&String::from_utf8_lossy(raw));
    let known = KNOWN.iter().find(|name| {
        let mut said = words.iter();
        name.split(' ')
            .all(|word| said.next().is_some_and(|w| w.eq_ignore_ascii_case(word)))
    });
    let name = match known {
        Some(name) => {
            words.drain(..name.split(' ').count());
            (*name).to_owned()
        }
        None if words.is_empty() => String::new(),
        None => words.remove(0),
    };
    Ok(Some((ParsedCommand { name, args: words }, used)))
}

/// `parse_args` of res_agi.c, behaviour for behaviour.
fn split(line: &str) -> Vec<String> {
    let mut args: Vec<String> = Vec::new();
    let (mut quoted, mut escaped, mut between) = (false, false, true);
    for c in line.chars() {
        match c {
            '"' if !escaped => {
                quoted = !quoted;
                if quoted && between {
                    args.push(String::new());
                    between = false;
                }
            }
            ' ' | '\t' if !quoted && !escaped => between = true,
            '\\' if !escaped => escaped = true,
            _ => {
                if between {
                    args.push(String::new());
                    between = false;
                }
                if let Some(arg) = args.last_mut() {
                    arg.push(c);
                }
                escaped = false;
            }
        }
    }
    args
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(text: &str) -> VariableName {
        VariableName::new(text).unwrap()
    }

    fn parsed(command: &Command) -> ParsedCommand {
        let (parsed, used) = parse_command(command.as_bytes()).unwrap().unwrap();
        assert_eq!(used, command.as_bytes().len(), "one command, one line");
        parsed
    }

    #[test]
    fn lines_on_the_wire() {
        let play = ControlStream {
            file: "/srv/sounds/привет",
            offset_ms: 1500,
            ..Default::default()
        };
        let app = App::new("AudioSocket")
            .unwrap()
            .arg("uuid")
            .unwrap()
            .arg("127.0.0.1:9092")
            .unwrap();
        let table: &[(Command, &str)] = &[
            (Command::answer(), "ANSWER\n"),
            (Command::hang_up(), "HANGUP\n"),
            (Command::noop(), "NOOP\n"),
            (Command::channel_status(), "CHANNEL STATUS\n"),
            (
                Command::control_stream_file(&play).unwrap(),
                "CONTROL STREAM FILE \"/srv/sounds/привет\" \"\" 3000 \"\" \"\" \"\" 1500\n",
            ),
            (
                Command::stream_file("hello", "12#").unwrap(),
                "STREAM FILE \"hello\" \"12#\"\n",
            ),
            (
                Command::variable(&name("A")).unwrap(),
                "GET VARIABLE \"A\"\n",
            ),
            (
                Command::full_variable(&name("CHANNEL(state)")).unwrap(),
                "GET FULL VARIABLE \"${CHANNEL(state)}\"\n",
            ),
            (
                Command::set_variable(&name("A"), r#"say "hi" \ bye"#).unwrap(),
                "SET VARIABLE \"A\" \"say \\\"hi\\\" \\\\ bye\"\n",
            ),
            (
                Command::exec(&app).unwrap(),
                "EXEC \"AudioSocket\" \"uuid,127.0.0.1:9092\"\n",
            ),
            (Command::wait_for_digit(-5), "WAIT FOR DIGIT -1\n"),
            (Command::verbose("x", 9).unwrap(), "VERBOSE \"x\" 4\n"),
        ];
        for (command, line) in table {
            assert_eq!(command.as_bytes(), line.as_bytes());
            assert!(line.starts_with(command.name()));
            assert_eq!(parsed(command).name, command.name());
        }
    }

    #[test]
    fn arguments_are_not_logged() {
        let command = Command::set_variable(&name("PHONE"), "+79121234567").unwrap();
        assert_eq!(format!("{command:?}"), "Command(SET VARIABLE …)");
    }

    #[test]
    fn bad_arguments_are_refused_by_name() {
        let check = |result: Result<Command, CommandError>, part: &str| {
            let error = result.unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        };
        check(
            Command::set_variable(&name("A"), "x\nEXEC System"),
            "SET VARIABLE: argument 2",
        );
        check(Command::stream_file("a\rb", ""), "argument 1");
        check(Command::stream_file("", ""), "can't be its file");
        check(Command::stream_file("a", "1 2"), "escape digits");
        check(Command::verbose("a\0b", 1), "'\\0'");
        check(
            Command::set_variable(&name("A"), &"\\".repeat(1020)),
            "2060 bytes",
        );
        for bad in [
            "",
            "1A",
            "A B",
            "A\nB",
            "A=1",
            "A(",
            "A(b",
            "(x)",
            "A(x y)",
            "A(${B})",
            "Ж",
            &"A".repeat(81),
        ] {
            assert!(VariableName::new(bad).is_err(), "{bad:?}");
        }
        assert!(VariableName::plain("SHELL(id)").is_err());
        assert!(VariableName::plain("__GOVORUN_CALL").is_ok());
    }

    /// Lines and what Asterisk's parser makes of them.
    #[test]
    fn splitting_is_asterisks() {
        for (line, want) in [
            (r#"EXEC "a b" c"#, &["EXEC", "a b", "c"][..]),
            (r#"x "" y"#, &["x", "", "y"]),
            (r#"x a\ b"#, &["x", "a b"]),
            (r#"x "a\"b" \\"#, &["x", "a\"b", "\\"]),
            (r#"x a"b c"d"#, &["x", "ab cd"]),
            ("  x\t\ty  ", &["x", "y"]),
            (r#"x "open end"#, &["x", "open end"]),
            (r"x \n", &["x", "n"]),
            ("", &[]),
        ] {
            assert_eq!(split(line), want, "{line}");
        }
    }

    #[test]
    fn a_double_reads_any_case_and_unknown_words() {
        let (command, used) = parse_command(b"get variable X\r\nANSWER\n")
            .unwrap()
            .unwrap();
        assert_eq!(
            (command.name.as_str(), command.arg(0), used),
            ("GET VARIABLE", "X", 16)
        );
        let (command, _) = parse_command(b"FLY away\n").unwrap().unwrap();
        assert_eq!((command.name.as_str(), command.arg(0)), ("FLY", "away"));
        assert_eq!(parse_command(b"ANSWER").unwrap(), None);
        assert!(parse_command(&[b'x'; 3000]).is_err());
    }

    proptest! {
        #[test]
        fn no_text_injects(value in any::<String>(), file in ".{1,40}") {
            if let Ok(command) = Command::set_variable(&name("V"), &value) {
                prop_assert_eq!(command.as_bytes().iter().filter(|b| **b == b'\n').count(), 1);
                prop_assert_eq!(parsed(&command).args, ["V".to_owned(), value]);
            }
            if let Ok(command) = Command::stream_file(&file, "1") {
                prop_assert_eq!(parsed(&command).args, [file, "1".to_owned()]);
            }
        }

        #[test]
        fn quotes_and_slashes_survive(value in r#"["\\ \tan,]{0,60}"#) {
            let command = Command::set_variable(&name("V"), &value).unwrap();
            prop_assert_eq!(parsed(&command).args, ["V".to_owned(), value]);
        }

        #[test]
        fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse_command(&bytes);
        }
    }
}
