//! Whether the recognizers work: asked at the server's start and again while one doesn't, told in the log, `/healthz` and
//! `/metrics`, and to the dialing: nobody is called whom none hears, and fewer where they are slow.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;

use crate::asr::listed::{Fitness, Listed};
use crate::asr::probe::{PROBE_LIMIT, ProbeFault};
use crate::asr::{Cause, Recognizer};
use crate::call::TurnTimings;
use crate::config::Language;
use crate::http::{HealthPart, Metric, Number};
use crate::outbound::Dialing;
use crate::outbound::governor::Seen;

/// A recognizer that doesn't work is asked again after this, then after twice as long, and so on up to the most.
const ASK_AGAIN: Duration = Duration::from_secs(1);
const ASK_AGAIN_MOST: Duration = Duration::from_secs(30);
/// How often the dialing is told which of them work.
const TELL: Duration = Duration::from_millis(250);
/// How often it is told what they bear, in [`TELL`]s.
const PERIOD: u32 = 20;

/// Asks all until each works; and again each that has failed in a call. One that works isn't asked: a probe may cost money.
pub(super) async fn watch(all: Vec<Arc<Listed>>, language: Language, stop: CancellationToken) {
    let ask = |one: Arc<Listed>| {
        let stop = stop.clone();
        async move {
            let mut before = Fitness::Unknown;
            let mut wait = ASK_AGAIN;
            loop {
                let found = tokio::select! {
                    found = one.probe(PROBE_LIMIT) => found,
                    () = stop.cancelled() => return,
                };
                match &found {
                    Fitness::Works { ms } => {
                        tracing::info!(recognizer = one.name(), ms, "works");
                        tokio::select! {
                            () = one.fails() => {}
                            () = stop.cancelled() => return,
                        }
                        if let Fitness::Fails(fault) = one.fitness() {
                            let why = told(one.name(), &fault, language);
                            tracing::error!(recognizer = one.name(), "{why}");
                        }
                        before = one.fitness();
                        wait = ASK_AGAIN;
                    }
                    Fitness::Fails(fault) if found != before => {
                        let why = told(one.name(), fault, language);
                        tracing::error!(recognizer = one.name(), "{why}");
                    }
                    _ => {}
                }
                if let Fitness::Fails(_) = found {
                    before = found;
                }
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    () = stop.cancelled() => return,
                }
                wait = (wait * 2).min(ASK_AGAIN_MOST);
            }
        }
    };
    join_all(all.into_iter().map(ask)).await;
}

/// Tells the dialing which recognizers work and what they bear. `incoming` counts the calls that came in.
pub(super) async fn tell(
    all: Vec<Arc<Listed>>,
    timings: Arc<TurnTimings>,
    dialing: Dialing,
    incoming: impl Fn() -> usize + Send + 'static,
    stop: CancellationToken,
) {
    let mut before = Seen::default();
    let mut beat = tokio::time::interval(TELL);
    for n in 0_u32.. {
        tokio::select! {
            _ = beat.tick() => {}
            () = stop.cancelled() => return,
        }
        let works = |one: &Arc<Listed>| matches!(one.fitness(), Fitness::Works { .. });
        let ears = all.iter().map(|one| (one.name().to_owned(), works(one)));
        dialing.set_ears(ears.collect());
        if n % PERIOD == 0 {
            let (turns, late) = timings.finals();
            let now = Seen {
                turns,
                late,
                streams: all.iter().map(|one| one.used().streams).sum(),
                refused: all.iter().map(|one| one.failed()).sum(),
                calls: 0,
            };
            let since = Seen {
                turns: now.turns - before.turns,
                late: now.late - before.late,
                streams: now.streams - before.streams,
                refused: now.refused - before.refused,
                calls: 0,
            };
            dialing.observe(since, incoming());
            before = now;
        }
    }
}

/// Asks all once; what is wrong with those that don't work. For `check --online`.
pub async fn ask_once(
    all: &[Arc<Listed>],
    language: Language,
) -> Vec<(String, Result<u64, String>)> {
    let ask = all.iter().map(|one| async move {
        let found = match one.probe(PROBE_LIMIT).await {
            Fitness::Works { ms } => Ok(ms),
            Fitness::Fails(fault) => Err(told(one.name(), &fault, language)),
            Fitness::Unknown => Err(String::new()),
        };
        (one.name().to_owned(), found)
    });
    join_all(ask).await
}

/// What is wrong, and the mend.
pub(super) fn told(name: &str, fault: &ProbeFault, language: Language) -> String {
    let (ru, en) = match fault.cause {
        Cause::Key => (
            "ключ не принят: проверьте api_key или то, что печатает iam_token_command",
            "the key is not taken: check api_key, or what iam_token_command prints",
        ),
        Cause::Role => (
            "у учётной записи нет прав: дайте ей нужную роль, folder_id сервисному аккаунту не нужен",
            "the account may not: give it its role; a service account needs no folder_id",
        ),
        Cause::Quota => (
            "квота исчерпана: увеличьте её у поставщика или уменьшите calls.at_once",
            "the quota is used up: raise it with the vendor, or lower calls.at_once",
        ),
        Cause::Settings => (
            "настройки отвергнуты: проверьте model, language и прочие ключи",
            "the settings are refused: check model, language and the other keys",
        ),
        Cause::Unreachable => (
            "нет связи: проверьте url и запущен ли сервер",
            "can't be reached: check url, and whether the server runs",
        ),
        Cause::Stranger => (
            "по этому адресу отвечает что-то другое: проверьте url",
            "something else answers at this address: check url",
        ),
        Cause::Slow => (
            "не отвечает вовремя: проверьте, тот ли это сервер и хватает ли ему мощности",
            "does not answer in time: check whether it is the right server, and not overloaded",
        ),
    };
    let reason = &fault.reason;
    language.pick(
        format!("распознаватель {name}: {ru} ({reason})"),
        format!("recognizer {name}: {en} ({reason})"),
    )
}

/// For `/healthz`: calls can be heard as long as one works, or nobody has been asked yet.
pub(super) fn health(all: &[Arc<Listed>], language: Language) -> HealthPart {
    let states: Vec<(String, Fitness)> = all
        .iter()
        .map(|one| (one.name().to_owned(), one.fitness()))
        .collect();
    let fails = |state: &Fitness| matches!(state, Fitness::Fails(_));
    let text = states.iter().map(|(name, state)| match state {
        Fitness::Unknown => format!("{name}: ?"),
        Fitness::Works { .. } => format!("{name}: ok"),
        Fitness::Fails(fault) => told(name, fault, language),
    });
    HealthPart {
        name: "recognizers",
        ok: states.is_empty() || !states.iter().all(|(_, state)| fails(state)),
        text: text.collect::<Vec<_>>().join("; "),
    }
}

/// For `/metrics`.
pub(super) fn metrics(all: &[Arc<Listed>]) -> Vec<Metric> {
    let by_name = |value: &dyn Fn(&Listed) -> u64| {
        let values = all.iter().map(|one| (one.name().to_owned(), value(one)));
        values.collect::<Vec<_>>()
    };
    vec![
        Metric {
            name: "govorun_recognizer_audio_seconds_total",
            help: "audio sent to a recognizer, what was sent again included",
            number: Number::Counters("recognizer", by_name(&|one| one.used().sent_ms / 1000)),
        },
        Metric {
            name: "govorun_recognizer_streams_total",
            help: "streams opened to a recognizer",
            number: Number::Counters("recognizer", by_name(&|one| one.used().streams)),
        },
        Metric {
            name: "govorun_recognizer_failures_total",
            help: "streams of calls that failed",
            number: Number::Counters("recognizer", by_name(&|one| one.failed())),
        },
        Metric {
            name: "govorun_recognizer_up",
            help: "1 unless the last probe failed",
            number: Number::Gauges(
                "recognizer",
                by_name(&|one| u64::from(!matches!(one.fitness(), Fitness::Fails(_)))),
            ),
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asr::typed::Typed;
    use crate::asr::vosk::{Vosk, VoskConfig};

    fn vosk(url: &str) -> Arc<Listed> {
        let config = VoskConfig {
            give_up_after: Duration::from_millis(100),
            ..VoskConfig::new("vosk", url)
        };
        Arc::new(Listed::new(Arc::new(Vosk::new(config).unwrap()), None))
    }

    #[tokio::test]
    async fn what_does_not_work_is_named_with_its_mend() {
        // A listener that never answers HTTP, and a port where nobody listens.
        let deaf = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gone = deaf.local_addr().unwrap();
        drop(deaf);
        let typed = Arc::new(Listed::new(Arc::new(Typed::new()), None));
        let all = [vosk(&format!("ws://{gone}")), typed];
        assert_eq!(health(&all, Language::Ru).text, "vosk: ?; typed: ?");
        let found = ask_once(&all, Language::Ru).await;
        let why = found[0].1.as_ref().unwrap_err();
        assert!(why.contains("нет связи: проверьте url"), "{why}");
        assert!(why.contains(&gone.to_string()), "{why}");
        assert!(found[1].1.is_ok(), "{found:?}");
        let part = health(&all, Language::En);
        assert!(
            part.ok && part.text.contains("recognizer vosk: can't be reached"),
            "{part:?}"
        );
        assert!(part.text.ends_with("; typed: ok"), "{part:?}");
        assert!(!health(&all[..1], Language::En).ok);
    }
}
