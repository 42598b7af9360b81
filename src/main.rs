//! The `lcap` command.

fn main() {}
