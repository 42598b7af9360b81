//! Conversion of packets to the input of the flow table.

use super::icmp;
use super::key::{Directionality, address_words};
use super::server_ports;
use crate::packet::{Body, Brief, Packet, TcpFlags, Tuple, UDP};

/// Error for a packet whose transport header is truncated or invalid.
pub(super) struct UnreadableHeader;

/// Returns the headers of a packet that contains `body`, and the directionality of its flow; `None`
/// if packets with such a body belong to no flow.
///
/// # Errors
///
/// [`UnreadableHeader`] if the transport header is truncated or invalid.
pub(super) fn flow_input<'a>(
    packet: &Packet<'a>,
    body: &Body<'a>,
) -> Result<Option<(Brief<'a>, Directionality)>, UnreadableHeader> {
    let (tuple, kind, tcp, payload) = match *body {
        Body::Tcp {
            tuple,
            tcp,
            payload,
        } => (tuple, Directionality::TwoWay, Some(tcp), payload),
        Body::Udp { tuple, payload } => (tuple, Directionality::TwoWay, None, payload),
        Body::Icmp {
            src,
            dst,
            proto,
            payload,
        } => {
            let icmp_tuple = icmp::tuple(src, dst, proto, payload);
            let (tuple, kind) = icmp_tuple.ok_or(UnreadableHeader)?;
            (tuple, kind, None, icmp::data(payload))
        }
        Body::Broken { .. } => return Err(UnreadableHeader),
        Body::Ip { .. } | Body::Opaque(_) => return Ok(None),
    };
    let Tuple { src, dst, proto } = tuple;
    let brief = Brief {
        frame: *packet.frame,
        version: if src.is_ipv4() { 4 } else { 6 },
        src: address_words(src.ip()),
        dst: address_words(dst.ip()),
        ports: [src.port(), dst.port()],
        proto,
        wire_len: packet.frame.plausible_len(),
        ip_len: packet.ip_len(),
        tcp,
        payload,
    };
    Ok(Some((brief, kind)))
}

/// Returns true if a packet that starts a flow is most likely a response (Zeek's `WantConnection`):
/// its source is a server port, and it is not an initial SYN.
pub(super) fn is_response(brief: &Brief) -> bool {
    if brief.opens() {
        return false;
    }
    let (proto, [src, dst]) = (brief.proto, brief.ports);
    let [from_server, to_server] = [src, dst].map(|port| server_ports::is_server_port(proto, port));
    match &brief.tcp {
        // If both ports are server ports, the lower one is assumed to be the server's. This rule
        // does not apply to a SYN-ACK, which may belong to a scan.
        Some(tcp) => {
            let is_lower = !tcp.flags.contains(TcpFlags::SYN) && src < dst;
            from_server && (!to_server || is_lower)
        }
        None => proto == UDP && from_server && !to_server,
    }
}
