//! Ethernet II and 802.3 frames (IEEE 802.3), with VLAN tags (IEEE 802.1Q).

use super::printer::{Printed, Printer, array_at, first, rest, u16_at};
use super::{address, ethertype};

/// Octets of a header without tags.
const HEADER: usize = 14;

/// Sender and receiver.
#[derive(Debug, Clone, Copy)]
pub(super) struct Addresses {
    pub(super) source: [u8; 6],
    pub(super) destination: [u8; 6],
}

impl Addresses {
    /// `source > destination`.
    pub(super) fn print(self, p: &mut Printer) {
        address::mac(p.out, &self.source);
        p.text(" > ");
        address::mac(p.out, &self.destination);
    }
}

/// Prints a frame and returns how long its header is.
#[inline]
pub(super) fn print(p: &mut Printer, bytes: &[u8], length: usize) -> Printed<usize> {
    p.protocol = "ether";
    let Ok(kind) = u16_at(bytes, HEADER - 2) else {
        p.truncated();
        return Ok(bytes.len());
    };
    if !p.style.link && matches!(kind, ethertype::IP4 | ethertype::IP6) {
        ethertype::print(p, kind, rest(bytes, HEADER), length - HEADER)?;
        return Ok(HEADER);
    }
    other(p, bytes, length, kind)
}

fn other(p: &mut Printer, bytes: &[u8], whole: usize, mut kind: u16) -> Printed<usize> {
    let addresses = Addresses {
        source: array_at(bytes, 6)?,
        destination: array_at(bytes, 0)?,
    };
    if p.style.link {
        addresses.print(p);
        p.text(", ");
    }
    let (mut header, mut tagged) = (HEADER, false);
    while is_tag(kind) {
        let (Ok(tag), Ok(next)) = (u16_at(bytes, header), u16_at(bytes, header + 2)) else {
            p.protocol = "vlan";
            p.truncated();
            return Ok(bytes.len());
        };
        if p.style.link {
            type_and_length(p, kind, whole, tagged);
            ethertype::tag(p, tag);
        }
        tagged = true;
        kind = next;
        header += 4;
    }
    let (inner, length) = (rest(bytes, header), whole.saturating_sub(header));
    if kind <= ethertype::MAX_LENGTH {
        let length = length.min(usize::from(kind));
        let inner = first(inner, length);
        if !p.style.link {
            addresses.print(p);
            p.text(", ");
        }
        p.text("802.3");
        if !tagged {
            p.format(format_args!(", length {length}: "));
        }
        // Logical link control (IEEE 802.2) is not dissected: no loopback carries it.
        p.unknown_bytes(inner);
        return Ok(header);
    }
    if p.style.link {
        type_and_length(p, kind, whole, tagged);
    }
    if !ethertype::print(p, kind, inner, length)? {
        if !p.style.link {
            addresses.print(p);
            p.text(", ");
            type_and_length(p, kind, whole, false);
        }
        p.unknown_bytes(inner);
    }
    Ok(header)
}

fn is_tag(kind: u16) -> bool {
    matches!(
        kind,
        ethertype::VLAN | ethertype::VLAN_SERVICE | ethertype::VLAN_9100 | ethertype::VLAN_9200
    )
}

/// `ethertype IPv4 (0x0800), length 98: `, the length only the first time.
fn type_and_length(p: &mut Printer, kind: u16, length: usize, again: bool) {
    match (p.style.quiet, ethertype::name(kind)) {
        (true, Some(name)) => p.text(name),
        (true, None) => p.format(format_args!("Unknown Ethertype (0x{kind:04x})")),
        (false, name) => {
            let name = name.unwrap_or("Unknown");
            p.format(format_args!("ethertype {name} (0x{kind:04x})"));
        }
    }
    if again {
        p.text(", ");
    } else {
        p.format(format_args!(", length {length}: "));
    }
}
