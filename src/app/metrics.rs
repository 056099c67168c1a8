//! Numbers of the parts for `/metrics`.

use std::sync::Arc;

use super::recognizers;
use crate::asr::listed::Listed;
use crate::call::timing::BOUNDS_MS;
use crate::call::timing::{AnswererTimes, StepTimes};
use crate::call::{Registry, TurnTimings};
use crate::http::{Histogram, Metric, Number};
use crate::net::agi::AgiStats;
use crate::net::ami::Ami;
use crate::net::media::MediaHub;
use crate::tts::{Prompts, Warming};

/// Reads them all at each call.
pub(super) fn of(
    ami: &Ami,
    hub: &MediaHub,
    agi: &Arc<AgiStats>,
    registry: &Registry,
    (timings, answerers): (&Arc<TurnTimings>, &Arc<AnswererTimes>),
    (prompts, warming): (Arc<Prompts>, Arc<Warming>),
    listed: Vec<Arc<Listed>>,
) -> impl Fn() -> Vec<Metric> + Send + Sync + 'static {
    let (ami, hub, agi, registry) = (ami.clone(), hub.clone(), Arc::clone(agi), registry.clone());
    let (timings, answerers) = (Arc::clone(timings), Arc::clone(answerers));
    move || {
        let (ami, media, agi) = (ami.counts(), hub.counts(), agi.counts());
        let metric = |name, help, number| Metric { name, help, number };
        let counter = |name, help, n| metric(name, help, Number::Counter(n));
        let (spoken, warm) = (prompts.counts(), warming.counts());
        let histogram = |times: StepTimes| {
            let count = times.cumulative.last().copied().unwrap_or(0);
            let histogram = Histogram {
                cumulative: BOUNDS_MS.into_iter().zip(times.cumulative).collect(),
                count,
                sum_ms: times.sum_ms,
            };
            (times.step, histogram)
        };
        let mut all = vec![
            metric(
                "govorun_calls",
                "calls that dial or talk",
                Number::Gauge(registry.count() as u64),
            ),
            metric(
                "govorun_turn_seconds",
                "from step to step of a turn: the person stops, the utterance is over, its text, the script's decision, sound",
                Number::Histograms("step", timings.read().into_iter().map(histogram).collect()),
            ),
            metric(
                "govorun_answerer_seconds",
                "from the answer to the verdict who answered",
                Number::Histograms("who", answerers.read().into_iter().map(histogram).collect()),
            ),
            metric(
                "govorun_unanswered_told_total",
                "calls without an answer whose number was told to be unreachable or wrong, by the cause or the operator's words",
                Number::Counters("who", answerers.unanswered()),
            ),
            counter(
                "govorun_voice_kept_total",
                "texts whose sound had been made before",
                spoken.kept,
            ),
            counter(
                "govorun_voice_made_total",
                "texts that a voice spoke while a call waited",
                spoken.made,
            ),
            counter(
                "govorun_voice_failures_total",
                "times that a voice failed",
                spoken.failures,
            ),
            counter(
                "govorun_voice_unspoken_total",
                "texts that no voice could speak",
                spoken.unspoken,
            ),
            metric(
                "govorun_warming_left",
                "known texts of the dialogs that are still to be synthesized",
                Number::Gauge(warm.left),
            ),
            counter(
                "govorun_warming_made_total",
                "known texts that were synthesized beforehand",
                warm.made,
            ),
            counter(
                "govorun_warming_failed_total",
                "known texts that could not be synthesized beforehand",
                warm.failed,
            ),
            counter(
                "govorun_ami_links_total",
                "times that the link to Asterisk came up",
                ami.links,
            ),
            counter("govorun_ami_events_total", "events read", ami.events),
            counter(
                "govorun_ami_events_dropped_total",
                "events that a call did not read in time",
                ami.dropped,
            ),
            counter(
                "govorun_agi_calls_total",
                "AGI connections served",
                agi.served,
            ),
            counter(
                "govorun_agi_dropped_total",
                "AGI peers that were no calls, or too many",
                agi.closed + agi.silent + agi.malformed + agi.over_limit,
            ),
            counter(
                "govorun_media_streams_total",
                "streams paired with their call",
                media.paired,
            ),
            counter(
                "govorun_media_strangers_total",
                "media peers that were turned away",
                media.closed
                    + media.silent
                    + media.malformed
                    + media.unknown
                    + media.foreign
                    + media.over_limit,
            ),
            counter(
                "govorun_media_frames_lost_total",
                "frames of 20 ms that came and were not heard: the call did not take them for 10 s",
                media.overflowed,
            ),
            counter(
                "govorun_media_packets_disordered_total",
                "RTP packets that were lost, doubled or late, counted when their stream ends",
                media.disordered,
            ),
        ];
        all.extend(recognizers::metrics(&listed));
        all
    }
}
