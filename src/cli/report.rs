//! What is said on standard error: counters, losses, errors. Every loss is told here and nowhere else.

use std::fmt::Write as _;
use std::io::Write as _;

use super::size::display;
use super::terminal;
use crate::error::Error;
use crate::filter::Filter;
use crate::flow::FlowCounts;
use crate::owners::Way;
use crate::packet::Interface;
use crate::pipeline::Counts;
use crate::source::Losses;

/// An error, with its remedy.
pub(super) fn error(error: &Error) {
    say(&format!("lcap: {error}\n"));
}

/// A live capture begins; how it finds out whose packets are, where it does.
pub(super) fn listening(interface: &Interface, ring: u64, way: Option<&Way>) {
    let name = interface.name.as_deref().unwrap_or("?");
    let link = interface.link.name().unwrap_or("?");
    let (snap_len, ring) = (interface.snap_len, display(ring));
    let way = match way {
        Some(Way::Told) => ", processes by BPF",
        Some(Way::Looked { .. }) => ", processes by lookup",
        None => "",
    };
    say(&format!(
        "lcap: listening on {name}, link-type {link}, snapshot length {snap_len} bytes, ring {ring}{way}\n"
    ));
}

/// Why the kernel does not tell who begins connections, and what that means.
pub(super) fn way(way: &Way) {
    let Way::Looked { why, births } = way else {
        return;
    };
    say(&format!(
        "lcap: no BPF: {why}\nlcap: who is gone before its SYN was looked up, or is refused, is not known\n"
    ));
    if let Some(why) = births {
        say(&format!(
            "lcap: no process connector: {why}\n\
             lcap: a server's child that answers and ends at once may not be known\n"
        ));
    }
}

/// The kernel could not tell of everything.
pub(super) fn untold_changes(changes: u64) {
    if changes > 0 {
        let changes = plural(changes, "change", "of connections were not told");
        say(&format!(
            "lcap: {}: there were too many at once\n",
            changes.trim_end()
        ));
    }
}

/// The capture goes on without names.
pub(super) fn no_processes(error: &Error) {
    say(&format!("lcap: processes are not looked up: {error}\n"));
}

/// The doctor watches a port.
pub(super) fn watching(port: u16, seconds: u64) {
    say(&format!("lcap: watching port {port} for {seconds} s\n"));
}

/// Sockets are listed, and of so many the processes are not known; so many processes may not be looked at.
pub(super) fn unseen(sockets: usize, hidden: usize) {
    if sockets > 0 && hidden > 0 {
        let sockets = plural(sockets as u64, "socket", "of processes that are not known");
        say(&format!(
            "lcap: {}: {hidden} processes may not be looked at; sudo lcap ports sees them\n",
            sockets.trim_end()
        ));
    }
}

/// Packets whose processes nobody knows, while some processes' were asked for.
pub(super) fn untold(packets: u64) {
    if packets > 0 {
        let packets = plural(packets, "packet", "left out");
        say(&format!(
            "lcap: {}: it is not known whose they are\n",
            packets.trim_end()
        ));
    }
}

/// Counters of a live capture in tcpdump's words.
pub(super) fn counters(counts: &Counts, losses: Option<Losses>) {
    let mut text = plural(counts.packets, "packet", "captured");
    if let Some(losses) = losses {
        text += &plural(losses.received, "packet", "received by filter");
        text += &plural(losses.dropped, "packet", "dropped by kernel");
        if losses.dropped_by_interface > 0 {
            text += &plural(
                losses.dropped_by_interface,
                "packet",
                "dropped by interface",
            );
        }
    }
    say(&text);
}

/// A live capture has ended.
pub(super) fn device(counts: &Counts, losses: Losses, ring: u64) {
    counters(counts, Some(losses));
    if losses.dropped > 0 {
        let wanted = enough(counts, losses, ring);
        let advice = if wanted <= LARGEST_RING {
            let (size, flag) = (display(wanted), wanted >> 20);
            format!("about {size} would have held them (-B {flag}MiB); a")
        } else {
            "no ring is as large as they were; a".into()
        };
        say(&format!(
            "lcap: the ring of {} was full: {advice} filter or a smaller -s fits more packets into it\n",
            display(ring)
        ));
    }
    not_understood(counts);
}

/// A ring's size is a positive 32-bit number, in bytes, and is advised in steps of 16 MiB.
const LARGEST_RING: u64 = (2 << 30) - (16 << 20);

/// The ring that would have held everything: what was lost as large as what came through, in whole MiB.
fn enough(counts: &Counts, losses: Losses, ring: u64) -> u64 {
    /// What the kernel keeps beside each packet: its header, the address and the alignment.
    const OVERHEAD: u64 = 96;
    let mean = counts.bytes / counts.frames.max(1) + OVERHEAD;
    (ring + losses.dropped * mean).next_multiple_of(16 << 20)
}

/// A file has been read.
pub(super) fn file(counts: &Counts, losses: Losses, filter: &Filter) {
    not_understood(counts);
    if losses.skipped_blocks > 0 {
        say(&format!(
            "lcap: {}",
            plural(
                losses.skipped_blocks,
                "block",
                "without a packet passed over"
            )
        ));
    }
    if filter.undecided() > 0 {
        let frames = plural(filter.undecided(), "frame", "left out");
        say(&format!(
            "lcap: {}: the expression means nothing on their link type\n",
            frames.trim_end()
        ));
    }
}

/// Flows were followed: what of that was not possible.
pub(super) fn flows(counts: FlowCounts) {
    let mut text = String::new();
    let mut told = |count: u64, noun, rest: &str| {
        if count > 0 {
            text += &format!("lcap: {}", plural(count, noun, rest));
        }
    };
    told(
        counts.evicted,
        "flow",
        "let go before the end, because there were too many (--max-flows)",
    );
    told(
        counts.incomplete,
        "IP datagram",
        "of which fragments are missing or cut",
    );
    told(
        counts.unreadable,
        "packet",
        "of no flow, with a cut or impossible header",
    );
    say(&text);
}

fn not_understood(counts: &Counts) {
    let mut text = String::new();
    if counts.unknown_link > 0 {
        let frames = plural(
            counts.unknown_link,
            "frame",
            "of a link type that lcap does not read",
        );
        let _ = write!(text, "lcap: {frames}");
    }
    if counts.malformed > 0 {
        let frames = plural(counts.malformed, "frame", "with a cut or impossible header");
        let _ = write!(text, "lcap: {frames}");
    }
    say(&text);
}

fn plural(count: u64, noun: &str, rest: &str) -> String {
    format!(
        "{count} {noun}{} {rest}\n",
        if count == 1 { "" } else { "s" }
    )
}

/// Standard error may be closed; then there is nobody to tell. Control characters in names of files or devices are not passed on.
fn say(text: &str) {
    let clean = clean(text);
    if clean.is_empty() {
        return;
    }
    // On a terminal a counter may be drawn there, or the echo of Ctrl-C.
    let begin = if terminal::is_there() {
        terminal::CLEAR_LINE
    } else {
        ""
    };
    let _ = std::io::stderr().write_all(format!("{begin}{clean}").as_bytes());
}

/// The same of what is one line: nothing in it begins another.
pub(super) fn clean_line(text: &str) -> String {
    clean(&text.replace('\n', "\u{fffd}"))
}

/// A text in which control characters of names, files and devices are seen and not obeyed; lines end.
pub(super) fn clean(text: &str) -> String {
    let shown = |c: char| match c.is_control() && c != '\n' {
        true => char::REPLACEMENT_CHARACTER,
        false => c,
    };
    text.chars().map(shown).collect()
}
