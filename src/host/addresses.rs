//! Interfaces of this thread's network namespace, and their addresses (rtnetlink(7)).
//!
//! Interfaces are not read from /sys, which can show another namespace.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::netlink::{self, Family, word};

/// A network interface.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HostInterface {
    /// The interface index.
    pub index: u32,
    /// The name.
    pub name: String,
    /// True if the interface is up.
    pub is_up: bool,
    /// True if the interface carries traffic from this machine to itself.
    pub is_loopback: bool,
    /// The addresses, each with its prefix length in bits.
    pub addresses: Vec<(IpAddr, u8)>,
}

const RTM_GETLINK: u16 = 18;
const RTM_GETADDR: u16 = 22;
const IFF_UP: u32 = 1;
const IFF_LOOPBACK: u32 = 8;

/// Returns all interfaces in the kernel's order.
///
/// # Errors
/// The kernel refuses the request or does not reply.
pub fn all() -> io::Result<Vec<HostInterface>> {
    let mut found: Vec<HostInterface> = Vec::new();
    // The requests contain struct ifinfomsg and struct ifaddrmsg; zeros select all entries.
    netlink::dump(Family::Routes, RTM_GETLINK, &[0; 16], |_, body| {
        found.extend(parse_link(body));
    })?;
    netlink::dump(Family::Routes, RTM_GETADDR, &[0; 8], |_, body| {
        if let Some((index, address)) = parse_address(body)
            && let Some(interface) = found.iter_mut().find(|interface| interface.index == index)
        {
            interface.addresses.push(address);
        }
    })?;
    Ok(found)
}

/// Returns the network of an address with this prefix length: `192.0.2.0/24`.
pub fn network((address, bits): (IpAddr, u8)) -> String {
    let masked = match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & mask))
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
        }
    };
    format!("{masked}/{bits}")
}

//   0        1   2      4       8       12       16
//   | family | – | type | index | flags | change | attributes
fn parse_link(body: &[u8]) -> Option<HostInterface> {
    const IFLA_IFNAME: u16 = 3;
    let flags = word(body, 8)?;
    let name = netlink::attributes(body, 16).find(|(kind, _)| *kind == IFLA_IFNAME);
    let name = name.map(|(_, name)| String::from_utf8_lossy(name).into_owned());
    Some(HostInterface {
        index: word(body, 4)?,
        name: name?.trim_end_matches('\0').to_owned(),
        is_up: flags & IFF_UP != 0,
        is_loopback: flags & IFF_LOOPBACK != 0,
        addresses: Vec::new(),
    })
}

//   0        1      2       3       4       8
//   | family | bits | flags | scope | index | attributes
fn parse_address(body: &[u8]) -> Option<(u32, (IpAddr, u8))> {
    /// On a point-to-point interface this is the address of the peer.
    const IFA_ADDRESS: u16 = 1;
    const IFA_LOCAL: u16 = 2;
    let attribute = |expected| {
        let mut attributes = netlink::attributes(body, 8);
        attributes.find_map(|(kind, value)| (kind == expected).then_some(value))
    };
    let value = attribute(IFA_LOCAL).or_else(|| attribute(IFA_ADDRESS))?;
    let ip = match value.len() {
        4 => IpAddr::V4(Ipv4Addr::from(*value.first_chunk()?)),
        16 => IpAddr::V6(Ipv6Addr::from(*value.first_chunk()?)),
        _ => return None,
    };
    Some((word(body, 4)?, (ip, *body.get(1)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_interface_has_127_0_0_1() {
        let interfaces = all().expect("interfaces");
        let loopback = interfaces.iter().find(|interface| interface.is_loopback);
        let loopback = loopback.expect("lo");
        let address = (IpAddr::V4(Ipv4Addr::LOCALHOST), 8);
        assert!(
            !loopback.is_up || loopback.addresses.contains(&address),
            "{loopback:?}"
        );
    }

    #[test]
    fn network_clears_the_host_bits() {
        for (address, bits, text) in [
            ("192.0.2.77", 24, "192.0.2.0/24"),
            ("192.0.2.77", 32, "192.0.2.77/32"),
            ("192.0.2.77", 0, "0.0.0.0/0"),
            ("2001:db8::77", 64, "2001:db8::/64"),
            ("2001:db8::77", 0, "::/0"),
        ] {
            let address = address.parse().expect("an address");
            assert_eq!(network((address, bits)), text);
        }
    }
}
