//! The loads.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use futures_util::future::join_all;
use govorun::audio::wav;
use govorun::rehearsal::asterisk::{Entry, FakeAsterisk, FarEnd, Incoming, What, record};

use crate::arguments::Arguments;
use crate::measure::{Figures, Usage, reactions, unread_ms};
use crate::recognizer::Recognizer;
use crate::server::Target;
use crate::{SETTLE, sounds};

/// A call of any load ends within this, or it is an error.
const LONGEST: Duration = Duration::from_secs(120);
/// Calls of "audio" and "talk" begin this far apart: a burst of all at once would measure the burst.
const APART: Duration = Duration::from_millis(5);

pub(crate) struct Load<'a> {
    pub(crate) asterisk: &'a FakeAsterisk,
    pub(crate) recognizer: &'a Recognizer,
    pub(crate) arguments: &'a Arguments,
}

/// A load's calls: their ids by their numbers, and how long it all took.
struct Dialed {
    ids: Vec<String>,
    took: Duration,
    usage: Usage,
    /// What this program used.
    own: Usage,
    began_us: u64,
}

impl Load<'_> {
    /// `total` calls, as many at once as there may be; at `rate` a second where it is told.
    pub(crate) async fn calls(
        &self,
        target: &Target,
        load: &'static str,
        path: &str,
        total: usize,
        rate: Option<f64>,
    ) -> anyhow::Result<Figures> {
        let script = format!("agi://{}/{path}", target.agi);
        let before = Usage::of(target.pid)?;
        let own = Usage::of(std::process::id())?;
        let (began, began_us) = (Instant::now(), self.asterisk.record().now_us());
        let next = Arc::new(AtomicUsize::new(0));
        let slots = (0..self.arguments.calls.min(total)).map(|_| {
            let (script, next) = (script.clone(), Arc::clone(&next));
            async move {
                let mut ids = Vec::new();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= total {
                        break;
                    }
                    if let Some(rate) = rate {
                        let due = began + Duration::from_secs_f64(number as f64 / rate);
                        tokio::time::sleep_until(due.into()).await;
                    }
                    ids.push(self.call(&script, FarEnd::default()).await);
                }
                ids
            }
        });
        let ids = join_all(slots).await.concat();
        let took = began.elapsed();
        tokio::time::sleep(SETTLE).await;
        let usage = Usage::of(target.pid)?.since(&before);
        let own = Usage::of(std::process::id())?.since(&own);
        let dialed = Dialed {
            ids,
            took,
            usage,
            own,
            began_us,
        };
        let entries = self.entries(&dialed);
        let mut figures = self.figures(load, target, &dialed, &entries, 1);
        figures.by_command = reactions(&entries);
        // The first command answers no answer: it is told by itself.
        let rest = figures
            .by_command
            .iter()
            .filter(|(name, _)| *name != "ANSWER");
        figures.reactions = rest.flat_map(|(_, times)| times.clone()).collect();
        Ok(figures)
    }

    /// All calls at once, each heard for some seconds: a second of voice, a second of a quiet line, and again.
    /// `idle` is the server before any call.
    pub(crate) async fn audio(
        &self,
        target: &Target,
        load: &'static str,
        path: &str,
        idle: &Usage,
    ) -> anyhow::Result<Figures> {
        let seconds = self.arguments.seconds;
        // The server's dialog ends by itself; on the floor the person hangs up.
        let ends = target.name == "floor";
        let talk = sounds::talk(seconds as usize, &voice()?);
        let far_end = |_| match ends {
            true => FarEnd::default().say(&talk).hang_up(),
            false => FarEnd::default().say(&talk),
        };
        let spread = APART * u32::try_from(self.arguments.calls).unwrap_or(0);
        let during = async {
            let until = Instant::now() + spread + Duration::from_secs(seconds).mul_f64(0.8);
            let mut unread = 0f64;
            while Instant::now() < until {
                tokio::time::sleep(Duration::from_millis(50)).await;
                if let Some(address) = target.audio {
                    unread = unread.max(unread_ms(address.port()));
                }
            }
            Usage::of(target.pid).map(|usage| (usage, unread))
        };
        let (dialed, during) = tokio::join!(self.at_once(target, path, far_end), during);
        let (dialed, (during, unread)) = (dialed?, during?);
        let entries = self.entries(&dialed);
        let mut figures = self.figures(load, target, &dialed, &entries, 0);
        // Without finals of a recognizer a call keeps all that was said: no figure of a call that is heard.
        let resident = during.resident_kib.saturating_sub(idle.resident_kib) as f64;
        figures.resident_kib = (load == "audio").then_some(resident);
        figures.unread_ms = target.audio.map(|_| unread);
        let frames: u64 = entries
            .iter()
            .map(|entry| match entry.what {
                What::MediaClosed { sent_frames, .. } => sent_frames,
                _ => 0,
            })
            .sum();
        figures.audio_s = Some(frames as f64 * 0.02);
        let wanted = seconds as f64 * self.arguments.calls as f64;
        if (frames as f64) * 0.02 < wanted * 0.9 {
            let heard = frames as f64 * 0.02;
            let fault = format!("only {heard:.0} s of audio of {wanted:.0} were taken");
            figures.errors.push(fault);
        }
        Ok(figures)
    }

    /// All calls at once; each caller answers each prompt.
    pub(crate) async fn talk(&self, target: &Target, path: &str) -> anyhow::Result<Figures> {
        let voice = voice()?;
        let turns = self.arguments.turns;
        let far_end = |number: usize| {
            let word = sounds::word(number % sounds::CALLERS, &voice);
            (0..turns).fold(FarEnd::default(), |person, _| {
                person.until_prompt_ends().wait(100).say(&word)
            })
        };
        self.recognizer.take();
        let dialed = self.at_once(target, path, far_end).await?;
        let entries = self.entries(&dialed);
        let mut figures = self.figures("talk", target, &dialed, &entries, turns + 1);
        let finals = self.recognizer.take();
        let mut heard = 0;
        let mut commands: HashMap<&str, Vec<u64>> = HashMap::new();
        for entry in &entries {
            if matches!(
                entry.what,
                What::Command { .. } | What::PromptStarted { .. }
            ) {
                commands
                    .entry(&entry.channel)
                    .or_default()
                    .push(entry.at_us);
            }
        }
        for (number, id) in dialed.ids.iter().enumerate() {
            for final_us in finals.get(&number).into_iter().flatten() {
                heard += 1;
                let after = commands.get(id.as_str());
                let next = after.and_then(|times| times.iter().find(|at| *at > final_us));
                figures.reactions.extend(next.map(|at| at - final_us));
            }
        }
        let wanted = turns * dialed.ids.len();
        if heard != wanted {
            let fault = format!("{heard} words of {wanted} reached the recognizer");
            figures.errors.push(fault);
        }
        Ok(figures)
    }

    async fn call(&self, script: &str, far_end: FarEnd) -> String {
        let id = self.asterisk.incoming(script, Incoming::default(), far_end);
        if let Some(line) = self.asterisk.line(&id)
            && tokio::time::timeout(LONGEST, line.gone()).await.is_err()
        {
            line.hang_up();
        }
        id
    }

    async fn at_once(
        &self,
        target: &Target,
        path: &str,
        far_end: impl Fn(usize) -> FarEnd,
    ) -> anyhow::Result<Dialed> {
        let script = format!("agi://{}/{path}", target.agi);
        let before = Usage::of(target.pid)?;
        let own = Usage::of(std::process::id())?;
        let (began, began_us) = (Instant::now(), self.asterisk.record().now_us());
        let calls = (0..self.arguments.calls).map(|number| {
            let (script, far_end) = (&script, far_end(number));
            async move {
                tokio::time::sleep(APART * u32::try_from(number).unwrap_or(0)).await;
                self.call(script, far_end).await
            }
        });
        let ids = join_all(calls).await;
        let took = began.elapsed();
        tokio::time::sleep(SETTLE).await;
        let usage = Usage::of(target.pid)?.since(&before);
        let own = Usage::of(std::process::id())?.since(&own);
        Ok(Dialed {
            ids,
            took,
            usage,
            own,
            began_us,
        })
    }

    fn entries(&self, dialed: &Dialed) -> Vec<Entry> {
        let mut entries = self.asterisk.record().entries();
        entries.retain(|entry| entry.at_us >= dialed.began_us);
        entries
    }

    /// What every load tells; each call has to have heard so many prompts.
    fn figures(
        &self,
        load: &'static str,
        target: &Target,
        dialed: &Dialed,
        entries: &[Entry],
        prompts: usize,
    ) -> Figures {
        let mut errors = Vec::new();
        let records: HashMap<String, _> = record::calls(entries)
            .into_iter()
            .map(|call| (call.channel.clone(), call))
            .collect();
        for id in &dialed.ids {
            match records.get(id) {
                Some(call) if call.end.is_none() => errors.push(format!("{id}: never ended")),
                Some(call) if call.prompts.len() < prompts => {
                    let heard = call.prompts.len();
                    errors.push(format!("{id}: heard {heard} prompts of {prompts}"));
                }
                Some(_) => {}
                None => errors.push(format!("{id}: left no trace")),
            }
        }
        for entry in entries {
            match &entry.what {
                What::AgiRefused { reason } | What::MediaRefused { reason, .. } => {
                    errors.push(format!("{}: {reason}", entry.channel));
                }
                What::MediaClosed { dropped_frames, .. } if *dropped_frames > 0 => {
                    errors.push(format!(
                        "{}: {dropped_frames} frames not taken",
                        entry.channel
                    ));
                }
                _ => {}
            }
        }
        Figures {
            load,
            of: target.name,
            calls: dialed.ids.len(),
            took: dialed.took,
            cpu: dialed.usage.cpu,
            own_cpu: dialed.own.cpu,
            resident_kib: None,
            audio_s: None,
            unread_ms: None,
            reactions: Vec::new(),
            by_command: BTreeMap::new(),
            errors,
        }
    }
}

/// A second of a real voice.
fn voice() -> anyhow::Result<Vec<i16>> {
    let bytes = include_bytes!("../../scripts/sounds/visit_yes.wav");
    let sound = wav::decode("visit_yes", bytes).context("the voice")?;
    Ok(sound
        .samples
        .iter()
        .copied()
        .skip(800)
        .take(6_400)
        .collect())
}
