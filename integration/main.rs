//! The tests, by subject. `integration/run` installs what they need and runs them all.

mod harness;

mod edge;
mod inner;
mod lifecycle;
mod principals;
mod secrets;
