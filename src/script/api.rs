//! What the words do: each function here is named in a row of [`super::words`] and registers its forms.

use std::sync::{Arc, LazyLock};

use jiff::{Timestamp, Zoned};
use rhai::{Dynamic, FnPtr, FuncRegistration, ImmutableString, Map, Module, NativeCallContext};

use crate::audio::{Sound, tone};
use crate::call::fields::fields;
use crate::call::history::kind;
use crate::call::request::MAX_PAUSE_MS;
use crate::call::{Ask, Hears, MessageAsk, Reply, ReplyKind, Turn, outcome};
use crate::config::Language;
use crate::ident::Phone;

use super::again;
use super::options::{Options, Taker};
use super::prompts::{Bare, prompts, rising};
use super::reply::ScriptReply;
use super::talk::{Ending, Res, Talk, ended, fault, talk};
use super::tr;

type Ctx<'a> = NativeCallContext<'a>;

/// Registers one form of a word. Volatile: what it does must never be computed at compile time.
macro_rules! form {
    ($module:expr, $name:expr, $function:expr) => {
        FuncRegistration::new($name)
            .in_global_namespace()
            .with_volatility(true)
            .set_into_module($module, $function);
    };
}

fn options(talk: &Talk, map: &Map, taker: Taker) -> Res<Options> {
    talk.dialog
        .defaults
        .with(map, taker, talk.language)
        .map_err(fault)
}

fn speak(context: &Ctx, what: &Dynamic, bare: Bare, map: &Map) -> Res<ScriptReply> {
    let talk = talk(context)?;
    let options = options(&talk, map, Taker::Speak)?;
    let prompts = prompts(&talk, what, bare, &options)?;
    let reply = talk.reply(|line| line.play(prompts, options.barge_in))?;
    Ok(ScriptReply::new(reply, &talk.line.now()))
}

pub(super) fn play(module: &mut Module, name: &str) {
    form!(module, name, |c: Ctx, what: Dynamic| speak(
        &c,
        &what,
        Bare::File,
        &Map::new()
    ));
    form!(module, name, |c: Ctx, what: Dynamic, map: Map| speak(
        &c,
        &what,
        Bare::File,
        &map
    ));
}

pub(super) fn say(module: &mut Module, name: &str) {
    form!(module, name, |c: Ctx, what: Dynamic| speak(
        &c,
        &what,
        Bare::Text,
        &Map::new()
    ));
    form!(module, name, |c: Ctx, what: Dynamic, map: Map| speak(
        &c,
        &what,
        Bare::Text,
        &map
    ));
}

pub(super) fn listen(module: &mut Module, name: &str) {
    fn listen(context: &Ctx, map: &Map) -> Res<ScriptReply> {
        let talk = talk(context)?;
        let options = options(&talk, map, Taker::Listen)?;
        let hours = options.hours;
        let reply = talk.reply(|line| {
            line.turn(Turn {
                prompts: Vec::new(),
                barge_in: options.barge_in,
                window: Some(options.window),
            })
        })?;
        Ok(ScriptReply::new(reply, &talk.line.now()).within(hours))
    }
    form!(module, name, |c: Ctx| listen(&c, &Map::new()));
    form!(module, name, |c: Ctx, map: Map| listen(&c, &map));
}

/// Options and a question become what the line asks.
fn question(talk: &Talk, what: &Dynamic, options: Options) -> Res<Ask> {
    Ok(Ask {
        prompts: rising(talk, what, &options)?,
        no_input: prompts(talk, &options.no_input, Bare::Text, &options)?,
        no_match: prompts(talk, &options.no_match, Bare::Text, &options)?,
        attempts: options.attempts,
        barge_in: options.barge_in,
        window: options.window,
        digits: None,
    })
}

pub(super) fn ask(module: &mut Module, name: &str) {
    fn ask(context: &Ctx, what: &Dynamic, map: &Map) -> Res<ScriptReply> {
        let talk = talk(context)?;
        let options = options(&talk, map, Taker::Ask)?;
        let hours = options.hours;
        let ask = question(&talk, what, options)?;
        let reply = talk.reply(|line| line.ask(&ask))?;
        Ok(ScriptReply::new(reply, &talk.line.now()).within(hours))
    }
    form!(module, name, |c: Ctx, what: Dynamic| ask(
        &c,
        &what,
        &Map::new()
    ));
    form!(module, name, |c: Ctx, what: Dynamic, map: Map| ask(
        &c, &what, &map
    ));
}

pub(super) fn digits(module: &mut Module, name: &str) {
    fn digits(context: &Ctx, count: i64, map: &Map) -> Res<ScriptReply> {
        let talk = talk(context)?;
        let Some(count) = u32::try_from(count).ok().filter(|n| (1..=40).contains(n)) else {
            return Err(fault(tr!(
                talk.language,
                "цифр может быть от 1 до 40, а не {count}",
                "1 to 40 digits can be collected, not {count}"
            )));
        };
        let mut options = options(&talk, map, Taker::Digits)?;
        let mut rule = options.window.digits.unwrap_or_default();
        rule.max_digits = count;
        options.window.digits = Some(rule);
        let least = options.min_digits.unwrap_or(count).min(count);
        let what = options.prompt.clone();
        let mut ask = question(&talk, &what, options)?;
        ask.digits = Some(least as usize..=count as usize);
        let reply = talk.reply(|line| line.ask(&ask))?;
        Ok(ScriptReply::new(reply, &talk.line.now()))
    }
    form!(module, name, |c: Ctx, count: i64| digits(
        &c,
        count,
        &Map::new()
    ));
    form!(module, name, |c: Ctx, count: i64, map: Map| digits(
        &c, count, &map
    ));
}

/// A branch's key holds digits and answer names: `"1, yes"`.
pub(super) fn branch_keys(key: &str) -> impl Iterator<Item = &str> {
    key.split([',', ' ', '|']).filter(|k| !k.is_empty())
}

pub(super) fn is_keys(key: &str) -> bool {
    key.chars().all(|c| c.is_ascii_digit() || "*#".contains(c))
}

pub(super) fn menu(module: &mut Module, name: &str) {
    fn menu(context: &Ctx, what: &Dynamic, branches: &Map, map: &Map) -> Res<Dynamic> {
        let talk = talk(context)?;
        let mut options = options(&talk, map, Taker::Ask)?;
        let keys = || branches.keys().flat_map(|k| branch_keys(k));
        let mut longest = 0;
        for key in keys() {
            if is_keys(key) {
                longest = longest.max(key.len());
            } else {
                let answers = &options.window.answers;
                let known = super::options::known_answer(key, answers, talk.language)
                    .map_err(|sentence| fault(sentence.trim_start_matches('!').to_owned()))?;
                options.window.expect.push(known);
            }
        }
        if longest > 0 && !options.max_digits_named {
            let mut rule = options.window.digits.unwrap_or_default();
            rule.max_digits = u32::try_from(longest).unwrap_or(1);
            options.window.digits = Some(rule);
        }
        let attempts = options.attempts;
        let mut ask = question(&talk, what, options)?;
        // A key that names no branch is asked about again, as a word that isn't understood is.
        ask.attempts = 1;
        let (prompts, no_input, no_match) = (
            std::mem::take(&mut ask.prompts),
            std::mem::take(&mut ask.no_input),
            std::mem::take(&mut ask.no_match),
        );
        let mut lead = Vec::new();
        for attempt in 0..attempts as usize {
            let question = prompts.get(attempt).or(prompts.last());
            let spoken = std::mem::take(&mut lead);
            ask.prompts = vec![
                spoken
                    .into_iter()
                    .chain(question.into_iter().flatten().cloned())
                    .collect(),
            ];
            let reply = talk.reply(|line| line.ask(&ask))?;
            let reply = ScriptReply::new(reply, &talk.line.now());
            let chosen = branches
                .iter()
                .find(|(key, _)| branch_keys(key).any(|k| reply.is(k)));
            if let Some((_, value)) = chosen {
                return match value.read_lock::<FnPtr>().map(|f| f.clone()) {
                    Some(branch) => branch.call_within_context(context, ()),
                    None => Ok(value.clone()),
                };
            }
            lead = match reply.reply().kind {
                crate::call::ReplyKind::NoInput => no_input.clone(),
                crate::call::ReplyKind::Failed => break,
                _ => no_match.clone(),
            };
        }
        Ok(Dynamic::UNIT)
    }
    form!(module, name, |c: Ctx, what: Dynamic, branches: Map| menu(
        &c,
        &what,
        &branches,
        &Map::new()
    ));
    form!(module, name, |c: Ctx,
                         what: Dynamic,
                         branches: Map,
                         map: Map| menu(
        &c, &what, &branches, &map
    ));
}

pub(super) fn record(module: &mut Module, name: &str) {
    fn message(context: &Ctx, map: &Map) -> Res<Dynamic> {
        let talk = talk(context)?;
        let options = options(&talk, map, Taker::Record)?;
        if options.message != Some(true) {
            let names = map.keys().map(|name| name.as_str());
            if let Some(sentence) = super::options::no_message(names, talk.language) {
                return Err(fault(sentence));
            }
            return talk.wait(|line| line.record()).map(Dynamic::from);
        }
        let ask = MessageAsk {
            prompts: prompts(&talk, &options.prompt, Bare::Text, &options)?,
            barge_in: options.barge_in,
            beep: options.beep.then(|| beep(talk.language)),
            window: options
                .message_window(talk.dialog.settings.recognizer.hears() != Hears::Nobody),
        };
        let reply = talk.wait(|line| line.message(&ask))?;
        // A hang-up ends a message like any other; before one it ends the script.
        if reply.kind == ReplyKind::HangUp && reply.recorded.is_none() {
            return Err(ended(Ending::HungUp));
        }
        Ok(Dynamic::from(ScriptReply::new(reply, &talk.line.now())))
    }
    form!(module, name, |c: Ctx| talk(&c)?.wait(|line| line.record()));
    form!(module, name, |c: Ctx, map: Map| message(&c, &map));
}

/// The tone of `record`, under a name that the transcript shows.
fn beep(language: Language) -> Sound {
    static SAMPLES: LazyLock<Arc<[i16]>> = LazyLock::new(|| tone::beep(1_000, 300));
    Sound::new(language.pick("сигнал", "beep"), Arc::clone(&SAMPLES))
}

pub(super) fn record_stop(module: &mut Module, name: &str) {
    form!(module, name, |c: Ctx| talk(&c)?
        .wait(|line| line.record_stop()));
}

pub(super) fn transfer(module: &mut Module, name: &str) {
    fn transfer(context: &Ctx, number: &str, map: &Map) -> Res<ImmutableString> {
        let talk = talk(context)?;
        let options = options(&talk, map, Taker::Transfer)?;
        // As in prompts: the number may be a parameter.
        let number = &talk.fill(number)?;
        let number = Phone::parse(number).map_err(|error| {
            fault(tr!(
                talk.language,
                "на номер «{number}» перевести нельзя: номер — это цифры, можно с плюсом впереди ({error})",
                "can't transfer to {number:?}: {error}"
            ))
        })?;
        let status = talk.wait(|line| line.transfer(number, options.ring_ms))?;
        Ok(status.into())
    }
    form!(module, name, |c: Ctx, number: &str| transfer(
        &c,
        number,
        &Map::new()
    ));
    form!(module, name, |c: Ctx, number: &str, map: Map| transfer(
        &c, number, &map
    ));
    // A parameter that 1C or YAML gave as a number: `101`.
    form!(module, name, |c: Ctx, number: i64| transfer(
        &c,
        &number.to_string(),
        &Map::new()
    ));
    form!(module, name, |c: Ctx, number: i64, map: Map| transfer(
        &c,
        &number.to_string(),
        &map
    ));
}

pub(super) fn pause(module: &mut Module, name: &str) {
    form!(module, name, |c: Ctx, seconds: f64| wait(&c, seconds));
    form!(module, name, |c: Ctx, seconds: i64| wait(
        &c,
        seconds as f64
    ));
}

/// Waits on the line, so that a hang-up ends it.
pub(super) fn wait(context: &Ctx, seconds: f64) -> Res<()> {
    let talk = talk(context)?;
    let most = MAX_PAUSE_MS / 1000;
    if !(0.0..=most as f64).contains(&seconds) {
        return Err(fault(tr!(
            talk.language,
            "пауза может быть от 0 до {most} секунд, а не {seconds}",
            "a pause is 0 to {most} seconds, not {seconds}"
        )));
    }
    // Bounded by `most`, so the number fits.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    talk.wait(|line| line.pause((seconds * 1000.0) as u64))
}

pub(super) fn hang_up(module: &mut Module, name: &str) {
    form!(module, name, |c: Ctx| {
        let talk = talk(&c)?;
        talk.left(|left| left.hung_up = true);
        talk.wait(|line| line.hang_up())
    });
}

/// Outcomes that tell of the line, not of the talk: only the runtime gives them.
const OF_THE_LINE: [&str; 9] = [
    outcome::BUSY,
    outcome::NO_ANSWER,
    outcome::REJECTED,
    outcome::UNREACHABLE,
    outcome::INVALID_NUMBER,
    outcome::CONGESTION,
    outcome::SCRIPT_ERROR,
    outcome::RUNTIME_ERROR,
    outcome::OUT_OF_HOURS,
];

/// Whether a dialog may not end with that word.
pub(super) fn is_of_the_line(outcome: &str) -> bool {
    OF_THE_LINE.contains(&outcome)
}

pub(super) fn finish(module: &mut Module, name: &str) {
    fn finish(context: &Ctx, outcome: &str, data: &Map) -> Res<()> {
        let talk = talk(context)?;
        let outcome = talk.name(outcome)?;
        if is_of_the_line(&outcome) {
            return Err(fault(tr!(
                talk.language,
                "итог «{outcome}» ставит сам Говорун, когда дозвониться не вышло: выберите другое слово",
                "outcome {outcome:?} is the runtime's own: choose another word"
            )));
        }
        for (key, value) in data {
            talk.set(key, value)?;
        }
        talk.left(|left| left.outcome = Some(outcome.into_owned()));
        Err(ended(Ending::Finished))
    }
    form!(module, name, |c: Ctx, outcome: &str| finish(
        &c,
        outcome,
        &Map::new()
    ));
    form!(module, name, |c: Ctx, outcome: &str, data: Map| finish(
        &c, outcome, &data
    ));
}

pub(super) fn stage(module: &mut Module, name: &str) {
    form!(module, name, |c: Ctx, name: &str| {
        let talk = talk(&c)?;
        let name = talk.name(name)?;
        talk.note(kind::STAGE, fields!({ "name": name }))
    });
}

pub(super) fn set(module: &mut Module, name: &str) {
    form!(module, name, |c: Ctx, key: &str, value: Dynamic| talk(&c)?
        .set(key, &value));
}

pub(super) fn param(module: &mut Module, name: &str) {
    fn param(context: &Ctx, key: &str, otherwise: Dynamic) -> Res<Dynamic> {
        let found = talk(context)?.param(key).filter(|v| !v.is_null());
        Ok(found.map_or(otherwise, |v| super::values::to_script(&v)))
    }
    form!(module, name, |c: Ctx, key: &str| param(
        &c,
        key,
        Dynamic::UNIT
    ));
    form!(module, name, |c: Ctx, key: &str, otherwise: Dynamic| param(
        &c, key, otherwise
    ));
}

pub(super) fn log(module: &mut Module, name: &str) {
    form!(module, name, |c: Ctx, text: Dynamic| talk(&c)?
        .log(&text.to_string()));
}

impl Talk {
    /// `log`, `print` and `debug`.
    pub(super) fn log(&self, text: &str) -> Res<()> {
        let text = super::fill::plain(text);
        let text: String = text.chars().take(super::prompts::MAX_TEXT_CHARS).collect();
        self.note(kind::LOG, fields!({ "text": text }))
    }
}

pub(super) fn event(module: &mut Module, name: &str) {
    fn event(context: &Ctx, name: &str, data: &Dynamic) -> Res<()> {
        let talk = talk(context)?;
        let name = talk.name(name)?;
        let data = talk.json(data)?;
        talk.note(kind::EVENT, fields!({ "name": name, "data": data }))
    }
    form!(module, name, |c: Ctx, name: &str| event(
        &c,
        name,
        &Dynamic::UNIT
    ));
    form!(module, name, |c: Ctx, name: &str, data: Dynamic| event(
        &c, name, &data
    ));
}

/// Longest reason of `do_not_call`, characters.
const MAX_REASON_CHARS: usize = 200;

pub(super) fn do_not_call(module: &mut Module, name: &str) {
    fn because(context: &Ctx, reason: &str) -> Res<()> {
        let talk = talk(context)?;
        let reason: String = reason.chars().take(MAX_REASON_CHARS).collect();
        talk.left(|left| {
            left.do_not_call = Some(reason.clone());
            left.call_again = None;
        });
        talk.note(kind::DO_NOT_CALL, fields!({ "reason": reason }))
    }
    form!(module, name, |c: Ctx| because(&c, ""));
    form!(module, name, |c: Ctx, reason: &str| because(&c, reason));
}

pub(super) fn call_again(module: &mut Module, name: &str) {
    fn at(context: &Ctx, text: &str, when: impl FnOnce(&Zoned) -> Option<Timestamp>) -> Res<()> {
        let talk = talk(context)?;
        let days = again::MAX_DAYS;
        let when = when(&talk.line.now()).ok_or_else(|| {
            fault(tr!(
                talk.language,
                "не понять, когда перезвонить: «{text}». Нужны секунды, \"18:30\" или \"25.11.2026 18:30\", не позже чем через {days} дней",
                "can't tell when to call again: {text:?}. Wanted are seconds, \"18:30\" or \"2026-11-25 18:30\", within {days} days"
            ))
        })?;
        talk.left(|left| left.call_again = Some(when));
        talk.note(
            kind::SET,
            fields!({ "key": "call_again", "value": when.to_string() }),
        )
    }
    form!(module, name, |c: Ctx, seconds: i64| at(
        &c,
        &seconds.to_string(),
        |now| again::after(now.timestamp(), seconds as f64)
    ));
    form!(module, name, |c: Ctx, seconds: f64| at(
        &c,
        &seconds.to_string(),
        |now| again::after(now.timestamp(), seconds)
    ));
    form!(module, name, |c: Ctx, text: &str| at(&c, text, |now| {
        again::at(now.timestamp(), now.time_zone(), text)
    }));
}

pub(super) fn phone(talk: &Talk) -> Dynamic {
    let phone = &talk.line.info().phone;
    phone.as_ref().map_or(Dynamic::UNIT, |p| p.as_str().into())
}

pub(super) fn attempt(talk: &Talk) -> Dynamic {
    i64::from(talk.line.info().attempt).into()
}

pub(super) fn call_id(talk: &Talk) -> Dynamic {
    talk.line.info().call_id.as_str().into()
}

/// `unsure`
pub(super) fn unsure(reply: &ScriptReply) -> Dynamic {
    let names = reply.unsure().into_iter().map(Dynamic::from);
    Dynamic::from_array(names.collect())
}

/// `неясно`
pub(super) fn unsure_ru(reply: &ScriptReply) -> Dynamic {
    let names = reply.unsure().into_iter().map(|name| {
        let row = super::words::WORDS.iter().find(|row| row.en == name);
        Dynamic::from(row.map_or(name, |row| row.ru))
    });
    Dynamic::from_array(names.collect())
}

pub(super) fn parts(reply: &ScriptReply) -> Dynamic {
    let Reply { parts, .. } = reply.reply();
    Dynamic::from_array(parts.iter().map(|p| p.as_str().into()).collect())
}

pub(super) fn is(module: &mut Module, name: &str) {
    form!(module, name, |reply: &mut ScriptReply, name: &str| reply
        .is(name));
}

/// A reply in a text is what was said; compared with a string, it is that answer or not. `sleep` waits on the line:
/// Rhai's own would block past the hang-up. `replace` is bounded before it allocates.
pub(super) fn register_operators(module: &mut Module) {
    for name in [rhai::FUNC_TO_STRING, rhai::FUNC_TO_DEBUG] {
        form!(module, name, |reply: &mut ScriptReply| reply
            .reply()
            .text
            .as_str()
            .to_owned());
    }
    form!(module, "==", |a: ScriptReply, b: &str| a.is(b));
    form!(module, "!=", |a: ScriptReply, b: &str| !a.is(b));
    pause(module, "sleep");
    fn replace(c: &Ctx, text: &mut ImmutableString, find: &str, put: &str) -> Res<()> {
        let most = super::engine::MAX_STRING;
        let found = if find.is_empty() {
            text.chars().count() + 1
        } else {
            text.matches(find).count()
        };
        if text.len() + found * put.len() > most {
            let kind = "Length of string".to_owned();
            return Err(rhai::EvalAltResult::ErrorDataTooLarge(kind, c.call_position()).into());
        }
        *text = text.replace(find, put).into();
        Ok(())
    }
    form!(module, "replace", |c: Ctx,
                              text: &mut ImmutableString,
                              find: &str,
                              put: &str| {
        replace(&c, text, find, put)
    });
    form!(module, "replace", |c: Ctx,
                              text: &mut ImmutableString,
                              find: char,
                              put: &str| {
        replace(&c, text, find.encode_utf8(&mut [0; 4]), put)
    });
}
