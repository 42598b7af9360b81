//! What the two sides of each flow say: on a screen as they say it, one side as it is, or every stream in a file of its own.

mod conversation;
mod directory;
mod raw;
mod writers;

pub use conversation::{Content, Conversation, Look};
pub use directory::Directory;
pub use raw::Raw;
