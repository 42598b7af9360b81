//! lcap shows, saves and explains the traffic that a machine sends to itself.

pub mod cli;
pub mod decode;
pub mod error;
pub mod filter;
pub mod host;
pub mod packet;
pub mod pipeline;
pub mod sink;
pub mod source;
