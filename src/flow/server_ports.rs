//! Likely server ports, used to choose the originator of a connection whose start was not captured
//! (Zeek's `likely_server_ports` with its default scripts; IANA, "Service Name and Transport
//! Protocol Port Number Registry").

use crate::packet::{TCP, UDP};

const TCP_SERVER_PORTS: [u16; 49] = [
    21, 22, 25, 53, 80, 81, 88, 110, 135, 139, 143, 389, 443, 445, 502, 563, 585, 587, 614, 631,
    636, 989, 990, 992, 993, 994, 995, 1080, 1434, 1883, 2811, 3128, 3268, 3306, 3389, 5222, 5223,
    5269, 5432, 6379, 6666, 6667, 6668, 6669, 8000, 8080, 8443, 8888, 20000,
];

const UDP_SERVER_PORTS: [u16; 19] = [
    53, 67, 88, 123, 137, 161, 162, 389, 443, 514, 1812, 2123, 2152, 3544, 5060, 5072, 5353, 5355,
    20000,
];

/// Returns true if a port is in Zeek's list for a protocol.
pub(super) fn is_server_port(proto: u8, port: u16) -> bool {
    match proto {
        TCP => TCP_SERVER_PORTS.binary_search(&port).is_ok(),
        UDP => UDP_SERVER_PORTS.binary_search(&port).is_ok(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_port_lists_are_sorted() {
        assert!(TCP_SERVER_PORTS.is_sorted() && UDP_SERVER_PORTS.is_sorted());
        assert!(is_server_port(TCP, 80) && !is_server_port(UDP, 80) && is_server_port(UDP, 5353));
    }
}
