//! The one table of requests: the router is built from it, and the OpenAPI document too, so neither can lag behind.
//!
//! # How a new request joins
//!
//! Its module has `pub(super) fn routes() -> Vec<Route>`, and, for forms that are named more than once,
//! `pub(super) fn forms() -> Vec<(&'static str, Value)>`; both are added to [`table`] and [`forms`] below:
//!
//! ```ignore
//! Route::of("GET", "/api/v1/things/{id}", "show_thing", get(show))
//!     .title("Вещь", "A thing")
//!     .asks("limit", usual(whole(1, 1000), 100), "сколько", "how many")   // a query parameter
//!     .takes(named("Thing"))                                              // a body of JSON
//!     .answers(200, "вещь", "the thing", named("Thing"))
//!     .refuses(&[404, 409])                                               // beside those that follow from the rest
//! ```
//!
//! Refusals that follow from the rest are added by themselves: 400 and 422 of a query, a path or a body, 401, 403, 408,
//! 413 and 415 of a body, 500 and 503. A query parameter that isn't in the table is refused before the handler runs.
//! Objects that go out are best written by [`super::schema::told`], which makes their form too; the tests of this module hold
//! every answer that they get against the table, and `tests/api` has schemathesis do the same from outside.

use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use axum::{Router, middleware as layer};
use serde_json::Value;

use super::{
    HttpState, amend, auth, batch, callbacks, changes, dialogs, do_not_call, drain, export, form,
    health, openapi, orders, query, recording, refusal, report, reports,
};

/// One request: what it is, who serves it.
pub(super) struct Route {
    /// `GET`, `POST` ...
    pub(super) method: &'static str,
    /// With its parts in braces: `{id}` is a call's, `{name}` a dialog's.
    pub(super) path: &'static str,
    /// `operationId` of the document.
    pub(super) id: &'static str,
    /// What it does, in Russian and English.
    pub(super) title: (&'static str, &'static str),
    /// Its query.
    pub(super) asks: Vec<Asked>,
    /// Parameters that the table doesn't know are welcome.
    pub(super) takes_any: bool,
    /// The form of its body.
    pub(super) takes: Option<Value>,
    /// Other types of the body than JSON.
    pub(super) kinds: Vec<&'static str>,
    /// Its answers.
    pub(super) answers: Vec<Answer>,
    /// Refusals that don't follow from the rest.
    pub(super) refuses: Vec<u16>,
    /// Needs no key.
    pub(super) open: bool,
    serves: MethodRouter<HttpState>,
}

/// A query parameter.
pub(super) struct Asked {
    pub(super) name: &'static str,
    pub(super) form: Value,
    pub(super) required: bool,
    pub(super) what: (&'static str, &'static str),
}

/// An answer that is no refusal, or a refusal of another form than the usual.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) what: (&'static str, &'static str),
    /// Type of the body.
    pub(super) kind: &'static str,
    pub(super) form: Value,
}

impl Route {
    /// `serves` answers `method` of `path`.
    pub(super) fn of(
        method: &'static str,
        path: &'static str,
        id: &'static str,
        serves: MethodRouter<HttpState>,
    ) -> Self {
        Self {
            method,
            path,
            id,
            title: ("", ""),
            asks: Vec::new(),
            takes_any: false,
            takes: None,
            kinds: Vec::new(),
            answers: Vec::new(),
            refuses: Vec::new(),
            open: false,
            serves,
        }
    }

    /// What it does.
    pub(super) fn title(mut self, ru: &'static str, en: &'static str) -> Self {
        self.title = (ru, en);
        self
    }

    /// A query parameter that may be left out.
    pub(super) fn asks(
        mut self,
        name: &'static str,
        form: Value,
        ru: &'static str,
        en: &'static str,
    ) -> Self {
        let (required, what) = (false, (ru, en));
        self.asks.push(Asked {
            name,
            form,
            required,
            what,
        });
        self
    }

    /// A query parameter that must be there.
    pub(super) fn needs(
        mut self,
        name: &'static str,
        form: Value,
        ru: &'static str,
        en: &'static str,
    ) -> Self {
        let (required, what) = (true, (ru, en));
        self.asks.push(Asked {
            name,
            form,
            required,
            what,
        });
        self
    }

    /// Any other query parameter is welcome.
    pub(super) fn takes_any(mut self) -> Self {
        self.takes_any = true;
        self
    }

    /// A body of JSON.
    pub(super) fn takes(mut self, form: Value) -> Self {
        self.takes = Some(form);
        self
    }

    /// The body may also be of this type.
    pub(super) fn or_takes(mut self, kind: &'static str) -> Self {
        self.kinds.push(kind);
        self
    }

    /// An answer of JSON.
    pub(super) fn answers(
        self,
        status: u16,
        ru: &'static str,
        en: &'static str,
        form: Value,
    ) -> Self {
        self.answers_as(status, ru, en, "application/json", form)
    }

    /// An answer of another type.
    pub(super) fn answers_as(
        mut self,
        status: u16,
        ru: &'static str,
        en: &'static str,
        kind: &'static str,
        form: Value,
    ) -> Self {
        let what = (ru, en);
        self.answers.push(Answer {
            status,
            what,
            kind,
            form,
        });
        self
    }

    /// Refusals that don't follow from the rest.
    pub(super) fn refuses(mut self, statuses: &[u16]) -> Self {
        self.refuses.extend(statuses);
        self
    }

    /// Needs no key.
    pub(super) fn open(mut self) -> Self {
        self.open = true;
        self
    }

    /// Every status that it may answer with a refusal of the usual form.
    pub(super) fn refusals(&self) -> Vec<u16> {
        let mut all = vec![500, 503];
        if !self.open {
            all.extend([401, 403]);
        }
        all.extend([400, 422]);
        if self.takes.is_some() {
            all.extend([408, 413, 415]);
        }
        if self.path.contains('{') {
            all.push(404);
        }
        all.extend(&self.refuses);
        all.sort_unstable();
        all.dedup();
        all.retain(|status| self.answers.iter().all(|answer| answer.status != *status));
        all
    }
}

/// Every request.
pub(super) fn table() -> Vec<Route> {
    [
        orders::routes(),
        amend::routes(),
        batch::routes(),
        changes::routes(),
        callbacks::routes(),
        do_not_call::routes(),
        dialogs::routes(),
        drain::routes(),
        recording::routes(),
        export::routes(),
        reports::routes(),
        health::routes(),
        openapi::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Every form that is known by its name.
pub(super) fn forms() -> Vec<(&'static str, Value)> {
    [
        refusal::forms(),
        form::forms(),
        report::forms(),
        batch::forms(),
        callbacks::forms(),
        do_not_call::forms(),
        dialogs::forms(),
        drain::forms(),
        reports::forms(),
        health::forms(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Every path that is served.
pub(super) fn router(state: HttpState) -> Router {
    let mut router = Router::new();
    for route in table() {
        let serves =
            if route.takes_any {
                route.serves
            } else {
                let known: Vec<&'static str> = route.asks.iter().map(|asked| asked.name).collect();
                route.serves.route_layer(middleware::from_fn(
                    move |request: Request, next: Next| strict(known.clone(), request, next),
                ))
            };
        router = router.route(route.path, serves);
    }
    router
        .layer(layer::from_fn_with_state(state.clone(), auth::guard))
        .layer(layer::from_fn_with_state(state.clone(), refusal::tell))
        .with_state(state)
}

/// Lets a request through whose query has known names only: a mistyped one would be a setting that has no effect.
async fn strict(known: Vec<&'static str>, request: Request, next: Next) -> Response {
    match query::only(request.uri().query().unwrap_or_default(), &known) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}
