//! What must be true when all is over, whatever happened: held against what the double of Asterisk saw, what 1C read and
//! what the store keeps.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write;

use govorun::ident::CallId;
use govorun::rehearsal::asterisk::record::{MAX_ENTRIES, calls};
use govorun::rehearsal::asterisk::{Entry, What};
use govorun::store::Store;
use serde_json::Value;

use super::process::{AT_ONCE, Den, FEW_AT_ONCE, STARTS_PER_SECOND, TRUNKS};
use super::receiver::Told;
use super::{ATTEMPTS, town};

/// One dialing, as the far side saw it.
#[derive(Clone, Debug)]
struct Dial {
    channel: String,
    trunk: char,
    order: usize,
    from_us: u64,
    to_us: u64,
    rang: bool,
    answered: bool,
}

fn dials(entries: &[Entry], deaths: &[u64]) -> Vec<Dial> {
    let mut all: Vec<Dial> = Vec::new();
    let mut at: HashMap<&str, usize> = HashMap::new();
    for entry in entries {
        if let What::Dialed { number } = &entry.what {
            let (trunk, order) = town::whose(number);
            // Who dies with Asterisk tells no end.
            let dies = deaths.iter().find(|death| **death > entry.at_us);
            let known = at.insert(&entry.channel, all.len());
            assert!(known.is_none(), "{} was dialed twice", entry.channel);
            all.push(Dial {
                channel: entry.channel.to_string(),
                trunk,
                order,
                from_us: entry.at_us,
                to_us: dies.copied().unwrap_or(u64::MAX),
                rang: false,
                answered: false,
            });
            continue;
        }
        let Some(dial) = at.get(&*entry.channel).map(|n| &mut all[*n]) else {
            continue;
        };
        match &entry.what {
            What::Ringing => dial.rang = true,
            What::Answered => dial.answered = true,
            What::HungUp { .. } => dial.to_us = dial.to_us.min(entry.at_us),
            _ => {}
        }
    }
    all
}

/// The most that stood at once.
fn most_at_once<'a>(dials: impl Iterator<Item = &'a Dial>) -> usize {
    let mut steps: Vec<(u64, i64)> = dials
        .flat_map(|d| [(d.from_us, 1), (d.to_us, -1)])
        .collect();
    // At the same moment an end comes before a beginning.
    steps.sort_unstable();
    let (mut now, mut most) = (0, 0);
    for (_, step) in steps {
        now += step;
        most = most.max(now);
    }
    usize::try_from(most).unwrap()
}

/// The most that began within a second.
fn most_a_second(mut starts: Vec<i64>) -> usize {
    starts.sort_unstable();
    let within = |n: usize| starts[n..].partition_point(|at| *at < starts[n] + 999);
    (0..starts.len()).map(within).max().unwrap_or(0)
}

/// So many may begin within a second at that rate: its burst is a twentieth.
fn allowed(rate: f64) -> usize {
    (rate * 1.05).ceil() as usize
}

/// The orders whose end was taken.
pub fn taken(told: &[Told]) -> HashSet<String> {
    let taken = told.iter().filter(|told| told.taken);
    taken
        .map(|told| told.body["id"].as_str().unwrap().to_owned())
        .collect()
}

/// Each end was told at least once, as it is in `changes`; and nothing else was.
pub fn told(told: &[Told], read: &[Value]) -> String {
    let ends = ["finished", "expired", "cancelled"];
    let ends = read
        .iter()
        .filter(|c| ends.contains(&c["status"].as_str().unwrap()));
    let ends: HashMap<&str, &Value> = ends.map(|c| (c["id"].as_str().unwrap(), c)).collect();
    let mut by_order: HashMap<&str, Vec<&Told>> = HashMap::new();
    for one in told {
        assert!(one.signed, "{one:?}");
        let end = ends[one.body["id"].as_str().unwrap()];
        assert_eq!(&one.body, end, "what is pushed is what is read");
        by_order
            .entry(one.body["id"].as_str().unwrap())
            .or_default()
            .push(one);
    }
    assert_eq!(by_order.len(), ends.len(), "each end was told");
    for all in by_order.values() {
        assert!(all.iter().any(|one| one.taken), "{all:?}");
        assert!(
            all.iter().all(|one| one.delivery == all[0].delivery),
            "one number in every try: {all:?}"
        );
    }
    let refused = told.iter().filter(|one| !one.taken).count();
    let again = told.len() - refused - by_order.len();
    format!(
        "  {} ends were told in {} deliveries: {refused} refused or unanswered, {again} told again after they had been taken\n",
        by_order.len(),
        told.len()
    )
}

/// Holds everything against everything; the answer is for people.
pub async fn judge(
    den: &Den,
    entries: &[Entry],
    read: &[Value],
    orders: usize,
    deaths: &[u64],
) -> String {
    assert!(
        entries.len() < MAX_ENTRIES,
        "the double's record was too short"
    );
    let dials = dials(entries, deaths);
    let store = Store::open(den.store()).unwrap();

    // 1C has read each change once and in order.
    let (mut all, mut cursor) = (Vec::new(), 0);
    loop {
        let (page, next) = store.changes(cursor, 1_000).await.unwrap();
        if page.is_empty() {
            break;
        }
        cursor = next;
        all.extend(page);
    }
    let kept: Vec<(i64, String, &str)> = all
        .iter()
        .map(|c| (c.cursor, c.id.to_string(), c.status.as_str()))
        .collect();
    let told: Vec<(i64, String, &str)> = read
        .iter()
        .map(|c| {
            let text = |key: &str| c[key].as_str().unwrap();
            (
                c["cursor"].as_i64().unwrap(),
                text("id").to_owned(),
                text("status"),
            )
        })
        .collect();
    assert!(
        told.windows(2).all(|pair| pair[0].0 < pair[1].0),
        "out of order"
    );
    assert_eq!(told.len(), kept.len(), "some change was missed");
    assert!(told == kept, "what 1C read isn't what is kept");

    // Every order ends exactly once, and nothing comes after its end.
    let mut ends: HashMap<&str, usize> = HashMap::new();
    for (n, change) in all.iter().enumerate() {
        let ended = ends.get(change.id.as_str()).map(|n| &all[*n]);
        assert!(ended.is_none(), "{change:?} after the end {ended:?}");
        if change.status.is_final() {
            ends.insert(change.id.as_str(), n);
        }
    }
    assert_eq!(ends.len(), orders, "each order ends");

    // No attempt is dialed twice; each dialing is an attempt, or one of which a crash left unknown whether it rang.
    let mut by_order: HashMap<usize, Vec<&Dial>> = HashMap::new();
    for dial in &dials {
        by_order.entry(dial.order).or_default().push(dial);
    }
    let mut outcomes: BTreeMap<String, usize> = BTreeMap::new();
    let (mut unknown, mut rang_unknown, mut answered_unknown) = (0, 0, 0);
    let mut starts: HashMap<String, Vec<i64>> = HashMap::new();
    let mut attempts_in_all = 0;
    for n in 0..orders {
        let id = CallId::parse(&format!("o{n}")).unwrap();
        let call = store.call(&id).await.unwrap().unwrap();
        assert!(call.status.is_final(), "{call:#?}");
        *outcomes
            .entry(call.outcome.clone().unwrap_or_default())
            .or_default() += 1;
        assert!(
            call.attempt <= ATTEMPTS && call.attempt_list.len() == call.attempt as usize,
            "{call:#?}"
        );
        attempts_in_all += call.attempt_list.len();
        let events = store.events(&id, 0, 1_000).await.unwrap().unwrap();
        let mut undone: HashSet<String> = HashSet::new();
        let mut going = None;
        for event in events.iter().filter(|e| e.kind == "attempt") {
            match event.data["event"].as_str().unwrap() {
                "began" => {
                    going = event.data["channel_id"].as_str().map(str::to_owned);
                    let trunk = event.data["trunk"].as_str().unwrap().to_owned();
                    starts
                        .entry(trunk)
                        .or_default()
                        .push(event.at.as_millisecond());
                }
                "put_back" => undone.extend(going.take()),
                _ => {}
            }
        }
        for dial in by_order.remove(&n).unwrap_or_default() {
            let attempt = call
                .attempt_list
                .iter()
                .find(|a| a.channel_id.as_str() == dial.channel);
            let trunk = TRUNKS.iter().find(|t| t.1 == dial.trunk).unwrap().0;
            match attempt {
                Some(attempt) => assert_eq!(attempt.trunk.as_deref(), Some(trunk), "{dial:?}"),
                None => {
                    assert!(
                        undone.contains(&dial.channel),
                        "{dial:?} is no attempt: {call:#?}"
                    );
                    unknown += 1;
                    rang_unknown += usize::from(dial.rang);
                    answered_unknown += usize::from(dial.answered);
                }
            }
            assert!(
                trunk != "three" || n.is_multiple_of(8),
                "a trunk serves its prefix only: {dial:?}"
            );
        }
    }
    assert!(
        by_order.is_empty(),
        "dialed, and never ordered: {by_order:?}"
    );

    // Every limit held at each moment, as the far side saw it.
    let mut text = String::new();
    let mut limit = |what: &str, most: usize, allowed: usize| {
        writeln!(text, "  {what}: at most {most} of {allowed}").unwrap();
        (most > allowed).then(|| format!("{what}: {most} of {allowed}"))
    };
    let mut broken = Vec::new();
    broken.extend(limit("calls at once", most_at_once(dials.iter()), AT_ONCE));
    let few = dials.iter().filter(|d| town::dialog(d.order) == "few");
    broken.extend(limit(
        "calls at once of dialog few",
        most_at_once(few),
        FEW_AT_ONCE,
    ));
    for (name, digit, at_once, rate) in TRUNKS {
        let own = dials.iter().filter(|d| d.trunk == digit);
        broken.extend(limit(
            &format!("calls at once over {name}"),
            most_at_once(own),
            at_once,
        ));
        let own = starts.get(name).cloned().unwrap_or_default();
        let most = most_a_second(own);
        broken.extend(limit(
            &format!("starts a second over {name}"),
            most,
            allowed(rate),
        ));
    }
    let most = most_a_second(starts.into_values().flatten().collect());
    broken.extend(limit("starts a second", most, allowed(STARTS_PER_SECOND)));

    writeln!(
        text,
        "  {} dialings, {attempts_in_all} attempts, {} changes read once and in order; {unknown} dialings of which a crash left unknown \
         whether they rang ({rang_unknown} had rung, {answered_unknown} were answered) and that were dialed anew",
        dials.len(),
        read.len(),
    )
    .unwrap();
    writeln!(text, "  outcomes: {outcomes:?}").unwrap();
    let answered = calls(entries).iter().filter(|call| call.answered).count();
    writeln!(text, "  {answered} answered").unwrap();
    assert!(broken.is_empty(), "limits were broken: {broken:?}\n{text}");
    text
}
