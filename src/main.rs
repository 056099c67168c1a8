//! The `govorun` command.

fn main() {}
