//! Prints router renumbering: which prefixes to look for, and what to use instead (RFC 2894).

use super::super::printer::{Printed, Printer, rest, u8_at, u16_at, u32_at};
use super::{Message, print_address};

const HEADER: usize = 16;
const MATCH: usize = 24;
const USE: usize = 32;

const COMMAND: u8 = 0;

const FLAGS: [(u8, &str); 5] = [
    (0x80, "T"),
    (0x40, "R"),
    (0x20, "A"),
    (0x10, "S"),
    (0x08, "P"),
];

/// Prints the header, and of a command its prefixes.
pub(super) fn print(p: &mut Printer, message: &Message) -> Printed {
    let bytes = message.bytes;
    if bytes.len() < HEADER {
        p.truncated();
        return Ok(());
    }
    match message.code {
        COMMAND => p.text(", command"),
        1 => p.text(", result"),
        255 => p.text(", sequence number reset"),
        code => p.format(format_args!(", code-#{code}")),
    }
    let sequence = u32_at(bytes, 4)?;
    p.format(format_args!(", seq={sequence}"));
    if p.style.verbose > 0 {
        print_header(p, bytes)?;
    }
    if message.code == COMMAND {
        print_command(p, rest(bytes, HEADER))?;
    }
    Ok(())
}

fn print_header(p: &mut Printer, bytes: &[u8]) -> Printed {
    let flags = u8_at(bytes, 9)?;
    p.text("[");
    if flags != 0 {
        for (_, name) in FLAGS.iter().filter(|(flag, _)| flags & flag != 0) {
            p.text(name);
        }
        p.text(",");
    }
    let (segment, delay) = (u8_at(bytes, 8)?, u16_at(bytes, 10)?);
    p.format(format_args!("seg={segment},maxdelay={delay}"));
    let reserved = u32_at(bytes, 12)?;
    if reserved != 0 {
        p.format(format_args!("rsvd=0x{reserved:x}"));
    }
    p.text("]");
    Ok(())
}

/// A prefix to match and those to use; a cut one ends the list, but not the line.
fn print_command(p: &mut Printer, bytes: &[u8]) -> Printed {
    if bytes.len() < MATCH {
        p.truncated();
        return Ok(());
    }
    print_match(p, bytes)?;
    let Some(count) = uses(u8_at(bytes, 1)?) else {
        p.truncated();
        return Ok(());
    };
    let mut left = rest(bytes, MATCH);
    for _ in 0..count {
        if left.len() < USE {
            p.truncated();
            return Ok(());
        }
        print_use(p, left)?;
        left = rest(left, USE);
    }
    Ok(())
}

/// How many prefixes to use there are: the length counts 3 for the one to match and 4 for each of them.
fn uses(length: u8) -> Option<u8> {
    let uses = length.checked_sub(3)?;
    uses.is_multiple_of(4).then_some(uses / 4)
}

fn print_separator(p: &mut Printer) {
    p.text(if p.style.verbose > 1 { "\n\t" } else { " " });
}

fn print_match(p: &mut Printer, bytes: &[u8]) -> Printed {
    print_separator(p);
    p.text("match(");
    match u8_at(bytes, 0)? {
        1 => p.text("add"),
        2 => p.text("change"),
        3 => p.text("setglobal"),
        code => p.format(format_args!("#{code}")),
    }
    if p.style.verbose > 0 {
        let (ordinal, min, max) = (u8_at(bytes, 2)?, u8_at(bytes, 4)?, u8_at(bytes, 5)?);
        p.format(format_args!(",ord={ordinal},min={min},max={max}"));
    }
    p.text(",");
    print_address(p, bytes, 8)?;
    let matched = u8_at(bytes, 3)?;
    p.format(format_args!("/{matched})"));
    Ok(())
}

fn print_use(p: &mut Printer, bytes: &[u8]) -> Printed {
    print_separator(p);
    p.text("use(");
    let flags = u8_at(bytes, 12)?;
    if flags != 0 {
        p.text(match flags >> 6 {
            0 => ",",
            1 => "P,",
            2 => "V,",
            _ => "VP,",
        });
    }
    if p.style.verbose > 0 {
        let (mask, wanted) = (u8_at(bytes, 2)?, u8_at(bytes, 3)?);
        p.format(format_args!("mask=0x{mask:x},raflags=0x{wanted:x}"));
        print_lifetime(p, ",vltime=", u32_at(bytes, 4)?);
        print_lifetime(p, ",pltime=", u32_at(bytes, 8)?);
        p.text(",");
    }
    print_address(p, bytes, 16)?;
    let (used, kept) = (u8_at(bytes, 0)?, u8_at(bytes, 1)?);
    p.format(format_args!("/{used}/{kept})"));
    Ok(())
}

fn print_lifetime(p: &mut Printer, words: &str, seconds: u32) {
    p.text(words);
    match seconds {
        u32::MAX => p.text("infty"),
        _ => p.format(format_args!("{seconds}")),
    }
}
