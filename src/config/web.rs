//! `web:`: whom dialogs may ask in mid-call, and with which key.

use super::fault::Wrong;
use super::read::set;
use super::table::{Reader, Table};
use super::{Config, WebHost};
use crate::ident::Secret;

/// Shortest and longest request, milliseconds.
const TIMEOUT_MS: std::ops::RangeInclusive<u64> = 100..=60_000;

impl Reader<'_> {
    pub(super) fn web(&mut self, top: &mut Table, c: &mut Config) {
        let mut t = self.section(top, "web");
        if let Some(spot) = self.spot(&mut t, "timeout") {
            let value = self.duration(&spot, TIMEOUT_MS);
            set(&mut c.web.timeout_ms, value);
        }
        if let Some(spot) = self.spot(&mut t, "ca")
            && self.text(&spot).is_some_and(|text| !text.is_empty())
        {
            c.web.ca = self.path(&spot);
        }
        if let Some(spot) = self.spot(&mut t, "hosts") {
            for place in self.places_of(&spot) {
                let mut host = WebHost::open("");
                let mut t = self.table(&place.path, Some(place.node));
                match self.spot(&mut t, "url") {
                    Some(spot) => {
                        if let Some(url) = self.url(&spot, &["https://", "http://"]) {
                            // A key has places of its own, and an address that ends in a query covers nothing.
                            if let Some(bad) = url.chars().find(|c| "@?#".contains(*c)) {
                                self.fault(spot.node.at, &spot.path, Wrong::Char(bad));
                            }
                            host.url = url;
                        }
                    }
                    None => self.missing(&t, "url"),
                }
                if let Some(spot) = self.spot(&mut t, "user") {
                    set(&mut host.user, self.text(&spot));
                    if host.user.contains(':') {
                        self.fault(spot.node.at, &spot.path, Wrong::Char(':'));
                    }
                }
                if let Some(spot) = self.spot(&mut t, "password") {
                    set(&mut host.password, self.text(&spot).map(Secret::new));
                }
                if let Some(spot) = self.spot(&mut t, "token")
                    && self.text(&spot).is_some_and(|text| !text.is_empty())
                {
                    set(&mut host.token, self.token(&spot).map(Secret::new));
                }
                self.finish(&t);
                c.web.hosts.push(host);
            }
        }
        self.finish(&t);
    }
}
