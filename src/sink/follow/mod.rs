//! Output of stream contents: conversations as text, one side of a flow as raw bytes, or one file
//! per stream.

pub(super) mod conversation;
pub(super) mod raw_stream;
pub(super) mod stream_directory;

use crate::flow::Side;

/// Selection and format of stream contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamOptions {
    /// Number of the selected flow; `None` selects all flows.
    pub flow: Option<u64>,
    /// Side whose raw bytes are written.
    pub side: Side,
    /// Format of the payload in a conversation.
    pub content: ContentFormat,
    /// True if each side of a conversation is printed in a colour.
    pub colour: bool,
    /// True for nanoseconds in times, false for microseconds.
    pub nano: bool,
    /// True if identified processes are shown.
    pub show_processes: bool,
}

/// Format of the payload in a conversation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ContentFormat {
    /// Text as text, and binary data as at most 16 lines of hexadecimal per chunk.
    #[default]
    Text,
    /// All data in hexadecimal.
    Hex,
}
