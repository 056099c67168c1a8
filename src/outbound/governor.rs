//! How many calls at once the recognizers can bear. Pure: what was seen comes in once a period, a limit goes out.
//!
//! As TCP does with a network: the limit falls by a third where texts come late or streams are refused, and rises by a
//! twentieth of the most (at least one) in each period in which all went well. It is never below one: without a call there
//! would be nothing to learn from. A limit of `most` binds nobody, `calls.at_once` does.

/// The share of turns whose text came late that is too much.
const LATE_SHARE: f64 = 0.2;
/// Fewer turns in a period tell nothing.
const FEWEST_TURNS: u64 = 4;
/// The share of streams that were refused or failed that is too much.
const REFUSED_SHARE: f64 = 0.05;
/// So much of the limit is left after a cut.
const CUT: f64 = 0.67;
/// So many times the calls that go on is the highest that a rising limit goes to: it isn't proven beyond.
const PROVEN: usize = 2;

/// What a period showed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Turns in which the person said something.
    pub turns: u64,
    /// Those whose last text came late.
    pub late: u64,
    /// Streams that were opened.
    pub streams: u64,
    /// Those that failed, or were refused.
    pub refused: u64,
    /// Calls that are listened to, now.
    pub calls: usize,
}

/// Why there are fewer calls than the settings allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Texts came late.
    Slow,
    /// Streams were refused.
    Refused,
}

impl Cut {
    /// The word of `/metrics`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Slow => "slow",
            Self::Refused => "refused",
        }
    }
}

/// The governor.
#[derive(Clone, Debug, PartialEq)]
pub struct Governor {
    most: usize,
    limit: f64,
    cut: Option<Cut>,
    cuts: u64,
}

impl Governor {
    /// Bounded by so many calls at once.
    pub fn new(most: usize) -> Self {
        let most = most.max(1);
        Self {
            most,
            limit: most as f64,
            cut: None,
            cuts: 0,
        }
    }

    /// A period is over.
    pub fn observe(&mut self, seen: Seen) {
        let share = |part: u64, of: u64| part as f64 / of.max(1) as f64;
        let refused = seen.refused > 0 && share(seen.refused, seen.streams) > REFUSED_SHARE;
        let slow = seen.turns >= FEWEST_TURNS && share(seen.late, seen.turns) > LATE_SHARE;
        let why = match (refused, slow) {
            (true, _) => Some(Cut::Refused),
            (_, true) => Some(Cut::Slow),
            _ => None,
        };
        if why.is_some() {
            // What goes on was too much, however high the limit was.
            let from = self.limit.min((seen.calls as f64).max(1.0));
            self.limit = (from * CUT).max(1.0);
            self.cut = why;
            self.cuts += 1;
        } else if self.cut.is_some() {
            let idle = seen.calls == 0;
            let proven = (PROVEN * seen.calls.max(1)) as f64;
            if idle || self.limit < proven {
                let step = (self.most as f64 / 20.0).max(1.0);
                self.limit = (self.limit + step).min(self.most as f64);
            }
            if self.limit >= self.most as f64 {
                self.cut = None;
            }
        }
    }

    /// Calls at once that may be listened to.
    pub fn limit(&self) -> usize {
        // Between 1 and `most`.
        self.limit as usize
    }

    /// Why it is below the most.
    pub fn cut(&self) -> Option<Cut> {
        self.cut
    }

    /// How often it was cut.
    pub fn cuts(&self) -> u64 {
        self.cuts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(turns: u64, late: u64, streams: u64, refused: u64, calls: usize) -> Seen {
        Seen {
            turns,
            late,
            streams,
            refused,
            calls,
        }
    }

    #[test]
    fn the_limit_after_each_period() {
        let good = seen(30, 0, 10, 0, 100);
        let table: [(&str, &[Seen], usize, Option<Cut>); 11] = [
            ("nothing seen", &[], 100, None),
            ("all well", &[good; 3], 100, None),
            ("few late ones", &[seen(30, 6, 10, 0, 100)], 100, None),
            (
                "many late ones",
                &[seen(30, 7, 10, 0, 100)],
                67,
                Some(Cut::Slow),
            ),
            ("too few to tell", &[seen(3, 3, 10, 0, 100)], 100, None),
            (
                "a refused stream of ten",
                &[seen(30, 0, 10, 1, 100)],
                67,
                Some(Cut::Refused),
            ),
            ("one of a hundred", &[seen(30, 0, 100, 1, 100)], 100, None),
            (
                "what talks counts, not the limit",
                &[seen(30, 30, 10, 0, 20)],
                13,
                Some(Cut::Slow),
            ),
            (
                "again and again: never below one",
                &[seen(30, 30, 10, 5, 100); 30],
                1,
                Some(Cut::Refused),
            ),
            (
                "it rises again",
                &[seen(30, 30, 10, 0, 100), good],
                72,
                Some(Cut::Slow),
            ),
            (
                "up to the most",
                &[
                    seen(30, 30, 10, 0, 100),
                    good,
                    good,
                    good,
                    good,
                    good,
                    good,
                    good,
                ],
                100,
                None,
            ),
        ];
        for (case, periods, limit, cut) in table {
            let mut governor = Governor::new(100);
            periods.iter().for_each(|seen| governor.observe(*seen));
            assert_eq!((governor.limit(), governor.cut()), (limit, cut), "{case}");
        }
    }

    #[test]
    fn it_settles_about_what_can_be_borne() {
        // A recognizer that bears forty calls; each period as many talk as are let.
        let mut governor = Governor::new(200);
        let (mut least, mut most) = (usize::MAX, 0);
        for period in 0..300 {
            let calls = governor.limit();
            let late = if calls > 40 { 20 } else { 0 };
            governor.observe(seen(40, late, 10, 0, calls));
            if period > 50 {
                (least, most) = (least.min(calls), most.max(calls));
            }
        }
        assert!(least >= 25 && most <= 52, "{least} to {most}");
    }

    #[test]
    fn a_quiet_night_forgets() {
        let mut governor = Governor::new(50);
        governor.observe(seen(30, 30, 10, 0, 50));
        for _ in 0..10 {
            governor.observe(Seen::default());
        }
        assert_eq!(
            (governor.limit(), governor.cut(), governor.cuts()),
            (50, None, 1)
        );
    }
}
