//! What this machine knows about itself: its interfaces, its sockets, its processes.

pub mod interfaces;
pub mod processes;
pub mod sockets;
