//! IPsec's headers: AH (RFC 4302), ESP (RFC 4303) and IPComp (RFC 3173).

use super::printer::{Printed, Printer, u8_at, u16_at, u32_at};

/// Prints an authentication header and returns its length.
pub(super) fn authentication(p: &mut Printer, bytes: &[u8]) -> Printed<usize> {
    p.text("AH");
    let words = u8_at(bytes, 1)?;
    let length = (usize::from(words) + 2) * 4;
    p.text("(");
    if p.style.verbose > 0 {
        p.format(format_args!("length={words}({length}-bytes),"));
    }
    let reserved = u16_at(bytes, 2)?;
    if reserved != 0 {
        p.format(format_args!("reserved=0x{reserved:x}[MustBeZero],"));
    }
    let index = u32_at(bytes, 4)?;
    p.format(format_args!("spi=0x{index:08x},"));
    let sequence = u32_at(bytes, 8)?;
    p.format(format_args!("seq=0x{sequence:x},icv=0x"));
    for at in 12..length {
        let octet = u8_at(bytes, at)?;
        p.hex(&[octet]);
    }
    p.text("): ");
    Ok(length)
}

/// Prints the front of an encapsulated payload; the rest is encrypted.
pub(super) fn encapsulated(p: &mut Printer, bytes: &[u8], length: usize) -> Printed {
    p.protocol = "esp";
    if bytes.len() <= 8 {
        p.truncated();
        return Ok(());
    }
    let (index, sequence) = (u32_at(bytes, 0)?, u32_at(bytes, 4)?);
    p.format(format_args!(
        "ESP(spi=0x{index:08x},seq=0x{sequence:x}), length {length}"
    ));
    Ok(())
}

/// Prints the header of a compressed payload.
pub(super) fn compressed(p: &mut Printer, bytes: &[u8]) -> Printed {
    p.protocol = "ipcomp";
    let index = u16_at(bytes, 2)?;
    p.format(format_args!("IPComp(cpi=0x{index:04x})"));
    Ok(())
}
