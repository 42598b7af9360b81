//! Link types: formats of the link-layer header at the start of a frame
//! (<https://www.tcpdump.org/linktypes.html>).

/// A `LINKTYPE_` value of a capture file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkType(pub u16);

impl LinkType {
    /// BSD loopback: a 4-byte address family in the byte order of the capturing machine.
    pub const NULL: LinkType = LinkType(0);
    /// Ethernet II or 802.3.
    pub const ETHERNET: LinkType = LinkType(1);
    /// Raw IP, as numbered by libpcap on BSD and Linux.
    pub const RAW_12: LinkType = LinkType(12);
    /// Raw IP, as numbered by libpcap on OpenBSD.
    pub const RAW_14: LinkType = LinkType(14);
    /// Raw IP; the first nibble is the version.
    pub const RAW: LinkType = LinkType(101);
    /// OpenBSD loopback: a 4-byte address family in network byte order.
    pub const LOOP: LinkType = LinkType(108);
    /// Linux "cooked" capture, version 1.
    pub const LINUX_SLL: LinkType = LinkType(113);
    /// Raw IPv4.
    pub const IPV4: LinkType = LinkType(228);
    /// Raw IPv6.
    pub const IPV6: LinkType = LinkType(229);
    /// Linux "cooked" capture, version 2.
    pub const LINUX_SLL2: LinkType = LinkType(276);

    /// Returns libpcap's name without `DLT_` (`EN10MB`) for the types that lcap reads.
    pub fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::NULL => "NULL",
            Self::ETHERNET => "EN10MB",
            Self::RAW_12 | Self::RAW_14 | Self::RAW => "RAW",
            Self::LOOP => "LOOP",
            Self::LINUX_SLL => "LINUX_SLL",
            Self::IPV4 => "IPV4",
            Self::IPV6 => "IPV6",
            Self::LINUX_SLL2 => "LINUX_SLL2",
            _ => return None,
        })
    }
}
