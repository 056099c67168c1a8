//! What a recognizer was used for since the server's start: for `/metrics` and its bill.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters, all only growing.
#[derive(Debug, Default)]
pub struct Usage {
    sent_ms: AtomicU64,
    streams: AtomicU64,
}

/// Their values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Used {
    /// Milliseconds of audio that were sent, those sent again included.
    pub sent_ms: u64,
    /// Streams that were opened.
    pub streams: u64,
}

impl Usage {
    /// So much audio was sent.
    pub fn sent(&self, ms: u64) {
        self.sent_ms.fetch_add(ms, Ordering::Relaxed);
    }

    /// A stream was opened.
    pub fn opened(&self) {
        self.streams.fetch_add(1, Ordering::Relaxed);
    }

    /// The values now.
    pub fn read(&self) -> Used {
        Used {
            sent_ms: self.sent_ms.load(Ordering::Relaxed),
            streams: self.streams.load(Ordering::Relaxed),
        }
    }
}
