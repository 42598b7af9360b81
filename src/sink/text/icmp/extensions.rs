//! Prints what may follow the datagram that an ICMP error quotes: labels, interfaces (RFC 4884, RFC 4950).

use super::super::checksum;
use super::super::printer::{Printed, Printer, rest, u8_at, u16_at, u32_at};
use super::hexadecimal;

/// Where the extension begins: behind the ICMP header and the 128 octets that the quoted datagram is padded to.
const START: usize = 8 + 128;
const VERSION: u8 = 2;
const HEADER: usize = 4;
const OBJECT_HEADER: usize = 4;
const LABELS: u8 = 1;

/// Prints the extension, where there is one; `bytes` from the ICMP type on.
pub(super) fn print(p: &mut Printer, bytes: &[u8], length: usize) -> Printed {
    let Some(claimed) = length.checked_sub(START).filter(|claimed| *claimed > 0) else {
        return Ok(());
    };
    let extension = rest(bytes, START);
    if extension.len() <= HEADER {
        p.truncated();
        return Ok(());
    }
    let intact = extension
        .get(..claimed)
        .map(|whole| checksum::sum(&[whole]) == 0);
    // Senders older than RFC 4884 leave the length of the quoted datagram zero: then only the checksum tells an extension from
    // the datagram's own payload.
    if u8_at(bytes, 5)? == 0 && intact == Some(false) {
        return Ok(());
    }

    let version = u8_at(extension, 0)? >> 4;
    p.format(format_args!("\n\tICMP Multi-Part extension v{version}"));
    if version != VERSION {
        p.text(" packet not supported");
        return Ok(());
    }
    if let Some(intact) = intact {
        let found = u16_at(extension, 2)?;
        let verdict = if intact { "correct" } else { "incorrect" };
        p.format(format_args!(
            ", checksum 0x{found:04x} ({verdict}), length {claimed}"
        ));
    }
    print_objects(p, rest(extension, HEADER), claimed.saturating_sub(HEADER))
}

fn print_objects(p: &mut Printer, mut bytes: &[u8], mut length: usize) -> Printed {
    while length > OBJECT_HEADER {
        let Some((&[high, low, class, kind], contents)) = bytes.split_first_chunk() else {
            p.truncated();
            return Ok(());
        };
        length -= OBJECT_HEADER;
        let size = usize::from(u16::from_be_bytes([high, low]));
        let name = class_name(class);
        p.format(format_args!(
            "\n\t  {name} Object ({class}), Class-Type: {kind}, length {size}"
        ));
        let Some(size) = size.checked_sub(OBJECT_HEADER).filter(|_| class != 0) else {
            return Ok(());
        };
        if (class, kind) == (LABELS, 1) {
            print_label(p, contents)?;
        } else {
            let shown = contents.get(..size).unwrap_or(contents);
            hexadecimal::print(p, "\n\t    ", shown);
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
        LABELS => "MPLS Stack Entry",
        2 => "Interface Identification",
        _ => "unknown",
    }
}

/// The first entry of a stack of MPLS labels: 20 bits label, 3 traffic class, 1 bottom of stack, 8 time to live.
fn print_label(p: &mut Printer, bytes: &[u8]) -> Printed {
    let entry = u32_at(bytes, 0)?;
    let (label, class, time_to_live) = (entry >> 12, entry >> 9 & 7, entry & 0xff);
    let bottom = if entry & 0x100 == 0 { "" } else { ", [S]" };
    p.format(format_args!(
        "\n\t    label {label}, tc {class}{bottom}, ttl {time_to_live}"
    ));
    Ok(())
}
