//! Prints ICMPv6 errors: what went wrong, and where the quoted datagram was going (RFC 4443).

use super::super::printer::{Printed, Printer, u8_at, u16_at, u32_at};
use super::{Ending, Message, print_address, print_whole};

/// Where the quoted datagram begins, and its addresses, counted from the ICMPv6 type on.
const QUOTED: usize = 8;
const QUOTED_SOURCE: usize = QUOTED + 8;
const QUOTED_DESTINATION: usize = QUOTED + 24;
const QUOTED_PAYLOAD: usize = QUOTED + 40;

const BEYOND_SCOPE: u8 = 2;
const BAD_PORT: u8 = 4;

/// What a destination was not reached for, by code; the two blanks before `unreachable prohibited` are tcpdump's.
const UNREACHABLE_WORDS: [&str; 5] = [
    "unreachable route",
    " unreachable prohibited",
    "beyond scope",
    "unreachable address",
    "unreachable port",
];

const PROBLEM_WORDS: [&str; 4] = [
    "erroneous",
    "next header",
    "option",
    "incomplete header chain",
];

/// Destination unreachable.
pub(super) fn print_unreachable(p: &mut Printer, message: &Message) -> Printed<Ending> {
    let code = message.code;
    let Some(words) = UNREACHABLE_WORDS.get(usize::from(code)) else {
        p.format(format_args!(", unknown unreach code ({code})"));
        print_whole(p, message);
        return Ok(Ending::Nothing);
    };
    p.text(", ");
    p.text(words);
    match code {
        BAD_PORT => return print_unreachable_port(p, message.bytes),
        BEYOND_SCOPE => {
            let end = p.out.len();
            if let Err(truncated) = print_scope(p, message.bytes) {
                p.out.truncate(end);
                return Err(truncated);
            }
        }
        _ => print_after(p, " ", message.bytes, QUOTED_DESTINATION)?,
    }
    Ok(Ending::Length)
}

/// Words and an address, or none of both.
fn print_after(p: &mut Printer, words: &str, bytes: &[u8], at: usize) -> Printed {
    let end = p.out.len();
    p.text(words);
    print_address(p, bytes, at).inspect_err(|_| p.out.truncate(end))
}

fn print_scope(p: &mut Printer, bytes: &[u8]) -> Printed {
    print_after(p, " ", bytes, QUOTED_DESTINATION)?;
    print_after(p, ", source address ", bytes, QUOTED_SOURCE)
}

fn print_unreachable_port(p: &mut Printer, bytes: &[u8]) -> Printed<Ending> {
    let Ok(Some((name, port))) = quoted_port(bytes) else {
        p.truncated();
        return Ok(Ending::Nothing);
    };
    print_after(p, ", ", bytes, QUOTED_DESTINATION)?;
    p.format(format_args!(" {name} port {port}"));
    Ok(Ending::Length)
}

/// The quoted datagram's destination port behind all its extension headers; none where there is no TCP or UDP.
fn quoted_port(bytes: &[u8]) -> Printed<Option<(&'static str, u16)>> {
    let mut header = u8_at(bytes, QUOTED + 6)?;
    let mut at = QUOTED_PAYLOAD;
    loop {
        let size = match header {
            6 => return Ok(Some(("tcp", u16_at(bytes, at + 2)?))),
            17 => return Ok(Some(("udp", u16_at(bytes, at + 2)?))),
            // Hop-by-hop, routing, destination options.
            0 | 43 | 60 => (usize::from(u8_at(bytes, at + 1)?) + 1) * 8,
            // Only a datagram's first fragment has ports.
            44 if u16_at(bytes, at + 2)? & 0xfff8 == 0 => 8,
            // Authentication.
            51 => (usize::from(u8_at(bytes, at + 1)?) + 2) * 4,
            _ => return Ok(None),
        };
        header = u8_at(bytes, at)?;
        at += size;
    }
}

/// Packet too big.
pub(super) fn print_too_big(p: &mut Printer, message: &Message) -> Printed {
    let unit = u32_at(message.bytes, 4)?;
    p.format(format_args!(", mtu {unit}"));
    Ok(())
}

/// Time exceeded.
pub(super) fn print_time_exceeded(p: &mut Printer, message: &Message) -> Printed {
    match message.code {
        0 => return print_after(p, " for ", message.bytes, QUOTED_DESTINATION),
        1 => p.text(" (reassembly)"),
        code => p.format(format_args!(", unknown code ({code})")),
    }
    Ok(())
}

/// Parameter problem.
pub(super) fn print_parameter_problem(p: &mut Printer, message: &Message) -> Printed<Ending> {
    if message.bytes.len() < QUOTED_PAYLOAD {
        p.truncated();
        return Ok(Ending::Nothing);
    }
    let pointer = u32_at(message.bytes, 4)?;
    match PROBLEM_WORDS.get(usize::from(message.code)) {
        Some(words) => p.format(format_args!(", {words} - octet {pointer}")),
        None => p.format(format_args!(", code-#{}", message.code)),
    }
    Ok(Ending::Length)
}
