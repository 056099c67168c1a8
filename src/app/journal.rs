//! The calls' journal, kept in the store.

use jiff::Timestamp;

use crate::call::HistoryEvent;
use crate::call::history::Data;
use crate::call::journal::{Journal, Kept};
use crate::config::AsteriskEvents;
use crate::ident::CallId;
use crate::store::Store;

/// A journal over a store. What the store refuses is logged: a call goes on without its history rather than not at all.
#[derive(Debug)]
pub(super) struct StoreJournal {
    pub(super) store: Store,
    /// `history.asterisk_events`
    pub(super) asterisk_events: AsteriskEvents,
}

impl StoreJournal {
    /// What the runtime itself notes of Asterisk (the link went and came) is no event, and stays.
    fn keeps(&self, line: &HistoryEvent) -> bool {
        match &line.data {
            Data::Asterisk(event) => self.asterisk_events.keeps(event.name()),
            Data::Fields(_) => true,
        }
    }
}

impl Journal for StoreJournal {
    fn record<'a>(
        &'a self,
        call: &'a CallId,
        attempt: u32,
        mut events: Vec<HistoryEvent>,
    ) -> Kept<'a> {
        events.retain(|line| self.keeps(line));
        Box::pin(async move {
            if let Err(error) = self.store.record(call, attempt, events).await {
                tracing::error!(%call, %error, "history not kept");
            }
        })
    }

    fn ringing<'a>(&'a self, call: &'a CallId, attempt: u32) -> Kept<'a> {
        let (store, call, at) = (self.store.clone(), call.clone(), Timestamp::now());
        // Beside the call: nobody who talks waits for a disk.
        tokio::spawn(async move {
            if let Err(error) = store.ringing(&call, attempt, at).await {
                tracing::error!(%call, %error, "ringing not kept");
            }
        });
        Box::pin(std::future::ready(()))
    }

    fn answered<'a>(&'a self, call: &'a CallId, attempt: u32) -> Kept<'a> {
        let (store, call, at) = (self.store.clone(), call.clone(), Timestamp::now());
        tokio::spawn(async move {
            if let Err(error) = store.answered(&call, attempt, at).await {
                tracing::error!(%call, %error, "answer not kept");
            }
        });
        Box::pin(std::future::ready(()))
    }
}
