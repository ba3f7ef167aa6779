//! The smallest picture and the shortest sound, in base64.

use rmcp::model::ContentBlock;

/// One red pixel.
pub(crate) const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR42mP4z8AAAAMBAQD3A0FDAAAAAElFTkSuQmCC";

/// One millisecond of silence: 8 samples, 8 bit, mono, 8 kHz.
const WAV: &str = "UklGRiwAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQgAAACAgICAgICAgA==";

pub(crate) fn picture() -> ContentBlock {
    ContentBlock::image(PNG, "image/png")
}

pub(crate) fn sound() -> ContentBlock {
    ContentBlock::audio(WAV, "audio/wav")
}
