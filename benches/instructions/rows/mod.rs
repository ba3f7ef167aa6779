//! What is counted. A new row is a function over a [`Stage`] and a line in [`ALL`].

mod call;
mod open;
mod streamed;

use crate::setup::Setup;
use crate::stage::Stage;

/// Something a client does.
pub struct Row {
    pub name: &'static str,
    /// What it is counted behind, beside bare.
    pub setups: &'static [Setup],
    /// Does it, and says which part counts.
    pub run: fn(&mut Stage),
}

const ALL: &[Row] = &[
    Row { name: "call", setups: &[Setup::Memory, Setup::Cached, Setup::Strict], run: call::run },
    Row { name: "streamed", setups: &[Setup::Memory, Setup::Cached], run: streamed::run },
    Row { name: "open", setups: &[Setup::Memory, Setup::Cached], run: open::run },
];

/// The rows of these names, or all.
pub fn named(names: &[String]) -> Result<Vec<&'static Row>, String> {
    if names.is_empty() {
        return Ok(ALL.iter().collect());
    }
    names.iter().map(|name| find(name)).collect()
}

pub fn find(name: &str) -> Result<&'static Row, String> {
    let known = || ALL.iter().map(|row| row.name).collect::<Vec<_>>().join(", ");
    ALL.iter().find(|row| row.name == name).ok_or_else(|| format!("no row is called {name}; there are {}", known()))
}
