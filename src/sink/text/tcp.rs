//! TCP (RFC 9293).

use super::network::Network;
use super::number;
use super::printer::{Printed, Printer, Truncated, rest, u16_at};
use super::sequence::{Numbers, Place};
use super::{checksum, tcp_options};
use crate::packet::TCP;

/// Octets of a header without options.
const HEADER: usize = 20;
pub(super) const FIN: u8 = 1;
pub(super) const SYN: u8 = 2;
pub(super) const RST: u8 = 4;
pub(super) const ACK: u8 = 16;
const URG: u8 = 32;

/// How many octets of a reset's data are shown.
const RESET_TEXT: usize = 30;

/// Prints a segment.
pub(super) fn print(
    p: &mut Printer,
    bytes: &[u8],
    length: usize,
    network: Network,
    fragmented: bool,
) -> Printed {
    p.protocol = "tcp";
    let (Ok(source), Ok(destination)) = (u16_at(bytes, 0), u16_at(bytes, 2)) else {
        network.addresses(p);
        p.text(":");
        p.truncated();
        return Ok(());
    };
    network.ends(p, TCP, [source, destination]);
    let Some(header) = bytes.first_chunk::<HEADER>() else {
        p.truncated();
        return Ok(());
    };
    let header_length = usize::from(header[12] >> 4) * 4;
    let data = (length as u32).wrapping_sub(header_length as u32);
    if header_length < HEADER {
        p.format(format_args!(
            " tcp {data} [bad hdr length {header_length} - too short, < {HEADER}]"
        ));
        return Ok(());
    }
    if p.style.quiet {
        p.text("tcp ");
        p.decimal(data);
        too_long(p, header_length, length);
        return Ok(());
    }
    let flags = header[13];
    p.text("Flags [");
    write_flags(p.out, flags);
    p.text("]");
    let word = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
    let long = |at| u32::from(word(at)) << 16 | u32::from(word(at + 2));
    let mut numbers = Numbers {
        seq: long(4),
        ack: long(8),
        sack_base: 0,
    };
    if flags & ACK != 0 && !p.style.absolute {
        let (from, to) = network.connection([source, destination]);
        let place = if flags & SYN != 0 {
            Place::First
        } else {
            Place::Later
        };
        numbers = p.sequences.relative(from, to, place, numbers);
    }
    if too_long(p, header_length, length) {
        return Ok(());
    }
    if p.style.verbose > 0
        && !fragmented
        && let Some(segment) = bytes.get(..length)
    {
        let found = word(16);
        p.format(format_args!(", cksum 0x{found:04x}"));
        match network.checksum(TCP, segment) {
            0 => p.text(" (correct)"),
            computed => {
                let right = checksum::should_be(found, computed);
                p.format(format_args!(" (incorrect -> 0x{right:04x})"));
            }
        }
    }
    if data > 0 || flags & (SYN | FIN | RST) != 0 || p.style.verbose > 1 {
        p.text(", seq ");
        number::decimal(p.out, numbers.seq);
        if data > 0 {
            p.text(":");
            number::decimal(p.out, numbers.seq.wrapping_add(data));
        }
    }
    if flags & ACK != 0 {
        p.text(", ack ");
        number::decimal(p.out, numbers.ack);
    }
    p.text(", win ");
    number::decimal(p.out, u32::from(word(14)));
    if flags & URG != 0 {
        p.text(", urg ");
        p.decimal(u32::from(word(18)));
    }
    if header_length > HEADER
        && !tcp_options::print(p, bytes, header_length, length, numbers.sack_base)?
    {
        return Ok(());
    }
    p.text(", length ");
    number::decimal(p.out, data);
    if data == 0 {
        return Ok(());
    }
    if bytes.len() < header_length {
        let captured = bytes.len();
        p.format(format_args!(
            " [remaining caplen({captured}) < header length({header_length})]"
        ));
        return Err(Truncated);
    }
    if flags & RST != 0 && p.style.verbose > 0 {
        reset_text(p, rest(bytes, header_length), data as usize);
    }
    Ok(())
}

/// Says so where the header claims to be longer than the segment.
fn too_long(p: &mut Printer, header_length: usize, length: usize) -> bool {
    let is_too_long = header_length > length;
    if is_too_long {
        p.format(format_args!(
            " [bad hdr length {header_length} - too long, > {length}]"
        ));
    }
    is_too_long
}

/// The letters of the eight lower control bits, in the order of the bits; ACK is a dot.
#[inline]
fn write_flags(out: &mut Vec<u8>, flags: u8) {
    match flags {
        ACK => return out.push(b'.'),
        0x18 => return out.extend_from_slice(b"P."),
        0 => return out.extend_from_slice(b"none"),
        _ => {}
    }
    for (bit, letter) in b"FSRP.UEW".iter().enumerate() {
        if flags >> bit & 1 != 0 {
            out.push(*letter);
        }
    }
}

/// A reset may say why in its data (RFC 9293 section 3.10.7, RFC 1122 section 4.2.2.12).
fn reset_text(p: &mut Printer, data: &[u8], length: usize) {
    p.text(if data.len() >= length {
        " [RST"
    } else {
        " [!RST"
    });
    if length > RESET_TEXT {
        p.text("+");
    }
    p.text(" ");
    for &octet in data.iter().take(length.min(RESET_TEXT)) {
        if !octet.is_ascii() {
            p.text("M-");
        }
        match octet & 0x7f {
            octet @ b' '..=b'~' => p.out.push(octet),
            control => p.out.extend_from_slice(&[b'^', control ^ 0x40]),
        }
    }
    p.text("]");
}
