//! What this machine knows about itself: its interfaces, its sockets, its processes, its users, its network namespaces.

pub mod abilities;
pub mod addresses;
pub mod births;
pub mod connections;
pub mod containers;
pub mod elsewhere;
pub mod firewall;
pub mod free;
pub mod holders;
pub mod interfaces;
pub mod listing;
pub mod mentions;
pub mod names;
pub mod namespaces;
mod netlink;
pub mod priority;
pub mod processes;
pub mod services;
pub mod settings;
pub mod sockets;
mod tool;
pub mod units;
pub mod users;
pub mod zone;
