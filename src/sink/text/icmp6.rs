//! Prints ICMPv6: which message it is, and who prints its inside (RFC 4443 and those that its types come from).

mod errors;
mod listeners;
mod name;
mod neighbours;
mod options;
#[cfg(test)]
mod tests;

use super::icmp::hexadecimal;
use super::network::Network;
use super::printer::{Printed, Printer, Truncated, array_at, u8_at, u16_at};
use super::{address, checksum};
use crate::packet::ICMPV6;

const UNREACHABLE: u8 = 1;
const TOO_BIG: u8 = 2;
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
const LISTENER_REPORT_2: u8 = 143;

/// What begins the line of every type.
const NAMES: [(u8, &str); 27] = [
    (UNREACHABLE, "destination unreachable"),
    (TOO_BIG, "packet too big"),
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
    (LISTENER_REPORT_2, "multicast listener report v2"),
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
struct Message<'a> {
    /// What was captured, cut where the IP datagram ends.
    bytes: &'a [u8],
    /// How long it claims to be.
    length: usize,
    kind: u8,
    code: u8,
}

/// What the end of a line still wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// The length; with `-v` most messages have shown it already, or never do.
    Length,
    /// Nothing: tcpdump leaves the message here.
    Nothing,
}

/// Prints an ICMPv6 message; `bytes` from its type on, `ip6` from the IPv6 header that the checksum covers.
pub(super) fn print(
    p: &mut Printer,
    bytes: &[u8],
    length: usize,
    ip6: &[u8],
    fragmented: bool,
) -> Printed {
    p.protocol = "icmp6";
    if length == 0 {
        p.text("ICMP6, length 0");
        p.invalid();
        return Ok(());
    }
    let verbose = p.style.verbose > 0;
    if verbose
        && !fragmented
        && let Some(whole) = bytes.get(..length)
    {
        print_checksum(p, whole, ip6)?;
    }

    let kind = u8_at(bytes, 0)?;
    p.text("ICMP6, ");
    match NAMES.iter().find(|(named, _)| *named == kind) {
        Some((_, name)) => p.text(name),
        None => p.format(format_args!("unknown icmp6 type ({kind})")),
    }
    if verbose && has_length_first(kind) {
        p.format(format_args!(", length {length}"));
    }
    let code = u8_at(bytes, 1)?;
    let message = Message {
        bytes,
        length,
        kind,
        code,
    };
    if print_body(p, &message)? == Ending::Length && !verbose {
        p.format(format_args!(", length {length}"));
    }
    Ok(())
}

/// The types that show their length with `-v`, and then before what they contain.
fn has_length_first(kind: u8) -> bool {
    matches!(kind, ROUTER_SOLICITATION..=REDIRECT)
}

fn print_body(p: &mut Printer, message: &Message) -> Printed<Ending> {
    let print: fn(&mut Printer, &Message) -> Printed = match message.kind {
        UNREACHABLE => return errors::print_unreachable(p, message),
        TOO_BIG => errors::print_too_big,
        TIME_EXCEEDED => errors::print_time_exceeded,
        PARAMETER_PROBLEM => return errors::print_parameter_problem(p, message),
        ECHO_REQUEST | ECHO_REPLY => print_echo,
        LISTENER_QUERY => listeners::print_query,
        LISTENER_REPORT | LISTENER_DONE => listeners::print_report,
        LISTENER_REPORT_2 => listeners::print_report_2,
        ROUTER_SOLICITATION => neighbours::print_router_solicitation,
        ROUTER_ADVERTISEMENT => neighbours::print_router_advertisement,
        NEIGHBOUR_SOLICITATION => neighbours::print_solicitation,
        NEIGHBOUR_ADVERTISEMENT => neighbours::print_advertisement,
        REDIRECT => neighbours::print_redirect,
        INVERSE_SOLICITATION | INVERSE_ADVERTISEMENT => return Ok(Ending::Length),
        _ => return print_unknown(p, message),
    };
    print(p, message)?;
    Ok(Ending::Length)
}

fn print_echo(p: &mut Printer, message: &Message) -> Printed {
    let identifier = u16_at(message.bytes, 4)?;
    let sequence = u16_at(message.bytes, 6)?;
    p.text(", id ");
    p.decimal(u32::from(identifier));
    p.text(", seq ");
    p.decimal(u32::from(sequence));
    Ok(())
}

fn print_unknown(p: &mut Printer, message: &Message) -> Printed<Ending> {
    p.format(format_args!(", length {}", message.length));
    print_whole(p, message);
    Ok(Ending::Nothing)
}

/// All of the message in hexadecimal, unless `-vv`.
fn print_whole(p: &mut Printer, message: &Message) {
    if p.style.verbose <= 1 {
        hexadecimal::print(p, "\n\t", message.bytes);
    }
}

fn print_checksum(p: &mut Printer, whole: &[u8], ip6: &[u8]) -> Printed {
    let found = u16_at(whole, 2)?;
    let header = ip6.first_chunk().ok_or(Truncated)?;
    let computed = Network::Ip6(header, ip6).checksum(ICMPV6, whole);
    if computed == 0 {
        p.text("[icmp6 sum ok] ");
        return Ok(());
    }
    let wanted = checksum::should_be(found, computed);
    p.format(format_args!(
        "[bad icmp6 cksum 0x{found:04x} -> 0x{wanted:04x}!] "
    ));
    Ok(())
}

fn print_address(p: &mut Printer, bytes: &[u8], at: usize) -> Printed {
    address::ip6(p.out, array_at(bytes, at)?);
    Ok(())
}

/// The names of the flags that are set, or `none`.
fn print_flags(p: &mut Printer, names: &[(u32, &str)], flags: u32) {
    let mut separator = "";
    for (_, name) in names.iter().filter(|(flag, _)| flags & flag != 0) {
        p.text(separator);
        p.text(name);
        separator = ", ";
    }
    if separator.is_empty() {
        p.text("none");
    }
}
