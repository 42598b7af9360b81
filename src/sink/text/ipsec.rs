//! IPsec headers: AH (RFC 4302), ESP (RFC 4303) and IPComp (RFC 3173).

use super::printer::{PrintResult, Printer, u8_at, u16_at, u32_at};

/// Prints an authentication header and returns its length in octets.
pub(super) fn print_ah(p: &mut Printer, bytes: &[u8]) -> PrintResult<usize> {
    p.push_str("AH");
    let payload_len = u8_at(bytes, 1)?;
    let length = (usize::from(payload_len) + 2) * 4;
    p.push_str("(");
    if p.style.verbose > 0 {
        write!(p, "length={payload_len}({length}-bytes),");
    }
    let reserved = u16_at(bytes, 2)?;
    if reserved != 0 {
        write!(p, "reserved=0x{reserved:x}[MustBeZero],");
    }
    let index = u32_at(bytes, 4)?;
    write!(p, "spi=0x{index:08x},");
    let sequence = u32_at(bytes, 8)?;
    write!(p, "seq=0x{sequence:x},icv=0x");
    for at in 12..length {
        let octet = u8_at(bytes, at)?;
        p.push_hex(&[octet]);
    }
    p.push_str("): ");
    Ok(length)
}

/// Prints the header of an encapsulating security payload, whose contents are encrypted.
pub(super) fn print_esp(p: &mut Printer, bytes: &[u8], length: usize) -> PrintResult {
    p.protocol = "esp";
    if bytes.len() <= 8 {
        return p.end_truncated();
    }
    let (index, sequence) = (u32_at(bytes, 0)?, u32_at(bytes, 4)?);
    write!(
        p,
        "ESP(spi=0x{index:08x},seq=0x{sequence:x}), length {length}"
    );
    Ok(())
}

/// Prints the header of a compressed IP payload.
pub(super) fn print_ipcomp(p: &mut Printer, bytes: &[u8]) -> PrintResult {
    p.protocol = "ipcomp";
    let index = u16_at(bytes, 2)?;
    write!(p, "IPComp(cpi=0x{index:04x})");
    Ok(())
}
