//! Services of this machine: their names, and the configuration that starts them.

pub mod config_search;
pub mod containers;
pub(super) mod engine_socket;
pub mod names;
pub mod systemd_units;
