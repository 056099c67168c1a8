//! Which call an event belongs to, and the queue in which it waits for that call.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;

use crate::ident::ChannelId;
use crate::wire::ami::Event;

/// Events that wait for one call at most. A call has some 30 in all; memory is taken only as they come.
pub const EVENT_QUEUE: usize = 1024;
/// Places of the queue that are kept for what a call can't do without (Newchannel, DialEnd, Hangup,
/// OriginateResponse, DTMFEnd) and for notices: other events are dropped and counted once only these are left. A call
/// would have to leave 512 of those unread before one of them was lost.
pub const EVENT_RESERVE: usize = 512;

/// What a call is told.
#[derive(Clone, Debug)]
pub enum CallEvent {
    /// Something happened to one of its channels.
    Event(Arc<Event>),
    /// Something happened to the link.
    Link(AmiNotice),
}

/// What happened to the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AmiNotice {
    /// It was lost: events may be missed from here on.
    Lost,
    /// It is back; events may have been missed: ask whether the channel still lives.
    Reconnected {
        /// Asterisk was restarted meanwhile: no channel of before lives.
        restarted: bool,
    },
}

#[derive(Debug, Default)]
pub(super) struct Routes {
    table: Mutex<Table>,
    dropped: AtomicU64,
    dropped_vital: AtomicU64,
}

#[derive(Debug, Default)]
struct Table {
    next: u64,
    by_id: HashMap<Box<str>, Vec<u64>>,
    readers: HashMap<u64, Reader>,
}

#[derive(Debug)]
struct Reader {
    queue: mpsc::Sender<CallEvent>,
    ids: Vec<Box<str>>,
    dropped: Arc<AtomicU64>,
}

/// A call's events, in the order in which Asterisk sent them.
#[derive(Debug)]
pub struct Subscription {
    routes: Arc<Routes>,
    reader: u64,
    queue: mpsc::Receiver<CallEvent>,
    dropped: Arc<AtomicU64>,
}

impl Subscription {
    /// The next event or notice. Never ends by itself: the link comes back. Cancel-safe.
    pub async fn next(&mut self) -> CallEvent {
        match self.queue.recv().await {
            Some(event) => event,
            // Its sender lives in the table as long as this does.
            None => std::future::pending().await,
        }
    }

    /// The next one if it is here already.
    pub fn try_next(&mut self) -> Option<CallEvent> {
        self.queue.try_recv().ok()
    }

    /// Adds a channel: its tap's, or the one that the call was transferred to.
    pub fn also(&self, channel: &ChannelId) {
        let mut table = self.routes.table();
        table.add(self.reader, channel.as_str());
    }

    /// Events that this call lost because it didn't read them.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.routes.table().remove(self.reader);
    }
}

impl Table {
    fn add(&mut self, reader: u64, id: &str) {
        let Some(entry) = self.readers.get_mut(&reader) else {
            return;
        };
        if id.is_empty() || entry.ids.iter().any(|known| &**known == id) {
            return;
        }
        entry.ids.push(id.into());
        self.by_id.entry(id.into()).or_default().push(reader);
    }

    fn remove(&mut self, reader: u64) {
        let Some(entry) = self.readers.remove(&reader) else {
            return;
        };
        for id in entry.ids {
            if let Some(readers) = self.by_id.get_mut(&id) {
                readers.retain(|other| *other != reader);
                if readers.is_empty() {
                    self.by_id.remove(&id);
                }
            }
        }
    }
}

impl Routes {
    fn table(&self) -> MutexGuard<'_, Table> {
        // Nothing that could leave the table half changed runs under the lock.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn subscribe(routes: &Arc<Self>, channel: &ChannelId) -> Subscription {
        let (sender, queue) = mpsc::channel(EVENT_QUEUE);
        let dropped = Arc::new(AtomicU64::new(0));
        let mut table = routes.table();
        let reader = table.next;
        table.next += 1;
        table.readers.insert(
            reader,
            Reader {
                queue: sender,
                ids: Vec::new(),
                dropped: Arc::clone(&dropped),
            },
        );
        table.add(reader, channel.as_str());
        drop(table);
        Subscription {
            routes: Arc::clone(routes),
            reader,
            queue,
            dropped,
        }
    }

    /// Gives an event to every call that one of its ids names; `also` is an id that it doesn't hold itself.
    pub(super) fn route(&self, event: &Arc<Event>, also: Option<&str>) {
        let table = self.table();
        if table.by_id.is_empty() {
            return;
        }
        let mut told: Vec<u64> = Vec::new();
        for id in event.unique_ids().chain(also) {
            for reader in table.by_id.get(id).into_iter().flatten() {
                if !told.contains(reader) {
                    told.push(*reader);
                    if let Some(entry) = table.readers.get(reader) {
                        self.give(entry, CallEvent::Event(Arc::clone(event)), event.is_vital());
                    }
                }
            }
        }
    }

    /// Tells all calls of the link.
    pub(super) fn notice(&self, notice: AmiNotice) {
        for reader in self.table().readers.values() {
            self.give(reader, CallEvent::Link(notice), true);
        }
    }

    fn give(&self, reader: &Reader, event: CallEvent, vital: bool) {
        let given = (vital || reader.queue.capacity() > EVENT_RESERVE)
            && reader.queue.try_send(event).is_ok();
        if !given {
            reader.dropped.fetch_add(1, Ordering::Relaxed);
            self.dropped.fetch_add(1, Ordering::Relaxed);
            if vital {
                self.dropped_vital.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    pub(super) fn dropped(&self) -> (u64, u64) {
        (
            self.dropped.load(Ordering::Relaxed),
            self.dropped_vital.load(Ordering::Relaxed),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::ami::Packet;

    fn event(pairs: &[(&str, &str)]) -> Arc<Event> {
        Arc::new(Event::from_packet(Packet::from_pairs(pairs.iter().copied()).unwrap()).unwrap())
    }

    fn names(subscription: &mut Subscription) -> Vec<String> {
        std::iter::from_fn(|| subscription.try_next())
            .map(|event| match event {
                CallEvent::Event(event) => event.name().to_owned(),
                CallEvent::Link(notice) => format!("{notice:?}"),
            })
            .collect()
    }

    #[test]
    fn events_go_to_their_calls_once() {
        let routes = Arc::new(Routes::default());
        let mut one = Routes::subscribe(&routes, &ChannelId::from_asterisk("1"));
        let mut two = Routes::subscribe(&routes, &ChannelId::from_asterisk("2"));
        let strange = event(&[("Event", "A"), ("Uniqueid", "9"), ("Linkedid", "9")]);
        let of_one = event(&[("Event", "B"), ("Uniqueid", "1"), ("Linkedid", "1")]);
        let family = event(&[("Event", "C"), ("DestUniqueid", "7"), ("DestLinkedid", "2")]);
        let both = event(&[("Event", "D"), ("Uniqueid", "1"), ("DestUniqueid", "2")]);
        for event in [&strange, &of_one, &family, &both] {
            routes.route(event, None);
        }
        assert_eq!(names(&mut one), ["B", "D"]);
        assert_eq!(names(&mut two), ["C", "D"]);
        two.also(&ChannelId::from_asterisk("9"));
        two.also(&ChannelId::from_asterisk("9"));
        routes.route(&strange, None);
        routes.route(&event(&[("Event", "E")]), Some("1"));
        routes.notice(AmiNotice::Lost);
        assert_eq!(names(&mut one), ["E", "Lost"]);
        assert_eq!(names(&mut two), ["A", "Lost"]);
        drop(one);
        drop(two);
        let table = routes.table();
        assert!(table.by_id.is_empty() && table.readers.is_empty());
    }

    #[test]
    fn what_a_call_needs_survives_its_slowness() {
        let routes = Arc::new(Routes::default());
        let mut slow = Routes::subscribe(&routes, &ChannelId::from_asterisk("1"));
        for _ in 0..5000 {
            routes.route(&event(&[("Event", "VarSet"), ("Uniqueid", "1")]), None);
        }
        for name in ["DTMFEnd", "DialEnd", "Hangup"] {
            routes.route(
                &event(&[("Event", name), ("Digit", "1"), ("Uniqueid", "1")]),
                None,
            );
        }
        let kept = EVENT_QUEUE - EVENT_RESERVE;
        assert_eq!(slow.dropped(), 5000 - kept as u64);
        assert_eq!(routes.dropped(), (5000 - kept as u64, 0));
        assert_eq!(names(&mut slow)[kept..], ["DTMFEnd", "DialEnd", "Hangup"]);
        for _ in 0..EVENT_QUEUE + 1 {
            routes.route(&event(&[("Event", "Hangup"), ("Uniqueid", "1")]), None);
        }
        assert_eq!(routes.dropped().1, 1);
    }
}
