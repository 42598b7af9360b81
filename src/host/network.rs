//! The network of this machine: interfaces, namespaces, firewall, kernel settings and host names.

pub mod devices;
pub mod firewall;
pub mod interfaces;
pub mod namespaces;
pub mod resolver;
pub mod settings;
