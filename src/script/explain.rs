//! Rhai's errors as an analyst reads them: what is wrong, and what to do, in Russian or English.

use rhai::{EvalAltResult, LexError, ParseError, ParseErrorType, Position};

use crate::call::Fault;
use crate::config::Language;

use super::engine;
use super::keywords::KEYWORDS;
use super::recover;
use super::slips;
use super::talk::{Ending, perhaps};
use super::tr;
use super::words::{self, Kind, WORDS};

fn fault(file: &str, position: Position, message: String) -> Fault {
    Fault {
        file: file.to_owned(),
        line: position.line().unwrap_or(0),
        column: position.position().unwrap_or(0),
        message,
    }
}

/// A text that doesn't compile.
pub(super) fn parse(error: &ParseError, file: &str, text: &str, language: Language) -> Fault {
    let mut position = error.position();
    if position.is_none() {
        // "The script is incomplete": its end is the place.
        let line = text.lines().count().max(1);
        position = Position::new(u16::try_from(line).unwrap_or(u16::MAX), 0);
    }
    if let ParseErrorType::VariableUndefined(name) = error.err_type() {
        let hint = perhaps(language, name, variables(text));
        if !hint.is_empty() {
            let message = tr!(
                language,
                "нет переменной «{name}»{hint}",
                "there is no variable {name:?}{hint}"
            );
            return fault(file, position, message);
        }
    }
    let kind = error.err_type();
    if let Some((place, message)) = slips::open_bracket(kind, text, position, language) {
        return fault(file, place, message);
    }
    let message = field_name(kind, text, position, language)
        .or_else(|| slips::told(kind, text, position, language))
        .or_else(|| free_name(kind, text, position, language))
        .or_else(|| syntax(kind, language))
        .unwrap_or_else(|| other(&error.0.to_string(), language));
    fault(file, position, message)
}

/// A name that nobody knows, outside of functions: most often a text without quotes.
fn free_name(
    error: &ParseErrorType,
    text: &str,
    position: Position,
    language: Language,
) -> Option<String> {
    let ParseErrorType::VariableUndefined(name) = error else {
        return None;
    };
    let known = undefined(name, language);
    let is_inside = recover::is_in_function(text, recover::byte_at(text, position)?);
    (!is_inside && known.is_plain).then(|| {
        tr!(
            language,
            "нет переменной «{name}». Текст пишут в кавычках: \"{name}\"; параметр из 1С — параметр(\"{name}\"); свою переменную сначала заводят: пусть {name} = ...",
            "there is no variable {name:?}. A text stands in quotes: \"{name}\"; what 1C gave is param({name:?}); a variable is made first: let {name} = ..."
        )
    })
}

/// A field of `#{ ... }` whose name is a word of the language, or two words: the parser only sees that something is
/// missing there.
fn field_name(
    error: &ParseErrorType,
    text: &str,
    position: Position,
    language: Language,
) -> Option<String> {
    use ParseErrorType as P;
    let is_letter = |c: &char| c.is_alphanumeric() || *c == '_';
    let line = text.lines().nth(position.line()?.checked_sub(1)?)?;
    let column = position.position()?.checked_sub(1)?;
    let word: String = line.chars().skip(column).take_while(is_letter).collect();
    let rest: String = line.chars().skip(column + word.chars().count()).collect();
    if !rest.trim_start().starts_with(':') {
        return None;
    }
    let keyword = KEYWORDS.iter().find(|k| k.ru.contains(&word.as_str()));
    match (error, keyword) {
        (P::PropertyExpected | P::MissingToken(..), Some(row)) => {
            let en = row.en;
            Some(tr!(
                language,
                "«{word}» — слово языка ({en}), полем быть не может: возьмите другое имя",
                "{word:?} is a word of the language ({en}), no field: take another name"
            ))
        }
        (P::MissingToken(token, _), None) if token == ":" => {
            let before: String = line.chars().take(column).collect();
            let before = before.rsplit(|c| !is_letter(&c) && c != ' ').next()?.trim();
            Some(tr!(
                language,
                "имя из нескольких слов пишут в кавычках: \"{before} {word}\"",
                "a name of several words stands in quotes: \"{before} {word}\""
            ))
        }
        _ => None,
    }
}

/// What stands behind `let` and its kin, as far as can be seen in a text that doesn't compile.
fn variables(text: &str) -> impl Iterator<Item = &str> {
    let mut words = text
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty());
    std::iter::from_fn(move || {
        loop {
            let word = words.next()?;
            let row = KEYWORDS
                .iter()
                .find(|k| k.en == word || k.ru.contains(&word));
            if row.is_some_and(|row| matches!(row.en, "let" | "const" | "for")) {
                return words.next();
            }
        }
    })
}

fn other(english: &str, language: Language) -> String {
    tr!(
        language,
        "ошибка в тексте сценария [{english}]",
        "{english}"
    )
}

fn syntax(error: &ParseErrorType, language: Language) -> Option<String> {
    use ParseErrorType as P;
    if language == Language::En {
        return match error {
            P::VariableUndefined(name) => Some(undefined(name, language).message),
            P::ModuleUndefined(name) => Some(format!(
                "there is no module {name:?}: write import \"lib/{name}\" as {name}; at the file's top"
            )),
            _ => None,
        };
    }
    Some(match error {
        P::UnexpectedEOF => "текст оборвался: где-то не закрыта скобка или кавычка".to_owned(),
        P::BadInput(lex) => bad_input(lex),
        P::UnknownOperator(op) if op == "?" => {
            "знака «?» нет: пишите if условие { одно } else { другое }".to_owned()
        }
        P::UnknownOperator(op) => format!("знака «{op}» нет"),
        P::MissingToken(token, what) => {
            format!("не хватает «{}»{}", in_russian(token), missing(token, what))
        }
        P::MissingSymbol(_) => "не хватает знака".to_owned(),
        P::MalformedIndexExpr(_) => "неверный номер или ключ в квадратных скобках".to_owned(),
        P::DuplicatedProperty(name) => format!("«{name}» в наборе названо дважды"),
        P::DuplicatedVariable(name) => format!("переменная «{name}» названа дважды"),
        P::WrongSwitchDefaultCase => {
            "в «выбор» ветка _ (все остальные) должна быть последней и одна".to_owned()
        }
        P::WrongSwitchCaseCondition => "у этой ветки «выбор» не может быть условия".to_owned(),
        P::PropertyExpected => "здесь нужно имя поля".to_owned(),
        P::VariableExpected => "здесь нужно имя переменной".to_owned(),
        P::ForbiddenVariable(name) => format!("переменную нельзя назвать «{name}»"),
        P::Reserved(word) => format!("слово «{word}» занято языком: возьмите другое имя"),
        P::MismatchedType(wanted, got) => {
            format!("нужно {}, а здесь {}", kind_of(wanted), kind_of(got))
        }
        P::ExprExpected(_) => "здесь не хватает значения или выражения".to_owned(),
        P::WrongFnDefinition => {
            "функцию пишут на верхнем уровне файла, не внутри другой функции или блока".to_owned()
        }
        P::FnDuplicatedDefinition(name, n) => {
            format!("функция «{name}» с числом параметров {n} уже есть")
        }
        P::FnMissingName => "после «функция» (fn) нужно имя".to_owned(),
        P::FnMissingParams(name) => {
            format!("у функции «{name}» нет скобок с параметрами: {name}()")
        }
        P::FnDuplicatedParam(name, param) => {
            format!("у функции «{name}» параметр «{param}» назван дважды")
        }
        P::FnMissingBody(name) => format!("у функции «{name}» нет тела в фигурных скобках"),
        P::WrongExport => "«экспорт» (export) пишут только на верхнем уровне файла".to_owned(),
        P::AssignmentToConstant(name) => {
            format!("«{name}» менять нельзя: это постоянная")
        }
        P::AssignmentToInvalidLHS(_) => {
            "слева от = должна быть переменная; для сравнения пишите ==".to_owned()
        }
        P::VariableExists(name) => format!("переменная «{name}» уже есть"),
        P::VariableUndefined(name) => undefined(name, language).message,
        P::ModuleUndefined(name) => format!(
            "нет подключённого файла «{name}»: в начале файла нужно import \"lib/{name}\" as {name};"
        ),
        P::ExprTooDeep => "слишком глубокая вложенность: разбейте на функции".to_owned(),
        P::TooManyFunctions => "слишком много функций в файле".to_owned(),
        P::LiteralTooLarge(what, most) => format!("слишком длинно ({what}), предел {most}"),
        P::LoopBreak => {
            "«прервать» и «продолжить» (break, continue) бывают только в цикле".to_owned()
        }
        P::WrongDocComment => "такой комментарий /// ставят только перед функцией".to_owned(),
        _ => return None,
    })
}

/// What is said of a name that nobody knows, inside of a function.
struct Undefined {
    message: String,
    /// Nothing resembles it.
    is_plain: bool,
}

fn undefined(name: &str, language: Language) -> Undefined {
    let keywords = KEYWORDS.iter().flat_map(|k| {
        let ascii = k.en.chars().all(char::is_alphabetic).then_some(k.en);
        k.ru.iter().copied().chain(ascii)
    });
    let hint = perhaps(language, name, words::value_names().chain(keywords));
    let message = if hint.is_empty() {
        tr!(
            language,
            "нет переменной «{name}». Функция видит только свои параметры; параметр из 1С берут так: параметр(\"{name}\")",
            "there is no variable {name:?}. A function sees only its own parameters; what 1C gave is param({name:?})"
        )
    } else {
        tr!(
            language,
            "нет переменной «{name}»{hint}",
            "there is no variable {name:?}{hint}"
        )
    };
    Undefined {
        message,
        is_plain: hint.is_empty(),
    }
}

fn bad_input(error: &LexError) -> String {
    match error {
        LexError::UnexpectedInput(what)
            if what.starts_with(['«', '»', '“', '”', '„', '‘', '’']) =>
        {
            format!("кавычка {what} не годится: текст пишут в прямых кавычках \"...\"")
        }
        LexError::UnexpectedInput(what) => format!("лишний знак «{what}»"),
        LexError::UnterminatedString => "кавычка не закрыта".to_owned(),
        LexError::StringTooLong(most) => format!("строка длиннее {most} байт"),
        LexError::MalformedEscapeSequence(what) => {
            format!("в строке непонятное «{what}»: знак \\ пишут дважды")
        }
        LexError::MalformedNumber(what) => format!("число «{what}» написано неверно"),
        LexError::MalformedChar(what) => {
            format!("«{what}»: строки пишут в двойных кавычках, одинарные — для одного знака")
        }
        LexError::MalformedIdentifier(what) => format!("имя «{what}» написано неверно"),
        LexError::ImproperSymbol(symbol, _) => match symbol.as_str() {
            "=" => "здесь нужно ==, а не =".to_owned(),
            word if word.starts_with(char::is_alphabetic) => {
                format!("слово «{word}» в сценариях запрещено")
            }
            _ => format!("знак «{symbol}» здесь не годится"),
        },
        other => format!("ошибка в тексте [{other}]"),
    }
}

/// A keyword as the guide teaches it.
fn in_russian(token: &str) -> &str {
    let row = KEYWORDS.iter().find(|k| k.en == token);
    let row = row.filter(|_| token.starts_with(char::is_alphabetic));
    row.and_then(|k| k.ru.last()).map_or(token, |ru| ru)
}

fn missing(token: &str, what: &str) -> String {
    match token {
        ";" => " в конце предыдущей строки".to_owned(),
        ")" => ": скобка не закрыта, или между параметрами нет запятой".to_owned(),
        "}" => ": фигурная скобка не закрыта, или перед этим нет точки с запятой или запятой"
            .to_owned(),
        "]" => ": квадратная скобка не закрыта, или между значениями нет запятой".to_owned(),
        "," => ": между двумя значениями нет запятой, или скобка не закрыта".to_owned(),
        "{" => ": тело пишут в фигурных скобках".to_owned(),
        "in" => ": цикл пишут так: для х из 1..=3 { ... } или для х из список { ... }".to_owned(),
        ":" => ": после имени ставят двоеточие, потом значение".to_owned(),
        _ if what.is_empty() => String::new(),
        _ => format!(" [{what}]"),
    }
}

/// A value as it is written, or its kind where that would be long.
pub(super) fn shown(value: &rhai::Dynamic, language: Language) -> String {
    match (
        value.is_string(),
        value.is_int() || value.is_float() || value.is_bool(),
    ) {
        (true, _) => format!("\"{value}\""),
        (_, true) => value.to_string(),
        _ => language.pick(kind_of(value.type_name()), value.type_name().to_owned()),
    }
}

/// Rhai's name of a type, as people say it.
fn kind_of(name: &str) -> String {
    match name.rsplit("::").next().unwrap_or(name) {
        "i64" => "целое число",
        "f64" => "число",
        "string" | "&str" | "ImmutableString" | "String" => "строка",
        "bool" => "да/нет",
        "char" => "знак",
        "()" => "ничего",
        "array" | "Array" => "список",
        "map" | "Map" => "набор #{}",
        "Fn" | "FnPtr" => "функция",
        "Reply" | "ScriptReply" => "ответ",
        "Answer" | "ScriptAnswer" => "ответ сервера",
        "timestamp" => "время",
        other => return other.to_owned(),
    }
    .to_owned()
}

/// A fault of a running script. `own` are the names of the dialog's functions.
pub(super) fn eval(
    error: &EvalAltResult,
    dialog: &str,
    language: Language,
    own: &[String],
) -> Fault {
    let mut file = dialog.to_owned();
    let mut inner = error;
    let mut position = Position::NONE;
    loop {
        // The innermost known place; a script that was stopped in mid-step has none of its own.
        let here = inner.position();
        if !here.is_none() {
            position = here;
        }
        match inner {
            EvalAltResult::ErrorInFunctionCall(_, source, next, _) => {
                if !source.is_empty() && !next.position().is_none() {
                    file.clone_from(source);
                }
                inner = next;
            }
            EvalAltResult::ErrorInModule(path, next, _) => {
                if !path.is_empty() {
                    file = format!("{}.rhai", super::modules::plain(path));
                }
                inner = next;
            }
            _ => break,
        }
    }
    fault(&file, position, sentence(inner, language, own))
}

fn sentence(error: &EvalAltResult, language: Language, own: &[String]) -> String {
    use EvalAltResult as E;
    match error {
        // Our own words' faults come ready; a script's `throw` says what it says.
        E::ErrorRuntime(text, _) => super::fill::plain(&text.to_string()).into_owned(),
        E::ErrorParsing(what, _) => {
            syntax(what, language).unwrap_or_else(|| other(&what.to_string(), language))
        }
        E::ErrorFunctionNotFound(signature, _) => no_function(signature, language, own),
        E::ErrorTerminated(token, _)
            if token.clone().try_cast::<Ending>() == Some(Ending::Busy) =>
        {
            let (most, all) = (engine::MAX_OPERATIONS, engine::MAX_ALL_OPERATIONS);
            tr!(
                language,
                "сценарий считает слишком долго (больше {most} шагов без ожидания или {all} за разговор): проверьте, кончается ли цикл",
                "the script computes too long (over {most} steps without a wait, or {all} in a call): does the loop end?"
            )
        }
        E::ErrorTooManyOperations(_) | E::ErrorTerminated(..) => {
            tr!(language, "сценарий остановлен", "the script was stopped")
        }
        E::ErrorStackOverflow(_) => {
            let most = engine::MAX_CALL_LEVELS;
            tr!(
                language,
                "функции вызывают друг друга глубже {most} раз: похоже, функция без конца вызывает сама себя",
                "functions call each other more than {most} deep: does one call itself for ever?"
            )
        }
        E::ErrorDataTooLarge(what, _) => tr!(
            language,
            "слишком большое значение [{what}]: строка до {string} байт, список до {array}, набор до {map} полей",
            "too large a value [{what}]: a string holds {string} bytes, a list {array}, a map {map} fields",
            string = engine::MAX_STRING,
            array = engine::MAX_ARRAY,
            map = engine::MAX_MAP,
        ),
        E::ErrorDotExpr(text, _) => no_property(text, language),
        _ if language == Language::En => plain(error),
        E::ErrorVariableNotFound(name, _) => undefined(name, language).message,
        E::ErrorPropertyNotFound(name, _) => format!("нет поля «{name}»"),
        E::ErrorModuleNotFound(path, _) => format!("нет файла {path}.rhai"),
        E::ErrorMismatchDataType(wanted, got, _) | E::ErrorMismatchOutputType(wanted, got, _) => {
            format!("нужно {}, а здесь {}", kind_of(wanted), kind_of(got))
        }
        E::ErrorIndexingType(what, _) => {
            format!("из этого нельзя брать по номеру или ключу [{what}]")
        }
        E::ErrorIndexNotFound(key, _) => format!("нет ключа «{key}»"),
        E::ErrorArrayBounds(len, index, _) => {
            format!("в списке {len} значений, номера {index} нет (номера идут от 0)")
        }
        E::ErrorStringBounds(len, index, _) => {
            format!("в строке {len} знаков, номера {index} нет (номера идут от 0)")
        }
        E::ErrorFor(_) => "«для» (for) ходит по спискам и промежуткам вроде 1..5".to_owned(),
        E::ErrorAssignmentToConstant(name, _) => format!("«{name}» менять нельзя"),
        E::ErrorVariableExists(name, _) => format!("переменная «{name}» уже есть"),
        E::ErrorArithmetic(what, _) => format!("ошибка в вычислении [{what}]"),
        E::ErrorTooManyVariables(_) => "слишком много переменных".to_owned(),
        E::ErrorTooManyModules(_) => "слишком много подключений (import)".to_owned(),
        E::ErrorUnboundThis(_) => "this вне метода".to_owned(),
        _ => format!("ошибка сценария [{}]", plain(error)),
    }
}

/// Rhai's own sentence, without the position: the fault has it already.
fn plain(error: &EvalAltResult) -> String {
    let text = error.to_string();
    match text.rfind(" (line ") {
        Some(at) => text[..at].to_owned(),
        None => text,
    }
}

/// The names that can be called: words and the dialog's own functions.
pub(super) fn callable(own: &[String]) -> impl Iterator<Item = &str> {
    WORDS
        .iter()
        .filter(|w| matches!(w.kind, Kind::Function(_) | Kind::Method(_)))
        .flat_map(|w| [w.en, w.ru])
        .chain(own.iter().map(String::as_str))
}

fn no_function(signature: &str, language: Language, own: &[String]) -> String {
    let (name, args) = signature
        .split_once(" (")
        .map_or((signature, ""), |(n, a)| (n, a.trim_end_matches(')')));
    let kinds: Vec<String> = args
        .split(", ")
        .filter(|a| !a.is_empty())
        .map(|a| match language {
            Language::Ru => kind_of(a),
            Language::En => a.to_owned(),
        })
        .collect();
    let kinds = kinds.join(", ");
    if !name.starts_with(|c: char| c.is_alphabetic() || c == '_') {
        let unit = if args.split(", ").any(|a| a == "()") {
            tr!(
                language,
                ". «Ничего» бывает, если 1С не дала параметр: param(\"имя\", \"запасное\")",
                ". () is what a parameter is that 1C didn't give: param(\"name\", \"otherwise\")"
            )
        } else {
            String::new()
        };
        return tr!(
            language,
            "действие «{name}» не подходит для: {kinds}{unit}",
            "operator {name} has no form for: {kinds}{unit}"
        );
    }
    if let Some(word) = words::function(name) {
        let form = word.form(name);
        return tr!(
            language,
            "«{name}» так не пишут ({kinds}); нужно {name}{form}",
            "{name:?} isn't written so ({kinds}); it is {name}{form}"
        );
    }
    unknown_function(name, language, own)
}

/// A function that nobody defines.
pub(super) fn unknown_function(name: &str, language: Language, own: &[String]) -> String {
    if let Some(habit) = slips::of_1c(name, language) {
        return tr!(
            language,
            "нет функции «{name}»: {habit}",
            "there is no function {name:?}: {habit}"
        );
    }
    let hint = perhaps(language, name, callable(own));
    tr!(
        language,
        "нет функции «{name}»{hint}",
        "there is no function {name:?}{hint}"
    )
}

/// Rhai says `Unknown property 'x' - a getter is not registered for type 'T'`.
fn no_property(text: &str, language: Language) -> String {
    let mut quoted = text.split('\'').skip(1).step_by(2);
    let (Some(name), kind) = (quoted.next(), quoted.next().unwrap_or("")) else {
        return other(text, language);
    };
    let fields = WORDS
        .iter()
        .filter(|w| matches!(w.kind, Kind::Field(..) | Kind::Answer(..)))
        .flat_map(|w| [w.en, w.ru]);
    let hint = perhaps(language, name, fields);
    let kind = match language {
        Language::Ru => kind_of(kind),
        Language::En => kind.to_owned(),
    };
    tr!(
        language,
        "у значения ({kind}) нет поля «{name}»{hint}",
        "a value ({kind}) has no field {name:?}{hint}"
    )
}
