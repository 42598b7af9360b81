//! IP fragment reassembly (RFC 791 section 3.2, RFC 8200 section 4.5), bounded in bytes and time.
//!
//! A datagram is returned when it is complete. If two fragments overlap, the bytes of the first
//! fragment are kept (RFC 5722 requires the datagram to be dropped; here it must remain visible).
//! Incomplete datagrams are dropped and counted.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use super::coverage::covered_until;
use crate::packet::{Fragment, Frame, FrameOptions, LinkType, Packet, Payload};
use crate::process::Owners;

/// Reassembles fragmented datagrams.
#[derive(Debug, Default)]
pub(super) struct FragmentReassembler {
    pending: HashMap<DatagramId, PartialDatagram>,
    /// Memory used by incomplete datagrams in bytes, including overhead.
    buffered_bytes: usize,
    /// Lower bound of the oldest incomplete datagram's start time.
    oldest_start: i64,
    /// Number of datagrams that were dropped incomplete.
    pub(super) incomplete: u64,
}

/// Identity of a fragmented datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct DatagramId {
    src: IpAddr,
    dst: IpAddr,
    proto: u8,
    id: u32,
}

#[derive(Debug, Default)]
struct PartialDatagram {
    start_time: i64,
    /// Fragments by offset; they do not overlap.
    parts: BTreeMap<u32, Box<[u8]>>,
    /// Length of the datagram; set when the last fragment arrives.
    total_len: Option<u32>,
    /// True if a fragment was cut by the snapshot length or is invalid: the datagram cannot be
    /// completed.
    is_unrecoverable: bool,
    covered_bytes: u32,
    /// Length of all fragments' frames on the wire, in bytes.
    wire_len: u32,
    /// Length of the IP header of one fragment, in bytes.
    header_len: u32,
    /// Owners of the datagram: those of the first fragment, because the others have no ports.
    owners: Option<Owners>,
}

/// A reassembled datagram.
pub(super) struct ReassembledDatagram {
    /// The datagram, after an IP header without options and extensions.
    bytes: Vec<u8>,
    /// Length of all fragments' frames on the wire, in bytes.
    pub(super) wire_len: u32,
    /// Length of the IP header of the last fragment, and of the datagram's contents, in bytes.
    header_len: u32,
    contents_len: u32,
    /// Time of the first fragment, in nanoseconds.
    pub(super) start_time: i64,
    /// Owners of the sender (`orig`) and the receiver, if they are identified.
    pub(super) owners: Option<Owners>,
}

impl ReassembledDatagram {
    /// Returns the datagram as a frame, in place of its last fragment.
    pub(super) fn frame<'a>(&'a self, last: &Frame<'a>) -> Frame<'a> {
        Frame {
            link: LinkType::RAW,
            wire_len: self.bytes.len() as u32,
            bytes: &self.bytes,
            options: FrameOptions::default(),
            ..*last
        }
    }

    /// Returns the length of the datagram with one IP header, in bytes.
    pub(super) fn ip_len(&self) -> u32 {
        self.header_len + self.contents_len
    }
}

/// Returns the IP header of a datagram (RFC 791 section 3.1, RFC 8200 section 3) in which only the
/// lengths, the protocol and the addresses are set. An IPv4 total length of 0 means that the
/// datagram extends to the end of the frame.
fn ip_header(id: &DatagramId, contents_len: usize) -> Vec<u8> {
    let mut header;
    match (id.src, id.dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            header = vec![0; 12];
            header[0] = 0x45;
            header[9] = id.proto;
            header.extend(src.octets());
            header.extend(dst.octets());
        }
        (src, dst) => {
            header = vec![0; 8];
            header[0] = 0x60;
            header[4..6].copy_from_slice(&(contents_len as u16).to_be_bytes());
            header[6] = id.proto;
            for ip in [src, dst] {
                match ip {
                    IpAddr::V4(ip) => header.extend(ip.to_ipv6_mapped().octets()),
                    IpAddr::V6(ip) => header.extend(ip.octets()),
                }
            }
        }
    }
    header
}

/// Maximum memory of all incomplete datagrams together, in bytes.
const MAX_FRAGMENT_BYTES: usize = 8 << 20;
/// Length of an IPv6 fragment header, in bytes.
const FRAGMENT_HEADER_LEN: u32 = 8;
/// Memory overhead of a datagram and of each of its fragments, in addition to their bytes.
const FRAGMENT_OVERHEAD_BYTES: usize = 128;
/// Time in nanoseconds after which an incomplete datagram is dropped (ipfrag_time of ip-sysctl).
const REASSEMBLY_TIMEOUT_NS: i64 = 30_000_000_000;
/// Maximum length of a datagram (RFC 791: 65535 bytes including its header).
const MAX_DATAGRAM_LEN: u32 = 65_535;

impl FragmentReassembler {
    /// Adds a fragment; returns the datagram if the fragment completes it.
    pub(super) fn add(&mut self, packet: &Packet, now: i64) -> Option<ReassembledDatagram> {
        let (fragment, (src, dst)) = (packet.fragment()?, packet.addresses()?);
        let (proto, payload) = (packet.ip_proto()?, packet.ip_payload());
        let id = DatagramId {
            src,
            dst,
            proto,
            id: fragment.id,
        };
        // The fragment header does not count: the original packet did not contain it (RFC 8200
        // section 4.5).
        let fragment_header_len = if src.is_ipv6() {
            FRAGMENT_HEADER_LEN
        } else {
            0
        };
        let header_len = packet
            .ip_len()
            .saturating_sub(payload.len + fragment_header_len);
        let sizes = (packet.frame.plausible_len(), header_len);
        self.add_part(id, fragment, payload, sizes, packet.owners, now)
    }

    fn add_part(
        &mut self,
        id: DatagramId,
        fragment: Fragment,
        payload: Payload,
        (wire_len, header_len): (u32, u32),
        owners: Option<&Owners>,
        now: i64,
    ) -> Option<ReassembledDatagram> {
        if now.saturating_sub(self.oldest_start) > REASSEMBLY_TIMEOUT_NS {
            self.expire(now);
        }
        let end = fragment.offset.saturating_add(payload.len);
        if self.pending.is_empty() {
            self.oldest_start = now;
        }
        let mut before = 0;
        let entry = self.pending.entry(id);
        let datagram = entry
            .and_modify(|datagram| before = datagram.buffered_bytes())
            .or_insert_with(|| PartialDatagram {
                start_time: now,
                ..PartialDatagram::default()
            });
        datagram.is_unrecoverable |=
            end > MAX_DATAGRAM_LEN || payload.bytes.len() as u32 != payload.len;
        if datagram.is_unrecoverable {
            datagram.parts.clear();
            datagram.covered_bytes = 0;
        } else {
            datagram.add(fragment.offset, payload.bytes);
        }
        datagram.wire_len = datagram.wire_len.saturating_add(wire_len);
        datagram.header_len = header_len;
        if fragment.offset == 0 {
            datagram.owners = owners.cloned();
        }
        if !fragment.more_fragments {
            datagram.total_len = Some(end);
        }
        self.buffered_bytes = self.buffered_bytes - before + datagram.buffered_bytes();
        if datagram.is_complete() {
            return Some(self.remove(&id)?.into_datagram(&id));
        }
        if self.buffered_bytes > MAX_FRAGMENT_BYTES {
            self.evict_oldest_half();
        }
        None
    }

    /// Drops all incomplete datagrams at the end of the capture.
    pub(super) fn drop_all(&mut self) {
        self.incomplete += self.pending.len() as u64;
        self.pending.clear();
        self.buffered_bytes = 0;
    }

    fn remove(&mut self, id: &DatagramId) -> Option<PartialDatagram> {
        let datagram = self.pending.remove(id)?;
        self.buffered_bytes -= datagram.buffered_bytes();
        Some(datagram)
    }

    fn drop_incomplete(&mut self, id: &DatagramId) {
        if self.remove(id).is_some() {
            self.incomplete += 1;
        }
    }

    fn expire(&mut self, now: i64) {
        let is_old = |datagram: &PartialDatagram| {
            now.saturating_sub(datagram.start_time) > REASSEMBLY_TIMEOUT_NS
        };
        let old = self.pending.iter().filter(|(_, datagram)| is_old(datagram));
        let old: Vec<DatagramId> = old.map(|(id, _)| *id).collect();
        old.iter().for_each(|id| self.drop_incomplete(id));
        let start_times = self.pending.values().map(|datagram| datagram.start_time);
        self.oldest_start = start_times.min().unwrap_or(now);
    }

    /// Drops the older half of the incomplete datagrams.
    fn evict_oldest_half(&mut self) {
        let mut by_age: Vec<(i64, DatagramId)> = self
            .pending
            .iter()
            .map(|(id, datagram)| (datagram.start_time, *id))
            .collect();
        by_age.sort_unstable();
        let half = by_age.len().div_ceil(2);
        by_age
            .iter()
            .take(half)
            .for_each(|(_, id)| self.drop_incomplete(id));
    }
}

impl PartialDatagram {
    fn buffered_bytes(&self) -> usize {
        self.covered_bytes as usize + (self.parts.len() + 1) * FRAGMENT_OVERHEAD_BYTES
    }

    /// Returns true if the last fragment has arrived and no bytes are missing.
    fn is_complete(&self) -> bool {
        let Some(len) = self
            .total_len
            .filter(|&len| self.covered_bytes >= len && !self.is_unrecoverable)
        else {
            return false;
        };
        let mut reached = 0;
        while reached < len {
            let (is_present, until) = self.covered_until(reached, len);
            if !is_present {
                return false;
            }
            reached = until;
        }
        true
    }

    fn covered_until(&self, at: u32, end: u32) -> (bool, u32) {
        covered_until(&self.parts, |part| part.len() as u32, at, end)
    }

    /// Adds the bytes that no earlier fragment contained.
    fn add(&mut self, offset: u32, bytes: &[u8]) {
        let end = offset + bytes.len() as u32;
        let mut at = offset;
        while at < end {
            let (is_present, until) = self.covered_until(at, end);
            if !is_present {
                let new_bytes = bytes.get((at - offset) as usize..(until - offset) as usize);
                let new_bytes = new_bytes.unwrap_or_default();
                self.covered_bytes += new_bytes.len() as u32;
                self.parts.insert(at, new_bytes.into());
            }
            at = until;
        }
    }

    fn into_datagram(self, id: &DatagramId) -> ReassembledDatagram {
        let len = self.total_len.unwrap_or(self.covered_bytes);
        let mut bytes = ip_header(id, len as usize);
        let header_len = bytes.len();
        bytes.extend(self.parts.into_values().flatten());
        bytes.truncate(header_len + len as usize);
        ReassembledDatagram {
            bytes,
            wire_len: self.wire_len,
            header_len: self.header_len,
            contents_len: len,
            start_time: self.start_time,
            owners: self.owners,
        }
    }
}

#[cfg(test)]
mod tests;
