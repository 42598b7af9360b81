//! Options of IPv6 neighbour discovery (RFC 4861, RFC 4191, RFC 6275, RFC 8106).

use super::super::printer::{
    PrintResult, Printer, Truncated, array_at, first, rest, u8_at, u16_at, u32_at,
};
use super::super::{address, dump};
use super::{domain_name, print_address};

/// An option, including all captured bytes after it: if an option is too short, tcpdump reads the
/// option's fixed fields from those bytes.
#[derive(Debug, Clone, Copy)]
struct NeighbourOption<'a> {
    /// Captured bytes from the option's type on.
    bytes: &'a [u8],
    /// Length of the option, in units of eight octets.
    units: usize,
    /// All options of the message.
    all_options: &'a [u8],
}

/// The only option whose missing fields end the output of all enclosing packets, not only of this
/// message.
const PREFIX_INFORMATION: u8 = 3;

type OptionPrinter = fn(&mut Printer, &NeighbourOption) -> PrintResult;

const OPTIONS: [(u8, &str, OptionPrinter); 10] = [
    (1, "source link-address", print_link_address),
    (2, "destination link-address", print_link_address),
    (PREFIX_INFORMATION, "prefix info", print_prefix),
    (4, "redirected header", print_redirected),
    (5, "mtu", print_mtu),
    (7, "advertisement interval", print_advertisement_interval),
    (8, "homeagent information", print_home_agent),
    (24, "route info", print_route),
    (25, "rdnss", print_dns_servers),
    (31, "dnssl", print_search_domains),
];

/// Limit for the printed characters of the domain names in one option; no other name is printed
/// after that. Without a limit, compression pointers could make a line extremely long.
const MAX_DOMAIN_CHARS: usize = 16 * 1024;

const PREFIX_FLAGS: [(u32, &str); 3] = [(0x80, "onlink"), (0x40, "auto"), (0x20, "router")];

/// Prints the options that begin at `start`; a truncated option ends the line but not the packet.
pub(super) fn print(p: &mut Printer, bytes: &[u8], start: usize) -> PrintResult {
    let all = rest(bytes, start);
    let mut left = all;
    while !left.is_empty() {
        let Ok((kind, option)) = parse(left, all) else {
            return p.end_truncated();
        };
        let size = option.units * 8;
        let row = OPTIONS.iter().find(|(number, ..)| *number == kind);
        let name = row.map_or("unknown", |(_, name, _)| name);
        write!(
            p,
            "\n\t  {name} option ({kind}), length {size} ({}): ",
            option.units
        );
        let value = rest(first(left, size), 2);
        match row {
            Some((.., print_option)) => match print_option(p, &option) {
                Err(truncated) if kind == PREFIX_INFORMATION => return Err(truncated),
                Err(_) => {
                    return p.end_truncated();
                }
                Ok(()) => {}
            },
            None if p.style.verbose <= 1 => {
                dump::write_hex(p.out, "\n\t  ", value);
                return Ok(());
            }
            None => {}
        }
        if p.style.verbose > 1 {
            dump::write_hex(p.out, "\n\t    ", value);
        }
        left = rest(left, size);
    }
    Ok(())
}

fn parse<'a>(bytes: &'a [u8], all: &'a [u8]) -> PrintResult<(u8, NeighbourOption<'a>)> {
    let kind = u8_at(bytes, 0)?;
    let units = usize::from(u8_at(bytes, 1)?);
    if units == 0 || units * 8 > bytes.len() {
        return Err(Truncated);
    }
    Ok((
        kind,
        NeighbourOption {
            bytes,
            units,
            all_options: all,
        },
    ))
}

fn print_link_address(p: &mut Printer, option: &NeighbourOption) -> PrintResult {
    address::write_mac(p.out, rest(first(option.bytes, option.units * 8), 2));
    Ok(())
}

fn print_prefix(p: &mut Printer, option: &NeighbourOption) -> PrintResult {
    let bytes = option.bytes;
    print_address(p, bytes, 16)?;
    let bits = u8_at(bytes, 2)?;
    let error = if option.units == 4 { "" } else { "badlen" };
    write!(p, "/{bits}{error}, Flags [");
    p.push_flags(&PREFIX_FLAGS, u32::from(u8_at(bytes, 3)?));
    p.push_str("], valid time ");
    print_lifetime(p, u32_at(bytes, 4)?);
    p.push_str(", pref. time ");
    print_lifetime(p, u32_at(bytes, 8)?);
    Ok(())
}

fn print_lifetime(p: &mut Printer, seconds: u32) {
    match seconds {
        u32::MAX => p.push_str("infinity"),
        _ => write!(p, "{seconds}s"),
    }
}

/// Prints a redirected header like tcpdump: the number of octets is the length of this option, but
/// the octets start at the first option of the message.
fn print_redirected(p: &mut Printer, option: &NeighbourOption) -> PrintResult {
    dump::write_hex(
        p.out,
        "\n\t    ",
        first(option.all_options, option.units * 8),
    );
    Ok(())
}

fn print_mtu(p: &mut Printer, option: &NeighbourOption) -> PrintResult {
    let mtu = u32_at(option.bytes, 4)?;
    let error = if option.units == 1 {
        ""
    } else {
        "bad option length"
    };
    write!(p, " {mtu}{error}");
    Ok(())
}

fn print_advertisement_interval(p: &mut Printer, option: &NeighbourOption) -> PrintResult {
    let interval = u32_at(option.bytes, 4)?;
    write!(p, " {interval}ms");
    Ok(())
}

fn print_home_agent(p: &mut Printer, option: &NeighbourOption) -> PrintResult {
    let preference = u16_at(option.bytes, 4)?;
    let lifetime = u16_at(option.bytes, 6)?;
    write!(p, " preference {preference}, lifetime {lifetime}");
    Ok(())
}

/// Prints a route, whose prefix has 0, 64 or 128 bits, depending on the option's length.
fn print_route(p: &mut Printer, option: &NeighbourOption) -> PrintResult {
    let bytes = option.bytes;
    let mut prefix = [0; 16];
    match option.units {
        1 => {}
        2 => prefix[..8].copy_from_slice(&array_at::<8>(bytes, 8)?),
        3 => prefix = array_at(bytes, 8)?,
        _ => return Err(Truncated),
    }
    let bits = u8_at(bytes, 2)?;
    let preference = preference(u8_at(bytes, 3)?);
    p.push_str(" ");
    address::write_ipv6(p.out, prefix);
    write!(p, "/{bits}, pref={preference}, lifetime=");
    print_lifetime(p, u32_at(bytes, 4)?);
    Ok(())
}

/// Returns the name of the preference of a router or a route (RFC 4191 section 2.1).
pub(super) fn preference(flags: u8) -> &'static str {
    match flags >> 3 & 3 {
        0 => "medium",
        1 => "high",
        2 => "rsv",
        _ => "low",
    }
}

fn print_dns_servers(p: &mut Printer, option: &NeighbourOption) -> PrintResult {
    let lifetime = u32_at(option.bytes, 4)?;
    write!(p, " lifetime {lifetime}s,");
    for server in 0..(option.units - 1) / 2 {
        p.push_str(" addr: ");
        print_address(p, option.bytes, 8 + server * 16)?;
    }
    Ok(())
}

fn print_search_domains(p: &mut Printer, option: &NeighbourOption) -> PrintResult {
    let lifetime = u32_at(option.bytes, 4)?;
    write!(p, " lifetime {lifetime}s, domain(s):");
    // Pointers in a name can refer to any octet from the first option on, and a name can continue
    // past the end of the option.
    let start = option.all_options.len() - option.bytes.len();
    let end = start + option.units * 8;
    let mut at = start + 8;
    let line = p.out.len();
    while at < end && u8_at(option.all_options, at)? != 0 {
        // Without pointers, the names of an option are always shorter.
        if p.out.len() - line > MAX_DOMAIN_CHARS {
            return Err(Truncated);
        }
        p.push_str(" ");
        at = domain_name::print(p, option.all_options, at)?;
    }
    Ok(())
}
