//! UDP datagrams (RFC 768).

use super::checksum;
use super::enclosing_ip::EnclosingIp;
use super::printer::{PrintResult, Printer, u16_at};
use crate::packet::UDP;

const HEADER_LEN: u32 = 8;

/// Prints a datagram. tcpdump dissects many payloads by port number; lcap prints only the length.
pub(super) fn print(
    p: &mut Printer,
    bytes: &[u8],
    length: usize,
    network: EnclosingIp,
    fragmented: bool,
) -> PrintResult {
    p.protocol = "udp";
    let (Ok(source), Ok(destination)) = (u16_at(bytes, 0), u16_at(bytes, 2)) else {
        if network.protocol() == UDP {
            network.print_addresses(p);
            p.push_str(": ");
        }
        return p.end_truncated();
    };
    network.print_endpoints(p, UDP, [source, destination]);
    let length = length as u32;
    if length < HEADER_LEN {
        write!(p, "truncated-udp {length}");
        return Ok(());
    }
    let Ok(claimed) = u16_at(bytes, 4) else {
        return p.end_truncated();
    };
    // A jumbogram has length 0 (RFC 2675 section 4).
    let claimed = match u32::from(claimed) {
        0 if length > 0xffff => length,
        claimed => claimed,
    };
    if claimed < HEADER_LEN {
        write!(p, "truncated-udplength {claimed}");
        return Ok(());
    }
    if bytes.len() < HEADER_LEN as usize {
        return p.end_truncated();
    }
    if p.style.verbose > 0 && !fragmented {
        print_checksum(p, bytes, claimed.min(length) as usize, network)?;
    }
    if claimed > length && !fragmented {
        let (found, actual) = (claimed - HEADER_LEN, length - HEADER_LEN);
        write!(p, "UDP, bad length {found} > {actual}");
    } else {
        p.push_str("UDP, length ");
        p.push_decimal(claimed - HEADER_LEN);
    }
    Ok(())
}

/// Prints the result of the checksum verification, if the whole datagram was captured; for IPv4,
/// only with `-vv`.
fn print_checksum(
    p: &mut Printer,
    bytes: &[u8],
    length: usize,
    network: EnclosingIp,
) -> PrintResult {
    let found = u16_at(bytes, 6)?;
    if let EnclosingIp::Ip4(..) = network {
        if p.style.verbose < 2 {
            return Ok(());
        }
        if found == 0 {
            p.push_str("[no cksum] ");
            return Ok(());
        }
    }
    let Some(datagram) = bytes.get(..length) else {
        return Ok(());
    };
    checksum::print_verdict(p, "udp", found, network.checksum(UDP, datagram));
    Ok(())
}
