//! Sockets of this machine: their states, the processes that have them open, and free ports.

#[cfg(feature = "cli")]
pub mod free_ports;
pub mod holders;
#[cfg(feature = "cli")]
pub mod other_netns;
pub mod proc_net;
pub mod sock_diag;
pub mod socket_events;
mod socket_info;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

/// Decodes an address of this family, which the kernel stores in 4 or 16 bytes.
fn decode_ip(family: u8, octets: [u8; 16]) -> IpAddr {
    match (family, octets) {
        (AF_INET, [a, b, c, d, ..]) => IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
        _ => IpAddr::V6(Ipv6Addr::from(octets)),
    }
}
