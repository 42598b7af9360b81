//! IPv6 packets (RFC 8200), including jumbograms (RFC 2675).

use super::enclosing_ip::EnclosingIp;
use super::ip6_extensions::{self, JumboPayload};
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
    /// Payload length from the IPv6 header or the jumbo option.
    payload_len: u32,
    jumbo: JumboPayload,
    /// True after the first extension header.
    has_extensions: bool,
    fragmented: bool,
}

/// Prints an IPv6 packet: the frame's or a tunnelled one.
pub(super) fn print(p: &mut Printer, bytes: &[u8], length: usize) -> PrintResult {
    p.protocol = "ip6";
    let Some(header) = bytes.first_chunk::<HEADER_LEN>() else {
        p.push_truncated();
        return Ok(());
    };
    if length < HEADER_LEN {
        p.push_str("truncated-ip6 ");
        p.push_decimal(length as u32);
        return Ok(());
    }
    if !p.style.link_header {
        p.push_str("IP6 ");
    }
    let version = header[0] >> 4;
    if version != 6 {
        p.format(format_args!("version error: {version} != 6"));
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
        payload_len: u32::from(payload),
        jumbo: JumboPayload::None,
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
                p.push_str("[The Hop-by-Hop Options header ");
                p.push_str(if header[6] == HOP_BY_HOP {
                    "was already found]"
                } else {
                    "don't follow the IPv6 header]"
                });
                p.push_invalid();
                return Ok(());
            }
            HOP_BY_HOP => {
                let advance = ip6_extensions::print_hop_by_hop(
                    p,
                    here,
                    &mut chain.jumbo,
                    &mut chain.payload_len,
                )?;
                if chain.payload_len == 0 && chain.jumbo == JumboPayload::None {
                    p.push_str("[No valid Jumbo Payload Hop-by-Hop option found]");
                    p.push_invalid();
                    return Ok(());
                }
                advance
            }
            DESTINATION_OPTIONS => ip6_extensions::print_destination_options(p, here)?,
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
            p.push_truncated();
            return Ok(());
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
    let (bytes, left) = match chain.jumbo {
        JumboPayload::Valid => {
            let claimed = chain.payload_len as usize + HEADER_LEN;
            if claimed < chain.offset {
                p.push_truncated();
                return Ok(());
            }
            print_missing_bytes(p, length, claimed);
            (first(all, claimed), claimed - chain.offset)
        }
        JumboPayload::None if chain.payload_len > 0 => (first(all, claimed), chain.remaining),
        // The payload length 0 contradicts the extension headers that were found.
        JumboPayload::None if chain.has_extensions => {
            p.push_truncated();
            return Ok(());
        }
        JumboPayload::None => (first(all, HEADER_LEN), 0),
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
        p.push_str("truncated-ip6 - ");
        p.push_decimal((claimed - length) as u32);
        p.push_str(" bytes missing!");
    }
}

fn print_verbose(p: &mut Printer, header: &[u8; HEADER_LEN], payload: u16) {
    let [first, second, third, fourth, ..] = *header;
    let flow = u32::from_be_bytes([first, second, third, fourth]);
    p.push_str("(");
    let (class, label) = (flow >> 20 & 0xff, flow & 0x000f_ffff);
    if class != 0 {
        p.format(format_args!("class 0x{class:02x}, "));
    }
    if label != 0 {
        p.format(format_args!("flowlabel 0x{label:05x}, "));
    }
    let (next, hop_limit) = (header[6], header[7]);
    let name = protocol::name(next);
    p.format(format_args!(
        "hlim {hop_limit}, next-header {name} ({next}) payload length: {payload}) "
    ));
}
