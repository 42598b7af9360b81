//! One side of a flow: what it sent, how far its stream is known, and its TCP state (Zeek's `TCP_Endpoint`).

use std::sync::Arc;

use super::assembler::Assembler;
use super::key::Side;
use super::sequence::Offset;
use crate::owners::Owner;

/// How far one side of a TCP connection is, as Zeek tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum State {
    /// Nothing was seen of it.
    #[default]
    Inactive,
    /// It sent a SYN.
    SynSent,
    /// It sent a SYN with an ACK, and no SYN was seen before.
    SynAckSent,
    /// It sends in a connection whose beginning was not seen.
    Partial,
    /// It is connected.
    Established,
    /// It sent a FIN.
    Closed,
    /// It sent a RST.
    Reset,
}

/// What one side sent, in packets and bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Packets; fragments of a datagram are one.
    pub pkts: u64,
    /// Their frames' bytes on the wire.
    pub wire_bytes: u64,
    /// Their bytes as the IP header gives them.
    pub ip_bytes: u64,
    /// Bytes of data, in the order of the capture: what is sent again counts again.
    pub payload_bytes: u64,
}

/// What one side's TCP segments had to say beside their data. Wireshark's terms, told by sequence numbers and not by time
/// (Wireshark User's Guide, "TCP Analysis"; tcptrace, rexmit.c).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Analysis {
    /// Segments with data, SYN or FIN of which something had been sent before.
    pub retrans_pkts: u32,
    /// How many bytes of data were sent again.
    pub retrans_bytes: u64,
    /// How many of them were others than before; only counted where streams are put together.
    pub mismatched_bytes: u64,
    /// Retransmissions of what the other side had acknowledged.
    pub spurious_pkts: u32,
    /// Segments that brought only new bytes, behind others that had come: they overtook it.
    pub ooo_pkts: u32,
    /// Segments before which something was missing.
    pub lost_pkts: u32,
    /// Acknowledgements that repeat the last one while data is outstanding (RFC 5681 section 2).
    pub dup_acks: u32,
    /// Segments that close the window, without SYN, FIN and RST.
    pub zero_windows: u32,
    /// Segments that probe a closed window with one byte.
    pub window_probes: u32,
    /// Segments of 0 or 1 byte before what was sent, to hear whether the other side is there.
    pub keep_alives: u32,
}

/// What most sides never have to count.
#[derive(Debug, Clone, Default)]
pub(super) struct Rare {
    /// Whose it is, where a file tells.
    pub(super) owner: Option<Arc<Owner>>,
    pub(super) analysis: Analysis,
    /// Bytes that the other side had and the capture has not.
    pub(super) missed_bytes: u64,
    /// Counters behind the letters T, W and G of the history.
    pub(super) repeats: u32,
    pub(super) closed_windows: u32,
    pub(super) gaps: u32,
    /// The offset of the byte that it last probed a closed window with; 0 is none.
    pub(super) probe: Offset,
}

/// One side.
#[derive(Debug, Clone, Default)]
pub(super) struct Half {
    pub(super) traffic: Traffic,
    /// Its initial sequence number: of its SYN, or one less than what was first seen of it.
    pub(super) start: u32,
    /// The offset behind the last thing that it sent.
    pub(super) last: Offset,
    /// The offset up to which the other side acknowledged.
    pub(super) acked: Offset,
    /// The offset behind its FIN.
    pub(super) fin: Offset,
    pub(super) assembler: Assembler,
    rare: Option<Box<Rare>>,
    /// Where its last segments with SYN, FIN and RST were: the same place again is the same segment again.
    pub(super) last_syn: u32,
    pub(super) last_fin: u32,
    pub(super) last_rst: u32,
    /// Its window as the last segment's header gave it.
    pub(super) window: u16,
    pub(super) state: State,
    pub(super) before: State,
    /// Whether a SYN of it was seen, alone or with an ACK.
    pub(super) syn: bool,
    pub(super) syn_ack: bool,
    /// Whether a FIN of it was seen.
    pub(super) finned: bool,
    /// Whether everything that it sent before its FIN or RST was delivered.
    pub(super) did_close: bool,
}

impl Half {
    /// A side of the two, and the other.
    #[inline]
    pub(super) fn pair(halves: &mut [Half; 2], side: Side) -> (&mut Half, &mut Half) {
        let [orig, resp] = halves;
        match side {
            Side::Orig => (orig, resp),
            Side::Resp => (resp, orig),
        }
    }

    /// What is rarely counted, as far as it was.
    pub(super) fn rare(&self) -> Option<&Rare> {
        self.rare.as_deref()
    }

    /// Whose it is, where a file tells.
    pub(super) fn owner(&self) -> Option<Arc<Owner>> {
        self.rare.as_deref()?.owner.clone()
    }

    /// What is rarely counted, to be counted.
    pub(super) fn rare_mut(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// Gives back what it holds; its stream is finished.
    pub(super) fn release(&mut self) {
        self.rare = None;
    }

    /// Enters a state, and remembers the one before.
    pub(super) fn enter(&mut self, state: State) {
        if state != self.state {
            self.before = self.state;
            self.state = state;
        }
    }

    /// Begins the stream at this initial sequence number.
    pub(super) fn begin(&mut self, start: u32) {
        self.start = start;
        self.last = 0;
        self.acked = 0;
    }

    /// Whether it is connected, or closed after it was.
    pub(super) fn is_clean(&self) -> bool {
        self.state == State::Established
            || (self.state == State::Closed && self.before == State::Established)
    }

    /// Whether something that it sent before its end was not delivered yet.
    pub(super) fn is_pending(&self) -> bool {
        let delivered = self.assembler.settled() as Offset + 1;
        self.last > delivered + 1
    }

    /// Bytes of its stream, by sequence numbers (Zeek's `size`): what was not captured counts, what was repeated does not.
    pub(super) fn size(&self, other: &Half) -> u64 {
        let gave_up = self.before == State::SynSent && self.state == State::Reset;
        if gave_up && other.state == State::Inactive && self.acked > 1 {
            // A half-open connection was found and left: the numbers belong to another one.
            return 0;
        }
        let end = self.last.max(self.acked).max(0) as u64;
        end.saturating_sub(1).saturating_sub(u64::from(self.finned))
    }
}
