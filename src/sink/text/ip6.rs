//! IPv6 (RFC 8200), and jumbograms (RFC 2675).

use super::ip6_extensions::{self as extensions, Jumbo};
use super::network::Network;
use super::printer::{MAX_DEPTH, Printed, Printer, first, rest, u8_at};
use super::protocol::{self, Context};
use crate::packet::{TCP, UDP};

/// Octets of the header.
const HEADER: usize = 40;

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const DESTINATION: u8 = 60;

/// What the chain of extension headers has shown so far.
#[derive(Debug, Clone, Copy)]
struct Chain {
    /// The header to come.
    next: u8,
    /// Where it begins, from the start of the IPv6 header.
    at: usize,
    /// How many octets the packet claims to have from there on.
    left: usize,
    /// The payload's length: the header's, or the jumbo option's.
    payload: u32,
    jumbo: Jumbo,
    /// Whether there was any extension header.
    extended: bool,
    fragmented: bool,
}

/// Prints an IPv6 packet: the one of the frame, or one quoted in an ICMPv6 error.
pub(super) fn print(p: &mut Printer, bytes: &[u8], length: usize) -> Printed {
    p.protocol = "ip6";
    let Some(header) = bytes.first_chunk::<HEADER>() else {
        p.truncated();
        return Ok(());
    };
    if length < HEADER {
        p.text("truncated-ip6 ");
        p.decimal(length as u32);
        return Ok(());
    }
    if !p.style.link {
        p.text("IP6 ");
    }
    let version = header[0] >> 4;
    if version != 6 {
        p.format(format_args!("version error: {version} != 6"));
        return Ok(());
    }
    let payload = u16::from_be_bytes([header[4], header[5]]);
    // 0 may be a jumbogram, which only its extension headers tell.
    let claimed = match usize::from(payload) {
        0 => length + HEADER,
        payload => {
            missing(p, length, payload + HEADER);
            payload + HEADER
        }
    };
    if p.style.verbose > 0 {
        verbose(p, header, payload);
    }
    if p.depth >= MAX_DEPTH {
        protocol::unknown(p, header[6], usize::from(payload));
        return Ok(());
    }
    p.depth += 1;
    let chain = Chain {
        next: header[6],
        at: HEADER,
        left: claimed - HEADER,
        payload: u32::from(payload),
        jumbo: Jumbo::None,
        extended: false,
        fragmented: false,
    };
    let printed = follow(p, header, bytes, length, claimed, chain);
    p.depth -= 1;
    printed
}

/// Prints the extension headers and what they lead to.
fn follow(
    p: &mut Printer,
    header: &[u8; HEADER],
    all: &[u8],
    length: usize,
    claimed: usize,
    mut chain: Chain,
) -> Printed {
    let bytes = first(all, claimed);
    if chain.next != TCP && chain.next != UDP {
        Network::Ip6(header, bytes).addresses(p);
        p.text(": ");
    }
    loop {
        let here = rest(bytes, chain.at);
        let advance = match chain.next {
            HOP_BY_HOP if chain.extended => {
                p.text("[The Hop-by-Hop Options header ");
                p.text(if header[6] == HOP_BY_HOP {
                    "was already found]"
                } else {
                    "don't follow the IPv6 header]"
                });
                p.invalid();
                return Ok(());
            }
            HOP_BY_HOP => {
                let advance =
                    extensions::hop_by_hop(p, here, &mut chain.jumbo, &mut chain.payload)?;
                if chain.payload == 0 && chain.jumbo == Jumbo::None {
                    p.text("[No valid Jumbo Payload Hop-by-Hop option found]");
                    p.invalid();
                    return Ok(());
                }
                advance
            }
            DESTINATION => extensions::destination(p, here)?,
            FRAGMENT => {
                chain.fragmented = true;
                let advance = extensions::fragment(p, here, header, chain.at)?;
                // A fragment that ends here says no more.
                advance.filter(|advance| here.len() > *advance)
            }
            ROUTING => extensions::routing(p, here)?,
            _ => return payload(p, header, all, length, claimed, chain),
        };
        let Some(advance) = advance else {
            return Ok(());
        };
        chain.next = u8_at(here, 0)?;
        chain.extended = true;
        p.protocol = "ip6";
        if here.is_empty() {
            return Ok(());
        }
        if chain.left < advance {
            p.truncated();
            return Ok(());
        }
        chain.at += advance;
        chain.left -= advance;
    }
}

/// Hands what is no extension header on.
fn payload(
    p: &mut Printer,
    header: &[u8; HEADER],
    all: &[u8],
    length: usize,
    claimed: usize,
    chain: Chain,
) -> Printed {
    let (bytes, left) = match chain.jumbo {
        Jumbo::Valid => {
            let claimed = chain.payload as usize + HEADER;
            if claimed < chain.at {
                p.truncated();
                return Ok(());
            }
            missing(p, length, claimed);
            (first(all, claimed), claimed - chain.at)
        }
        Jumbo::None if chain.payload > 0 => (first(all, claimed), chain.left),
        // There is no room for the extension headers that were found.
        Jumbo::None if chain.extended => {
            p.truncated();
            return Ok(());
        }
        Jumbo::None => (first(all, HEADER), 0),
    };
    let context = Context {
        network: Network::Ip6(header, bytes),
        fragmented: chain.fragmented,
    };
    protocol::print(p, chain.next, rest(bytes, chain.at), left, context)
}

fn missing(p: &mut Printer, length: usize, claimed: usize) {
    if length < claimed {
        p.text("truncated-ip6 - ");
        p.decimal((claimed - length) as u32);
        p.text(" bytes missing!");
    }
}

fn verbose(p: &mut Printer, header: &[u8; HEADER], payload: u16) {
    let [first, second, third, fourth, ..] = *header;
    let flow = u32::from_be_bytes([first, second, third, fourth]);
    p.text("(");
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
