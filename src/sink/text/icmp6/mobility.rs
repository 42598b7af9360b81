//! Prints the discovery of home agents and mobile prefixes (RFC 6275).

use super::super::printer::{Printed, Printer, array_at, u16_at};
use super::{Message, options, print_address};

/// A request of either kind: only its identifier.
pub(super) fn print_request(p: &mut Printer, message: &Message) -> Printed {
    let identifier = u16_at(message.bytes, 4)?;
    p.format(format_args!(", id 0x{identifier:04x}"));
    Ok(())
}

/// The addresses of the home agents.
pub(super) fn print_home_agents(p: &mut Printer, message: &Message) -> Printed {
    if p.style.verbose == 0 {
        return Ok(());
    }
    print_request(p, message)?;
    for at in (8..message.length).step_by(16) {
        array_at::<16>(message.bytes, at)?;
        p.text(", ");
        print_address(p, message.bytes, at)?;
    }
    Ok(())
}

/// Prefixes of the home network, as options.
pub(super) fn print_prefix_advertisement(p: &mut Printer, message: &Message) -> Printed {
    if p.style.verbose == 0 {
        return Ok(());
    }
    print_request(p, message)?;
    let flags = u16_at(message.bytes, 6)?;
    p.text(match flags >> 14 {
        0 => "",
        1 => " O",
        2 => " M",
        _ => " MO",
    });
    options::print(p, message.bytes, 8)
}
