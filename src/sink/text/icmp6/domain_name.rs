//! Domain names in DNS encoding, with compression pointers and bit-string labels (RFC 1035, RFC
//! 2673).

use super::super::printer::{PrintResult, Printer, Truncated, array_at, first, rest, u8_at};

/// Maximum number of characters that tcpdump prints of a name.
const MAX_NAME_CHARS: usize = 255;

/// Maximum number of labels and pointers in a name that contains a pointer. tcpdump has no limit:
/// without one, a few octets can encode a name that takes minutes to print.
const MAX_STEPS_AFTER_POINTER: usize = 512;

/// Meaning of a label's length octet.
enum NameLabel {
    End,
    /// A label of this many characters.
    Text(usize),
    /// A bit string; the next octet is the number of bits.
    Bits,
    /// A pointer to an offset; the next octet is the offset's lower octet.
    Pointer(u8),
}

/// Prints the name at `start`; returns the offset after the name, or after its first pointer.
pub(super) fn print(p: &mut Printer, bytes: &[u8], start: usize) -> PrintResult<usize> {
    let (mut at, mut shown) = (start, 0);
    let mut limit = start;
    let mut end = None;
    for step in 0.. {
        if step > MAX_STEPS_AFTER_POINTER && end.is_some() {
            p.push_str("<BAD PTR>");
            return Err(Truncated);
        }
        let label = read_label(p, bytes, at)?;
        at += 1;
        let size = match label {
            NameLabel::End if shown == 0 && end.is_none() => {
                p.push_str(".");
                return Ok(at);
            }
            NameLabel::End => break,
            NameLabel::Pointer(_) if at >= bytes.len() && at == start + 1 => return Err(Truncated),
            // If the captured bytes end after the length octet, the name ends here without a
            // marker.
            _ if at >= bytes.len() => break,
            NameLabel::Pointer(upper) => {
                let target = usize::from(u16::from_be_bytes([upper, u8_at(bytes, at)?]));
                end = end.or(Some(at + 1));
                // Pointers must point backwards: otherwise a name could be endless.
                if target >= limit {
                    p.push_str("<BAD PTR>");
                    return Err(Truncated);
                }
                limit = target;
                at = target;
                continue;
            }
            NameLabel::Bits => print_bits(p, bytes, at)?,
            NameLabel::Text(size) => {
                print_label(p, bytes, at, size, shown)?;
                shown += size;
                size
            }
        };
        at += size;
        if shown <= MAX_NAME_CHARS {
            p.push_str(".");
        }
        shown += 1;
    }
    if shown > MAX_NAME_CHARS {
        p.push_str("<DOMAIN NAME TOO LONG>");
    }
    Ok(end.unwrap_or(at))
}

fn read_label(p: &mut Printer, bytes: &[u8], at: usize) -> PrintResult<NameLabel> {
    let octet = u8_at(bytes, at)?;
    Ok(match octet {
        0 => NameLabel::End,
        0x01..0x40 => NameLabel::Text(usize::from(octet)),
        0x41 => {
            u8_at(bytes, at + 1)?;
            NameLabel::Bits
        }
        0x40..0x80 => {
            write!(p, "<ELT {}>", octet & 0x3f);
            return Err(Truncated);
        }
        0x80..0xc0 => {
            p.push_str("<BAD LABEL TYPE>");
            return Err(Truncated);
        }
        0xc0.. => NameLabel::Pointer(octet & 0x3f),
    })
}

/// Prints a label's characters, up to the limit for a name.
fn print_label(p: &mut Printer, bytes: &[u8], at: usize, size: usize, shown: usize) -> PrintResult {
    let count = size.min(MAX_NAME_CHARS.saturating_sub(shown));
    let characters = first(rest(bytes, at), count);
    for &octet in characters {
        p.push_visible(octet);
    }
    if characters.len() < count {
        return Err(Truncated);
    }
    Ok(())
}

/// Prints a bit string in hexadecimal; returns its size in octets, including the count octet.
fn print_bits(p: &mut Printer, bytes: &[u8], at: usize) -> PrintResult<usize> {
    let bits = match u8_at(bytes, at)? {
        0 => 256,
        bits => usize::from(bits),
    };
    p.push_str("\\[x");
    for octet in 0..bits / 8 {
        p.push_hex(&array_at::<1>(bytes, at + 1 + octet)?);
    }
    let last = bits % 8;
    if last > 0 {
        let octet = u8_at(bytes, at + 1 + bits / 8)? & !(0xff >> last);
        match last {
            1..=4 => write!(p, "{:x}", octet >> 4),
            _ => p.push_hex(&[octet]),
        }
    }
    write!(p, "/{bits}]");
    Ok(1 + bits.div_ceil(8))
}
