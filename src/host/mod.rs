//! Queries to this machine: sockets, processes, interfaces, firewall, names and namespaces.

mod netlink;
#[cfg(feature = "cli")]
pub mod network;
#[cfg(all(feature = "cli", feature = "internals"))]
pub mod parsers;
pub mod processes;
pub mod proxies;
#[cfg(feature = "cli")]
pub mod services;
pub mod sockets;
#[cfg(feature = "cli")]
mod subprocess;
