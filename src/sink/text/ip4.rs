//! IPv4 (RFC 791).

use super::network::Network;
use super::printer::{MAX_DEPTH, Printed, Printer, Truncated, first, rest, u8_at};
use super::protocol::{self, Context};
use super::{checksum, ip4_options};
use crate::packet::{TCP, UDP};

/// Octets of a header without options.
const HEADER: usize = 20;
const RESERVED: u16 = 0x8000;
const DO_NOT_FRAGMENT: u16 = 0x4000;
const MORE_FRAGMENTS: u16 = 0x2000;
/// The fragment's offset, in units of 8 octets.
const OFFSET: u16 = 0x1fff;

/// Prints an IPv4 packet: the one of the frame, or one quoted in an ICMP error.
pub(super) fn print(p: &mut Printer, bytes: &[u8], length: usize) -> Printed {
    p.protocol = "ip";
    match u8_at(bytes, 0)? >> 4 {
        4 => {}
        version => {
            match version {
                6 => p.text("IP6, wrong link-layer encapsulation"),
                _ => p.format(format_args!("IP{version}")),
            }
            p.invalid();
            return Ok(());
        }
    }
    if !p.style.link {
        p.text("IP ");
    }
    let Some(header) = bytes.first_chunk::<HEADER>() else {
        p.truncated();
        return Ok(());
    };
    if length < HEADER {
        p.text("truncated-ip ");
        p.decimal(length as u32);
        return Ok(());
    }
    let header_length = usize::from(header[0] & 0x0f) * 4;
    if header_length < HEADER {
        p.text("bad-hlen ");
        p.decimal(header_length as u32);
        return Ok(());
    }
    let claimed = usize::from(u16::from_be_bytes([header[2], header[3]]));
    if length < claimed {
        p.text("truncated-ip - ");
        p.decimal((claimed - length) as u32);
        p.text(" bytes missing! ");
    }
    if claimed < header_length {
        p.text("bad-len ");
        p.decimal(claimed as u32);
        return Ok(());
    }
    let bytes = first(bytes, claimed);
    let fragment = u16::from_be_bytes([header[6], header[7]]);
    let network = Network::Ip4(header, bytes);
    if p.style.verbose > 0 && !verbose(p, header, bytes, header_length)? {
        network.addresses(p);
        p.text(": ");
        p.truncated();
        return Ok(());
    }
    let protocol = header[9];
    if fragment & OFFSET != 0 {
        network.addresses(p);
        p.text(": ip-proto-");
        p.decimal(u32::from(protocol));
        return Ok(());
    }
    if protocol != TCP && protocol != UDP {
        network.addresses(p);
        p.text(": ");
    }
    if bytes.len() < header_length {
        let captured = bytes.len();
        p.format(format_args!(
            " [remaining caplen({captured}) < header length({header_length})]"
        ));
        return Err(Truncated);
    }
    if p.depth >= MAX_DEPTH {
        protocol::unknown(p, protocol, claimed - header_length);
        return Ok(());
    }
    p.depth += 1;
    let context = Context {
        network,
        fragmented: fragment & MORE_FRAGMENTS != 0,
    };
    let printed = protocol::print(
        p,
        protocol,
        rest(bytes, header_length),
        claimed - header_length,
        context,
    );
    p.depth -= 1;
    printed
}

/// Prints the fields that `-v` shows and begins a new line; false where an option was cut.
fn verbose(
    p: &mut Printer,
    header: &[u8; HEADER],
    bytes: &[u8],
    header_length: usize,
) -> Printed<bool> {
    let [_, service, length_high, length_low, id_high, id_low, ..] = *header;
    p.format(format_args!("(tos 0x{service:x}"));
    // Explicit congestion notification (RFC 3168 section 5).
    p.text(["", ",ECT(1)", ",ECT(0)", ",CE"][usize::from(service & 3)]);
    let time_to_live = header[8];
    if time_to_live > 0 {
        p.format(format_args!(", ttl {time_to_live}"));
    }
    let id = u16::from_be_bytes([id_high, id_low]);
    let fragment = u16::from_be_bytes([header[6], header[7]]);
    let offset = u32::from(fragment & OFFSET) * 8;
    p.format(format_args!(", id {id}, offset {offset}, flags ["));
    flags(p, fragment);
    let (name, protocol) = (protocol::name(header[9]), header[9]);
    let length = u16::from_be_bytes([length_high, length_low]);
    p.format(format_args!(
        "], proto {name} ({protocol}), length {length}"
    ));

    let mut whole = true;
    if header_length > HEADER {
        p.text(", options (");
        whole = ip4_options::print(p, rest(bytes, HEADER), header_length - HEADER)?;
        if !whole {
            p.text(" [truncated-option]");
        }
        p.text(")");
    }
    if let Some(header) = bytes.get(..header_length) {
        let computed = checksum::sum(&[header]);
        if computed != 0 {
            let found = u16::from_be_bytes([header[10], header[11]]);
            let right = checksum::should_be(found, computed);
            p.format(format_args!(", bad cksum {found:x} (->{right:x})!"));
        }
    }
    p.text(")\n    ");
    Ok(whole)
}

fn flags(p: &mut Printer, fragment: u16) {
    let mut separator = "";
    for (flag, name) in [
        (MORE_FRAGMENTS, "+"),
        (DO_NOT_FRAGMENT, "DF"),
        (RESERVED, "rsvd"),
    ] {
        if fragment & flag != 0 {
            p.text(separator);
            p.text(name);
            separator = ", ";
        }
    }
    if separator.is_empty() {
        p.text("none");
    }
}
