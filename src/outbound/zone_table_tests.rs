//! Numbers and moments, held against a table that another program computed: which zone, and is it time to call?

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Rules;
use crate::call::Order;
use crate::config::{Config, Hours, Preset, RuleSet, zone_named};
use crate::ident::{CallId, Phone};
use crate::store::{Admit, Past, Verdict};

const TABLE: &str = include_str!("../../tests/fixtures/zones/table.tsv");

/// The rules that the table's head names.
pub(super) fn rules() -> Rules {
    let mut config = Config::default();
    let date = |text: &str| text.parse::<jiff::civil::Date>().unwrap();
    config.rules.holidays = (1..=8)
        .map(|day| jiff::civil::date(2027, 1, day))
        .chain([date("2027-02-23")])
        .collect();
    config.rules.workdays = [date("2027-02-20")].into();
    for (name, preset, hours) in [
        ("debt", Preset::Debt230Fz, ""),
        ("day", Preset::None, "пн-пт 9-21; сб-вс 10-18"),
        ("lunch", Preset::None, "пн-пт 9-13 14-18"),
    ] {
        let mut set = RuleSet::open(name);
        set.preset = preset;
        set.hours = Hours::parse(hours).ok();
        set.dialogs = vec![name.to_owned()];
        config.rules.sets.push(set);
    }
    Rules::from_config(&config, zone_named("Europe/Samara").unwrap())
}

#[test]
fn each_row_is_so() {
    let rules = rules();
    let (mut rows, mut faults) = (0, Vec::new());
    for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
        let cells: Vec<&str> = line.split('\t').collect();
        let [phone, zone, set, now, zones, expect] = cells[..] else {
            panic!("{line}");
        };
        rows += 1;
        let mut order = Order::simple(
            CallId::parse("t").unwrap(),
            Phone::parse(phone).unwrap(),
            set,
        );
        order.zone = (zone != "-").then(|| zone.to_owned());
        let now: Timestamp = now.parse().unwrap();
        let plan = rules.plan(&order);
        let names: Vec<&str> = plan.zones.iter().filter_map(TimeZone::iana_name).collect();
        let got = match rules.judge(&order, &Past::default(), now) {
            Verdict::Call => "open".to_owned(),
            Verdict::Wait { until, reason, .. } => {
                assert_eq!(reason.rule, "hours", "{line}");
                until.to_string()
            }
            Verdict::Refuse { outcome, .. } => {
                assert_eq!(outcome, Some("out_of_hours"), "{line}");
                "never".to_owned()
            }
        };
        if names.join(",") != zones || got != expect {
            faults.push(format!("{line}\n    {} {got}", names.join(",")));
        }
    }
    assert!(rows >= 200, "{rows} rows");
    assert!(
        faults.is_empty(),
        "{} of {rows}:\n{}",
        faults.len(),
        faults.join("\n")
    );
}
