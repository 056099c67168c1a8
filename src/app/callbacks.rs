//! Callbacks: the store's outbox, delivered by the client of `net::web`.

use std::sync::Arc;
use std::time::Duration;

use crate::config::Config;
use crate::http::{HttpState, Parcel, Post, PostFault, Sender};
use crate::net::web::{Courier, CourierFault};
use crate::store::{CallbackRules, Store};

/// Has the store write whom the settings want told.
pub(super) fn rules(store: &Store, config: &Config) {
    let callback = &config.http.callback;
    store.tell_by(CallbackRules {
        url: (!callback.url.is_empty()).then(|| callback.url.clone()),
        each_change: callback.each_change,
    });
}

/// Who brings them.
pub(super) fn courier(config: &Config) -> Arc<Courier> {
    let callback = &config.http.callback;
    let timeout = Duration::from_millis(callback.timeout_ms);
    Arc::new(Courier::new(&config.web, &callback.hosts, timeout))
}

/// The loop that delivers, to be run.
pub(super) fn sender(state: HttpState, config: &Config, courier: Arc<Courier>) -> Sender {
    let post: Post = Arc::new(move |parcel: Parcel| {
        let courier = Arc::clone(&courier);
        Box::pin(async move {
            let posted = courier
                .post(&parcel.url, &parcel.headers, parcel.body)
                .await;
            posted.map_err(|fault| PostFault {
                answer: match fault {
                    CourierFault::Refused { status, .. } => Some(status),
                    _ => None,
                },
                unreachable: matches!(fault, CourierFault::Unreachable(_)),
                text: fault.to_string(),
            })
        })
    });
    Sender::new(state, config.http.callback.clone(), post)
}
