//! The runtime without a telephone: a double of Asterisk for the whole server ([`asterisk`]), and one call alone on the live
//! machine under a virtual clock ([`call`]), as tests of dialogs, `talk` and `replay` hold it.

pub mod asterisk;
pub mod call;
pub mod case;
pub mod coverage;
mod mouth;
pub mod person;
pub mod read;
pub mod replay;
pub mod scene;
pub mod suite;
#[cfg(test)]
mod tests;
mod tree;
pub mod trial;
pub mod voice;
pub mod write;
