//! `import "lib/x" as x`: modules read once a version, found by name, never by opening a file.

use std::collections::BTreeMap;
use std::sync::Arc;

use rhai::{Engine, EvalAltResult, Module, ModuleResolver, Position};

/// A version's `lib` files.
#[derive(Clone, Default)]
pub(super) struct Modules(Arc<BTreeMap<String, Arc<Module>>>);

impl Modules {
    /// These modules, by `lib/x`.
    pub(super) fn new(modules: BTreeMap<String, Arc<Module>>) -> Self {
        Self(Arc::new(modules))
    }

    /// The module of that path.
    pub(super) fn named(&self, path: &str) -> Option<&Arc<Module>> {
        self.0.get(plain(path))
    }
}

/// `lib/x` for `lib/x.rhai` and `./lib/x`.
pub(super) fn plain(path: &str) -> &str {
    let path = path.strip_prefix("./").unwrap_or(path);
    path.strip_suffix(".rhai").unwrap_or(path)
}

impl ModuleResolver for Modules {
    fn resolve(
        &self,
        _engine: &Engine,
        _source: Option<&str>,
        path: &str,
        position: Position,
    ) -> Result<Arc<Module>, Box<EvalAltResult>> {
        self.named(path)
            .cloned()
            .ok_or_else(|| EvalAltResult::ErrorModuleNotFound(path.to_owned(), position).into())
    }
}
