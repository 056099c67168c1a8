//! Trunks, turns, limits by dialog, ears, the drain.

use super::*;
use crate::call::Hears;
use crate::outbound::governor::Seen;

impl Rig {
    fn over(mut self, trunks: Vec<Trunk>) -> Self {
        self.dialing = Dialing::new(trunks, 100);
        self
    }

    fn limit(&self, dialog: &str, limits: DialogLimits) {
        let mut dialogs = self.dialogs.lock().unwrap();
        let mut all = HashMap::clone(&**dialogs);
        all.insert(dialog.to_owned(), limits);
        *dialogs = Arc::new(all);
    }

    async fn add_many(&self, dialog: &str, prefix: &str, count: usize) {
        let orders = (0..count).map(|n| Self::order(&format!("{prefix}{n}"), dialog));
        self.add(orders.collect()).await;
    }

    fn dialogs_told(&self) -> String {
        self.starts().iter().map(|s| s.dialog.as_str()).collect()
    }

    /// The most that went on at once of those that `of` picks, each lasting `talk` seconds.
    fn most_at_once(&self, talk: f64, of: impl Fn(&Start) -> bool) -> usize {
        let starts: Vec<f64> = self
            .starts()
            .iter()
            .filter(|s| of(s))
            .map(|s| s.at)
            .collect();
        let at = |moment: f64| {
            let on = starts
                .iter()
                .filter(|at| **at <= moment && moment < **at + talk - 0.001);
            on.count()
        };
        starts.iter().map(|moment| at(*moment)).max().unwrap_or(0)
    }
}

fn named(name: &str) -> DialogLimits {
    DialogLimits {
        hears: Hears::Named(vec![name.to_owned()]),
        ..DialogLimits::default()
    }
}

fn silent() -> DialogLimits {
    DialogLimits {
        hears: Hears::Nobody,
        ..DialogLimits::default()
    }
}

#[tokio::test(start_paused = true)]
async fn dialogs_take_turns() {
    let mut rig = Rig::new(1, 10.0, 10);
    for dialog in ["a", "b", "c"] {
        rig.limit(dialog, silent());
    }
    rig.add_many("a", "a", 200).await;
    rig.start();
    sleep(Duration::from_secs(35)).await;
    rig.add_many("b", "b", 3).await;
    rig.add_many("c", "c", 2).await;
    let mut urgent = Rig::order("urgent", "a");
    urgent.priority = 1;
    rig.add(vec![urgent]).await;
    sleep(Duration::from_secs(100)).await;
    // The urgent one is `a`'s turn; then each in turn, until they have no more.
    assert_eq!(rig.dialogs_told(), "aaaaabcabcabaa");
    assert_eq!(rig.starts()[4].id, "urgent");
    rig.drain().await;
}

#[tokio::test(start_paused = true)]
async fn a_dialogs_limits_hold_and_leave_the_lines_to_others() {
    let mut rig = Rig::new(20, 100.0, 10);
    let slow = DialogLimits {
        starts_per_second: Some(0.5),
        ..silent()
    };
    rig.limit(
        "a",
        DialogLimits {
            at_once: Some(2),
            ..silent()
        },
    );
    rig.limit("b", slow);
    rig.limit(
        "c",
        DialogLimits {
            at_once: Some(9),
            ..silent()
        },
    );
    for dialog in ["a", "b", "c"] {
        rig.add_many(dialog, dialog, 30).await;
    }
    rig.start();
    sleep(Duration::from_secs(30)).await;
    assert_eq!(rig.most_at_once(10.0, |s| s.dialog == "a"), 2);
    let slow: Vec<f64> = rig
        .starts()
        .iter()
        .filter(|s| s.dialog == "b")
        .map(|s| s.at)
        .collect();
    assert!(
        slow.windows(2).all(|pair| pair[1] - pair[0] > 1.9),
        "{slow:?}"
    );
    assert!(slow.len() >= 10, "{slow:?}");
    let other = rig.most_at_once(10.0, |s| s.dialog == "c");
    assert_eq!(other, 9, "what they leave is for the others");
    let held: HashMap<_, _> = rig.dialing.stands().held.into_iter().collect();
    assert!(
        held[&Held::DialogLines] > 0 && held[&Held::DialogRate] > 0,
        "{held:?}"
    );
    rig.drain().await;
}

#[tokio::test(start_paused = true)]
async fn what_has_no_room_is_not_looked_at_again_and_again() {
    let mut rig = Rig::new(10, 100.0, 5);
    rig.limit("a", named("vosk"));
    rig.limit("b", silent());
    rig.dialing.set_ears([("vosk".to_owned(), false)].into());
    rig.add_many("a", "a", 500).await;
    rig.add_many("b", "b", 10).await;
    rig.start();
    sleep(Duration::from_secs(600)).await;
    assert_eq!(
        rig.dialogs_told(),
        "b".repeat(10),
        "nobody is called whom we couldn't hear"
    );
    let looks = rig.looks.load(Ordering::Relaxed);
    assert!(looks < 80, "{looks} looks in ten minutes");
    let stands = rig.dialing.stands();
    assert_eq!(stands.deaf, ["vosk"]);
    assert!(
        stands
            .held
            .iter()
            .any(|(why, times)| *why == Held::Deaf && *times > 0)
    );
    // It works again: at once.
    rig.dialing.set_ears([("vosk".to_owned(), true)].into());
    sleep(Duration::from_secs(1)).await;
    assert!(rig.starts().len() >= 20, "{}", rig.starts().len());
    rig.drain().await;
}

#[tokio::test(start_paused = true)]
async fn fewer_are_called_while_the_recognizers_are_slow() {
    let mut rig = Rig::new(100, 100.0, 10).over(vec![Trunk::plain("trunk")]);
    rig.limit("a", named("vosk"));
    rig.limit("b", silent());
    rig.dialing.set_ears([("vosk".to_owned(), true)].into());
    rig.add_many("a", "a", 20).await;
    rig.start();
    sleep(Duration::from_secs(5)).await;
    assert_eq!(rig.starts().len(), 20);
    let late = Seen {
        turns: 10,
        late: 9,
        ..Seen::default()
    };
    rig.dialing.observe(late, 0);
    rig.dialing.observe(late, 0);
    rig.add_many("b", "b", 40).await;
    rig.add_many("a", "more", 200).await;
    sleep(Duration::from_secs(13)).await;
    let heard = rig
        .starts()
        .iter()
        .filter(|s| s.dialog == "a" && s.at > 6.0)
        .count();
    // 20 calls, cut twice by a third: 8 and a half.
    assert_eq!(heard, 8, "{:?}", rig.told());
    let silent = rig.starts().iter().filter(|s| s.dialog == "b").count();
    assert_eq!(silent, 40, "who needs no ear is called");
    let (limit, why) = rig.dialing.stands().cut.unwrap();
    assert_eq!((limit, why.as_str()), (8, "slow"));
    rig.drain().await;
}

#[tokio::test(start_paused = true)]
async fn trunks_hold_their_limits_and_their_shares() {
    let few = Trunk {
        at_once: Some(3),
        ..Trunk::plain("few")
    };
    let slow = Trunk {
        starts_per_second: Some(0.5),
        ..Trunk::plain("slow")
    };
    let mut rig = Rig::new(50, 100.0, 8).over(vec![few, slow]);
    rig.limit("a", silent());
    rig.add_many("a", "a", 100).await;
    rig.start();
    sleep(Duration::from_secs(40)).await;
    let by = |name: &'static str| move |s: &Start| s.trunk.as_deref() == Some(name);
    assert_eq!(rig.most_at_once(8.0, by("few")), 3);
    let slow: Vec<f64> = rig
        .starts()
        .iter()
        .filter(|s| by("slow")(s))
        .map(|s| s.at)
        .collect();
    assert!(
        slow.windows(2).all(|pair| pair[1] - pair[0] > 1.9),
        "{slow:?}"
    );
    assert!(slow.len() > 15 && rig.starts().len() > slow.len() + 12);
    let looks = rig.looks.load(Ordering::Relaxed);
    assert!(
        looks < 200,
        "{looks} looks for {} starts",
        rig.starts().len()
    );
    rig.drain().await;
    let call = rig.call(&rig.starts()[0].id).await;
    assert_eq!(call.attempt_list[0].trunk, rig.starts()[0].trunk);
}

#[tokio::test(start_paused = true)]
async fn a_congested_trunk_is_left_alone_and_another_takes_over() {
    let mut rig = Rig::new(50, 1.0, 2).over(vec![Trunk::plain("one"), Trunk::plain("two")]);
    rig.limit("a", silent());
    rig.fake.congested.lock().unwrap().push("one".to_owned());
    let orders = (0..60).map(|n| {
        let mut order = Rig::order(&format!("a{n}"), "a");
        order.attempts = 2;
        order
    });
    rig.add(orders.collect()).await;
    rig.start();
    sleep(Duration::from_secs(70)).await;
    let on_one = rig
        .starts()
        .iter()
        .filter(|s| s.trunk.as_deref() == Some("one"))
        .count();
    // Three in a row, then one try after 2, 4, 8, 16, 32 s.
    assert!((5..=9).contains(&on_one), "{on_one}: {:?}", rig.starts());
    let stands = rig.dialing.stands();
    assert_eq!(stands.trunks[0].congested, on_one as u64);
    // The orders that met it come again by the rules, and go by the other.
    sleep(Duration::from_secs(700)).await;
    let again: Vec<Start> = rig
        .starts()
        .into_iter()
        .filter(|s| s.attempt == 2)
        .collect();
    assert_eq!(again.len(), on_one);
    assert!(
        again.iter().all(|s| s.trunk.as_deref() == Some("two")),
        "{again:?}"
    );
    let first = rig.call(&again[0].id).await;
    let outcomes: Vec<_> = first
        .attempt_list
        .iter()
        .map(|a| a.outcome.as_deref())
        .collect();
    assert_eq!(outcomes, [Some("congestion"), Some("a")]);
    rig.drain().await;
}

#[tokio::test(start_paused = true)]
async fn a_number_that_no_trunk_serves_ends_at_once() {
    let abroad = Trunk {
        prefixes: vec!["49".to_owned()],
        ..Trunk::plain("abroad")
    };
    let mut rig = Rig::new(5, 10.0, 5).over(vec![abroad]);
    let routes = Arc::clone(rig.dialing.trunks());
    let store = rig.store.clone();
    still(async move { store.set_router(move |phone| routes.route(phone)).await })
        .await
        .unwrap();
    let mut german = Rig::order("german", "confirmed");
    german.phone = Phone::parse("+4930123456").unwrap();
    rig.add(vec![Rig::order("russian", "confirmed"), german])
        .await;
    rig.start();
    sleep(Duration::from_secs(20)).await;
    rig.drain().await;
    let call = rig.call("russian").await;
    assert_eq!(call.outcome.as_deref(), Some("invalid_number"));
    assert_eq!(call.attempt_list[0].trunk, None);
    assert_eq!(rig.starts().len(), 1, "nothing was dialed");
    assert_eq!(
        rig.call("german").await.attempt_list[0].trunk.as_deref(),
        Some("abroad")
    );
}

#[tokio::test(start_paused = true)]
async fn a_drain_starts_nothing_and_cuts_nothing() {
    let mut rig = Rig::new(2, 10.0, 30);
    rig.add_many("confirmed", "a", 6).await;
    let mut short = Rig::order("short", "confirmed");
    short.expires = Some(moment(rig.fake.begin, 60));
    rig.add(vec![short]).await;
    rig.start();
    sleep(Duration::from_secs(10)).await;
    assert!(rig.dialing.drain(true) && !rig.dialing.drain(true) && rig.dialing.drains());
    sleep(Duration::from_secs(200)).await;
    assert_eq!(rig.starts().len(), 2);
    assert_eq!(
        rig.call("a1").await.status,
        Status::Finished,
        "it went on to its end"
    );
    assert_eq!(rig.call("short").await.status, Status::Expired);
    assert_eq!(rig.dialing.outgoing(), 0);
    rig.dialing.drain(false);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(rig.starts().len(), 4);
    rig.drain().await;
}
