//! A mistake in the settings: where, what, and the mend, in Russian or English.

use std::fmt;
use std::path::PathBuf;

use super::{HoursWrong, Language};

/// One mistake. Prints as `govorun.yaml:12:9: http.listen: what is wrong; what to do`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFault {
    /// The file, as it was named to us.
    pub file: PathBuf,
    /// Line, from 1; 0 where there is none.
    pub line: usize,
    /// Column, from 1; 0 where there is none.
    pub column: usize,
    /// The key's path (`http.listen`, `recognizers[1].url`); empty for the whole file.
    pub key: String,
    /// What is wrong.
    pub wrong: Wrong,
    /// The language it is told in.
    pub language: Language,
}

/// What can be wrong with settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// The file can't be read.
    Unreadable(String),
    /// It is no YAML.
    NotYaml(String),
    /// A key that isn't known.
    UnknownKey {
        /// The known one that may be meant.
        nearest: Option<String>,
        /// All keys that may stand there.
        known: Vec<&'static str>,
    },
    /// A key stands there twice.
    Repeated,
    /// A key that must be there isn't.
    Missing,
    /// Another type is wanted.
    Type {
        /// The wanted type.
        wanted: Wanted,
    },
    /// `${NAME}` isn't in the environment, or is empty.
    NoSecret {
        /// The variable's name.
        name: String,
    },
    /// `${` without its end, or with a name that can't be one.
    BadPlaceholder,
    /// Too small or too large.
    Range {
        /// Least, as it would be written.
        least: String,
        /// Most, as it would be written.
        most: String,
    },
    /// Too few or too many digits.
    Digits {
        /// Fewest.
        least: String,
        /// Most.
        most: String,
    },
    /// No `IP:port`.
    Address,
    /// No `host:port`.
    HostPort,
    /// No host name and no IP address.
    Host,
    /// No URL of that scheme.
    Url {
        /// The schemes that can stand there.
        schemes: &'static [&'static str],
    },
    /// Two servers of ours on one port.
    SamePort {
        /// The key that has the port already.
        other: String,
    },
    /// The channel's template has no `{phone}`.
    NoPhone,
    /// A character that can't stand there.
    Char(char),
    /// A word that isn't one of those known.
    Word {
        /// The known one that may be meant.
        nearest: Option<String>,
        /// All that may stand there.
        known: Vec<&'static str>,
    },
    /// Another of the list has this name already.
    SameName,
    /// The folder isn't there.
    NoFolder(PathBuf),
    /// Nothing there, where something must be.
    Empty,
    /// HTTP would be open to everybody.
    OpenToAll,
    /// Exactly one of these keys is wanted.
    OneOf(&'static [&'static str]),
    /// No calling hours.
    Hours(HoursWrong),
    /// What only one key can have wrong, in its own words.
    Told {
        /// In Russian.
        ru: String,
        /// In English.
        en: String,
    },
    /// The program was built without what the key needs.
    NotBuilt {
        /// The cargo feature.
        feature: &'static str,
    },
}

/// The types of settings, as a person calls them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // The words below say it.
pub enum Wanted {
    Section,
    List,
    Text,
    Whole,
    Number,
    Flag,
    Duration,
    Size,
    Ports,
}

impl Wanted {
    fn tell(self, language: Language) -> &'static str {
        let (ru, en) = match self {
            Self::Section => ("нужен раздел с ключами", "a section of keys is wanted"),
            Self::List => (
                "нужен список (строки с «- »)",
                "a list is wanted (lines with \"- \")",
            ),
            Self::Text => (
                "нужен текст; число возьмите в кавычки",
                "a text is wanted; put a number in quotes",
            ),
            Self::Whole => ("нужно целое число", "a whole number is wanted"),
            Self::Number => ("нужно число", "a number is wanted"),
            Self::Flag => ("нужно true или false", "true or false is wanted"),
            Self::Duration => (
                "нужно время: 300ms, 5s, 10m, 2h или число секунд",
                "a time is wanted: 300ms, 5s, 10m, 2h or a number of seconds",
            ),
            Self::Size => (
                "нужен размер: 500mb, 1gb или число байтов",
                "a size is wanted: 500mb, 1gb or a number of bytes",
            ),
            Self::Ports => (
                "нужны порты: 10000-10100 или 0 (любые)",
                "ports are wanted: 10000-10100 or 0 (any)",
            ),
        };
        language.pick(ru, en)
    }
}

impl Language {
    /// The one of two texts that is in this language.
    pub fn pick<T>(self, ru: T, en: T) -> T {
        match self {
            Self::Ru => ru,
            Self::En => en,
        }
    }
}

impl Wrong {
    /// What is wrong and what to do.
    pub fn tell(&self, language: Language) -> String {
        let say = |ru: String, en: String| language.pick(ru, en);
        match self {
            Self::Unreadable(why) => say(
                format!("файл не читается: {why}; проверьте путь и права"),
                format!("the file can't be read: {why}; check its path and rights"),
            ),
            Self::NotYaml(why) => say(
                format!("это не YAML: {why}; проверьте отступы, кавычки и двоеточия"),
                format!("this is no YAML: {why}; check indents, quotes and colons"),
            ),
            Self::UnknownKey { nearest, known } => say(
                format!("неизвестный ключ; {}", among(language, nearest.as_deref(), known)),
                format!("unknown key; {}", among(language, nearest.as_deref(), known)),
            ),
            Self::Repeated => say(
                "ключ уже есть выше; оставьте один".to_owned(),
                "the key is above already; keep one".to_owned(),
            ),
            Self::Missing => say(
                "ключа нет, а он обязателен; впишите его".to_owned(),
                "the key isn't there and must be; write it".to_owned(),
            ),
            Self::Type { wanted } => wanted.tell(language).to_owned(),
            Self::NoSecret { name } => say(
                format!("в окружении нет {name} (или он пуст); задайте: export {name}=..., в systemd: EnvironmentFile="),
                format!("{name} isn't in the environment (or is empty); set it: export {name}=..., in systemd: EnvironmentFile="),
            ),
            Self::BadPlaceholder => say(
                "после ${ нужно имя из латинских букв, цифр и _ и закрывающая }; сам знак пишется $${".to_owned(),
                "after ${ a name of letters, digits and _ is wanted, and a closing }; the sign itself is written $${".to_owned(),
            ),
            Self::Range { least, most } => say(
                format!("вне пределов; можно от {least} до {most}"),
                format!("out of range; {least} to {most} will do"),
            ),
            Self::Digits { least, most } => say(
                format!("нужно от {least} до {most} цифр: начало номера с кодом страны, например 7495"),
                format!("{least} to {most} digits are wanted: a number's beginning with its country's code, for instance 7495"),
            ),
            Self::Address => say(
                "нужен адрес IP:порт, например 127.0.0.1:8080 или 0.0.0.0:8080".to_owned(),
                "an address IP:port is wanted, for instance 127.0.0.1:8080 or 0.0.0.0:8080".to_owned(),
            ),
            Self::HostPort => say(
                "нужно имя:порт, например 127.0.0.1:5038 или pbx.local:5038".to_owned(),
                "host:port is wanted, for instance 127.0.0.1:5038 or pbx.local:5038".to_owned(),
            ),
            Self::Host => say(
                "нужно имя или IP этой машины, каким его видит Asterisk, без порта".to_owned(),
                "this machine's name or IP as Asterisk sees it is wanted, without a port".to_owned(),
            ),
            Self::Url { schemes } => say(
                format!("нужен адрес, который начинается с {} и имеет имя машины", schemes.join(" / ")),
                format!("an address that begins with {} and names a host is wanted", schemes.join(" / ")),
            ),
            Self::SamePort { other } => say(
                format!("этот порт уже занят ключом {other}; дайте каждому свой"),
                format!("{other} has this port already; give each its own"),
            ),
            Self::NoPhone => say(
                "в шаблоне нет {phone}; например PJSIP/{phone}@trunk".to_owned(),
                "the template has no {phone}; for instance PJSIP/{phone}@trunk".to_owned(),
            ),
            Self::Char(found) => say(
                format!("знак {found:?} здесь стоять не может; уберите его"),
                format!("{found:?} can't stand here; take it out"),
            ),
            Self::Word { nearest, known } => among(language, nearest.as_deref(), known),
            Self::Hours(wrong) => wrong.tell(language),
            Self::Told { ru, en } => say(ru.clone(), en.clone()),
            Self::SameName => say(
                "такое имя в списке уже есть; дайте другое в name".to_owned(),
                "the list has that name already; give another in name".to_owned(),
            ),
            Self::NoFolder(path) => say(
                format!("папки нет: {p}; создайте её (mkdir -p {p}) или поправьте путь", p = path.display()),
                format!("there is no folder {p}; make it (mkdir -p {p}) or mend the path", p = path.display()),
            ),
            Self::Empty => say("пусто; впишите значение".to_owned(), "empty; write a value".to_owned()),
            Self::OneOf(keys) => say(
                format!("нужен ровно один ключ из: {}", keys.join(", ")),
                format!("exactly one of these keys is wanted: {}", keys.join(", ")),
            ),
            Self::NotBuilt { feature } => say(
                format!("программа собрана без возможности {feature}: cargo build --release --features {feature}"),
                format!("built without feature {feature}: cargo build --release --features {feature}"),
            ),
            Self::OpenToAll => say(
                "без http.tokens и http.users сервер слушает только 127.0.0.1; задайте токен или пользователя".to_owned(),
                "without http.tokens and http.users the server listens on 127.0.0.1 only; give a token or a user".to_owned(),
            ),
        }
    }
}

fn among(language: Language, nearest: Option<&str>, known: &[&'static str]) -> String {
    let all = known.join(", ");
    match nearest {
        Some(near) => language.pick(
            format!("может быть, {near}? Можно: {all}"),
            format!("did you mean {near}? There are: {all}"),
        ),
        None => language.pick(format!("можно: {all}"), format!("there are: {all}")),
    }
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        f.write_str(": ")?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.wrong.tell(self.language))
    }
}

impl std::error::Error for ConfigFault {}
