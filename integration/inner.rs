//! inner
