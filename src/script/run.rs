//! A dialog's life on its call: from the first word to what it leaves, whatever happens to the call or the script.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rhai::{AST, CallFnOptions, Dynamic, Engine, EvalAltResult, Scope, Stmt};

use crate::call::fields::fields;
use crate::call::history::kind;
use crate::call::{BargeIn, Choice, DialogEnd, Fault, Line, Who};
use crate::phrases::Answers;

use super::coverage::Probe;
use super::engine;
use super::explain;
use super::prompts;
use super::settings::CallLimits;
use super::talk::{Ending, Talk};
use super::tr;
use super::version::{DialogFile, Version};
use super::words::{ON_MACHINE, answerer_ru};

/// Stack that a dialog's thread needs, bytes. Only what is touched becomes memory. Tests run the deepest
/// scripts on it; they pass on half of it, too.
pub const STACK_BYTES: usize = 2 * 1024 * 1024;

/// A dialog of one version. Cheap to clone; keeps its version alive.
#[derive(Clone)]
pub struct Dialog {
    version: Arc<Version>,
    file: Arc<DialogFile>,
    probe: Option<Probe>,
}

impl Dialog {
    pub(super) fn new(version: Arc<Version>, file: Arc<DialogFile>) -> Self {
        Self {
            version,
            file,
            probe: None,
        }
    }

    /// The same dialog, telling `probe` of every statement that it comes to. It runs some times slower.
    pub fn watched(mut self, probe: Probe) -> Self {
        self.probe = Some(probe);
        self
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.file.name
    }

    /// Its version.
    pub fn version(&self) -> &Arc<Version> {
        &self.version
    }

    /// The answers that it knows: the built-in ones, `phrases.yaml` and its own.
    pub fn answers(&self) -> &Answers {
        self.file.defaults.answers()
    }

    /// Which recognizers hear its calls, and which phrases they may expect.
    pub fn choice(&self) -> Choice {
        let phrases = self.file.phrases.get_or_init(|| {
            let answers = self.answers();
            let all = answers.names().flat_map(|name| answers.phrases(name));
            all.map(str::to_lowercase).collect()
        });
        Choice {
            hears: self.file.settings.recognizer.hears(),
            phrases: Arc::clone(phrases),
            answers: self.file.defaults.shared_answers(),
            on_machine: self.file.settings.machine.0,
        }
    }

    /// Limits of its outgoing calls.
    pub fn call_limits(&self) -> CallLimits {
        self.file.settings.calls
    }

    /// Its title; empty where its YAML gives none.
    pub fn title(&self) -> &str {
        &self.file.settings.title
    }

    /// Runs it on the caller's thread, which wants [`STACK_BYTES`] of stack. Never panics: a fault is in the answer, with
    /// file, line and column.
    pub fn run(&self, line: Line) -> DialogEnd {
        let language = self.version.language();
        let talk = Arc::new(Talk::new(
            line,
            Arc::clone(&self.file),
            Arc::clone(self.version.sounds()),
            language,
        ));
        let fault = match catch_unwind(AssertUnwindSafe(|| self.talk_through(&talk))) {
            Ok(fault) => fault,
            Err(_) => Some(Fault {
                file: self.file.file.clone(),
                line: 0,
                column: 0,
                message: tr!(
                    language,
                    "сбой исполнителя сценариев: сообщите разработчикам",
                    "the script engine failed: tell the developers"
                ),
            }),
        };
        talk.left(|left| DialogEnd {
            outcome: left.outcome.take(),
            data: std::mem::take(&mut left.data),
            version: self.version.id().to_owned(),
            fault,
            call_again: left.call_again,
            do_not_call: left.do_not_call.take(),
        })
    }

    fn talk_through(&self, talk: &Arc<Talk>) -> Option<Fault> {
        let file = &self.file;
        talk.line.note(
            kind::DIALOG,
            fields!({ "event": "began", "dialog": file.name, "version": self.version.id() }),
        );
        let engine = engine::for_call(talk, &self.version.modules, self.probe.as_ref());
        let result = self
            .begin(talk)
            .and_then(|()| engine.run_ast_with_scope(&mut Scope::new(), &file.ast));
        let hung_up = match self.ending(talk, result) {
            Ok(Some(Ending::HungUp)) => !talk.left(|left| left.hung_up),
            Ok(Some(Ending::Machine(who))) => return self.answered_by(who, talk, &engine),
            Ok(_) => false,
            Err(fault) => return Some(fault),
        };
        if hung_up && let Some(name) = file.on_hang_up {
            let result = call(&engine, &file.ast, name, "hang_up");
            return self.ending(talk, result).err();
        }
        None
    }

    /// No person answered. That is the outcome, unless `on_machine` names another; it speaks when the machine takes a message.
    fn answered_by(&self, who: Who, talk: &Arc<Talk>, engine: &Engine) -> Option<Fault> {
        let becomes = |who: Who| {
            let outcome = who.outcome().map(str::to_owned);
            talk.left(|left| left.outcome = outcome);
        };
        becomes(who);
        let name = self.file.on_machine?;
        // The announcement may have gone on to a mailbox.
        let who = talk.wait(Line::tone).ok().flatten()?;
        becomes(who);
        let word = if name == ON_MACHINE[0] {
            who.as_str()
        } else {
            answerer_ru(who)
        };
        let result = call(engine, &self.file.ast, name, word);
        self.ending(talk, result).err()
    }

    /// What stands before the script: the recording that its settings want, and the order's prompt file.
    fn begin(&self, talk: &Talk) -> Result<(), Box<EvalAltResult>> {
        if self.file.settings.recording {
            talk.wait(Line::record)?;
        }
        if let Some(name) = &talk.line.info().file {
            let prompt = prompts::file(talk, name)?;
            talk.reply(|line| line.play(vec![prompt], BargeIn::default()))?;
        }
        Ok(())
    }

    /// Why the script ended: by itself (`None`), from outside, or by a fault.
    fn ending(
        &self,
        talk: &Talk,
        result: Result<(), Box<EvalAltResult>>,
    ) -> Result<Option<Ending>, Fault> {
        let Err(error) = result else {
            return Ok(None);
        };
        match error.unwrap_inner() {
            EvalAltResult::ErrorTerminated(token, _)
                if let Some(ending) = token.clone().try_cast::<Ending>()
                    && ending != Ending::Busy =>
            {
                Ok(Some(ending))
            }
            // `exit()` and a `return` at the top are endings like any other.
            EvalAltResult::Exit(..) | EvalAltResult::Return(..) => Ok(None),
            _ => {
                let own: Vec<String> = self
                    .file
                    .ast
                    .iter_functions()
                    .map(|f| f.name.to_owned())
                    .collect();
                let fault = explain::eval(&error, &self.file.file, talk.language, &own);
                tracing::warn!(
                    call_id = %talk.line.info().call_id,
                    file = fault.file, line = fault.line, column = fault.column,
                    "dialog fault: {}", fault.message,
                );
                Err(fault)
            }
        }
    }
}

fn call(
    engine: &Engine,
    ast: &AST,
    name: &str,
    argument: &'static str,
) -> Result<(), Box<EvalAltResult>> {
    // What the script imports is there for its functions, too.
    let imports = ast.statements().iter();
    let imports = imports
        .filter(|stmt| matches!(stmt, Stmt::Import(..)))
        .cloned();
    let mut alone = AST::new(imports, ast.shared_lib().clone());
    if let Some(source) = ast.source() {
        alone.set_source(source);
    }
    let options = CallFnOptions::new().eval_ast(true).rewind_scope(true);
    engine
        .call_fn_with_options::<Dynamic>(options, &mut Scope::new(), &alone, name, (argument,))
        .map(drop)
}

impl std::fmt::Debug for Dialog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Dialog({}, {})", self.file.name, self.version.id())
    }
}
