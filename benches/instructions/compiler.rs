//! Which compiler made this program: counts of another are not comparable.

use memchr::memmem;

const MARK: &str = "rustc version ";

/// As the compiler wrote it into the program, with the architecture it is for.
pub fn name() -> String {
    let program = std::env::current_exe().and_then(std::fs::read).unwrap_or_default();
    let version = memmem::find_iter(&program, MARK).find_map(|at| version(&program[at + MARK.len()..]));
    format!("rustc {} on {}", version.unwrap_or("of unknown version"), std::env::consts::ARCH)
}

/// `1.95.0 (59807616e 2026-04-14)`, if this begins so.
fn version(text: &[u8]) -> Option<&str> {
    let end = memchr::memchr(b')', text.get(..80)?)?;
    let text = std::str::from_utf8(&text[..=end]).ok()?;
    text.starts_with(|first: char| first.is_ascii_digit()).then_some(text)
}
