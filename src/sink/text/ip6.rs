//! IPv6 packets (RFC 8200), including jumbograms (RFC 2675).

use super::enclosing_ip::EnclosingIp;
use super::ip6_extensions::{self, PayloadLength};
use super::printer::{MAX_IP_DEPTH, PrintResult, Printer, first, rest, u8_at};
use super::protocol::{self, UpperLayerContext};
use crate::packet::{TCP, UDP};

/// Length of the header, in octets.
const HEADER_LEN: usize = 40;

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const DESTINATION_OPTIONS: u8 = 60;

/// Position in the chain of extension headers, with the values found so far.
#[derive(Debug, Clone, Copy)]
struct ExtensionChain {
    /// Protocol number of the next header.
    next_header: u8,
    /// Offset of the next header from the start of the IPv6 header.
    offset: usize,
    /// Number of octets from `offset` on, according to the claimed length of the packet.
    remaining: usize,
    payload: PayloadLength,
    /// True after the first extension header.
    has_extensions: bool,
    fragmented: bool,
}

/// Prints an IPv6 packet: the frame's or a tunnelled one.
pub(super) fn print(p: &mut Printer, bytes: &[u8], length: usize) -> PrintResult {
    p.protocol = "ip6";
    let Some(header) = bytes.first_chunk::<HEADER_LEN>() else {
        return p.end_truncated();
    };
    if length < HEADER_LEN {
        write!(p, "truncated-ip6 {length}");
        return Ok(());
    }
    if !p.style.link_header {
        p.push_str("IP6 ");
    }
    let version = header[0] >> 4;
    if version != 6 {
        write!(p, "version error: {version} != 6");
        return Ok(());
    }
    let payload = u16::from_be_bytes([header[4], header[5]]);
    // A payload length of 0 can mean a jumbogram: only the extension headers show this.
    let claimed = match usize::from(payload) {
        0 => length + HEADER_LEN,
        payload => {
            print_missing_bytes(p, length, payload + HEADER_LEN);
            payload + HEADER_LEN
        }
    };
    if p.style.verbose > 0 {
        print_verbose(p, header, payload);
    }
    if p.ip_depth >= MAX_IP_DEPTH {
        protocol::print_unknown(p, header[6], usize::from(payload));
        return Ok(());
    }
    p.ip_depth += 1;
    let chain = ExtensionChain {
        next_header: header[6],
        offset: HEADER_LEN,
        remaining: claimed - HEADER_LEN,
        payload: PayloadLength {
            len: u32::from(payload),
            is_jumbo: false,
        },
        has_extensions: false,
        fragmented: false,
    };
    let printed = print_chain(p, header, bytes, length, claimed, chain);
    p.ip_depth -= 1;
    printed
}

/// Prints the extension headers and the payload.
fn print_chain(
    p: &mut Printer,
    header: &[u8; HEADER_LEN],
    all: &[u8],
    length: usize,
    claimed: usize,
    mut chain: ExtensionChain,
) -> PrintResult {
    let bytes = first(all, claimed);
    if chain.next_header != TCP && chain.next_header != UDP {
        EnclosingIp::Ip6(header, bytes).print_addresses(p);
        p.push_str(": ");
    }
    loop {
        let here = rest(bytes, chain.offset);
        let advance = match chain.next_header {
            HOP_BY_HOP if chain.has_extensions => {
                p.push_str(match header[6] {
                    HOP_BY_HOP => "[The Hop-by-Hop Options header was already found]",
                    _ => "[The Hop-by-Hop Options header don't follow the IPv6 header]",
                });
                return p.end_invalid();
            }
            HOP_BY_HOP => {
                let advance = ip6_extensions::print_options(p, here, Some(&mut chain.payload))?;
                if chain.payload.len == 0 {
                    p.push_str("[No valid Jumbo Payload Hop-by-Hop option found]");
                    return p.end_invalid();
                }
                advance
            }
            DESTINATION_OPTIONS => ip6_extensions::print_options(p, here, None)?,
            FRAGMENT => {
                chain.fragmented = true;
                let advance = ip6_extensions::print_fragment(p, here, header, chain.offset)?;
                // The line ends here if no bytes after the fragment header were captured.
                advance.filter(|advance| here.len() > *advance)
            }
            ROUTING => ip6_extensions::print_routing(p, here)?,
            _ => return print_payload(p, header, all, length, claimed, chain),
        };
        let Some(advance) = advance else {
            return Ok(());
        };
        chain.next_header = u8_at(here, 0)?;
        chain.has_extensions = true;
        p.protocol = "ip6";
        if here.is_empty() {
            return Ok(());
        }
        if chain.remaining < advance {
            return p.end_truncated();
        }
        chain.offset += advance;
        chain.remaining -= advance;
    }
}

/// Prints the payload after the last extension header.
fn print_payload(
    p: &mut Printer,
    header: &[u8; HEADER_LEN],
    all: &[u8],
    length: usize,
    claimed: usize,
    chain: ExtensionChain,
) -> PrintResult {
    let (bytes, left) = match chain.payload.len {
        len if chain.payload.is_jumbo => {
            let claimed = len as usize + HEADER_LEN;
            if claimed < chain.offset {
                return p.end_truncated();
            }
            print_missing_bytes(p, length, claimed);
            (first(all, claimed), claimed - chain.offset)
        }
        1.. => (first(all, claimed), chain.remaining),
        // The payload length 0 contradicts the extension headers that were found.
        0 if chain.has_extensions => return p.end_truncated(),
        0 => (first(all, HEADER_LEN), 0),
    };
    let context = UpperLayerContext {
        ip: EnclosingIp::Ip6(header, bytes),
        fragmented: chain.fragmented,
    };
    protocol::print(
        p,
        chain.next_header,
        rest(bytes, chain.offset),
        left,
        context,
    )
}

fn print_missing_bytes(p: &mut Printer, length: usize, claimed: usize) {
    if length < claimed {
        write!(p, "truncated-ip6 - {} bytes missing!", claimed - length);
    }
}

fn print_verbose(p: &mut Printer, header: &[u8; HEADER_LEN], payload: u16) {
    let [first, second, third, fourth, ..] = *header;
    let flow = u32::from_be_bytes([first, second, third, fourth]);
    p.push_str("(");
    let (class, label) = (flow >> 20 & 0xff, flow & 0x000f_ffff);
    if class != 0 {
        write!(p, "class 0x{class:02x}, ");
    }
    if label != 0 {
        write!(p, "flowlabel 0x{label:05x}, ");
    }
    let (next, hop_limit) = (header[6], header[7]);
    let name = protocol::name(next);
    write!(
        p,
        "hlim {hop_limit}, next-header {name} ({next}) payload length: {payload}) "
    );
}
