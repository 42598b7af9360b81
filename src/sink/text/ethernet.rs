//! Ethernet II and IEEE 802.3 frames, with VLAN tags (IEEE 802.1Q).

use super::printer::{PrintResult, Printer, array_at, first, rest, u16_at};
use super::{address, ethertype, network};

/// Length of a header without tags, in octets.
const HEADER_LEN: usize = 14;

/// Source and destination addresses of a frame.
#[derive(Debug, Clone, Copy)]
pub(super) struct MacAddresses {
    pub(super) source: [u8; 6],
    pub(super) destination: [u8; 6],
}

impl MacAddresses {
    /// Prints `source > destination`.
    pub(super) fn print(self, p: &mut Printer) {
        address::write_mac(p.out, &self.source);
        p.push_str(" > ");
        address::write_mac(p.out, &self.destination);
    }
}

/// Prints a frame and returns the length of its header.
#[inline]
pub(super) fn print(p: &mut Printer, bytes: &[u8], length: usize) -> PrintResult<usize> {
    p.protocol = "ether";
    let Ok(kind) = u16_at(bytes, HEADER_LEN - 2) else {
        p.push_truncated();
        return Ok(bytes.len());
    };
    if !p.style.link_header && matches!(kind, ethertype::IP4 | ethertype::IP6) {
        network::print(p, kind, rest(bytes, HEADER_LEN), length - HEADER_LEN)?;
        return Ok(HEADER_LEN);
    }
    print_general(p, bytes, length, kind)
}

/// Prints a frame that has VLAN tags or does not contain IP, or any frame if `-e` is given.
fn print_general(p: &mut Printer, bytes: &[u8], whole: usize, mut kind: u16) -> PrintResult<usize> {
    let addresses = MacAddresses {
        source: array_at(bytes, 6)?,
        destination: array_at(bytes, 0)?,
    };
    if p.style.link_header {
        addresses.print(p);
        p.push_str(", ");
    }
    let (mut header, mut tagged) = (HEADER_LEN, false);
    while is_vlan_tag(kind) {
        let (Ok(tag), Ok(next)) = (u16_at(bytes, header), u16_at(bytes, header + 2)) else {
            p.protocol = "vlan";
            p.push_truncated();
            return Ok(bytes.len());
        };
        if p.style.link_header {
            print_ethertype(p, kind, whole, tagged);
            ethertype::print_vlan_tag(p, tag);
        }
        tagged = true;
        kind = next;
        header += 4;
    }
    let (inner, length) = (rest(bytes, header), whole.saturating_sub(header));
    if kind <= ethertype::MAX_802_3_LENGTH {
        let length = length.min(usize::from(kind));
        let inner = first(inner, length);
        if !p.style.link_header {
            addresses.print(p);
            p.push_str(", ");
        }
        p.push_str("802.3");
        if !tagged {
            write!(p, ", length {length}: ");
        }
        // Logical link control (IEEE 802.2) is not dissected: loopback traffic does not contain it.
        p.dump_undissected(inner);
        return Ok(header);
    }
    if p.style.link_header {
        print_ethertype(p, kind, whole, tagged);
    }
    if !network::print(p, kind, inner, length)? {
        if !p.style.link_header {
            addresses.print(p);
            p.push_str(", ");
            print_ethertype(p, kind, whole, false);
        }
        p.dump_undissected(inner);
    }
    Ok(header)
}

fn is_vlan_tag(kind: u16) -> bool {
    matches!(
        kind,
        ethertype::VLAN | ethertype::VLAN_SERVICE | ethertype::VLAN_9100 | ethertype::VLAN_9200
    )
}

/// Prints e.g. `ethertype IPv4 (0x0800), length 98: `, without the length if the line already
/// contains it.
fn print_ethertype(p: &mut Printer, kind: u16, length: usize, has_length: bool) {
    match (p.style.quiet, ethertype::name(kind)) {
        (true, Some(name)) => p.push_str(name),
        (true, None) => write!(p, "Unknown Ethertype (0x{kind:04x})"),
        (false, name) => {
            let name = name.unwrap_or("Unknown");
            write!(p, "ethertype {name} (0x{kind:04x})");
        }
    }
    if has_length {
        p.push_str(", ");
    } else {
        write!(p, ", length {length}: ");
    }
}
