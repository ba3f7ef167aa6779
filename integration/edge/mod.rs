//! How the layer answers at its edge: what it refuses, what it passes, and that refusing costs nothing.

mod batches;
mod bodies;
mod eras;
mod handshake;
mod hosts;
mod ids;
mod mounts;
mod probes;
mod streams;
