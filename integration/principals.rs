//! principals
