//! Which trunk takes a call: by the number's beginning, then by weight among those that have room. Pure.
//!
//! A number's *route* is the longest of all prefixes that it begins with. The trunks that have this prefix serve it by their
//! weights; those with a shorter one (or none) are its reserve, and take it only while every trunk before them is backed
//! off or has just answered this very order with congestion. A trunk that is merely full is waited for.

use crate::ident::Phone;

/// A trunk, as far as the choice goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Trunk {
    /// Its name in settings, history and metrics.
    pub name: String,
    /// Beginnings of the numbers that it serves, digits of the number's one form ([`Phone::key`]: 7495 for
    /// Moscow, however it was written); none: all numbers.
    pub prefixes: Vec<String>,
    /// Its share among the trunks with the same prefix, from 1.
    pub weight: u32,
    /// Calls at once; `None`: no limit of its own.
    pub at_once: Option<usize>,
    /// Starts a second; `None`: no limit of its own.
    pub starts_per_second: Option<f64>,
}

impl Trunk {
    /// One that serves all numbers, without limits of its own.
    pub fn plain(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            prefixes: Vec::new(),
            weight: 1,
            at_once: None,
            starts_per_second: None,
        }
    }
}

/// The route of a number that no trunk serves: no prefix is written so.
pub const NO_ROUTE: &str = "none";

/// All trunks, in the order of the settings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trunks(Vec<Trunk>);

impl Trunks {
    /// These.
    pub fn new(trunks: Vec<Trunk>) -> Self {
        Self(trunks)
    }

    /// All of them.
    pub fn all(&self) -> &[Trunk] {
        &self.0
    }

    /// The number's route: its longest prefix, empty where only trunks for all numbers serve it, or [`NO_ROUTE`].
    pub fn route(&self, phone: &Phone) -> String {
        let number = phone.key();
        let all = self.0.iter().flat_map(prefixes);
        let longest = all
            .filter(|p| number.starts_with(p))
            .max_by_key(|p| p.len());
        longest.unwrap_or(NO_ROUTE).to_owned()
    }

    /// Whether any of them serves the number.
    pub fn serve(&self, phone: &Phone) -> bool {
        self.route(phone) != NO_ROUTE
    }

    /// The trunks that serve a route, best first: each by its place in the list, with the length of its prefix.
    fn serving(&self, route: &str) -> Vec<(usize, usize)> {
        let mut serving: Vec<(usize, usize)> = self
            .0
            .iter()
            .enumerate()
            .filter_map(|(n, trunk)| {
                let own = prefixes(trunk).filter(|p| route.starts_with(p));
                own.map(str::len).max().map(|len| (n, len))
            })
            .collect();
        if route == NO_ROUTE {
            return Vec::new();
        }
        serving.sort_by_key(|(n, len)| (std::cmp::Reverse(*len), *n));
        serving
    }

    /// Chooses among the trunks of a route: `state` tells how each fares, `avoid` names the one that has just answered this
    /// order with congestion, and `dice` (any number, evenly spread) is thrown among those that are left.
    pub fn choose(
        &self,
        route: &str,
        state: impl Fn(usize) -> Fares,
        avoid: Option<&str>,
        dice: u64,
    ) -> Choice {
        let serving = self.serving(route);
        if serving.is_empty() {
            return Choice::Nobody;
        }
        let mut failed = None;
        for tier in serving.chunk_by(|a, b| a.1 == b.1) {
            let fares: Vec<(usize, Fares)> = tier.iter().map(|(n, _)| (*n, state(*n))).collect();
            let free = fares.iter().filter(|(_, fares)| *fares == Fares::Free);
            let free: Vec<usize> = free.map(|(n, _)| *n).collect();
            let others: Vec<usize> = free
                .iter()
                .copied()
                .filter(|n| avoid != Some(self.0[*n].name.as_str()))
                .collect();
            if let Some(n) = self.weighted(&others, dice) {
                return Choice::Trunk(n);
            }
            let waits = fares.iter().find_map(|(_, fares)| match fares {
                Fares::Full(why) => Some(*why),
                Fares::Free | Fares::BackedOff => None,
            });
            if let Some(waits) = waits {
                // Sound but full: better to wait for it than to take a reserve; the one that failed is better than to wait.
                return match self.weighted(&free, dice).or(failed) {
                    Some(n) => Choice::Trunk(n),
                    None => Choice::Wait(waits),
                };
            }
            failed = failed.or(free.first().copied());
        }
        // Nobody else is there: the one that has just failed, where it isn't backed off.
        match failed {
            Some(n) => Choice::Trunk(n),
            None => Choice::Wait(Full::Congested),
        }
    }

    fn weighted(&self, among: &[usize], dice: u64) -> Option<usize> {
        let weight = |n: usize| u128::from(self.0[n].weight.max(1));
        let all: u128 = among.iter().map(|n| weight(*n)).sum();
        let mut point = (u128::from(dice) * all) >> 64;
        among.iter().copied().find(|n| {
            let own = weight(*n);
            let hit = point < own;
            point = point.saturating_sub(own);
            hit
        })
    }
}

fn prefixes(trunk: &Trunk) -> impl Iterator<Item = &str> {
    let all = trunk.prefixes.is_empty().then_some("");
    trunk.prefixes.iter().map(String::as_str).chain(all)
}

/// How a trunk fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fares {
    /// A call may start.
    Free,
    /// It works, and has no room now.
    Full(Full),
    /// It answers congestion: not before its back-off is over.
    BackedOff,
}

/// Why a trunk can't take a call now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// Its calls at once.
    AtOnce,
    /// Its starts a second.
    Rate,
    /// All that serve the number are backed off.
    Congested,
}

/// What came of a choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// This one, by its place in the list.
    Trunk(usize),
    /// Not now.
    Wait(Full),
    /// No trunk serves such numbers.
    Nobody,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trunks() -> Trunks {
        let trunk = |name: &str, prefixes: &[&str], weight| Trunk {
            prefixes: prefixes.iter().map(|p| (*p).to_owned()).collect(),
            weight,
            ..Trunk::plain(name)
        };
        Trunks::new(vec![
            trunk("moscow", &["7495", "7499"], 1),
            trunk("mobile_a", &["79"], 3),
            trunk("mobile_b", &["79", "77"], 1),
            trunk("all", &[], 1),
        ])
    }

    #[test]
    fn the_longest_prefix_of_the_normalized_number_is_its_route() {
        let trunks = trunks();
        for (phone, route) in [
            ("+74951234567", "7495"),
            ("84991234567", "7499"),
            ("4951234567", "7495"),
            ("9121234567", "79"),
            ("89121234567", "79"),
            ("+79121234567", "79"),
            ("+77012345678", "77"),
            ("+4930123456", ""),
            ("112", ""),
            // With a plus it is no Russian 8.
            ("+81312345678", ""),
        ] {
            let phone_of = Phone::parse(phone).unwrap();
            assert_eq!(trunks.route(&phone_of), route, "{phone}");
        }
        let only = Trunks::new(trunks.all()[..3].to_vec());
        let abroad = Phone::parse("+4930123456").unwrap();
        assert_eq!(only.route(&abroad), NO_ROUTE);
        let nobody = only.choose(NO_ROUTE, |_| Fares::Free, None, 0);
        assert_eq!(nobody, Choice::Nobody);
    }

    #[test]
    fn the_choice_by_state() {
        use Fares::{BackedOff, Free};
        let (full, slow) = (Fares::Full(Full::AtOnce), Fares::Full(Full::Rate));
        let trunks = trunks();
        // States of moscow, mobile_a, mobile_b, all; the trunk that has just answered congestion; what is chosen.
        for (route, states, avoid, expect) in [
            ("7495", [Free, Free, Free, Free], None, "moscow"),
            ("7495", [full, Free, Free, Free], None, "wait AtOnce"),
            ("7495", [BackedOff, Free, Free, Free], None, "all"),
            ("7495", [Free, Free, Free, Free], Some("moscow"), "all"),
            (
                "7495",
                [Free, Free, Free, BackedOff],
                Some("moscow"),
                "moscow",
            ),
            (
                "7495",
                [BackedOff, Free, Free, BackedOff],
                None,
                "wait Congested",
            ),
            ("7495", [BackedOff, Free, Free, slow], None, "wait Rate"),
            ("79", [Free, Free, Free, Free], None, "mobile_a"),
            ("79", [Free, Free, Free, Free], Some("mobile_a"), "mobile_b"),
            ("79", [Free, full, Free, Free], None, "mobile_b"),
            ("79", [Free, Free, full, Free], Some("mobile_a"), "mobile_a"),
            ("79", [Free, BackedOff, slow, Free], None, "wait Rate"),
            ("79", [Free, BackedOff, Free, Free], Some("mobile_b"), "all"),
            ("77", [Free, Free, Free, Free], None, "mobile_b"),
            ("", [Free, Free, Free, Free], None, "all"),
            ("", [Free, Free, Free, full], None, "wait AtOnce"),
        ] {
            let got = match trunks.choose(route, |n| states[n], avoid, 0) {
                Choice::Trunk(n) => trunks.all()[n].name.clone(),
                Choice::Wait(why) => format!("wait {why:?}"),
                Choice::Nobody => "nobody".to_owned(),
            };
            assert_eq!(got, expect, "{route} {states:?} avoiding {avoid:?}");
        }
    }

    #[test]
    fn weights_are_shares() {
        let trunks = trunks();
        let mut taken = [0; 4];
        for n in 0..4_000_u64 {
            let dice = n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            match trunks.choose("79", |_| Fares::Free, None, dice) {
                Choice::Trunk(n) => taken[n] += 1,
                other => panic!("{other:?}"),
            }
        }
        assert!((2_990..3_010).contains(&taken[1]), "{taken:?}");
        assert_eq!(taken[1] + taken[2], 4_000);
    }
}
