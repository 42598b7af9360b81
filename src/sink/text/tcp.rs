//! TCP segments (RFC 9293).

use super::digits;
use super::enclosing_ip::EnclosingIp;
use super::printer::{PrintResult, Printer, Truncated, rest, u16_at};
use super::sequence::SeqNumbers;
use super::{checksum, tcp_options};
use crate::packet::TCP;

/// Length of a header without options, in octets.
const HEADER_LEN: usize = 20;
pub(super) const FIN: u8 = 1;
pub(super) const SYN: u8 = 2;
pub(super) const RST: u8 = 4;
pub(super) const ACK: u8 = 16;
const URG: u8 = 32;

/// Maximum number of octets printed from the data of a reset.
const MAX_RESET_TEXT_LEN: usize = 30;

/// Prints a segment.
pub(super) fn print(
    p: &mut Printer,
    bytes: &[u8],
    length: usize,
    network: EnclosingIp,
    fragmented: bool,
) -> PrintResult {
    p.protocol = "tcp";
    let (Ok(source), Ok(destination)) = (u16_at(bytes, 0), u16_at(bytes, 2)) else {
        network.print_addresses(p);
        p.push_str(":");
        return p.end_truncated();
    };
    network.print_endpoints(p, TCP, [source, destination]);
    let Some(header) = bytes.first_chunk::<HEADER_LEN>() else {
        return p.end_truncated();
    };
    let header_length = usize::from(header[12] >> 4) * 4;
    let data = (length as u32).wrapping_sub(header_length as u32);
    if header_length < HEADER_LEN {
        write!(
            p,
            " tcp {data} [bad hdr length {header_length} - too short, < {HEADER_LEN}]"
        );
        return Ok(());
    }
    if p.style.quiet {
        p.push_str("tcp ");
        p.push_decimal(data);
        print_if_too_long(p, header_length, length);
        return Ok(());
    }
    let flags = header[13];
    p.push_str("Flags [");
    write_flags(p.out, flags);
    p.push_str("]");
    let word = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
    let long = |at| u32::from(word(at)) << 16 | u32::from(word(at + 2));
    let mut numbers = SeqNumbers {
        seq: long(4),
        ack: long(8),
        sack_base: 0,
    };
    if flags & ACK != 0 && !p.style.absolute_seq {
        let segment = network.endpoints(TCP, [source, destination]);
        numbers = p.sequences.relative(&segment, flags & SYN != 0, numbers);
    }
    if print_if_too_long(p, header_length, length) {
        return Ok(());
    }
    if p.style.verbose > 0
        && !fragmented
        && let Some(segment) = bytes.get(..length)
    {
        let found = word(16);
        write!(p, ", cksum 0x{found:04x}");
        match network.checksum(TCP, segment) {
            0 => p.push_str(" (correct)"),
            computed => {
                let expected = checksum::expected(found, computed);
                write!(p, " (incorrect -> 0x{expected:04x})");
            }
        }
    }
    if data > 0 || flags & (SYN | FIN | RST) != 0 || p.style.verbose > 1 {
        p.push_str(", seq ");
        digits::decimal(p.out, numbers.seq);
        if data > 0 {
            p.push_str(":");
            digits::decimal(p.out, numbers.seq.wrapping_add(data));
        }
    }
    if flags & ACK != 0 {
        p.push_str(", ack ");
        digits::decimal(p.out, numbers.ack);
    }
    p.push_str(", win ");
    digits::decimal(p.out, u32::from(word(14)));
    if flags & URG != 0 {
        p.push_str(", urg ");
        p.push_decimal(u32::from(word(18)));
    }
    if header_length > HEADER_LEN
        && !tcp_options::print(p, bytes, header_length, length, numbers.sack_base)?
    {
        return Ok(());
    }
    p.push_str(", length ");
    digits::decimal(p.out, data);
    if data == 0 {
        return Ok(());
    }
    if bytes.len() < header_length {
        let captured = bytes.len();
        write!(
            p,
            " [remaining caplen({captured}) < header length({header_length})]"
        );
        return Err(Truncated);
    }
    if flags & RST != 0 && p.style.verbose > 0 {
        print_reset_text(p, rest(bytes, header_length), data as usize);
    }
    Ok(())
}

/// Prints an error and returns true if the claimed header length exceeds the segment.
fn print_if_too_long(p: &mut Printer, header_length: usize, length: usize) -> bool {
    let is_too_long = header_length > length;
    if is_too_long {
        write!(
            p,
            " [bad hdr length {header_length} - too long, > {length}]"
        );
    }
    is_too_long
}

/// Writes the letters of the lower eight control bits, in bit order; ACK is a dot.
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

/// Prints the data of a reset, which can contain the reason in ASCII (RFC 9293 section 3.10.7, RFC
/// 1122 section 4.2.2.12).
fn print_reset_text(p: &mut Printer, data: &[u8], length: usize) {
    p.push_str(if data.len() >= length {
        " [RST"
    } else {
        " [!RST"
    });
    if length > MAX_RESET_TEXT_LEN {
        p.push_str("+");
    }
    p.push_str(" ");
    for &octet in data.iter().take(length.min(MAX_RESET_TEXT_LEN)) {
        p.push_visible(octet);
    }
    p.push_str("]");
}
