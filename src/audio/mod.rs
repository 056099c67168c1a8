//! Sound as values: 20 ms frames, prompt sounds, codecs, sample rates, voice activity. No I/O, no clock.

pub mod frame;
pub mod sound;

pub use frame::Frame;
pub use sound::Sound;
