//! Prints the options of neighbour discovery (RFC 4861, RFC 4191, RFC 6275, RFC 8106).

use super::super::printer::{
    Printed, Printer, Truncated, array_at, first, rest, u8_at, u16_at, u32_at,
};
use super::super::{address, icmp::hexadecimal};
use super::{name, neighbours, print_address, print_flags};

/// An option with everything that was captured behind it: tcpdump reads fixed fields of an option that is too short from
/// what follows it.
#[derive(Debug, Clone, Copy)]
struct NeighbourOption<'a> {
    /// From its type on.
    bytes: &'a [u8],
    /// Its length, in units of eight octets.
    units: usize,
    /// All options of the message.
    all: &'a [u8],
}

/// The only option that ends the whole packet, also one that encloses this message, where a field of it is missing.
const PREFIX: u8 = 3;

type Inside = fn(&mut Printer, &NeighbourOption) -> Printed;

const OPTIONS: [(u8, &str, Inside); 10] = [
    (1, "source link-address", print_link_address),
    (2, "destination link-address", print_link_address),
    (PREFIX, "prefix info", print_prefix),
    (4, "redirected header", print_redirected),
    (5, "mtu", print_mtu),
    (7, "advertisement interval", print_interval),
    (8, "homeagent information", print_home_agent),
    (24, "route info", print_route),
    (25, "rdnss", print_servers),
    (31, "dnssl", print_domains),
];

/// Characters of domain names in one option, after which no other is begun: pointers could make a line without an end.
const MAX_DOMAINS: usize = 16 * 1024;

const PREFIX_FLAGS: [(u32, &str); 3] = [(0x80, "onlink"), (0x40, "auto"), (0x20, "router")];

/// Prints the options that begin at `start`; where one is cut, that ends the line but not the packet.
pub(super) fn print(p: &mut Printer, bytes: &[u8], start: usize) -> Printed {
    let all = rest(bytes, start);
    let mut left = all;
    while !left.is_empty() {
        let Ok((kind, option)) = parse(left, all) else {
            p.truncated();
            return Ok(());
        };
        let size = option.units * 8;
        let known = OPTIONS.iter().find(|(known, ..)| *known == kind);
        let name = known.map_or("unknown", |(_, name, _)| name);
        p.format(format_args!(
            "\n\t  {name} option ({kind}), length {size} ({}): ",
            option.units
        ));
        let value = rest(first(left, size), 2);
        match known {
            Some((.., inside)) => match inside(p, &option) {
                Err(truncated) if kind == PREFIX => return Err(truncated),
                Err(_) => {
                    p.truncated();
                    return Ok(());
                }
                Ok(()) => {}
            },
            None if p.style.verbose <= 1 => {
                hexadecimal::print(p, "\n\t  ", value);
                return Ok(());
            }
            None => {}
        }
        if p.style.verbose > 1 {
            hexadecimal::print(p, "\n\t    ", value);
        }
        left = rest(left, size);
    }
    Ok(())
}

fn parse<'a>(bytes: &'a [u8], all: &'a [u8]) -> Printed<(u8, NeighbourOption<'a>)> {
    let kind = u8_at(bytes, 0)?;
    let units = usize::from(u8_at(bytes, 1)?);
    if units == 0 || units * 8 > bytes.len() {
        return Err(Truncated);
    }
    Ok((kind, NeighbourOption { bytes, units, all }))
}

fn print_link_address(p: &mut Printer, option: &NeighbourOption) -> Printed {
    address::mac(p.out, rest(first(option.bytes, option.units * 8), 2));
    Ok(())
}

fn print_prefix(p: &mut Printer, option: &NeighbourOption) -> Printed {
    let bytes = option.bytes;
    print_address(p, bytes, 16)?;
    let bits = u8_at(bytes, 2)?;
    let wrong = if option.units == 4 { "" } else { "badlen" };
    p.format(format_args!("/{bits}{wrong}, Flags ["));
    print_flags(p, &PREFIX_FLAGS, u32::from(u8_at(bytes, 3)?));
    p.text("], valid time ");
    print_lifetime(p, u32_at(bytes, 4)?);
    p.text(", pref. time ");
    print_lifetime(p, u32_at(bytes, 8)?);
    Ok(())
}

fn print_lifetime(p: &mut Printer, seconds: u32) {
    match seconds {
        u32::MAX => p.text("infinity"),
        _ => p.format(format_args!("{seconds}s")),
    }
}

/// tcpdump dumps as many octets as this option has, but from the first option on.
fn print_redirected(p: &mut Printer, option: &NeighbourOption) -> Printed {
    hexadecimal::print(p, "\n\t    ", first(option.all, option.units * 8));
    Ok(())
}

fn print_mtu(p: &mut Printer, option: &NeighbourOption) -> Printed {
    let unit = u32_at(option.bytes, 4)?;
    let wrong = if option.units == 1 {
        ""
    } else {
        "bad option length"
    };
    p.format(format_args!(" {unit}{wrong}"));
    Ok(())
}

fn print_interval(p: &mut Printer, option: &NeighbourOption) -> Printed {
    let interval = u32_at(option.bytes, 4)?;
    p.format(format_args!(" {interval}ms"));
    Ok(())
}

fn print_home_agent(p: &mut Printer, option: &NeighbourOption) -> Printed {
    let preference = u16_at(option.bytes, 4)?;
    let lifetime = u16_at(option.bytes, 6)?;
    p.format(format_args!(
        " preference {preference}, lifetime {lifetime}"
    ));
    Ok(())
}

/// A prefix of 0, 64 or 128 bits, as the option's length says.
fn print_route(p: &mut Printer, option: &NeighbourOption) -> Printed {
    let bytes = option.bytes;
    let mut prefix = [0; 16];
    match option.units {
        1 => {}
        2 => prefix[..8].copy_from_slice(&array_at::<8>(bytes, 8)?),
        3 => prefix = array_at(bytes, 8)?,
        _ => return Err(Truncated),
    }
    let bits = u8_at(bytes, 2)?;
    let preference = neighbours::preference(u8_at(bytes, 3)?);
    p.text(" ");
    address::ip6(p.out, prefix);
    p.format(format_args!("/{bits}, pref={preference}, lifetime="));
    print_lifetime(p, u32_at(bytes, 4)?);
    Ok(())
}

fn print_servers(p: &mut Printer, option: &NeighbourOption) -> Printed {
    let lifetime = u32_at(option.bytes, 4)?;
    p.format(format_args!(" lifetime {lifetime}s,"));
    for server in 0..(option.units - 1) / 2 {
        p.text(" addr: ");
        print_address(p, option.bytes, 8 + server * 16)?;
    }
    Ok(())
}

fn print_domains(p: &mut Printer, option: &NeighbourOption) -> Printed {
    let lifetime = u32_at(option.bytes, 4)?;
    p.format(format_args!(" lifetime {lifetime}s, domain(s):"));
    // Names may point back to others, from the first option on; they may also run on past the option.
    let start = option.all.len() - option.bytes.len();
    let end = start + option.units * 8;
    let mut at = start + 8;
    let line = p.out.len();
    while at < end && u8_at(option.all, at)? != 0 {
        // Without pointers no option gets so long.
        if p.out.len() - line > MAX_DOMAINS {
            return Err(Truncated);
        }
        p.text(" ");
        at = name::print(p, option.all, at)?;
    }
    Ok(())
}
