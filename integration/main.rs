//! Tests against real parts.

mod harness {
    pub(crate) mod eventually;
    pub(crate) mod redis;
}

mod store_redis;
