//! Packets as far as flows need them, in brief.

use super::icmp;
use super::key::{Kind, address};
use super::servers;
use crate::packet::{Body, Brief, Flags, Packet, Tuple, UDP};

/// A packet that belongs to a flow, but its header is cut or impossible.
pub(super) struct Unreadable;

/// A packet that carries `body`, and what it is told apart by; nothing where that belongs to no flow.
pub(super) fn in_brief<'a>(
    packet: &Packet<'a>,
    body: &Body<'a>,
) -> Result<Option<(Brief<'a>, Kind)>, Unreadable> {
    let (tuple, kind, tcp, payload) = match *body {
        Body::Tcp {
            tuple,
            tcp,
            payload,
        } => (tuple, Kind::TwoWay, Some(tcp), payload),
        Body::Udp { tuple, payload } => (tuple, Kind::TwoWay, None, payload),
        Body::Icmp {
            src,
            dst,
            proto,
            payload,
        } => {
            let named = icmp::tuple(src, dst, proto, payload);
            let (tuple, kind) = named.ok_or(Unreadable)?;
            (tuple, kind, None, icmp::data(payload))
        }
        Body::Broken { .. } => return Err(Unreadable),
        Body::Ip { .. } | Body::Opaque(_) => return Ok(None),
    };
    let Tuple { src, dst, proto } = tuple;
    let brief = Brief {
        frame: *packet.frame,
        version: if src.is_ipv4() { 4 } else { 6 },
        src: address(src.ip()),
        dst: address(dst.ip()),
        ports: [src.port(), dst.port()],
        proto,
        wire_len: packet.frame.plausible_len(),
        ip_len: packet.ip_len(),
        tcp,
        payload,
    };
    Ok(Some((brief, kind)))
}

/// Whether a packet, as a flow's first, is most likely an answer (Zeek's `WantConnection`): a server's port sent it unasked.
pub(super) fn is_answer(brief: &Brief) -> bool {
    if brief.opens() {
        return false;
    }
    let (proto, [src, dst]) = (brief.proto, brief.ports);
    let [from_server, to_server] = [src, dst].map(|port| servers::is_likely(proto, port));
    match &brief.tcp {
        // Where both may be servers the lower port is; but a SYN-ACK may be a scan.
        Some(tcp) => {
            let is_lower = !tcp.flags.has(Flags::SYN) && src < dst;
            from_server && (!to_server || is_lower)
        }
        None => proto == UDP && from_server && !to_server,
    }
}
