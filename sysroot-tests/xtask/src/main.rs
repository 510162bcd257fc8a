//! Development commands: sysroots, checks, benchmarks.
fn main() {}
