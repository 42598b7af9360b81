//! The mobility header (RFC 6275 section 6.1) and its options (section 6.2).

use super::address;
use super::printer::{Printed, Printer, array_at, u8_at, u16_at, u32_at};

/// Names of the messages, and how long each is at least.
const MESSAGES: [(&str, usize); 8] = [
    ("BRR", 8),
    ("HoTI", 16),
    ("CoTI", 16),
    ("HoT", 24),
    ("CoT", 24),
    ("BU", 12),
    ("BA", 12),
    ("BE", 24),
];

/// Prints a mobility header; nothing may follow it.
pub(super) fn print(p: &mut Printer, bytes: &[u8]) -> Printed {
    p.protocol = "mobility";
    let Ok(words) = u8_at(bytes, 1) else {
        p.truncated();
        return Ok(());
    };
    let length = (usize::from(words) + 1) * 8;
    let kind = u8_at(bytes, 2)?;
    let Some((name, least)) = MESSAGES.get(usize::from(kind)) else {
        p.format(format_args!("mobility: type-#{kind} len={words}"));
        return Ok(());
    };
    if length < *least {
        p.format(format_args!(
            "(header length {length} is too small for type {kind})"
        ));
        p.truncated();
        return Ok(());
    }
    p.format(format_args!("mobility: {name}"));
    let verbose = p.style.verbose > 0;
    match kind {
        1 | 2 if verbose => pair(p, bytes, 8, kind == 1, "Init Cookie")?,
        3 | 4 => {
            let nonce = u16_at(bytes, 6)?;
            p.format(format_args!(" nonce id=0x{nonce:x}"));
            if verbose {
                pair(p, bytes, 8, kind == 3, "Init Cookie")?;
                pair(p, bytes, 16, kind == 3, "Keygen Token")?;
            }
        }
        5 if bytes.len() < 10 => {
            let sequence = u16_at(bytes, 6)?;
            p.format(format_args!(" seq#={sequence}"));
            p.truncated();
            return Ok(());
        }
        5 => update(p, bytes)?,
        6 => {
            let status = u8_at(bytes, 6)?;
            p.format(format_args!(" status={status}"));
            if u8_at(bytes, 7)? & 0x80 != 0 {
                p.text(" K");
            }
            let sequence = u16_at(bytes, 8)?;
            p.format(format_args!(" seq#={sequence}"));
            lifetime(p, bytes)?;
        }
        7 => {
            let status = u8_at(bytes, 6)?;
            p.format(format_args!(" status={status}"));
            let home = array_at(bytes, 8)?;
            p.text(" homeaddr ");
            address::ip6(p.out, home);
        }
        _ => {}
    }
    if verbose && !options(p, bytes, *least, length)? {
        p.truncated();
    }
    Ok(())
}

/// Prints the options from `at` to `end`; false where one is cut short.
fn options(p: &mut Printer, bytes: &[u8], mut at: usize, end: usize) -> Printed<bool> {
    while at < end {
        let kind = u8_at(bytes, at)?;
        let length = match kind {
            0 => 1,
            _ if at + 1 == end => return Ok(false),
            _ => usize::from(u8_at(bytes, at + 1)?) + 2,
        };
        // tcpdump wants an octet behind the option too.
        if at + length > end || bytes.len() <= at + length {
            return Ok(false);
        }
        let left = end - at;
        let (name, least) = match kind {
            2 => ("refresh", 4),
            3 => ("altcoa", 18),
            4 => ("ni", 6),
            5 => ("auth", 12),
            _ => ("", 0),
        };
        if left < least {
            p.format(format_args!("({name}: trunc)"));
            return Ok(false);
        }
        match kind {
            0 => p.text("(pad1)"),
            1 => p.text("(padn)"),
            2 => {
                let seconds = u32::from(u16_at(bytes, at + 2)?) * 4;
                p.format(format_args!("(refresh: {seconds})"));
            }
            3 => {
                let address = array_at(bytes, at + 2)?;
                p.text("(alt-CoA: ");
                address::ip6(p.out, address);
                p.text(")");
            }
            4 => {
                let (home, care) = (u16_at(bytes, at + 2)?, u16_at(bytes, at + 4)?);
                p.format(format_args!("(ni: ho=0x{home:04x} co=0x{care:04x})"));
            }
            5 => p.text("(auth)"),
            _ => {
                let length = length - 2;
                p.format(format_args!("(type-0x{kind:02x}: len={length})"));
            }
        }
        at += length;
    }
    Ok(true)
}

fn pair(p: &mut Printer, bytes: &[u8], at: usize, home: bool, what: &str) -> Printed {
    let (high, low) = (u32_at(bytes, at)?, u32_at(bytes, at + 4)?);
    let whose = if home { "Home" } else { "Care-of" };
    p.format(format_args!(" {whose} {what}={high:08x}:{low:08x}"));
    Ok(())
}

fn update(p: &mut Printer, bytes: &[u8]) -> Printed {
    let sequence = u16_at(bytes, 6)?;
    p.format(format_args!(" seq#={sequence}"));
    let bits = u8_at(bytes, 8)?;
    if bits & 0xf0 != 0 {
        p.text(" ");
    }
    for (bit, letter) in [(0x80, "A"), (0x40, "H"), (0x20, "L"), (0x10, "K")] {
        if bits & bit != 0 {
            p.text(letter);
        }
    }
    lifetime(p, bytes)
}

fn lifetime(p: &mut Printer, bytes: &[u8]) -> Printed {
    let seconds = u32::from(u16_at(bytes, 10)?) * 4;
    p.format(format_args!(" lifetime={seconds}"));
    Ok(())
}
