//! ICMPv6 messages: names of the types, and selection of the body's printer (RFC 4443 and the RFCs
//! of the types).

mod domain_name;
mod errors;
mod mld;
mod neighbours;
mod options;
#[cfg(test)]
mod tests;

use super::enclosing_ip::EnclosingIp;
use super::printer::{PrintResult, Printer, Truncated, array_at, u8_at, u16_at};
use super::{address, checksum, dump};
use crate::packet::ICMPV6;

const UNREACHABLE: u8 = 1;
const PACKET_TOO_BIG: u8 = 2;
const TIME_EXCEEDED: u8 = 3;
const PARAMETER_PROBLEM: u8 = 4;
const ECHO_REQUEST: u8 = 128;
const ECHO_REPLY: u8 = 129;
const LISTENER_QUERY: u8 = 130;
const LISTENER_REPORT: u8 = 131;
const LISTENER_DONE: u8 = 132;
const ROUTER_SOLICITATION: u8 = 133;
const ROUTER_ADVERTISEMENT: u8 = 134;
const NEIGHBOUR_SOLICITATION: u8 = 135;
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
const REDIRECT: u8 = 137;
const INVERSE_SOLICITATION: u8 = 141;
const INVERSE_ADVERTISEMENT: u8 = 142;
const LISTENER_REPORT_V2: u8 = 143;

/// Text at the start of the line, by type.
const TYPE_NAMES: [(u8, &str); 27] = [
    (UNREACHABLE, "destination unreachable"),
    (PACKET_TOO_BIG, "packet too big"),
    (TIME_EXCEEDED, "time exceeded in-transit"),
    (PARAMETER_PROBLEM, "parameter problem"),
    (ECHO_REQUEST, "echo request"),
    (ECHO_REPLY, "echo reply"),
    (LISTENER_QUERY, "multicast listener query"),
    (LISTENER_REPORT, "multicast listener report"),
    (LISTENER_DONE, "multicast listener done"),
    (ROUTER_SOLICITATION, "router solicitation"),
    (ROUTER_ADVERTISEMENT, "router advertisement"),
    (NEIGHBOUR_SOLICITATION, "neighbor solicitation"),
    (NEIGHBOUR_ADVERTISEMENT, "neighbor advertisement"),
    (REDIRECT, "redirect"),
    (138, "router renumbering"),
    (139, "who-are-you request"),
    (140, "who-are-you reply"),
    (INVERSE_SOLICITATION, "inverse neighbor solicitation"),
    (INVERSE_ADVERTISEMENT, "inverse neighbor advertisement"),
    (LISTENER_REPORT_V2, "multicast listener report v2"),
    (144, "ha discovery request"),
    (145, "ha discovery reply"),
    (146, "mobile router solicitation"),
    (147, "mobile router advertisement"),
    (155, "RPL"),
    (200, "mtrace response"),
    (201, "mtrace message"),
];

/// An ICMPv6 message, from its type on.
#[derive(Debug, Clone, Copy)]
struct Icmp6Message<'a> {
    /// Captured bytes, cut at the end of the IP packet.
    bytes: &'a [u8],
    /// Claimed length, in octets.
    length: usize,
    kind: u8,
    code: u8,
}

/// Text that is still missing at the end of a line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum LineEnd {
    /// The length, except with `-v`: the length is then printed earlier in the line or omitted.
    Length,
    /// No text: tcpdump ends the line here.
    #[default]
    Nothing,
}

/// Prints an ICMPv6 message; `bytes` begins with its type, `ip6` with the IPv6 header, whose
/// addresses the checksum covers.
pub(super) fn print(
    p: &mut Printer,
    bytes: &[u8],
    length: usize,
    ip6: &[u8],
    fragmented: bool,
) -> PrintResult {
    p.protocol = "icmp6";
    if length == 0 {
        p.push_str("ICMP6, length 0");
        return p.end_invalid();
    }
    let verbose = p.style.verbose > 0;
    if verbose
        && !fragmented
        && let Some(whole) = bytes.get(..length)
    {
        print_checksum(p, whole, ip6)?;
    }

    let kind = u8_at(bytes, 0)?;
    p.push_str("ICMP6, ");
    match TYPE_NAMES.iter().find(|(number, _)| *number == kind) {
        Some((_, name)) => p.push_str(name),
        None => write!(p, "unknown icmp6 type ({kind})"),
    }
    if verbose && has_length_first(kind) {
        write!(p, ", length {length}");
    }
    let code = u8_at(bytes, 1)?;
    let message = Icmp6Message {
        bytes,
        length,
        kind,
        code,
    };
    if print_body(p, &message)? == LineEnd::Length && !verbose {
        write!(p, ", length {length}");
    }
    Ok(())
}

/// True for types whose length is printed before the body with `-v`. The length of most other types
/// is omitted with `-v`.
fn has_length_first(kind: u8) -> bool {
    matches!(kind, ROUTER_SOLICITATION..=REDIRECT)
}

fn print_body(p: &mut Printer, message: &Icmp6Message) -> PrintResult<LineEnd> {
    let print: fn(&mut Printer, &Icmp6Message) -> PrintResult = match message.kind {
        UNREACHABLE => return errors::print_unreachable(p, message),
        PACKET_TOO_BIG => errors::print_too_big,
        TIME_EXCEEDED => errors::print_time_exceeded,
        PARAMETER_PROBLEM => return errors::print_parameter_problem(p, message),
        ECHO_REQUEST | ECHO_REPLY => print_echo,
        LISTENER_QUERY => mld::print_query,
        LISTENER_REPORT | LISTENER_DONE => mld::print_report,
        LISTENER_REPORT_V2 => mld::print_report_v2,
        ROUTER_SOLICITATION => neighbours::print_router_solicitation,
        ROUTER_ADVERTISEMENT => neighbours::print_router_advertisement,
        NEIGHBOUR_SOLICITATION => neighbours::print_solicitation,
        NEIGHBOUR_ADVERTISEMENT => neighbours::print_advertisement,
        REDIRECT => neighbours::print_redirect,
        INVERSE_SOLICITATION | INVERSE_ADVERTISEMENT => return Ok(LineEnd::Length),
        _ => return print_unknown(p, message),
    };
    print(p, message)?;
    Ok(LineEnd::Length)
}

fn print_echo(p: &mut Printer, message: &Icmp6Message) -> PrintResult {
    let (identifier, sequence) = (u16_at(message.bytes, 4)?, u16_at(message.bytes, 6)?);
    write!(p, ", id {identifier}, seq {sequence}");
    Ok(())
}

fn print_unknown(p: &mut Printer, message: &Icmp6Message) -> PrintResult<LineEnd> {
    write!(p, ", length {}", message.length);
    dump_message(p, message);
    Ok(LineEnd::Nothing)
}

/// Prints the whole message in hexadecimal, except with `-vv`.
fn dump_message(p: &mut Printer, message: &Icmp6Message) {
    if p.style.verbose <= 1 {
        dump::write_hex(p.out, "\n\t", message.bytes);
    }
}

fn print_checksum(p: &mut Printer, whole: &[u8], ip6: &[u8]) -> PrintResult {
    let found = u16_at(whole, 2)?;
    let header = ip6.first_chunk().ok_or(Truncated)?;
    let computed = EnclosingIp::Ip6(header, ip6).checksum(ICMPV6, whole);
    checksum::print_verdict(p, "icmp6", found, computed);
    Ok(())
}

fn print_address(p: &mut Printer, bytes: &[u8], at: usize) -> PrintResult {
    address::write_ipv6(p.out, array_at(bytes, at)?);
    Ok(())
}
