//! Link headers: where the network layer begins, and which it is (IEEE 802.3, 802.1Q; <https://www.tcpdump.org/linktypes.html>).

use etherparse::{Ethernet2HeaderSlice, SingleVlanHeaderSlice};

use super::{Network, Read};
use crate::packet::{LinkType, Reason};

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
/// Tags of 802.1Q, of 802.1ad, and of its forerunner.
const VLAN: [u16; 3] = [0x8100, 0x88a8, 0x9100];
/// Below this an EtherType field is an 802.3 length.
const FIRST_ETHER_TYPE: u16 = 1536;
/// LLC header of a SNAP packet whose EtherType follows: both service access points AA, unnumbered, no organisation.
const SNAP: [u8; 6] = [0xaa, 0xaa, 3, 0, 0, 0];

/// What follows the link header, and at which byte.
#[inline(always)]
pub(super) fn network(link: LinkType, bytes: &[u8]) -> Read<(Network, usize)> {
    match (link, bytes.get(12..14)) {
        (LinkType::ETHERNET, Some(&[0x08, 0x00])) => Ok((Network::Ip4, 14)),
        (LinkType::ETHERNET, Some(&[0x86, 0xdd])) => Ok((Network::Ip6, 14)),
        _ => rare(link, bytes),
    }
}

fn rare(link: LinkType, bytes: &[u8]) -> Read<(Network, usize)> {
    match link {
        LinkType::ETHERNET => {
            let header = Ethernet2HeaderSlice::from_slice(bytes).map_err(|_| Reason::CutLink)?;
            ether_type(bytes, header.ether_type().0, header.slice().len())
        }
        LinkType::NULL | LinkType::LOOP => match u16_at(bytes, 2)? {
            // No family is this large in either byte order: some write an EtherType here.
            kind @ FIRST_ETHER_TYPE.. => ether_type(bytes, kind, 4),
            _ => family(u32_at(bytes, 0)?).map(|network| (network, 4)),
        },
        //  0      2           4         6             14         16
        //  | type | ARPHRD_ | length | address (8) | protocol |
        LinkType::LINUX_SLL => ether_type(bytes, u16_at(bytes, 14)?, 16),
        //  0          2          4           8         10     11       12            20
        //  | protocol | reserved | interface | ARPHRD_ | type | length | address (8) |
        LinkType::LINUX_SLL2 => {
            u16_at(bytes, 18)?;
            ether_type(bytes, u16_at(bytes, 0)?, 20)
        }
        LinkType::RAW | LinkType::RAW_12 | LinkType::RAW_14 => Ok((Network::Either, 0)),
        LinkType::IPV4 => Ok((Network::Ip4, 0)),
        LinkType::IPV6 => Ok((Network::Ip6, 0)),
        other => Err(Reason::UnknownLink(other)),
    }
}

/// Follows VLAN tags and SNAP from an EtherType to the network layer.
fn ether_type(bytes: &[u8], mut kind: u16, mut at: usize) -> Read<(Network, usize)> {
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        match kind {
            IPV4 => return Ok((Network::Ip4, at)),
            IPV6 => return Ok((Network::Ip6, at)),
            _ if VLAN.contains(&kind) => {
                let tag = SingleVlanHeaderSlice::from_slice(rest).map_err(|_| Reason::CutLink)?;
                kind = tag.ether_type().0;
                at += tag.slice().len();
            }
            _ if kind < FIRST_ETHER_TYPE && rest.starts_with(&SNAP) => {
                kind = u16_at(bytes, at + SNAP.len())?;
                at += SNAP.len() + 2;
            }
            other => return Err(Reason::NotIp(other)),
        }
    }
}

/// The address family of BSD loopback, in whichever byte order it was written; IPv6 has three values.
fn family(value: u32) -> Read<Network> {
    let family = if value > 0xffff {
        value.swap_bytes()
    } else {
        value
    };
    match family {
        2 => Ok(Network::Ip4),
        // NetBSD and OpenBSD, FreeBSD, macOS.
        24 | 28 | 30 => Ok(Network::Ip6),
        other => Err(Reason::NotIp(other as u16)),
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Read<u16> {
    let field = bytes.get(at..).and_then(<[u8]>::first_chunk);
    field
        .copied()
        .map(u16::from_be_bytes)
        .ok_or(Reason::CutLink)
}

fn u32_at(bytes: &[u8], at: usize) -> Read<u32> {
    let field = bytes.get(at..).and_then(<[u8]>::first_chunk);
    field
        .copied()
        .map(u32::from_be_bytes)
        .ok_or(Reason::CutLink)
}
