//! What the tests share: replicas in this process, raw HTTP, inner services that do as told, and waiting without sleeping.

pub(crate) mod backend;
pub(crate) mod clients;
pub(crate) mod conformance;
pub(crate) mod cutting;
pub(crate) mod eventually;
pub(crate) mod failing;
pub(crate) mod faketime;
pub(crate) mod gate;
pub(crate) mod headers;
pub(crate) mod in_flight;
pub(crate) mod inner;
pub(crate) mod log;
pub(crate) mod login;
pub(crate) mod nginx;
pub(crate) mod process;
pub(crate) mod proxy;
pub(crate) mod random;
pub(crate) mod raw;
pub(crate) mod redis;
pub(crate) mod replica;
pub(crate) mod size;
pub(crate) mod tap;
pub(crate) mod trio;
pub(crate) mod upstreams;
pub(crate) mod wire;
