//! Keeps the known texts of the current dialogs synthesized: at the start, and after each reload.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::call::Saying;
use crate::script::Library;
use crate::tts::{KnownText, Warming};

/// Runs until `stop`. `fallback` is what every dialog's fault is answered with.
pub(super) async fn follow(
    library: Arc<Library>,
    warming: Arc<Warming>,
    fallback: String,
    stop: CancellationToken,
) {
    let mut swaps = library.swaps();
    loop {
        let version = library.current();
        let fallback = Saying::plain(fallback.clone());
        let texts = version.texts().iter().chain([&fallback]);
        let texts = texts
            .filter(|saying| !saying.text.trim().is_empty())
            .map(|saying| KnownText {
                text: saying.text.clone(),
                voice: saying.voice.clone(),
                speed_percent: saying.speed_percent,
            });
        warming.begin(version.id(), texts.collect());
        tokio::select! {
            () = stop.cancelled() => return,
            swapped = swaps.changed() => if swapped.is_err() { return },
        }
    }
}
