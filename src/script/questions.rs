//! What can be seen of a dialog's questions: silence without a way on, prompts that can't be interrupted, answers that
//! claim one phrase, fields and kinds that a reply doesn't have.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use rhai::{AST, ASTFlags, ASTNode, BinaryExpr, Expr, FnCallExpr, Map, Position, Stmt};

use crate::call::{BargeIn, Fault};
use crate::phrases::Answers;

use super::flow::is_endless;
use super::inspect::{Found, Known};
use super::options::{Options, Setting, Taker, known_answer};
use super::talk::perhaps;
use super::tr;
use super::words::{self, Kind, WORDS};

/// Words that give a reply.
const GIVE_REPLIES: [&str; 6] = ["ask", "listen", "digits", "say", "play", "record"];
/// Words that listen.
const LISTEN: [&str; 4] = ["ask", "listen", "digits", "menu"];
/// What `kind` can be, and `вид`.
const KINDS: [(&str, &str); 7] = [
    ("speech", "речь"),
    ("digits", "цифры"),
    ("no_input", "молчание"),
    ("too_long", "слишком_долго"),
    ("failed", "сбой"),
    ("hang_up", "отбой"),
    ("played", "проиграно"),
];

/// What `unsure` can name.
const UNSURE: [&str; 6] = ["number", "sum", "date", "time", "phone", "digits"];

struct Questions<'a> {
    known: &'a Known<'a>,
    /// Variables that hold nothing but replies.
    replies: BTreeSet<String>,
    /// Sets of answers whose phrases were compared already.
    compared: BTreeSet<Vec<String>>,
    found: Found,
}

/// Looks through a script.
pub(super) fn inspect(ast: &AST, known: &Known<'_>) -> Found {
    let mut questions = Questions {
        known,
        replies: replies(ast),
        compared: BTreeSet::new(),
        found: Found::default(),
    };
    ast.walk(&mut |nodes: &[ASTNode]| {
        match nodes.last() {
            Some(ASTNode::Expr(Expr::FnCall(call, at)) | ASTNode::Stmt(Stmt::FnCall(call, at))) => {
                questions.compared_with(call);
                questions.looked_for(call);
                if let Some(word) = words::function(&call.name).filter(|_| !call.is_qualified()) {
                    questions.question(word.en, call, *at);
                }
            }
            Some(ASTNode::Expr(Expr::Dot(parts, ..))) => questions.field(parts),
            Some(ASTNode::Stmt(Stmt::While(parts, at))) if is_endless(&parts.expr) => {
                questions.endless(parts.body.statements(), *at);
            }
            _ => {}
        }
        true
    });
    questions.found
}

/// Variables whose every value is a reply, as far as can be seen.
fn replies(ast: &AST) -> BTreeSet<String> {
    let mut held = BTreeSet::new();
    let mut other: BTreeSet<String> = ast
        .iter_functions()
        .flat_map(|f| f.params.into_iter().map(str::to_owned))
        .collect();
    ast.walk(&mut |nodes: &[ASTNode]| {
        match nodes.last() {
            Some(ASTNode::Stmt(Stmt::Var(var, ..))) => {
                let gives = matches!(&var.1, Expr::FnCall(call, _)
                    if words::function(&call.name).is_some_and(|w| GIVE_REPLIES.contains(&w.en)));
                let name = var.0.name.to_string();
                if gives {
                    held.insert(name);
                } else {
                    other.insert(name);
                }
            }
            Some(ASTNode::Stmt(Stmt::For(head, ..))) => {
                other.insert(head.0.name.to_string());
            }
            Some(ASTNode::Stmt(Stmt::Assignment(parts))) => {
                if let Expr::Variable(name, ..) = &parts.1.lhs {
                    other.insert(name.1.to_string());
                }
            }
            _ => {}
        }
        true
    });
    held.difference(&other).cloned().collect()
}

/// The reply field of that name, in its English name, and whether the Russian one was written.
fn field_of(property: &str) -> Option<(&'static str, bool)> {
    WORDS
        .iter()
        .filter(|w| matches!(w.kind, Kind::Field(..)))
        .find(|w| w.is_named(property))
        .map(|w| (w.en, w.en != property))
}

impl Questions<'_> {
    fn place(&self, position: Position, message: String) -> Fault {
        Fault {
            file: self.known.file.to_owned(),
            line: position.line().unwrap_or(0),
            column: position.position().unwrap_or(0),
            message,
        }
    }

    fn warn(&mut self, position: Position, message: String) {
        let fault = self.place(position, message);
        self.found.warnings.push(fault);
    }

    /// The options as far as they stand in the text; `None` where they are computed.
    fn options(&self, call: &FnCallExpr, at: usize, taker: Taker) -> Option<Options> {
        let defaults = self.known.defaults;
        match call.args.get(at) {
            None => Some(defaults.clone()),
            Some(Expr::Map(map, _)) => {
                let mut options = defaults.clone();
                for (key, value) in &map.0 {
                    let name = key.name.as_str();
                    let value = match value.get_literal_value(None) {
                        Some(value) => value,
                        // Whatever it is, something is said.
                        None => match taker.setting(name, self.known.language) {
                            Ok(Setting::NoInput | Setting::NoMatch) => "...".into(),
                            _ => return None,
                        },
                    };
                    let one = Map::from([(name.into(), value)]);
                    // What is wrong with it has been told.
                    options = options.with(&one, taker, self.known.language).ok()?;
                }
                Some(options)
            }
            Some(_) => None,
        }
    }

    fn question(&mut self, en: &str, call: &FnCallExpr, position: Position) {
        let (at, taker) = match en {
            "ask" => (1, Taker::Ask),
            "menu" => (2, Taker::Ask),
            "digits" => (1, Taker::Digits),
            "listen" => (0, Taker::Listen),
            _ => return,
        };
        let Some(mut options) = self.options(call, at, taker) else {
            return;
        };
        if en == "menu"
            && let Some(Expr::Map(branches, _)) = call.args.get(1)
        {
            let keys = branches.0.iter().map(|(key, _)| key.name.as_str());
            for key in keys.flat_map(super::api::branch_keys) {
                if let Ok(name) = known_answer(key, &options.window.answers, self.known.language) {
                    options.window.expect.push(name);
                }
            }
        }
        let rises = matches!(call.args.first(), Some(Expr::Array(items, _)) if items.len() > 1);
        if en != "listen" && options.attempts > 1 && options.no_input.is_unit() && !rises {
            let message = tr!(
                self.known.language,
                "если человек промолчит, вопрос прозвучит ещё раз теми же словами: добавьте молчание: \"Не слышу вас.\" (no_input)",
                "after silence the question is put again in the same words: add no_input: \"I can't hear you.\""
            );
            self.warn(position, message);
        }
        let speaks = match en {
            "listen" => false,
            "digits" => !options.prompt.is_unit(),
            _ => {
                !matches!(call.args.first(), Some(Expr::StringConstant(text, _)) if text.trim().is_empty())
            }
        };
        let opens_early = super::inspect::names_setting(call, at, "open_before");
        if speaks && options.barge_in == BargeIn::Off && !opens_early {
            let message = tr!(
                self.known.language,
                "вопрос нельзя перебить (перебивание: ложь): тот, кто ответит поверх него, будет услышан, только когда вопрос кончится. Уберите перебивание: ложь, или скажите долгое отдельно: сказать(\"...\", #{{ перебивание: ложь }})",
                "this question can't be interrupted (barge_in: false): whoever answers over it is heard only when it has ended. Take barge_in: false out, or say the long part before: say(\"...\", #{{ barge_in: false }})"
            );
            self.warn(position, message);
        }
        let answers = std::sync::Arc::clone(&options.window.answers);
        self.claimed_twice(&options.window.expect, &answers, position);
    }

    /// Phrases of expected answers that would be taken for another answer, or for none.
    fn claimed_twice(&mut self, expect: &[String], answers: &Answers, position: Position) {
        let mut names = expect.to_vec();
        names.sort();
        names.dedup();
        if names.len() < 2 || !self.compared.insert(names.clone()) {
            return;
        }
        // Ours are tested, and where one of them is meant the analyst can mend nothing.
        let builtin = Answers::builtin();
        let ours: BTreeMap<&str, HashSet<&str>> = names
            .iter()
            .map(|name| (name.as_str(), builtin.phrases(name).collect()))
            .collect();
        let is_ours = |name: &str, phrase: &str| {
            ours.get(name)
                .is_some_and(|phrases| phrases.contains(phrase))
        };
        let mut told = BTreeSet::new();
        for name in &names {
            for phrase in answers.phrases(name).filter(|p| !is_ours(name, p)) {
                for other in names.iter().filter(|other| *other != name) {
                    let understood = answers.understand(phrase, std::slice::from_ref(other));
                    let words = |text: &str| text.split_whitespace().count();
                    // A phrase inside a longer one is no rival: the longer one wins.
                    let rival = understood
                        .candidates
                        .iter()
                        .find(|c| words(&c.phrase) == words(phrase) && !is_ours(other, &c.phrase));
                    let Some(rival) = rival.map(|rival| rival.phrase.as_str()) else {
                        continue;
                    };
                    if !told.insert([phrase.min(rival).to_owned(), phrase.max(rival).to_owned()]) {
                        continue;
                    }
                    let message = tr!(
                        self.known.language,
                        "«{phrase}» из «{name}» и «{rival}» из «{other}» — формы одних слов: сказанное в другой форме не поймут ни как то, ни как другое. Оставьте одну или сделайте длиннее",
                        "{phrase:?} of {name:?} and {rival:?} of {other:?} are forms of the same words: said in another form neither is understood. Keep one, or make it longer"
                    );
                    self.warn(position, message);
                }
            }
        }
    }

    /// `answer.txet`.
    fn field(&mut self, parts: &BinaryExpr) {
        let (Expr::Variable(variable, ..), Expr::Property(property, position)) =
            (&parts.lhs, &parts.rhs)
        else {
            return;
        };
        let name = property.2.as_str();
        if !self.replies.contains(variable.1.as_str()) || field_of(name).is_some() {
            return;
        }
        let fields = WORDS
            .iter()
            .filter(|w| matches!(w.kind, Kind::Field(..) | Kind::Method(_)));
        let l = self.known.language;
        let hint = perhaps(l, name, fields.flat_map(|w| [w.en, w.ru]));
        let message = tr!(
            l,
            "у ответа нет поля «{name}»{hint}",
            "a reply has no field {name:?}{hint}"
        );
        let fault = self.place(*position, message);
        self.found.faults.push(fault);
    }

    /// `answer.kind == "noinput"`, `answer.intent == "yess"`.
    fn compared_with(&mut self, call: &FnCallExpr) {
        if !matches!(call.name.as_str(), "==" | "!=") {
            return;
        }
        let [Expr::Dot(parts, ..), Expr::StringConstant(word, position)] = call.args.as_slice()
        else {
            return;
        };
        let Expr::Property(property, _) = &parts.rhs else {
            return;
        };
        let l = self.known.language;
        match field_of(&property.2) {
            Some(("kind", is_ru)) => {
                let kinds = KINDS.iter().map(|(en, ru)| if is_ru { *ru } else { *en });
                if kinds.clone().any(|kind| kind == word.as_str()) {
                    return;
                }
                let list = kinds.clone().collect::<Vec<_>>().join(", ");
                let mut hint = perhaps(l, word, kinds);
                if hint.is_empty() {
                    hint = tr!(l, ". Бывает: {list}", ". There are: {list}");
                }
                let message = tr!(
                    l,
                    "такого вида ответа нет: «{word}»{hint}",
                    "there is no such kind of reply: {word:?}{hint}"
                );
                self.warn(*position, message);
            }
            Some(("intent", _)) if !word.is_empty() => {
                let answers = std::sync::Arc::clone(&self.known.defaults.window.answers);
                if let Err(message) = known_answer(word, &answers, l) {
                    self.warn(*position, message.trim_start_matches('!').to_owned());
                }
            }
            _ => {}
        }
    }

    /// `"time" in answer.неясно`: each language has its own names.
    fn looked_for(&mut self, call: &FnCallExpr) {
        let ("contains", [Expr::Dot(parts, ..), Expr::StringConstant(word, position)]) =
            (call.name.as_str(), call.args.as_slice())
        else {
            return;
        };
        let Expr::Property(property, _) = &parts.rhs else {
            return;
        };
        let Some(("unsure", is_ru)) = field_of(&property.2) else {
            return;
        };
        let names = WORDS
            .iter()
            .filter(|w| matches!(w.kind, Kind::Field(..)) && UNSURE.contains(&w.en))
            .map(|w| if is_ru { w.ru } else { w.en });
        if names.clone().any(|name| name == word.as_str()) {
            return;
        }
        let list = names.collect::<Vec<_>>().join(", ");
        let l = self.known.language;
        let message = tr!(
            l,
            "здесь никогда не бывает «{word}». Бывает: {list}",
            "{word:?} is never in there. There are: {list}"
        );
        self.warn(*position, message);
    }

    /// A loop without an end that asks, and is left only by an understood answer.
    fn endless(&mut self, body: &[Stmt], position: Position) {
        if listens(body) && !has_way_out(body) {
            let message = tr!(
                self.known.language,
                "если человек молчит, этот цикл не кончится: считайте повторы и выходите из него (прервать), или вместо цикла пишите попыток: 3",
                "if nobody answers, this loop never ends: count the rounds and leave it (break), or write attempts: 3 instead"
            );
            self.warn(position, message);
        }
    }
}

fn any_expr(statements: &[Stmt], mut good: impl FnMut(&Expr) -> bool) -> bool {
    let mut found = false;
    for stmt in statements {
        stmt.walk(&mut Vec::new(), &mut |nodes: &[ASTNode]| {
            match nodes.last() {
                Some(ASTNode::Expr(expr)) => found |= good(expr),
                Some(ASTNode::Stmt(Stmt::FnCall(call, at))) => {
                    found |= good(&Expr::FnCall(call.clone(), *at));
                }
                _ => {}
            }
            !found
        });
    }
    found
}

fn listens(statements: &[Stmt]) -> bool {
    any_expr(statements, |expr| {
        matches!(expr, Expr::FnCall(call, _)
            if words::function(&call.name).is_some_and(|w| LISTEN.contains(&w.en)))
    })
}

/// Whether these statements can leave the loop although no answer was understood.
fn has_way_out(statements: &[Stmt]) -> bool {
    statements.iter().any(|stmt| match stmt {
        Stmt::BreakLoop(_, flags, _) => flags.contains(ASTFlags::BREAK),
        Stmt::Return(..) => true,
        Stmt::If(parts, _) => {
            (!wants_an_answer(&parts.expr) && has_way_out(parts.body.statements()))
                || has_way_out(parts.branch.statements())
        }
        Stmt::Block(block) => has_way_out(block.statements()),
        Stmt::TryCatch(parts, _) => {
            has_way_out(parts.body.statements()) || has_way_out(parts.branch.statements())
        }
        // What a branch or a function of the dialog's own does can't be told; it is given the benefit of the doubt.
        Stmt::Switch(..) | Stmt::While(..) | Stmt::Do(..) | Stmt::For(..) => {
            any_expr(std::slice::from_ref(stmt), leaves)
        }
        Stmt::FnCall(call, at) => leaves(&Expr::FnCall(call.clone(), *at)),
        Stmt::Expr(expr) => match &**expr {
            Expr::Stmt(block) => has_way_out(block.statements()),
            expr => leaves(expr),
        },
        _ => false,
    })
}

fn leaves(expr: &Expr) -> bool {
    matches!(expr, Expr::FnCall(call, _) if !call.is_operator_call()
        && words::function(&call.name).is_none_or(|w| matches!(w.en, "finish" | "hang_up" | "transfer"))
        && !matches!(call.name.as_str(), "print" | "debug"))
}

/// A condition that holds only when something was understood.
fn wants_an_answer(condition: &Expr) -> bool {
    match condition {
        Expr::And(parts, _) => parts.iter().any(wants_an_answer),
        Expr::Or(parts, _) => parts.iter().all(wants_an_answer),
        Expr::Dot(parts, ..) => match &parts.rhs {
            Expr::Property(property, _) => {
                matches!(field_of(&property.2), Some(("yes" | "no", _)))
            }
            Expr::MethodCall(call, _) => matches!(call.name.as_str(), "is" | "это"),
            _ => false,
        },
        Expr::FnCall(call, _) if call.name == "==" => {
            matches!(call.args.first(), Some(Expr::Dot(parts, ..))
                if matches!(&parts.rhs, Expr::Property(p, _) if matches!(field_of(&p.2), Some(("intent", _)))))
        }
        _ => false,
    }
}
