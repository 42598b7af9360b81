//! What every protocol's printer works with: the line so far, the style, and bytes that may end too early.
//!
//! A printer is `fn(&mut Printer, bytes, length, …) -> Printed`: `bytes` is what was captured from the header on, cut where
//! the enclosing header ends; `length` is how long it claims to be. Where a field was not captured the printer returns
//! [`Truncated`] with `?`; the caller at the top then ends the line with ` [|protocol]`, as tcpdump does.

use super::interface::Interfaces;
use super::sequence::Sequences;
use super::{dump, number};

/// How packets are shown: tcpdump's options.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Style {
    /// `-q`: less.
    pub quiet: bool,
    /// `-v`, `-vv`, `-vvv`: more.
    pub verbose: u8,
    /// `-e`: the link header too.
    pub link: bool,
    /// `-S`: sequence numbers as they are, not relative to the first.
    pub absolute: bool,
    /// `-#`: the packet's number first.
    pub number: bool,
    /// `--nano`: nine digits of a second, not six.
    pub nano: bool,
    /// `-t` to `-ttttt`.
    pub clock: Clock,
    /// `-A`, `-x`, `-xx`, `-X`, `-XX`.
    pub dump: Dump,
    /// Colour by direction.
    pub colour: bool,
    /// Who sends to whom, where a packet's comment tells.
    pub processes: bool,
    /// Ports that `-p` named: on the side of the server.
    pub ports: Vec<u16>,
}

/// How the time of a packet is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Clock {
    /// Local time of day.
    #[default]
    Time,
    /// `-t`: not at all.
    None,
    /// `-tt`: seconds since the epoch.
    Epoch,
    /// `-ttt`: since the line before.
    Delta,
    /// `-tttt`: date and time of day.
    Date,
    /// `-ttttt`: since the first line.
    SinceFirst,
}

/// Which bytes of a packet are shown below its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dump {
    /// None.
    #[default]
    None,
    /// `-A`: as ASCII, without the link header.
    Ascii,
    /// `-AA`: with it.
    AsciiLink,
    /// `-x`: in hexadecimal, without the link header.
    Hex,
    /// `-xx`: with it.
    HexLink,
    /// `-X`: both, without the link header.
    Both,
    /// `-XX`: with it.
    BothLink,
}

/// The captured bytes ended where a field was wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Truncated;

/// What a printer returns: what it wrote to the line stands either way.
pub(super) type Printed<T = ()> = Result<T, Truncated>;

/// One packet's line while it is being written.
pub(super) struct Printer<'a> {
    /// The line so far.
    pub(super) out: &'a mut Vec<u8>,
    /// How to show.
    pub(super) style: &'a Style,
    /// The protocol being printed, for `[|protocol]`.
    pub(super) protocol: &'static str,
    /// Where the sequence numbers of each TCP connection began.
    pub(super) sequences: &'a mut Sequences,
    /// The names of this machine's interfaces.
    pub(super) interfaces: &'a mut Interfaces,
    /// How many IP headers the one being printed is inside of.
    pub(super) depth: u8,
}

/// IP headers inside of each other that are still printed; a frame could hold enough to overflow the stack.
pub(super) const MAX_DEPTH: u8 = 64;

/// The octet at `at`.
pub(super) fn u8_at(bytes: &[u8], at: usize) -> Printed<u8> {
    bytes.get(at).copied().ok_or(Truncated)
}

/// The 16-bit number at `at`, in network byte order.
pub(super) fn u16_at(bytes: &[u8], at: usize) -> Printed<u16> {
    array_at(bytes, at).map(u16::from_be_bytes)
}

/// The 32-bit number at `at`, in network byte order.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> Printed<u32> {
    array_at(bytes, at).map(u32::from_be_bytes)
}

/// The 64-bit number at `at`, in network byte order.
pub(super) fn u64_at(bytes: &[u8], at: usize) -> Printed<u64> {
    array_at(bytes, at).map(u64::from_be_bytes)
}

/// The `N` octets at `at`.
pub(super) fn array_at<const N: usize>(bytes: &[u8], at: usize) -> Printed<[u8; N]> {
    bytes
        .get(at..)
        .and_then(|rest| rest.first_chunk::<N>())
        .copied()
        .ok_or(Truncated)
}

/// The octets from `at` on; none where they were not captured.
pub(super) fn rest(bytes: &[u8], at: usize) -> &[u8] {
    bytes.get(at..).unwrap_or_default()
}

/// The first `length` octets, or fewer where fewer were captured.
pub(super) fn first(bytes: &[u8], length: usize) -> &[u8] {
    bytes.get(..length).unwrap_or(bytes)
}

impl Printer<'_> {
    /// Writes text.
    #[inline(always)]
    pub(super) fn text(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    /// Writes formatted text; for everything that is not on the hot path.
    pub(super) fn format(&mut self, arguments: std::fmt::Arguments) {
        use std::io::Write;
        // Writing to a Vec cannot fail.
        let _ = self.out.write_fmt(arguments);
    }

    /// tcpdump's ` [|protocol]`.
    pub(super) fn truncated(&mut self) {
        self.text(" [|");
        self.text(self.protocol);
        self.text("]");
    }

    /// tcpdump's ` (invalid)`.
    pub(super) fn invalid(&mut self) {
        self.text(" (invalid)");
    }

    /// Writes a number in decimal.
    pub(super) fn decimal(&mut self, value: u32) {
        number::decimal(self.out, value);
    }

    /// Writes octets in hexadecimal, two digits each.
    pub(super) fn hex(&mut self, octets: &[u8]) {
        for &octet in octets {
            number::hex8(self.out, octet);
        }
    }

    /// Shows what nothing is known of as bytes, unless the style shows bytes anyway or is to be short.
    pub(super) fn unknown_bytes(&mut self, bytes: &[u8]) {
        let is_short = self.style.quiet;
        if !is_short && matches!(self.style.dump, Dump::None | Dump::Ascii | Dump::AsciiLink) {
            dump::hex_and_ascii(self.out, bytes);
        }
    }
}
