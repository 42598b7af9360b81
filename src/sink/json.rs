//! Packets as JSON Lines: one object per line (RFC 8259, <https://jsonlines.org>).
//!
//! Fields that do not apply to a packet are left out. The objects are written without a JSON
//! library because this is the hot path; only names and `opaque` reasons can contain characters
//! that must be escaped.

mod process;

pub(super) use process::write_owner;

use std::io::Write;
use std::net::IpAddr;

use jiff::tz::TimeZone;

use super::{Format, LineFormatter, LineSink, SinkFactory, address, number};
use crate::packet::{Fragment, Packet, Tcp, TcpOption, Timestamp};

/// The entry of packet JSON in [`FORMATS`](super::FORMATS).
pub(super) const FORMAT: Format = Format {
    name: "json",
    extension: "json",
    about: "one JSON object per line",
    factory: SinkFactory::Packets(|writer, style| {
        let json = Json {
            show_processes: style.processes,
            ..Json::default()
        };
        Box::new(LineSink::new(writer, json))
    }),
};

/// Formatter of packets as JSON objects.
#[derive(Debug, Default)]
pub struct Json {
    clock: Rfc3339Clock,
    /// True if the owners of both ends are written.
    show_processes: bool,
}

/// RFC 3339 formatter that caches the text of the last second, because most packets share it.
#[derive(Debug, Default)]
struct Rfc3339Clock {
    second: Option<i64>,
    text: String,
}

impl LineFormatter for Json {
    fn write_line(&mut self, packet: &Packet, out: &mut Vec<u8>) {
        write_packet(packet, &mut self.clock, out);
        if let Some(owners) = packet.owners.filter(|_| self.show_processes) {
            let ends = [("src_process", &owners.orig), ("dst_process", &owners.resp)];
            for (name, owner) in ends {
                if let Some(owner) = owner {
                    write_text(out, ",\"");
                    write_text(out, name);
                    write_text(out, "\":");
                    write_owner(out, owner);
                }
            }
        }
        write_text(out, "}\n");
    }
}

fn write_packet(packet: &Packet, clock: &mut Rfc3339Clock, out: &mut Vec<u8>) {
    let frame = packet.frame;
    write_text(out, "{\"number\":");
    number::decimal64(out, frame.number);
    if frame.time.is_present() {
        write_text(out, ",\"time\":\"");
        clock.write(frame.time, out);
        write_text(out, "\",\"time_ns\":");
        write_i64(out, frame.time.0);
    }
    if let Some(name) = &frame.interface.name {
        write_text(out, ",\"interface\":");
        write_quoted(out, name);
    }
    write_text(out, ",\"link\":\"");
    match frame.link.name() {
        Some(name) => write_text(out, name),
        None => number::decimal(out, u32::from(frame.link.0)),
    }
    write_text(out, "\"");
    write_field(out, "wire_len", frame.wire_len);
    write_field(out, "cap_len", frame.bytes.len() as u32);
    if let Some((src, dst)) = packet.addresses() {
        write_addresses(out, src, dst, packet.ip_proto().unwrap_or_default());
    }
    if let Some((src, dst)) = packet.ports() {
        write_field(out, "src_port", u32::from(src));
        write_field(out, "dst_port", u32::from(dst));
    }
    if packet.problem().is_none() {
        write_field(out, "payload_len", packet.payload().len);
    }
    if let Some(tcp) = packet.tcp().or_else(|| packet.broken_tcp()) {
        write_tcp(out, &tcp);
    }
    if let Some(problem) = packet.problem() {
        write_text(out, ",\"opaque\":");
        write_quoted(out, &problem.to_string());
    }
    if let Some(Fragment {
        id,
        offset,
        more_fragments,
    }) = packet.fragment()
    {
        write_text(out, ",\"fragment\":{\"id\":");
        number::decimal(out, id);
        write_field(out, "offset", offset);
        write_text(
            out,
            if more_fragments {
                ",\"more\":true}"
            } else {
                ",\"more\":false}"
            },
        );
    }
}

fn write_addresses(out: &mut Vec<u8>, src: IpAddr, dst: IpAddr, proto: u8) {
    for (name, ip) in [(",\"src\":\"", src), ("\",\"dst\":\"", dst)] {
        write_text(out, name);
        address::write_ip(out, ip);
    }
    write_text(out, "\"");
    write_field(out, "ip_proto", u32::from(proto));
    if let Some(name) = ip_protocol_name(proto) {
        write_text(out, ",\"proto\":\"");
        write_text(out, name);
        write_text(out, "\"");
    }
}

fn write_tcp(out: &mut Vec<u8>, tcp: &Tcp) {
    write_text(out, ",\"tcp\":{\"flags\":\"");
    let (letters, count) = tcp.flags.letters();
    out.extend_from_slice(&letters[..count]);
    write_text(out, "\",\"seq\":");
    number::decimal(out, tcp.seq);
    write_field(out, "ack", tcp.ack);
    write_field(out, "window", u32::from(tcp.window));
    if !tcp.options.is_empty() {
        write_text(out, ",\"options\":{");
        let start = out.len();
        write_tcp_options(out, tcp);
        // Each option starts with a comma; the first one is removed.
        if out.len() > start {
            out.remove(start);
        }
        write_text(out, "}");
    }
    write_text(out, "}");
}

fn write_tcp_options(out: &mut Vec<u8>, tcp: &Tcp) {
    let mut others = 0;
    for option in tcp.options() {
        match option {
            TcpOption::MaxSegmentSize(size) => write_field(out, "mss", u32::from(size)),
            TcpOption::WindowScale(shift) => write_field(out, "wscale", u32::from(shift)),
            TcpOption::SackPermitted => write_text(out, ",\"sack_permitted\":true"),
            TcpOption::Sack(edges) => {
                write_text(out, ",\"sack\":[");
                for (at, [a, b, c, d, e, f, g, h]) in edges.as_chunks().0.iter().enumerate() {
                    write_text(out, if at == 0 { "[" } else { ",[" });
                    number::decimal(out, u32::from_be_bytes([*a, *b, *c, *d]));
                    write_text(out, ",");
                    number::decimal(out, u32::from_be_bytes([*e, *f, *g, *h]));
                    write_text(out, "]");
                }
                write_text(out, "]");
            }
            TcpOption::Timestamps { value, echo } => {
                write_text(out, ",\"timestamps\":{\"value\":");
                number::decimal(out, value);
                write_field(out, "echo", echo);
                write_text(out, "}");
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
    write_text(out, ",\"others\":[");
    for (at, kind) in kinds.enumerate() {
        write_text(out, if at == 0 { "" } else { "," });
        number::decimal(out, u32::from(kind));
    }
    write_text(out, "]");
}

/// Writes `,"name":value`.
#[inline]
fn write_field(out: &mut Vec<u8>, name: &str, value: u32) {
    write_text(out, ",\"");
    write_text(out, name);
    write_text(out, "\":");
    number::decimal(out, value);
}

#[inline]
fn write_text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

fn write_i64(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    number::decimal64(out, value.unsigned_abs());
}

/// Writes a JSON string, with quotation marks, backslashes and control characters escaped.
pub(super) fn write_quoted(out: &mut Vec<u8>, string: &str) {
    let is_plain = |octet: u8| matches!(octet, b' '..=b'~') && octet != b'"' && octet != b'\\';
    out.push(b'"');
    if string.bytes().all(is_plain) {
        write_text(out, string);
    } else {
        string
            .chars()
            .for_each(|character| write_escaped(out, character));
    }
    out.push(b'"');
}

fn write_escaped(out: &mut Vec<u8>, character: char) {
    match character {
        '"' => write_text(out, "\\\""),
        '\\' => write_text(out, "\\\\"),
        // Includes the C1 controls, because the line can be printed on a terminal.
        control if control.is_control() => {
            // Writing to a Vec cannot fail.
            let _ = write!(out, "\\u{:04x}", u32::from(control));
        }
        plain => out.extend_from_slice(plain.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

impl Rfc3339Clock {
    /// Writes a time as RFC 3339, in UTC, with nine decimals.
    fn write(&mut self, time: Timestamp, out: &mut Vec<u8>) {
        if self.second != Some(time.seconds()) {
            self.second = Some(time.seconds());
            // Any i64 in nanoseconds is within the range of jiff (years -9999 to 9999).
            let second = jiff::Timestamp::from_second(time.seconds()).unwrap_or_default();
            self.text = second
                .to_zoned(TimeZone::UTC)
                .strftime("%Y-%m-%dT%H:%M:%S.")
                .to_string();
        }
        write_text(out, &self.text);
        number::digits9(out, time.subsec_nanos());
        out.push(b'Z');
    }
}

/// Returns the common name of an IANA protocol number.
fn ip_protocol_name(proto: u8) -> Option<&'static str> {
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
