//! A voice that remembers: what it spoke once lies on disk, by the hash of text and voice.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use super::folder::{Folder, hash};
use super::{Kept, Speed, Synthesis, TtsError, Voice};
use crate::audio::{Sound, wav};

/// Texts whose synthesis may be under way at once before finished ones are swept from the list.
const SWEEP_AT: usize = 256;

/// A voice behind a cache. Calls that want the same new text at once wait for one synthesis; a call that hangs up
/// meanwhile leaves the work to the next that waits.
#[derive(Debug)]
pub struct Cached<V> {
    voice: V,
    folder: Arc<Folder>,
    under_way: Mutex<HashMap<String, Weak<tokio::sync::Mutex<()>>>>,
}

impl<V: Voice> Cached<V> {
    /// Keeps at most `max_bytes` of sounds in `folder`, which is made when the first one is written.
    pub fn new(voice: V, folder: PathBuf, max_bytes: u64) -> Self {
        Self {
            voice,
            folder: Arc::new(Folder::new(folder, max_bytes, Duration::ZERO, false)),
            under_way: Mutex::new(HashMap::new()),
        }
    }

    fn hash(&self, text: &str, speed: Speed) -> String {
        let identity = self.voice.identity();
        if speed == Speed::USUAL || !self.voice.takes_speed() {
            return hash(&[identity.as_bytes(), text.as_bytes()]);
        }
        let speed = speed.factor().to_string();
        hash(&[identity.as_bytes(), text.as_bytes(), speed.as_bytes()])
    }

    async fn find(&self, hash: &str, text: &str) -> Option<Sound> {
        let (folder, hash, text) = (Arc::clone(&self.folder), hash.to_owned(), text.to_owned());
        let reading = tokio::task::spawn_blocking(move || {
            let bytes = folder.read(&hash)?;
            let sound = wav::decode(&text, &bytes);
            if sound.is_err() {
                // Cut by a full disk or another's hand: made anew.
                folder.remove(&hash);
            }
            sound.ok()
        });
        reading.await.ok().flatten()
    }

    fn turn(&self, hash: &str) -> Arc<tokio::sync::Mutex<()>> {
        // A poisoned lock holds a list of locks, nothing that could be broken.
        let mut under_way = self.under_way.lock().unwrap_or_else(|p| p.into_inner());
        if under_way.len() >= SWEEP_AT {
            under_way.retain(|_, turn| turn.strong_count() > 0);
        }
        if let Some(turn) = under_way.get(hash).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Arc::new(tokio::sync::Mutex::new(()));
        under_way.insert(hash.to_owned(), Arc::downgrade(&turn));
        turn
    }

    async fn speak(&self, text: &str, speed: Speed) -> Result<Sound, TtsError> {
        let hash = self.hash(text, speed);
        if let Some(sound) = self.find(&hash, text).await {
            return Ok(sound);
        }
        let turn = self.turn(&hash);
        let _mine = turn.lock().await;
        if let Some(sound) = self.find(&hash, text).await {
            return Ok(sound);
        }
        let sound = self.voice.synth(text, speed).await?;
        let (folder, samples) = (Arc::clone(&self.folder), Arc::clone(&sound.samples));
        let written =
            tokio::task::spawn_blocking(move || folder.write(&hash, &wav::encode(&samples))).await;
        if let Ok(Err(error)) = written {
            // The person still hears it; only the next call pays again.
            tracing::warn!(voice = self.voice.name(), %error, "a synthesized sound was not kept");
        }
        Ok(sound)
    }
}

impl<V: Voice> Voice for Cached<V> {
    fn name(&self) -> &str {
        self.voice.name()
    }

    fn identity(&self) -> String {
        self.voice.identity()
    }

    fn synth<'a>(&'a self, text: &'a str, speed: Speed) -> Synthesis<'a> {
        Box::pin(self.speak(text, speed))
    }

    fn kept<'a>(&'a self, text: &'a str, speed: Speed) -> Kept<'a> {
        Box::pin(async move { self.find(&self.hash(text, speed), text).await })
    }

    fn keeps(&self) -> bool {
        true
    }

    fn takes_speed(&self) -> bool {
        self.voice.takes_speed()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[derive(Debug, Default)]
    struct Counting {
        identity: String,
        spoken: AtomicUsize,
    }

    impl Voice for Counting {
        fn name(&self) -> &str {
            "counting"
        }

        fn identity(&self) -> String {
            self.identity.clone()
        }

        fn synth<'a>(&'a self, text: &'a str, _speed: Speed) -> Synthesis<'a> {
            Box::pin(async move {
                tokio::time::sleep(Duration::from_millis(20)).await;
                self.spoken.fetch_add(1, Ordering::SeqCst);
                if text == "тсс" {
                    return Err(TtsError::EmptyText);
                }
                Ok(Sound::new(text, vec![100i16; 800]))
            })
        }
    }

    fn cached(folder: &std::path::Path, identity: &str) -> Cached<Counting> {
        let voice = Counting {
            identity: identity.to_owned(),
            ..Counting::default()
        };
        Cached::new(voice, folder.to_owned(), 1 << 20)
    }

    #[tokio::test]
    async fn a_text_is_spoken_once_for_all_calls() {
        let home = tempfile::tempdir().unwrap();
        let voice = cached(home.path(), "a");
        assert_eq!(voice.kept("да", Speed::USUAL).await, None);
        let all =
            futures_util::future::join_all((0..20).map(|_| voice.synth("да", Speed::USUAL))).await;
        assert!(
            all.iter()
                .all(|s| *s == Ok(Sound::new("да", vec![100i16; 800])))
        );
        assert_eq!(voice.voice.spoken.load(Ordering::SeqCst), 1);
        assert!(voice.kept("да", Speed::USUAL).await.is_some());
        // Another start of the program, and another setting of the voice.
        let again = cached(home.path(), "a");
        again.synth("да", Speed::USUAL).await.unwrap();
        assert_eq!(again.voice.spoken.load(Ordering::SeqCst), 0);
        // It can't speak faster, so the same sound serves.
        assert!(again.kept("да", Speed::percent(150)).await.is_some());
        let other = cached(home.path(), "b");
        other.synth("да", Speed::USUAL).await.unwrap();
        assert_eq!(other.voice.spoken.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_hang_up_leaves_the_work_to_the_next() {
        let home = tempfile::tempdir().unwrap();
        let voice = Arc::new(cached(home.path(), "a"));
        let first = tokio::spawn({
            let voice = Arc::clone(&voice);
            async move { voice.synth("да", Speed::USUAL).await }
        });
        tokio::time::sleep(Duration::from_millis(5)).await;
        let (second, ()) = tokio::join!(voice.synth("да", Speed::USUAL), async { first.abort() });
        assert!(second.is_ok());
        assert_eq!(voice.voice.spoken.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn failures_are_not_kept_and_broken_files_are_made_anew() {
        let home = tempfile::tempdir().unwrap();
        let voice = cached(home.path(), "a");
        for _ in 0..2 {
            assert_eq!(
                voice.synth("тсс", Speed::USUAL).await,
                Err(TtsError::EmptyText)
            );
        }
        voice.synth("да", Speed::USUAL).await.unwrap();
        let file = std::fs::read_dir(home.path())
            .unwrap()
            .next()
            .unwrap()
            .unwrap();
        std::fs::write(file.path(), b"RIFF").unwrap();
        assert!(voice.synth("да", Speed::USUAL).await.is_ok());
        assert_eq!(voice.voice.spoken.load(Ordering::SeqCst), 4);
        assert!(voice.kept("да", Speed::USUAL).await.is_some());
    }

    #[tokio::test]
    async fn a_full_or_forbidden_disk_costs_no_word() {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("file"), "").unwrap();
        let voice = cached(&home.path().join("file"), "a");
        assert!(voice.synth("да", Speed::USUAL).await.is_ok());
    }
}
