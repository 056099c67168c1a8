//! Plays a [`FarEnd`](super::FarEnd)'s steps on a channel, in real time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::audio::Sound;

use super::channel::{Channel, state};
use super::far_end::{Attention, Refusal, Step};
use super::record::{HungUpBy, What};
use super::voice::VoiceOrder;
use super::world::World;

/// The moment between a key's press and its release, as events tell it.
const KEY_MS: u64 = 100;

/// How the steps before an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialed {
    Answered,
    Failed(Refusal),
}

/// Plays the steps up to the answer or the failure; never ends where a script has neither.
pub(super) async fn until_answer(
    world: &World,
    channel: &Channel,
    steps: &mut VecDeque<Step>,
) -> Dialed {
    while let Some(step) = steps.pop_front() {
        match step {
            Step::Ring(ms) => {
                ring(world, channel);
                wait(ms).await;
            }
            Step::Answer => return Dialed::Answered,
            Step::Fail(refusal) => return Dialed::Failed(refusal),
            Step::HangUp => return Dialed::Failed(Refusal::Unavailable),
            Step::Say(sound) => {
                progress(world, channel);
                say(world, channel, &sound).await;
            }
            Step::BeginToSay(sound) => begin_to_say(channel, sound),
            Step::Wait(ms) => wait(ms).await,
            Step::Digit(_) | Step::UntilPromptStarts | Step::UntilPromptEnds => {}
        }
    }
    std::future::pending().await
}

/// Plays the steps after the answer, until the call's end.
pub(super) async fn talk(world: Arc<World>, channel: Arc<Channel>, steps: VecDeque<Step>) {
    let work = async {
        let mut attention = Attention::default();
        for step in steps {
            match step {
                Step::Ring(ms) | Step::Wait(ms) => wait(ms).await,
                Step::Answer | Step::Fail(_) => {}
                Step::Say(sound) => say(&world, &channel, &sound).await,
                Step::BeginToSay(sound) => begin_to_say(&channel, sound),
                Step::UntilPromptStarts => {
                    let wanted = attention.next_start();
                    channel.until_prompts(|now| now.started >= wanted).await;
                }
                Step::UntilPromptEnds => {
                    let wanted = attention.next_end();
                    channel.until_prompts(|now| now.ended >= wanted).await;
                }
                Step::Digit(digit) => press(&world, &channel, digit),
                Step::HangUp => channel.hang_up(16, HungUpBy::Person),
            }
        }
    };
    channel.hung.run_until_cancelled(work).await;
}

async fn wait(ms: u64) {
    if ms == u64::MAX {
        std::future::pending::<()>().await;
    } else {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
}

fn ring(world: &World, channel: &Channel) {
    if channel.set_state(state::RINGING) {
        channel.note(world, What::Ringing);
        world.emit("call", "Newstate", channel.pairs(""));
        let told = [("DialStatus", "RINGING".to_owned())];
        let pairs = channel.pairs("Dest").into_iter().chain(told);
        world.emit("call", "DialState", pairs);
    }
}

fn progress(world: &World, channel: &Channel) {
    let told = [("DialStatus", "PROGRESS".to_owned())];
    let pairs = channel.pairs("Dest").into_iter().chain(told);
    world.emit("call", "DialState", pairs);
}

/// Says it; returns when it was said or the call is over.
pub(super) async fn say(world: &World, channel: &Channel, sound: &Sound) {
    let (said, done) = oneshot::channel();
    let order = VoiceOrder::Say(sound.clone(), Some(said));
    if channel.voice.send(order).await.is_ok() {
        let over = world.life();
        tokio::select! {
            _ = done => {}
            () = channel.hung.cancelled() => {}
            () = over.cancelled() => {}
        }
    }
}

fn begin_to_say(channel: &Channel, sound: Sound) {
    let _ = channel.voice.try_send(VoiceOrder::Say(sound, None));
}

/// Presses a key: both events of AMI, AGI's escape digits, and the in-band message of AudioSocket.
pub(super) fn press(world: &World, channel: &Channel, digit: char) {
    channel.note(world, What::Digit { digit });
    let told = || {
        let pairs = [
            ("Digit", digit.to_string()),
            ("Direction", "Received".to_owned()),
        ];
        channel.pairs("").into_iter().chain(pairs)
    };
    world.emit("dtmf", "DTMFBegin", told());
    let duration = [("DurationMs", KEY_MS.to_string())];
    world.emit("dtmf", "DTMFEnd", told().chain(duration));
    let _ = channel.digits.send(digit);
    let _ = channel.voice.try_send(VoiceOrder::Digit(digit));
}
