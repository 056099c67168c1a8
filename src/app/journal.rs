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
        Box::pin(async move {
            if let Err(error) = self.0.ringing(call, attempt, Timestamp::now()).await {
                tracing::error!(%call, %error, "ringing not kept");
            }
        })
    }

    fn answered<'a>(&'a self, call: &'a CallId, attempt: u32) -> Kept<'a> {
        Box::pin(async move {
            if let Err(error) = self.0.answered(call, attempt, Timestamp::now()).await {
                tracing::error!(%call, %error, "answer not kept");
            }
        })
    }
}
