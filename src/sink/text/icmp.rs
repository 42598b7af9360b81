//! Prints ICMP: echoes, errors with the datagram they quote, and the lesser queries (RFC 792, 950, 1191, 1256).

mod extensions;
pub(super) mod hexadecimal;
#[cfg(test)]
pub(super) mod tests;

use super::printer::{Printed, Printer, array_at, first, rest, u8_at, u16_at, u32_at};
use super::{address, checksum, ip4};

const ECHO_REPLY: u8 = 0;
const UNREACHABLE: u8 = 3;
const SOURCE_QUENCH: u8 = 4;
const REDIRECT: u8 = 5;
const ECHO: u8 = 8;
const ROUTER_ADVERTISEMENT: u8 = 9;
const ROUTER_SOLICITATION: u8 = 10;
const TIME_EXCEEDED: u8 = 11;
const PARAMETER_PROBLEM: u8 = 12;
const TIMESTAMP: u8 = 13;
const TIMESTAMP_REPLY: u8 = 14;
const INFORMATION: u8 = 15;
const INFORMATION_REPLY: u8 = 16;
const MASK: u8 = 17;
const MASK_REPLY: u8 = 18;

/// Codes of [`UNREACHABLE`] that say more than an address.
const BAD_PROTOCOL: u8 = 2;
const BAD_PORT: u8 = 3;
const NEED_FRAGMENT: u8 = 4;

/// What stands before and after the destination, by the code of [`UNREACHABLE`]; the three codes above never get here.
const UNREACHABLE_WORDS: [(&str, &str); 16] = [
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

/// What stands before and after the destination, by the code of [`REDIRECT`].
const REDIRECT_WORDS: [(&str, &str); 4] = [
    ("redirect ", " to net "),
    ("redirect ", " to host "),
    ("redirect-tos ", " to net "),
    ("redirect-tos ", " to host "),
];

/// Where the quoted datagram begins, and some of its fields, counted from the ICMP type on.
const QUOTED: usize = 8;
const QUOTED_PROTOCOL: usize = QUOTED + 9;
const QUOTED_DESTINATION: usize = QUOTED + 16;

/// tcpdump builds the message in a buffer of this many characters and cuts what is longer: a router advertisement can be.
const MESSAGE_LIMIT: usize = 163;

/// Prints an ICMP message; `bytes` from its type on.
pub(super) fn print(p: &mut Printer, bytes: &[u8], length: usize, fragmented: bool) -> Printed {
    p.protocol = "icmp";
    let kind = u8_at(bytes, 0)?;
    let code = u8_at(bytes, 1)?;
    if bytes.len() < required(bytes, kind, code) {
        p.truncated();
        return Ok(());
    }

    let start = p.out.len();
    p.text("ICMP ");
    let message = p.out.len();
    if let Err(truncated) = print_message(p, bytes, kind, code) {
        // The line says only ` [|icmp]` where a part of the message is missing.
        p.out.truncate(start);
        return Err(truncated);
    }
    p.out.truncate(message + MESSAGE_LIMIT);
    p.text(", length ");
    p.decimal(length as u32);

    if p.style.verbose == 0 {
        return Ok(());
    }
    if !fragmented && let Some(whole) = bytes.get(..length) {
        print_checksum(p, whole)?;
    }
    if quotes(kind) {
        print_quoted(p, bytes)?;
        p.protocol = "icmp";
    }
    if matches!(kind, UNREACHABLE | TIME_EXCEEDED | PARAMETER_PROBLEM) {
        extensions::print(p, bytes, length)?;
    }
    Ok(())
}

/// How many octets tcpdump asks for before it begins, without giving up on what encloses the message.
fn required(bytes: &[u8], kind: u8, code: u8) -> usize {
    match (kind, code) {
        (UNREACHABLE, BAD_PORT) => QUOTED_PROTOCOL + 1,
        (TIME_EXCEEDED, _) => QUOTED_DESTINATION + 4,
        (TIMESTAMP_REPLY, _) => 20,
        (ROUTER_ADVERTISEMENT, _) => match bytes.get(4..6) {
            Some(&[count, 2]) => 8 + usize::from(count) * 8,
            _ => 8,
        },
        _ => 0,
    }
}

fn quotes(kind: u8) -> bool {
    matches!(
        kind,
        UNREACHABLE | SOURCE_QUENCH | REDIRECT | TIME_EXCEEDED | PARAMETER_PROBLEM
    )
}

fn print_message(p: &mut Printer, bytes: &[u8], kind: u8, code: u8) -> Printed {
    match kind {
        ECHO => print_identified(p, bytes, "echo request, id ", ", seq "),
        ECHO_REPLY => print_identified(p, bytes, "echo reply, id ", ", seq "),
        UNREACHABLE => print_unreachable(p, bytes, code),
        SOURCE_QUENCH => plain(p, "source quench"),
        REDIRECT => print_redirect(p, bytes, code),
        ROUTER_ADVERTISEMENT => print_router_advertisement(p, bytes),
        ROUTER_SOLICITATION => plain(p, "router solicitation"),
        TIME_EXCEEDED => {
            match code {
                0 => p.text("time exceeded in-transit"),
                1 => p.text("ip reassembly time exceeded"),
                _ => p.format(format_args!("time exceeded-#{code}")),
            }
            Ok(())
        }
        PARAMETER_PROBLEM if code == 0 => {
            let octet = u8_at(bytes, 4)?;
            p.format(format_args!("parameter problem - octet {octet}"));
            Ok(())
        }
        PARAMETER_PROBLEM => {
            p.format(format_args!("parameter problem - code {code}"));
            Ok(())
        }
        TIMESTAMP => print_identified(p, bytes, "time stamp query id ", " seq "),
        TIMESTAMP_REPLY => print_timestamp_reply(p, bytes),
        INFORMATION => plain(p, "information request"),
        INFORMATION_REPLY => plain(p, "information reply"),
        MASK => plain(p, "address mask request"),
        MASK_REPLY => {
            let mask = u32_at(bytes, 8)?;
            p.format(format_args!("address mask is 0x{mask:08x}"));
            Ok(())
        }
        _ => {
            p.format(format_args!("type-#{kind}"));
            Ok(())
        }
    }
}

fn plain(p: &mut Printer, words: &str) -> Printed {
    p.text(words);
    Ok(())
}

/// Identifier and sequence number, as in an echo.
fn print_identified(p: &mut Printer, bytes: &[u8], before: &str, between: &str) -> Printed {
    let identifier = u16_at(bytes, 4)?;
    let sequence = u16_at(bytes, 6)?;
    p.text(before);
    p.decimal(u32::from(identifier));
    p.text(between);
    p.decimal(u32::from(sequence));
    Ok(())
}

fn print_address(p: &mut Printer, bytes: &[u8], at: usize) -> Printed {
    address::ip4(p.out, array_at(bytes, at)?);
    Ok(())
}

fn print_unreachable(p: &mut Printer, bytes: &[u8], code: u8) -> Printed {
    if code == BAD_PORT {
        return print_unreachable_port(p, bytes);
    }
    let words = UNREACHABLE_WORDS.get(usize::from(code));
    p.text(words.map_or("", |words| words.0));
    print_address(p, bytes, QUOTED_DESTINATION)?;
    if code == BAD_PROTOCOL {
        let protocol = u8_at(bytes, QUOTED_PROTOCOL)?;
        p.format(format_args!(" protocol {protocol}"));
    }
    p.text(" unreachable");
    match (code, words) {
        (NEED_FRAGMENT, _) => {
            p.text(" - need to frag");
            let unit = u16_at(bytes, 6)?;
            if unit != 0 {
                p.format(format_args!(" (mtu {unit})"));
            }
        }
        (_, Some(words)) => p.text(words.1),
        (_, None) => p.format(format_args!(" - #{code}")),
    }
    Ok(())
}

fn print_unreachable_port(p: &mut Printer, bytes: &[u8]) -> Printed {
    let header = usize::from(u8_at(bytes, QUOTED)? & 0x0f) * 4;
    let port = u16_at(bytes, QUOTED + header + 2)?;
    print_address(p, bytes, QUOTED_DESTINATION)?;
    match u8_at(bytes, QUOTED_PROTOCOL)? {
        6 => p.text(" tcp"),
        17 => p.text(" udp"),
        protocol => p.format(format_args!(" protocol {protocol}")),
    }
    p.format(format_args!(" port {port} unreachable"));
    Ok(())
}

fn print_redirect(p: &mut Printer, bytes: &[u8], code: u8) -> Printed {
    let words = REDIRECT_WORDS.get(usize::from(code));
    match words {
        Some(words) => p.text(words.0),
        None => p.format(format_args!("redirect-#{code} ")),
    }
    print_address(p, bytes, QUOTED_DESTINATION)?;
    p.text(words.map_or(" to ", |words| words.1));
    print_address(p, bytes, 4)
}

fn print_router_advertisement(p: &mut Printer, bytes: &[u8]) -> Printed {
    let count = u8_at(bytes, 4)?;
    let size = u8_at(bytes, 5)?;
    let lifetime = u16_at(bytes, 6)?;
    let (hours, minutes, seconds) = (lifetime / 3600, lifetime / 60 % 60, lifetime % 60);
    p.text("router advertisement lifetime ");
    match lifetime {
        0..60 => p.format(format_args!("{seconds}")),
        60..3600 => p.format(format_args!("{minutes}:{seconds:02}")),
        _ => p.format(format_args!("{hours}:{minutes:02}:{seconds:02}")),
    }
    p.format(format_args!(" {count}:"));
    if size != 2 {
        p.format(format_args!(" [size {size}]"));
        return Ok(());
    }
    for router in 0..usize::from(count) {
        p.text(" {");
        print_address(p, bytes, 8 + router * 8)?;
        let preference = u32_at(bytes, 12 + router * 8)?;
        p.format(format_args!(" {preference}}}"));
    }
    Ok(())
}

fn print_timestamp_reply(p: &mut Printer, bytes: &[u8]) -> Printed {
    print_identified(p, bytes, "time stamp reply id ", " seq ")?;
    for (words, at) in [(": org ", 8), (", recv ", 12), (", xmit ", 16)] {
        let since_midnight = u32_at(bytes, at)?;
        let (seconds, milliseconds) = (since_midnight / 1000, since_midnight % 1000);
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        let seconds = seconds % 60;
        p.format(format_args!(
            "{words}{hours:02}:{minutes:02}:{seconds:02}.{milliseconds:03}"
        ));
    }
    Ok(())
}

fn print_checksum(p: &mut Printer, whole: &[u8]) -> Printed {
    let computed = checksum::sum(&[whole]);
    if computed == 0 {
        return Ok(());
    }
    let found = u16_at(whole, 2)?;
    let wanted = checksum::should_be(found, computed);
    p.format(format_args!(
        " (wrong icmp cksum {found:x} (->{wanted:x})!)"
    ));
    Ok(())
}

/// The datagram that caused the error, on a line of its own; it says itself how long it was.
fn print_quoted(p: &mut Printer, bytes: &[u8]) -> Printed {
    p.text("\n\t");
    let quoted = rest(bytes, QUOTED);
    let quoted = first(quoted, usize::from(u16_at(quoted, 2)?));
    // A datagram that claims to end before its own length is cut there too.
    let claimed = u16_at(quoted, 2)?;
    ip4::print(p, quoted, usize::from(claimed))
}
