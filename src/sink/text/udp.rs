//! UDP (RFC 768).

use super::checksum;
use super::network::Network;
use super::printer::{Printed, Printer, u16_at};
use crate::packet::UDP;

const HEADER: u32 = 8;

/// Prints a datagram. tcpdump knows many protocols above by their ports; here each is just a length.
pub(super) fn print(
    p: &mut Printer,
    bytes: &[u8],
    length: usize,
    network: Network,
    fragmented: bool,
) -> Printed {
    p.protocol = "udp";
    let (Ok(source), Ok(destination)) = (u16_at(bytes, 0), u16_at(bytes, 2)) else {
        if network.protocol() == UDP {
            network.addresses(p);
            p.text(": ");
        }
        p.truncated();
        return Ok(());
    };
    network.ends(p, UDP, [source, destination]);
    let length = length as u32;
    if length < HEADER {
        p.text("truncated-udp ");
        p.decimal(length);
        return Ok(());
    }
    let Ok(claimed) = u16_at(bytes, 4) else {
        p.truncated();
        return Ok(());
    };
    // A jumbogram says 0 (RFC 2675 section 4).
    let claimed = match u32::from(claimed) {
        0 if length > 0xffff => length,
        claimed => claimed,
    };
    if claimed < HEADER {
        p.text("truncated-udplength ");
        p.decimal(claimed);
        return Ok(());
    }
    if bytes.len() < HEADER as usize {
        p.truncated();
        return Ok(());
    }
    if p.style.verbose > 0 && !fragmented {
        checked(p, bytes, claimed.min(length) as usize, network)?;
    }
    if claimed > length && !fragmented {
        p.text("UDP, bad length ");
        p.decimal(claimed - HEADER);
        p.text(" > ");
        p.decimal(length - HEADER);
    } else {
        p.text("UDP, length ");
        p.decimal(claimed - HEADER);
    }
    Ok(())
}

/// Says what the checksum is worth, where the whole datagram was captured.
fn checked(p: &mut Printer, bytes: &[u8], length: usize, network: Network) -> Printed {
    let found = u16_at(bytes, 6)?;
    if let Network::Ip4(..) = network {
        if p.style.verbose < 2 {
            return Ok(());
        }
        if found == 0 {
            p.text("[no cksum] ");
            return Ok(());
        }
    }
    let Some(datagram) = bytes.get(..length) else {
        return Ok(());
    };
    match network.checksum(UDP, datagram) {
        0 => p.text("[udp sum ok] "),
        computed => {
            let right = checksum::should_be(found, computed);
            p.format(format_args!(
                "[bad udp cksum 0x{found:04x} -> 0x{right:04x}!] "
            ));
        }
    }
    Ok(())
}
