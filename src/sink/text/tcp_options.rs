//! TCP options (RFC 9293 section 3.2 and
//! <https://www.iana.org/assignments/tcp-parameters/>).

use super::digits;
use super::mptcp;
use super::printer::{PrintResult, Printer, Truncated, array_at, rest, u8_at, u16_at, u32_at};

const END: u8 = 0;
const NO_OPERATION: u8 = 1;
const TIMESTAMPS: u8 = 8;

/// Reason why the list of options ends early.
enum TcpOptionError {
    /// An option does not fit into the header or is malformed.
    Malformed,
    /// An option was not captured completely.
    Truncated,
    /// Octets that the printer cannot continue without were not captured.
    NotCaptured,
}

/// An option while it is being printed.
struct OptionValue<'a> {
    /// Captured bytes after the option's kind and length.
    bytes: &'a [u8],
    /// Number of octets from the end of kind and length to the end of the TCP header.
    header_remaining: usize,
    /// Length of the option without its kind and length octets.
    length: usize,
}

impl OptionValue<'_> {
    /// Checks that the header contains `count` octets after kind and length, and that they were
    /// captured.
    #[inline]
    fn require(&self, count: usize) -> Result<(), TcpOptionError> {
        if count > self.header_remaining {
            return Err(TcpOptionError::Malformed);
        }
        if count > self.bytes.len() {
            return Err(TcpOptionError::Truncated);
        }
        Ok(())
    }

    fn u8_at(&self, at: usize) -> Result<u8, TcpOptionError> {
        self.require(at + 1)?;
        u8_at(self.bytes, at).map_err(not_captured)
    }

    fn u16_at(&self, at: usize) -> Result<u16, TcpOptionError> {
        self.require(at + 2)?;
        u16_at(self.bytes, at).map_err(not_captured)
    }

    #[inline]
    fn u32_at(&self, at: usize) -> Result<u32, TcpOptionError> {
        self.require(at + 4)?;
        u32_at(self.bytes, at).map_err(not_captured)
    }
}

fn not_captured(_: Truncated) -> TcpOptionError {
    TcpOptionError::NotCaptured
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
        && let Ok(
            [
                NO_OPERATION,
                NO_OPERATION,
                TIMESTAMPS,
                10,
                a,
                b,
                c,
                d,
                e,
                f,
                g,
                h,
            ],
        ) = array_at::<12>(bytes, 20)
    {
        p.push_str(", options [nop,nop,TS val ");
        digits::decimal(p.out, u32::from_be_bytes([a, b, c, d]));
        p.push_str(" ecr ");
        digits::decimal(p.out, u32::from_be_bytes([e, f, g, h]));
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
        let kind = u8_at(segment.bytes, at).map_err(not_captured)?;
        let head = if kind > NO_OPERATION { 2 } else { 1 };
        let whole = match kind {
            END | NO_OPERATION => 1,
            _ => usize::from(u8_at(segment.bytes, at + 1).map_err(not_captured)?),
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
            p.push_str("[len ");
            p.push_decimal(whole as u32);
            p.push_str("]");
        }
        at += printed;
        *count += 1;
        if kind == END {
            break;
        }
    }
    Ok(())
}

/// Prints an option; returns the number of octets that were used after its kind and length.
fn print_option(
    p: &mut Printer,
    kind: u8,
    value: &OptionValue,
    segment: EnclosingSegment,
) -> Result<usize, TcpOptionError> {
    let printed = match kind {
        END => print_name(p, "eol", 0),
        NO_OPERATION => print_name(p, "nop", 0),
        2 => {
            p.push_str("mss");
            let size = value.u16_at(0)?;
            print_number(p, u32::from(size), 2)
        }
        3 => {
            p.push_str("wscale");
            let shift = value.u8_at(0)?;
            print_number(p, u32::from(shift), 1)
        }
        4 => print_name(p, "sackOK", 0),
        5 => print_sack(p, value, segment.sack_base)?,
        6 => print_u32(p, "echo", value)?,
        7 => print_u32(p, "echoreply", value)?,
        TIMESTAMPS => {
            p.push_str("TS");
            value.require(8)?;
            let (timestamp, echo) = (value.u32_at(0)?, value.u32_at(4)?);
            p.push_str(" val ");
            p.push_decimal(timestamp);
            p.push_str(" ecr ");
            digits::decimal(p.out, echo);
            8
        }
        11 => print_u32(p, "cc", value)?,
        12 => print_u32(p, "ccnew", value)?,
        13 => print_u32(p, "", value)?,
        19 => print_md5_signature(p, value, segment)?,
        20 => {
            p.push_str("scps");
            value.require(2)?;
            let (capabilities, id) = (value.u8_at(0)?, value.u8_at(1)?);
            p.format(format_args!(" cap {capabilities:02x} id {id}"));
            2
        }
        28 => print_user_timeout(p, value)?,
        29 => print_tcp_ao(p, value)?,
        30 => {
            p.push_str("mptcp");
            value.require(value.length)?;
            let flags = u8_at(segment.bytes, 13).map_err(not_captured)?;
            let option = value.bytes.get(..value.length).unwrap_or_default();
            match mptcp::print(p, option, flags) {
                Ok(true) => value.length,
                Ok(false) => return Err(TcpOptionError::Malformed),
                Err(Truncated) => return Err(TcpOptionError::NotCaptured),
            }
        }
        34 => {
            p.push_str("tfo");
            value.require(value.length)?;
            p.push_str(" ");
            print_fast_open(p, value.bytes.get(..value.length).unwrap_or_default());
            value.length
        }
        254 => print_experiment(p, value)?,
        _ => {
            p.format(format_args!("unknown-{kind}"));
            if value.length > 0 {
                p.push_str(" 0x");
            }
            print_octets(p, value, 0)?;
            value.length
        }
    };
    Ok(printed)
}

/// Prints a name; returns `used`, the number of octets used after the option's kind and length.
fn print_name(p: &mut Printer, name: &str, used: usize) -> usize {
    p.push_str(name);
    used
}

/// Prints a number; returns `used`, the number of octets that encode the number.
fn print_number(p: &mut Printer, number: u32, used: usize) -> usize {
    p.push_str(" ");
    p.push_decimal(number);
    used
}

fn print_u32(p: &mut Printer, name: &str, value: &OptionValue) -> Result<usize, TcpOptionError> {
    p.push_str(name);
    let found = value.u32_at(0)?;
    Ok(print_number(p, found, 4))
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
fn print_sack(p: &mut Printer, value: &OptionValue, base: u32) -> Result<usize, TcpOptionError> {
    p.push_str("sack");
    if !value.length.is_multiple_of(8) {
        p.push_str(" invalid sack");
        return Ok(value.length);
    }
    p.push_str(" ");
    p.push_decimal((value.length / 8) as u32);
    p.push_str(" ");
    for at in (0..value.length).step_by(8) {
        let (start, end) = (value.u32_at(at)?, value.u32_at(at + 4)?);
        p.push_str("{");
        p.push_decimal(start.wrapping_sub(base));
        p.push_str(":");
        p.push_decimal(end.wrapping_sub(base));
        p.push_str("}");
    }
    Ok(value.length)
}

/// Prints an MD5 signature (RFC 2385) like tcpdump without `-M`: lcap has no key to verify it.
fn print_md5_signature(
    p: &mut Printer,
    value: &OptionValue,
    segment: EnclosingSegment,
) -> Result<usize, TcpOptionError> {
    const LENGTH: usize = 16;
    p.push_str("md5");
    value.require(LENGTH)?;
    p.push_str(if segment.bytes.len() < segment.length {
        " snaplen too short, "
    } else {
        " shared secret not supplied with -M, "
    });
    p.push_str("can't check - ");
    p.push_hex(value.bytes.get(..LENGTH).unwrap_or_default());
    Ok(LENGTH)
}

/// Prints the user timeout (RFC 5482), in seconds.
fn print_user_timeout(p: &mut Printer, value: &OptionValue) -> Result<usize, TcpOptionError> {
    p.push_str("uto");
    let found = value.u16_at(0)?;
    let seconds = match found & 1 {
        0 => u32::from(found >> 1),
        _ => u32::from(found >> 1) * 60,
    };
    p.format(format_args!(" 0x{found:x} {seconds}"));
    Ok(2)
}

/// Prints the authentication option, TCP-AO (RFC 5925).
fn print_tcp_ao(p: &mut Printer, value: &OptionValue) -> Result<usize, TcpOptionError> {
    p.push_str("tcp-ao");
    if value.length < 2 {
        p.push_invalid();
        return Ok(value.length);
    }
    let key = value.u8_at(0)?;
    p.format(format_args!(" keyid {key}"));
    let next = value.u8_at(1)?;
    p.format(format_args!(" rnextkeyid {next}"));
    if value.length > 2 {
        p.push_str(" mac 0x");
        print_octets(p, value, 2)?;
    }
    Ok(value.length)
}

/// Prints an experimental option with its identifier (RFC 6994).
fn print_experiment(p: &mut Printer, value: &OptionValue) -> Result<usize, TcpOptionError> {
    p.push_str("exp");
    value.require(value.length)?;
    if value.length < 2 {
        return Err(TcpOptionError::Malformed);
    }
    let identifier = value.u16_at(0)?;
    if identifier == 0xf989 {
        p.push_str("-tfo");
        print_fast_open(p, value.bytes.get(2..value.length).unwrap_or_default());
    } else {
        p.format(format_args!("-{identifier:04x}"));
    }
    Ok(value.length)
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
