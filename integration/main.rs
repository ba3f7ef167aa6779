//! The tests, by subject. `integration/run` installs what they need and runs them all.

mod adoption;
mod backends;
mod conformance;
mod dashboard;
mod deployments;
mod doors;
mod edge;
mod examples;
mod gateway;
mod harness;
mod inner;
mod lifecycle;
mod monitor;
mod notes;
mod principals;
mod quickstart;
mod reconnect;
mod replicas;
mod rounds;
mod sdk;
mod secrets;
mod shutdown;
mod store_redis;
mod streams;
mod stress;
mod telemetry;
