//! `trunks:`: who takes which numbers, and how many.

use super::fault::Wrong;
use super::read::{RING_MS, set};
use super::table::{Reader, Spot};
use super::{AsteriskConfig, TrunkConfig};

/// Digits of a prefix, at most.
const MAX_PREFIX: usize = 15;

impl Reader<'_> {
    /// The trunks; what one leaves out is as `asterisk:` says.
    pub(super) fn trunks(&mut self, spot: &Spot, usual: &AsteriskConfig) -> Vec<TrunkConfig> {
        let (mut trunks, mut names) = (Vec::new(), Vec::new());
        for place in self.places_of(spot) {
            let mut t = self.table(&place.path, Some(place.node));
            let mut trunk = TrunkConfig {
                name: self.own_name(&mut t, "trunk", &mut names, place.node.at),
                channel: String::new(),
                prefixes: Vec::new(),
                weight: 1,
                at_once: 0,
                starts_per_second: 0.0,
                caller_id: usual.caller_id.clone(),
                ring_timeout_ms: usual.ring_timeout_ms,
            };
            match self.spot(&mut t, "channel") {
                Some(spot) => match self.channel(&spot) {
                    Some(channel) if channel.is_empty() => {
                        self.fault(spot.node.at, &spot.path, Wrong::Empty);
                    }
                    channel => set(&mut trunk.channel, channel),
                },
                None => self.missing(&t, "channel"),
            }
            if let Some(spot) = self.spot(&mut t, "prefixes") {
                for one in self.places_of(&spot) {
                    trunk.prefixes.extend(self.prefix(&one));
                }
            }
            if let Some(spot) = self.spot(&mut t, "weight") {
                let weight = self.whole(&spot, 1..=1000);
                set(
                    &mut trunk.weight,
                    weight.and_then(|w| u32::try_from(w).ok()),
                );
            }
            if let Some(spot) = self.spot(&mut t, "at_once") {
                let value = self.count(&spot, 10_000);
                set(&mut trunk.at_once, value);
            }
            if let Some(spot) = self.spot(&mut t, "starts_per_second") {
                let value = self.number(&spot, 0.0..=1000.0);
                set(&mut trunk.starts_per_second, value);
            }
            if let Some(spot) = self.spot(&mut t, "caller_id") {
                let value = self.text(&spot);
                set(&mut trunk.caller_id, value);
            }
            if let Some(spot) = self.spot(&mut t, "ring_timeout") {
                let value = self.duration(&spot, RING_MS);
                set(&mut trunk.ring_timeout_ms, value);
            }
            self.finish(&t);
            trunks.push(trunk);
        }
        trunks
    }

    /// A number, 0 for none.
    pub(super) fn count(&mut self, spot: &Spot, most: u64) -> Option<usize> {
        let number = self.whole(spot, 0..=most)?;
        usize::try_from(number).ok()
    }

    /// A number's beginning; its plus is taken off. In quotes or as a number: both mean the same digits.
    fn prefix(&mut self, spot: &Spot) -> Option<String> {
        let digits = match spot.node.value {
            super::node::Value::Int(n) if n >= 0 => n.to_string(),
            _ => self.words(spot)?,
        };
        let digits = digits.trim_start_matches('+');
        if let Some(bad) = digits.chars().find(|c| !c.is_ascii_digit()) {
            self.fault(spot.node.at, &spot.path, Wrong::Char(bad));
            return None;
        }
        if digits.is_empty() || digits.len() > MAX_PREFIX {
            let (least, most) = ("1".to_owned(), MAX_PREFIX.to_string());
            self.fault(spot.node.at, &spot.path, Wrong::Digits { least, most });
            return None;
        }
        Some(digits.to_owned())
    }
}
