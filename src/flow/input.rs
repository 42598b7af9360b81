//! Conversion of packets to the input of the flow table.

use super::fragments::ReassembledDatagram;
use super::{icmp, server_ports};
use crate::packet::{Endpoints, Packet, PacketKind, Payload, TCP, Tcp, TcpFlags, UDP};
use crate::process::Owners;

/// The values of a packet that flows depend on.
#[derive(Debug, Clone, Copy)]
pub(super) struct FlowPacket<'a> {
    /// Source and destination. The ports of an ICMP message are its type and the type of its reply,
    /// or its code.
    pub(super) endpoints: Endpoints,
    /// Frame number.
    pub(super) number: u64,
    /// Length of the packet's frames on the wire, in bytes.
    pub(super) wire_len: u32,
    /// Length according to the IP header, header included, in bytes.
    pub(super) ip_len: u32,
    /// The header, if the packet is a TCP segment.
    pub(super) tcp: Option<Tcp<'a>>,
    /// The data.
    pub(super) payload: Payload<'a>,
    /// Owners of the sender (`orig`) and the receiver, if they are identified.
    pub(super) owners: Option<&'a Owners>,
}

/// Error for a packet whose transport header is truncated or invalid.
pub(super) struct UnreadableHeader;

impl<'a> FlowPacket<'a> {
    /// Returns the values of a packet; `None` if packets of its kind belong to no flow.
    ///
    /// # Errors
    ///
    /// [`UnreadableHeader`] if the transport header is truncated or invalid.
    #[inline]
    pub(super) fn new(packet: &Packet<'a>) -> Result<Option<FlowPacket<'a>>, UnreadableHeader> {
        let payload = packet.payload();
        let (endpoints, payload) = match packet.kind() {
            PacketKind::Tcp | PacketKind::Udp => (packet.endpoints(), payload),
            PacketKind::Icmp => (icmp::endpoints(packet, payload), icmp::data(payload)),
            PacketKind::Broken => return Err(UnreadableHeader),
            PacketKind::Ip | PacketKind::Opaque => return Ok(None),
        };
        Ok(Some(FlowPacket {
            endpoints: endpoints.ok_or(UnreadableHeader)?,
            number: packet.frame.number,
            wire_len: packet.frame.plausible_len(),
            ip_len: packet.ip_len(),
            tcp: packet.tcp(),
            payload,
            owners: packet.owners,
        }))
    }

    /// Returns the packet with the sizes and owners of a whole datagram, of which it was decoded.
    pub(super) fn with_sizes_of(self, whole: &'a ReassembledDatagram) -> FlowPacket<'a> {
        FlowPacket {
            wire_len: whole.wire_len,
            ip_len: whole.ip_len(),
            owners: whole.owners.as_ref(),
            ..self
        }
    }

    /// Returns true if a packet that starts a flow is not the start of the connection.
    pub(super) fn is_late(&self) -> bool {
        let has_syn = |tcp: &Tcp| tcp.flags.contains(TcpFlags::SYN);
        self.endpoints.proto() == TCP && !self.tcp.as_ref().is_some_and(has_syn)
    }

    /// Returns true if a packet that starts a flow is most likely a response (Zeek's
    /// `WantConnection`): its source is a server port, and it is not an initial SYN.
    pub(super) fn is_response(&self) -> bool {
        let (proto, ports) = (
            self.endpoints.proto(),
            [self.endpoints.src_port(), self.endpoints.dst_port()],
        );
        let [from_server, to_server] = ports.map(|port| server_ports::is_server_port(proto, port));
        match &self.tcp {
            Some(tcp) if tcp.flags.is_initial_syn() => false,
            // If both ports are server ports, the lower one is assumed to be the server's. This
            // rule does not apply to a SYN-ACK, which may belong to a scan.
            Some(tcp) => {
                let is_lower = !tcp.flags.contains(TcpFlags::SYN) && ports[0] < ports[1];
                from_server && (!to_server || is_lower)
            }
            None => proto == UDP && from_server && !to_server,
        }
    }
}
