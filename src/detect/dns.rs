//! DNS (RFC 1035) over UDP and TCP, and protocols with its message format: multicast DNS (RFC 6762)
//! and LLMNR (RFC 4795).

use super::cursor::{Cursor, ParseError, ParseResult, is_text};
use super::{Detector, DetectorVerdict, Opening, ServiceAttributes};
use crate::packet::{TCP, UDP};

pub(super) const DETECTOR: Detector = Detector {
    name: "dns",
    transports: &[UDP],
    detect: detect_udp,
};

/// Detector of DNS over TCP, where each message is preceded by its length.
pub(super) const TCP_DETECTOR: Detector = Detector {
    name: "dns",
    transports: &[TCP],
    detect: detect_tcp,
};

const HEADER_LEN: usize = 12;

/// Fields of a DNS message that the detector uses.
struct DnsMessage<'a> {
    id: u16,
    flags: u16,
    /// First question: its labels as in the message, and its type.
    question: Option<(&'a [u8], u16)>,
}

const QR_FLAG: u16 = 0x8000;
const RA_FLAG: u16 = 0x0080;
/// Reserved bit, zero in all messages.
const Z_FLAG: u16 = 0x0040;

/// OPT pseudo-record, whose class field is the size of a UDP payload (RFC 6891).
const TYPE_OPT: u16 = 41;

/// Limits above the counts in real messages; zone transfers fill whole messages with answers.
const MAX_QUESTIONS: u16 = 64;
const MAX_RECORDS: u16 = 4_096;

fn detect_udp(opening: &Opening) -> DetectorVerdict {
    combine_sides(message(opening.orig), message(opening.resp))
}

fn detect_tcp(opening: &Opening) -> DetectorVerdict {
    combine_sides(
        length_prefixed_message(opening.orig),
        length_prefixed_message(opening.resp),
    )
}

fn combine_sides(orig: ParseResult<DnsMessage>, resp: ParseResult<DnsMessage>) -> DetectorVerdict {
    match (orig, resp) {
        (Err(ParseError::Mismatch), _) | (_, Err(ParseError::Mismatch)) => DetectorVerdict::No,
        (Err(ParseError::Incomplete), Err(ParseError::Incomplete)) => DetectorVerdict::Maybe,
        (Ok(message), Err(ParseError::Incomplete)) | (Err(ParseError::Incomplete), Ok(message)) => {
            DetectorVerdict::Yes(attributes(&message, &message))
        }
        (Ok(query), Ok(response)) if response.flags & QR_FLAG != 0 => {
            DetectorVerdict::Done(attributes(&query, &response))
        }
        // The sides are reversed: the capture started with the response to an earlier query.
        (Ok(response), Ok(query)) if response.flags & QR_FLAG != 0 => {
            DetectorVerdict::Done(attributes(&query, &query))
        }
        _ => DetectorVerdict::No,
    }
}

/// Returns the attributes of a query. The response code is included only if the IDs match: of two
/// concurrent queries, the second can be answered first.
fn attributes(query: &DnsMessage, response: &DnsMessage) -> ServiceAttributes {
    let is_answer = response.flags & QR_FLAG != 0 && response.id == query.id;
    let code = is_answer.then(|| rcode_name(response.flags & 15));
    let (name, kind) = match query.question {
        Some((labels, kind)) => (dotted_name(labels), type_name(kind)),
        None => Default::default(),
    };
    ServiceAttributes::new(
        &["query", "type", "rcode"],
        [
            &name[..],
            kind.as_bytes(),
            code.unwrap_or_default().as_bytes(),
        ],
    )
}

fn length_prefixed_message(bytes: &[u8]) -> ParseResult<DnsMessage<'_>> {
    let mut cursor = Cursor::new(bytes);
    let len = usize::from(cursor.u16()?);
    if len < HEADER_LEN {
        return Err(ParseError::Mismatch);
    }
    let captured = cursor.take_up_to(len);
    match message(captured) {
        Err(ParseError::Incomplete) if captured.len() == len => Err(ParseError::Mismatch),
        parsed => parsed,
    }
}

/// Parses a message. Its first question, or its first record if it has no question, must be
/// complete; the captured bytes can end after it.
///
/// ```text
///  0    2       4           6         8           10           12
/// ├────┼───────┼───────────┼─────────┼───────────┼────────────┼───────────
/// │ id │ flags │ questions │ answers │ authority │ additional │ questions: name, type,
///                                                             │   class
///                                                             │ records: name, type, class,
///                                                             │   TTL (4), data length (2),
///                                                             │   data
/// ```
fn message(bytes: &[u8]) -> ParseResult<DnsMessage<'_>> {
    let mut cursor = Cursor::new(bytes);
    let (id, flags) = (cursor.u16()?, cursor.u16()?);
    check_flags(flags)?;
    let questions = cursor.u16()?;
    if questions > MAX_QUESTIONS || (questions == 0 && flags & QR_FLAG == 0) {
        return Err(ParseError::Mismatch);
    }
    let mut records = 0;
    for _ in 0..3 {
        let count = cursor.u16()?;
        if count > MAX_RECORDS {
            return Err(ParseError::Mismatch);
        }
        records += count;
    }
    let mut message = DnsMessage {
        id,
        flags,
        question: None,
    };
    if questions == 0 && records == 0 {
        // Some servers respond to a query that they cannot parse with a header alone.
        let is_error_response = flags & 15 != 0 && cursor.rest.is_empty();
        return is_error_response
            .then_some(message)
            .ok_or(ParseError::Mismatch);
    }
    let mut sections = DnsSections { bytes, cursor };
    if questions > 0 {
        let (name, kind) = sections.question()?;
        if is_netbios_name(name) {
            return Err(ParseError::Mismatch);
        }
        message.question = Some((name, kind));
    } else {
        sections.record()?;
        records -= 1;
    }
    match sections.check_rest(questions.saturating_sub(1), records) {
        Err(ParseError::Mismatch) => Err(ParseError::Mismatch),
        // Datagrams can be truncated.
        Ok(()) | Err(ParseError::Incomplete) => Ok(message),
    }
}

/// Checks the flags of a header.
///
/// ```text
///  0    1        5    6    7    8    9   10   11   12     16
/// ├────┼────────┼────┼────┼────┼────┼────┼────┼────┼──────┤
/// │ QR │ opcode │ AA │ TC │ RD │ RA │ 0  │ AD │ CD │ code │
/// ```
fn check_flags(flags: u16) -> ParseResult<()> {
    // QUERY, STATUS, NOTIFY, UPDATE.
    let is_valid_opcode = matches!(flags >> 11 & 15, 0 | 2 | 4 | 5);
    let is_valid_query = flags & QR_FLAG != 0 || flags & (RA_FLAG | 15) == 0;
    match is_valid_opcode && is_valid_query && flags & Z_FLAG == 0 {
        true => Ok(()),
        false => Err(ParseError::Mismatch),
    }
}

/// Returns true for a NetBIOS name, whose 16 bytes are encoded as 32 letters (RFC 1001). NetBIOS
/// messages have the format of DNS messages, with other types and flags.
fn is_netbios_name(name: &[u8]) -> bool {
    match name {
        [32, letters @ ..] => letters
            .iter()
            .take(32)
            .all(|byte| (b'A'..=b'P').contains(byte)),
        _ => false,
    }
}

/// Sections of a message after its header.
struct DnsSections<'a> {
    /// Whole message: the pointers in compressed names are offsets from its first byte.
    bytes: &'a [u8],
    cursor: Cursor<'a>,
}

impl<'a> DnsSections<'a> {
    fn check_rest(&mut self, questions: u16, records: u16) -> ParseResult<()> {
        for _ in 0..questions {
            self.question()?;
        }
        for _ in 0..records {
            self.record()?;
        }
        match self.cursor.rest {
            [] => Ok(()),
            _ => Err(ParseError::Mismatch),
        }
    }

    fn question(&mut self) -> ParseResult<(&'a [u8], u16)> {
        let name = self.name()?;
        let kind = self.cursor.u16()?;
        check_class(self.cursor.u16()?)?;
        Ok((name, kind))
    }

    fn record(&mut self) -> ParseResult<()> {
        self.name()?;
        let (kind, class) = (self.cursor.u16()?, self.cursor.u16()?);
        if kind != TYPE_OPT {
            check_class(class)?;
        }
        let _ttl = self.cursor.u32()?;
        let len = self.cursor.u16()?;
        self.cursor.take(len.into()).map(|_| ())
    }

    /// Returns the labels of a name, each preceded by its length, up to the empty label or to a
    /// pointer, which must refer to an earlier offset.
    fn name(&mut self) -> ParseResult<&'a [u8]> {
        let start = self.cursor.rest;
        let position = self.bytes.len() - start.len();
        let mut len = 0;
        loop {
            match self.cursor.byte()? {
                0 => return Ok(start.get(..len).unwrap_or_default()),
                label @ 1..64 => {
                    let label = usize::from(label);
                    // Any byte is allowed, but real names contain only text.
                    if !self
                        .cursor
                        .take_up_to(label)
                        .iter()
                        .all(|byte| is_text(*byte))
                    {
                        return Err(ParseError::Mismatch);
                    }
                    len += 1 + label;
                    if len > 254 {
                        return Err(ParseError::Mismatch);
                    }
                    // The captured bytes end within the label.
                    if start.len() < len {
                        return Err(ParseError::Incomplete);
                    }
                }
                high @ 0xc0.. => {
                    let low = self.cursor.byte()?;
                    let target = usize::from(u16::from_be_bytes([high & 0x3f, low]));
                    return match (HEADER_LEN..position).contains(&target) {
                        true => Ok(start.get(..len).unwrap_or_default()),
                        false => Err(ParseError::Mismatch),
                    };
                }
                _ => return Err(ParseError::Mismatch),
            }
        }
    }
}

/// Accepts the classes IN, CH, HS, NONE and ANY; multicast DNS uses the highest bit as a flag.
fn check_class(class: u16) -> ParseResult<()> {
    match class & 0x7fff {
        1 | 3 | 4 | 254 | 255 => Ok(()),
        _ => Err(ParseError::Mismatch),
    }
}

/// Returns the name in text form: `example.com`, or `.` for the root; dots and backslashes within a
/// label are escaped with a backslash (RFC 4343).
fn dotted_name(labels: &[u8]) -> Vec<u8> {
    let (mut name, mut cursor) = (Vec::new(), Cursor::new(labels));
    while let Ok(len) = cursor.byte() {
        if !name.is_empty() {
            name.push(b'.');
        }
        for byte in cursor.take_up_to(len.into()) {
            if matches!(byte, b'.' | b'\\') {
                name.push(b'\\');
            }
            name.push(*byte);
        }
    }
    if name.is_empty() {
        name.push(b'.');
    }
    name
}

/// Returns IANA's name of a common record type, or the RFC 3597 form of any other type (`TYPE300`).
fn type_name(kind: u16) -> String {
    let name = match kind {
        1 => "A",
        2 => "NS",
        5 => "CNAME",
        6 => "SOA",
        12 => "PTR",
        13 => "HINFO",
        15 => "MX",
        16 => "TXT",
        28 => "AAAA",
        29 => "LOC",
        33 => "SRV",
        35 => "NAPTR",
        39 => "DNAME",
        TYPE_OPT => "OPT",
        43 => "DS",
        44 => "SSHFP",
        46 => "RRSIG",
        47 => "NSEC",
        48 => "DNSKEY",
        50 => "NSEC3",
        52 => "TLSA",
        64 => "SVCB",
        65 => "HTTPS",
        249 => "TKEY",
        250 => "TSIG",
        251 => "IXFR",
        252 => "AXFR",
        255 => "ANY",
        256 => "URI",
        257 => "CAA",
        other => return format!("TYPE{other}"),
    };
    name.to_owned()
}

fn rcode_name(code: u16) -> &'static str {
    match code {
        0 => "NOERROR",
        1 => "FORMERR",
        2 => "SERVFAIL",
        3 => "NXDOMAIN",
        4 => "NOTIMP",
        5 => "REFUSED",
        6 => "YXDOMAIN",
        7 => "YXRRSET",
        8 => "NXRRSET",
        9 => "NOTAUTH",
        10 => "NOTZONE",
        11 => "DSOTYPENI",
        _ => "RESERVED",
    }
}
