//! Queries to this machine: sockets, processes, interfaces, firewall, names and namespaces.

pub mod network;
pub mod processes;
pub mod services;
pub mod sockets;
mod subprocess;
pub mod timezone;
