//! `http_get` and `http_post`: what a dialog asks of 1C or another server in mid-call, and the answer as it holds it.

use std::sync::Arc;

use rhai::{Dynamic, FuncRegistration, Map, Module, NativeCallContext};

use crate::net::web::reach::encode_value;
use crate::net::web::{WebAnswer, WebFault, WebMethod, WebOrder};

use super::fill::plain;
use super::options::Taker;
use super::prompts::{Bare, prompts};
use super::talk::{Res, fault, talk};
use super::tr;
use super::values::{to_json, to_script, to_text};

/// A server's answer in a script's hand. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct ScriptAnswer(Arc<WebAnswer>);

impl ScriptAnswer {
    /// The server said 2xx.
    pub(super) fn ok(&self) -> Dynamic {
        self.0.is_ok().into()
    }

    /// The server's status; 0 where it said nothing.
    pub(super) fn status(&self) -> Dynamic {
        i64::from(self.0.status).into()
    }

    /// JSON as a script sees it, or a text.
    pub(super) fn data(&self) -> Dynamic {
        to_script(&self.0.data)
    }

    /// Why there is no good answer, as a word; empty where there is one.
    pub(super) fn error(&self) -> Dynamic {
        match &self.0.fault {
            Some(fault) => fault.as_str().into(),
            None if self.0.is_ok() => "".into(),
            None => "refused".into(),
        }
    }

    /// The same in Russian.
    pub(super) fn error_ru(&self) -> Dynamic {
        match &self.0.fault {
            Some(WebFault::Timeout { .. }) => "время_вышло",
            Some(WebFault::TooLarge { .. }) => "слишком_много",
            Some(WebFault::NotJson(_)) => "не_json",
            Some(WebFault::Redirects(_)) => "перенаправления",
            Some(_) => "не_отвечает",
            None if self.0.is_ok() => "",
            None => "отказ",
        }
        .into()
    }
}

fn ask(
    context: &NativeCallContext,
    method: WebMethod,
    url: &str,
    body: Option<&Dynamic>,
    map: &Map,
) -> Res<ScriptAnswer> {
    let talk = talk(context)?;
    let options = talk
        .dialog
        .defaults
        .with(map, Taker::Web, talk.language)
        .map_err(fault)?;
    let mut url = plain(url).into_owned();
    for (name, value) in &options.query {
        let value = to_json(value).map_err(|what| {
            fault(tr!(
                talk.language,
                "параметр «{name}» в адрес не поставить: {what}",
                "parameter {name:?} can't stand in an address: {what}"
            ))
        })?;
        url.push(if url.contains('?') { '&' } else { '?' });
        url.push_str(&encode_value(&plain(name)));
        url.push('=');
        url.push_str(&encode_value(&to_text(&value)));
    }
    let order = WebOrder {
        method,
        url,
        body: body.map(|body| talk.json(body)).transpose()?,
        timeout_ms: options.answer_ms,
    };
    let filler = prompts(&talk, &options.filler, Bare::Text, &options)?;
    let answer = talk.wait(|line| line.web(order, filler))?;
    match &answer.fault {
        Some(WebFault::Url(url)) => Err(fault(tr!(
            talk.language,
            "«{url}» — не адрес: нужно https://сервер/путь или /путь",
            "{url:?} is no address: write https://host/path or /path"
        ))),
        Some(WebFault::NotAllowed { url, allowed }) if allowed.is_empty() => Err(fault(tr!(
            talk.language,
            "обращаться к «{url}» нельзя: в govorun.yaml не разрешён ни один сервер (web.hosts)",
            "{url:?} may not be asked: govorun.yaml allows no server (web.hosts)"
        ))),
        Some(WebFault::NotAllowed { url, allowed }) => Err(fault(tr!(
            talk.language,
            "обращаться к «{url}» нельзя: в govorun.yaml (web.hosts) разрешены только {allowed}",
            "{url:?} may not be asked: govorun.yaml (web.hosts) allows only {allowed}"
        ))),
        _ => Ok(ScriptAnswer(Arc::new(answer))),
    }
}

macro_rules! form {
    ($module:expr, $name:expr, $function:expr) => {
        FuncRegistration::new($name)
            .in_global_namespace()
            .with_volatility(true)
            .set_into_module($module, $function);
    };
}

pub(super) fn http_get(module: &mut Module, name: &str) {
    const GET: WebMethod = WebMethod::Get;
    form!(module, name, |c: NativeCallContext, url: &str| ask(
        &c,
        GET,
        url,
        None,
        &Map::new()
    ));
    form!(module, name, |c: NativeCallContext, url: &str, map: Map| {
        ask(&c, GET, url, None, &map)
    });
}

pub(super) fn http_post(module: &mut Module, name: &str) {
    const POST: WebMethod = WebMethod::Post;
    form!(module, name, |c: NativeCallContext,
                         url: &str,
                         data: Dynamic| ask(
        &c,
        POST,
        url,
        Some(&data),
        &Map::new()
    ));
    form!(module, name, |c: NativeCallContext,
                         url: &str,
                         data: Dynamic,
                         map: Map| ask(
        &c,
        POST,
        url,
        Some(&data),
        &map
    ));
}
