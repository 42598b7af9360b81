//! Prints domain names, which may point back to others, hold bit strings, and be anything but a name (RFC 1035, RFC 2673).

use super::super::printer::{Printed, Printer, Truncated, array_at, first, rest, u8_at};

/// How many characters of a name tcpdump shows.
const LIMIT: usize = 255;

/// How many labels and pointers of a name are read once it has pointed back. tcpdump reads on: few octets can then stand for a
/// name that takes minutes.
const STEPS: usize = 512;

/// What the length octet of a label is.
enum Label {
    End,
    /// So many characters.
    Text(usize),
    /// A string of bits, their number in the octet that follows.
    Bits,
    /// To an offset, its lower octet in the octet that follows.
    Pointer(u8),
}

/// One octet as visible characters, as cat(1) does with `-v`.
fn print_character(p: &mut Printer, octet: u8) {
    if octet >= 0x80 {
        p.text("M-");
    }
    let octet = octet & 0x7f;
    if (0x20..0x7f).contains(&octet) {
        p.out.push(octet);
    } else {
        p.out.extend_from_slice(&[b'^', octet ^ 0x40]);
    }
}

/// Prints the name at `start`; returns where it ended, before what it points to.
pub(super) fn print(p: &mut Printer, bytes: &[u8], start: usize) -> Printed<usize> {
    let (mut at, mut shown) = (start, 0);
    let mut limit = start;
    let mut end = None;
    for step in 0.. {
        if step > STEPS && end.is_some() {
            p.text("<BAD PTR>");
            return Err(Truncated);
        }
        let label = label(p, bytes, at)?;
        at += 1;
        let size = match label {
            Label::End if shown == 0 && end.is_none() => {
                p.text(".");
                return Ok(at);
            }
            Label::End => break,
            Label::Pointer(_) if at >= bytes.len() && at == start + 1 => return Err(Truncated),
            // What was captured ends behind the length: the name does too, quietly.
            _ if at >= bytes.len() => break,
            Label::Pointer(upper) => {
                let target = usize::from(u16::from_be_bytes([upper, u8_at(bytes, at)?]));
                end = end.or(Some(at + 1));
                // Only backwards, or a name would never end.
                if target >= limit {
                    p.text("<BAD PTR>");
                    return Err(Truncated);
                }
                limit = target;
                at = target;
                continue;
            }
            Label::Bits => print_bits(p, bytes, at)?,
            Label::Text(size) => {
                print_label(p, bytes, at, size, shown)?;
                shown += size;
                size
            }
        };
        at += size;
        if shown <= LIMIT {
            p.text(".");
        }
        shown += 1;
    }
    if shown > LIMIT {
        p.text("<DOMAIN NAME TOO LONG>");
    }
    Ok(end.unwrap_or(at))
}

fn label(p: &mut Printer, bytes: &[u8], at: usize) -> Printed<Label> {
    let octet = u8_at(bytes, at)?;
    Ok(match octet {
        0 => Label::End,
        0x01..0x40 => Label::Text(usize::from(octet)),
        0x41 => {
            u8_at(bytes, at + 1)?;
            Label::Bits
        }
        0x40..0x80 => {
            p.format(format_args!("<ELT {}>", octet & 0x3f));
            return Err(Truncated);
        }
        0x80..0xc0 => {
            p.text("<BAD LABEL TYPE>");
            return Err(Truncated);
        }
        0xc0.. => Label::Pointer(octet & 0x3f),
    })
}

/// A label's characters, as far as the name's limit allows.
fn print_label(p: &mut Printer, bytes: &[u8], at: usize, size: usize, shown: usize) -> Printed {
    let wanted = size.min(LIMIT.saturating_sub(shown));
    let characters = first(rest(bytes, at), wanted);
    for &octet in characters {
        print_character(p, octet);
    }
    if characters.len() < wanted {
        return Err(Truncated);
    }
    Ok(())
}

/// A string of bits in hexadecimal; returns its size with the octet that counts the bits.
fn print_bits(p: &mut Printer, bytes: &[u8], at: usize) -> Printed<usize> {
    let bits = match u8_at(bytes, at)? {
        0 => 256,
        bits => usize::from(bits),
    };
    p.text("\\[x");
    for octet in 0..bits / 8 {
        p.hex(&array_at::<1>(bytes, at + 1 + octet)?);
    }
    let last = bits % 8;
    if last > 0 {
        let octet = u8_at(bytes, at + 1 + bits / 8)? & !(0xff >> last);
        match last {
            1..=4 => p.format(format_args!("{:x}", octet >> 4)),
            _ => p.hex(&[octet]),
        }
    }
    p.format(format_args!("/{bits}]"));
    Ok(1 + bits.div_ceil(8))
}
