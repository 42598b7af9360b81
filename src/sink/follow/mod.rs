//! Output of stream contents: conversations as text, one side of a flow as raw bytes, or one file
//! per stream.

mod conversation;
mod file_writers;
mod raw_stream;
mod stream_directory;

pub use conversation::{ContentFormat, Conversation, ConversationStyle};
pub use raw_stream::RawStream;
pub use stream_directory::StreamDirectory;
