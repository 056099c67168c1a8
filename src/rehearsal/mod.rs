//! The runtime without a telephone: a double of Asterisk, conversations in the terminal, the demo.

pub mod asterisk;
