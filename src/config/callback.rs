//! `http.callback`: whom the ends of calls are told, how, and for how long that is tried.

use super::fault::Wrong;
use super::node::Value;
use super::read::set;
use super::table::{Reader, Spot, Table};
use crate::ident::Secret;

const SECOND: u64 = 1000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Most bytes of a secret.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 16..=512;

/// `http.callback:`
#[derive(Clone, Debug, PartialEq)]
pub struct CallbackConfig {
    /// Where calls are told whose order names nobody, incoming ones too; empty: nowhere.
    pub url: String,
    /// Key of the signature; empty: none is sent.
    pub secret: Secret,
    /// Tell every change of a call, not its end only.
    pub each_change: bool,
    /// Addresses below which receivers must lie; none: anywhere but where no receiver lives.
    pub hosts: Vec<String>,
    /// How long one try may take, milliseconds.
    pub timeout_ms: u64,
    /// Wait before the second try, milliseconds; it doubles with each.
    pub first_retry_ms: u64,
    /// Longest wait between two tries, milliseconds.
    pub longest_retry_ms: u64,
    /// Given up after that, milliseconds.
    pub give_up_after_ms: u64,
    /// Deliveries to one host at once.
    pub per_host: usize,
}

impl Default for CallbackConfig {
    fn default() -> Self {
        Self {
            url: String::new(),
            secret: Secret::default(),
            each_change: false,
            hosts: Vec::new(),
            timeout_ms: 10 * SECOND,
            first_retry_ms: 5 * SECOND,
            longest_retry_ms: 15 * MINUTE,
            give_up_after_ms: 3 * DAY,
            per_host: 4,
        }
    }
}

impl Reader<'_> {
    pub(super) fn callback(&mut self, http: &mut Table) -> CallbackConfig {
        let mut c = CallbackConfig::default();
        let spot = self.spot(http, "callback");
        // `callback: https://…` is short for `callback: {url: https://…}`.
        if let Some(spot) = &spot
            && let Value::Text(_) = spot.node.value
        {
            set(&mut c.url, self.receiver(spot));
            return c;
        }
        let mut t = self.table("http.callback", spot.map(|spot| spot.node));
        if let Some(spot) = self.spot(&mut t, "url")
            && self.text(&spot).is_some_and(|text| !text.is_empty())
        {
            set(&mut c.url, self.receiver(&spot));
        }
        if let Some(spot) = self.spot(&mut t, "secret")
            && let Some(secret) = self.text(&spot)
        {
            if !secret.is_empty() && !SECRET_BYTES.contains(&secret.len()) {
                let (least, most) = SECRET_BYTES.into_inner();
                let (least, most) = (least.to_string(), most.to_string());
                self.fault(spot.node.at, &spot.path, Wrong::Range { least, most });
            }
            c.secret = Secret::new(secret);
        }
        if let Some(spot) = self.spot(&mut t, "each_change") {
            set(&mut c.each_change, self.flag(&spot));
        }
        if let Some(spot) = self.spot(&mut t, "hosts") {
            for place in self.places_of(&spot) {
                if let Some(url) = self.receiver(&place) {
                    c.hosts.push(url);
                }
            }
        }
        let mut duration = |key: &'static str, range, target: &mut u64| {
            if let Some(spot) = self.spot(&mut t, key) {
                let value = self.duration(&spot, range);
                set(target, value);
            }
        };
        duration("timeout", 100..=2 * MINUTE, &mut c.timeout_ms);
        duration("first_retry", 100..=HOUR, &mut c.first_retry_ms);
        duration("longest_retry", SECOND..=DAY, &mut c.longest_retry_ms);
        duration("give_up_after", SECOND..=90 * DAY, &mut c.give_up_after_ms);
        if let Some(spot) = self.spot(&mut t, "per_host") {
            let value = self.whole(&spot, 1..=64);
            set(&mut c.per_host, value.and_then(|n| usize::try_from(n).ok()));
        }
        self.finish(&t);
        c
    }

    /// An address without a password in it: keys have a place of their own (`web.hosts`).
    fn receiver(&mut self, spot: &Spot) -> Option<String> {
        let url = self.url(spot, &["https://", "http://"])?;
        if let Some(bad) = url.chars().find(|c| "@#".contains(*c)) {
            self.fault(spot.node.at, &spot.path, Wrong::Char(bad));
            return None;
        }
        Some(url)
    }
}
