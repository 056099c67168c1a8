//! Which lines of the dialogs can be reached, and how a run tells which it came to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rhai::{AST, ASTNode, Stmt};

/// Is told file and line of everything that a run comes to, and whether it is a statement.
pub type Probe = Arc<dyn Fn(&str, usize, bool) + Send + Sync>;

/// Lines by file (`confirm_visit.rhai`, `lib/dates.rhai`).
pub type Lines = BTreeMap<String, BTreeSet<usize>>;

/// The lines on which statements begin.
pub(super) fn lines(sources: &BTreeMap<String, AST>) -> Lines {
    let mut found = Lines::new();
    for (path, ast) in sources {
        let lines = found.entry(format!("{path}.rhai")).or_default();
        // What stands outside the functions of a `lib` file runs when it is loaded, in no call.
        let functions = path.starts_with("lib/").then(|| ast.clone_functions_only());
        functions
            .as_ref()
            .unwrap_or(ast)
            .walk(&mut |nodes: &[ASTNode]| {
                if let Some(ASTNode::Stmt(stmt)) = nodes.last()
                    && !matches!(stmt, Stmt::Noop(..) | Stmt::Block(..))
                    && let Some(line) = stmt.position().line()
                {
                    lines.insert(line);
                }
                true
            });
    }
    found
}
