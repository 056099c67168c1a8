//! Warming: texts that dialogs are known to say are synthesized before anybody waits for them. A call never waits for
//! this queue: it asks its voice itself, and meanwhile nothing new is begun here.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use tokio::task::AbortHandle;

use super::prompts::{Prompts, REST, Wish};
use super::{Speed, TtsError};

/// Texts in the making at once: fewer than a voice takes, so that a call always finds room.
pub const AT_ONCE: usize = 2;
/// Texts of one set; the rest is synthesized when it is asked for.
pub const MAX_TEXTS: usize = 10_000;
/// Tries of one text.
const TRIES: u32 = 3;

/// A text that is known before any call.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KnownText {
    /// The text.
    pub text: String,
    /// The voice that it wants, if it names one.
    pub voice: Option<String>,
    /// In percent.
    pub speed_percent: u16,
}

impl KnownText {
    fn wish(&self) -> Wish<'_> {
        Wish {
            text: &self.text,
            voice: self.voice.as_deref(),
            speed: Speed::percent(self.speed_percent),
        }
    }
}

/// How far it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WarmCounts {
    /// Texts of the current set that are still to be looked at.
    pub left: u64,
    /// Synthesized since the start.
    pub made: u64,
    /// Given up since the start.
    pub failed: u64,
}

#[derive(Debug, Default)]
struct Counts {
    left: AtomicU64,
    made: AtomicU64,
    failed: AtomicU64,
}

/// See the module. Dropping it ends the work.
#[derive(Debug)]
pub struct Warming {
    prompts: Arc<Prompts>,
    /// Wait after a failure.
    pause: Duration,
    counts: Arc<Counts>,
    running: Mutex<Option<AbortHandle>>,
}

impl Warming {
    /// Nothing is warmed yet.
    pub fn new(prompts: Arc<Prompts>) -> Self {
        Self {
            prompts,
            pause: REST,
            counts: Arc::default(),
            running: Mutex::new(None),
        }
    }

    /// Begins with the texts of `version`; what is left of the set before is dropped. Wants a Tokio runtime.
    pub fn begin(&self, version: &str, mut texts: Vec<KnownText>) {
        texts.sort();
        texts.dedup();
        if texts.len() > MAX_TEXTS {
            let over = texts.len() - MAX_TEXTS;
            tracing::warn!(version, over, "too many texts to synthesize beforehand");
            texts.truncate(MAX_TEXTS);
        }
        // A poisoned lock holds a handle, nothing that could be broken.
        let mut running = self.running.lock().unwrap_or_else(|p| p.into_inner());
        if let Some(before) = running.take() {
            before.abort();
        }
        self.counts
            .left
            .store(texts.len() as u64, Ordering::Relaxed);
        let work = work(
            Arc::clone(&self.prompts),
            Arc::clone(&self.counts),
            version.to_owned(),
            texts,
            self.pause,
        );
        *running = Some(tokio::spawn(work).abort_handle());
    }

    /// How far it is.
    pub fn counts(&self) -> WarmCounts {
        let read = |n: &AtomicU64| n.load(Ordering::Relaxed);
        WarmCounts {
            left: read(&self.counts.left),
            made: read(&self.counts.made),
            failed: read(&self.counts.failed),
        }
    }
}

impl Drop for Warming {
    fn drop(&mut self) {
        let running = self.running.lock().unwrap_or_else(|p| p.into_inner());
        if let Some(running) = &*running {
            running.abort();
        }
    }
}

async fn work(
    prompts: Arc<Prompts>,
    counts: Arc<Counts>,
    version: String,
    texts: Vec<KnownText>,
    pause: Duration,
) {
    let (from, all) = (Instant::now(), texts.len());
    let (made, failed) = (AtomicU64::new(0), AtomicU64::new(0));
    let one = |known: KnownText| {
        let (prompts, counts, made, failed) = (&prompts, &counts, &made, &failed);
        async move {
            match warm(prompts, known.wish(), pause).await {
                Ok(true) => {
                    made.fetch_add(1, Ordering::Relaxed);
                    counts.made.fetch_add(1, Ordering::Relaxed);
                }
                Ok(false) => {}
                Err(error) => {
                    failed.fetch_add(1, Ordering::Relaxed);
                    counts.failed.fetch_add(1, Ordering::Relaxed);
                    let text = known.text;
                    tracing::warn!(text, %error, "this text could not be synthesized beforehand");
                }
            }
            // Never below 0, though the set before may have been ended between its last two steps.
            let _ = counts
                .left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
        }
    };
    futures_util::stream::iter(texts)
        .for_each_concurrent(AT_ONCE, one)
        .await;
    tracing::info!(
        version,
        texts = all,
        made = made.into_inner(),
        failed = failed.into_inner(),
        seconds = from.elapsed().as_secs(),
        "texts of the dialogs are synthesized"
    );
}

async fn warm(prompts: &Prompts, wish: Wish<'_>, pause: Duration) -> Result<bool, TtsError> {
    let mut tries = 0;
    loop {
        prompts.idle().await;
        let error = match prompts.warm(wish).await {
            Ok(made) => return Ok(made),
            Err(error) => error,
        };
        tries += 1;
        let hopeless = matches!(error, TtsError::EmptyText | TtsError::LongText { .. });
        if hopeless || tries == TRIES {
            return Err(error);
        }
        tokio::time::sleep(pause).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tts::{Cached, CommandConfig, CommandVoice};

    fn known(text: &str) -> KnownText {
        KnownText {
            text: text.to_owned(),
            voice: None,
            speed_percent: 100,
        }
    }

    /// A program that says a tenth of a second after `sleep`, and keeps a list of what it was asked.
    fn program(home: &std::path::Path, sleep: &str, ends: &str) -> Arc<Prompts> {
        let wav = crate::audio::wav::encode(&[900; 800]);
        std::fs::write(home.join("w.wav"), wav).unwrap();
        let (asked, wav) = (home.join("asked"), home.join("w.wav"));
        let body = format!(
            "echo \"$1\" >> {}\nsleep {sleep}\ncat {}\n{ends}\n",
            asked.display(),
            wav.display()
        );
        std::fs::write(home.join("voice.sh"), body).unwrap();
        let script = home.join("voice.sh").display().to_string();
        let voice = CommandVoice::new(CommandConfig {
            name: "program".into(),
            command: vec!["sh".into(), script, "{text}".into()],
            timeout: Duration::from_secs(20),
        });
        let cached = Cached::new(voice.unwrap(), home.join("cache"), 1 << 20);
        Arc::new(Prompts::new(vec![Arc::new(cached)]))
    }

    fn asked(home: &std::path::Path) -> Vec<String> {
        let text = std::fs::read_to_string(home.join("asked")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    async fn until(what: impl Fn() -> bool) {
        for _ in 0..1_000 {
            if what() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it never came to that");
    }

    #[tokio::test]
    async fn known_texts_are_made_once_and_then_are_there() {
        let home = tempfile::tempdir().unwrap();
        let prompts = program(home.path(), "0", "");
        let warming = Warming::new(Arc::clone(&prompts));
        for _ in 0..2 {
            warming.begin("v1", vec![known("раз"), known("два"), known("раз")]);
            until(|| warming.counts().left == 0).await;
        }
        let mut seen = asked(home.path());
        seen.sort();
        assert_eq!(seen, ["два", "раз"]);
        assert_eq!(warming.counts().made, 2);
        let sound = prompts.sound_for_text(Wish::plain("раз")).await.unwrap();
        assert_eq!(sound.duration_ms(), 100);
        assert_eq!(asked(home.path()).len(), 2);
        assert_eq!(prompts.counts().kept, 1);
    }

    #[tokio::test]
    async fn a_call_jumps_ahead_and_a_newer_set_ends_the_older() {
        let home = tempfile::tempdir().unwrap();
        let prompts = program(home.path(), "0.3", "");
        let warming = Warming::new(Arc::clone(&prompts));
        let old: Vec<_> = (0..40).map(|n| known(&format!("старый {n:02}"))).collect();
        warming.begin("v1", old);
        until(|| asked(home.path()).len() == AT_ONCE).await;
        // The last of the queue: a call wants it now.
        let from = Instant::now();
        prompts
            .sound_for_text(Wish::plain("старый 39"))
            .await
            .unwrap();
        let waited = from.elapsed();
        assert!(waited < Duration::from_secs(3), "{waited:?}");
        assert_eq!(asked(home.path())[AT_ONCE], "старый 39");
        warming.begin("v2", vec![known("новый")]);
        until(|| warming.counts().left == 0).await;
        let seen = asked(home.path());
        assert!(
            seen.len() < 12 && seen.contains(&"новый".to_owned()),
            "{seen:?}"
        );
    }

    #[tokio::test]
    async fn a_voice_that_fails_is_tried_again_and_then_left() {
        let home = tempfile::tempdir().unwrap();
        let prompts = program(home.path(), "0", "exit 3");
        let mut warming = Warming::new(Arc::clone(&prompts));
        warming.pause = Duration::from_millis(10);
        warming.begin("v1", vec![known("раз"), known(" ")]);
        until(|| warming.counts().left == 0).await;
        assert_eq!(asked(home.path()).len(), 3);
        let counts = warming.counts();
        assert_eq!((counts.made, counts.failed), (0, 2));
        // Calls did not fail because of it.
        assert_eq!(prompts.counts(), super::super::PromptCounts::default());
    }
}
