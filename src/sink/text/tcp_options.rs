//! The options of TCP (RFC 9293 section 3.2 and
//! <https://www.iana.org/assignments/tcp-parameters/>).

use super::mptcp;
use super::number;
use super::printer::{Printed, Printer, Truncated, array_at, rest, u8_at, u16_at, u32_at};

const END: u8 = 0;
const NO_OPERATION: u8 = 1;
const TIMESTAMPS: u8 = 8;

/// Why the list of options ends early.
enum Stop {
    /// An option does not fit in the header, or is malformed.
    Bad,
    /// An option was not captured whole.
    Cut,
    /// The octets that are needed to go on at all were not captured.
    Unwind,
}

/// An option while it is being printed.
struct Value<'a> {
    /// What was captured behind its kind and length.
    bytes: &'a [u8],
    /// How many octets of header there are behind its kind and length.
    room: usize,
    /// Its length without kind and length.
    length: usize,
}

impl Value<'_> {
    /// Makes sure that `count` octets are in the header and were captured.
    #[inline]
    fn need(&self, count: usize) -> Result<(), Stop> {
        if count > self.room {
            return Err(Stop::Bad);
        }
        if count > self.bytes.len() {
            return Err(Stop::Cut);
        }
        Ok(())
    }

    fn octet(&self, at: usize) -> Result<u8, Stop> {
        self.need(at + 1)?;
        u8_at(self.bytes, at).map_err(unwind)
    }

    fn word(&self, at: usize) -> Result<u16, Stop> {
        self.need(at + 2)?;
        u16_at(self.bytes, at).map_err(unwind)
    }

    #[inline]
    fn long(&self, at: usize) -> Result<u32, Stop> {
        self.need(at + 4)?;
        u32_at(self.bytes, at).map_err(unwind)
    }
}

fn unwind(_: Truncated) -> Stop {
    Stop::Unwind
}

/// Where an option stands: the segment from its header on, and both lengths of that.
#[derive(Clone, Copy)]
struct Segment<'a> {
    bytes: &'a [u8],
    header_length: usize,
    length: usize,
    sack_base: u32,
}

/// Prints `, options […]` for a header of more than 20 octets; false where the line ends here.
#[inline]
pub(super) fn print(
    p: &mut Printer,
    bytes: &[u8],
    header_length: usize,
    length: usize,
    sack_base: u32,
) -> Printed<bool> {
    // What nearly every segment of a connection has: NOP, NOP, timestamps.
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
        p.text(", options [nop,nop,TS val ");
        number::decimal(p.out, u32::from_be_bytes([a, b, c, d]));
        p.text(" ecr ");
        number::decimal(p.out, u32::from_be_bytes([e, f, g, h]));
        p.text("]");
        return Ok(true);
    }
    let segment = Segment {
        bytes,
        header_length,
        length,
        sack_base,
    };
    p.text(", options [");
    let mut count = 0;
    let stop = print_all(p, segment, &mut count);
    match stop {
        Ok(()) => {
            p.text("]");
            return Ok(true);
        }
        Err(Stop::Unwind) => return Err(Truncated),
        Err(Stop::Bad) => p.text("[bad opt]"),
        Err(Stop::Cut) => p.truncated(),
    }
    // tcpdump closes what it opened only after the first option, and not always with the same bracket.
    if count > 0 {
        p.text(if matches!(stop, Err(Stop::Bad)) {
            "]"
        } else {
            ">"
        });
    }
    Ok(false)
}

fn print_all(p: &mut Printer, segment: Segment, count: &mut usize) -> Result<(), Stop> {
    let mut at = 20;
    while at < segment.header_length {
        if *count > 0 {
            p.text(",");
        }
        let kind = u8_at(segment.bytes, at).map_err(unwind)?;
        let head = if kind > NO_OPERATION { 2 } else { 1 };
        let whole = match kind {
            END | NO_OPERATION => 1,
            _ => usize::from(u8_at(segment.bytes, at + 1).map_err(unwind)?),
        };
        if whole < head || whole > segment.header_length - at {
            return Err(Stop::Bad);
        }
        at += head;
        let value = Value {
            bytes: rest(segment.bytes, at),
            room: segment.header_length - at,
            length: whole - head,
        };
        let printed = print_one(p, kind, &value, segment)?;
        if printed + head != whole {
            p.text("[len ");
            p.decimal(whole as u32);
            p.text("]");
        }
        at += printed;
        *count += 1;
        if kind == END {
            break;
        }
    }
    Ok(())
}

/// Prints one option; returns how many octets behind its kind and length that took.
fn print_one(p: &mut Printer, kind: u8, value: &Value, segment: Segment) -> Result<usize, Stop> {
    let printed = match kind {
        END => name(p, "eol", 0),
        NO_OPERATION => name(p, "nop", 0),
        2 => {
            p.text("mss");
            let size = value.word(0)?;
            number(p, u32::from(size), 2)
        }
        3 => {
            p.text("wscale");
            let shift = value.octet(0)?;
            number(p, u32::from(shift), 1)
        }
        4 => name(p, "sackOK", 0),
        5 => selective(p, value, segment.sack_base)?,
        6 => long(p, "echo", value)?,
        7 => long(p, "echoreply", value)?,
        TIMESTAMPS => {
            p.text("TS");
            value.need(8)?;
            let (own, echo) = (value.long(0)?, value.long(4)?);
            p.text(" val ");
            p.decimal(own);
            p.text(" ecr ");
            number::decimal(p.out, echo);
            8
        }
        11 => long(p, "cc", value)?,
        12 => long(p, "ccnew", value)?,
        13 => long(p, "", value)?,
        19 => signature(p, value, segment)?,
        20 => {
            p.text("scps");
            value.need(2)?;
            let (capabilities, id) = (value.octet(0)?, value.octet(1)?);
            p.format(format_args!(" cap {capabilities:02x} id {id}"));
            2
        }
        28 => user_timeout(p, value)?,
        29 => authentication(p, value)?,
        30 => {
            p.text("mptcp");
            value.need(value.length)?;
            let flags = u8_at(segment.bytes, 13).map_err(unwind)?;
            let option = value.bytes.get(..value.length).unwrap_or_default();
            match mptcp::print(p, option, flags) {
                Ok(true) => value.length,
                Ok(false) => return Err(Stop::Bad),
                Err(Truncated) => return Err(Stop::Unwind),
            }
        }
        34 => {
            p.text("tfo");
            value.need(value.length)?;
            p.text(" ");
            fast_open(p, value.bytes.get(..value.length).unwrap_or_default());
            value.length
        }
        254 => experiment(p, value)?,
        _ => {
            p.format(format_args!("unknown-{kind}"));
            if value.length > 0 {
                p.text(" 0x");
            }
            octets(p, value, 0)?;
            value.length
        }
    };
    Ok(printed)
}

fn name(p: &mut Printer, name: &str, printed: usize) -> usize {
    p.text(name);
    printed
}

fn number(p: &mut Printer, number: u32, printed: usize) -> usize {
    p.text(" ");
    p.decimal(number);
    printed
}

fn long(p: &mut Printer, name: &str, value: &Value) -> Result<usize, Stop> {
    p.text(name);
    let found = value.long(0)?;
    Ok(number(p, found, 4))
}

/// Octets up to the option's end, from `from` on.
fn octets(p: &mut Printer, value: &Value, from: usize) -> Result<(), Stop> {
    for at in from..value.length {
        let octet = value.octet(at)?;
        p.hex(&[octet]);
    }
    Ok(())
}

/// Selective acknowledgements (RFC 2018).
fn selective(p: &mut Printer, value: &Value, base: u32) -> Result<usize, Stop> {
    p.text("sack");
    if !value.length.is_multiple_of(8) {
        p.text(" invalid sack");
        return Ok(value.length);
    }
    p.text(" ");
    p.decimal((value.length / 8) as u32);
    p.text(" ");
    for at in (0..value.length).step_by(8) {
        let (start, end) = (value.long(at)?, value.long(at + 4)?);
        p.text("{");
        p.decimal(start.wrapping_sub(base));
        p.text(":");
        p.decimal(end.wrapping_sub(base));
        p.text("}");
    }
    Ok(value.length)
}

/// MD5 signature (RFC 2385); lcap knows no keys, and says what tcpdump says without `-M`.
fn signature(p: &mut Printer, value: &Value, segment: Segment) -> Result<usize, Stop> {
    const LENGTH: usize = 16;
    p.text("md5");
    value.need(LENGTH)?;
    p.text(if segment.bytes.len() < segment.length {
        " snaplen too short, "
    } else {
        " shared secret not supplied with -M, "
    });
    p.text("can't check - ");
    p.hex(value.bytes.get(..LENGTH).unwrap_or_default());
    Ok(LENGTH)
}

/// User timeout (RFC 5482), in seconds.
fn user_timeout(p: &mut Printer, value: &Value) -> Result<usize, Stop> {
    p.text("uto");
    let found = value.word(0)?;
    let seconds = match found & 1 {
        0 => u32::from(found >> 1),
        _ => u32::from(found >> 1) * 60,
    };
    p.format(format_args!(" 0x{found:x} {seconds}"));
    Ok(2)
}

/// Authentication (RFC 5925).
fn authentication(p: &mut Printer, value: &Value) -> Result<usize, Stop> {
    p.text("tcp-ao");
    if value.length < 2 {
        p.invalid();
        return Ok(value.length);
    }
    let key = value.octet(0)?;
    p.format(format_args!(" keyid {key}"));
    let next = value.octet(1)?;
    p.format(format_args!(" rnextkeyid {next}"));
    if value.length > 2 {
        p.text(" mac 0x");
        octets(p, value, 2)?;
    }
    Ok(value.length)
}

/// An experiment by its identifier (RFC 6994).
fn experiment(p: &mut Printer, value: &Value) -> Result<usize, Stop> {
    p.text("exp");
    value.need(value.length)?;
    if value.length < 2 {
        return Err(Stop::Bad);
    }
    let identifier = value.word(0)?;
    if identifier == 0xf989 {
        p.text("-tfo");
        fast_open(p, value.bytes.get(2..value.length).unwrap_or_default());
    } else {
        p.format(format_args!("-{identifier:04x}"));
    }
    Ok(value.length)
}

/// Fast Open (RFC 7413): a cookie, or the wish for one.
fn fast_open(p: &mut Printer, cookie: &[u8]) {
    match cookie.len() {
        0 => p.text(" cookiereq"),
        4..=16 if cookie.len().is_multiple_of(2) => {
            p.text(" cookie ");
            p.hex(cookie);
        }
        _ => p.invalid(),
    }
}
