//! The words of the script language: one row each, English and Russian names, text and example for the guide, and
//! what it does. Changing a row changes the engine, `check` and the guide together.

use rhai::{Dynamic, FuncRegistration, Module};

use crate::call::Who;

use super::api;
use super::reply::ScriptReply;
use super::talk::Talk;
use super::web::{self, ScriptAnswer};

/// How a word enters the engine.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// A function; registers all its forms under the given name.
    Function(fn(&mut Module, &str)),
    /// A value of the call.
    Value(fn(&Talk) -> Dynamic),
    /// A field of a reply: in English, and in Russian where its words differ.
    Field(fn(&ScriptReply) -> Dynamic, fn(&ScriptReply) -> Dynamic),
    /// A field of a server's answer, likewise.
    Answer(fn(&ScriptAnswer) -> Dynamic, fn(&ScriptAnswer) -> Dynamic),
    /// A method of a reply.
    Method(fn(&mut Module, &str)),
    /// A function that the dialog defines and the runtime calls.
    Handler,
}

/// One row.
#[derive(Clone, Copy)]
pub struct Word {
    /// English name.
    pub en: &'static str,
    /// Russian name.
    pub ru: &'static str,
    /// How it is written: the parameters of a function, those that may be left out with a `?`, and the type that comes of
    /// it, as editors call it.
    form: &'static str,
    /// What it does, in Russian.
    pub doc_ru: &'static str,
    /// What it does, in English.
    pub doc_en: &'static str,
    /// An example.
    pub example: &'static str,
    /// How it enters the engine.
    pub(super) kind: Kind,
}

const fn row(
    kind: Kind,
    (en, ru): (&'static str, &'static str),
    form: &'static str,
    doc_ru: &'static str,
    doc_en: &'static str,
    example: &'static str,
) -> Word {
    Word {
        en,
        ru,
        form,
        doc_ru,
        doc_en,
        example,
        kind,
    }
}

use Kind::{Answer, Field, Function, Handler, Method, Value};

/// All words but the keywords and settings.
#[rustfmt::skip]
pub const WORDS: &[Word] = &[
    row(Function(api::play), ("play", "проиграть"), "(sound, options?) -> Reply", "проигрывает файл из sounds (или список файлов); возвращается, когда дослушали или перебили", "plays a file of sounds, or a list; returns when heard or cut", r#"play("greeting");"#),
    row(Function(api::say), ("say", "сказать"), "(text, options?) -> Reply", "произносит текст; ${параметр} заменяется значением", "speaks a text; ${param} is filled in", r#"say("Здравствуйте, ${name}!");"#),
    row(Function(api::listen), ("listen", "слушать"), "(options?) -> Reply", "слушает ответ, ничего не говоря", "one listening window, no prompt", r#"let answer = listen(#{ timeout: 3 });"#),
    row(Function(api::ask), ("ask", "спросить"), "(prompt, options?) -> Reply", "говорит вопрос и слушает ответ; переспрашивает attempts раз", "a prompt and a window; asks again, up to attempts times", r#"let answer = ask("Вы приедете?", #{ expect: ["yes", "no"], attempts: 3 });"#),
    row(Function(api::menu), ("menu", "меню"), "(prompt, branches, options?) -> ?", "выбор цифрой или словом; возвращает значение выбранной ветки или ()", "a choice by digit or word; gives the branch's value, or ()", r#"let part = menu("Для записи нажмите 1.", #{ "1, yes": "booking", "0, operator": "operator" });"#),
    row(Function(api::digits), ("digits", "цифры"), "(count, options?) -> Reply", "принимает столько цифр, клавишами или голосом", "collects so many digits, by key or by voice", r#"let code = digits(4, #{ prompt: "Введите код.", attempts: 2 });"#),
    row(Function(api::record), ("record", "записать"), "(options?) -> Reply", "начинает запись разговора; с сообщение: истина — записывает сообщение человека и ждёт, пока он договорит", "begins to record the call; with message: true it records a message of the person's and waits for its end", r##"let message = record(#{ message: true, prompt: "Оставьте сообщение после сигнала.", max: 60, terminator: "#" });"##),
    row(Function(api::record_stop), ("record_stop", "остановить_запись"), "()", "кончает запись разговора", "ends the recording of the call", "record_stop();"),
    row(Function(api::transfer), ("transfer", "перевести"), "(number, options?) -> string", "соединяет с другим номером; возвращает answered, busy, no_answer или failed", "connects to another number; gives answered, busy, no_answer or failed", r#"let result = transfer("88001234567", #{ ring: 20 });"#),
    row(Function(api::pause), ("pause", "пауза"), "(seconds)", "ждёт столько секунд; сказанное за это время не теряется", "waits so many seconds; what is said meanwhile is kept", "pause(1.5);"),
    row(Function(api::hang_up), ("hang_up", "положить_трубку"), "()", "кладёт трубку; сценарий может ещё записать итог", "hangs up; the dialog may still leave its outcome", "hang_up();"),
    row(Function(api::finish), ("finish", "завершить"), "(outcome, data?)", "кончает разговор с таким итогом и данными для 1С", "ends the dialog with that outcome and data for 1C", r#"finish("confirmed");"#),
    row(Function(api::stage), ("stage", "этап"), "(name)", "отмечает в истории, где сейчас разговор", "marks where the dialog is", r#"stage("greeting");"#),
    row(Function(api::set), ("set", "запомнить"), "(key, value)", "запоминает значение для 1С и для ${key}", "keeps a value for 1C and for ${key}", r#"set("comment", answer.text);"#),
    row(Function(api::param), ("param", "параметр"), "(key, otherwise?) -> ?", "параметр, который дала 1С; если его нет — второе значение или ()", "a parameter that 1C gave; else the second value, or ()", r#"let name = param("name", "клиент");"#),
    row(Function(api::log), ("log", "журнал"), "(text)", "пишет в историю звонка", "writes into the call's history", r#"log("клиент сомневается");"#),
    row(Function(api::event), ("event", "событие"), "(name, data?)", "событие в истории звонка", "an event in the call's history", r#"event("promise", #{ day: "завтра" });"#),
    row(Function(api::call_again), ("call_again", "перезвонить"), "(when)", "просит позвонить ещё раз: через столько секунд или во время \"18:30\", \"25.11.2026 18:30\"", "asks for another attempt: in so many seconds, or at \"18:30\", \"2026-11-25 18:30\"", r#"call_again("18:30");"#),
    row(Function(api::do_not_call), ("do_not_call", "не_звонить"), "(reason?)", "больше не звонить на этот номер: он попадает в список, а его заказы снимаются", "the number isn't to be called any more: it is listed, and its orders are closed", r#"if answer.is("stop_calling") { do_not_call("просил не звонить"); finish("refused"); }"#),

    row(Function(web::http_get), ("http_get", "http_получить"), "(url, options?) -> Answer", "спрашивает 1С или другой сервер посреди разговора; только серверы из web.hosts в govorun.yaml", "asks 1C or another server in mid-call; only those in web.hosts of govorun.yaml", r#"let debt = http_get("/hs/debt", #{ query: #{ phone: phone }, filler: "Минуту, проверяю." }); if debt.ok { say(`Ваш долг ${debt.data.sum}`); }"#),
    row(Function(web::http_post), ("http_post", "http_отправить"), "(url, data, options?) -> Answer", "отправляет данные (JSON) 1С или другому серверу", "hands data (JSON) to 1C or another server", r#"let taken = http_post("/hs/order", #{ phone: phone, when: answer.date });"#),

    row(Value(api::phone), ("phone", "телефон"), "-> string", "номер человека; () — номер скрыт", "the person's number; () where it is hidden", r#"log("номер " + phone);"#),
    row(Value(api::attempt), ("attempt", "попытка"), "-> int", "которая это попытка дозвона, от 1", "which attempt this is, from 1", r#"if attempt > 1 { say("Звоним ещё раз."); }"#),
    row(Value(api::call_id), ("call_id", "номер_звонка"), "-> string", "номер звонка, который дала 1С", "1C's id of the call", "log(call_id);"),

    row(Field(|r| r.reply().text.as_str().into(), |r| r.reply().text.as_str().into()), ("text", "текст"), "-> string", "что сказал человек", "what was said", r#"set("said", answer.text);"#),
    row(Field(|r| r.reply().kind.as_str().into(), |r| r.kind_ru().into()), ("kind", "вид"), "-> string", "чем кончилось слушание: speech (речь), digits (цифры), no_input (молчание), too_long (слишком_долго), failed (сбой); у записанного сообщения ещё hang_up (отбой)", "how it ended: speech, digits, no_input, too_long, failed; of a recorded message also hang_up", r#"if answer.kind == "no_input" { finish("silent"); }"#),
    row(Field(|r| r.reply().intent().unwrap_or("").into(), |r| r.intent_ru().into()), ("intent", "смысл"), "-> string", "имя понятого ответа или пустая строка", "the understood answer's name, or an empty string", r#"switch answer.intent { "yes" => say("Ждём!"), _ => say("Жаль.") }"#),
    row(Field(|r| r.reply().digits.as_str().into(), |r| r.reply().digits.as_str().into()), ("digits", "цифры"), "-> string", "нажатые или названные цифры", "digits, keyed or spoken", r#"set("code", answer.digits);"#),
    row(Field(ScriptReply::number, ScriptReply::number), ("number", "число"), "-> ?", "названное число; () — не названо или неясно", "the number; () where there is none for sure", r#"if answer.number != () && answer.number > 2 { say("Много!"); }"#),
    row(Field(ScriptReply::sum, ScriptReply::sum), ("sum", "сумма"), "-> ?", "названная сумма в рублях; () — не названа или неясна", "the sum in roubles; () where there is none for sure", r#"set("promised", answer.sum);"#),
    row(Field(ScriptReply::date, ScriptReply::date), ("date", "дата"), "-> ?", "названный день: \"2026-11-25\", промежуток: #{ from, to }; () — не назван или неясен", "the day: \"2026-11-25\", a stretch: #{ from, to }; () where there is none for sure", r#"finish("reschedule", #{ date: answer.date });"#),
    row(Field(ScriptReply::time, ScriptReply::time), ("time", "время"), "-> ?", "названное время: \"17:30\", промежуток: #{ from, to }; () — не названо или неясно", "the time: \"17:30\", a stretch: #{ from, to }; () where there is none for sure", r#"set("time", answer.time);"#),
    row(Field(ScriptReply::phone, ScriptReply::phone), ("phone", "телефон"), "-> ?", "названный номер: \"+79121234567\"; () — не назван или неясен", "the telephone number: \"+79121234567\"; () where there is none for sure", r#"set("other_phone", answer.phone);"#),
    row(Field(api::unsure, api::unsure_ru), ("unsure", "неясно"), "-> array", "список того, что названо неясно: number (число), sum (сумма), date (дата), time (время), phone (телефон), digits (цифры)", "what was named unclearly: number, sum, date, time, phone, digits", r#"if "time" in answer.unsure { say("Утра или вечера?"); }"#),
    row(Field(|r| r.is("yes").into(), |r| r.is("yes").into()), ("yes", "да"), "-> bool", "ответ «да»", "the answer is yes", r#"if answer.yes { finish("confirmed"); }"#),
    row(Field(|r| r.is("no").into(), |r| r.is("no").into()), ("no", "нет"), "-> bool", "ответ «нет»", "the answer is no", r#"if answer.no { finish("declined"); }"#),
    row(Field(|r| r.reply().barged_in.into(), |r| r.reply().barged_in.into()), ("barged_in", "перебил"), "-> bool", "человек перебил фразу", "the prompt was cut", "if answer.barged_in { pause(0.3); }"),
    row(Field(|r| i64::from(r.reply().attempts).into(), |r| i64::from(r.reply().attempts).into()), ("attempts", "попыток"), "-> int", "с которого раза ответили", "asked so often", "if answer.attempts > 1 { log(\"переспросили\"); }"),
    row(Field(api::parts, api::parts), ("parts", "части"), "-> array", "высказывания, из которых сложен ответ", "the utterances that it was put together from", "log(answer.parts.len());"),
    row(Field(ScriptReply::recording, ScriptReply::recording), ("recording", "запись"), "-> ?", "номер записанного сообщения, по нему 1С скачает звук; () — ничего не записано", "the number of the recorded message, by which 1C fetches it; () where nothing was recorded", r#"set("message", answer.recording);"#),
    row(Field(ScriptReply::seconds, ScriptReply::seconds), ("seconds", "секунд"), "-> float", "сколько секунд записано", "how many seconds were recorded", r#"if answer.seconds < 2.0 { log("пусто"); }"#),
    row(Method(api::is), ("is", "это"), "(name) -> bool", "ответ понят как name", "the answer is understood as name", r#"if answer.is("later") { finish("reschedule"); }"#),

    row(Answer(ScriptAnswer::ok, ScriptAnswer::ok), ("ok", "успешно"), "-> bool", "сервер ответил, и ответил 2xx", "the server answered 2xx", r#"let a = http_get("/hs/x"); if !a.ok { say("Не получилось узнать."); }"#),
    row(Answer(ScriptAnswer::status, ScriptAnswer::status), ("status", "код"), "-> int", "код ответа сервера; 0 — ответа нет", "the server's status; 0: no answer", r#"let a = http_get("/hs/x"); if a.status == 404 { say("Заказа нет."); }"#),
    row(Answer(ScriptAnswer::data, ScriptAnswer::data), ("data", "данные"), "-> ?", "что ответил сервер: поля JSON через точку, или текст", "what the server answered: JSON by its fields, or a text", r#"let a = http_get("/hs/x"); if a.ok { set("sum", a.data.sum); }"#),
    row(Answer(ScriptAnswer::error, ScriptAnswer::error_ru), ("error", "ошибка"), "-> string", "почему нет ответа: timeout (время_вышло), unreachable (не_отвечает), refused (отказ), too_large (слишком_много), not_json (не_json), redirects (перенаправления); пусто — ответ есть", "why there is no good answer: timeout, unreachable, refused, too_large, not_json, redirects; empty: there is one", r#"let a = http_get("/hs/x"); log(a.error);"#),

    row(Handler, ("on_hang_up", "при_отбое"), "(reason)", "эту функцию вызывают, если человек положил трубку", "called when the person hangs up", r#"fn on_hang_up(reason) { set("cut", true); }"#),
    row(Handler, ("on_machine", "при_автоответчике"), "(kind)", "эту функцию вызывают, если ответил не человек, — после его сигнала, когда можно оставить сообщение; вид: voicemail (автоответчик), assistant (помощник), unreachable (недоступен)", "called when no person answered, after the machine's tone, when it takes a message; kind: voicemail, assistant, unreachable", r#"fn on_machine(kind) { say("Это автосервис, перезвоните нам."); }"#),
];

/// Parameters of the words: English and Russian name, type as editors call it.
const PARAMETERS: &[(&str, &str, &str)] = &[
    ("sound", "звук", "?"),
    ("text", "текст", "?"),
    ("prompt", "вопрос", "?"),
    ("options", "настройки", "map"),
    ("branches", "ветки", "map"),
    ("count", "сколько", "int"),
    ("number", "номер", "string"),
    ("seconds", "секунды", "float"),
    ("outcome", "итог", "string"),
    ("data", "данные", "?"),
    ("name", "имя", "string"),
    ("key", "ключ", "string"),
    ("value", "значение", "?"),
    ("otherwise", "запасное", "?"),
    ("when", "когда", "?"),
    ("url", "адрес", "string"),
    ("reason", "причина", "string"),
    ("kind", "вид", "string"),
];

/// A parameter of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parameter {
    pub(super) en: &'static str,
    pub(super) ru: &'static str,
    /// As editors call it; `?` is anything.
    pub(super) kind: &'static str,
    pub(super) may_be_left_out: bool,
}

/// Whether `written` is that Russian name. Who writes in 1C begins words with a capital letter: `Сказать` is `сказать`.
pub(super) fn is_russian(ru: &str, written: &str) -> bool {
    ru == written || capital(ru) == written
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).collect()
}

impl Word {
    /// Whether that is one of its names.
    pub(super) fn is_named(&self, written: &str) -> bool {
        self.en == written || is_russian(self.ru, written)
    }

    /// Its parameters, in their order.
    pub(super) fn parameters(&self) -> Vec<Parameter> {
        let inside = self.form.split(')').next().unwrap_or_default();
        let names = inside.trim_start_matches('(').split(", ");
        names
            .filter_map(|name| {
                let plain = name.trim_end_matches('?');
                let row = PARAMETERS.iter().find(|(en, ..)| *en == plain)?;
                Some(Parameter {
                    en: row.0,
                    ru: row.1,
                    kind: row.2,
                    may_be_left_out: name.ends_with('?'),
                })
            })
            .collect()
    }

    /// The type of what it gives; empty where it gives nothing.
    pub(super) fn gives(&self) -> &'static str {
        self.form.split_once("-> ").map_or("", |(_, kind)| kind)
    }

    /// How many parameters it may be given.
    pub(super) fn arity(&self) -> std::ops::RangeInclusive<usize> {
        let all = self.parameters();
        let needed = all.iter().filter(|p| !p.may_be_left_out).count();
        needed..=all.len()
    }

    /// `(prompt, options)`, in the language of the name that was `written`.
    pub(super) fn form(&self, written: &str) -> String {
        let all = self.parameters();
        let names: Vec<&str> = all
            .iter()
            .map(|p| if written == self.en { p.en } else { p.ru })
            .collect();
        format!("({})", names.join(", "))
    }
}

/// Names of the built-in answers, English and Russian: either may stand in `expect` and `is`.
pub const ANSWERS: &[(&str, &str)] = &[
    ("yes", "да"),
    ("no", "нет"),
    ("repeat", "повторить"),
    ("later", "позже"),
    ("wrong_person", "не_тот"),
    ("operator", "оператор"),
    ("stop_calling", "не_звонить"),
    ("who_is_it", "кто_это"),
    ("voicemail", "автоответчик"),
];

/// The English name of a built-in answer; any other name as it is.
pub fn answer_en(name: &str) -> &str {
    ANSWERS
        .iter()
        .find(|(_, ru)| *ru == name)
        .map_or(name, |(en, _)| en)
}

/// The Russian name of a built-in answer; any other name as it is.
pub(super) fn answer_ru(name: &str) -> &str {
    ANSWERS
        .iter()
        .find(|(en, _)| *en == name)
        .map_or(name, |(_, ru)| ru)
}

/// The names under which the runtime calls a dialog's `on_hang_up`.
pub(super) const ON_HANG_UP: [&str; 3] = ["on_hang_up", "при_отбое", "При_отбое"];
/// And its `on_machine`.
pub(super) const ON_MACHINE: [&str; 3] = ["on_machine", "при_автоответчике", "При_автоответчике"];

/// Who answered, as `при_автоответчике` is told.
pub(super) fn answerer_ru(who: Who) -> &'static str {
    match who {
        Who::Person => "человек",
        Who::Voicemail => "автоответчик",
        Who::Assistant => "помощник",
        Who::Unreachable => "недоступен",
        Who::InvalidNumber => "нет_номера",
        Who::Unsure => "неясно",
    }
}

/// The row of a function that the runtime calls.
pub(super) fn handler(name: &str) -> Option<&'static Word> {
    WORDS
        .iter()
        .filter(|w| matches!(w.kind, Handler))
        .find(|w| w.en == name || w.ru == name.to_lowercase())
}

/// Registers functions, fields and methods under both names.
pub(super) fn register(module: &mut Module) {
    module.set_custom_type::<ScriptReply>("Reply");
    module.set_custom_type::<ScriptAnswer>("Answer");
    for word in WORDS {
        match word.kind {
            Function(install) | Method(install) => {
                for name in [word.en, word.ru, &capital(word.ru)] {
                    install(module, name);
                }
            }
            Field(en, ru) => {
                for (name, read) in [(word.en, en), (word.ru, ru), (&capital(word.ru), ru)] {
                    FuncRegistration::new_getter(name)
                        .set_into_module(module, move |reply: &mut ScriptReply| read(reply));
                }
            }
            Answer(en, ru) => {
                for (name, read) in [(word.en, en), (word.ru, ru), (&capital(word.ru), ru)] {
                    FuncRegistration::new_getter(name)
                        .set_into_module(module, move |answer: &mut ScriptAnswer| read(answer));
                }
            }
            Value(_) | Handler => {}
        }
    }
    api::register_operators(module);
}

/// The values of one call, under both names.
pub(super) fn values(talk: &Talk) -> Module {
    let mut module = Module::new();
    for word in WORDS {
        if let Value(read) = word.kind {
            let value = read(talk);
            module.set_var(word.en, value.clone());
            module.set_var(word.ru, value);
        }
    }
    module
}

/// Names of the values of a call, for the parser.
pub(super) fn value_names() -> impl Iterator<Item = &'static str> {
    WORDS
        .iter()
        .filter(|w| matches!(w.kind, Value(_)))
        .flat_map(|w| [w.en, w.ru])
}

/// The function word of that name, in either language.
pub(super) fn function(name: &str) -> Option<&'static Word> {
    WORDS
        .iter()
        .filter(|w| matches!(w.kind, Function(_)))
        .find(|w| w.is_named(name))
}
