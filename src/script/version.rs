//! One version of the dialogs: everything read, compiled and checked together, never changed afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use md5::{Digest, Md5};
use rhai::{AST, Dynamic, Engine, Map, Module, Scope};

use crate::audio::{Sound, wav};
use crate::call::{Fault, OnMachine, Saying};
use crate::config::Language;
use crate::phrases::Answers;

use super::coverage::{self, Lines};
use super::engine;
use super::explain;
use super::files::{self, Files};
use super::foresee;
use super::inspect::{self, Known};
use super::modules::Modules;
use super::options::{self, Options, Taker};
use super::recognizers;
use super::recover;
use super::run::Dialog;
use super::settings::{self, Settings};
use super::sounds::{Sounds, unreadable};
use super::tr;
use super::values::own_to_script;
use super::words::{ON_HANG_UP, ON_MACHINE};

/// A dialog, compiled.
pub(super) struct DialogFile {
    /// Its name: the file's without ending.
    pub(super) name: String,
    /// `name.rhai`.
    pub(super) file: String,
    pub(super) ast: AST,
    pub(super) settings: Settings,
    /// What `ask` and its kin begin from.
    pub(super) defaults: Options,
    /// The name under which it defines `on_hang_up`, where it does.
    pub(super) on_hang_up: Option<&'static str>,
    /// Likewise `on_machine`.
    pub(super) on_machine: Option<&'static str>,
    /// All phrases that it knows; made when first asked for.
    pub(super) phrases: OnceLock<Arc<[String]>>,
}

/// A version of the dialogs.
pub struct Version {
    id: String,
    language: Language,
    dialogs: BTreeMap<String, Arc<DialogFile>>,
    sounds: Arc<Sounds>,
    answers: Arc<Answers>,
    texts: Vec<Saying>,
    pub(super) modules: Modules,
    lines: Lines,
}

/// What the dialogs' server has, by name; `None`: that isn't known.
#[derive(Clone, Debug, Default)]
pub struct Named {
    /// Its voices.
    pub voices: Option<Vec<String>>,
    /// Its recognizers.
    pub recognizers: Option<Vec<String>>,
}

/// What came of compiling: the version where there is no fault.
pub struct Compiled {
    /// The version; absent where there are faults.
    pub version: Option<Arc<Version>>,
    /// What has to be mended.
    pub faults: Vec<Fault>,
    /// What looks like a slip, but may stand.
    pub warnings: Vec<Fault>,
}

impl Version {
    /// No dialogs at all: what a server has before its folder was sound for the first time.
    pub fn empty(language: Language) -> Arc<Self> {
        Arc::new(Self {
            id: "empty".to_owned(),
            language,
            dialogs: BTreeMap::new(),
            sounds: Arc::default(),
            answers: Arc::default(),
            texts: Vec::new(),
            modules: Modules::default(),
            lines: Lines::new(),
        })
    }

    /// Reads, compiles and checks a folder.
    pub fn load(folder: &Path, language: Language) -> Result<Arc<Self>, Vec<Fault>> {
        let files = files::read(folder, language)?;
        let compiled = Self::compile(&files, language);
        compiled.version.ok_or(compiled.faults)
    }

    /// Compiles and checks files that are in memory: tests and `demo` have no folder.
    pub fn compile(files: &Files, language: Language) -> Compiled {
        Self::compile_for(files, language, &Named::default())
    }

    /// The same where the server's voices and recognizers are known: a dialog that names another one is faulty.
    pub fn compile_for(files: &Files, language: Language, named: &Named) -> Compiled {
        let mut compiled = Build::new(files, language, named.voices.as_deref()).run();
        if let (Some(version), Some(known)) = (&compiled.version, &named.recognizers) {
            let faults = recognizers::unknown(version, known, files);
            if !faults.is_empty() {
                compiled.version = None;
                compiled.faults = faults;
            }
        }
        compiled
    }

    /// Twelve hexadecimal digits of the contents: the same files have the same id everywhere.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The dialog of that name.
    pub fn dialog(self: &Arc<Self>, name: &str) -> Option<Dialog> {
        let file = self.dialogs.get(name)?;
        Some(Dialog::new(Arc::clone(self), Arc::clone(file)))
    }

    /// Names and titles of all dialogs.
    pub fn dialogs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.dialogs
            .iter()
            .map(|(name, file)| (name.as_str(), file.settings.title.as_str()))
    }

    /// What people call an outcome of a dialog: `outcomes:` of its YAML.
    pub fn outcome_title(&self, dialog: &str, outcome: &str) -> Option<&str> {
        let titles = &self.dialogs.get(dialog)?.settings.outcomes;
        titles.get(outcome).map(String::as_str)
    }

    /// The prompt file of that name, with or without `.wav`.
    pub fn sound(&self, name: &str) -> Option<&Sound> {
        self.sounds.named(name)
    }

    /// The prompt file that speaks exactly that text.
    pub fn sound_of_text(&self, text: &str) -> Option<&Sound> {
        self.sounds.speaking(text)
    }

    /// The answers of `phrases.yaml` over the built-in ones.
    pub fn answers(&self) -> &Arc<Answers> {
        &self.answers
    }

    /// Texts that dialogs are known to say, whatever the call.
    pub fn texts(&self) -> &[Saying] {
        &self.texts
    }

    /// Language of faults.
    pub fn language(&self) -> Language {
        self.language
    }

    /// The lines with statements, by file: what a test can reach.
    pub fn lines(&self) -> &Lines {
        &self.lines
    }

    pub(super) fn files(&self) -> impl Iterator<Item = &DialogFile> {
        self.dialogs.values().map(|file| &**file)
    }

    pub(super) fn sounds(&self) -> &Arc<Sounds> {
        &self.sounds
    }
}

impl std::fmt::Debug for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let dialogs: Vec<_> = self.dialogs.keys().collect();
        write!(f, "Version({}, {dialogs:?})", self.id)
    }
}

/// A version in the making: goes on past faults, so that all are told at once.
struct Build<'a> {
    files: &'a Files,
    language: Language,
    faults: Vec<Fault>,
    warnings: Vec<Fault>,
    sounds: Sounds,
    answers: Answers,
    /// Names of the server's voices, where they are known.
    voices: Option<&'a [String]>,
    texts: Vec<Saying>,
    /// What is left of scripts that don't compile, and the words of what isn't: the rest is inspected, too.
    broken: BTreeMap<String, (AST, BTreeSet<String>)>,
}

impl<'a> Build<'a> {
    fn new(files: &'a Files, language: Language, voices: Option<&'a [String]>) -> Self {
        Self {
            files,
            language,
            faults: Vec::new(),
            warnings: Vec::new(),
            sounds: Sounds::default(),
            answers: Answers::default(),
            voices,
            texts: Vec::new(),
            broken: BTreeMap::new(),
        }
    }

    fn run(mut self) -> Compiled {
        self.phrases();
        self.sounds();
        let sources = self.sources();
        let modules = self.modules(&sources);
        let dialogs = self.dialogs(&sources, &modules);
        let by_place =
            |a: &Fault, b: &Fault| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column));
        self.faults.sort_by(by_place);
        self.warnings.sort_by(by_place);
        let version = self.faults.is_empty().then(|| {
            Arc::new(Version {
                id: id(self.files),
                language: self.language,
                dialogs,
                sounds: Arc::new(self.sounds),
                answers: Arc::new(self.answers),
                texts: self.texts,
                modules,
                lines: coverage::lines(&sources),
            })
        });
        Compiled {
            version,
            faults: self.faults,
            warnings: self.warnings,
        }
    }

    fn read_yaml<T: serde::de::DeserializeOwned + Default>(&mut self, file: &str) -> T {
        let Some(bytes) = self.files.get(file) else {
            return T::default();
        };
        settings::read(file, bytes, self.language).unwrap_or_else(|fault| {
            self.faults.push(fault);
            T::default()
        })
    }

    fn overlay(
        &mut self,
        base: &Answers,
        lists: &BTreeMap<String, Vec<String>>,
        file: &str,
    ) -> Answers {
        let source = self.files.get(file).map_or(&[][..], Vec::as_slice);
        let source = String::from_utf8_lossy(source);
        self.warnings
            .extend(settings::mixed(lists, file, &source, self.language));
        match settings::overlay(base, lists, file, &source, self.language) {
            Ok(answers) => answers,
            Err(faults) => {
                self.faults.extend(faults);
                base.clone()
            }
        }
    }

    fn phrases(&mut self) {
        let lists: BTreeMap<String, Vec<String>> = self.read_yaml("phrases.yaml");
        self.answers = self.overlay(&Answers::builtin(), &lists, "phrases.yaml");
    }

    fn sounds(&mut self) {
        for (file, bytes) in self.files {
            let Some(name) = file
                .strip_prefix("sounds/")
                .and_then(|f| f.strip_suffix(".wav"))
            else {
                continue;
            };
            match wav::decode(name, bytes) {
                Ok(sound) => self.sounds.add(sound),
                Err(what) => self.faults.push(Fault {
                    file: file.clone(),
                    line: 0,
                    column: 0,
                    message: unreadable(&what, self.language),
                }),
            }
        }
        let file = "sounds/texts.yaml";
        let texts: BTreeMap<String, String> = self.read_yaml(file);
        for (name, text) in &texts {
            if !self.sounds.tell_text(name, text) {
                let hint = super::talk::perhaps(self.language, name, self.sounds.names());
                self.faults.push(Fault {
                    file: file.to_owned(),
                    line: self.line_with(file, name),
                    column: 0,
                    message: tr!(
                        self.language,
                        "нет файла sounds/{name}.wav{hint}",
                        "there is no file sounds/{name}.wav{hint}"
                    ),
                });
            }
        }
    }

    /// The first line of a file that holds `part`; 0 if none.
    fn line_with(&self, file: &str, part: &str) -> usize {
        let bytes = self.files.get(file).map_or(&[][..], Vec::as_slice);
        String::from_utf8_lossy(bytes)
            .lines()
            .position(|l| l.contains(part))
            .map_or(0, |i| i + 1)
    }

    /// Every script compiled, by its path without ending. One that doesn't compile is a fault and is left out.
    fn sources(&mut self) -> BTreeMap<String, AST> {
        let engine = engine::for_version(self.language, &Modules::default());
        let scope = engine::scope();
        let mut sources = BTreeMap::new();
        for (file, bytes) in self.files {
            let Some(path) = file.strip_suffix(".rhai") else {
                continue;
            };
            let text = match settings::text(file, bytes, self.language) {
                Ok(text) => text,
                Err(fault) => {
                    self.faults.push(fault);
                    continue;
                }
            };
            match engine.compile_with_scope(&scope, text) {
                Ok(mut ast) => {
                    ast.set_source(file.as_str());
                    sources.insert(path.to_owned(), ast);
                }
                Err(error) => {
                    let found = recover::go_on(&engine, &scope, text, error);
                    for error in &found.errors {
                        let fault = explain::parse(error, file, text, self.language);
                        if !self.faults.contains(&fault) {
                            self.faults.push(fault);
                        }
                    }
                    if let Some(mut rest) = found.rest {
                        rest.set_source(file.as_str());
                        self.broken.insert(path.to_owned(), (rest, found.blanked));
                    }
                }
            }
        }
        sources
    }

    /// The `lib` files as modules, those that are imported first.
    fn modules(&mut self, sources: &BTreeMap<String, AST>) -> Modules {
        let mut waiting: BTreeMap<&String, &AST> = sources
            .iter()
            .filter(|(path, _)| path.starts_with("lib/"))
            .collect();
        let mut ready: BTreeMap<String, Arc<Module>> = BTreeMap::new();
        loop {
            let next: Vec<&String> = waiting
                .iter()
                .filter(|(_, ast)| {
                    // A missing file is told by the inspection; it needn't be waited for.
                    inspect::imports(ast)
                        .iter()
                        .all(|i| !waiting.contains_key(&i.path))
                })
                .map(|(path, _)| *path)
                .collect();
            if next.is_empty() {
                break;
            }
            let engine = engine::for_version(self.language, &Modules::new(ready.clone()));
            for path in next {
                if let Some(ast) = waiting.remove(path)
                    && let Some(module) = self.module(&engine, path, ast)
                {
                    ready.insert(path.clone(), module.into());
                }
            }
        }
        for path in waiting.keys() {
            self.faults.push(Fault {
                file: format!("{path}.rhai"),
                line: 0,
                column: 0,
                message: tr!(
                    self.language,
                    "файлы из lib подключают друг друга по кругу",
                    "lib files import each other in a circle"
                ),
            });
        }
        Modules::new(ready)
    }

    fn module(&mut self, engine: &Engine, path: &str, ast: &AST) -> Option<Module> {
        // Missing imports would fault here a second time.
        let missing = |i: &inspect::Import| !self.files.contains_key(&format!("{}.rhai", i.path));
        if inspect::imports(ast).iter().any(missing) {
            return None;
        }
        // A fault of the engine's own must not end the thread that reloads.
        let read = catch_unwind(AssertUnwindSafe(|| {
            Module::eval_ast_as_new(Scope::new(), ast, engine)
        }));
        let read = read.unwrap_or_else(|_| {
            let text = "the script engine failed on this file".to_owned();
            Err(rhai::EvalAltResult::ErrorRuntime(text.into(), rhai::Position::NONE).into())
        });
        match read {
            Ok(module) => Some(module),
            Err(error) => {
                let file = format!("{path}.rhai");
                let fault = explain::eval(&error, &file, self.language, &[]);
                self.faults.push(fault);
                None
            }
        }
    }

    fn dialogs(
        &mut self,
        sources: &BTreeMap<String, AST>,
        modules: &Modules,
    ) -> BTreeMap<String, Arc<DialogFile>> {
        let mut dialogs = BTreeMap::new();
        for path in self.files.keys().filter_map(|f| f.strip_suffix(".rhai")) {
            let is_dialog = !path.contains('/');
            let (settings, defaults) = if is_dialog {
                self.settings(path)
            } else {
                let answers = Arc::new(self.answers.clone());
                (Settings::default(), Options::new(answers))
            };
            let none = BTreeSet::new();
            let whole = sources.get(path);
            let broken = self.broken.get(path);
            let Some(ast) = whole.or(broken.map(|(rest, _)| rest)) else {
                continue;
            };
            let found = inspect::inspect(
                ast,
                &Known {
                    file: ast.source().unwrap_or(path),
                    language: self.language,
                    sources,
                    modules,
                    sounds: &self.sounds,
                    settings: &settings,
                    defaults: &defaults,
                    is_dialog,
                    voices: self.voices,
                    blanked: broken.map_or(&none, |(_, words)| words),
                },
            );
            self.texts
                .extend(foresee::texts(ast, &settings, &defaults, &self.sounds));
            self.faults.extend(found.faults);
            // Slips in what is left of a broken script may be none in the whole.
            if whole.is_some() {
                self.warnings.extend(found.warnings);
            }
            if is_dialog && whole.is_some() {
                let defined = |names: [&'static str; 3]| {
                    names.into_iter().find(|name| {
                        ast.iter_functions()
                            .any(|f| f.name == *name && f.params.len() == 1)
                    })
                };
                let on_machine = defined(ON_MACHINE);
                if let (OnMachine::Continue, Some(name)) = (settings.machine.0, on_machine) {
                    self.warnings.push(never_called(path, name, self.language));
                }
                let dialog = DialogFile {
                    name: path.to_owned(),
                    file: format!("{path}.rhai"),
                    ast: ast.clone(),
                    settings,
                    defaults,
                    on_hang_up: defined(ON_HANG_UP),
                    on_machine,
                    phrases: OnceLock::new(),
                };
                dialogs.insert(path.to_owned(), Arc::new(dialog));
            }
        }
        self.orphans();
        dialogs
    }

    /// Settings without a dialog are a misspelt name.
    fn orphans(&mut self) {
        for file in self.files.keys() {
            let Some(name) = file.strip_suffix(".yaml").filter(|n| !n.contains('/')) else {
                continue;
            };
            if name != "phrases" && !self.files.contains_key(&format!("{name}.rhai")) {
                self.warnings.push(Fault {
                    file: file.clone(),
                    line: 0,
                    column: 0,
                    message: tr!(
                        self.language,
                        "настройки без сценария: файла {name}.rhai нет",
                        "settings without a dialog: there is no {name}.rhai"
                    ),
                });
            }
        }
    }

    fn settings(&mut self, name: &str) -> (Settings, Options) {
        let file = format!("{name}.yaml");
        let bytes = self.files.get(&file).map_or(&[][..], Vec::as_slice);
        let (settings, faults) = settings::of_dialog(&file, bytes, self.language);
        self.faults.extend(faults);
        let base = self.answers.clone();
        let answers = if settings.phrases.is_empty() {
            base
        } else {
            self.overlay(&base, &settings.phrases, &file)
        };
        let options = Options::new(Arc::new(answers));
        let listen: Map = settings
            .listen
            .iter()
            .map(|(k, v)| (k.as_str().into(), own_to_script(v)))
            .collect::<Map>();
        let mut merged = options;
        for (key, value) in listen {
            let one = Map::from([(key.clone(), Dynamic::clone(&value))]);
            match merged.with(&one, Taker::Ask, self.language) {
                Ok(with) => merged = with,
                Err(message) => self.faults.push(Fault {
                    line: self.line_with(&file, &key),
                    file: file.clone(),
                    column: 0,
                    message,
                }),
            }
        }
        if let Some(voice) = &merged.voice
            && let Err(message) = options::known_voice(voice, self.voices, self.language)
        {
            self.faults.push(Fault {
                line: self.line_with(&file, voice),
                file: file.clone(),
                column: 0,
                message,
            });
        }
        if let Some((key, range)) = settings.calls.fault() {
            self.faults.push(Fault {
                line: self.line_with(&file, key),
                file: file.clone(),
                column: 0,
                message: tr!(
                    self.language,
                    "calls.{key}: можно {range}",
                    "calls.{key}: {range} will do"
                ),
            });
        }
        let fallback = &settings.fallback;
        if !fallback.is_empty() && self.sounds.named(fallback).is_none() {
            let hint = super::talk::perhaps(self.language, fallback, self.sounds.names());
            self.faults.push(Fault {
                line: self.line_with(&file, fallback),
                file: file.clone(),
                column: 0,
                message: tr!(
                    self.language,
                    "fallback: нет звука «{fallback}» в папке sounds{hint}",
                    "fallback: there is no sound {fallback:?} in sounds{hint}"
                ),
            });
        }
        (settings, merged)
    }
}

/// By its settings the dialog goes on where a machine answered.
fn never_called(dialog: &str, name: &str, language: Language) -> Fault {
    Fault {
        file: format!("{dialog}.yaml"),
        line: 0,
        column: 0,
        message: tr!(
            language,
            "с «machine: continue» разговор с автоответчиком идёт дальше, и функция {name} из {dialog}.rhai не вызывается: уберите одно из двух",
            "with `machine: continue` the talk with a machine goes on, and the function {name} of {dialog}.rhai is never called: remove one of them"
        ),
    }
}

/// Characters of a version's id, hexadecimal.
pub(super) const ID_CHARS: usize = 12;

fn id(files: &Files) -> String {
    let mut hash = Md5::new();
    for (path, bytes) in files {
        // Lengths keep "ab" + "c" from being "a" + "bc".
        hash.update((path.len() as u64).to_le_bytes());
        hash.update(path);
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    }
    let digest = hash.finalize();
    digest
        .iter()
        .take(ID_CHARS / 2)
        .map(|b| format!("{b:02x}"))
        .collect()
}
