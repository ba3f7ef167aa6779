//! Figures, and the core they are taken on.

/// The middle of some figures.
pub fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Puts the calling thread on one core, where there are several. The server has the first, everything else the last.
pub fn pin(server: bool) {
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    let core = if server { cores.first() } else { cores.last() };
    if let (Some(core), 2..) = (core, cores.len()) {
        core_affinity::set_for_current(*core);
    }
}
