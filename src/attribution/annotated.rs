//! A source that adds the owners of each packet to its frame as a comment, as in an annotated
//! pcapng file.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::cpu_budget::CpuBudget;
use super::offload::Offload;
use super::{ConnectionTable, PacketPosition};
use crate::decode::decode;
use crate::error::Result;
use crate::packet::{Body, Frame, FrameOptions, Packet, TcpFlags, Timestamp, Tuple};
use crate::process::comment::{self, CommentDetail, EncodedOptions};
use crate::process::{Owner, Owners};
use crate::source::{Losses, Source, SourceEvent, SourceHandler};

/// A source whose frames have comments with their owners.
pub struct AnnotatedSource<S> {
    source: S,
    annotator: Annotator,
}

/// Encodes the options of frames.
struct Annotator {
    table: Arc<ConnectionTable>,
    /// Cached comments, by source and destination.
    cache: HashMap<Tuple, CachedComment>,
    /// The time that may be spent waiting for lookups.
    wait_budget: CpuBudget,
    /// The options of a frame with all details of the owners, and of a frame with unknown owners.
    full_options: EncodedOptions,
    unknown_options: EncodedOptions,
    offload: Offload,
}

struct CachedComment {
    owners: Owners,
    /// The options of a frame whose comment contains only the summary.
    comment_options: EncodedOptions,
}

/// Maximum time to wait for a lookup. Without the wait, the first packet would have no owners.
const LOOKUP_TIMEOUT: Duration = Duration::from_millis(5);
/// Maximum number of cached comments; beyond it, the cache is cleared.
const MAX_CACHED_COMMENTS: usize = 1 << 14;

impl<S: Source> AnnotatedSource<S> {
    /// Adds the owners recorded in a table to the frames of a source.
    pub fn new(source: S, table: Arc<ConnectionTable>) -> AnnotatedSource<S> {
        AnnotatedSource {
            source,
            annotator: Annotator {
                table,
                cache: HashMap::new(),
                wait_budget: CpuBudget::new(Instant::now()),
                full_options: EncodedOptions::default(),
                unknown_options: EncodedOptions::flags_only(),
                offload: Offload::default(),
            },
        }
    }
}

impl<S: Source> Source for AnnotatedSource<S> {
    fn for_each(&mut self, handler: &mut impl SourceHandler) -> Result<()> {
        let annotator = &mut self.annotator;
        self.source
            .for_each(&mut |event: &SourceEvent<'_>| match event {
                SourceEvent::Frame(frame) => handler.handle(&SourceEvent::Frame(Frame {
                    options: annotator.packet_options(&decode(frame)),
                    ..*frame
                })),
                event => handler.handle(event),
            })
    }

    fn losses(&mut self) -> Losses {
        self.source.losses()
    }
}

impl Annotator {
    /// Requests the owners of a connection that has just started, or whose start was not captured.
    /// Waits for the owners if the budget permits.
    fn request_owners(
        &mut self,
        tuple: &Tuple,
        time: Timestamp,
        position: PacketPosition,
    ) -> Option<Owners> {
        let now = Instant::now();
        let timeout = match self.wait_budget.replenish(now) {
            true => LOOKUP_TIMEOUT,
            false => Duration::ZERO,
        };
        let owners = self.table.request_and_wait(tuple, time, position, timeout);
        self.wait_budget.charge(now.elapsed());
        owners
    }

    /// Returns the options for a packet's frame.
    fn packet_options(&mut self, packet: &Packet) -> FrameOptions<'_> {
        let frame = packet.frame;
        // Fragments after the first have no ports.
        let Some(tuple) = packet.tuple() else {
            return frame_options(&[]);
        };
        let flags = self.offload.flags(packet);
        let position = match packet.body {
            Body::Tcp { tcp, .. }
                if tcp.flags.contains(TcpFlags::SYN) && !tcp.flags.contains(TcpFlags::ACK) =>
            {
                PacketPosition::First
            }
            _ => PacketPosition::Any,
        };
        let found = match self.table.packet_owners(&tuple, frame.time, position) {
            Some(owners) if owners.orig.is_some() && owners.resp.is_some() => Some(owners),
            _ => self.request_owners(&tuple, frame.time, position),
        };
        let Some(owners) = found.filter(|owners| !owners.is_empty()) else {
            return frame_options(self.unknown_options.with_flags(flags));
        };
        if self.cache.len() > MAX_CACHED_COMMENTS {
            self.cache.clear();
        }
        let is_cached = self
            .cache
            .get(&tuple)
            .is_some_and(|cached| cached.owners.ptr_eq(&owners));
        if !is_cached {
            let reverse = self.cache.get(&tuple.reversed());
            let is_described =
                reverse.is_some_and(|cached| cached.owners.clone().swapped().ptr_eq(&owners));
            let names_only = comment::encode(&owners, CommentDetail::Names);
            if !is_described {
                self.full_options = comment::encode(&owners, CommentDetail::Full);
            }
            self.cache.insert(
                tuple,
                CachedComment {
                    owners,
                    comment_options: names_only,
                },
            );
            if !is_described {
                return frame_options(self.full_options.with_flags(flags));
            }
        }
        let cached = self.cache.get_mut(&tuple);
        frame_options(cached.map_or(&[], |cached| cached.comment_options.with_flags(flags)))
    }
}

fn frame_options(bytes: &[u8]) -> FrameOptions<'_> {
    FrameOptions {
        bytes,
        big_endian: cfg!(target_endian = "big"),
    }
}

impl Owners {
    /// True if both refer to the same owners in memory, which implies that they are equal.
    fn ptr_eq(&self, other: &Owners) -> bool {
        let same = |own: &Option<Arc<Owner>>, other: &Option<Arc<Owner>>| match (own, other) {
            (Some(own), Some(other)) => Arc::ptr_eq(own, other),
            (None, None) => true,
            _ => false,
        };
        same(&self.orig, &other.orig) && same(&self.resp, &other.resp)
    }
}
