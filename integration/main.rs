//! The tests, by subject. `integration/run` installs what they need and runs them all.

fn main() {}
