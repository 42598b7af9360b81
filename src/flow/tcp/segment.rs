//! Position of a segment in its stream.

use crate::flow::sequence::{self, SeqOffset};
use crate::flow::tracked_side::{EndpointState, TrackedSide};
use crate::packet::{Tcp, TcpFlags};

/// A segment with its position in its stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct StreamSegment {
    pub(super) syn: bool,
    pub(super) fin: bool,
    pub(super) rst: bool,
    pub(super) ack: bool,
    /// Payload length, in bytes.
    pub(super) len: SeqOffset,
    /// Offset of the first octet.
    pub(super) start: SeqOffset,
    /// Offset after the last octet. SYN and FIN occupy one octet each; the data of a RST (a
    /// diagnostic text) occupies none.
    pub(super) end: SeqOffset,
    /// Offset at which the stream was expected to continue.
    pub(super) expected: SeqOffset,
    pub(super) window: u16,
    /// True for a keep-alive: 0 or 1 octet just before the expected offset.
    pub(super) is_keep_alive: bool,
    /// True for a window probe: one byte for a receiver whose window is zero.
    pub(super) is_window_probe: bool,
    /// True for a FIN that the other side acknowledged before: it was sent before the capture.
    pub(super) is_acked_fin: bool,
}

impl StreamSegment {
    /// Returns true if the segment has no SYN, FIN or RST.
    pub(super) fn is_plain(&self) -> bool {
        !(self.syn || self.fin || self.rst)
    }

    /// Returns the offset of the segment's data, of which octets below 1 precede the stream; `None`
    /// if all do, or there are none. The data of a RST has an offset, too, although it is not part
    /// of the stream.
    pub(super) fn data_offset(&self) -> Option<SeqOffset> {
        let at = self.start + SeqOffset::from(self.syn);
        (self.len > 0 && at + self.len > 1).then_some(at)
    }

    /// Returns the number of data octets that precede the stream.
    pub(super) fn len_before_stream(&self) -> u64 {
        let at = self.start + SeqOffset::from(self.syn);
        (1 - at).clamp(0, self.len) as u64
    }
}

/// Locates a segment in its stream. The first segment of a side starts the stream.
#[inline]
pub(super) fn locate_segment(
    own: &mut TrackedSide,
    other: &TrackedSide,
    tcp: &Tcp,
    len: u32,
) -> StreamSegment {
    let flags = tcp.flags;
    let [syn, fin, rst, ack] = [TcpFlags::SYN, TcpFlags::FIN, TcpFlags::RST, TcpFlags::ACK]
        .map(|flag| flags.contains(flag));
    let len = SeqOffset::from(len);
    let data_len = if rst { 0 } else { len };
    let octets = data_len + SeqOffset::from(syn) + SeqOffset::from(fin);
    // No packet from this side was captured so far, but an acknowledgement of the FIN was.
    let end = sequence::seq_at(octets, tcp.seq);
    let has_ack = own.state == EndpointState::Inactive && own.isn != 0;
    let is_acked_fin = fin && has_ack && sequence::delta(end, own.isn.wrapping_add(1)) <= 0;
    let is_start = start_stream(own, syn, tcp.seq, octets);
    let expected = if is_start { 0 } else { own.snd_nxt };
    let start = sequence::offset(tcp.seq, own.isn, own.snd_nxt);
    let mut segment = StreamSegment {
        syn,
        fin,
        rst,
        ack,
        len,
        start,
        end: start + octets,
        expected,
        window: tcp.window,
        is_keep_alive: false,
        is_window_probe: false,
        is_acked_fin,
    };
    if len <= 1 && segment.is_plain() {
        segment.is_keep_alive = start == expected - 1 && expected > 0;
        let is_zero_window = other.window == 0 && other.traffic.pkts > 0;
        segment.is_window_probe = len == 1 && start == expected && is_zero_window;
    }
    segment
}

/// Starts a stream at its SYN, or at the first segment if the SYN was not captured. Returns true if
/// the segment is a SYN that starts the stream.
#[inline]
fn start_stream(own: &mut TrackedSide, syn: bool, seq: u32, octets: SeqOffset) -> bool {
    let is_start = match own.state {
        EndpointState::Inactive if !syn => {
            own.start_stream(seq.wrapping_sub(1));
            // Prevents the first segment from being counted as a retransmission.
            own.snd_nxt = 1;
            false
        }
        EndpointState::Inactive => true,
        // Only a RST was captured before this SYN, and it may be forged: the stream restarts.
        EndpointState::Reset => syn && own.previous_state == EndpointState::Inactive,
        EndpointState::Closed => false,
        // The previous SYN was not accepted, or belonged to another connection.
        _ => syn && seq != own.isn,
    };
    if is_start {
        own.start_stream(seq);
        own.snd_nxt = octets;
    }
    is_start
}
