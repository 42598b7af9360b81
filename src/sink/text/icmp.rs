//! ICMP messages: echoes, errors with the datagram that they quote, and other queries (RFC 792, RFC
//! 950, RFC 1191, RFC 1256).

mod extensions;
#[cfg(test)]
pub(super) mod tests;

use super::printer::{PrintResult, Printer, array_at, first, rest, u8_at, u16_at, u32_at};
use super::{address, checksum, ip4};

const ECHO_REPLY: u8 = 0;
const UNREACHABLE: u8 = 3;
const SOURCE_QUENCH: u8 = 4;
const REDIRECT: u8 = 5;
const ECHO_REQUEST: u8 = 8;
const ROUTER_ADVERTISEMENT: u8 = 9;
const ROUTER_SOLICITATION: u8 = 10;
const TIME_EXCEEDED: u8 = 11;
const PARAMETER_PROBLEM: u8 = 12;
const TIMESTAMP: u8 = 13;
const TIMESTAMP_REPLY: u8 = 14;
const INFORMATION_REQUEST: u8 = 15;
const INFORMATION_REPLY: u8 = 16;
const ADDRESS_MASK_REQUEST: u8 = 17;
const ADDRESS_MASK_REPLY: u8 = 18;

/// Codes of [`UNREACHABLE`] whose text contains more than a fixed text and an address.
const PROTOCOL_UNREACHABLE: u8 = 2;
const PORT_UNREACHABLE: u8 = 3;
const FRAGMENTATION_NEEDED: u8 = 4;

/// Text before and after the destination, by code of [`UNREACHABLE`]; the text of the three codes
/// above is printed separately.
const UNREACHABLE_TEXTS: [(&str, &str); 16] = [
    ("net ", ""),
    ("host ", ""),
    ("", ""),
    ("", ""),
    ("", ""),
    ("", " - source route failed"),
    ("net ", " - unknown"),
    ("host ", " - unknown"),
    ("", " - source host isolated"),
    ("net ", " - admin prohibited"),
    ("host ", " - admin prohibited"),
    ("net ", " - tos prohibited"),
    ("host ", " - tos prohibited"),
    ("host ", " - admin prohibited filter"),
    ("host ", " - host precedence violation"),
    ("host ", " - precedence cutoff"),
];

/// Text before and after the destination, by code of [`REDIRECT`].
const REDIRECT_TEXTS: [(&str, &str); 4] = [
    ("redirect ", " to net "),
    ("redirect ", " to host "),
    ("redirect-tos ", " to net "),
    ("redirect-tos ", " to host "),
];

/// Offsets of the quoted datagram and of some of its fields, from the ICMP type on.
const QUOTED_OFFSET: usize = 8;
const QUOTED_PROTOCOL_OFFSET: usize = QUOTED_OFFSET + 9;
const QUOTED_DESTINATION_OFFSET: usize = QUOTED_OFFSET + 16;

/// Size of tcpdump's message buffer, in characters: a longer message, e.g. a router advertisement,
/// is truncated.
const MAX_MESSAGE_LEN: usize = 163;

/// Prints an ICMP message; `bytes` begins with its type.
pub(super) fn print(p: &mut Printer, bytes: &[u8], length: usize, fragmented: bool) -> PrintResult {
    p.protocol = "icmp";
    let kind = u8_at(bytes, 0)?;
    let code = u8_at(bytes, 1)?;
    if bytes.len() < required_len(bytes, kind, code) {
        return p.end_truncated();
    }

    let start = p.out.len();
    p.push_str("ICMP ");
    let message = p.out.len();
    if let Err(truncated) = print_message(p, bytes, kind, code) {
        // A message with a missing part is printed only as ` [|icmp]`.
        p.out.truncate(start);
        return Err(truncated);
    }
    p.out.truncate(message + MAX_MESSAGE_LEN);
    write!(p, ", length {}", length as u32);

    if p.style.verbose == 0 {
        return Ok(());
    }
    if !fragmented && let Some(whole) = bytes.get(..length) {
        print_checksum(p, whole)?;
    }
    if has_quoted_datagram(kind) {
        print_quoted(p, bytes)?;
        p.protocol = "icmp";
    }
    if matches!(kind, UNREACHABLE | TIME_EXCEEDED | PARAMETER_PROBLEM) {
        extensions::print(p, bytes, length)?;
    }
    Ok(())
}

/// Returns the number of octets that tcpdump requires before it prints a message. If octets are
/// missing, only this message is marked as truncated, not the packet that encloses the message.
fn required_len(bytes: &[u8], kind: u8, code: u8) -> usize {
    match (kind, code) {
        (UNREACHABLE, PORT_UNREACHABLE) => QUOTED_PROTOCOL_OFFSET + 1,
        (TIME_EXCEEDED, _) => QUOTED_DESTINATION_OFFSET + 4,
        (TIMESTAMP_REPLY, _) => 20,
        (ROUTER_ADVERTISEMENT, _) => match bytes.get(4..6) {
            Some(&[count, 2]) => 8 + usize::from(count) * 8,
            _ => 8,
        },
        _ => 0,
    }
}

fn has_quoted_datagram(kind: u8) -> bool {
    matches!(
        kind,
        UNREACHABLE | SOURCE_QUENCH | REDIRECT | TIME_EXCEEDED | PARAMETER_PROBLEM
    )
}

fn print_message(p: &mut Printer, bytes: &[u8], kind: u8, code: u8) -> PrintResult {
    match (kind, code) {
        (ECHO_REQUEST, _) => print_id_and_sequence(p, bytes, "echo request, id ", ", seq ")?,
        (ECHO_REPLY, _) => print_id_and_sequence(p, bytes, "echo reply, id ", ", seq ")?,
        (UNREACHABLE, PORT_UNREACHABLE) => print_unreachable_port(p, bytes)?,
        (UNREACHABLE, _) => print_unreachable(p, bytes, code)?,
        (SOURCE_QUENCH, _) => p.push_str("source quench"),
        (REDIRECT, _) => print_redirect(p, bytes, code)?,
        (ROUTER_ADVERTISEMENT, _) => print_router_advertisement(p, bytes)?,
        (ROUTER_SOLICITATION, _) => p.push_str("router solicitation"),
        (TIME_EXCEEDED, 0) => p.push_str("time exceeded in-transit"),
        (TIME_EXCEEDED, 1) => p.push_str("ip reassembly time exceeded"),
        (TIME_EXCEEDED, _) => write!(p, "time exceeded-#{code}"),
        (PARAMETER_PROBLEM, 0) => write!(p, "parameter problem - octet {}", u8_at(bytes, 4)?),
        (PARAMETER_PROBLEM, _) => write!(p, "parameter problem - code {code}"),
        (TIMESTAMP, _) => print_id_and_sequence(p, bytes, "time stamp query id ", " seq ")?,
        (TIMESTAMP_REPLY, _) => print_timestamp_reply(p, bytes)?,
        (INFORMATION_REQUEST, _) => p.push_str("information request"),
        (INFORMATION_REPLY, _) => p.push_str("information reply"),
        (ADDRESS_MASK_REQUEST, _) => p.push_str("address mask request"),
        (ADDRESS_MASK_REPLY, _) => write!(p, "address mask is 0x{:08x}", u32_at(bytes, 8)?),
        _ => write!(p, "type-#{kind}"),
    }
    Ok(())
}

/// Prints the identifier and the sequence number, e.g. of an echo.
fn print_id_and_sequence(
    p: &mut Printer,
    bytes: &[u8],
    before: &str,
    between: &str,
) -> PrintResult {
    let (identifier, sequence) = (u16_at(bytes, 4)?, u16_at(bytes, 6)?);
    write!(p, "{before}{identifier}{between}{sequence}");
    Ok(())
}

fn print_address(p: &mut Printer, bytes: &[u8], at: usize) -> PrintResult {
    address::write_ipv4(p.out, array_at(bytes, at)?);
    Ok(())
}

fn print_unreachable(p: &mut Printer, bytes: &[u8], code: u8) -> PrintResult {
    let texts = UNREACHABLE_TEXTS.get(usize::from(code));
    p.push_str(texts.map_or("", |texts| texts.0));
    print_address(p, bytes, QUOTED_DESTINATION_OFFSET)?;
    if code == PROTOCOL_UNREACHABLE {
        let protocol = u8_at(bytes, QUOTED_PROTOCOL_OFFSET)?;
        write!(p, " protocol {protocol}");
    }
    p.push_str(" unreachable");
    match (code, texts) {
        (FRAGMENTATION_NEEDED, _) => {
            p.push_str(" - need to frag");
            let mtu = u16_at(bytes, 6)?;
            if mtu != 0 {
                write!(p, " (mtu {mtu})");
            }
        }
        (_, Some(texts)) => p.push_str(texts.1),
        (_, None) => write!(p, " - #{code}"),
    }
    Ok(())
}

fn print_unreachable_port(p: &mut Printer, bytes: &[u8]) -> PrintResult {
    let header = usize::from(u8_at(bytes, QUOTED_OFFSET)? & 0x0f) * 4;
    let port = u16_at(bytes, QUOTED_OFFSET + header + 2)?;
    print_address(p, bytes, QUOTED_DESTINATION_OFFSET)?;
    match u8_at(bytes, QUOTED_PROTOCOL_OFFSET)? {
        6 => p.push_str(" tcp"),
        17 => p.push_str(" udp"),
        protocol => write!(p, " protocol {protocol}"),
    }
    write!(p, " port {port} unreachable");
    Ok(())
}

fn print_redirect(p: &mut Printer, bytes: &[u8], code: u8) -> PrintResult {
    let texts = REDIRECT_TEXTS.get(usize::from(code));
    match texts {
        Some(texts) => p.push_str(texts.0),
        None => write!(p, "redirect-#{code} "),
    }
    print_address(p, bytes, QUOTED_DESTINATION_OFFSET)?;
    p.push_str(texts.map_or(" to ", |texts| texts.1));
    print_address(p, bytes, 4)
}

fn print_router_advertisement(p: &mut Printer, bytes: &[u8]) -> PrintResult {
    let count = u8_at(bytes, 4)?;
    let size = u8_at(bytes, 5)?;
    let lifetime = u16_at(bytes, 6)?;
    let (minutes, seconds) = (lifetime / 60 % 60, lifetime % 60);
    p.push_str("router advertisement lifetime ");
    match lifetime {
        0..60 => write!(p, "{seconds}"),
        60..3600 => write!(p, "{minutes}:{seconds:02}"),
        _ => write!(p, "{}:{minutes:02}:{seconds:02}", lifetime / 3600),
    }
    write!(p, " {count}:");
    if size != 2 {
        write!(p, " [size {size}]");
        return Ok(());
    }
    for router in 0..usize::from(count) {
        p.push_str(" {");
        print_address(p, bytes, 8 + router * 8)?;
        let preference = u32_at(bytes, 12 + router * 8)?;
        write!(p, " {preference}}}");
    }
    Ok(())
}

fn print_timestamp_reply(p: &mut Printer, bytes: &[u8]) -> PrintResult {
    print_id_and_sequence(p, bytes, "time stamp reply id ", " seq ")?;
    for (label, at) in [(": org ", 8), (", recv ", 12), (", xmit ", 16)] {
        let since_midnight = u32_at(bytes, at)?;
        let (seconds, milliseconds) = (since_midnight / 1000, since_midnight % 1000);
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        let seconds = seconds % 60;
        write!(
            p,
            "{label}{hours:02}:{minutes:02}:{seconds:02}.{milliseconds:03}"
        );
    }
    Ok(())
}

fn print_checksum(p: &mut Printer, whole: &[u8]) -> PrintResult {
    let computed = checksum::sum(&[whole]);
    if computed == 0 {
        return Ok(());
    }
    let found = u16_at(whole, 2)?;
    let expected = checksum::expected(found, computed);
    write!(p, " (wrong icmp cksum {found:x} (->{expected:x})!)");
    Ok(())
}

/// Prints, on a separate line, the datagram that caused the error, with the length from the header
/// of that datagram.
fn print_quoted(p: &mut Printer, bytes: &[u8]) -> PrintResult {
    p.push_str("\n\t");
    let quoted = rest(bytes, QUOTED_OFFSET);
    let quoted = first(quoted, usize::from(u16_at(quoted, 2)?));
    // tcpdump reads the length again after truncating the datagram to it: the claimed end can
    // precede the length field.
    let claimed = u16_at(quoted, 2)?;
    ip4::print(p, quoted, usize::from(claimed))
}
