//! The mobility header (RFC 6275 section 6.1): its message and the fixed fields of that, without the options.

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
    Ok(())
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
    if bytes.len() < 10 {
        p.truncated();
        return Ok(());
    }
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
