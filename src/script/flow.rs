//! Where a dialog can come to without running it: lines that can't be reached, and ends without an outcome.

use std::collections::{BTreeMap, BTreeSet};

use rhai::{AST, ASTFlags, ASTNode, Expr, FnCallExpr, Position, Stmt, StmtBlock};

use crate::call::Fault;
use crate::config::Language;

use super::tr;
use super::words;

/// Names of functions that never come back: on each way through them the dialog is finished.
pub(super) type Enders = BTreeSet<String>;

/// What stands behind a statement.
#[derive(Clone, Copy, Debug, Default)]
struct Flow {
    /// The next statement can be come to.
    next: bool,
    /// The loop around can be left.
    leaves: bool,
    /// The loop around can begin anew.
    again: bool,
}

impl Flow {
    const NEXT: Self = Self {
        next: true,
        leaves: false,
        again: false,
    };
    const NEVER: Self = Self {
        next: false,
        leaves: false,
        again: false,
    };

    /// One of the two.
    fn or(self, other: Self) -> Self {
        Self {
            next: self.next || other.next,
            leaves: self.leaves || other.leaves,
            again: self.again || other.again,
        }
    }
}

/// One walk through a body.
struct Walk<'a> {
    enders: &'a Enders,
    /// Functions of imported files that never come back, by alias.
    imported: &'a BTreeMap<String, Enders>,
    /// Where a `return` stands that can be come to.
    returns: Vec<Position>,
    /// Where statements stand that can't.
    dead: Vec<Position>,
}

impl Walk<'_> {
    fn block(&mut self, statements: &[Stmt]) -> Flow {
        let mut flow = Flow::NEXT;
        for stmt in statements {
            if matches!(stmt, Stmt::Noop(..) | Stmt::Share(..)) {
                continue;
            }
            if !flow.next {
                self.dead.push(stmt.position());
                break;
            }
            let own = self.stmt(stmt);
            flow = Flow {
                next: own.next,
                ..flow.or(own)
            };
        }
        flow
    }

    fn stmt(&mut self, stmt: &Stmt) -> Flow {
        match stmt {
            Stmt::If(parts, _) => {
                if !self.expr(&parts.expr).next {
                    return Flow::NEVER;
                }
                if let Expr::BoolConstant(false, position) = parts.expr
                    && !parts.body.is_empty()
                {
                    self.dead.push(start(&parts.body).unwrap_or(position));
                    return self.block(parts.branch.statements());
                }
                let body = self.block(parts.body.statements());
                body.or(self.block(parts.branch.statements()))
            }
            Stmt::Switch(parts, _) => {
                let (on, cases) = &**parts;
                if !self.expr(on).next {
                    return Flow::NEVER;
                }
                let mut flow = Flow::NEVER;
                for case in &cases.expressions {
                    flow = flow.or(self.expr(&case.rhs));
                }
                flow.next |= cases.def_case.is_none();
                flow
            }
            Stmt::While(parts, _) => {
                let endless = is_endless(&parts.expr);
                let body = self.block(parts.body.statements());
                Flow {
                    next: !endless || body.leaves,
                    ..Flow::NEVER
                }
            }
            Stmt::Do(parts, ..) => {
                let body = self.block(parts.body.statements());
                Flow {
                    next: body.next || body.leaves || body.again,
                    ..Flow::NEVER
                }
            }
            Stmt::For(parts, _) => {
                self.block(parts.2.body.statements());
                Flow::NEXT
            }
            Stmt::Block(block) => self.block(block.statements()),
            Stmt::TryCatch(parts, _) => {
                let body = self.block(parts.body.statements());
                body.or(self.block(parts.branch.statements()))
            }
            Stmt::BreakLoop(_, flags, _) => Flow {
                next: false,
                leaves: flags.contains(ASTFlags::BREAK),
                again: !flags.contains(ASTFlags::BREAK),
            },
            Stmt::Return(_, flags, position) => {
                if !flags.contains(ASTFlags::BREAK) {
                    self.returns.push(*position);
                }
                Flow::NEVER
            }
            Stmt::FnCall(call, _) => self.call(call),
            Stmt::Expr(expr) => self.expr(expr),
            Stmt::Var(parts, ..) => self.expr(&parts.1),
            Stmt::Assignment(parts) => self.expr(&parts.1.rhs),
            _ => Flow::NEXT,
        }
    }

    /// Only what is computed in any case.
    fn expr(&mut self, expr: &Expr) -> Flow {
        match expr {
            Expr::Stmt(block) => self.block(block.statements()),
            Expr::FnCall(call, _) | Expr::MethodCall(call, _) => self.call(call),
            Expr::Dot(parts, ..) | Expr::Index(parts, ..) => self.expr(&parts.lhs),
            Expr::And(parts, _) | Expr::Or(parts, _) | Expr::Coalesce(parts, _) => {
                parts.first().map_or(Flow::NEXT, |first| self.expr(first))
            }
            _ => Flow::NEXT,
        }
    }

    fn call(&mut self, call: &FnCallExpr) -> Flow {
        for argument in &call.args {
            if !self.expr(argument).next {
                return Flow::NEVER;
            }
        }
        let name = call.name.as_str();
        let ends = if call.is_qualified() {
            let root = call.namespace.root();
            self.imported.get(root).is_some_and(|of| of.contains(name))
        } else {
            is_finish(name) || self.enders.contains(name)
        };
        if ends { Flow::NEVER } else { Flow::NEXT }
    }
}

fn is_finish(name: &str) -> bool {
    name == "exit" || words::function(name).is_some_and(|word| word.en == "finish")
}

/// `loop`, `while true`.
pub(super) fn is_endless(condition: &Expr) -> bool {
    matches!(condition, Expr::Unit(_) | Expr::BoolConstant(true, _))
}

fn start(block: &StmtBlock) -> Option<Position> {
    block.statements().first().map(Stmt::position)
}

/// Functions with their bodies. The engine hands bodies out only by a walk.
fn functions(ast: &AST) -> Vec<(String, Vec<Stmt>)> {
    ast.iter_functions()
        // Closures have names of the engine's own, and are run by whoever gets them.
        .filter(|function| !function.name.starts_with("anon"))
        .map(|function| {
            // Not `clone_functions_only_filtered`: Rhai 1.27 forgets its filter.
            let mut one = ast.clone_functions_only();
            one.retain_functions(|_, _, name, count| {
                name == function.name && count == function.params.len()
            });
            let mut body = Vec::new();
            one.walk(&mut |nodes: &[ASTNode]| {
                if let [ASTNode::Stmt(stmt)] = nodes {
                    body.push((*stmt).clone());
                }
                true
            });
            (function.name.to_owned(), body)
        })
        .collect()
}

/// The functions of a script that never come back.
pub(super) fn enders(ast: &AST, imported: &BTreeMap<String, Enders>) -> Enders {
    enders_of(&functions(ast), imported)
}

fn enders_of(functions: &[(String, Vec<Stmt>)], imported: &BTreeMap<String, Enders>) -> Enders {
    let mut known = Enders::new();
    loop {
        let before = known.len();
        for (name, body) in functions {
            let mut walk = Walk {
                enders: &known,
                imported,
                returns: Vec::new(),
                dead: Vec::new(),
            };
            let flow = walk.block(body);
            // Another of that name with other parameters may come back.
            let alone = functions.iter().filter(|(other, _)| other == name).count() == 1;
            if alone && !flow.next && walk.returns.is_empty() {
                known.insert(name.clone());
            }
        }
        if known.len() == before {
            return known;
        }
    }
}

/// What looks like a slip in the flow of a script.
pub(super) fn warnings(
    ast: &AST,
    file: &str,
    is_dialog: bool,
    imported: &BTreeMap<String, Enders>,
    language: Language,
) -> Vec<Fault> {
    let functions = functions(ast);
    let enders = enders_of(&functions, imported);
    let mut found = Vec::new();
    let mut tell = |position: Position, message: String| {
        found.push(Fault {
            file: file.to_owned(),
            line: position.line().unwrap_or(0),
            column: position.position().unwrap_or(0),
            message,
        });
    };
    let walk = || Walk {
        enders: &enders,
        imported,
        returns: Vec::new(),
        dead: Vec::new(),
    };
    let mut dead = Vec::new();
    for (_, body) in &functions {
        let mut walk = walk();
        walk.block(body);
        dead.extend(walk.dead);
    }
    let mut main = walk();
    let flow = main.block(ast.statements());
    dead.extend(main.dead);
    for position in dead {
        tell(
            position,
            tr!(
                language,
                "сюда сценарий никогда не дойдёт: уберите эту строку или перенесите её выше",
                "the dialog never comes here: take this line out, or move it up"
            ),
        );
    }
    if is_dialog {
        let last = ast
            .statements()
            .iter()
            .rfind(|stmt| !matches!(stmt, Stmt::Noop(..) | Stmt::Share(..)));
        let falls = flow
            .next
            .then(|| last.map_or(Position::new(1, 0), Stmt::position));
        for position in main.returns.into_iter().chain(falls) {
            tell(
                position,
                tr!(
                    language,
                    "после этого сценарий может кончиться без итога, и 1С не узнает, чем кончился разговор: добавьте завершить(\"...\")",
                    "after this the dialog can end without an outcome, and 1C won't know what came of it: add finish(\"...\")"
                ),
            );
        }
    }
    found
}
