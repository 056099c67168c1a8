//! `rules:` who may be called when, how often, and what follows an attempt that didn't reach the person.

use std::collections::BTreeSet;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::fault::Wrong;
use super::hours::Hours;
use super::node::{Place, Value};
use super::read::set;
use super::table::{Reader, Spot, Table};
use super::{Config, nearest};

/// Russia's time zones, west to east: one name for each clock. Where it isn't known which of them a number is in, it may be
/// called when it may in all of them.
pub const RUSSIA: [&str; 11] = [
    "Europe/Kaliningrad",
    "Europe/Moscow",
    "Europe/Samara",
    "Asia/Yekaterinburg",
    "Asia/Omsk",
    "Asia/Krasnoyarsk",
    "Asia/Irkutsk",
    "Asia/Yakutsk",
    "Asia/Vladivostok",
    "Asia/Magadan",
    "Asia/Kamchatka",
];

/// Outcomes after which another attempt may be made, and `short`: answered, and over before it was a talk.
pub const RETRIED: [&str; 10] = [
    "busy",
    "no_answer",
    "rejected",
    "unreachable",
    "congestion",
    "machine",
    "hung_up",
    "no_reply",
    "runtime_error",
    SHORT,
];
/// The word of [`Retry::outcome`] for a talk that was over too soon.
pub const SHORT: &str = "short";

/// Most attempts of one order.
pub const MAX_ATTEMPTS: u32 = 20;
/// Longest span of holidays, days.
const MAX_SPAN: usize = 31;
const MINUTE: u64 = 60_000;
const DAY: u64 = 24 * 60 * MINUTE;

/// `rules:`
#[derive(Clone, Debug, PartialEq)]
pub struct RulesConfig {
    /// Our own zone, for local and internal numbers; empty: the server's.
    pub zone: String,
    /// The zones in all of which it has to be time to call, where a number doesn't tell its own.
    pub unknown_zones: Vec<String>,
    /// Days off besides the week's own.
    pub holidays: BTreeSet<Date>,
    /// Working days that fall on a weekend.
    pub workdays: BTreeSet<Date>,
    /// The sets; none: call at any time.
    pub sets: Vec<RuleSet>,
}

impl Default for RulesConfig {
    fn default() -> Self {
        Self {
            zone: String::new(),
            unknown_zones: RUSSIA.map(str::to_owned).to_vec(),
            holidays: BTreeSet::new(),
            workdays: BTreeSet::new(),
            sets: Vec::new(),
        }
    }
}

/// One of `rules.sets`.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleSet {
    /// Its name, in orders and history.
    pub name: String,
    /// The dialogs that call by it; none: all that no other set names.
    pub dialogs: Vec<String>,
    /// A law whose rules hold besides.
    pub preset: Preset,
    /// Calling hours; `None`: at any time.
    pub hours: Option<Hours>,
    /// Most attempts of an order that doesn't say; `None`: as many as `retries` make, else one.
    pub attempts: Option<u32>,
    /// What follows which outcome; none: `calls.retry_after` for all who weren't reached.
    pub retries: Vec<Retry>,
    /// Most calls to one number a day.
    pub per_day: Option<u32>,
    /// A week.
    pub per_week: Option<u32>,
    /// A month.
    pub per_month: Option<u32>,
    /// What counts as a call in these.
    pub counts: Counts,
    /// Line of the settings, for mistakes that are seen later.
    pub line: usize,
}

impl RuleSet {
    /// One that allows everything.
    pub fn open(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            dialogs: Vec::new(),
            preset: Preset::None,
            hours: None,
            attempts: None,
            retries: Vec::new(),
            per_day: None,
            per_week: None,
            per_month: None,
            counts: Counts::Talks,
            line: 0,
        }
    }
}

/// Rules of a law.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preset {
    /// None.
    #[default]
    None,
    /// 230-FZ: overdue debts.
    Debt230Fz,
}

/// What a limit counts, from the fewest to the most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Counts {
    /// Calls that a person answered, or that weren't known to be answered by a machine.
    #[default]
    Talks,
    /// Calls that were answered, by a machine or an announcement too.
    Answers,
    /// All attempts.
    Attempts,
}

/// What follows an outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// One of [`RETRIED`].
    pub outcome: String,
    /// When.
    pub after: After,
    /// How often.
    pub times: u32,
    /// Of `short`: a talk shorter than this, milliseconds.
    pub shorter_ms: u64,
}

/// When another attempt is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// So many milliseconds later.
    Ms(u64),
    /// The callee's next day, from its first calling hour (without hours: at the same time of day).
    NextDay,
}

impl Reader<'_> {
    pub(super) fn rules(&mut self, top: &mut Table, c: &mut Config) {
        let mut t = self.section(top, "rules");
        let rules = &mut c.rules;
        if let Some(spot) = self.spot(&mut t, "zone")
            && self.text(&spot).is_some_and(|text| !text.is_empty())
        {
            set(&mut rules.zone, self.zone(&spot));
        }
        if let Some(spot) = self.spot(&mut t, "unknown_zone") {
            set(&mut rules.unknown_zones, self.unknown_zone(&spot));
        }
        if let Some(spot) = self.spot(&mut t, "holidays") {
            rules.holidays = self.dates(&spot);
        }
        if let Some(spot) = self.spot(&mut t, "workdays") {
            rules.workdays = self.dates(&spot);
            if let Some(both) = rules.workdays.intersection(&rules.holidays).next() {
                self.told(
                    spot.node.at,
                    &spot.path,
                    format!("{both} есть и в holidays; оставьте в одном списке"),
                    format!("{both} is in holidays too; keep it in one list"),
                );
            }
        }
        if let Some(spot) = self.spot(&mut t, "sets") {
            let (mut names, mut dialogs) = (Vec::new(), Vec::new());
            for place in self.places_of(&spot) {
                let set = self.rule_set(&place, &mut names, &mut dialogs);
                rules.sets.push(set);
            }
        }
        self.finish(&t);
    }

    fn told(&mut self, at: Place, key: &str, ru: String, en: String) {
        self.fault(at, key, Wrong::Told { ru, en });
    }

    fn rule_set(
        &mut self,
        place: &Spot,
        names: &mut Vec<String>,
        dialogs: &mut Vec<String>,
    ) -> RuleSet {
        let mut rules = RuleSet::open("");
        rules.line = place.node.at.line;
        let mut t = self.table(&place.path, Some(place.node));
        match self.spot(&mut t, "name") {
            Some(spot) => {
                set(&mut rules.name, self.words(&spot));
                if names.contains(&rules.name) {
                    self.fault(spot.node.at, &spot.path, Wrong::SameName);
                }
                names.push(rules.name.clone());
            }
            None => self.missing(&t, "name"),
        }
        if let Some(spot) = self.spot(&mut t, "dialogs") {
            for place in self.places_of(&spot) {
                let Some(dialog) = self.words(&place) else {
                    continue;
                };
                if dialogs.contains(&dialog) {
                    self.told(
                        place.node.at,
                        &place.path,
                        format!("диалог {dialog} уже назван в другом наборе; оставьте в одном"),
                        format!("another set names the dialog {dialog} already; keep it in one"),
                    );
                }
                dialogs.push(dialog.clone());
                rules.dialogs.push(dialog);
            }
        }
        if let Some(spot) = self.spot(&mut t, "preset") {
            let words = [("none", Preset::None), ("230-fz", Preset::Debt230Fz)];
            set(&mut rules.preset, self.word(&spot, &words));
        }
        if let Some(spot) = self.spot(&mut t, "hours")
            && let Some(text) = self.text(&spot)
            && !text.is_empty()
        {
            match Hours::parse(&text) {
                Ok(hours) => rules.hours = Some(hours),
                Err(wrong) => self.fault(spot.node.at, &spot.path, Wrong::Hours(wrong)),
            }
        }
        if let Some(spot) = self.spot(&mut t, "attempts") {
            rules.attempts = self.times(&spot, u64::from(MAX_ATTEMPTS));
        }
        for (key, target) in [
            ("per_day", &mut rules.per_day),
            ("per_week", &mut rules.per_week),
            ("per_month", &mut rules.per_month),
        ] {
            if let Some(spot) = self.spot(&mut t, key) {
                *target = self.limit(&spot);
            }
        }
        if let Some(spot) = self.spot(&mut t, "counts") {
            let words = [
                ("talks", Counts::Talks),
                ("answers", Counts::Answers),
                ("attempts", Counts::Attempts),
            ];
            set(&mut rules.counts, self.word(&spot, &words));
        }
        if let Some(spot) = self.spot(&mut t, "retries") {
            for place in self.places_of(&spot) {
                if let Some(retry) = self.retry(&place, &rules.retries) {
                    rules.retries.push(retry);
                }
            }
        }
        self.finish(&t);
        rules
    }

    fn times(&mut self, spot: &Spot, most: u64) -> Option<u32> {
        let value = self.whole(spot, 1..=most)?;
        u32::try_from(value).ok()
    }

    /// A limit. Zero would call nobody, which nobody means.
    fn limit(&mut self, spot: &Spot) -> Option<u32> {
        if spot.node.value == Value::Int(0) {
            self.told(
                spot.node.at,
                &spot.path,
                "с нулём не позвонить никому; без ограничения — уберите ключ".to_owned(),
                "zero would call nobody; for no limit, take the key out".to_owned(),
            );
            return None;
        }
        self.times(spot, 1000)
    }

    fn retry(&mut self, place: &Spot, others: &[Retry]) -> Option<Retry> {
        let mut t = self.table(&place.path, Some(place.node));
        let words = RETRIED.map(|word| (word, word));
        let mut outcome = None;
        match self.spot(&mut t, "outcome") {
            Some(spot) => {
                outcome = self.word(&spot, &words);
                if others
                    .iter()
                    .any(|other| Some(other.outcome.as_str()) == outcome)
                {
                    self.told(
                        spot.node.at,
                        &spot.path,
                        "для этого исхода правило уже есть; оставьте одно".to_owned(),
                        "that outcome has a rule already; keep one".to_owned(),
                    );
                }
            }
            None => self.missing(&t, "outcome"),
        }
        let mut after = None;
        match self.spot(&mut t, "after") {
            Some(spot) if spot.node.value == Value::Text("next_day".to_owned()) => {
                after = Some(After::NextDay);
            }
            Some(spot) => after = self.duration(&spot, 1000..=30 * DAY).map(After::Ms),
            None => self.missing(&t, "after"),
        }
        let mut times = 1;
        if let Some(spot) = self.spot(&mut t, "times") {
            set(&mut times, self.times(&spot, u64::from(MAX_ATTEMPTS)));
        }
        let mut shorter_ms = 0;
        match (self.spot(&mut t, "shorter"), outcome == Some(SHORT)) {
            (Some(spot), true) => {
                set(&mut shorter_ms, self.duration(&spot, 1000..=10 * MINUTE));
            }
            (Some(spot), false) if outcome.is_some() => self.told(
                spot.node.at,
                &spot.path,
                "shorter бывает только с outcome: short".to_owned(),
                "shorter stands with outcome: short only".to_owned(),
            ),
            (None, true) => self.missing(&t, "shorter"),
            _ => {}
        }
        self.finish(&t);
        Some(Retry {
            outcome: outcome?.to_owned(),
            after: after?,
            times,
            shorter_ms,
        })
    }

    /// `all`, a zone, or a list of zones.
    fn unknown_zone(&mut self, spot: &Spot) -> Option<Vec<String>> {
        match &spot.node.value {
            Value::Text(text) if text == "all" => Some(RUSSIA.map(str::to_owned).to_vec()),
            Value::List(_) => {
                let places = self.places_of(spot);
                if places.is_empty() {
                    self.fault(spot.node.at, &spot.path, Wrong::Empty);
                    return None;
                }
                let zones = places.iter().map(|place| self.zone(place));
                zones.collect()
            }
            _ => Some(vec![self.zone(spot)?]),
        }
    }

    fn zone(&mut self, spot: &Spot) -> Option<String> {
        let name = self.words(spot)?;
        match zone_named(&name) {
            Ok(_) => Some(name),
            Err(near) => {
                let (ru, en) = match near {
                    Some(near) => (
                        format!("может быть, {near}? "),
                        format!("did you mean {near}? "),
                    ),
                    None => Default::default(),
                };
                self.told(
                    spot.node.at,
                    &spot.path,
                    format!(
                        "часового пояса {name} нет; {ru}пишите по-английски: Europe/Moscow, Asia/Kamchatka"
                    ),
                    format!(
                        "there is no time zone {name}; {en}write its name: Europe/Moscow, Asia/Kamchatka"
                    ),
                );
                None
            }
        }
    }

    /// Dates, and spans of them: `2027-01-01..2027-01-08`.
    fn dates(&mut self, spot: &Spot) -> BTreeSet<Date> {
        let mut dates = BTreeSet::new();
        for place in self.places_of(spot) {
            let Some(text) = self.text(&place) else {
                continue;
            };
            match span_of(&text) {
                Some(span) => dates.extend(span),
                None => self.told(
                    place.node.at,
                    &place.path,
                    format!(
                        "«{text}» — не дата; пишите 2027-01-01 или 2027-01-01..2027-01-08, до {MAX_SPAN} дней"
                    ),
                    format!(
                        "{text:?} is no date; write 2027-01-01 or 2027-01-01..2027-01-08, up to {MAX_SPAN} days"
                    ),
                ),
            }
        }
        dates
    }
}

/// The time zone of that name; else the known name that may be meant.
///
/// # Errors
/// There is none of that name.
pub fn zone_named(name: &str) -> Result<TimeZone, Option<String>> {
    // The database also takes other cases and POSIX rules for names; one spelling is enough.
    let canonical = TimeZone::get(name)
        .ok()
        .filter(|zone| zone.iana_name() == Some(name) && name.contains('/'));
    canonical.ok_or_else(|| {
        let names: Vec<String> = jiff::tz::db()
            .available()
            .map(|name| name.as_str().to_owned())
            .collect();
        nearest(name, names.iter().map(String::as_str)).map(str::to_owned)
    })
}

fn span_of(text: &str) -> Option<Vec<Date>> {
    let (from, to) = text.split_once("..").unwrap_or((text, text));
    // The parser takes other forms too; one is enough.
    let date = |text: &str| -> Option<Date> {
        let text = text.trim();
        (text.len() == 10).then(|| text.parse().ok()).flatten()
    };
    let (from, to) = (date(from)?, date(to)?);
    let span: Vec<Date> = from
        .series(jiff::ToSpan::days(1))
        .take_while(|day| *day <= to)
        .take(MAX_SPAN + 1)
        .collect();
    (!span.is_empty() && span.len() <= MAX_SPAN).then_some(span)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{Surroundings, read};

    fn config(rules: &str) -> Result<RulesConfig, Vec<String>> {
        let around = Surroundings {
            env: &|_| None,
            is_folder: &|_| true,
            has_sherpa: false,
        };
        let text = format!("asterisk:\n  secret: x\nrules:\n{rules}");
        read(&text, Path::new("g.yaml"), around)
            .map(|config| config.rules)
            .map_err(|faults| faults.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn rules_are_read() {
        let rules = config(
            "  zone: Asia/Omsk
  unknown_zone: [Europe/Moscow, Asia/Yekaterinburg]
  holidays: [2027-01-01..2027-01-08, 2027-02-23]
  workdays: [2027-02-20]
  sets:
    - name: обычные
    - name: долги
      dialogs: [debt, долг]
      preset: 230-fz
      hours: пн-пт 10-18
      per_day: 1
      per_month: 4
      counts: attempts
      attempts: 5
      retries:
        - {outcome: busy, after: 10m, times: 2}
        - {outcome: machine, after: next_day}
        - {outcome: short, shorter: 15s, after: 1h}
",
        )
        .unwrap();
        assert_eq!(rules.zone, "Asia/Omsk");
        assert_eq!(rules.unknown_zones, ["Europe/Moscow", "Asia/Yekaterinburg"]);
        assert_eq!((rules.holidays.len(), rules.workdays.len()), (9, 1));
        assert_eq!(
            rules.sets[0],
            RuleSet {
                line: rules.sets[0].line,
                ..RuleSet::open("обычные")
            }
        );
        let debts = &rules.sets[1];
        assert_eq!(debts.dialogs, ["debt", "долг"]);
        assert_eq!(debts.preset, Preset::Debt230Fz);
        assert_eq!(
            (debts.per_day, debts.per_week, debts.per_month),
            (Some(1), None, Some(4))
        );
        assert_eq!(debts.counts, Counts::Attempts);
        let told: Vec<_> = debts
            .retries
            .iter()
            .map(|r| (r.outcome.as_str(), r.after, r.times, r.shorter_ms))
            .collect();
        assert_eq!(
            told,
            [
                ("busy", After::Ms(600_000), 2, 0),
                ("machine", After::NextDay, 1, 0),
                ("short", After::Ms(3_600_000), 1, 15_000),
            ]
        );
    }

    #[test]
    fn what_can_not_be_is_told_at_once() {
        let faults = config(
            "  zone: Europe/Moskow
  unknown_zone: MSK
  holidays: [1 января, 2027-01-08..2027-01-01]
  workdays: [2027-13-01]
  sets:
    - name: а
      hours: пон-пт 9-21
      per_day: 0
      retries:
        - {outcome: bussy, after: 10m}
        - {outcome: busy, after: soon, times: 0}
        - {outcome: short, after: 1h}
        - {outcome: machine, after: 1h, shorter: 5s}
    - name: а
      preset: 231-fz
    - dialogs: [d, d]
",
        )
        .unwrap_err();
        let text = faults.join("\n");
        for part in [
            "rules.zone: часового пояса Europe/Moskow нет; может быть, Europe/Moscow?",
            "rules.unknown_zone: часового пояса MSK нет",
            "«1 января» — не дата",
            "«2027-01-08..2027-01-01» — не дата",
            "«2027-13-01» — не дата",
            "rules.sets[0].hours: не понял день «пон-пт»",
            "rules.sets[0].per_day: с нулём не позвонить никому",
            "rules.sets[0].retries[0].outcome: может быть, busy?",
            "rules.sets[0].retries[1].after",
            "rules.sets[0].retries[1].times",
            "rules.sets[0].retries[2].shorter",
            "rules.sets[0].retries[3].shorter: shorter бывает только с outcome: short",
            "rules.sets[1].name: такое имя",
            "rules.sets[1].preset",
            "rules.sets[2].name: ключа нет",
            "rules.sets[2].dialogs[1]: диалог d уже назван",
        ] {
            assert!(text.contains(part), "no {part:?} in\n{text}");
        }
    }
}
