//! The state that all protocol printers share: output line, style, and bounds-checked access to
//! captured bytes.
//!
//! A printer is `fn(&mut Printer, bytes, length, …) -> PrintResult`: `bytes` contains the captured
//! bytes from the header on, cut at the end of the enclosing packet; `length` is the length claimed
//! by the enclosing header. If a field was not captured, the printer returns [`Truncated`]; the
//! outermost caller then ends the line with ` [|protocol]`, like tcpdump.

use std::collections::HashMap;

use super::digits;
use super::dump::{self, Dump};
use super::sequence::SeqBaseTable;

/// Style of the printed lines, set by tcpdump's options.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Style {
    /// `-q`: print less.
    pub quiet: bool,
    /// Number of `-v` options: print more.
    pub verbose: u8,
    /// `-e`: print the link-layer header.
    pub link_header: bool,
    /// `-S`: print absolute sequence numbers instead of relative ones.
    pub absolute_seq: bool,
    /// `-#`: begin each line with the packet's number.
    pub packet_numbers: bool,
    /// `--nano`: print nanoseconds (nine digits) instead of microseconds (six).
    pub nano: bool,
    /// `-t` to `-ttttt`: format of the timestamp.
    pub timestamp_format: TimestampFormat,
    /// `-A`, `-AA`, `-x`, `-xx`, `-X`, `-XX`: dump of the packet's bytes.
    pub dump: Dump,
    /// Colour the line by direction.
    pub colour: bool,
    /// Print both processes if the packet's comment names them.
    pub processes: bool,
    /// Ports given with `-p`: the side that has one is the server.
    pub server_ports: Vec<u16>,
    /// Interface names by index: Linux "cooked" captures contain only indexes.
    pub interface_names: HashMap<u32, String>,
}

/// Format of a packet's timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TimestampFormat {
    /// Local time of day.
    #[default]
    TimeOfDay,
    /// `-t`: no timestamp.
    None,
    /// `-tt`: seconds since the epoch.
    Epoch,
    /// `-ttt`: time since the previous line.
    Delta,
    /// `-tttt`: date and time of day.
    DateTime,
    /// `-ttttt`: time since the first line.
    SinceFirst,
}

/// Error: the captured bytes end before a field that is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Truncated;

/// Result of a printer. After an error, the output so far remains on the line.
pub(super) type PrintResult<T = ()> = Result<T, Truncated>;

/// State while one packet's line is written.
pub(super) struct Printer<'a> {
    /// The line so far.
    pub(super) out: &'a mut Vec<u8>,
    pub(super) style: &'a Style,
    /// Name of the protocol that is being printed, for ` [|protocol]`.
    pub(super) protocol: &'static str,
    /// Initial sequence numbers of TCP connections.
    pub(super) sequences: &'a mut SeqBaseTable,
    /// Number of IP headers that enclose the current one.
    pub(super) ip_depth: u8,
}

/// Maximum number of nested IP headers that are printed: a frame can contain enough headers to
/// overflow the stack.
pub(super) const MAX_IP_DEPTH: u8 = 64;

/// Returns the octet at `at`.
pub(super) fn u8_at(bytes: &[u8], at: usize) -> PrintResult<u8> {
    bytes.get(at).copied().ok_or(Truncated)
}

/// Returns the 16-bit number at `at`, in network byte order.
pub(super) fn u16_at(bytes: &[u8], at: usize) -> PrintResult<u16> {
    array_at(bytes, at).map(u16::from_be_bytes)
}

/// Returns the 32-bit number at `at`, in network byte order.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> PrintResult<u32> {
    array_at(bytes, at).map(u32::from_be_bytes)
}

/// Returns the 64-bit number at `at`, in network byte order.
pub(super) fn u64_at(bytes: &[u8], at: usize) -> PrintResult<u64> {
    array_at(bytes, at).map(u64::from_be_bytes)
}

/// Returns the `N` octets at `at`.
pub(super) fn array_at<const N: usize>(bytes: &[u8], at: usize) -> PrintResult<[u8; N]> {
    bytes
        .get(at..)
        .and_then(|rest| rest.first_chunk::<N>())
        .copied()
        .ok_or(Truncated)
}

/// Returns the octets from `at` on; empty if they were not captured.
pub(super) fn rest(bytes: &[u8], at: usize) -> &[u8] {
    bytes.get(at..).unwrap_or_default()
}

/// Returns the first `length` octets, or fewer if fewer were captured.
pub(super) fn first(bytes: &[u8], length: usize) -> &[u8] {
    bytes.get(..length).unwrap_or(bytes)
}

impl Printer<'_> {
    /// Writes text.
    #[inline(always)]
    pub(super) fn push_str(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    /// Writes formatted text with `write!`; slower than [`Printer::push_str`], so not for the hot
    /// path.
    pub(super) fn write_fmt(&mut self, arguments: std::fmt::Arguments) {
        use std::io::Write;
        // Writing to a Vec cannot fail.
        let _ = self.out.write_fmt(arguments);
    }

    /// Writes tcpdump's truncation marker, ` [|protocol]`.
    pub(super) fn push_truncated(&mut self) {
        self.push_str(" [|");
        self.push_str(self.protocol);
        self.push_str("]");
    }

    /// Writes the truncation marker at the end of this header's text.
    pub(super) fn end_truncated<T: Default>(&mut self) -> PrintResult<T> {
        self.push_truncated();
        Ok(T::default())
    }

    /// Writes tcpdump's ` (invalid)` at the end of this header's text.
    pub(super) fn end_invalid<T: Default>(&mut self) -> PrintResult<T> {
        self.push_invalid();
        Ok(T::default())
    }

    /// Writes tcpdump's ` (invalid)`.
    pub(super) fn push_invalid(&mut self) {
        self.push_str(" (invalid)");
    }

    /// Writes a number in decimal.
    pub(super) fn push_decimal(&mut self, value: u32) {
        digits::decimal(self.out, value);
    }

    /// Writes octets in hexadecimal, two digits each.
    pub(super) fn push_hex(&mut self, octets: &[u8]) {
        for &octet in octets {
            digits::hex(self.out, octet);
        }
    }

    /// Writes an octet as visible characters, like `cat -v`.
    pub(super) fn push_visible(&mut self, octet: u8) {
        if !octet.is_ascii() {
            self.push_str("M-");
        }
        match octet & 0x7f {
            octet @ b' '..=b'~' => self.out.push(octet),
            control => self.out.extend_from_slice(&[b'^', control ^ 0x40]),
        }
    }

    /// Writes the names of the flags that are set, or `none`.
    pub(super) fn push_flags(&mut self, names: &[(u32, &str)], flags: u32) {
        let mut separator = "";
        for (_, name) in names.iter().filter(|(flag, _)| flags & flag != 0) {
            write!(self, "{separator}{name}");
            separator = ", ";
        }
        if separator.is_empty() {
            self.push_str("none");
        }
    }

    /// Dumps the bytes of an undissected protocol, unless the style is quiet or dumps every packet
    /// in hexadecimal anyway.
    pub(super) fn dump_undissected(&mut self, bytes: &[u8]) {
        let is_quiet = self.style.quiet;
        if !is_quiet && matches!(self.style.dump, Dump::None | Dump::Ascii | Dump::AsciiLink) {
            dump::write_hex_and_ascii(self.out, bytes);
        }
    }
}
