//! Link headers: type and offset of the network layer (IEEE 802.3, 802.1Q;
//! <https://www.tcpdump.org/linktypes.html>).

use etherparse::{Ethernet2HeaderSlice, SingleVlanHeaderSlice};

use super::{DecodeResult, NetworkLayer};
use crate::packet::{DecodeProblem, LinkType};

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;
/// EtherTypes of VLAN tags: 802.1Q, 802.1ad, and the predecessor of 802.1ad (QinQ).
const VLAN_ETHERTYPES: [u16; 3] = [0x8100, 0x88a8, 0x9100];
/// Smallest EtherType; a lower value of the field is an 802.3 length.
const MIN_ETHERTYPE: u16 = 1536;
/// LLC and SNAP header that is followed by an EtherType: both service access points AA, control 3
/// (unnumbered information), organization code 0.
const SNAP_HEADER: [u8; 6] = [0xaa, 0xaa, 3, 0, 0, 0];

/// Returns the network layer after the link header, and its offset in bytes.
#[inline(always)]
pub(super) fn network_layer(link: LinkType, bytes: &[u8]) -> DecodeResult<(NetworkLayer, usize)> {
    match (link, bytes.get(12..14)) {
        (LinkType::ETHERNET, Some(&[0x08, 0x00])) => Ok((NetworkLayer::Ipv4, 14)),
        (LinkType::ETHERNET, Some(&[0x86, 0xdd])) => Ok((NetworkLayer::Ipv6, 14)),
        _ => network_layer_uncommon(link, bytes),
    }
}

fn network_layer_uncommon(link: LinkType, bytes: &[u8]) -> DecodeResult<(NetworkLayer, usize)> {
    match link {
        LinkType::ETHERNET => {
            let header = Ethernet2HeaderSlice::from_slice(bytes)
                .map_err(|_| DecodeProblem::TruncatedLink)?;
            follow_ether_type(bytes, header.ether_type().0, header.slice().len())
        }
        LinkType::NULL | LinkType::LOOP => match u16_at(bytes, 2)? {
            // A value this large is not an address family in either byte order: some systems
            // write an EtherType here.
            kind @ MIN_ETHERTYPE.. => follow_ether_type(bytes, kind, 4),
            _ => loopback_family(u32_at(bytes, 0)?).map(|network| (network, 4)),
        },
        //  0      2           4         6             14         16
        //  | type | ARPHRD_ | length | address (8) | protocol |
        LinkType::LINUX_SLL => follow_ether_type(bytes, u16_at(bytes, 14)?, 16),
        //  0          2          4           8         10     11       12            20
        //  | protocol | reserved | interface | ARPHRD_ | type | length | address (8) |
        LinkType::LINUX_SLL2 => {
            u16_at(bytes, 18)?;
            follow_ether_type(bytes, u16_at(bytes, 0)?, 20)
        }
        LinkType::RAW | LinkType::RAW_12 | LinkType::RAW_14 => Ok((NetworkLayer::Either, 0)),
        LinkType::IPV4 => Ok((NetworkLayer::Ipv4, 0)),
        LinkType::IPV6 => Ok((NetworkLayer::Ipv6, 0)),
        other => Err(DecodeProblem::UnsupportedLinkType(other)),
    }
}

/// Skips VLAN tags and SNAP headers, starting at an EtherType, and returns the network layer after
/// them with its offset in bytes.
fn follow_ether_type(
    bytes: &[u8],
    mut kind: u16,
    mut at: usize,
) -> DecodeResult<(NetworkLayer, usize)> {
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        match kind {
            ETHERTYPE_IPV4 => return Ok((NetworkLayer::Ipv4, at)),
            ETHERTYPE_IPV6 => return Ok((NetworkLayer::Ipv6, at)),
            _ if VLAN_ETHERTYPES.contains(&kind) => {
                let tag = SingleVlanHeaderSlice::from_slice(rest)
                    .map_err(|_| DecodeProblem::TruncatedLink)?;
                kind = tag.ether_type().0;
                at += tag.slice().len();
            }
            _ if kind < MIN_ETHERTYPE && rest.starts_with(&SNAP_HEADER) => {
                kind = u16_at(bytes, at + SNAP_HEADER.len())?;
                at += SNAP_HEADER.len() + 2;
            }
            other => return Err(DecodeProblem::NotIp(other)),
        }
    }
}

/// Returns the network layer for a BSD loopback address family in either byte order; the value for
/// IPv6 depends on the system.
fn loopback_family(value: u32) -> DecodeResult<NetworkLayer> {
    let family = if value > 0xffff {
        value.swap_bytes()
    } else {
        value
    };
    match family {
        2 => Ok(NetworkLayer::Ipv4),
        // NetBSD and OpenBSD, FreeBSD, macOS.
        24 | 28 | 30 => Ok(NetworkLayer::Ipv6),
        other => Err(DecodeProblem::NotIp(other as u16)),
    }
}

fn u16_at(bytes: &[u8], at: usize) -> DecodeResult<u16> {
    let field = bytes.get(at..).and_then(<[u8]>::first_chunk);
    field
        .copied()
        .map(u16::from_be_bytes)
        .ok_or(DecodeProblem::TruncatedLink)
}

fn u32_at(bytes: &[u8], at: usize) -> DecodeResult<u32> {
    let field = bytes.get(at..).and_then(<[u8]>::first_chunk);
    field
        .copied()
        .map(u32::from_be_bytes)
        .ok_or(DecodeProblem::TruncatedLink)
}
