//! Prints node information queries and their replies (RFC 4620 and the drafts before it).

use super::super::address;
use super::super::printer::{Printed, Printer, array_at, first, rest, u8_at, u16_at, u32_at};
use super::{Message, name::print_character, print_address};

/// The header with its nonce.
const HEADER: usize = 16;
/// A query of KAME's first draft, which has no nonce.
const WHO_ARE_YOU: usize = 12;

const NOTHING: u16 = 0;
const SUPPORTED: u16 = 1;
const NAME: u16 = 2;
const ADDRESSES: u16 = 3;

/// The flags of [`ADDRESSES`], in the order in which they are shown; the last is a reply's only.
const ADDRESS_FLAGS: [(u16, &str); 7] = [
    (0x40, "a"),
    (0x20, "G"),
    (0x10, "S"),
    (0x08, "L"),
    (0x04, "C"),
    (0x02, "A"),
    (0x01, "T"),
];

/// A query.
pub(super) fn print_query(p: &mut Printer, message: &Message) -> Printed {
    let bytes = message.bytes;
    if bytes.len() == WHO_ARE_YOU {
        p.text(" who-are-you request");
        return Ok(());
    }
    p.text(" node information query");
    if bytes.len() < HEADER {
        p.truncated();
        return Ok(());
    }
    p.text(" (");
    let question = u16_at(bytes, 4)?;
    let flags = u16_at(bytes, 6)?;
    match question {
        NOTHING => p.text("noop"),
        SUPPORTED => print_supported(p, flags),
        NAME => p.text("DNS name"),
        ADDRESSES => {
            p.text("node addresses");
            print_flags(p, flags, first_flags(6));
        }
        _ => p.text("unknown"),
    }
    if matches!(question, NOTHING | SUPPORTED) {
        print_if_verbose(p, bytes.len() != HEADER, ", invalid len");
    } else if bytes.len() == HEADER {
        p.text(", 03 draft");
    } else {
        print_subject(p, message)?;
    }
    p.text(")");
    Ok(())
}

fn first_flags(count: usize) -> &'static [(u16, &'static str)] {
    ADDRESS_FLAGS.get(..count).unwrap_or(&ADDRESS_FLAGS)
}

fn print_supported(p: &mut Printer, flags: u16) {
    p.text("supported qtypes");
    print_flags(p, flags, &[(1, "C")]);
}

fn print_flags(p: &mut Printer, flags: u16, names: &[(u16, &str)]) {
    if flags == 0 {
        return;
    }
    p.text(" [");
    for (_, name) in names.iter().filter(|(flag, _)| flags & flag != 0) {
        p.text(name);
    }
    p.text("]");
}

fn print_if_verbose(p: &mut Printer, applies: bool, words: &str) {
    if applies && p.style.verbose > 0 {
        p.text(words);
    }
}

/// Whom the question is about.
fn print_subject(p: &mut Printer, message: &Message) -> Printed {
    const WRONG: &str = ", invalid subject len";
    let subject = rest(message.bytes, HEADER);
    match (message.code, subject.len()) {
        (0, 16) => {
            p.text(", subject=");
            print_address(p, subject, 0)?;
        }
        (0, length) => print_if_verbose(p, length > 16, WRONG),
        (1, _) => {
            p.text(", subject=DNS name");
            print_name(p, subject)?;
        }
        (2, 4) => {
            p.text(", subject=");
            address::ip4(p.out, array_at(subject, 0)?);
        }
        (2, length) => print_if_verbose(p, length > 4, WRONG),
        _ => p.text(", unknown subject"),
    }
    Ok(())
}

/// A name to the end of the packet: one length for all of it, as draft 03 had it, or labels.
fn print_name(p: &mut Printer, bytes: &[u8]) -> Printed {
    let size = usize::from(u8_at(bytes, 0)?);
    let whole = rest(bytes, 1);
    let is_draft = size == whole.len();
    print_if_verbose(p, is_draft, ", 03 draft");
    p.text(", \"");
    if is_draft {
        print_characters(p, whole);
    } else {
        print_labels(p, bytes);
    }
    p.text("\"");
    Ok(())
}

fn print_characters(p: &mut Printer, characters: &[u8]) {
    for &octet in characters {
        print_character(p, octet);
    }
}

/// Labels without pointers, shown as far as they are ones.
fn print_labels(p: &mut Printer, mut bytes: &[u8]) {
    while let Some((&size, left)) = bytes.split_first() {
        let size = usize::from(size);
        if size == 0 {
            // Zero ends a full name, two zeros one that is not full.
            p.text(match left {
                [] => ".",
                [0] => "",
                _ => "???",
            });
            return;
        }
        if size > left.len() {
            p.text("???");
            return;
        }
        print_characters(p, first(left, size));
        bytes = rest(left, size);
        if bytes.len() > 1 && bytes.first() != Some(&0) {
            p.text(".");
        }
    }
}

/// A reply.
pub(super) fn print_reply(p: &mut Printer, message: &Message) -> Printed {
    let bytes = message.bytes;
    if message.length > bytes.len() || bytes.len() < HEADER {
        p.truncated();
        return Ok(());
    }
    p.text(" node information reply (");
    match message.code {
        0 => print_answer(p, message)?,
        1 => print_refusal(p, message, "refused"),
        2 => print_refusal(p, message, "unknown"),
        _ => {}
    }
    p.text(")");
    Ok(())
}

fn print_refusal(p: &mut Printer, message: &Message, words: &str) {
    p.text(words);
    print_if_verbose(p, message.bytes.len() != HEADER, ", invalid length");
}

fn print_answer(p: &mut Printer, message: &Message) -> Printed {
    let bytes = message.bytes;
    let flags = u16_at(bytes, 6)?;
    print_if_verbose(p, true, "success, ");
    match u16_at(bytes, 4)? {
        NOTHING => {
            p.text("noop");
            print_if_verbose(p, bytes.len() != HEADER, ", invalid length");
        }
        SUPPORTED => print_supported(p, flags),
        NAME => {
            p.text("DNS name");
            print_name(p, rest(bytes, HEADER + 4))?;
            if flags & 1 != 0 {
                let time_to_live = u32_at(bytes, HEADER)?;
                p.format(format_args!(" [TTL={time_to_live}]"));
            }
        }
        ADDRESSES => {
            p.text("node addresses");
            for entry in rest(bytes, HEADER).chunks_exact(20) {
                let time_to_live = u32_at(entry, 0)?;
                p.text(" ");
                print_address(p, entry, 4)?;
                p.format(format_args!("({time_to_live})"));
            }
            print_flags(p, flags, &ADDRESS_FLAGS);
        }
        _ => p.text("unknown"),
    }
    Ok(())
}
