//! What can be seen of a script without running it: unknown functions and settings, prompts that are missing, answers
//! that no list names, `${...}` in the wrong quotes.

use std::collections::{BTreeMap, BTreeSet};

use rhai::{AST, ASTNode, Expr, FnCallExpr, Map, Position, Stmt};

use crate::call::Fault;
use crate::config::Language;

use super::api;
use super::engine::{STANDARD, WORDS as WORD_MODULE};
use super::explain;
use super::fill;
use super::flow;
use super::modules::{Modules, plain};
use super::options::{self, Options, Taker};
use super::prompts::{MAX_TEXT_CHARS, PLAY_KEYS, SAY_KEYS, too_long};
use super::questions;
use super::settings::Settings;
use super::sounds::Sounds;
use super::talk::perhaps;
use super::tr;
use super::words::{self, Kind, WORDS};

/// `import "lib/x" as x`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Import {
    /// `lib/x`; empty where it isn't a plain string.
    pub(super) path: String,
    /// The name in the script.
    pub(super) alias: String,
    position: Position,
}

/// What the inspection may look things up in.
pub(super) struct Known<'a> {
    pub(super) file: &'a str,
    pub(super) language: Language,
    pub(super) sources: &'a BTreeMap<String, AST>,
    pub(super) modules: &'a Modules,
    pub(super) sounds: &'a Sounds,
    pub(super) settings: &'a Settings,
    pub(super) defaults: &'a Options,
    pub(super) is_dialog: bool,
    /// Names of the server's voices, where they are known.
    pub(super) voices: Option<&'a [String]>,
    /// Words of statements that didn't compile: what they define is not missing.
    pub(super) blanked: &'a BTreeSet<String>,
}

/// What it found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) faults: Vec<Fault>,
    pub(super) warnings: Vec<Fault>,
}

/// All imports of a script.
pub(super) fn imports(ast: &AST) -> Vec<Import> {
    let mut found = Vec::new();
    ast.walk(&mut |nodes: &[ASTNode]| {
        if let Some(ASTNode::Stmt(Stmt::Import(import, position))) = nodes.last() {
            let path = match &import.0 {
                Expr::StringConstant(path, _) => plain(path).to_owned(),
                _ => String::new(),
            };
            found.push(Import {
                path,
                alias: import.1.name.to_string(),
                position: *position,
            });
        }
        true
    });
    found
}

struct Inspection<'a> {
    known: &'a Known<'a>,
    imports: Vec<Import>,
    /// The script's functions with their numbers of parameters.
    own: BTreeMap<String, BTreeSet<usize>>,
    own_names: Vec<String>,
    /// Variables that the script defines.
    variables: BTreeSet<String>,
    /// Names that the script itself sets, to be filled into texts.
    set: BTreeSet<String>,
    /// Where texts stand that are filled when they are spoken.
    spoken: BTreeSet<(Option<usize>, Option<usize>)>,
    found: Found,
}

/// Words whose texts are taken as they are: `${name}` in double quotes stays `${name}`.
const UNFILLED: [&str; 10] = [
    "log",
    "event",
    "set",
    "stage",
    "finish",
    "transfer",
    "call_again",
    "do_not_call",
    "http_get",
    "http_post",
];

/// Looks through a script.
pub(super) fn inspect(ast: &AST, known: &Known<'_>) -> Found {
    let mut own: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    let mut variables = BTreeSet::new();
    for function in ast.iter_functions() {
        own.entry(function.name.to_owned())
            .or_default()
            .insert(function.params.len());
        variables.extend(function.params.iter().map(|p| (*p).to_owned()));
    }
    let mut set = BTreeSet::new();
    ast.walk(&mut |nodes: &[ASTNode]| {
        match nodes.last() {
            Some(ASTNode::Stmt(Stmt::Var(var, ..))) => {
                variables.insert(var.0.name.to_string());
            }
            Some(ASTNode::Stmt(Stmt::For(head, ..))) => {
                variables.insert(head.0.name.to_string());
            }
            Some(ASTNode::Expr(Expr::FnCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _))) => {
                if words::function(&call.name).is_some_and(|w| w.en == "set")
                    && let Some(Expr::StringConstant(key, _)) = call.args.first()
                {
                    set.insert(key.to_string());
                }
            }
            _ => {}
        }
        true
    });
    let mut inspection = Inspection {
        known,
        imports: imports(ast),
        own_names: own.keys().cloned().collect(),
        own,
        variables,
        set,
        spoken: BTreeSet::new(),
        found: Found::default(),
    };
    inspection.imports_are_there();
    inspection.handlers(ast);
    ast.walk(&mut |nodes: &[ASTNode]| {
        match nodes.last() {
            Some(
                ASTNode::Expr(Expr::FnCall(call, position))
                | ASTNode::Stmt(Stmt::FnCall(call, position)),
            ) => inspection.call(call, *position, false),
            Some(ASTNode::Expr(Expr::MethodCall(call, position))) => {
                inspection.call(call, *position, true);
            }
            Some(ASTNode::Expr(Expr::StringConstant(text, position))) if text == "hang_up" => {
                inspection.hang_up_kind(nodes, *position);
            }
            _ => {}
        }
        true
    });
    ast.walk(&mut |nodes: &[ASTNode]| {
        if let Some(ASTNode::Expr(Expr::StringConstant(text, position))) = nodes.last() {
            inspection.unfilled(text, *position, nodes);
        }
        true
    });
    let more = questions::inspect(ast, known);
    let enders = inspection.imported_enders();
    let mut found = inspection.found;
    found.faults.extend(more.faults);
    found.warnings.extend(more.warnings);
    // Where a word is misspelt, nobody knows where the dialog goes on: `завршить` ends nothing.
    if found.faults.is_empty() {
        let flow = flow::warnings(ast, known.file, known.is_dialog, &enders, known.language);
        found.warnings.extend(flow);
    }
    found
}

/// Whether a call's options, at that place of its parameters, name a setting.
pub(super) fn names_setting(call: &FnCallExpr, at: usize, en: &str) -> bool {
    let Some(Expr::Map(map, _)) = call.args.get(at) else {
        return false;
    };
    let row = options::SETTINGS.iter().find(|row| row.en == en);
    map.0
        .iter()
        .any(|(key, _)| row.is_some_and(|row| row.is_named(&key.name)))
}

impl Inspection<'_> {
    fn fault(&mut self, position: Position, message: String) {
        let fault = self.place(position, message);
        self.found.faults.push(fault);
    }

    fn warn(&mut self, position: Position, message: String) {
        let fault = self.place(position, message);
        self.found.warnings.push(fault);
    }

    fn place(&self, position: Position, message: String) -> Fault {
        Fault {
            file: self.known.file.to_owned(),
            line: position.line().unwrap_or(0),
            column: position.position().unwrap_or(0),
            message,
        }
    }

    /// Functions of imported files that never come back, by alias.
    fn imported_enders(&self) -> BTreeMap<String, flow::Enders> {
        let of = |path: &str| {
            let source = self.known.sources.get(path)?;
            Some(flow::enders(source, &BTreeMap::new()))
        };
        let all = self.imports.iter();
        all.filter_map(|i| Some((i.alias.clone(), of(&i.path)?)))
            .collect()
    }

    /// A text that nobody fills.
    fn unfilled(&mut self, text: &str, position: Position, nodes: &[ASTNode]) {
        let names = fill::names(text);
        let Some(name) = names.first() else {
            return;
        };
        if self
            .spoken
            .contains(&(position.line(), position.position()))
        {
            return;
        }
        let word = nodes.iter().rev().skip(1).find_map(|node| match node {
            ASTNode::Expr(Expr::FnCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _))
                if !call.is_operator_call() =>
            {
                Some(words::function(&call.name).map_or("", |word| word.en))
            }
            _ => None,
        });
        let l = self.known.language;
        if word.is_some_and(|word| UNFILLED.contains(&word)) {
            let message = tr!(
                l,
                "${{{name}}} в двойных кавычках здесь так и останется: возьмите обратные кавычки `...${{{name}}}...`, а параметр из 1С — параметр(\"{name}\")",
                "${{{name}}} in double quotes stays as it is here: use back quotes `...${{{name}}}...`, and param(\"{name}\") for what 1C gave"
            );
            self.warn(position, message);
        } else {
            self.filled(text, position);
        }
    }

    fn imports_are_there(&mut self) {
        let l = self.known.language;
        for import in self.imports.clone() {
            let path = &import.path;
            let message = if path.is_empty() {
                tr!(
                    l,
                    "путь подключаемого файла пишут строкой: import \"lib/имя\" as имя",
                    "the path of an import is a plain string: import \"lib/name\" as name"
                )
            } else if !path.starts_with("lib/") {
                tr!(
                    l,
                    "подключать можно только файлы из lib: import \"lib/имя\" as имя",
                    "only files in lib can be imported: import \"lib/name\" as name"
                )
            } else if !self.known.sources.contains_key(path)
                && self.known.modules.named(path).is_none()
            {
                let libs = self.known.sources.keys().filter(|s| s.starts_with("lib/"));
                let hint = perhaps(l, path, libs.map(String::as_str));
                let of_ours = matches!(path.as_str(), "lib/вежливость" | "lib/особые" | "lib/дни");
                if hint.is_empty() && of_ours {
                    tr!(
                        l,
                        "нет годного файла {path}.rhai: он идёт с Говоруном, скопируйте папку lib из его папки scripts",
                        "there is no sound file {path}.rhai: it comes with Govorun, copy lib from its folder scripts"
                    )
                } else {
                    tr!(
                        l,
                        "нет годного файла {path}.rhai{hint}",
                        "there is no sound file {path}.rhai{hint}"
                    )
                }
            } else {
                continue;
            };
            self.fault(import.position, message);
        }
    }

    /// A handler with the wrong number of parameters would never be called.
    fn handlers(&mut self, ast: &AST) {
        if !self.known.is_dialog {
            return;
        }
        for name in words::ON_HANG_UP.into_iter().chain(words::ON_MACHINE) {
            let form = words::handler(name).map_or(String::new(), |word| word.form(name));
            if let Some(counts) = self.own.get(name)
                && !counts.contains(&1)
            {
                let position = ast
                    .shared_lib()
                    .iter_script_fn_info()
                    .find(|(.., n, _, _)| *n == name)
                    .map_or(Position::NONE, |(.., f)| f.body.start_position());
                let message = tr!(
                    self.known.language,
                    "у функции {name} должен быть один параметр: {name}{form}",
                    "function {name} has one parameter: {name}{form}"
                );
                self.fault(position, message);
            }
        }
    }

    /// A dialog never sees the kind `hang_up`: it is ended by then.
    fn hang_up_kind(&mut self, nodes: &[ASTNode], position: Position) {
        let compared = nodes.iter().rev().skip(1).take(2).any(|node| {
            matches!(node, ASTNode::Expr(Expr::FnCall(call, _)) if matches!(call.name.as_str(), "==" | "!="))
        });
        if compared {
            let message = tr!(
                self.known.language,
                "при отбое сценарий кончается сразу, до этой строки дело не дойдёт: пишите fn on_hang_up(reason) {{ ... }}",
                "a hang-up ends the dialog at once, this line is never reached: write fn on_hang_up(reason) {{ ... }}"
            );
            self.warn(position, message);
        }
    }

    fn call(&mut self, call: &FnCallExpr, position: Position, is_method: bool) {
        if call.is_operator_call() {
            return;
        }
        if call.is_qualified() {
            self.qualified(call, position);
            return;
        }
        let name = call.name.as_str();
        if let Some(counts) = self.own.get(name).cloned() {
            let given = call.args.len();
            if !is_method && !counts.contains(&given) {
                let wanted: Vec<String> = counts.iter().map(ToString::to_string).collect();
                let wanted = wanted.join(", ");
                let message = tr!(
                    self.known.language,
                    "функции «{name}» дано параметров: {given}, а нужно: {wanted}",
                    "function {name:?} is given {given} parameters, it has {wanted}"
                );
                self.fault(position, message);
            }
        } else if let Some(word) = words::function(name).filter(|_| !is_method) {
            self.word(word.en, name, call, position);
        } else if is_method
            && WORDS
                .iter()
                .any(|w| matches!(w.kind, Kind::Method(_)) && w.is_named(name))
        {
            self.method_is(call);
        } else if !exists(name) && !self.known.blanked.contains(name) {
            let message = explain::unknown_function(name, self.known.language, &self.own_names);
            self.fault(position, message);
        }
    }

    /// `x::f(...)`: the module is imported, and has such a function.
    fn qualified(&mut self, call: &FnCallExpr, position: Position) {
        let l = self.known.language;
        let name = call.name.as_str();
        let alias = call.namespace.root();
        let Some(path) = self
            .imports
            .iter()
            .find(|i| i.alias == alias)
            .map(|i| i.path.clone())
        else {
            return; // The compiler says so itself.
        };
        let Some(source) = self.known.sources.get(&path) else {
            return;
        };
        let counts: BTreeSet<usize> = source
            .iter_functions()
            .filter(|f| f.name == name)
            .map(|f| f.params.len())
            .collect();
        if counts.is_empty() {
            let names: Vec<String> = source.iter_functions().map(|f| f.name.to_owned()).collect();
            let hint = perhaps(l, name, names.iter().map(String::as_str));
            let message = tr!(
                l,
                "в {path}.rhai нет функции «{name}»{hint}",
                "{path}.rhai has no function {name:?}{hint}"
            );
            self.fault(position, message);
        } else if !counts.contains(&call.args.len()) {
            let given = call.args.len();
            let wanted: Vec<String> = counts.iter().map(ToString::to_string).collect();
            let wanted = wanted.join(", ");
            let message = tr!(
                l,
                "функции «{name}» дано параметров: {given}, а нужно: {wanted}",
                "function {name:?} is given {given} parameters, it has {wanted}"
            );
            self.fault(position, message);
        }
    }

    fn word(&mut self, en: &str, written: &str, call: &FnCallExpr, position: Position) {
        let l = self.known.language;
        let Some(row) = words::function(written) else {
            return;
        };
        if !row.arity().contains(&call.args.len()) {
            let form = row.form(written);
            let given = call.args.len();
            let message = tr!(
                l,
                "«{written}» дано параметров: {given}; нужно {written}{form}",
                "{written:?} is given {given} parameters; it is {written}{form}"
            );
            self.fault(position, message);
            return;
        }
        self.kinds(row, written, call);
        match en {
            "play" => self.prompt(call.args.first(), false),
            "say" | "ask" | "menu" => self.prompt(call.args.first(), true),
            "finish" => {
                if let Some(Expr::StringConstant(outcome, at)) = call.args.first()
                    && api::is_of_the_line(outcome)
                {
                    let message = tr!(
                        l,
                        "итог «{outcome}» ставит сам Говорун: выберите другое слово",
                        "outcome {outcome:?} is the runtime's own: choose another word"
                    );
                    self.fault(*at, message);
                }
            }
            _ => {}
        }
        if en == "menu" {
            self.branches(call.args.get(1));
        }
        let (taker, at) = match en {
            "play" | "say" => (Taker::Speak, 1),
            "listen" => (Taker::Listen, 0),
            "ask" => (Taker::Ask, 1),
            "menu" => (Taker::Ask, 2),
            "digits" => (Taker::Digits, 1),
            "record" => {
                self.record(call.args.first(), position);
                (Taker::Record, 0)
            }
            "transfer" => (Taker::Transfer, 1),
            "http_get" => (Taker::Web, 1),
            "http_post" => (Taker::Web, 2),
            _ => return,
        };
        if let Some(Expr::Map(map, _)) = call.args.get(at) {
            for (key, value) in &map.0 {
                self.setting(taker, &key.name, key.pos, value);
            }
        }
    }

    /// `record(#{ max: 60 })`: a message's settings, and no word of a message.
    fn record(&mut self, options: Option<&Expr>, position: Position) {
        let Some(Expr::Map(map, _)) = options else {
            return;
        };
        let l = self.known.language;
        let named = map.0.iter().map(|(key, value)| (key.name.as_str(), value));
        let is_message =
            |name: &str| Taker::Record.setting(name, l) == Ok(options::Setting::Message);
        let message = named.clone().find(|(name, _)| is_message(name));
        let said = message.is_some_and(|(_, value)| {
            // Whatever is computed may be true.
            let value = value.get_literal_value(None);
            value.is_none_or(|value| value.as_bool() != Ok(false))
        });
        let names = named.map(|(name, _)| name);
        if !said && let Some(message) = options::no_message(names, l) {
            self.fault(position, message);
        }
    }

    /// Parameters that are written out and can't be of that kind: `пауза("2")`.
    fn kinds(&mut self, row: &words::Word, written: &str, call: &FnCallExpr) {
        let l = self.known.language;
        for (parameter, given) in row.parameters().iter().zip(&call.args) {
            let Some(value) = given.get_literal_value(None) else {
                continue;
            };
            let (fits, ru, en) = match parameter.kind {
                "int" => (value.is_int(), "целое число", "a whole number"),
                "float" => (value.is_int() || value.is_float(), "число", "a number"),
                "map" => (
                    value.is_map(),
                    "набор #{ имя: значение }",
                    "a map #{ name: value }",
                ),
                // A telephone number may be written as one.
                "string" => (
                    value.is_string() || (parameter.en == "number" && value.is_int()),
                    "текст в кавычках",
                    "a text in quotes",
                ),
                _ => continue,
            };
            if !fits {
                let name = if written == row.en {
                    parameter.en
                } else {
                    parameter.ru
                };
                let shown = explain::shown(&value, l);
                let message = tr!(
                    l,
                    "«{written}»: {name} — это {ru}, а здесь {shown}",
                    "{written:?}: {name} is {en}, not {shown}"
                );
                self.fault(given.start_position(), message);
            }
        }
    }

    fn setting(&mut self, taker: Taker, name: &str, position: Position, value: &Expr) {
        let l = self.known.language;
        let setting = match taker.setting(name, l) {
            Ok(setting) => setting,
            Err(message) => return self.fault(position, message),
        };
        use options::Setting::{Expect, Filler, NoInput, NoMatch, Prompt, Voice};
        if matches!(setting, Filler | NoInput | NoMatch | Prompt) {
            return self.prompt(Some(value), true);
        }
        if let (Voice, Expr::StringConstant(voice, at)) = (setting, value)
            && let Err(message) = options::known_voice(voice, self.known.voices, l)
        {
            return self.fault(*at, message);
        }
        // Each name in the list has its own place.
        if let (Expect, Expr::Array(items, _)) = (setting, value) {
            for item in items {
                if let Expr::StringConstant(answer, at) = item {
                    self.answer(answer, *at);
                }
            }
            return;
        }
        if let Some(value_is) = value.get_literal_value(None) {
            let one = Map::from([(name.into(), value_is)]);
            if let Err(message) = self.known.defaults.with(&one, taker, l) {
                self.fault(value.start_position(), message);
            }
        }
    }

    /// An expected answer needs phrases. Files in `lib` serve dialogs with phrases of their own.
    fn answer(&mut self, name: &str, position: Position) {
        let answers = &self.known.defaults.window.answers;
        if let Err(message) = options::known_answer(name, answers, self.known.language) {
            let message = message.trim_start_matches('!').to_owned();
            if self.known.is_dialog {
                self.fault(position, message);
            } else {
                self.warn(position, message);
            }
        }
    }

    fn method_is(&mut self, call: &FnCallExpr) {
        if let Some(Expr::StringConstant(name, position)) = call.args.first()
            && !api::is_keys(name)
        {
            let answers = &self.known.defaults.window.answers;
            if let Err(message) = options::known_answer(name, answers, self.known.language) {
                self.warn(*position, message.trim_start_matches('!').to_owned());
            }
        }
    }

    fn branches(&mut self, branches: Option<&Expr>) {
        if let Some(Expr::Map(map, _)) = branches {
            for (key, _) in &map.0 {
                for part in api::branch_keys(&key.name).filter(|p| !api::is_keys(p)) {
                    self.answer(part, key.pos);
                }
            }
        }
    }

    /// Prompts as they are written: strings, lists, `#{play: ...}`.
    fn prompt(&mut self, prompt: Option<&Expr>, is_text: bool) {
        match prompt {
            Some(Expr::StringConstant(text, position)) => {
                self.filled(text, *position);
                if !is_text && fill::names(text).is_empty() {
                    self.sound(text, *position);
                }
                let chars = text.chars().count();
                if is_text && chars > MAX_TEXT_CHARS && self.known.sounds.speaking(text).is_none() {
                    self.fault(*position, too_long(chars, self.known.language));
                }
            }
            Some(Expr::Array(items, _)) => {
                for item in items {
                    self.prompt(Some(item), is_text);
                }
            }
            Some(Expr::Map(map, _)) => {
                for (key, value) in &map.0 {
                    if PLAY_KEYS.contains(&key.name.as_str()) {
                        self.prompt(Some(value), false);
                    } else if SAY_KEYS.contains(&key.name.as_str()) {
                        self.prompt(Some(value), true);
                    } else {
                        let name = &key.name;
                        let message = tr!(
                            self.known.language,
                            "во фразе бывает play (проиграть) или say (сказать), а не «{name}»",
                            "a prompt has play or say, not {name:?}"
                        );
                        self.fault(key.pos, message);
                    }
                }
            }
            _ => {}
        }
    }

    fn sound(&mut self, name: &str, position: Position) {
        if self.known.sounds.named(name).is_none() {
            let hint = perhaps(self.known.language, name, self.known.sounds.names());
            let message = tr!(
                self.known.language,
                "нет звука «{name}» в папке sounds{hint}",
                "there is no sound {name:?} in sounds{hint}"
            );
            self.fault(position, message);
        }
    }

    /// `"${name}"` is filled from parameters; where a variable has that name, back quotes may be what is meant.
    fn filled(&mut self, text: &str, position: Position) {
        self.spoken.insert((position.line(), position.position()));
        let l = self.known.language;
        for name in fill::names(text) {
            let given = self.known.settings.params.contains_key(name) || self.set.contains(name);
            if given {
                continue;
            }
            if self.variables.contains(name) {
                let message = tr!(
                    l,
                    "${{{name}}} в двойных кавычках — параметр из 1С, а «{name}» здесь переменная: возьмите обратные кавычки `...`",
                    "${{{name}}} in double quotes is a parameter of 1C's, but {name:?} is a variable here: use back quotes"
                );
                self.warn(position, message);
            } else if self.known.is_dialog && !self.known.settings.params.is_empty() {
                let file = self.known.file.replace(".rhai", ".yaml");
                let hint = perhaps(
                    l,
                    name,
                    self.known.settings.params.keys().map(String::as_str),
                );
                let message = tr!(
                    l,
                    "параметра «{name}» нет в params файла {file}{hint}",
                    "parameter {name:?} is not in params of {file}{hint}"
                );
                self.warn(position, message);
            }
        }
    }
}

/// Whether Rhai itself, or a word as a method, has a function of that name.
fn exists(name: &str) -> bool {
    // Functions of the language that are no functions of any module.
    const BUILT_IN: [&str; 12] = [
        "call",
        "curry",
        "Fn",
        "print",
        "debug",
        "type_of",
        "is_def_var",
        "is_def_fn",
        "is_shared",
        "to_string",
        "exit",
        "import",
    ];
    if BUILT_IN.contains(&name) {
        return true;
    }
    let is_it = |signature: String| {
        signature
            .trim_start_matches("private ")
            .split('(')
            .next()
            .is_some_and(|n| n.trim() == name)
    };
    [&*STANDARD, &*WORD_MODULE].into_iter().any(|module| {
        module
            .gen_fn_signatures_with_mapper(|t| t.into())
            .any(is_it)
    })
}
