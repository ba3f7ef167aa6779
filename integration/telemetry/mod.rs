//! What an operator's own tools see: counts that agree with the store, spans that name the session and give nothing away.

mod counts;
mod foreign;
mod operators;
mod spans;
