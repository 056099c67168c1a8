//! The calls' journal, kept in the store.

use jiff::Timestamp;

use crate::call::HistoryEvent;
use crate::call::journal::{Journal, Kept};
use crate::ident::CallId;
use crate::store::Store;

/// A journal over a store. What the store refuses is logged: a call goes on without its history rather than not at all.
#[derive(Debug)]
pub(super) struct StoreJournal(pub(super) Store);

impl Journal for StoreJournal {
    fn record<'a>(&'a self, call: &'a CallId, attempt: u32, events: Vec<HistoryEvent>) -> Kept<'a> {
        Box::pin(async move {
            if let Err(error) = self.0.record(call, attempt, events).await {
                tracing::error!(%call, %error, "history not kept");
            }
        })
    }

    fn ringing<'a>(&'a self, call: &'a CallId, attempt: u32) -> Kept<'a> {
        let (store, call, at) = (self.0.clone(), call.clone(), Timestamp::now());
        // Beside the call: nobody who talks waits for a disk.
        tokio::spawn(async move {
            if let Err(error) = store.ringing(&call, attempt, at).await {
                tracing::error!(%call, %error, "ringing not kept");
            }
        });
        Box::pin(std::future::ready(()))
    }

    fn answered<'a>(&'a self, call: &'a CallId, attempt: u32) -> Kept<'a> {
        let (store, call, at) = (self.0.clone(), call.clone(), Timestamp::now());
        tokio::spawn(async move {
            if let Err(error) = store.answered(&call, attempt, at).await {
                tracing::error!(%call, %error, "answer not kept");
            }
        });
        Box::pin(std::future::ready(()))
    }
}
