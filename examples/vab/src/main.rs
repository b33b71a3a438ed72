//! The `vab` command.

fn main() {}
