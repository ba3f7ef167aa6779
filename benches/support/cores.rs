//! The core a thread runs on.

/// Puts the calling thread on one core, where there are several. The server has the first, everything else the last.
pub fn pin(server: bool) {
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    let core = if server { cores.first() } else { cores.last() };
    if let (Some(core), 2..) = (core, cores.len()) {
        core_affinity::set_for_current(*core);
    }
}
