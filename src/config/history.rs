//! `history:`: what is kept of calls, for how long, and what of it is masked afterwards.

use std::ops::RangeInclusive;

use super::fault::{Wanted, Wrong};
use super::node::Value;
use super::read::set;
use super::table::{Reader, Spot, Table};
use super::{AsteriskEvents, Config};

const MINUTE: u64 = 60_000;
const DAY: u64 = 24 * 60 * MINUTE;
/// Ten years.
const LONGEST: u64 = 3_650 * DAY;
/// A store or a folder that is bounded holds at least so much: less would delete what was just written.
const LEAST_BYTES: u64 = 64 << 20;
/// The largest bound: a petabyte.
const MOST_BYTES: u64 = 1 << 50;

impl Reader<'_> {
    pub(super) fn history(&mut self, top: &mut Table, c: &mut Config) {
        let mut t = self.section(top, "history");
        let h = &mut c.history;
        if let Some(spot) = self.spot(&mut t, "asterisk_events") {
            set(&mut h.asterisk_events, self.asterisk_events(&spot));
        }
        for (key, target) in [
            ("keep", &mut h.keep_ms),
            ("keep_events", &mut h.keep_events_ms),
            ("keep_recordings", &mut h.keep_recordings_ms),
        ] {
            if let Some(spot) = self.spot(&mut t, key) {
                // 1C gets its chance to read what came of a call; and limits of calls to a number count its past month.
                let least = if key == "keep" { 32 * DAY } else { DAY };
                let range = or_zero(&spot, least..=LONGEST);
                set(target, self.duration(&spot, range));
            }
        }
        for (key, target) in [
            ("recordings_bytes", &mut h.recordings_bytes),
            ("store_bytes", &mut h.store_bytes),
        ] {
            if let Some(spot) = self.spot(&mut t, key) {
                let range = or_zero(&spot, LEAST_BYTES..=MOST_BYTES);
                set(target, self.size(&spot, range));
            }
        }
        if let Some(spot) = self.spot(&mut t, "mask_phones") {
            set(&mut h.mask_phones, self.flag(&spot));
        }
        if let Some(spot) = self.spot(&mut t, "keep_texts") {
            set(&mut h.keep_texts, self.flag(&spot));
        }
        if let Some(spot) = self.spot(&mut t, "mask_after") {
            set(&mut h.mask_after_ms, self.duration(&spot, MINUTE..=LONGEST));
        }
        self.finish(&t);
    }

    /// `all`, `none`, or a list of names.
    fn asterisk_events(&mut self, spot: &Spot) -> Option<AsteriskEvents> {
        const WORDS: [(&str, bool); 2] = [("all", true), ("none", false)];
        if matches!(spot.node.value, Value::Text(_)) {
            return Some(match self.word(spot, &WORDS)? {
                true => AsteriskEvents::All,
                false => AsteriskEvents::None,
            });
        }
        if !matches!(spot.node.value, Value::List(_)) {
            let wanted = Wanted::List;
            self.fault(spot.node.at, &spot.path, Wrong::Type { wanted });
            return None;
        }
        let mut names = Vec::new();
        for place in self.places_of(spot) {
            let Some(name) = self.words(&place) else {
                continue;
            };
            match name.chars().find(|c| !c.is_ascii_alphanumeric()) {
                Some(bad) => self.fault(place.node.at, &place.path, Wrong::Char(bad)),
                None => names.push(name),
            }
        }
        Some(AsteriskEvents::Named(names))
    }
}

/// 0 is "for ever", "without bound"; between it and the least there is nothing.
fn or_zero(spot: &Spot, range: RangeInclusive<u64>) -> RangeInclusive<u64> {
    if matches!(spot.node.value, Value::Int(0)) {
        0..=*range.end()
    } else {
        range
    }
}
