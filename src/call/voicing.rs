//! A turn's texts become sounds, all at once and within one deadline; where no voice can, the dialog's own prompt stands in.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, timeout_at};

use super::request::Prompt;
use crate::audio::Sound;
use crate::tts::{Prompts, Speed, Wish};

/// A person waits no longer than this for all texts of a turn; what is not spoken by then is skipped.
pub(super) const DEADLINE: Duration = Duration::from_secs(15);

/// What became of a prompt.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Voiced {
    /// To be played.
    Sound(Sound),
    /// No voice could.
    Failed {
        /// What was to be said.
        text: String,
        /// Why it was not.
        reason: String,
        /// Played instead: where several texts of a turn fail, with the first of them only.
        instead: Option<Sound>,
    },
}

/// Turns `prompts` into sounds, in their order.
pub(super) async fn voice(voices: &Prompts, prompts: Vec<Prompt>) -> Vec<Voiced> {
    let deadline = Instant::now() + DEADLINE;
    let one = |prompt| async move {
        let saying = match prompt {
            Prompt::Sound(sound) => return Voiced::Sound(sound),
            Prompt::Text(saying) => saying,
        };
        let wish = Wish {
            text: &saying.text,
            voice: saying.voice.as_deref(),
            speed: Speed::percent(saying.speed_percent),
        };
        let reason = match timeout_at(deadline, voices.sound_for_text(wish)).await {
            Ok(Ok(sound)) => return Voiced::Sound(sound),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no voice spoke it within {} s", DEADLINE.as_secs()),
        };
        Voiced::Failed {
            text: saying.text,
            reason,
            instead: saying.otherwise,
        }
    };
    let mut voiced = join_all(prompts.into_iter().map(one)).await;
    let failed = voiced.iter_mut().filter_map(|v| match v {
        Voiced::Failed { instead, .. } => Some(instead),
        Voiced::Sound(_) => None,
    });
    failed.skip(1).for_each(|instead| *instead = None);
    voiced
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::call::Saying;
    use crate::tts::{CommandConfig, CommandVoice, Voice};

    fn program(command: &[&str], timeout: Duration) -> Arc<dyn Voice> {
        let voice = CommandVoice::new(CommandConfig {
            name: "program".into(),
            command: command.iter().map(|s| (*s).to_owned()).collect(),
            timeout,
        });
        Arc::new(voice.unwrap())
    }

    fn text(text: &str) -> Prompt {
        Prompt::Text(Saying {
            otherwise: Some(Sound::silence("sorry", 40)),
            ..Saying::plain(text)
        })
    }

    #[tokio::test]
    async fn however_a_voice_fails_the_next_speaks_or_the_dialogs_own_prompt() {
        let home = tempfile::tempdir().unwrap();
        let wav = home.path().join("good.wav");
        std::fs::write(&wav, crate::audio::wav::encode(&[500; 800])).unwrap();
        let good = ["cat", &wav.display().to_string()].map(str::to_owned);
        let good = good.each_ref().map(String::as_str);
        let long = Duration::from_secs(10);
        for (bad, time, part) in [
            (&["false"][..], long, "exit status: 1"),
            (&["echo", "no sound"], long, "must write a WAV"),
            (&["true"], long, "must write a WAV"),
            (&["/no/such/program"], long, "is it installed"),
            (&["sleep", "30"], Duration::from_millis(100), "100 ms"),
        ] {
            let both = Prompts::new(vec![program(bad, time), program(&good, long)]);
            let voiced = voice(&both, vec![text("да")]).await;
            let [Voiced::Sound(sound)] = voiced.as_slice() else {
                panic!("{bad:?}: {voiced:?}");
            };
            assert_eq!((sound.name.as_str(), sound.duration_ms()), ("да", 100));
            let alone = Prompts::new(vec![program(bad, time)]);
            let file = Sound::silence("file", 20);
            let prompts = vec![text("да"), Prompt::Sound(file.clone()), text("нет")];
            let voiced = voice(&alone, prompts).await;
            let [
                Voiced::Failed {
                    text,
                    reason,
                    instead: Some(instead),
                },
                Voiced::Sound(between),
                Voiced::Failed { instead: None, .. },
            ] = voiced.as_slice()
            else {
                panic!("{bad:?}: {voiced:?}");
            };
            assert_eq!((text.as_str(), instead.name.as_str()), ("да", "sorry"));
            assert!(reason.contains(part), "{reason}");
            assert_eq!(between, &file);
        }
    }
}
