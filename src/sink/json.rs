//! Packets as JSON, one object a line (RFC 8259, <https://jsonlines.org>). Fields that a packet does not have are left out.
//!
//! The lines are put together by hand, because this is the hot path; only names and reasons can need escapes.

mod process;

pub(super) use process::process;

use std::io::Write;
use std::net::IpAddr;

use jiff::tz::TimeZone;

use super::{Depends, Format, Lines, Open, Shown, address, number};
use crate::owners::comment;
use crate::packet::{Body, Fragment, Packet, Payload, Reason, Tcp, TcpOption, Timestamp, Tuple};

/// JSON's row of the formats.
pub(super) const FORMAT: Format = Format {
    name: "json",
    extension: "json",
    about: "one JSON object a line",
    open: Open::Shown(|writer, style| {
        let json = Json {
            processes: style.processes,
            ..Json::default()
        };
        Box::new(Shown::new(writer, json))
    }),
};

/// Makes a JSON object of a packet.
#[derive(Debug, Default)]
pub struct Json {
    clock: Clock,
    /// Whether processes are told, where a packet's comment tells them.
    processes: bool,
}

/// The second that was last written, as text.
#[derive(Debug, Default)]
struct Clock {
    second: Option<i64>,
    text: String,
}

impl Lines for Json {
    fn line(&mut self, packet: &Packet, out: &mut Vec<u8>) {
        object(packet, &mut self.clock, out);
        if self.processes
            && let Some(words) = comment::in_words(&packet.frame.options)
        {
            process::both(words, out);
        }
        text(out, "}\n");
    }

    fn fresh(&self) -> Box<dyn Lines> {
        Box::new(Json {
            processes: self.processes,
            ..Json::default()
        })
    }

    fn depends(&self) -> Depends {
        Depends::Nothing
    }
}

fn object(packet: &Packet, clock: &mut Clock, out: &mut Vec<u8>) {
    let frame = packet.frame;
    text(out, "{\"number\":");
    number::decimal64(out, frame.number);
    if frame.time.is_known() {
        text(out, ",\"time\":\"");
        clock.write(frame.time, out);
        text(out, "\",\"time_ns\":");
        signed(out, frame.time.0);
    }
    if let Some(name) = &frame.interface.name {
        text(out, ",\"interface\":");
        quoted(out, name);
    }
    text(out, ",\"link\":\"");
    match frame.link.name() {
        Some(name) => text(out, name),
        None => number::decimal(out, u32::from(frame.link.0)),
    }
    text(out, "\"");
    field(out, "wire_len", frame.wire_len);
    field(out, "cap_len", frame.bytes.len() as u32);
    match packet.body {
        Body::Tcp {
            tuple,
            tcp,
            payload,
        } => {
            ends(out, tuple);
            length(out, payload);
            header(out, &tcp);
        }
        Body::Udp { tuple, payload } => {
            ends(out, tuple);
            length(out, payload);
        }
        Body::Broken { tuple, tcp, reason } => {
            ends(out, tuple);
            if let Some(tcp) = tcp {
                header(out, &tcp);
            }
            opaque(out, reason);
        }
        Body::Icmp {
            src,
            dst,
            proto,
            payload,
        }
        | Body::Ip {
            src,
            dst,
            proto,
            payload,
        } => {
            addresses(out, src, dst, proto);
            length(out, payload);
        }
        Body::Opaque(reason) => opaque(out, reason),
    }
    if let Some(Fragment { id, offset, more }) = packet.fragment {
        text(out, ",\"fragment\":{\"id\":");
        number::decimal(out, id);
        field(out, "offset", offset);
        text(
            out,
            if more {
                ",\"more\":true}"
            } else {
                ",\"more\":false}"
            },
        );
    }
}

fn addresses(out: &mut Vec<u8>, src: IpAddr, dst: IpAddr, proto: u8) {
    for (name, end) in [(",\"src\":\"", src), ("\",\"dst\":\"", dst)] {
        text(out, name);
        address::ip(out, end);
    }
    text(out, "\"");
    field(out, "ip_proto", u32::from(proto));
    if let Some(name) = protocol(proto) {
        text(out, ",\"proto\":\"");
        text(out, name);
        text(out, "\"");
    }
}

fn ends(out: &mut Vec<u8>, Tuple { src, dst, proto }: Tuple) {
    addresses(out, src.ip(), dst.ip(), proto);
    field(out, "src_port", u32::from(src.port()));
    field(out, "dst_port", u32::from(dst.port()));
}

fn length(out: &mut Vec<u8>, payload: Payload) {
    field(out, "payload_len", payload.len);
}

fn header(out: &mut Vec<u8>, tcp: &Tcp) {
    text(out, ",\"tcp\":{\"flags\":\"");
    let (letters, count) = tcp.flags.letters();
    out.extend_from_slice(&letters[..count]);
    text(out, "\",\"seq\":");
    number::decimal(out, tcp.seq);
    field(out, "ack", tcp.ack);
    field(out, "window", u32::from(tcp.window));
    if !tcp.options.is_empty() {
        text(out, ",\"options\":{");
        let start = out.len();
        options(out, tcp);
        // Every option writes a comma in front.
        if out.len() > start {
            out.remove(start);
        }
        text(out, "}");
    }
    text(out, "}");
}

fn options(out: &mut Vec<u8>, tcp: &Tcp) {
    let mut others = 0;
    for option in tcp.options() {
        match option {
            TcpOption::MaxSegment(size) => field(out, "mss", u32::from(size)),
            TcpOption::WindowScale(shift) => field(out, "wscale", u32::from(shift)),
            TcpOption::SackPermitted => text(out, ",\"sack_permitted\":true"),
            TcpOption::Sack(edges) => {
                text(out, ",\"sack\":[");
                for (at, [a, b, c, d, e, f, g, h]) in edges.as_chunks().0.iter().enumerate() {
                    text(out, if at == 0 { "[" } else { ",[" });
                    number::decimal(out, u32::from_be_bytes([*a, *b, *c, *d]));
                    text(out, ",");
                    number::decimal(out, u32::from_be_bytes([*e, *f, *g, *h]));
                    text(out, "]");
                }
                text(out, "]");
            }
            TcpOption::Timestamps { value, echo } => {
                text(out, ",\"timestamps\":{\"value\":");
                number::decimal(out, value);
                field(out, "echo", echo);
                text(out, "}");
            }
            TcpOption::Other(_) => others += 1,
        }
    }
    if others == 0 {
        return;
    }
    let kinds = tcp.options().filter_map(|option| match option {
        TcpOption::Other(kind) => Some(kind),
        _ => None,
    });
    text(out, ",\"others\":[");
    for (at, kind) in kinds.enumerate() {
        text(out, if at == 0 { "" } else { "," });
        number::decimal(out, u32::from(kind));
    }
    text(out, "]");
}

fn opaque(out: &mut Vec<u8>, reason: Reason) {
    text(out, ",\"opaque\":");
    quoted(out, &reason.to_string());
}

/// `,"name":value`
#[inline]
fn field(out: &mut Vec<u8>, name: &str, value: u32) {
    text(out, ",\"");
    text(out, name);
    text(out, "\":");
    number::decimal(out, value);
}

#[inline]
fn text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

fn signed(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    number::decimal64(out, value.unsigned_abs());
}

/// A JSON string; everything below a space is escaped.
pub(super) fn quoted(out: &mut Vec<u8>, string: &str) {
    let is_plain = |octet: u8| matches!(octet, b' '..=b'~') && octet != b'"' && octet != b'\\';
    out.push(b'"');
    if string.bytes().all(is_plain) {
        text(out, string);
    } else {
        string.chars().for_each(|character| escaped(out, character));
    }
    out.push(b'"');
}

fn escaped(out: &mut Vec<u8>, character: char) {
    match character {
        '"' => text(out, "\\\""),
        '\\' => text(out, "\\\\"),
        // The C1 controls too: the line may be looked at in a terminal.
        control if control.is_control() => {
            // Writing to a Vec cannot fail.
            let _ = write!(out, "\\u{:04x}", u32::from(control));
        }
        plain => out.extend_from_slice(plain.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

impl Clock {
    /// RFC 3339, UTC, nine digits of a second.
    fn write(&mut self, time: Timestamp, out: &mut Vec<u8>) {
        if self.second != Some(time.seconds()) {
            self.second = Some(time.seconds());
            // Every i64 of nanoseconds is within jiff's years.
            let second = jiff::Timestamp::from_second(time.seconds()).unwrap_or_default();
            self.text = second
                .to_zoned(TimeZone::UTC)
                .strftime("%Y-%m-%dT%H:%M:%S.")
                .to_string();
        }
        text(out, &self.text);
        number::digits9(out, time.nanos());
        out.push(b'Z');
    }
}

/// The usual name of an IP protocol.
fn protocol(proto: u8) -> Option<&'static str> {
    Some(match proto {
        1 => "icmp",
        2 => "igmp",
        6 => "tcp",
        17 => "udp",
        47 => "gre",
        50 => "esp",
        51 => "ah",
        58 => "icmp6",
        89 => "ospf",
        132 => "sctp",
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
