//! Texts that a script is known to say, whatever the call: they can be synthesized when the dialogs are loaded.

use std::collections::BTreeSet;

use rhai::{AST, ASTNode, Array, Dynamic, Expr, FnCallExpr, ImmutableString, Map};

use crate::call::Saying;
use crate::config::Language;

use super::fill;
use super::options::{Options, Setting, Taker};
use super::prompts::{MAX_TEXT_CHARS, SAY_KEYS};
use super::settings::Settings;
use super::sounds::Sounds;
use super::values::to_text;
use super::words;

/// The texts of a script's `say`, `ask`, `menu` and `digits` that are written as they are spoken, or whose `${name}` has a
/// default in the dialog's `params`; and those of its `listen`. Not those that a prompt file speaks.
pub(super) fn texts(
    ast: &AST,
    settings: &Settings,
    defaults: &Options,
    sounds: &Sounds,
) -> Vec<Saying> {
    let mut foreseen = Foreseen {
        settings,
        defaults,
        sounds,
        set: BTreeSet::new(),
        texts: Vec::new(),
    };
    ast.walk(&mut |nodes: &[ASTNode]| {
        if let Some(call) = call_of(nodes)
            && is(call, "set")
            && let Some(Expr::StringConstant(key, _)) = call.args.first()
        {
            foreseen.set.insert(key.to_string());
        }
        true
    });
    ast.walk(&mut |nodes: &[ASTNode]| {
        if let Some(call) = call_of(nodes) {
            foreseen.call(call);
        }
        true
    });
    for value in [&defaults.no_input, &defaults.no_match, &defaults.prompt] {
        foreseen.value(value);
    }
    foreseen.texts
}

fn call_of<'a>(nodes: &[ASTNode<'a>]) -> Option<&'a FnCallExpr> {
    match nodes.last() {
        Some(ASTNode::Expr(Expr::FnCall(call, _))) => Some(call),
        Some(ASTNode::Stmt(rhai::Stmt::FnCall(call, _))) => Some(call),
        _ => None,
    }
}

fn is(call: &FnCallExpr, en: &str) -> bool {
    words::function(&call.name).is_some_and(|word| word.en == en)
}

struct Foreseen<'a> {
    settings: &'a Settings,
    defaults: &'a Options,
    sounds: &'a Sounds,
    /// Names that the script sets itself.
    set: BTreeSet<String>,
    texts: Vec<Saying>,
}

impl Foreseen<'_> {
    fn call(&mut self, call: &FnCallExpr) {
        let Some(word) = words::function(&call.name) else {
            return;
        };
        let (what, at, taker) = match word.en {
            "say" => (call.args.first(), 1, Taker::Speak),
            "ask" => (call.args.first(), 1, Taker::Ask),
            "menu" => (call.args.first(), 2, Taker::Ask),
            "digits" => (None, 1, Taker::Digits),
            "record" => (None, 0, Taker::Record),
            _ => return,
        };
        let mut options = self.defaults.clone();
        let mut prompts: Vec<&Expr> = what.into_iter().collect();
        match call.args.get(at) {
            None => {}
            Some(Expr::Map(map, _)) => {
                for (key, value) in &map.0 {
                    match taker.setting(&key.name, Language::En) {
                        Ok(Setting::NoInput | Setting::NoMatch | Setting::Prompt) => {
                            prompts.push(value);
                        }
                        Ok(Setting::Voice | Setting::Speed) => {
                            let one = value
                                .get_literal_value(None)
                                .map(|value| Map::from([(key.name.as_str().into(), value)]));
                            let with = one.map(|one| options.with(&one, taker, Language::En));
                            match with {
                                Some(Ok(with)) => options = with,
                                // Computed: which voice it will be is not known.
                                _ => return,
                            }
                        }
                        _ => {}
                    }
                }
            }
            // Computed settings may name a voice.
            Some(_) => return,
        }
        for prompt in prompts {
            self.prompt(prompt, &options);
        }
    }

    fn prompt(&mut self, prompt: &Expr, options: &Options) {
        match prompt {
            Expr::StringConstant(text, _) => self.text(text, options),
            Expr::Array(items, _) => items.iter().for_each(|item| self.prompt(item, options)),
            Expr::Map(map, _) => {
                for (key, value) in &map.0 {
                    if SAY_KEYS.contains(&key.name.as_str()) {
                        self.prompt(value, options);
                    }
                }
            }
            _ => {}
        }
    }

    /// A prompt of the dialog's YAML.
    fn value(&mut self, value: &Dynamic) {
        if let Some(text) = value.read_lock::<ImmutableString>() {
            self.text(&text, self.defaults);
        } else if let Some(list) = value.read_lock::<Array>() {
            for item in list.iter() {
                if let Some(text) = item.read_lock::<ImmutableString>() {
                    self.text(&text, self.defaults);
                }
            }
        }
    }

    fn text(&mut self, text: &str, options: &Options) {
        let filled = fill::fill(text, |name| {
            let default = self.settings.params.get(name);
            default
                .filter(|value| !value.is_null() && !self.set.contains(name))
                .map(to_text)
        });
        let Ok(text) = filled else {
            return;
        };
        let silent = text.trim().is_empty() || text.chars().count() > MAX_TEXT_CHARS;
        if silent || self.sounds.speaking(&text).is_some() {
            return;
        }
        self.texts.push(Saying {
            voice: options.voice.clone(),
            speed_percent: options.speed_percent,
            ..Saying::plain(text)
        });
    }
}
