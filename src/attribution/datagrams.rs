//! Senders and receivers of UDP datagrams, as BPF reports them.
//!
//! The event of a datagram that was sent has the addresses and the time of its packet, so it
//! identifies the sender of exactly this packet. The event of a receive call has the addresses of
//! the socket, and a time after that of the packet: the receiver is the first process that received
//! a datagram of this length from that address.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::packet::{Endpoints, Timestamp};
use crate::process::Owner;

/// Maximum number of datagrams whose packets have not arrived; beyond it, the oldest are removed.
const MAX_SENT: usize = 1 << 16;
/// Maximum number of receive calls that are kept for each port.
const MAX_RECEIVED_PER_PORT: usize = 1 << 10;
/// Maximum number of ports with receive calls; beyond it, all are removed.
const MAX_PORTS: usize = 1 << 12;

/// Datagrams that were sent or received, until their packets arrive.
#[derive(Debug, Default)]
pub(super) struct Datagrams {
    senders: HashMap<(Endpoints, Timestamp), Arc<Owner>, RandomState>,
    /// The keys of `senders`, the oldest first.
    order: VecDeque<(Endpoints, Timestamp)>,
    /// Receive calls by local port, the oldest first.
    received: HashMap<u16, VecDeque<ReceiveCall>, RandomState>,
}

/// A call of recv(2), recvfrom(2) or recvmsg(2) that received a datagram.
#[derive(Debug)]
pub(super) struct ReceiveCall {
    /// The time of the end of the call.
    pub(super) time: Timestamp,
    /// The local address; it can be unspecified.
    pub(super) local: SocketAddr,
    /// The address to which the socket is connected; unspecified if it is not.
    pub(super) remote: SocketAddr,
    /// The length of the datagram in bytes.
    pub(super) len: u32,
    pub(super) owner: Arc<Owner>,
}

impl Datagrams {
    /// Records the sender of the datagram with these endpoints and this packet time.
    pub(super) fn record_sent(&mut self, endpoints: Endpoints, time: Timestamp, owner: Arc<Owner>) {
        if self.order.len() >= MAX_SENT
            && let Some(oldest) = self.order.pop_front()
        {
            self.senders.remove(&oldest);
        }
        self.order.push_back((endpoints, time));
        self.senders.insert((endpoints, time), owner);
    }

    /// Records a receive call.
    pub(super) fn record_received(&mut self, call: ReceiveCall) {
        if self.received.len() >= MAX_PORTS {
            self.received.clear();
        }
        let calls = self.received.entry(call.local.port()).or_default();
        if calls.len() >= MAX_RECEIVED_PER_PORT {
            calls.pop_front();
        }
        calls.push_back(call);
    }

    /// Returns the sender of a datagram.
    pub(super) fn sender(&mut self, endpoints: &Endpoints, time: Timestamp) -> Option<Arc<Owner>> {
        self.senders.remove(&(*endpoints, time))
    }

    /// Returns the receiver of a datagram with a payload of this length, if it was received by now.
    pub(super) fn receiver(
        &mut self,
        endpoints: &Endpoints,
        time: Timestamp,
        len: u32,
    ) -> Option<Arc<Owner>> {
        let calls = self.received.get_mut(&endpoints.dst_port())?;
        // Earlier calls received earlier datagrams.
        while calls.front().is_some_and(|call| call.time < time) {
            calls.pop_front();
        }
        let (src, dst) = (endpoints.src(), endpoints.dst());
        let at = calls.iter().position(|call| {
            let is_from = is_same_or_unspecified(call.remote, src);
            call.len == len && is_from && is_same_or_unspecified(call.local, dst)
        })?;
        calls.remove(at).map(|call| call.owner)
    }
}

/// True if a socket's address is `address`, or contains no address.
fn is_same_or_unspecified(socket: SocketAddr, address: SocketAddr) -> bool {
    let is_unspecified = match socket.ip() {
        IpAddr::V4(ip) => ip.is_unspecified(),
        IpAddr::V6(ip) => ip.is_unspecified(),
    };
    let is_port_match = socket.port() == 0 || socket.port() == address.port();
    is_port_match && (is_unspecified || socket.ip() == address.ip())
}
