//! A packet as far as flows need it: who sends to whom, how much, and what.

use super::icmp;
use super::key::{End, FlowKey, Kind};
use super::servers;
use crate::packet::{Body, Flags, Options, Packet, Payload, Tcp, UDP};

/// A packet of a flow.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) key: FlowKey,
    /// Which end of the key sent it.
    pub(super) from: End,
    /// The frame's number.
    pub(super) frame: u64,
    /// Nanoseconds.
    pub(super) time: i64,
    pub(super) wire_len: u32,
    pub(super) ip_len: u32,
    pub(super) content: Content<'a>,
    /// What its frame's options say.
    pub(super) options: Options<'a>,
}

/// What it says.
#[derive(Clone, Copy)]
pub(super) enum Content<'a> {
    Segment(&'a Tcp<'a>, Payload<'a>),
    Datagram(Payload<'a>),
}

/// A packet that belongs to a flow, but its header is cut or impossible.
pub(super) struct Unreadable;

impl<'a> Seen<'a> {
    /// A packet that carries `body`; nothing where that belongs to no flow.
    #[inline]
    pub(super) fn of(
        packet: &'a Packet,
        body: &'a Body<'a>,
        time: i64,
    ) -> Result<Option<Seen<'a>>, Unreadable> {
        let ((key, from), content) = match body {
            Body::Tcp {
                tuple,
                tcp,
                payload,
            } => (
                FlowKey::of(tuple, Kind::TwoWay),
                Content::Segment(tcp, *payload),
            ),
            Body::Udp { tuple, payload } => (
                FlowKey::of(tuple, Kind::TwoWay),
                Content::Datagram(*payload),
            ),
            Body::Icmp {
                src,
                dst,
                proto,
                payload,
            } => {
                let named = icmp::tuple(*src, *dst, *proto, *payload);
                let (tuple, kind) = named.ok_or(Unreadable)?;
                (
                    FlowKey::of(&tuple, kind),
                    Content::Datagram(icmp::data(*payload)),
                )
            }
            Body::Broken { .. } => return Err(Unreadable),
            Body::Ip { .. } | Body::Opaque(_) => return Ok(None),
        };
        Ok(Some(Seen {
            key,
            from,
            frame: packet.frame.number,
            options: packet.frame.options,
            time,
            wire_len: packet.frame.plausible_len(),
            ip_len: packet.ip_len(),
            content,
        }))
    }

    /// The data that it carries.
    #[inline]
    pub(super) fn payload(&self) -> Payload<'a> {
        match self.content {
            Content::Segment(_, payload) | Content::Datagram(payload) => payload,
        }
    }

    /// Whether, as a flow's first packet, it is most likely an answer (Zeek's `WantConnection`): a server's port sent it unasked.
    pub(super) fn is_answer(&self) -> bool {
        let proto = self.key.proto();
        let [src, dst] = [self.from, self.from.other()].map(|end| self.key.end(end));
        let [from_server, to_server] = [src, dst].map(|end| servers::is_likely(proto, end.port()));
        match &self.content {
            Content::Segment(tcp, _) => {
                let is_syn = tcp.flags.has(Flags::SYN);
                let begins = is_syn && !tcp.flags.has(Flags::ACK);
                // Where both may be servers the lower port is; but a SYN-ACK may be a scan.
                let is_lower = !is_syn && src.port() < dst.port();
                !begins && from_server && (!to_server || is_lower)
            }
            Content::Datagram(_) => proto == UDP && from_server && !to_server,
        }
    }
}
