//! `RedisStore` against real servers: what every store promises, and what happens when Redis does not keep its own.

mod contract;
mod faults;
mod fixture;
mod inner_session;
mod layout;
mod lifetimes;
mod limiting;
mod opening;
mod reconnecting;
mod recording;
