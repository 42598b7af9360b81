//! Packets as JSON Lines: one object per line (RFC 8259, <https://jsonlines.org>).
//!
//! Fields that do not apply to a packet are left out.

mod details;
mod process;
mod writer;

pub(super) use details::details;
pub(super) use process::owner;
pub(crate) use process::{ProcessFields, write_evidence};
pub(crate) use writer::{JsonObject, JsonValue, array, fixed, object, plain_string, written};

use std::sync::Arc;

use jiff::tz::TimeZone;

use super::clock::{Clock, write_fraction};
use super::owner_cache::OwnerCache;
use super::{Format, LineFormatter, LineSink, SinkFactory, address, digits};
use crate::packet::{Packet, Tcp, TcpOption};
use crate::process::Owner;

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
#[derive(Debug)]
pub struct Json {
    /// RFC 3339 times, in UTC.
    clock: Clock,
    owners: OwnerCache,
    /// True if the owners of both ends are written.
    show_processes: bool,
}

impl Default for Json {
    fn default() -> Json {
        Json {
            clock: Clock::new(TimeZone::UTC, "%Y-%m-%dT%H:%M:%S", true),
            owners: OwnerCache::new(|owner, out| process::owner(owner).write(out)),
            show_processes: false,
        }
    }
}

impl LineFormatter for Json {
    fn write_line(&mut self, packet: &Packet, out: &mut Vec<u8>) {
        let owners = packet.owners.filter(|_| self.show_processes);
        let packet = object(|fields| {
            write_packet(packet, &mut self.clock, fields);
            if let Some(owners) = owners {
                let cache = &mut self.owners;
                let mut write = |name, owner: &Option<Arc<Owner>>| {
                    if let Some(owner) = owner {
                        fields.field(name, written(|out| cache.write(Some(owner), out)));
                    }
                };
                write("src_process", &owners.orig);
                write("dst_process", &owners.resp);
            }
        });
        packet.write(out);
        out.push(b'\n');
    }
}

fn write_packet(packet: &Packet, clock: &mut Clock, fields: &mut JsonObject) {
    let frame = packet.frame;
    fields.field("number", frame.number);
    if frame.time.is_present() {
        let time = plain_string(|out| {
            let nanos = clock.write_second(out, frame.time);
            write_fraction(out, nanos, true);
            out.push(b'Z');
        });
        fields.field("time", time);
        fields.field("time_ns", frame.time.0);
    }
    fields.optional("interface", frame.interface.name.as_ref());
    let link = plain_string(|out| match frame.link.name() {
        Some(name) => out.extend_from_slice(name.as_bytes()),
        None => digits::decimal(out, frame.link.0),
    });
    fields.field("link", link);
    fields.field("wire_len", frame.wire_len);
    fields.field("cap_len", frame.bytes.len() as u32);
    if let Some((src, dst)) = packet.addresses() {
        let proto = packet.ip_proto().unwrap_or_default();
        fields.field("src", plain_string(|out| address::write_ip(out, src)));
        fields.field("dst", plain_string(|out| address::write_ip(out, dst)));
        fields.field("ip_proto", proto);
        if let Some(name) = ip_protocol_name(proto) {
            let name = plain_string(|out| out.extend_from_slice(name.as_bytes()));
            fields.field("proto", name);
        }
    }
    if let Some((src, dst)) = packet.ports() {
        fields.field("src_port", src);
        fields.field("dst_port", dst);
    }
    if packet.problem().is_none() {
        fields.field("payload_len", packet.payload().len);
    }
    if let Some(tcp) = packet.tcp().or_else(|| packet.broken_tcp()) {
        write_tcp(&tcp, fields);
    }
    if let Some(problem) = packet.problem() {
        fields.field("opaque", &problem.to_string());
    }
    if let Some(fragment) = packet.fragment() {
        let fragment = object(|fields| {
            fields.field("id", fragment.id);
            fields.field("offset", fragment.offset);
            fields.field("more", fragment.more_fragments);
        });
        fields.field("fragment", fragment);
    }
}

fn write_tcp(tcp: &Tcp, fields: &mut JsonObject) {
    let tcp = object(|fields| {
        let (letters, count) = tcp.flags.letters();
        let flags = plain_string(|out| out.extend_from_slice(&letters[..count]));
        fields.field("flags", flags);
        fields.field("seq", tcp.seq);
        fields.field("ack", tcp.ack);
        fields.field("window", tcp.window);
        if !tcp.options.is_empty() {
            fields.field("options", object(|fields| write_tcp_options(tcp, fields)));
        }
    });
    fields.field("tcp", tcp);
}

fn write_tcp_options(tcp: &Tcp, fields: &mut JsonObject) {
    let mut others = Vec::new();
    for option in tcp.options() {
        match option {
            TcpOption::MaxSegmentSize(size) => fields.field("mss", size),
            TcpOption::WindowScale(shift) => fields.field("wscale", shift),
            TcpOption::SackPermitted => fields.field("sack_permitted", true),
            TcpOption::Sack(edges) => {
                let (edges, _) = edges.as_chunks::<4>();
                let (blocks, _) = edges.as_chunks::<2>();
                let blocks = blocks.iter().map(|edges| edges.map(u32::from_be_bytes));
                fields.field("sack", array(blocks.map(array)));
            }
            TcpOption::Timestamps { value, echo } => {
                let timestamps = object(|fields| {
                    fields.field("value", value);
                    fields.field("echo", echo);
                });
                fields.field("timestamps", timestamps);
            }
            TcpOption::Other(kind) => others.push(kind),
        }
    }
    if !others.is_empty() {
        fields.field("others", array(others));
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
