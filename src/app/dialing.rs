//! The dialing's settings, and what is told of it: trunks and dialogs' limits in, `/healthz` and `/metrics` out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::call::TrunkLine;
use crate::config::{CallsConfig, Config, Language, TrunkConfig};
use crate::http::{HealthPart, Metric, Number};
use crate::outbound::governor::Cut;
use crate::outbound::{Dialing, DialogLimits, Dialogs, Lines, Trunk};
use crate::script::{Library, Version};
use crate::wire::dial::{CallerId, DialTemplate};

/// How each trunk is dialed, by its name; what is wrong goes to `keep`.
pub(super) fn lines(
    config: &Config,
    keep: &mut dyn FnMut(String),
) -> HashMap<String, Arc<TrunkLine>> {
    let mut all = HashMap::new();
    for (n, trunk) in config.trunks_in_use().into_iter().enumerate() {
        let key = if config.trunks.is_empty() {
            "asterisk.channel".to_owned()
        } else {
            format!("trunks[{n}].channel")
        };
        match DialTemplate::parse(&trunk.channel) {
            Ok(channel) => {
                let line = TrunkLine {
                    name: trunk.name.clone(),
                    channel,
                    caller_id: CallerId::parse(&trunk.caller_id).ok(),
                    ring_timeout_ms: trunk.ring_timeout_ms,
                };
                all.insert(trunk.name, Arc::new(line));
            }
            Err(error) => keep(format!("{key}: {error}")),
        }
    }
    all
}

/// The trunks as the choice sees them.
pub(super) fn trunks(config: &Config) -> Vec<Trunk> {
    let trunk = |trunk: TrunkConfig| Trunk {
        name: trunk.name,
        prefixes: trunk.prefixes,
        weight: trunk.weight,
        at_once: some(trunk.at_once),
        starts_per_second: some_rate(trunk.starts_per_second),
    };
    config.trunks_in_use().into_iter().map(trunk).collect()
}

fn some(n: usize) -> Option<usize> {
    (n > 0).then_some(n)
}

fn some_rate(rate: f64) -> Option<f64> {
    (rate > 0.0).then_some(rate)
}

/// The limits of the dialogs of the current version; made anew when another one takes over.
pub(super) fn limits(
    library: Arc<Library>,
    calls: &CallsConfig,
) -> impl Fn() -> Dialogs + Send + Sync + 'static {
    let (at_once, rate) = (
        some(calls.dialog_at_once),
        some_rate(calls.dialog_starts_per_second),
    );
    let kept: Mutex<Option<(Arc<Version>, Dialogs)>> = Mutex::new(None);
    move || {
        let version = library.current();
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, dialogs)) = &*kept
            && Arc::ptr_eq(of, &version)
        {
            return Arc::clone(dialogs);
        }
        let names: Vec<String> = version.dialogs().map(|(name, _)| name.to_owned()).collect();
        let dialogs = names.into_iter().filter_map(|name| {
            let dialog = version.dialog(&name)?;
            let own = dialog.call_limits();
            let limits = DialogLimits {
                at_once: own.at_once.map(|n| n as usize).or(at_once),
                starts_per_second: own.starts_per_second.or(rate),
                hears: dialog.choice().hears,
            };
            Some((name, limits))
        });
        let dialogs: Dialogs = Arc::new(dialogs.collect());
        *kept = Some((version, Arc::clone(&dialogs)));
        dialogs
    }
}

/// For `/healthz`: every trunk backed off is an outage; a drain or fewer calls for the recognizers' sake is none.
pub(super) fn health(dialing: &Dialing, language: Language) -> HealthPart {
    let stands = dialing.stands();
    let mut told = Vec::new();
    if dialing.drains() {
        told.push(language.pick(
            "новых звонков нет: POST /api/v1/drain; вернуть: DELETE /api/v1/drain".to_owned(),
            "no new calls: POST /api/v1/drain; DELETE /api/v1/drain resumes".to_owned(),
        ));
    }
    if let Some((limit, why)) = stands.cut {
        let (ru, en) = match why {
            Cut::Slow => ("распознавание опаздывает", "the recognizers are late"),
            Cut::Refused => (
                "распознаватели отказывают звонкам",
                "the recognizers refuse calls",
            ),
        };
        told.push(language.pick(
            format!("{ru}: слушаем не больше {limit} звонков сразу"),
            format!("{en}: no more than {limit} calls are listened to at once"),
        ));
    }
    for trunk in &stands.trunks {
        let of = trunk
            .at_once
            .map_or(String::new(), |most| format!("/{most}"));
        let mut text = format!("{}: {}{of}", trunk.name, trunk.calls);
        if let Some(wait) = trunk.backed_off {
            let seconds = wait.as_secs_f64().ceil();
            text += &language.pick(
                format!(", отвечает перегрузкой, снова через {seconds} с"),
                format!(", answers congestion, again in {seconds} s"),
            );
        }
        told.push(text);
    }
    HealthPart {
        name: "dialing",
        ok: stands.trunks.iter().any(|trunk| trunk.backed_off.is_none()),
        text: told.join("; "),
    }
}

/// For `/metrics`.
pub(super) fn metrics(dialing: &Dialing, lines: &Lines, redialed: u64) -> Vec<Metric> {
    let stands = dialing.stands();
    let metric = |name, help, number| Metric { name, help, number };
    let by_trunk = |of: &dyn Fn(&crate::outbound::TrunkStands) -> u64| {
        let all = stands.trunks.iter();
        all.map(|trunk| (trunk.name.clone(), of(trunk))).collect()
    };
    let by_dialog = |of: &dyn Fn(&crate::outbound::DialogStands) -> u64| {
        let all = stands.dialogs.iter();
        all.map(|dialog| (dialog.name.clone(), of(dialog)))
            .collect()
    };
    let held = stands
        .held
        .iter()
        .map(|(why, times)| (why.as_str().to_owned(), *times));
    let limit = stands.cut.map_or(0, |(limit, _)| limit as u64);
    vec![
        metric(
            "govorun_lines_taken",
            "lines of calls.at_once that are taken, by incoming calls too",
            Number::Gauge(lines.taken() as u64),
        ),
        metric(
            "govorun_trunk_calls",
            "outgoing calls that dial or talk over a trunk",
            Number::Gauges("trunk", by_trunk(&|trunk| trunk.calls as u64)),
        ),
        metric(
            "govorun_trunk_starts_total",
            "calls started over a trunk",
            Number::Counters("trunk", by_trunk(&|trunk| trunk.starts)),
        ),
        metric(
            "govorun_trunk_congested_total",
            "calls that a trunk answered with congestion",
            Number::Counters("trunk", by_trunk(&|trunk| trunk.congested)),
        ),
        metric(
            "govorun_trunk_backed_off",
            "1 while nothing is started over a trunk that answers congestion",
            Number::Gauges(
                "trunk",
                by_trunk(&|trunk| u64::from(trunk.backed_off.is_some())),
            ),
        ),
        metric(
            "govorun_dialog_calls",
            "outgoing calls of a dialog that dial or talk",
            Number::Gauges("dialog", by_dialog(&|dialog| dialog.calls as u64)),
        ),
        metric(
            "govorun_dialog_starts_total",
            "calls of a dialog that were started",
            Number::Counters("dialog", by_dialog(&|dialog| dialog.starts)),
        ),
        metric(
            "govorun_starts_held_total",
            "times that due orders had to wait, by what had no room for them",
            Number::Counters("reason", held.collect()),
        ),
        metric(
            "govorun_recognizers_limit",
            "calls listened to at once while the recognizers are slow or refuse calls; 0: no such limit",
            Number::Gauge(limit),
        ),
        metric(
            "govorun_recognizers_cuts_total",
            "times that this limit was lowered",
            Number::Counter(stands.cuts),
        ),
        metric(
            "govorun_draining",
            "1 while no call is started",
            Number::Gauge(u64::from(dialing.drains())),
        ),
        metric(
            "govorun_redialed",
            "attempts that the last crash cut off before a ring was known of, and that were queued again",
            Number::Gauge(redialed),
        ),
    ]
}
