//! Plays a sound in frames of 20 ms by the clock: the mouth of AudioSocket, where nothing is buffered for us.
//!
//! Pure: time is an argument. Frame `n` is due at the start plus `n` times 20 ms, less [`LEAD_MS`], so that a late wake-up
//! never adds up to a drift; what the far side hears is at most two frames behind what was sent.

use crate::audio::Frame;
use crate::audio::frame::{FRAME_MS, FRAME_SAMPLES};
use crate::audio::sound::Sound;
use crate::net::speaker::{PlaybackId, SpeakerEvent, SpeakerOrder};

/// How early frames are sent, milliseconds: our own wake-ups are late by up to as much.
pub const LEAD_MS: u64 = 20;
/// Past this lateness the sound is shifted instead of hurried, milliseconds: a burst would only be dropped or delay all
/// that follows.
pub const SHIFT_AFTER_MS: u64 = 100;

/// One sound at a time.
#[derive(Debug, Default)]
pub struct Pacer {
    playing: Option<Playing>,
}

#[derive(Debug)]
struct Playing {
    id: PlaybackId,
    sound: Sound,
    /// Samples handed out, from the sound's start.
    position: usize,
    /// `None` while it is paused.
    clock: Option<Clock>,
}

/// Frames handed out since a moment.
#[derive(Clone, Copy, Debug)]
struct Clock {
    base_ms: u64,
    frames: u64,
}

impl Clock {
    fn new(base_ms: u64) -> Self {
        Self { base_ms, frames: 0 }
    }

    fn due_ms(self) -> u64 {
        (self.base_ms + self.frames * FRAME_MS).saturating_sub(LEAD_MS)
    }

    fn end_ms(self) -> u64 {
        self.base_ms + self.frames * FRAME_MS
    }
}

impl Playing {
    fn ended(&self) -> bool {
        self.position >= self.sound.samples.len()
    }

    fn played_ms(&self) -> u64 {
        (self.position.min(self.sound.samples.len()) / (FRAME_SAMPLES / 20)) as u64
    }
}

impl Pacer {
    /// Takes an order; `tell` gets what came of it at once.
    pub fn order(&mut self, now_ms: u64, order: SpeakerOrder, mut tell: impl FnMut(SpeakerEvent)) {
        match order {
            SpeakerOrder::Play { id, sound, from_ms } => {
                self.stop(&mut tell);
                let from = usize::try_from(from_ms).unwrap_or(usize::MAX);
                let position = from
                    .saturating_mul(FRAME_SAMPLES / 20)
                    .min(sound.samples.len());
                self.playing = Some(Playing {
                    id,
                    sound,
                    position,
                    clock: Some(Clock::new(now_ms)),
                });
                tell(SpeakerEvent::Started { id });
            }
            SpeakerOrder::Pause => {
                if let Some(playing) = &mut self.playing {
                    playing.clock = None;
                }
            }
            SpeakerOrder::Resume => {
                if let Some(playing) = &mut self.playing
                    && playing.clock.is_none()
                {
                    playing.clock = Some(Clock::new(now_ms));
                }
            }
            SpeakerOrder::Stop => self.stop(&mut tell),
        }
    }

    /// When [`Self::play`] has to be called next; `None` while nothing is due.
    pub fn due_ms(&self) -> Option<u64> {
        let playing = self.playing.as_ref()?;
        let clock = playing.clock?;
        Some(if playing.ended() {
            clock.end_ms()
        } else {
            clock.due_ms()
        })
    }

    /// Gives the frames that are due to `send`; tells the end when the last was heard.
    pub fn play(
        &mut self,
        now_ms: u64,
        mut send: impl FnMut(&Frame),
        mut tell: impl FnMut(SpeakerEvent),
    ) {
        let Some(playing) = &mut self.playing else {
            return;
        };
        let Some(mut clock) = playing.clock else {
            return;
        };
        let late = now_ms.saturating_sub(clock.due_ms());
        if late > SHIFT_AFTER_MS && playing.position < playing.sound.samples.len() {
            clock.base_ms += late;
        }
        while playing.position < playing.sound.samples.len() && clock.due_ms() <= now_ms {
            let rest = &playing.sound.samples[playing.position..];
            let mut frame = Frame::SILENCE;
            let take = rest.len().min(FRAME_SAMPLES);
            frame.0[..take].copy_from_slice(&rest[..take]);
            send(&frame);
            playing.position += take;
            clock.frames += 1;
        }
        playing.clock = Some(clock);
        if playing.ended() && clock.end_ms() <= now_ms {
            let (id, played_ms) = (playing.id, playing.played_ms());
            self.playing = None;
            tell(SpeakerEvent::Ended {
                id,
                played_ms,
                whole: true,
            });
        }
    }

    fn stop(&mut self, tell: &mut impl FnMut(SpeakerEvent)) {
        if let Some(playing) = self.playing.take() {
            tell(SpeakerEvent::Ended {
                id: playing.id,
                played_ms: playing.played_ms(),
                whole: false,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(ms: usize) -> Sound {
        Sound::new("t", (0..ms * 8).map(|n| n as i16).collect::<Vec<_>>())
    }

    fn play(sound: Sound, from_ms: u64) -> SpeakerOrder {
        SpeakerOrder::Play {
            id: 1,
            sound,
            from_ms,
        }
    }

    type Frames = Vec<(u64, i16)>;
    type Events = Vec<(u64, SpeakerEvent)>;

    /// Runs the pacer over `times`, with orders at their moments; gives (time, first sample) and events with times.
    fn run(
        times: impl Iterator<Item = u64>,
        mut orders: Vec<(u64, SpeakerOrder)>,
    ) -> (Frames, Events) {
        let mut pacer = Pacer::default();
        let (mut frames, mut events) = (Vec::new(), Vec::new());
        for now in times {
            while orders.first().is_some_and(|(at, _)| *at <= now) {
                let (_, order) = orders.remove(0);
                pacer.order(now, order, |e| events.push((now, e)));
            }
            if pacer.due_ms().is_some_and(|due| due <= now) {
                pacer.play(
                    now,
                    |f| frames.push((now, f.0[0])),
                    |e| events.push((now, e)),
                );
            }
        }
        (frames, events)
    }

    #[test]
    fn frames_go_out_every_20_ms_and_the_end_is_told_when_it_was_heard() {
        let (frames, events) = run(0..2_000, vec![(100, play(tone(1_010), 0))]);
        assert_eq!(frames.len(), 51);
        for (n, (at, first)) in frames.iter().enumerate() {
            assert_eq!(
                *at,
                (100 + n as u64 * 20).saturating_sub(20).max(100),
                "frame {n}"
            );
            assert_eq!(*first, (n * 160) as i16);
        }
        let ended = SpeakerEvent::Ended {
            id: 1,
            played_ms: 1_010,
            whole: true,
        };
        assert_eq!(
            events,
            [(100, SpeakerEvent::Started { id: 1 }), (1_120, ended)]
        );
    }

    #[test]
    fn late_wake_ups_do_not_add_up() {
        // Woken every 33 ms only: a minute's sound still takes a minute.
        let (frames, events) = run((0..70_000).step_by(33), vec![(0, play(tone(60_000), 0))]);
        assert_eq!(frames.len(), 3_000);
        assert!(events[1].0 < 60_040, "{}", events[1].0);
        assert!(frames.windows(2).all(|w| w[1].0 - w[0].0 <= 33));
    }

    #[test]
    fn a_long_stop_of_the_process_shifts_the_sound_instead_of_a_burst() {
        let times = (0..200).chain(1_200..3_000);
        let (frames, events) = run(times, vec![(0, play(tone(1_000), 0))]);
        let at_once = frames.iter().filter(|(at, _)| *at == 1_200).count();
        assert!(at_once <= 2, "{at_once}");
        assert_eq!(frames.len(), 50);
        assert!((1_960..2_040).contains(&events[1].0), "{events:?}");
    }

    #[test]
    fn stop_pause_and_resume_are_exact_to_the_frame() {
        let (frames, events) = run(
            0..3_000,
            vec![
                (0, play(tone(1_000), 0)),
                (205, SpeakerOrder::Pause),
                (1_000, SpeakerOrder::Resume),
                (1_105, SpeakerOrder::Stop),
                (1_200, SpeakerOrder::Stop),
                (1_300, SpeakerOrder::Resume),
            ],
        );
        let held = frames
            .iter()
            .filter(|(at, _)| (206..1_000).contains(at))
            .count();
        assert_eq!(held, 0);
        // Nothing is lost or doubled over the pause.
        assert!(frames.windows(2).all(|w| w[1].1 - w[0].1 == 160));
        let played_ms = frames.len() as u64 * 20;
        let ended = SpeakerEvent::Ended {
            id: 1,
            played_ms,
            whole: false,
        };
        assert_eq!(events[1..], [(1_105, ended)]);
        assert!((310..=380).contains(&played_ms), "{played_ms}");
    }

    #[test]
    fn a_sound_may_begin_inside_or_past_its_end() {
        let (frames, events) = run(0..1_000, vec![(0, play(tone(500), 400))]);
        assert_eq!(frames.first(), Some(&(0, 3_200)));
        assert_eq!(
            events[1],
            (
                100,
                SpeakerEvent::Ended {
                    id: 1,
                    played_ms: 500,
                    whole: true
                }
            )
        );
        let (frames, events) = run(0..1_000, vec![(0, play(tone(500), u64::MAX))]);
        assert!(frames.is_empty());
        assert_eq!(
            events[1],
            (
                0,
                SpeakerEvent::Ended {
                    id: 1,
                    played_ms: 500,
                    whole: true
                }
            )
        );
    }

    #[test]
    fn another_sound_stops_the_one_before() {
        let second = SpeakerOrder::Play {
            id: 2,
            sound: tone(40),
            from_ms: 0,
        };
        let (_, events) = run(0..1_000, vec![(0, play(tone(500), 0)), (90, second)]);
        let told: Vec<_> = events.iter().map(|(_, e)| e.clone()).collect();
        assert_eq!(
            told[1..],
            [
                SpeakerEvent::Ended {
                    id: 1,
                    played_ms: 120,
                    whole: false
                },
                SpeakerEvent::Started { id: 2 },
                SpeakerEvent::Ended {
                    id: 2,
                    played_ms: 40,
                    whole: true
                },
            ]
        );
    }
}
