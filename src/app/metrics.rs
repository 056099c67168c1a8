//! Numbers of the parts for `/metrics`.

use std::sync::Arc;

use crate::call::Registry;
use crate::http::Metric;
use crate::net::agi::AgiStats;
use crate::net::ami::Ami;
use crate::net::media::MediaHub;

/// Reads them all at each call.
pub(super) fn of(
    ami: &Ami,
    hub: &MediaHub,
    agi: &Arc<AgiStats>,
    registry: &Registry,
) -> impl Fn() -> Vec<Metric> + Send + Sync + 'static {
    let (ami, hub, agi, registry) = (ami.clone(), hub.clone(), Arc::clone(agi), registry.clone());
    move || {
        let (ami, media, agi) = (ami.counts(), hub.counts(), agi.counts());
        let counter = |name, help, value: u64| Metric {
            name,
            help,
            counter: true,
            value: value as f64,
        };
        vec![
            Metric {
                name: "govorun_calls",
                help: "calls that dial or talk",
                counter: false,
                value: registry.count() as f64,
            },
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
        ]
    }
}
