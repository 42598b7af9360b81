//! Output of stream contents: conversations as text or JSON, bytes in hexadecimal, one side of a
//! flow as raw bytes, or one file per stream.

pub(super) mod conversation;
mod flow_state;
pub(super) mod hex_dump;
pub(super) mod json;
mod part;
mod part_sink;
mod parts;
mod payload;
pub(super) mod raw_stream;
mod selected_flow;
mod status_line;
pub(super) mod stream_directory;

pub use selected_flow::{FlowUid, SelectedFlow};

use crate::error::count_noun;
use crate::flow::{GapCause, Side};

/// Selection and format of stream contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamOptions {
    /// Number of the selected flow; `None` selects all flows.
    pub flow: Option<u64>,
    /// Side whose raw bytes are written.
    pub side: Side,
    /// Limit on the contents of each message in a conversation.
    pub limit: MessageLimit,
    /// True if each side of a conversation is printed in a colour.
    pub colour: bool,
    /// True for nanoseconds in times, false for microseconds.
    pub nano: bool,
    /// True if identified processes are shown.
    pub show_processes: bool,
}

/// Limit on the contents of each message in a conversation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MessageLimit {
    /// The beginning, at most 4 KiB.
    #[default]
    Beginning,
    /// All contents.
    Full,
}

/// Returns the note for missing bytes: `[gap 238 bytes]`.
fn gap_note(len: u64, cause: GapCause) -> String {
    let label = match cause {
        GapCause::Lost => "gap",
        GapCause::Cut => "cut",
    };
    format!("[{label} {}]", count_noun(len, "byte"))
}

/// Returns the note for retransmitted bytes that differ from the originals.
fn mismatch_note(offset: u64, len: u64) -> String {
    format!(
        "[{} at offset {offset} retransmitted with different content; original shown]",
        count_noun(len, "byte")
    )
}

#[cfg(test)]
mod tests;
