//! Interfaces of this thread's network namespace, and their addresses (rtnetlink(7)).
//!
//! Interfaces are not read from /sys, which can show another namespace.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::host::netlink::{NLM_F_ACK, NLM_F_DUMP, Netlink, attribute, u32_at};

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

const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
const RTM_GETADDR: u16 = 22;
const IFF_UP: u32 = 1;
const IFF_LOOPBACK: u32 = 8;

/// Returns all interfaces in the kernel's order.
///
/// # Errors
/// The kernel refuses the request or does not reply.
pub fn all() -> io::Result<Vec<HostInterface>> {
    let mut found = without_addresses()?;
    // struct ifaddrmsg; zeros select all addresses.
    Netlink::open(None)?.request(RTM_GETADDR, NLM_F_DUMP, &[0; 8], |body| {
        if let Some((index, address)) = parse_address(body)
            && let Some(interface) = found.iter_mut().find(|interface| interface.index == index)
        {
            interface.addresses.push(address);
        }
    })?;
    Ok(found)
}

/// Returns all interfaces, without their addresses, in the kernel's order.
pub(super) fn without_addresses() -> io::Result<Vec<HostInterface>> {
    let mut found = Vec::new();
    // struct ifinfomsg; zeros select all interfaces.
    Netlink::open(None)?.request(RTM_GETLINK, NLM_F_DUMP, &[0; 16], |body| {
        found.extend(parse_link(body));
    })?;
    Ok(found)
}

/// Returns the names of the interfaces by index; none if the kernel does not list them.
pub fn names() -> HashMap<u32, String> {
    let all = without_addresses().unwrap_or_default().into_iter();
    all.map(|interface| (interface.index, interface.name))
        .collect()
}

/// Brings up the loopback interface of this thread's network namespace.
///
/// # Errors
/// This process is not permitted to change the namespace: this requires CAP_NET_ADMIN inside it.
pub fn bring_up_loopback() -> io::Result<()> {
    /// The loopback interface is the first interface of every network namespace.
    const LOOPBACK_INDEX: u32 = 1;
    // struct ifinfomsg: the index, the flags, and the flags that change.
    let fields = [0, LOOPBACK_INDEX, IFF_UP, IFF_UP];
    let body: Vec<u8> = fields.into_iter().flat_map(u32::to_ne_bytes).collect();
    Netlink::open(None)?.request(RTM_NEWLINK, NLM_F_ACK, &body, |_| {})
}

/// Returns the network of an address with this prefix length: `192.0.2.0/24`.
pub fn network((address, bits): (IpAddr, u8)) -> String {
    let host_bits = |len: u32| len.saturating_sub(bits.into());
    let masked: IpAddr = match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(host_bits(32)).unwrap_or(0);
            Ipv4Addr::from_bits(address.to_bits() & mask).into()
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(host_bits(128)).unwrap_or(0);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
    };
    format!("{masked}/{bits}")
}

//   0        1   2      4       8       12       16
//   | family | – | type | index | flags | change | attributes
pub(in crate::host) fn parse_link(body: &[u8]) -> Option<HostInterface> {
    const IFLA_IFNAME: u16 = 3;
    let flags = u32_at(body, 8)?;
    let name = String::from_utf8_lossy(attribute(body, 16, IFLA_IFNAME)?);
    Some(HostInterface {
        index: u32_at(body, 4)?,
        name: name.trim_end_matches('\0').to_owned(),
        is_up: flags & IFF_UP != 0,
        is_loopback: flags & IFF_LOOPBACK != 0,
        addresses: Vec::new(),
    })
}

//   0        1      2       3       4       8
//   | family | bits | flags | scope | index | attributes
pub(in crate::host) fn parse_address(body: &[u8]) -> Option<(u32, (IpAddr, u8))> {
    /// On a point-to-point interface this is the address of the peer.
    const IFA_ADDRESS: u16 = 1;
    const IFA_LOCAL: u16 = 2;
    let value = attribute(body, 8, IFA_LOCAL).or_else(|| attribute(body, 8, IFA_ADDRESS))?;
    Some((u32_at(body, 4)?, (ip_from_bytes(value)?, *body.get(1)?)))
}

/// Decodes an address of 4 or 16 bytes.
pub(in crate::host) fn ip_from_bytes(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => Some(IpAddr::V4(Ipv4Addr::from(*bytes.first_chunk()?))),
        16 => Some(IpAddr::V6(Ipv6Addr::from(*bytes.first_chunk()?))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::netlink::datagrams;
    use proptest::prelude::*;

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

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn parsed_fields_lie_inside_the_message(body in datagrams()) {
            if let Some(link) = parse_link(&body) {
                prop_assert_eq!(&link.index.to_ne_bytes()[..], &body[4..8]);
                // An invalid byte of a name becomes three bytes.
                prop_assert!(link.name.len() <= 3 * (body.len() - 16));
            }
            if let Some((index, (ip, bits))) = parse_address(&body) {
                prop_assert_eq!(&index.to_ne_bytes()[..], &body[4..8]);
                prop_assert_eq!(bits, body[1]);
                network((ip, bits));
            }
        }
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
