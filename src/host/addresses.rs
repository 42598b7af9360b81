//! The interfaces of this thread's network namespace and their addresses (rtnetlink(7)): /sys may show those of another.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::netlink::{self, Family, word};

/// An interface.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Interface {
    /// Its number.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Whether it may carry packets.
    pub is_up: bool,
    /// Whether it carries this machine's traffic to itself.
    pub is_loopback: bool,
    /// Its addresses, and how many bits of each are its network's.
    pub addresses: Vec<(IpAddr, u8)>,
}

const GET_LINK: u16 = 18;
const GET_ADDRESS: u16 = 22;
const UP: u32 = 1;
const LOOPBACK: u32 = 8;

/// All interfaces, in the kernel's order.
///
/// # Errors
/// The kernel does not tell.
pub fn all() -> io::Result<Vec<Interface>> {
    let mut found: Vec<Interface> = Vec::new();
    // struct ifinfomsg and struct ifaddrmsg, each with nothing asked for.
    netlink::dump(Family::Routes, GET_LINK, &[0; 16], |_, body| {
        found.extend(link(body));
    })?;
    netlink::dump(Family::Routes, GET_ADDRESS, &[0; 8], |_, body| {
        if let Some((index, address)) = address(body)
            && let Some(interface) = found.iter_mut().find(|own| own.index == index)
        {
            interface.addresses.push(address);
        }
    })?;
    Ok(found)
}

/// The network that an address with so many bits is of: `192.0.2.0/24`.
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
fn link(body: &[u8]) -> Option<Interface> {
    const NAME: u16 = 3;
    let flags = word(body, 8)?;
    let name = netlink::attributes(body, 16).find(|(kind, _)| *kind == NAME);
    let name = name.map(|(_, name)| String::from_utf8_lossy(name).into_owned());
    Some(Interface {
        index: word(body, 4)?,
        name: name?.trim_end_matches('\0').to_owned(),
        is_up: flags & UP != 0,
        is_loopback: flags & LOOPBACK != 0,
        addresses: Vec::new(),
    })
}

//   0        1      2       3       4       8
//   | family | bits | flags | scope | index | attributes
fn address(body: &[u8]) -> Option<(u32, (IpAddr, u8))> {
    /// That of the other end, where there is one.
    const ADDRESS: u16 = 1;
    const LOCAL: u16 = 2;
    let of = |wanted| {
        let mut all = netlink::attributes(body, 8);
        all.find_map(|(kind, value)| (kind == wanted).then_some(value))
    };
    let value = of(LOCAL).or_else(|| of(ADDRESS))?;
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
    fn the_loopback_has_its_address() {
        let all = all().expect("interfaces");
        let own = all.iter().find(|own| own.is_loopback).expect("lo");
        let address = (IpAddr::V4(Ipv4Addr::LOCALHOST), 8);
        assert!(!own.is_up || own.addresses.contains(&address), "{own:?}");
    }

    #[test]
    fn networks_of_addresses() {
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
