//! The dialogs that orders may name, and their faults.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::HttpState;
use super::orders::answer;
use super::query;
use super::refusal::Refusal;
use super::report::Telling;
use super::routes::Route;
use super::schema::{count, list as list_of, maybe, named, object, text, text_of, time, told};
use crate::call::{Fault, Order, OrderPatch};
use crate::config::nearest;
use crate::ident::Phone;
use crate::outbound::trunks::Trunks;
use crate::outbound::{Rules, Trunk};
use crate::script::{LibraryStatus, OlderVersion, RollbackError, Version};

/// Most names in a message.
const MAX_NAMED: usize = 20;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::of("GET", "/api/v1/dialogs", "dialogs", get(list))
            .title(
                "Диалоги, их версия и ошибки",
                "Dialogs, their version, their faults",
            )
            .answers(200, "диалоги", "the dialogs", named("Dialogs")),
        Route::of(
            "POST",
            "/api/v1/dialogs/rollback",
            "rollback_dialogs",
            post(rollback),
        )
        .title(
            "Вернуть прежнюю версию диалогов",
            "Bring an older version of the dialogs back",
        )
        .asks(
            "version",
            text_of(0, 200),
            "какую; иначе предыдущую",
            "which; else the one before",
        )
        .answers(
            200,
            "вернули",
            "done",
            object(vec![("from", text()), ("version", text())]),
        )
        .refuses(&[409]),
        Route::of("GET", "/api/v1/dialogs/{name}", "dialog", get(show))
            .title("Один диалог", "One dialog")
            .answers(200, "диалог", "the dialog", named("Dialog")),
    ]
}

pub(super) fn forms() -> Vec<(&'static str, Value)> {
    let fault = vec![
        ("file", text()),
        ("line", count()),
        ("column", count()),
        ("message", text()),
    ];
    let dialog = vec![
        ("name", text()),
        ("title", text()),
        ("version", text()),
        ("since", time()),
        ("faults", list_of(named("Fault"))),
    ];
    vec![
        ("Fault", object(fault)),
        ("Dialog", object(dialog)),
        ("Dialogs", status_told_form()),
    ]
}

told! {
    /// What the library holds.
    fn status_told(status: &LibraryStatus, telling: &Telling), status_told_form {
        "version": text() => status.version,
        "since": time() => telling.at(status.since),
        "dialogs": list_of(object(vec![("name", text()), ("title", text())])) => status.dialogs,
        "faults": list_of(named("Fault")) => status.faults,
        "warnings": list_of(named("Fault")) => status.warnings,
        "rolled_back_from": maybe(text()) => status.rolled_back_from,
        "older": list_of(older_form()) => status.older.iter().map(|o| older(o, telling)).collect::<Vec<Value>>(),
    }
}

told! {
    /// A version that ran before.
    fn older(older: &OlderVersion, telling: &Telling), older_form {
        "version": text() => older.version,
        "since": time() => telling.at(older.since),
    }
}

/// The names of one moment: a batch is checked against one reading of the library.
pub(super) struct Names {
    version: Arc<Version>,
    rules: Arc<Rules>,
    trunks: Option<Arc<Trunks>>,
    now: Timestamp,
}

impl Names {
    pub(super) fn of(state: &HttpState) -> Self {
        Self {
            version: state.library().current(),
            rules: Arc::clone(state.rules()),
            trunks: state.dialing().map(|dialing| Arc::clone(dialing.trunks())),
            now: state.now(),
        }
    }

    /// The order's dialog, prompt, rules and trunk are there, and there is a time to call it.
    pub(super) fn fit(&self, order: &Order) -> Result<(), Refusal> {
        if self.version.dialog(&order.dialog).is_none() {
            return Err(self.unknown(&order.dialog, StatusCode::UNPROCESSABLE_ENTITY));
        }
        self.prompt_fits(order.file.as_deref())?;
        self.rules_fit(order.rules.as_deref())?;
        self.trunk_fits(&order.phone)?;
        // The sets' own hours were checked with the settings: what can't be here is the order's.
        if order.hours.is_some() && !self.rules.ever_opens(order, self.now) {
            return Err(never_opens("hours"));
        }
        Ok(())
    }

    /// What an order is changed to is there.
    pub(super) fn patch_fits(&self, patch: &OrderPatch) -> Result<(), Refusal> {
        self.prompt_fits(patch.file.as_ref().and_then(|file| file.as_deref()))?;
        self.rules_fit(patch.rules.as_ref().and_then(|rules| rules.as_deref()))
    }

    fn prompt_fits(&self, file: Option<&str>) -> Result<(), Refusal> {
        match file {
            Some(file) if self.version.sound(file).is_none() => Err(Refusal::field(
                "no_prompt",
                "file",
                format!("файла {file} нет в папке sounds"),
                format!("there is no {file} in the folder sounds"),
            )),
            _ => Ok(()),
        }
    }

    /// Some trunk serves the number.
    fn trunk_fits(&self, phone: &Phone) -> Result<(), Refusal> {
        let Some(trunks) = &self.trunks else {
            return Ok(());
        };
        if trunks.serve(phone) {
            return Ok(());
        }
        let mut all: Vec<String> = trunks.all().iter().take(MAX_NAMED).map(served).collect();
        if trunks.all().len() > MAX_NAMED {
            all.push("…".to_owned());
        }
        let all = all.join("; ");
        Err(Refusal::field(
            "no_trunk",
            "phone",
            format!(
                "номер {phone} не обслуживает ни один транк: проверьте номер, или пусть администратор добавит его начало в trunks[].prefixes. Есть: {all}"
            ),
            format!(
                "no trunk serves {phone}: check the number, or have its beginning added to trunks[].prefixes. There are: {all}"
            ),
        ))
    }

    /// There is such a dialog.
    pub(super) fn known(&self, name: &str) -> Result<(), Refusal> {
        match self.version.dialog(name) {
            Some(_) => Ok(()),
            None => {
                let short: String = name.chars().take(40).collect();
                Err(self.unknown(&short, StatusCode::NOT_FOUND))
            }
        }
    }

    fn rules_fit(&self, name: Option<&str>) -> Result<(), Refusal> {
        if let Some(name) = name
            && !self.rules.names().any(|known| known == name)
        {
            let short: String = name.chars().take(40).collect();
            let (near_ru, near_en) = match nearest(name, self.rules.names()) {
                Some(near) => (
                    format!("может быть, {near}? "),
                    format!("did you mean {near}? "),
                ),
                None => Default::default(),
            };
            let all: Vec<&str> = self.rules.names().take(MAX_NAMED).collect();
            let all = all.join(", ");
            return Err(Refusal::field(
                "no_rules",
                "rules",
                format!("набора правил {short} нет; {near_ru}Есть: {all}"),
                format!("there is no set of rules {short}; {near_en}There are: {all}"),
            ));
        }
        Ok(())
    }

    fn unknown(&self, name: &str, status: StatusCode) -> Refusal {
        let near = nearest(name, self.version.dialogs().map(|(name, _)| name));
        let mut all: Vec<&str> = self
            .version
            .dialogs()
            .map(|(name, _)| name)
            .take(MAX_NAMED + 1)
            .collect();
        if all.len() > MAX_NAMED {
            all[MAX_NAMED] = "…";
        }
        let all = if all.is_empty() {
            "—".to_owned()
        } else {
            all.join(", ")
        };
        let (near_ru, near_en) = match near {
            Some(near) => (
                format!("может быть, {near}? "),
                format!("did you mean {near}? "),
            ),
            None => Default::default(),
        };
        let mut refusal = Refusal::field(
            "no_dialog",
            "dialog",
            format!("диалога {name} нет; {near_ru}Есть: {all}"),
            format!("there is no dialog {name}; {near_en}There are: {all}"),
        );
        refusal.status = status;
        refusal
    }
}

/// There is no hour at which the order may be called; `field` makes it so.
pub(super) fn never_opens(field: &str) -> Refusal {
    Refusal::field(
        "never_opens",
        field,
        "в ближайшие 40 дней нет ни часа, когда можно звонить; расширьте hours или задайте пояс абонента в zone",
        "there is no hour to call within 40 days; widen hours, or give the callee's zone",
    )
}

/// What a trunk serves, in short.
fn served(trunk: &Trunk) -> String {
    let mut prefixes: Vec<&str> = trunk.prefixes.iter().map(String::as_str).collect();
    if prefixes.len() > MAX_NAMED {
        prefixes.truncate(MAX_NAMED);
        prefixes.push("…");
    }
    format!("{}: {}", trunk.name, prefixes.join(", "))
}

/// The order's dialog and prompt are there.
pub(super) fn fits(state: &HttpState, order: &Order) -> Result<(), Refusal> {
    Names::of(state).fit(order)
}

/// The library's status; off the runtime's threads, for a reload that is going on has to end first.
async fn status(state: &HttpState) -> Result<LibraryStatus, Refusal> {
    let library = Arc::clone(state.library());
    let status = tokio::task::spawn_blocking(move || library.status()).await;
    status.map_err(|error| Refusal::failed(&error))
}

/// `GET /api/v1/dialogs`
async fn list(State(state): State<HttpState>) -> Result<Response, Refusal> {
    let status = status(&state).await?;
    Ok(answer(
        StatusCode::OK,
        &status_told(&status, &state.telling()),
    ))
}

/// `GET /api/v1/dialogs/{name}`: with the faults of its own files only.
async fn show(
    State(state): State<HttpState>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, Refusal> {
    let name = path.map(|Path(name)| name).unwrap_or_default();
    let status = status(&state).await?;
    let Some(dialog) = status.dialogs.iter().find(|dialog| dialog.name == name) else {
        let short: String = name.chars().take(40).collect();
        return Err(Names::of(&state).unknown(&short, StatusCode::NOT_FOUND));
    };
    let own = |fault: &&Fault| {
        let rest = fault.file.strip_prefix(name.as_str());
        rest.is_some_and(|rest| [".rhai", ".yaml", ".test.yaml"].contains(&rest))
    };
    let faults: Vec<&Fault> = status.faults.iter().filter(own).collect();
    let told = json!({
        "name": dialog.name,
        "title": dialog.title,
        "version": status.version,
        "since": state.telling().at(status.since),
        "faults": faults,
    });
    Ok(answer(StatusCode::OK, &told))
}

/// `POST /api/v1/dialogs/rollback[?version=ID]`: new calls get the version before, or the one that is named.
async fn rollback(
    State(state): State<HttpState>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let mut wanted = None;
    for (name, value) in query::parse(query.as_deref().unwrap_or_default())? {
        if name == "version" && !value.is_empty() {
            wanted = Some(value);
        }
    }
    let library = Arc::clone(state.library());
    let done = tokio::task::spawn_blocking(move || library.rollback(wanted.as_deref())).await;
    match done.map_err(|error| Refusal::failed(&error))? {
        Ok(told) => Ok(answer(StatusCode::OK, &json!(told))),
        Err(error) => Err(Refusal::new(
            StatusCode::CONFLICT,
            "no_version",
            match &error {
                RollbackError::NoOlder => {
                    "возвращаться не к чему: сценарии ещё не менялись".to_owned()
                }
                RollbackError::Unknown { version, known } => {
                    let known = known.join(", ");
                    format!("версии {version} нет; есть: {known}")
                }
            },
            error.to_string(),
        )),
    }
}
