//! Prints RPL, the routing protocol for low-power and lossy networks (RFC 6550).

use super::super::icmp::hexadecimal;
use super::super::printer::{Printed, Printer, array_at, first, rest, u8_at, u16_at};
use super::{Message, print_address};

/// The identifier of a DODAG, an IPv6 address.
const IDENTIFIER: usize = 16;
/// What stands before it in an information object, and in the other two.
const OBJECT_HEADER: usize = 8;
const ADVERTISEMENT_HEADER: usize = 4;

const MODES: [&str; 4] = [
    "nonstoring",
    "storing",
    "nonstoring-multicast",
    "storing-multicast",
];

const OPTIONS: [(u8, &str); 8] = [
    (1, "padN"),
    (2, "metrics"),
    (3, "routinginfo"),
    (4, "config"),
    (5, "rpltarget"),
    (6, "transitinfo"),
    (8, "destprefix"),
    (9, "rpltargetdesc"),
];

/// Prints a message by its code, whose highest bit says that the rest is secured.
pub(super) fn print(p: &mut Printer, message: &Message) -> Printed {
    if message.code & 0x80 != 0 {
        p.text(", (SEC) [worktodo]");
        return Ok(());
    }
    p.text(", (CLR)");
    let inside: fn(&mut Printer, &[u8], usize) -> Printed = match message.code {
        0 => {
            p.text("DODAG Information Solicitation");
            return Ok(());
        }
        1 => {
            p.text("DODAG Information Object");
            print_object
        }
        2 => {
            p.text("Destination Advertisement Object");
            print_advertisement
        }
        3 => {
            p.text("Destination Advertisement Object Ack");
            print_acknowledgement
        }
        code => {
            p.format(format_args!("RPL message, unknown code {code}"));
            return Ok(());
        }
    };
    if p.style.verbose == 0 {
        return Ok(());
    }
    inside(p, rest(message.bytes, 4), message.length.saturating_sub(4))
}

fn print_object(p: &mut Printer, bytes: &[u8], length: usize) -> Printed {
    const SIZE: usize = OBJECT_HEADER + IDENTIFIER;
    if length < SIZE {
        p.format(format_args!(" [length {length} < {SIZE}]"));
        p.invalid();
        return Ok(());
    }
    array_at::<SIZE>(bytes, 0)?;
    let (instance, rank) = (u8_at(bytes, 0)?, u16_at(bytes, 2)?);
    let (flags, sequence) = (u8_at(bytes, 4)?, u8_at(bytes, 5)?);
    p.text(" [dagid:");
    print_address(p, bytes, OBJECT_HEADER)?;
    p.format(format_args!(
        ",seq:{sequence},instance:{instance},rank:{rank},"
    ));
    p.text(if flags & 0x80 == 0 { "" } else { "grounded," });
    let mode = flags >> 3 & 7;
    match MODES.get(usize::from(mode)) {
        Some(name) => p.format(format_args!("mop:{name}")),
        None => p.format(format_args!("mop:mop{mode}")),
    }
    p.format(format_args!(",prf:{}]", flags & 7));
    print_options(p, rest(bytes, SIZE), length - SIZE)
}

fn print_advertisement(p: &mut Printer, bytes: &[u8], length: usize) -> Printed {
    // tcpdump wants the identifier captured even where the flags say that there is none.
    if bytes.len() < ADVERTISEMENT_HEADER + IDENTIFIER {
        p.truncated();
        return Ok(());
    }
    let (instance, flags, sequence) = (u8_at(bytes, 0)?, u8_at(bytes, 1)?, u8_at(bytes, 3)?);
    let has_identifier = flags & 0x40 != 0;
    print_identifier(p, bytes, has_identifier)?;
    let acknowledge = if flags & 0x80 == 0 { "" } else { ",acK" };
    let identified = if has_identifier { ",Dagid" } else { "" };
    p.format(format_args!(
        ",seq:{sequence},instance:{instance}{acknowledge}{identified},{flags:02x}]"
    ));
    let used = used(has_identifier);
    print_options(p, rest(bytes, used), length.saturating_sub(used))
}

fn print_acknowledgement(p: &mut Printer, bytes: &[u8], length: usize) -> Printed {
    let Ok([instance, flags, sequence, status]) = array_at(bytes, 0) else {
        p.truncated();
        return Ok(());
    };
    let has_identifier = flags & 0x80 != 0;
    let used = used(has_identifier);
    if bytes.len() < used {
        p.truncated();
        return Ok(());
    }
    print_identifier(p, bytes, has_identifier)?;
    p.format(format_args!(
        ",seq:{sequence},instance:{instance},status:{status}]"
    ));
    print_options(p, rest(bytes, used), length.saturating_sub(used))
}

fn used(has_identifier: bool) -> usize {
    ADVERTISEMENT_HEADER + if has_identifier { IDENTIFIER } else { 0 }
}

fn print_identifier(p: &mut Printer, bytes: &[u8], has_identifier: bool) -> Printed {
    p.text(" [dagid:");
    if has_identifier {
        return print_address(p, bytes, ADVERTISEMENT_HEADER);
    }
    p.text("<elided>");
    Ok(())
}

/// With `-vv` the options' names, with `-vvv` their contents.
fn print_options(p: &mut Printer, mut bytes: &[u8], mut length: usize) -> Printed {
    if p.style.verbose < 2 {
        return Ok(());
    }
    while length > 0 {
        let kind = u8_at(bytes, 0)?;
        let size = if kind == 0 {
            p.text(" opt:pad1");
            1
        } else {
            let Some(size) = print_option(p, bytes, length, kind)? else {
                p.truncated();
                return Ok(());
            };
            size
        };
        bytes = rest(bytes, size);
        length -= size;
    }
    Ok(())
}

/// Returns the option's size, unless it is cut.
fn print_option(p: &mut Printer, bytes: &[u8], length: usize, kind: u8) -> Printed<Option<usize>> {
    if length < 2 {
        return Ok(None);
    }
    let size = usize::from(u8_at(bytes, 1)?) + 2;
    match OPTIONS.iter().find(|(known, _)| *known == kind) {
        Some((_, name)) => p.format(format_args!(" opt:{name} len:{size} ")),
        None => p.format(format_args!(" opt:subopt:{kind} len:{size} ")),
    }
    if size > bytes.len() || size > length {
        return Ok(None);
    }
    if p.style.verbose > 2 {
        hexadecimal::print(p, " ", rest(first(bytes, size), 2));
    }
    Ok(Some(size))
}
