//! ICMP extensions after the quoted datagram of an error: MPLS labels, interfaces (RFC 4884, RFC
//! 4950).

use super::super::printer::{PrintResult, Printer, rest, u8_at, u16_at, u32_at};
use super::super::{checksum, dump};

/// Offset of the extension: after the ICMP header and the quoted datagram, padded to 128 octets.
const EXTENSION_OFFSET: usize = 8 + 128;
const VERSION: u8 = 2;
const HEADER_LEN: usize = 4;
const OBJECT_HEADER_LEN: usize = 4;
const MPLS_LABEL_STACK_CLASS: u8 = 1;

/// Prints the extension, if the message has one; `bytes` begins with the ICMP type.
pub(super) fn print(p: &mut Printer, bytes: &[u8], length: usize) -> PrintResult {
    let Some(claimed) = length
        .checked_sub(EXTENSION_OFFSET)
        .filter(|claimed| *claimed > 0)
    else {
        return Ok(());
    };
    let extension = rest(bytes, EXTENSION_OFFSET);
    if extension.len() <= HEADER_LEN {
        return p.end_truncated();
    }
    let intact = extension
        .get(..claimed)
        .map(|whole| checksum::sum(&[whole]) == 0);
    // Senders older than RFC 4884 set the length of the quoted datagram to 0: only the checksum
    // then distinguishes an extension from the datagram's own payload.
    if u8_at(bytes, 5)? == 0 && intact == Some(false) {
        return Ok(());
    }

    let version = u8_at(extension, 0)? >> 4;
    write!(p, "\n\tICMP Multi-Part extension v{version}");
    if version != VERSION {
        p.push_str(" packet not supported");
        return Ok(());
    }
    if let Some(intact) = intact {
        let found = u16_at(extension, 2)?;
        let verdict = if intact { "correct" } else { "incorrect" };
        write!(p, ", checksum 0x{found:04x} ({verdict}), length {claimed}");
    }
    print_objects(
        p,
        rest(extension, HEADER_LEN),
        claimed.saturating_sub(HEADER_LEN),
    )
}

fn print_objects(p: &mut Printer, mut bytes: &[u8], mut length: usize) -> PrintResult {
    while length > OBJECT_HEADER_LEN {
        let Some((&[high, low, class, kind], contents)) = bytes.split_first_chunk() else {
            return p.end_truncated();
        };
        length -= OBJECT_HEADER_LEN;
        let size = usize::from(u16::from_be_bytes([high, low]));
        let name = class_name(class);
        write!(
            p,
            "\n\t  {name} Object ({class}), Class-Type: {kind}, length {size}"
        );
        let Some(size) = size.checked_sub(OBJECT_HEADER_LEN).filter(|_| class != 0) else {
            return Ok(());
        };
        if (class, kind) == (MPLS_LABEL_STACK_CLASS, 1) {
            print_mpls_label(p, contents)?;
        } else {
            let shown = contents.get(..size).unwrap_or(contents);
            dump::write_hex(p.out, "\n\t    ", shown);
        }
        if length < size {
            break;
        }
        length -= size;
        bytes = rest(contents, size);
    }
    Ok(())
}

fn class_name(class: u8) -> &'static str {
    match class {
        MPLS_LABEL_STACK_CLASS => "MPLS Stack Entry",
        2 => "Interface Identification",
        _ => "unknown",
    }
}

/// Prints the first entry of an MPLS label stack:
///
/// | label (20 bits) | traffic class (3) | bottom of stack (1) | time to live (8) |
fn print_mpls_label(p: &mut Printer, bytes: &[u8]) -> PrintResult {
    let entry = u32_at(bytes, 0)?;
    let (label, class, time_to_live) = (entry >> 12, entry >> 9 & 7, entry & 0xff);
    let bottom = if entry & 0x100 == 0 { "" } else { ", [S]" };
    write!(
        p,
        "\n\t    label {label}, tc {class}{bottom}, ttl {time_to_live}"
    );
    Ok(())
}
