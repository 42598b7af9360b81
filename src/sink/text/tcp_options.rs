//! TCP options (RFC 9293 section 3.2 and
//! <https://www.iana.org/assignments/tcp-parameters/>).

use super::digits;
use super::mptcp::{self, TcpOptionError};
use super::printer::{PrintResult, Printer, Truncated, array_at, rest, u8_at, u16_at, u32_at};

const END: u8 = 0;
const NO_OPERATION: u8 = 1;
const TIMESTAMPS: u8 = 8;

/// Names of the options that contain at most one number, with the number's length in octets.
const NUMBER_OPTIONS: [(u8, &str, usize); 10] = [
    (END, "eol", 0),
    (NO_OPERATION, "nop", 0),
    (2, "mss", 2),
    (3, "wscale", 1),
    (4, "sackOK", 0),
    (6, "echo", 4),
    (7, "echoreply", 4),
    (11, "cc", 4),
    (12, "ccnew", 4),
    (13, "", 4),
];

/// Result of the printer of an option: the number of octets that were used after its kind and
/// length.
type OptionResult = Result<usize, TcpOptionError>;

/// An option while it is being printed.
struct OptionValue<'a> {
    /// Captured bytes after the option's kind and length.
    bytes: &'a [u8],
    /// Number of octets from the end of kind and length to the end of the TCP header.
    header_remaining: usize,
    /// Length of the option without its kind and length octets.
    length: usize,
}

impl<'a> OptionValue<'a> {
    /// Returns the first `count` octets after kind and length.
    #[inline]
    fn first(&self, count: usize) -> Result<&'a [u8], TcpOptionError> {
        if count > self.header_remaining {
            return Err(TcpOptionError::Malformed);
        }
        self.bytes.get(..count).ok_or(TcpOptionError::Truncated)
    }

    fn u8_at(&self, at: usize) -> Result<u8, TcpOptionError> {
        Ok(u8_at(self.first(at + 1)?, at)?)
    }

    fn u16_at(&self, at: usize) -> Result<u16, TcpOptionError> {
        Ok(u16_at(self.first(at + 2)?, at)?)
    }

    fn u32_at(&self, at: usize) -> Result<u32, TcpOptionError> {
        Ok(u32_at(self.first(at + 4)?, at)?)
    }
}

/// The segment that contains the options, from its TCP header on, with its claimed lengths.
#[derive(Clone, Copy)]
struct EnclosingSegment<'a> {
    bytes: &'a [u8],
    header_length: usize,
    length: usize,
    sack_base: u32,
}

/// Prints `, options […]` for a header of more than 20 octets; returns false if the line ends after
/// the options.
#[inline]
pub(super) fn print(
    p: &mut Printer,
    bytes: &[u8],
    header_length: usize,
    length: usize,
    sack_base: u32,
) -> PrintResult<bool> {
    // Nearly every segment of a connection has these options: NOP, NOP, timestamps.
    if header_length == 32
        && let Ok([NO_OPERATION, NO_OPERATION, TIMESTAMPS, 10]) = array_at(bytes, 20)
        && let (Ok(value), Ok(echo)) = (u32_at(bytes, 24), u32_at(bytes, 28))
    {
        p.push_str(", options [nop,nop,TS val ");
        digits::decimal(p.out, value);
        p.push_str(" ecr ");
        digits::decimal(p.out, echo);
        p.push_str("]");
        return Ok(true);
    }
    let segment = EnclosingSegment {
        bytes,
        header_length,
        length,
        sack_base,
    };
    p.push_str(", options [");
    let mut count = 0;
    let result = print_options(p, segment, &mut count);
    match result {
        Ok(()) => {
            p.push_str("]");
            return Ok(true);
        }
        Err(TcpOptionError::NotCaptured) => return Err(Truncated),
        Err(TcpOptionError::Malformed) => p.push_str("[bad opt]"),
        Err(TcpOptionError::Truncated) => p.push_truncated(),
    }
    // tcpdump closes the bracket only if at least one option was printed, and sometimes with `>`.
    if count > 0 {
        p.push_str(if matches!(result, Err(TcpOptionError::Malformed)) {
            "]"
        } else {
            ">"
        });
    }
    Ok(false)
}

fn print_options(
    p: &mut Printer,
    segment: EnclosingSegment,
    count: &mut usize,
) -> Result<(), TcpOptionError> {
    let mut at = 20;
    while at < segment.header_length {
        if *count > 0 {
            p.push_str(",");
        }
        let kind = u8_at(segment.bytes, at)?;
        let head = if kind > NO_OPERATION { 2 } else { 1 };
        let whole = match kind {
            END | NO_OPERATION => 1,
            _ => usize::from(u8_at(segment.bytes, at + 1)?),
        };
        if whole < head || whole > segment.header_length - at {
            return Err(TcpOptionError::Malformed);
        }
        at += head;
        let value = OptionValue {
            bytes: rest(segment.bytes, at),
            header_remaining: segment.header_length - at,
            length: whole - head,
        };
        let printed = print_option(p, kind, &value, segment)?;
        if printed + head != whole {
            write!(p, "[len {whole}]");
        }
        at += printed;
        *count += 1;
        if kind == END {
            break;
        }
    }
    Ok(())
}

fn print_option(
    p: &mut Printer,
    kind: u8,
    value: &OptionValue,
    segment: EnclosingSegment,
) -> OptionResult {
    if let Some(&(_, name, size)) = NUMBER_OPTIONS.iter().find(|(number, ..)| *number == kind) {
        p.push_str(name);
        let octets = value.first(size)?.iter();
        if size > 0 {
            p.push_str(" ");
            p.push_decimal(octets.fold(0, |number, octet| number << 8 | u32::from(*octet)));
        }
        return Ok(size);
    }
    match kind {
        5 => return print_sack(p, value, segment.sack_base),
        TIMESTAMPS => {
            p.push_str("TS");
            let (echo, timestamp) = (value.u32_at(4)?, value.u32_at(0)?);
            write!(p, " val {timestamp} ecr {echo}");
            return Ok(8);
        }
        19 => return print_md5_signature(p, value, segment),
        20 => {
            p.push_str("scps");
            let (id, capabilities) = (value.u8_at(1)?, value.u8_at(0)?);
            write!(p, " cap {capabilities:02x} id {id}");
            return Ok(2);
        }
        28 => return print_user_timeout(p, value),
        29 => print_tcp_ao(p, value)?,
        30 => {
            p.push_str("mptcp");
            let option = value.first(value.length)?;
            mptcp::print(p, option, u8_at(segment.bytes, 13)?)?;
        }
        34 => {
            p.push_str("tfo");
            let cookie = value.first(value.length)?;
            p.push_str(" ");
            print_fast_open(p, cookie);
        }
        254 => print_experiment(p, value)?,
        _ => {
            write!(p, "unknown-{kind}");
            if value.length > 0 {
                p.push_str(" 0x");
            }
            print_octets(p, value, 0)?;
        }
    }
    Ok(value.length)
}

/// Prints the option's octets from `from` on in hexadecimal.
fn print_octets(p: &mut Printer, value: &OptionValue, from: usize) -> Result<(), TcpOptionError> {
    for at in from..value.length {
        let octet = value.u8_at(at)?;
        p.push_hex(&[octet]);
    }
    Ok(())
}

/// Prints selective acknowledgements (RFC 2018).
fn print_sack(p: &mut Printer, value: &OptionValue, base: u32) -> OptionResult {
    p.push_str("sack");
    if !value.length.is_multiple_of(8) {
        p.push_str(" invalid sack");
        return Ok(value.length);
    }
    write!(p, " {} ", value.length / 8);
    for at in (0..value.length).step_by(8) {
        let (start, end) = (value.u32_at(at)?, value.u32_at(at + 4)?);
        let (start, end) = (start.wrapping_sub(base), end.wrapping_sub(base));
        write!(p, "{{{start}:{end}}}");
    }
    Ok(value.length)
}

/// Prints an MD5 signature (RFC 2385) like tcpdump without `-M`: lcap has no key to verify it.
fn print_md5_signature(
    p: &mut Printer,
    value: &OptionValue,
    segment: EnclosingSegment,
) -> OptionResult {
    const LENGTH: usize = 16;
    p.push_str("md5");
    let signature = value.first(LENGTH)?;
    p.push_str(if segment.bytes.len() < segment.length {
        " snaplen too short, "
    } else {
        " shared secret not supplied with -M, "
    });
    p.push_str("can't check - ");
    p.push_hex(signature);
    Ok(LENGTH)
}

/// Prints the user timeout (RFC 5482), in seconds.
fn print_user_timeout(p: &mut Printer, value: &OptionValue) -> OptionResult {
    p.push_str("uto");
    let found = value.u16_at(0)?;
    let seconds = match found & 1 {
        0 => u32::from(found >> 1),
        _ => u32::from(found >> 1) * 60,
    };
    write!(p, " 0x{found:x} {seconds}");
    Ok(2)
}

/// Prints the authentication option, TCP-AO (RFC 5925).
fn print_tcp_ao(p: &mut Printer, value: &OptionValue) -> Result<(), TcpOptionError> {
    p.push_str("tcp-ao");
    if value.length < 2 {
        p.push_invalid();
        return Ok(());
    }
    write!(p, " keyid {}", value.u8_at(0)?);
    write!(p, " rnextkeyid {}", value.u8_at(1)?);
    if value.length > 2 {
        p.push_str(" mac 0x");
    }
    print_octets(p, value, 2)
}

/// Prints an experimental option with its identifier (RFC 6994).
fn print_experiment(p: &mut Printer, value: &OptionValue) -> Result<(), TcpOptionError> {
    p.push_str("exp");
    let Some((identifier, rest)) = value.first(value.length)?.split_first_chunk() else {
        return Err(TcpOptionError::Malformed);
    };
    match u16::from_be_bytes(*identifier) {
        0xf989 => {
            p.push_str("-tfo");
            print_fast_open(p, rest);
        }
        identifier => write!(p, "-{identifier:04x}"),
    }
    Ok(())
}

/// Prints a TCP Fast Open option (RFC 7413): a cookie or a cookie request.
fn print_fast_open(p: &mut Printer, cookie: &[u8]) {
    match cookie.len() {
        0 => p.push_str(" cookiereq"),
        4..=16 if cookie.len().is_multiple_of(2) => {
            p.push_str(" cookie ");
            p.push_hex(cookie);
        }
        _ => p.push_invalid(),
    }
}
