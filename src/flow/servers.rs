//! Ports that are a server's, most likely: what decides who opened a connection whose begin was not captured
//! (Zeek's `likely_server_ports` with its default scripts; IANA, "Service Name and Transport Protocol Port Number Registry").

use crate::packet::{TCP, UDP};

const TCP_PORTS: [u16; 49] = [
    21, 22, 25, 53, 80, 81, 88, 110, 135, 139, 143, 389, 443, 445, 502, 563, 585, 587, 614, 631,
    636, 989, 990, 992, 993, 994, 995, 1080, 1434, 1883, 2811, 3128, 3268, 3306, 3389, 5222, 5223,
    5269, 5432, 6379, 6666, 6667, 6668, 6669, 8000, 8080, 8443, 8888, 20000,
];

const UDP_PORTS: [u16; 19] = [
    53, 67, 88, 123, 137, 161, 162, 389, 443, 514, 1812, 2123, 2152, 3544, 5060, 5072, 5353, 5355,
    20000,
];

/// Whether a port is in Zeek's list for a protocol.
pub(super) fn is_likely(proto: u8, port: u16) -> bool {
    match proto {
        TCP => TCP_PORTS.binary_search(&port).is_ok(),
        UDP => UDP_PORTS.binary_search(&port).is_ok(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted() {
        assert!(TCP_PORTS.is_sorted() && UDP_PORTS.is_sorted());
        assert!(is_likely(TCP, 80) && !is_likely(UDP, 80) && is_likely(UDP, 5353));
    }
}
