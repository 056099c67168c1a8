//! What a script's variables hold together, weighed now and then.
//!
//! Rhai measures what functions and operators give, but not what is put into a list or map by `m[key] = value`: without
//! this a loop of such lines would fill memory, or nest so deep that freeing it overruns the thread's stack.

use std::sync::atomic::{AtomicU32, Ordering};

use rhai::{Array, Blob, Dynamic, Engine, EvalAltResult, FnPtr, ImmutableString, Map, Position};

/// All strings of a function's variables together, bytes.
pub(super) const MAX_BYTES: usize = 1024 * 1024;
/// All elements of lists and maps together.
pub(super) const MAX_ELEMENTS: usize = 20_000;
/// Lists in lists, maps in maps.
pub(super) const MAX_NESTING: usize = 160;
/// Variables are weighed after so many uses; seldomer where they are heavy, since weighing takes its time.
const EVERY: u32 = 64;

#[derive(Default)]
struct Weight {
    bytes: usize,
    elements: usize,
}

impl Weight {
    /// Adds a value; the error says what there is too much of.
    fn add(&mut self, value: &Dynamic, depth: usize) -> Result<(), &'static str> {
        if depth > MAX_NESTING {
            return Err("nesting");
        }
        // In use further up, by this same thread: waiting for it would be for ever.
        if value.is_locked() {
            return Ok(());
        }
        if let Some(text) = value.read_lock::<ImmutableString>() {
            self.bytes += text.len();
        } else if let Some(list) = value.read_lock::<Array>() {
            self.elements += list.len();
            for item in list.iter() {
                self.is_within()?;
                self.add(item, depth + 1)?;
            }
        } else if let Some(map) = value.read_lock::<Map>() {
            self.elements += map.len();
            for (key, item) in map.iter() {
                self.bytes += key.len();
                self.is_within()?;
                self.add(item, depth + 1)?;
            }
        } else if let Some(blob) = value.read_lock::<Blob>() {
            self.bytes += blob.len();
        } else if let Some(function) = value.read_lock::<FnPtr>() {
            for item in function.iter_curry() {
                self.elements += 1;
                self.is_within()?;
                self.add(item, depth + 1)?;
            }
        }
        self.is_within()
    }

    fn is_within(&self) -> Result<(), &'static str> {
        if self.bytes > MAX_BYTES {
            Err("bytes")
        } else if self.elements > MAX_ELEMENTS {
            Err("elements")
        } else {
            Ok(())
        }
    }
}

/// Sets the bounds in an engine. Exceeding them is a fault that a script can't catch.
pub(super) fn set(engine: &mut Engine) {
    let until_next = AtomicU32::new(EVERY);
    #[allow(deprecated)] // Not deprecated: "volatile", says its author.
    engine.on_var(move |_, _, context| {
        // One thread runs a script, so nothing comes between.
        let left = until_next.load(Ordering::Relaxed);
        if left > 0 {
            until_next.store(left - 1, Ordering::Relaxed);
            return Ok(None);
        }
        let mut weight = Weight::default();
        for (_, _, value) in context.scope().iter_raw() {
            weight.add(value, 0).map_err(|what| {
                Box::new(EvalAltResult::ErrorDataTooLarge(
                    what.to_owned(),
                    Position::NONE,
                ))
            })?;
        }
        let heavy = u32::try_from((weight.elements + weight.bytes / 64) / 16).unwrap_or(EVERY);
        until_next.store(EVERY.max(heavy), Ordering::Relaxed);
        Ok(None)
    });
}
