//! IPv4 packets (RFC 791).

use super::enclosing_ip::EnclosingIp;
use super::printer::{MAX_IP_DEPTH, PrintResult, Printer, Truncated, first, rest, u8_at};
use super::protocol::{self, UpperLayerContext};
use super::{checksum, ip4_options};
use crate::packet::{TCP, UDP};

/// Length of a header without options, in octets.
const HEADER_LEN: usize = 20;
const MORE_FRAGMENTS: u16 = 0x2000;
const FLAG_NAMES: [(u32, &str); 3] = [(0x2000, "+"), (0x4000, "DF"), (0x8000, "rsvd")];
/// Mask of the fragment offset, which is in units of 8 octets.
const FRAGMENT_OFFSET_MASK: u16 = 0x1fff;

/// Prints an IPv4 packet: the frame's, a tunnelled one, or one quoted in an ICMP error.
pub(super) fn print(p: &mut Printer, bytes: &[u8], length: usize) -> PrintResult {
    p.protocol = "ip";
    let version = u8_at(bytes, 0)? >> 4;
    if version != 4 {
        match version {
            6 => p.push_str("IP6, wrong link-layer encapsulation"),
            _ => write!(p, "IP{version}"),
        }
        return p.end_invalid();
    }
    if !p.style.link_header {
        p.push_str("IP ");
    }
    let Some(header) = bytes.first_chunk::<HEADER_LEN>() else {
        return p.end_truncated();
    };
    if length < HEADER_LEN {
        write!(p, "truncated-ip {length}");
        return Ok(());
    }
    let header_length = usize::from(header[0] & 0x0f) * 4;
    if header_length < HEADER_LEN {
        write!(p, "bad-hlen {header_length}");
        return Ok(());
    }
    let claimed = usize::from(u16::from_be_bytes([header[2], header[3]]));
    if length < claimed {
        write!(p, "truncated-ip - {} bytes missing! ", claimed - length);
    }
    if claimed < header_length {
        write!(p, "bad-len {claimed}");
        return Ok(());
    }
    let bytes = first(bytes, claimed);
    let fragment = u16::from_be_bytes([header[6], header[7]]);
    let network = EnclosingIp::Ip4(header, bytes);
    if p.style.verbose > 0 && !print_verbose(p, header, bytes, header_length)? {
        network.print_addresses(p);
        p.push_str(": ");
        return p.end_truncated();
    }
    let protocol = header[9];
    if fragment & FRAGMENT_OFFSET_MASK != 0 {
        network.print_addresses(p);
        write!(p, ": ip-proto-{protocol}");
        return Ok(());
    }
    if protocol != TCP && protocol != UDP {
        network.print_addresses(p);
        p.push_str(": ");
    }
    if bytes.len() < header_length {
        let captured = bytes.len();
        write!(
            p,
            " [remaining caplen({captured}) < header length({header_length})]"
        );
        return Err(Truncated);
    }
    if p.ip_depth >= MAX_IP_DEPTH {
        protocol::print_unknown(p, protocol, claimed - header_length);
        return Ok(());
    }
    p.ip_depth += 1;
    let context = UpperLayerContext {
        ip: network,
        fragmented: fragment & MORE_FRAGMENTS != 0,
    };
    let printed = protocol::print(
        p,
        protocol,
        rest(bytes, header_length),
        claimed - header_length,
        context,
    );
    p.ip_depth -= 1;
    printed
}

/// Prints the fields for `-v` and starts a new line; returns false if an option is truncated.
fn print_verbose(
    p: &mut Printer,
    header: &[u8; HEADER_LEN],
    bytes: &[u8],
    header_length: usize,
) -> PrintResult<bool> {
    let [_, service, length_high, length_low, id_high, id_low, ..] = *header;
    write!(p, "(tos 0x{service:x}");
    // Explicit congestion notification (RFC 3168 section 5).
    p.push_str(["", ",ECT(1)", ",ECT(0)", ",CE"][usize::from(service & 3)]);
    let time_to_live = header[8];
    if time_to_live > 0 {
        write!(p, ", ttl {time_to_live}");
    }
    let id = u16::from_be_bytes([id_high, id_low]);
    let fragment = u16::from_be_bytes([header[6], header[7]]);
    let offset = u32::from(fragment & FRAGMENT_OFFSET_MASK) * 8;
    write!(p, ", id {id}, offset {offset}, flags [");
    p.push_flags(&FLAG_NAMES, u32::from(fragment));
    let (name, protocol) = (protocol::name(header[9]), header[9]);
    let length = u16::from_be_bytes([length_high, length_low]);
    write!(p, "], proto {name} ({protocol}), length {length}");

    let mut whole = true;
    if header_length > HEADER_LEN {
        p.push_str(", options (");
        whole = ip4_options::print(p, rest(bytes, HEADER_LEN), header_length - HEADER_LEN)?;
        if !whole {
            p.push_str(" [truncated-option]");
        }
        p.push_str(")");
    }
    if let Some(header) = bytes.get(..header_length) {
        let computed = checksum::sum(&[header]);
        if computed != 0 {
            let found = u16::from_be_bytes([header[10], header[11]]);
            let expected = checksum::expected(found, computed);
            write!(p, ", bad cksum {found:x} (->{expected:x})!");
        }
    }
    p.push_str(")\n    ");
    Ok(whole)
}
