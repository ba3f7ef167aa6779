//! A way in for whoever starts the server: [`OneTimeCode`].

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use subtle::ConstantTimeEq;
use tokio::time::Instant;

/// How long a code can be exchanged.
const GOOD_FOR: Duration = Duration::from_secs(10 * 60);

/// A link's secret, for whoever sees what the server prints when it starts: the dashboard exchanges it, once and within ten minutes,
/// for a bearer token that is good for as long as this process lives. Clones are the same code.
///
/// It stands in the link's fragment, which browsers send to nobody. Show the link to its reader alone: on a terminal, or in a file
/// that nobody else may read.
///
/// ```
/// use tower_mcp_sessions::monitor::{Access, OneTimeCode, Role};
///
/// let code = OneTimeCode::generate()?;
/// let access = Access::local_view().or(Access::code(&code, Role::Admin));
/// let link = code.link("http://127.0.0.1:8931/"); // http://127.0.0.1:8931/#code=…
/// # let _ = (access, link);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct OneTimeCode(Arc<Secrets>);

struct Secrets {
    code: String,
    bearer: String,
    good_until: Instant,
    is_spent: AtomicBool,
}

impl OneTimeCode {
    /// A new one, of which the ten minutes begin now.
    ///
    /// # Errors
    ///
    /// If the operating system has no randomness.
    pub fn generate() -> io::Result<Self> {
        let secrets = Secrets {
            code: secret()?,
            bearer: secret()?,
            good_until: Instant::now() + GOOD_FOR,
            is_spent: AtomicBool::new(false),
        };
        Ok(Self(Arc::new(secrets)))
    }

    /// The address of the dashboard with the code in it.
    #[must_use]
    pub fn link(&self, dashboard: &str) -> String {
        format!("{dashboard}#code={}", self.0.code)
    }

    /// The bearer token for a code, the first time and in time.
    pub(super) fn exchange(&self, code: &str) -> Option<&str> {
        let is_it = bool::from(code.as_bytes().ct_eq(self.0.code.as_bytes()));
        let is_first = || !self.0.is_spent.swap(true, Ordering::Relaxed);
        (is_it && Instant::now() < self.0.good_until && is_first()).then_some(&*self.0.bearer)
    }

    pub(super) fn bearer(&self) -> &str {
        &self.0.bearer
    }
}

impl fmt::Debug for OneTimeCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OneTimeCode(…)")
    }
}

fn secret() -> io::Result<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code_of(code: &OneTimeCode) -> String {
        code.link("").strip_prefix("#code=").expect("a fragment").to_owned()
    }

    #[tokio::test(start_paused = true)]
    async fn a_code_is_exchanged_once() {
        let code = OneTimeCode::generate().unwrap();
        for wrong in ["", "x", &code_of(&OneTimeCode::generate().unwrap())] {
            assert_eq!(code.exchange(wrong), None, "{wrong}");
        }
        assert_eq!(code.exchange(&code_of(&code)), Some(code.bearer()));
        assert_eq!(code.clone().exchange(&code_of(&code)), None);
        assert!(!format!("{code:?}").contains(&code_of(&code)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_code_is_good_for_ten_minutes() {
        let (early, late) = (OneTimeCode::generate().unwrap(), OneTimeCode::generate().unwrap());
        tokio::time::advance(GOOD_FOR - Duration::from_secs(1)).await;
        assert!(early.exchange(&code_of(&early)).is_some());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(late.exchange(&code_of(&late)), None);
    }
}
