//! ICMPv6 errors: the reason, and the destination of the quoted packet (RFC 4443).

use super::super::printer::{PrintResult, Printer, u8_at, u16_at, u32_at};
use super::{Icmp6Message, LineEnd, dump_message, print_address};

/// Offsets of the quoted packet, its addresses and its payload, from the ICMPv6 type on.
const QUOTED_OFFSET: usize = 8;
const QUOTED_SOURCE_OFFSET: usize = QUOTED_OFFSET + 8;
const QUOTED_DESTINATION_OFFSET: usize = QUOTED_OFFSET + 24;
const QUOTED_PAYLOAD_OFFSET: usize = QUOTED_OFFSET + 40;

const BEYOND_SCOPE: u8 = 2;
const PORT_UNREACHABLE: u8 = 4;

/// Reasons for an unreachable destination, by code; the two spaces before `unreachable prohibited`
/// are tcpdump's.
const UNREACHABLE_TEXTS: [&str; 5] = [
    "unreachable route",
    " unreachable prohibited",
    "beyond scope",
    "unreachable address",
    "unreachable port",
];

const PROBLEM_TEXTS: [&str; 4] = [
    "erroneous",
    "next header",
    "option",
    "incomplete header chain",
];

/// Prints "destination unreachable".
pub(super) fn print_unreachable(p: &mut Printer, message: &Icmp6Message) -> PrintResult<LineEnd> {
    let code = message.code;
    let Some(text) = UNREACHABLE_TEXTS.get(usize::from(code)) else {
        write!(p, ", unknown unreach code ({code})");
        dump_message(p, message);
        return Ok(LineEnd::Nothing);
    };
    p.push_str(", ");
    p.push_str(text);
    match code {
        PORT_UNREACHABLE => return print_unreachable_port(p, message.bytes),
        BEYOND_SCOPE => {
            let end = p.out.len();
            if let Err(truncated) = print_scope(p, message.bytes) {
                p.out.truncate(end);
                return Err(truncated);
            }
        }
        _ => print_text_and_address(p, " ", message.bytes, QUOTED_DESTINATION_OFFSET)?,
    }
    Ok(LineEnd::Length)
}

/// Prints a text and an address; if the address was not captured, prints neither.
fn print_text_and_address(p: &mut Printer, text: &str, bytes: &[u8], at: usize) -> PrintResult {
    let end = p.out.len();
    p.push_str(text);
    print_address(p, bytes, at).inspect_err(|_| p.out.truncate(end))
}

fn print_scope(p: &mut Printer, bytes: &[u8]) -> PrintResult {
    print_text_and_address(p, " ", bytes, QUOTED_DESTINATION_OFFSET)?;
    print_text_and_address(p, ", source address ", bytes, QUOTED_SOURCE_OFFSET)
}

fn print_unreachable_port(p: &mut Printer, bytes: &[u8]) -> PrintResult<LineEnd> {
    let Ok(Some((name, port))) = quoted_port(bytes) else {
        return p.end_truncated();
    };
    print_text_and_address(p, ", ", bytes, QUOTED_DESTINATION_OFFSET)?;
    write!(p, " {name} port {port}");
    Ok(LineEnd::Length)
}

/// Returns the transport protocol and the destination port of the quoted packet, after all its
/// extension headers; `None` if the packet contains neither TCP nor UDP.
fn quoted_port(bytes: &[u8]) -> PrintResult<Option<(&'static str, u16)>> {
    let mut header = u8_at(bytes, QUOTED_OFFSET + 6)?;
    let mut at = QUOTED_PAYLOAD_OFFSET;
    loop {
        let size = match header {
            6 => return Ok(Some(("tcp", u16_at(bytes, at + 2)?))),
            17 => return Ok(Some(("udp", u16_at(bytes, at + 2)?))),
            // Hop-by-hop, routing, destination options.
            0 | 43 | 60 => (usize::from(u8_at(bytes, at + 1)?) + 1) * 8,
            // Only the first fragment of a packet has ports.
            44 if u16_at(bytes, at + 2)? & 0xfff8 == 0 => 8,
            // Authentication.
            51 => (usize::from(u8_at(bytes, at + 1)?) + 2) * 4,
            _ => return Ok(None),
        };
        header = u8_at(bytes, at)?;
        at += size;
    }
}

/// Prints "packet too big".
pub(super) fn print_too_big(p: &mut Printer, message: &Icmp6Message) -> PrintResult {
    let mtu = u32_at(message.bytes, 4)?;
    write!(p, ", mtu {mtu}");
    Ok(())
}

/// Prints "time exceeded".
pub(super) fn print_time_exceeded(p: &mut Printer, message: &Icmp6Message) -> PrintResult {
    match message.code {
        0 => return print_text_and_address(p, " for ", message.bytes, QUOTED_DESTINATION_OFFSET),
        1 => p.push_str(" (reassembly)"),
        code => write!(p, ", unknown code ({code})"),
    }
    Ok(())
}

/// Prints "parameter problem".
pub(super) fn print_parameter_problem(
    p: &mut Printer,
    message: &Icmp6Message,
) -> PrintResult<LineEnd> {
    if message.bytes.len() < QUOTED_PAYLOAD_OFFSET {
        return p.end_truncated();
    }
    let pointer = u32_at(message.bytes, 4)?;
    match PROBLEM_TEXTS.get(usize::from(message.code)) {
        Some(text) => write!(p, ", {text} - octet {pointer}"),
        None => write!(p, ", code-#{}", message.code),
    }
    Ok(LineEnd::Length)
}
