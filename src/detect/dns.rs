//! DNS (RFC 1035) over UDP and TCP, and what has its form: multicast DNS (RFC 6762), LLMNR (RFC 4795).

use super::cursor::{Cursor, Read, Stop, text};
use super::{Detector, Facts, Opening, Verdict};
use crate::packet::{TCP, UDP};

pub(super) const DETECTOR: Detector = Detector {
    name: "dns",
    transports: &[UDP],
    detect: over_udp,
};

/// Each message stands after its length.
pub(super) const OVER_TCP: Detector = Detector {
    name: "dns",
    transports: &[TCP],
    detect: over_tcp,
};

const HEADER: usize = 12;

/// What a message says.
struct Message<'a> {
    id: u16,
    flags: u16,
    /// The first question: its labels as they are, and its type.
    question: Option<(&'a [u8], u16)>,
}

const RESPONSE: u16 = 0x8000;
const RECURSION_AVAILABLE: u16 = 0x0080;
/// The bit that no specification uses.
const RESERVED: u16 = 0x0040;

/// OPT, whose class is a size.
const OPT: u16 = 41;

/// More than any message has; a transfer of a zone may have any number of answers.
const MOST_QUESTIONS: u16 = 64;
const MOST_RECORDS: u16 = 4_096;

fn over_udp(opening: &Opening) -> Verdict {
    judge(message(opening.orig), message(opening.resp))
}

fn over_tcp(opening: &Opening) -> Verdict {
    judge(framed(opening.orig), framed(opening.resp))
}

fn judge(orig: Read<Message>, resp: Read<Message>) -> Verdict {
    match (orig, resp) {
        (Err(Stop::Wrong), _) | (_, Err(Stop::Wrong)) => Verdict::No,
        (Err(Stop::Cut), Err(Stop::Cut)) => Verdict::Maybe,
        (Ok(one), Err(Stop::Cut)) | (Err(Stop::Cut), Ok(one)) => Verdict::Yes(facts(&one, &one)),
        (Ok(query), Ok(response)) if response.flags & RESPONSE != 0 => {
            Verdict::Done(facts(&query, &response))
        }
        // Whose response was not captured.
        (Ok(response), Ok(query)) if response.flags & RESPONSE != 0 => {
            Verdict::Done(facts(&query, &query))
        }
        _ => Verdict::No,
    }
}

/// Two queries may be under way at once, and the second be answered first: then this is not its answer's code.
fn facts(query: &Message, response: &Message) -> Facts {
    let is_answer = response.flags & RESPONSE != 0 && response.id == query.id;
    let code = is_answer.then(|| code_name(response.flags & 15));
    let (name, kind) = match query.question {
        Some((labels, kind)) => (dotted(labels), type_name(kind)),
        None => Default::default(),
    };
    Facts::new(
        &["query", "type", "rcode"],
        [
            &name[..],
            kind.as_bytes(),
            code.unwrap_or_default().as_bytes(),
        ],
    )
}

fn framed(bytes: &[u8]) -> Read<Message<'_>> {
    let mut cursor = Cursor::new(bytes);
    let len = usize::from(cursor.u16()?);
    if len < HEADER {
        return Err(Stop::Wrong);
    }
    let there = cursor.up_to(len);
    match message(there) {
        Err(Stop::Cut) if there.len() == len => Err(Stop::Wrong),
        read => read,
    }
}

/// A message that is sure by its first question, or by its first record where it asks nothing.
///
/// ```text
///  0    2       4           6         8           10           12
/// ├────┼───────┼───────────┼─────────┼───────────┼────────────┼───────────
/// │ id │ flags │ questions │ answers │ authority │ additional │ questions: name, type, class
///                                                             │ records: name, type, class, lifetime (4), data (2)
/// ```
fn message(bytes: &[u8]) -> Read<Message<'_>> {
    let mut cursor = Cursor::new(bytes);
    let (id, flags) = (cursor.u16()?, cursor.u16()?);
    check_flags(flags)?;
    let questions = cursor.u16()?;
    if questions > MOST_QUESTIONS || (questions == 0 && flags & RESPONSE == 0) {
        return Err(Stop::Wrong);
    }
    let mut records = 0;
    for _ in 0..3 {
        let more = cursor.u16()?;
        if more > MOST_RECORDS {
            return Err(Stop::Wrong);
        }
        records += more;
    }
    let mut message = Message {
        id,
        flags,
        question: None,
    };
    if questions == 0 && records == 0 {
        // All that some servers say of a query that they cannot read.
        let is_refusal = flags & 15 != 0 && cursor.rest.is_empty();
        return is_refusal.then_some(message).ok_or(Stop::Wrong);
    }
    let mut all = Sections { bytes, cursor };
    if questions > 0 {
        let (name, kind) = all.question()?;
        if is_netbios(name) {
            return Err(Stop::Wrong);
        }
        message.question = Some((name, kind));
    } else {
        all.record()?;
        records -= 1;
    }
    match all.rest(questions.saturating_sub(1), records) {
        Err(Stop::Wrong) => Err(Stop::Wrong),
        // Datagrams may be cut.
        Ok(()) | Err(Stop::Cut) => Ok(message),
    }
}

/// ```text
///  0    1        5    6    7    8    9   10   11   12     16
/// ├────┼────────┼────┼────┼────┼────┼────┼────┼────┼──────┤
/// │ QR │ opcode │ AA │ TC │ RD │ RA │ 0  │ AD │ CD │ code │
/// ```
fn check_flags(flags: u16) -> Read<()> {
    // QUERY, STATUS, NOTIFY, UPDATE.
    let is_known = matches!(flags >> 11 & 15, 0 | 2 | 4 | 5);
    let is_plain = flags & RESPONSE != 0 || flags & (RECURSION_AVAILABLE | 15) == 0;
    match is_known && is_plain && flags & RESERVED == 0 {
        true => Ok(()),
        false => Err(Stop::Wrong),
    }
}

/// NetBIOS names have the form of messages, too, but other types and flags; 16 bytes are written as 32 letters (RFC 1001).
fn is_netbios(name: &[u8]) -> bool {
    match name {
        [32, letters @ ..] => letters
            .iter()
            .take(32)
            .all(|byte| (b'A'..=b'P').contains(byte)),
        _ => false,
    }
}

/// What stands after the header.
struct Sections<'a> {
    /// The message from its first byte on, from which names count.
    bytes: &'a [u8],
    cursor: Cursor<'a>,
}

impl<'a> Sections<'a> {
    fn rest(&mut self, questions: u16, records: u16) -> Read<()> {
        for _ in 0..questions {
            self.question()?;
        }
        for _ in 0..records {
            self.record()?;
        }
        match self.cursor.rest {
            [] => Ok(()),
            _ => Err(Stop::Wrong),
        }
    }

    fn question(&mut self) -> Read<(&'a [u8], u16)> {
        let name = self.name()?;
        let kind = self.cursor.u16()?;
        check_class(self.cursor.u16()?)?;
        Ok((name, kind))
    }

    fn record(&mut self) -> Read<()> {
        self.name()?;
        let (kind, class) = (self.cursor.u16()?, self.cursor.u16()?);
        if kind != OPT {
            check_class(class)?;
        }
        let _lifetime = self.cursor.u32()?;
        let len = self.cursor.u16()?;
        self.cursor.take(len.into()).map(|_| ())
    }

    /// A name's labels as they stand here: each after its length, to an empty one or to a reference to an earlier place.
    fn name(&mut self) -> Read<&'a [u8]> {
        let start = self.cursor.rest;
        let position = self.bytes.len() - start.len();
        let mut len = 0;
        loop {
            match self.cursor.byte()? {
                0 => return Ok(start.get(..len).unwrap_or_default()),
                label @ 1..64 => {
                    let label = usize::from(label);
                    // No name is known to have others, though any would be allowed.
                    if !self.cursor.up_to(label).iter().all(|byte| text(*byte)) {
                        return Err(Stop::Wrong);
                    }
                    len += 1 + label;
                    if len > 254 {
                        return Err(Stop::Wrong);
                    }
                    // The cursor is at the end of what is there.
                    if start.len() < len {
                        return Err(Stop::Cut);
                    }
                }
                high @ 0xc0.. => {
                    let low = self.cursor.byte()?;
                    let place = usize::from(u16::from_be_bytes([high & 0x3f, low]));
                    return match (HEADER..position).contains(&place) {
                        true => Ok(start.get(..len).unwrap_or_default()),
                        false => Err(Stop::Wrong),
                    };
                }
                _ => return Err(Stop::Wrong),
            }
        }
    }
}

/// Internet, Chaos, Hesiod, none, any; multicast DNS has its own use for the highest bit.
fn check_class(class: u16) -> Read<()> {
    match class & 0x7fff {
        1 | 3 | 4 | 254 | 255 => Ok(()),
        _ => Err(Stop::Wrong),
    }
}

/// `example.com`, or `.`; a dot within a label stands after a backslash (RFC 4343).
fn dotted(labels: &[u8]) -> Vec<u8> {
    let (mut name, mut cursor) = (Vec::new(), Cursor::new(labels));
    while let Ok(len) = cursor.byte() {
        if !name.is_empty() {
            name.push(b'.');
        }
        for byte in cursor.up_to(len.into()) {
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

/// As IANA lists them, or as RFC 3597 writes what is not known.
fn type_name(kind: u16) -> String {
    let known = match kind {
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
        OPT => "OPT",
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
    known.to_owned()
}

fn code_name(code: u16) -> &'static str {
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
