//! Payload protocols by EtherType (IEEE 802 numbers).

use super::printer::Printer;

pub(super) const IP4: u16 = 0x0800;
pub(super) const ARP: u16 = 0x0806;
pub(super) const REVERSE_ARP: u16 = 0x8035;
pub(super) const IP6: u16 = 0x86dd;
pub(super) const VLAN: u16 = 0x8100;
pub(super) const VLAN_SERVICE: u16 = 0x88a8;
pub(super) const VLAN_9100: u16 = 0x9100;
pub(super) const VLAN_9200: u16 = 0x9200;
pub(super) const JUMBO: u16 = 0x8870;

/// Largest value that is an IEEE 802.3 length instead of an EtherType.
pub(super) const MAX_802_3_LENGTH: u16 = 1500;

/// Returns tcpdump's name for an EtherType.
pub(super) fn name(kind: u16) -> Option<&'static str> {
    Some(match kind {
        IP4 => "IPv4",
        0x8847 => "MPLS unicast",
        0x8848 => "MPLS multicast",
        IP6 => "IPv6",
        VLAN => "802.1Q",
        VLAN_9100 => "802.1Q-9100",
        VLAN_SERVICE => "802.1Q-QinQ",
        VLAN_9200 => "802.1Q-9200",
        0x88e5 => "802.1AE MACsec",
        0x0200 => "PUP",
        ARP => "ARP",
        REVERSE_ARP => "Reverse ARP",
        0x0600 => "NS",
        0x0500 => "Sprite",
        0x1000 => "Trail",
        0x6001 => "MOP DL",
        0x6002 => "MOP RC",
        0x6003 => "DN",
        0x6004 => "LAT",
        0x6007 => "SCA",
        0x6558 => "TEB",
        0x8038 => "Lanbridge",
        0x803c => "DEC DNS",
        0x803e => "DEC DTS",
        0x805b => "VEXP",
        0x805c => "VPROD",
        0x809b => "Appletalk",
        0x80f3 => "Appletalk ARP",
        0x8137 => "IPX",
        0x880b => "PPP",
        0x8808 => "MPCP",
        0x8809 => "Slow Protocols",
        0x8863 => "PPPoE D",
        0x8864 => "PPPoE S",
        0x888e => "EAPOL",
        0x8899 => "Realtek protocols",
        0x886f => "MS NLB heartbeat",
        JUMBO => "Jumbo",
        0x894f => "NSH",
        0x9000 => "Loopback",
        0xfefe => "OSI",
        0x00fe => "GRE-OSI",
        0xabcd => "CFM (old)",
        0x8902 => "CFM",
        0x893a => "IEEE1905.1",
        0x88cc => "LLDP",
        0x88ca => "TIPC",
        0x0707 => "GeoNet (old)",
        0x8947 => "GeoNet",
        0x1111 => "CALM FAST",
        0x88a2 => "AoE",
        0x88f7 => "PTP",
        0xd28b => "Arista Vendor Specific Protocol",
        _ => return None,
    })
}

/// Returns tcpdump's name for an EtherType, or `Unknown`.
pub(super) fn name_or_unknown(kind: u16) -> &'static str {
    name(kind).unwrap_or("Unknown")
}

/// Prints a VLAN tag's 16 bits (IEEE 802.1Q), e.g. `vlan 5, p 0, `.
pub(super) fn print_vlan_tag(p: &mut Printer, tag: u16) {
    let (vlan, priority) = (tag & 0x0fff, tag >> 13);
    let drop_eligible = if tag & 0x1000 != 0 { ", DEI" } else { "" };
    write!(p, "vlan {vlan}, p {priority}{drop_eligible}, ");
}
