//! The tests, by subject. `integration/run` installs what they need and runs them all.

mod edge;
mod harness;
mod lifecycle;
mod principals;
mod secrets;
mod store_redis;
