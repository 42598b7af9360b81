//! Table of the connections whose requests are tracked.

use std::collections::{HashMap, VecDeque};

use foldhash::fast::RandomState;

use super::analyzer::{Context, EndReason};
use super::connection::Connection;
use super::turns::QUIET_TIME;
use super::{RequestEvent, RequestSettings};
use crate::flow::{EndpointState, FlowEndReason, FlowEvent, FlowEventKind, FlowId, FlowRecord};
use crate::packet::{TCP, Timestamp, UDP};
use crate::process::Owners;

/// Turns the events of a flow table, with reassembled streams, into requests.
pub struct RequestTable {
    settings: RequestSettings,
    /// Connections, by flow number.
    connections: HashMap<u64, (FlowId, Connection), RandomState>,
    /// Flow numbers of connections whose answer or opening is complete if no more of it follows,
    /// and the times at which that is due. A connection is at most once in it.
    quiet: VecDeque<(i64, u64)>,
    totals: TableTotals,
    counts: RequestCounts,
}

/// State that all connections share.
#[derive(Debug)]
struct TableTotals {
    /// Number of the last reported request.
    last_number: u64,
    buffered_bytes: u64,
    /// Time up to which the capture was read.
    now: Timestamp,
}

/// Counters of request tracking.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RequestCounts {
    /// Requests that were reported.
    pub requests: u64,
    /// Bytes that were not analyzed, because the position in the protocol was lost, or the
    /// connection changed to another protocol.
    pub unanalyzed_bytes: u64,
    /// Connections with such bytes.
    pub unanalyzed_flows: u64,
}

/// Callback that receives the events of a request table.
type Emit<'a> = &'a mut dyn FnMut(RequestEvent);

impl RequestTable {
    /// Returns an empty table.
    pub fn new(settings: RequestSettings) -> RequestTable {
        RequestTable {
            settings,
            connections: HashMap::default(),
            quiet: VecDeque::new(),
            totals: TableTotals {
                last_number: 0,
                buffered_bytes: 0,
                now: Timestamp::ABSENT,
            },
            counts: RequestCounts::default(),
        }
    }

    /// Applies an event of a flow, and emits the resulting events, including those that are due by
    /// the time of the event.
    pub fn follow(&mut self, event: &FlowEvent, emit: Emit) {
        self.advance(event.time, emit);
        match event.kind {
            FlowEventKind::Owners(owners) => self.update_owners(event.id, owners),
            FlowEventKind::Data {
                side,
                bytes,
                captured,
                ..
            } => {
                self.with_connection(event, emit, |connection, context| {
                    // Earlier than the event if the bytes were buffered for missing ones.
                    context.time = captured;
                    connection.data(side, bytes, context);
                });
            }
            FlowEventKind::Gap { side, len, .. } => {
                self.with_connection(event, emit, |connection, context| {
                    connection.gap(side, len, context);
                });
            }
            FlowEventKind::End { side } => {
                self.with_connection(event, emit, |connection, context| {
                    connection.end_of_stream(side, context);
                });
                self.remove_if_complete(event, emit);
            }
            FlowEventKind::Closed(record) => self.close(event, record, emit),
            FlowEventKind::Opened { is_late: true } => {
                let created = (*event.id, Connection::late());
                self.connections.insert(event.id.number, created);
            }
            FlowEventKind::Opened { .. }
            | FlowEventKind::Detected(_)
            | FlowEventKind::Mismatch { .. } => {}
        }
    }

    /// Reports the answers that are complete by this time because no more of them has followed, and
    /// detects protocols without more bytes.
    pub fn advance(&mut self, time: Timestamp, emit: Emit) {
        self.totals.now = self.totals.now.max(time);
        while let Some((due, number)) = self.quiet.front().copied()
            && due <= time.0
        {
            self.quiet.pop_front();
            let Some((id, connection)) = self.connections.get_mut(&number) else {
                continue;
            };
            connection.is_queued = false;
            if let Some(since) = connection.quiet_since(&self.settings) {
                if since.0.saturating_add(QUIET_TIME) <= time.0 {
                    let owners = connection.owners.clone();
                    let context =
                        &mut self
                            .totals
                            .context(&self.settings, id, &owners, since, emit);
                    connection.end_of_answer(context);
                }
                enqueue_quiet(&mut self.quiet, &self.settings, number, connection);
            }
        }
    }

    /// Returns the current counters.
    pub fn counts(&self) -> RequestCounts {
        RequestCounts {
            requests: self.totals.last_number,
            ..self.counts
        }
    }

    /// Returns the number of bytes that all connections buffer.
    #[cfg(test)]
    pub(super) fn buffered_bytes(&self) -> u64 {
        self.totals.buffered_bytes
    }

    /// Returns the number of requests that have waited for an answer since this time or longer. Its
    /// cost is proportional to the number of open connections.
    pub fn pending_since(&self, time: Timestamp) -> u64 {
        let connections = self.connections.values();
        connections
            .map(|(_, connection)| connection.pending_since(time))
            .sum()
    }

    fn update_owners(&mut self, id: &FlowId, owners: &Owners) {
        if [TCP, UDP].contains(&id.proto()) {
            let (_, connection) = self
                .connections
                .entry(id.number)
                .or_insert_with(|| (*id, Connection::default()));
            connection.owners = owners.clone();
        }
    }

    /// Calls `action` with the connection of an event, then queues it if its answer is complete
    /// unless more follows.
    fn with_connection(
        &mut self,
        event: &FlowEvent,
        emit: Emit,
        action: impl FnOnce(&mut Connection, &mut Context),
    ) {
        let (id, number) = (event.id, event.id.number);
        if ![TCP, UDP].contains(&id.proto()) {
            return;
        }
        let (tracked_id, connection) = self
            .connections
            .entry(number)
            .or_insert_with(|| (*id, Connection::default()));
        // Originator and responder may be swapped before the first data.
        *tracked_id = *id;
        let owners = std::mem::take(&mut connection.owners);
        let context = &mut self
            .totals
            .context(&self.settings, id, &owners, event.time, emit);
        action(connection, context);
        connection.owners = owners;
        enqueue_quiet(&mut self.quiet, &self.settings, number, connection);
    }

    /// Frees the connection of an event if it carries no more requests. Its flow remains in the
    /// flow table for much longer, to receive late packets.
    fn remove_if_complete(&mut self, event: &FlowEvent, emit: Emit) {
        let tracked = self.connections.get(&event.id.number);
        if tracked.is_some_and(|(_, connection)| connection.is_complete()) {
            let reason = EndReason::Closed;
            self.finish(event.id, [event.time; 2], reason, emit);
        }
    }

    fn close(&mut self, event: &FlowEvent, record: &FlowRecord, emit: Emit) {
        // Live, the owners can be more precise at the end.
        if !record.owners.is_empty()
            && let Some((_, connection)) = self.connections.get_mut(&event.id.number)
        {
            connection.owners = record.owners.clone();
        }
        // The time of the event is that of the flow's last packet.
        let end = match record.end_reason {
            FlowEndReason::Closed | FlowEndReason::Reused => event.time,
            FlowEndReason::Idle => event.due.unwrap_or(self.totals.now),
            FlowEndReason::Capture | FlowEndReason::Evicted => self.totals.now,
        };
        self.finish(event.id, [event.time, end], end_reason(record), emit);
    }

    /// Reports the remaining requests of a flow with these times of its last packet and its end.
    pub(super) fn finish(
        &mut self,
        id: &FlowId,
        [time, end]: [Timestamp; 2],
        reason: EndReason,
        emit: Emit,
    ) {
        let Some((_, mut connection)) = self.connections.remove(&id.number) else {
            return;
        };
        let owners = std::mem::take(&mut connection.owners);
        let context = &mut self.totals.context(&self.settings, id, &owners, time, emit);
        context.end = end;
        connection.finish(reason, context);
        self.counts.unanalyzed_bytes += connection.unanalyzed_bytes;
        self.counts.unanalyzed_flows += u64::from(connection.unanalyzed_bytes > 0);
    }
}

impl TableTotals {
    fn context<'a>(
        &'a mut self,
        settings: &'a RequestSettings,
        flow: &'a FlowId,
        owners: &'a Owners,
        time: Timestamp,
        emit: Emit<'a>,
    ) -> Context<'a> {
        Context {
            settings,
            flow,
            owners,
            protocol: "",
            is_late: false,
            start: time,
            time,
            end: self.now,
            last_number: &mut self.last_number,
            buffered_bytes: &mut self.buffered_bytes,
            emit,
        }
    }
}

fn enqueue_quiet(
    queue: &mut VecDeque<(i64, u64)>,
    settings: &RequestSettings,
    number: u64,
    connection: &mut Connection,
) {
    if !connection.is_queued
        && let Some(since) = connection.quiet_since(settings)
    {
        connection.is_queued = true;
        queue.push_back((since.0.saturating_add(QUIET_TIME), number));
    }
}

/// Returns the reason why a flow's requests end.
fn end_reason(record: &FlowRecord) -> EndReason {
    let is_reset = record
        .sides
        .iter()
        .any(|side| side.state == EndpointState::Reset);
    match record.end_reason {
        _ if record.dropped_pkts > 0 => EndReason::Dropped,
        FlowEndReason::Capture | FlowEndReason::Evicted => EndReason::Capture,
        _ if is_reset => EndReason::Reset,
        FlowEndReason::Closed | FlowEndReason::Idle | FlowEndReason::Reused => EndReason::Closed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Side;
    use crate::packet::Endpoints;

    #[test]
    fn requests_wait_before_and_after_their_protocol_is_detected() {
        let id = FlowId {
            number: 1,
            first_time: Timestamp(0),
            first_frame: 1,
            endpoints: Endpoints::from_ipv4([127, 0, 0, 1], [127, 0, 0, 1], [50_000, 80], TCP),
        };
        let mut table = RequestTable::new(RequestSettings::default());
        for (time, side, bytes, expected) in [
            (10, Side::Orig, &b"GET / HTTP/1.1\r\n\r\n"[..], 1),
            (20, Side::Resp, b"HTTP/1.1 204 No Content\r\n\r\n", 0),
            (30, Side::Orig, b"GET / HTTP/1.1\r\n\r\n", 1),
            (40, Side::Orig, b"GET / HTTP/1.1\r\n\r\n", 2),
            (50, Side::Resp, b"HTTP/1.1 204 No Content\r\n\r\n", 1),
        ] {
            let kind = FlowEventKind::Data {
                captured: Timestamp(time),
                side,
                offset: 0,
                bytes,
            };
            let event = FlowEvent {
                id: &id,
                time: Timestamp(time),
                due: None,
                kind,
            };
            table.follow(&event, &mut |_| {});
            assert_eq!(table.pending_since(Timestamp(time)), expected, "{time}");
            assert_eq!(table.pending_since(Timestamp(9)), 0, "{time}");
        }
    }
}
