//! Engines: raw ones over shared modules, so that one costs a call microseconds, with every limit set.

use std::sync::{Arc, LazyLock};

use rhai::packages::{Package, StandardPackage};
use rhai::{Dynamic, Engine, Module, Scope};

use crate::config::Language;

use super::bounds;
use super::coverage::Probe;
use super::keywords;
use super::modules::Modules;
use super::talk::{Ending, Handle, Talk};
use super::words;

/// Steps between two waits on the call; a script that computes longer is ended.
pub(super) const MAX_OPERATIONS: u64 = 500_000;
/// Steps of one call in all: what grows step by step stays within some 100 MiB.
pub(super) const MAX_ALL_OPERATIONS: u64 = 5_000_000;
/// A script whose call is over may tidy up so long, milliseconds.
pub(super) const MAX_AFTER_HANG_UP_MS: u64 = 2_000;
/// Functions that call functions.
pub(super) const MAX_CALL_LEVELS: usize = 24;
/// Nesting of expressions, in the text and in functions.
pub(super) const MAX_EXPR_DEPTHS: (usize, usize) = (48, 32);
/// Longest string, bytes.
pub(super) const MAX_STRING: usize = 20_000;
/// Longest list, elements, nested ones counted.
pub(super) const MAX_ARRAY: usize = 5_000;
/// Most fields of a map, nested ones counted.
pub(super) const MAX_MAP: usize = 1_000;
/// Most variables at once.
pub(super) const MAX_VARIABLES: usize = 500;
/// Most functions in a file.
pub(super) const MAX_FUNCTIONS: usize = 500;
/// Most imports in a run.
pub(super) const MAX_MODULES: usize = 100;

/// Rhai's own functions, the same for everybody.
pub(super) static STANDARD: LazyLock<Arc<Module>> =
    LazyLock::new(|| StandardPackage::new().as_shared_module());

/// The words of the language, under both names.
pub(super) static WORDS: LazyLock<Arc<Module>> = LazyLock::new(|| {
    let mut module = Module::new();
    words::register(&mut module);
    module.build_index();
    module.into()
});

/// An engine with limits and words, but no call.
fn base(handle: Handle) -> Engine {
    let mut engine = Engine::new_raw();
    engine.register_global_module(Arc::clone(&STANDARD));
    engine.register_global_module(Arc::clone(&WORDS));
    engine.set_max_call_levels(MAX_CALL_LEVELS);
    engine.set_max_expr_depths(MAX_EXPR_DEPTHS.0, MAX_EXPR_DEPTHS.1);
    engine.set_max_string_size(MAX_STRING);
    engine.set_max_array_size(MAX_ARRAY);
    engine.set_max_map_size(MAX_MAP);
    engine.set_max_variables(MAX_VARIABLES);
    engine.set_max_functions(MAX_FUNCTIONS);
    engine.set_max_modules(MAX_MODULES);
    engine.disable_symbol("eval");
    engine.set_default_tag(Dynamic::from(handle));
    bounds::set(&mut engine);
    engine
}

/// The engine that compiles a version's files, and reads its `lib` files.
pub(super) fn for_version(language: Language, modules: &Modules) -> Engine {
    let mut engine = base(Handle {
        talk: None,
        language,
    });
    engine.set_strict_variables(true);
    // What is written is what runs: no line is optimized away, so `check` and faults see them all.
    engine.set_optimization_level(rhai::OptimizationLevel::None);
    #[allow(deprecated)] // Not deprecated: "volatile", says its author.
    engine.on_parse_token(|token, _, _| keywords::translate(token));
    engine
        .on_progress(|operations| (operations > MAX_OPERATIONS).then(|| Ending::Busy.into_token()));
    engine.set_module_resolver(modules.clone());
    engine
}

/// The engine of one call.
pub(super) fn for_call(talk: &Arc<Talk>, modules: &Modules, probe: Option<&Probe>) -> Engine {
    let mut engine = base(Handle {
        talk: Some(Arc::clone(talk)),
        language: talk.language,
    });
    engine.register_global_module(words::values(talk).into());
    engine.set_module_resolver(modules.clone());
    let watched = Arc::clone(talk);
    let flag = Arc::clone(talk.line.hang_up_flag());
    engine.on_progress(move |operations| {
        if watched.busy_for(operations) > MAX_OPERATIONS || operations > MAX_ALL_OPERATIONS {
            return Some(Ending::Busy.into_token());
        }
        // The clock is not read at each step.
        if operations % 256 == 0
            && flag
                .raised_for_ms()
                .is_some_and(|ms| ms > MAX_AFTER_HANG_UP_MS)
        {
            return Some(Ending::HungUp.into_token());
        }
        None
    });
    let printed = Arc::clone(talk);
    engine.on_print(move |text| {
        let _ = printed.log(text);
    });
    let debugged = Arc::clone(talk);
    engine.on_debug(move |text, _, position| {
        let _ = debugged.log(&format!("{position:?}: {text}"));
    });
    if let Some(probe) = probe.cloned() {
        #[allow(deprecated)] // Likewise "volatile".
        engine.register_debugger(
            |_, debugger| debugger,
            move |_, _, node, file, position| {
                if let (Some(file), Some(line)) = (file, position.line()) {
                    probe(file, line, node.is_stmt());
                }
                Ok(rhai::debugger::DebuggerCommand::StepInto)
            },
        );
    }
    engine
}

/// What the parser is told of: the values of a call.
pub(super) fn scope() -> Scope<'static> {
    let mut scope = Scope::new();
    for name in words::value_names() {
        scope.push_constant(name, ());
    }
    scope
}

impl Ending {
    /// As Rhai carries it.
    pub(super) fn into_token(self) -> Dynamic {
        Dynamic::from(self)
    }
}
