//! The calls that are going on: to be counted, cancelled, typed into.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::hearing::HearingOrder;
use crate::ident::CallId;

/// What can be done to a call from outside.
#[derive(Clone, Debug)]
struct CallHandle {
    stop: CancellationToken,
    hearing: mpsc::Sender<HearingOrder>,
}

/// All calls of this process.
#[derive(Clone, Debug, Default)]
pub struct Registry(Arc<Mutex<HashMap<CallId, CallHandle>>>);

impl Registry {
    fn calls(&self) -> MutexGuard<'_, HashMap<CallId, CallHandle>> {
        // A map is sound whatever panicked beside it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a call for as long as the answer lives.
    pub(super) fn enter(
        &self,
        call: &CallId,
        stop: CancellationToken,
        hearing: mpsc::Sender<HearingOrder>,
    ) -> Entered {
        self.calls()
            .insert(call.clone(), CallHandle { stop, hearing });
        Entered {
            registry: self.clone(),
            call: call.clone(),
        }
    }

    /// Calls that dial or talk.
    pub fn count(&self) -> usize {
        self.calls().len()
    }

    /// Ends a call; tells whether there was one.
    pub fn cancel(&self, call: &CallId) -> bool {
        match self.calls().get(call) {
            Some(handle) => {
                handle.stop.cancel();
                true
            }
            None => false,
        }
    }

    /// Says something in the person's place (the `typed` recognizer); tells whether somebody took it.
    pub fn type_in(&self, call: &CallId, text: &str) -> bool {
        self.calls().get(call).is_some_and(|handle| {
            handle
                .hearing
                .try_send(HearingOrder::Typed(text.to_owned()))
                .is_ok()
        })
    }
}

/// Leaves the registry when dropped.
#[derive(Debug)]
pub(super) struct Entered {
    registry: Registry,
    call: CallId,
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.registry.calls().remove(&self.call);
    }
}
