//! Foreign text as it is logged: what a client, an inner service or a store has written can end no line, steer no terminal and
//! turn no text around, whatever the subscriber does with it.

use std::borrow::Cow;
use std::fmt::Write;

/// The same text, with every character escaped (`\u{1b}`) that is not seen: controls, line breaks, and those that hide what
/// follows or turn its direction.
pub(crate) fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unseen) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for char in text.chars() {
        match is_unseen(char) {
            true => write!(shown, "{}", char.escape_unicode()).expect("a string takes any text"),
            false => shown.push(char),
        }
    }
    Cow::Owned(shown)
}

/// The dashboard's `visible` has the same list.
fn is_unseen(char: char) -> bool {
    char.is_control()
        || matches!(char,
            '\u{ad}' | '\u{61c}' | '\u{200b}' | '\u{200c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_seen_is_escaped_and_all_else_stays() {
        for plain in ["", "tools/call", "日本語 é <b>=1+1</b> 👩\u{200d}🚀", "\\u{1b}"] {
            assert!(matches!(escaped(plain), Cow::Borrowed(text) if text == plain), "{plain}");
        }
        for (foreign, shown) in [
            ("a\r\nb", "a\\u{d}\\u{a}b"),
            ("\u{1b}[2J\u{7}\0", "\\u{1b}[2J\\u{7}\\u{0}"),
            ("\u{202e}gnp\u{2066}\u{200f}", "\\u{202e}gnp\\u{2066}\\u{200f}"),
            ("\u{85}\u{9b}31m\u{2028}\u{feff}\u{e0041}", "\\u{85}\\u{9b}31m\\u{2028}\\u{feff}\\u{e0041}"),
        ] {
            assert_eq!(escaped(foreign), shown);
        }
    }
}
