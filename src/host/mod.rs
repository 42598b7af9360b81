//! What this machine knows about itself: its interfaces, its sockets, its processes, its users, its network namespaces.

pub mod connections;
pub mod interfaces;
pub mod namespaces;
pub mod processes;
pub mod sockets;
pub mod users;
