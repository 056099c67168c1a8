//! Sound as values: 20 ms frames, prompt sounds, codecs, sample rates, voice activity, tones. No I/O, no clock.

pub mod frame;
pub mod g711;
pub mod gaps;
pub mod reframe;
pub mod resample;
pub mod sound;
pub mod stereo;
pub mod tone;
pub mod vad;
pub mod wav;

pub use frame::Frame;
pub use sound::Sound;
