//! From a text to its sound: one that was made before, or a voice, the next where one fails.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::timeout;

use super::{Speed, TtsError, Voice, speakable};
use crate::audio::Sound;

/// How long a voice that failed is asked last, so that not every call waits for its timeout.
pub const REST: Duration = Duration::from_secs(30);
/// A person waits so long for a voice while another one could speak.
pub const PATIENCE: Duration = Duration::from_secs(6);
/// And so long for one that failed a moment ago.
pub const REST_PATIENCE: Duration = Duration::from_secs(3);

/// A text that is to be spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish<'a> {
    /// The text.
    pub text: &'a str,
    /// The voice to be asked first, by its name in the config. One that isn't there is passed over.
    pub voice: Option<&'a str>,
    /// How fast.
    pub speed: Speed,
}

impl<'a> Wish<'a> {
    /// By the first voice, at its usual speed.
    pub fn plain(text: &'a str) -> Self {
        Self {
            text,
            voice: None,
            speed: Speed::USUAL,
        }
    }
}

/// What came of texts since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PromptCounts {
    /// Had been made before.
    pub kept: u64,
    /// Made while a call waited.
    pub made: u64,
    /// A voice failed.
    pub failures: u64,
    /// No voice was left.
    pub unspoken: u64,
}

/// All voices, in the order of the config. One for the process, shared by calls.
#[derive(Debug)]
pub struct Prompts {
    voices: Vec<Ranked>,
    kept: AtomicU64,
    made: AtomicU64,
    failures: AtomicU64,
    unspoken: AtomicU64,
    /// Calls that wait for a voice now.
    waiting: watch::Sender<usize>,
}

#[derive(Debug)]
struct Ranked {
    voice: Arc<dyn Voice>,
    failed: Mutex<Option<Instant>>,
}

impl Ranked {
    fn rests(&self) -> bool {
        // A poisoned lock holds a time, nothing that could be broken.
        let failed = self.failed.lock().unwrap_or_else(|p| p.into_inner());
        failed.is_some_and(|at| at.elapsed() < REST)
    }

    fn note(&self, failed: bool) {
        let at = failed.then(Instant::now);
        *self.failed.lock().unwrap_or_else(|p| p.into_inner()) = at;
    }
}

/// A call that waits for a voice, until it is dropped.
struct Waits<'a>(&'a watch::Sender<usize>);

impl<'a> Waits<'a> {
    fn new(waiting: &'a watch::Sender<usize>) -> Self {
        waiting.send_modify(|n| *n += 1);
        Self(waiting)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|n| *n = n.saturating_sub(1));
    }
}

impl Prompts {
    /// Asks `voices` in this order; without any, only prompt files speak.
    pub fn new(voices: Vec<Arc<dyn Voice>>) -> Self {
        let ranked = |voice| Ranked {
            voice,
            failed: Mutex::new(None),
        };
        Self {
            voices: voices.into_iter().map(ranked).collect(),
            kept: AtomicU64::new(0),
            made: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            unspoken: AtomicU64::new(0),
            waiting: watch::Sender::new(0),
        }
    }

    /// The sound of a text: one that its voice has made before, else the first voice that can speak it in time.
    pub async fn sound_for_text(&self, wish: Wish<'_>) -> Result<Sound, TtsError> {
        let spoken = self.speak(wish).await;
        if spoken.is_err() {
            self.unspoken.fetch_add(1, Ordering::Relaxed);
        }
        spoken
    }

    async fn speak(&self, wish: Wish<'_>) -> Result<Sound, TtsError> {
        let text = speakable(wish.text)?;
        let order = self.order(wish.voice);
        // What the wanted voice once made is good even while it rests.
        if let Some(first) = order.first()
            && let Some(sound) = first.voice.kept(&text, wish.speed).await
        {
            self.kept.fetch_add(1, Ordering::Relaxed);
            return Ok(sound);
        }
        let _waits = Waits::new(&self.waiting);
        let mut failures = Vec::new();
        let (resting, well): (Vec<_>, Vec<_>) = order.into_iter().partition(|r| r.rests());
        let mut left = well.len() + resting.len();
        let well = well.into_iter().map(|r| (r, PATIENCE));
        let resting = resting.into_iter().map(|r| (r, REST_PATIENCE));
        for (ranked, patience) in well.chain(resting) {
            left -= 1;
            if let Some(sound) = ranked.voice.kept(&text, wish.speed).await {
                self.kept.fetch_add(1, Ordering::Relaxed);
                return Ok(sound);
            }
            let synthesis = ranked.voice.synth(&text, wish.speed);
            let made = if left == 0 && patience == PATIENCE {
                // The last that may speak has its own timeout.
                synthesis.await
            } else {
                let late = || TtsError::Timeout {
                    voice: ranked.voice.name().to_owned(),
                    ms: patience.as_millis(),
                };
                timeout(patience, synthesis)
                    .await
                    .unwrap_or_else(|_| Err(late()))
            };
            ranked.note(made.is_err());
            match made {
                Ok(sound) => {
                    self.made.fetch_add(1, Ordering::Relaxed);
                    return Ok(sound);
                }
                Err(error) => {
                    self.failures.fetch_add(1, Ordering::Relaxed);
                    tracing::warn!(voice = ranked.voice.name(), %error, "a voice failed");
                    failures.push(error);
                }
            }
        }
        match failures.len() {
            0 => Err(TtsError::NoVoice),
            1 => Err(failures.remove(0)),
            _ => Err(TtsError::All(failures)),
        }
    }

    /// Makes a text's sound before anybody waits for it; true: it was not there yet. Only the voice that a call would ask
    /// first, and only one that remembers. A failure here says nothing about the voice to calls.
    pub async fn warm(&self, wish: Wish<'_>) -> Result<bool, TtsError> {
        let text = speakable(wish.text)?;
        let Some(first) = self.order(wish.voice).first().copied() else {
            return Ok(false);
        };
        if !first.voice.keeps() || first.voice.kept(&text, wish.speed).await.is_some() {
            return Ok(false);
        }
        first.voice.synth(&text, wish.speed).await.map(|_| true)
    }

    /// Waits until no call waits for a voice.
    pub async fn idle(&self) {
        // The sender lives as long as we do.
        let _ = self.waiting.subscribe().wait_for(|n| *n == 0).await;
    }

    /// What came of texts.
    pub fn counts(&self) -> PromptCounts {
        let read = |n: &AtomicU64| n.load(Ordering::Relaxed);
        PromptCounts {
            kept: read(&self.kept),
            made: read(&self.made),
            failures: read(&self.failures),
            unspoken: read(&self.unspoken),
        }
    }

    fn order(&self, wanted: Option<&str>) -> Vec<&Ranked> {
        let is_it = |r: &&Ranked| wanted.is_some_and(|name| r.voice.name() == name);
        let (first, others): (Vec<_>, Vec<_>) = self.voices.iter().partition(is_it);
        first.into_iter().chain(others).collect()
    }
}

impl Default for Prompts {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;
    use crate::tts::{Kept, Synthesis};

    #[derive(Debug)]
    struct Double {
        name: &'static str,
        kept: &'static str,
        works: bool,
        takes: Duration,
        asked: AtomicUsize,
    }

    fn double(name: &'static str, kept: &'static str, works: bool) -> Arc<Double> {
        slow(name, kept, works, Duration::ZERO)
    }

    fn slow(name: &'static str, kept: &'static str, works: bool, takes: Duration) -> Arc<Double> {
        Arc::new(Double {
            name,
            kept,
            works,
            takes,
            asked: AtomicUsize::new(0),
        })
    }

    impl Voice for Double {
        fn name(&self) -> &str {
            self.name
        }

        fn synth<'a>(&'a self, _text: &'a str, speed: Speed) -> Synthesis<'a> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            let voice = self.name.to_owned();
            Box::pin(async move {
                tokio::time::sleep(self.takes).await;
                if self.works {
                    let fast = if speed == Speed::USUAL { "" } else { ", fast" };
                    Ok(Sound::silence(format!("{voice}{fast}"), 20))
                } else {
                    Err(TtsError::EmptyText)
                }
            })
        }

        fn kept<'a>(&'a self, text: &'a str, _speed: Speed) -> Kept<'a> {
            let name = format!("kept by {}", self.name);
            let found = (text == self.kept).then(|| Sound::silence(name, 20));
            Box::pin(std::future::ready(found))
        }

        fn keeps(&self) -> bool {
            true
        }
    }

    async fn spoken(prompts: &Prompts, text: &str) -> String {
        let made = prompts.sound_for_text(Wish::plain(text)).await;
        made.map_or_else(|e| e.to_string(), |sound| sound.name)
    }

    #[tokio::test]
    async fn voices_in_order_and_what_they_made_before() {
        let (first, second) = (double("first", "", false), double("second", "раз", true));
        let prompts = Prompts::new(vec![first.clone(), second.clone()]);
        for (text, expect) in [
            (" раз\n", "kept by second"),
            ("два", "second"),
            ("три", "second"),
        ] {
            assert_eq!(spoken(&prompts, text).await, expect, "{text}");
        }
        // The first failed at "раз" and was not asked again.
        assert_eq!(first.asked.load(Ordering::SeqCst), 1);
        assert_eq!(second.asked.load(Ordering::SeqCst), 2);
        let counts = prompts.counts();
        assert_eq!(
            (counts.kept, counts.made, counts.failures, counts.unspoken),
            (1, 2, 1, 0)
        );
        // The one that is wanted first, whatever the config's order; one that isn't there is passed over.
        let both = Prompts::new(vec![double("a", "раз", true), double("b", "", true)]);
        for (voice, speed, want) in [
            (Some("b"), 100, "b"),
            (Some("b"), 150, "b, fast"),
            (Some("nobody"), 100, "kept by a"),
            (None, 100, "kept by a"),
        ] {
            let wish = Wish {
                text: "раз",
                voice,
                speed: Speed::percent(speed),
            };
            assert_eq!(both.sound_for_text(wish).await.unwrap().name, want);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_person_does_not_wait_for_a_voice_that_hangs() {
        let hour = Duration::from_secs(3_600);
        let prompts = Prompts::new(vec![
            slow("hangs", "", true, hour),
            slow("works", "", true, Duration::from_secs(1)),
        ]);
        let from = tokio::time::Instant::now();
        assert_eq!(spoken(&prompts, "да").await, "works");
        assert_eq!(from.elapsed(), PATIENCE + Duration::from_secs(1));
        assert_eq!(spoken(&prompts, "нет").await, "works");
        assert_eq!(from.elapsed(), PATIENCE + Duration::from_secs(2));
        // All of them hang: found out once, then little is lost with each text.
        let prompts = Prompts::new(vec![
            slow("a", "", false, PATIENCE * 2),
            slow("b", "", false, PATIENCE * 2),
        ]);
        spoken(&prompts, "да").await;
        let from = tokio::time::Instant::now();
        spoken(&prompts, "нет").await;
        assert_eq!(from.elapsed(), REST_PATIENCE * 2);
        assert_eq!(prompts.counts().unspoken, 2);
    }

    #[tokio::test]
    async fn nothing_that_speaks_is_told_with_the_mend() {
        let silent = Prompts::default();
        let told = spoken(&silent, "да").await;
        assert!(told.contains("voices:"), "{told}");
        assert_eq!(
            silent.sound_for_text(Wish::plain(" ")).await,
            Err(TtsError::EmptyText)
        );
        assert_eq!(silent.warm(Wish::plain("да")).await, Ok(false));
        let broken = Prompts::new(vec![double("a", "", false), double("b", "", false)]);
        let told = broken.sound_for_text(Wish::plain("да")).await.unwrap_err();
        assert!(
            matches!(&told, TtsError::All(all) if all.len() == 2),
            "{told}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn idle_is_when_no_call_waits() {
        let second = Duration::from_secs(1);
        let prompts = Arc::new(Prompts::new(vec![slow("a", "", true, second)]));
        prompts.idle().await;
        let asks = Arc::clone(&prompts);
        let call = tokio::spawn(async move { spoken(&asks, "да").await });
        tokio::task::yield_now().await;
        let from = tokio::time::Instant::now();
        prompts.idle().await;
        assert_eq!(from.elapsed(), second);
        assert_eq!(call.await.unwrap(), "a");
        // A call that hung up waits no more.
        let asks = Arc::clone(&prompts);
        let call = tokio::spawn(async move { spoken(&asks, "нет").await });
        tokio::task::yield_now().await;
        call.abort();
        prompts.idle().await;
    }
}
