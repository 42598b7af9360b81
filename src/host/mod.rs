//! Queries to this machine: sockets, processes, interfaces, firewall, names and namespaces.

pub mod addresses;
pub mod capabilities;
pub mod config_search;
pub mod containers;
pub mod devices;
pub mod firewall;
pub mod fork_events;
pub mod free_ports;
pub mod holders;
pub mod listing;
pub mod namespaces;
mod netlink;
pub mod network_settings;
pub mod other_netns;
pub mod priority;
pub mod processes;
pub mod resolver;
pub mod services;
pub mod socket_events;
pub mod sockets;
mod subprocess;
pub mod systemd_units;
pub mod timezone;
pub mod users;
