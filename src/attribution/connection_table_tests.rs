//! Tests of the connection table: an owner belongs to one connection, even if its endpoints are
//! reused.

#[path = "connection_table_changes.rs"]
mod changes;

use super::*;
use crate::attribution::entries::MAX_CONNECTIONS;
use crate::attribution::link::{self, Receiver, Sender};
use crate::attribution::messages::{Answer, Request};
use crate::packet::TCP;
use crate::process::{Evidence, Process, ProcessDetails, ProcessIdentity, RunMembership};

const NANOS_PER_SECOND: i64 = 1_000_000_000;

fn endpoints(from: u16, to: u16) -> Endpoints {
    let end = |port| ([127, 0, 0, 1], port).into();
    Endpoints::new(end(from), end(to), TCP)
}

fn owner(uid: u32) -> Owner {
    Owner {
        processes: Vec::new(),
        evidence: Evidence::Gone,
        uid: Some(uid),
        lookup_time: Timestamp(0),
        hidden_run: RunMembership::Unknown,
    }
}

/// Records a connection whose originator and responder have these UIDs.
fn record_connection(
    table: &ConnectionTable,
    endpoints: Endpoints,
    seconds: i64,
    isn: u32,
    uids: [u32; 2],
) -> bool {
    let time = Timestamp(seconds * NANOS_PER_SECOND);
    let request = LookupRequest {
        endpoints,
        time,
        target: LookupTarget::Responder,
    };
    let is_new = table.record_syn(&endpoints, time, isn);
    if is_new {
        table.set_originator(&request, owner(uids[0]));
        table.set_responder(&request, owner(uids[1]));
        table.mark_settled(&request);
    }
    is_new
}

fn packet_uids(found: Option<(Owners, EntryVersion)>) -> Option<[u32; 2]> {
    uids(found.map(|(owners, _)| owners))
}

fn uids(owners: Option<Owners>) -> Option<[u32; 2]> {
    let owners = owners?;
    let uid = |owner: Option<Arc<Owner>>| owner.and_then(|owner| owner.uid);
    Some([uid(owners.orig)?, uid(owners.resp)?])
}

type Requests = Receiver<Answer, Request>;

/// Returns a table, and the receiver of its requests.
fn table() -> (Arc<ConnectionTable>, Requests) {
    let (near, far) = link::pair().expect("sockets");
    let (requests, _) = Sender::new::<Answer>(near).expect("a waker");
    let (_, receiver) = Sender::new(far).expect("a waker");
    (ConnectionTable::new(requests), receiver)
}

/// Receives requests; returns those for lookups.
fn lookups(requests: &mut Requests) -> Vec<LookupRequest> {
    let mut lookups = Vec::new();
    let each = |request| {
        if let Request::LookUp(request) = request {
            lookups.push(request);
        }
    };
    requests.receive(each).expect("requests");
    lookups
}

fn current_responder(table: &ConnectionTable, request: &LookupRequest) -> Option<Arc<Owner>> {
    let mut state = table.lock();
    state.entry(request)?.owners.resp.clone()
}

#[test]
fn syn_of_another_capture_has_almost_the_same_time() {
    let (table, _requests) = table();
    let forward = endpoints(40_000, 80);
    assert!(record_connection(&table, forward, 10, 1, [1, 2]));
    let time = 10 * NANOS_PER_SECOND;
    let flow = |time| uids(table.flow_owners(&forward, Timestamp(time)));
    for difference in [-900_000, -1, 0, 1, 900_000] {
        assert_eq!(flow(time + difference), Some([1, 2]), "{difference}");
    }
    // Another connection.
    assert_eq!(flow(time + 2_000_000), None);
    assert_eq!(flow(time - 2_000_000), None);
}

#[test]
fn owners_stay_with_their_connection() {
    let (table, _requests) = table();
    let (forward, reverse) = (endpoints(40_000, 80), endpoints(80, 40_000));
    assert!(record_connection(&table, forward, 10, 1, [1, 2]));
    // A retransmitted SYN, a reuse of the endpoints, and a connection in the reverse direction.
    assert!(!record_connection(&table, forward, 11, 1, [7, 7]));
    assert!(record_connection(&table, forward, 20, 2, [3, 4]));
    assert!(record_connection(&table, reverse, 30, 3, [5, 6]));
    let packet = |endpoints, seconds| {
        packet_uids(table.packet_owners(
            &endpoints,
            Timestamp(seconds * NANOS_PER_SECOND),
            PacketPosition::Any,
        ))
    };
    assert_eq!(packet(forward, 9), None);
    assert_eq!(packet(forward, 15), Some([1, 2]));
    assert_eq!(packet(reverse, 15), Some([2, 1]));
    assert_eq!(packet(forward, 29), Some([3, 4]));
    assert_eq!(packet(forward, 31), Some([6, 5]));
    assert_eq!(packet(reverse, 31), Some([5, 6]));
    let flow = |endpoints, seconds| {
        uids(table.flow_owners(&endpoints, Timestamp(seconds * NANOS_PER_SECOND)))
    };
    assert_eq!(flow(forward, 10), Some([1, 2]));
    assert_eq!(flow(reverse, 10), Some([2, 1]));
    assert_eq!(flow(forward, 20), Some([3, 4]));
    assert_eq!(flow(forward, 15), None);
    assert_eq!(flow(endpoints(1, 2), 10), None);
}

#[test]
fn oldest_connections_are_evicted_at_the_limit() {
    let (table, _requests) = table();
    for at in 0..MAX_CONNECTIONS as u32 + 10 {
        let endpoints = endpoints((at % 60_000) as u16, (at / 60_000) as u16);
        assert!(record_connection(&table, endpoints, 1, at, [at, at]));
    }
    let state = table.lock();
    assert_eq!(state.order.len(), MAX_CONNECTIONS);
    assert_eq!(
        state.entries.values().map(Vec::len).sum::<usize>(),
        MAX_CONNECTIONS
    );
    assert!(!state.entries.contains_key(&endpoints(9, 0)));
    assert!(state.entries.contains_key(&endpoints(10, 0)));
}

#[test]
fn requests_rejected_by_a_full_queue_are_not_pending() {
    let (table, requests) = table();
    let request_lookup =
        |port| table.request_lookup(&endpoints(port, 80), Timestamp(0), PacketPosition::Any);
    (0..60_000).for_each(request_lookup);
    let pending = table.lock().pending;
    assert!((1000..59_000).contains(&pending), "{pending}");
    drop(requests);
    request_lookup(60_001);
    assert_eq!(table.lock().pending, pending);
}

/// A packet requests a lookup and the BPF event follows a moment later, or the other way round.
#[test]
fn bpf_events_override_lookups() {
    let (table, mut requests) = table();
    let (endpoints, start) = (endpoints(1, 2), Timestamp(NANOS_PER_SECOND));
    let time_range = |second: i64| [second, second + 1].map(|at| Timestamp(at * NANOS_PER_SECOND));
    table.request_lookup(&endpoints, start, PacketPosition::First);
    let from_packet = lookups(&mut requests).pop().expect("a request");
    // The answer to a SYN can take any amount of time.
    let (from_bpf, status) = table.record_bpf_originator(&endpoints, time_range(0), owner(1));
    assert_eq!(
        (from_bpf.time, status),
        (from_packet.time, LookupStatus::Requested)
    );
    table.set_originator(&from_packet, owner(9));
    table.set_fallback_responder(&from_bpf, owner(2));
    let both =
        |time| packet_uids(table.packet_owners(&endpoints, Timestamp(time), PacketPosition::Any));
    assert_eq!(both(start.0), Some([1, 2]));
    table.request_lookup(&endpoints, start, PacketPosition::First);
    let other = self::endpoints(7, 8);
    table.request_lookup(&other, Timestamp(0), PacketPosition::First);
    assert_eq!(lookups(&mut requests).len(), 1);
    // The lookup is completed, and then a check that started earlier ends.
    table.mark_settled(&from_bpf);
    table.set_responder(&from_bpf, owner(9));
    assert!(!table.is_pending(&from_bpf));
    assert_eq!(both(start.0), Some([1, 2]));
    // The same endpoints later is another connection.
    let (reused, status) = table.record_bpf_originator(&endpoints, time_range(3), owner(3));
    assert_eq!(status, LookupStatus::NotRequested);
    table.set_responder(&reused, owner(4));
    assert_eq!(both(start.0), Some([1, 2]));
    assert_eq!(both(reused.time.0), Some([3, 4]));
}

/// Two processes use the same endpoints in quick succession, and BPF events are late: each packet
/// belongs to the connection that was open at its time.
#[test]
fn connections_with_the_same_tuple_keep_separate_owners() {
    let (table, _requests) = table();
    let endpoints = endpoints(1, 2);
    let starts = [1, 2].map(|nth| Timestamp(NANOS_PER_SECOND + nth * 20_000_000));
    for (uid, at) in [1, 2].into_iter().zip(starts) {
        let (request, status) =
            table.record_bpf_originator(&endpoints, [at, Timestamp(at.0 + 1000)], owner(uid));
        assert_eq!(status, LookupStatus::NotRequested);
        table.set_responder(&request, owner(uid * 10));
    }
    for (expected, at) in [[1, 10], [2, 20]].into_iter().zip(starts) {
        for position in [PacketPosition::First, PacketPosition::Any] {
            let found = packet_uids(table.packet_owners(&endpoints, at, position));
            assert_eq!(found, Some(expected));
        }
        let later = Timestamp(at.0 + 10_000_000);
        assert_eq!(
            packet_uids(table.packet_owners(&endpoints, later, PacketPosition::Any)),
            Some(expected)
        );
    }
    // The next connection belongs to neither of the two processes.
    let next = Timestamp(2 * NANOS_PER_SECOND);
    let found = table.packet_owners(&endpoints, next, PacketPosition::First);
    assert!(found.is_none());
}

fn owner_of(evidence: Evidence, pids: &[u32]) -> Owner {
    Owner {
        processes: pids.iter().map(|pid| Arc::new(process(*pid))).collect(),
        ..Owner::unknown(evidence, None)
    }
}

/// The last process that had the socket is merged with the listener, whatever is found first.
#[test]
fn last_closer_is_merged_with_the_listener() {
    use Evidence::{Acceptor, Gone, Holds, Listener, Missed};
    let rows: [(Owner, u32, Evidence, &[u32]); 9] = [
        (owner_of(Listener, &[1, 2]), 2, Acceptor, &[2]),
        (owner_of(Listener, &[1]), 3, Holds, &[3]),
        (owner_of(Listener, &[1]), 7, Listener, &[1]),
        (owner_of(Acceptor, &[1]), 1, Acceptor, &[1]),
        (owner_of(Acceptor, &[1]), 3, Holds, &[3, 1]),
        (owner_of(Acceptor, &[1]), 7, Acceptor, &[1]),
        (owner_of(Holds, &[3]), 3, Holds, &[3]),
        (owner_of(Gone, &[]), 3, Acceptor, &[3]),
        (owner_of(Missed, &[]), 3, Acceptor, &[3]),
    ];
    for (responder, pid, evidence, pids) in rows {
        for is_lookup_first in [true, false] {
            let (table, _requests) = table();
            let (endpoints, client) = (endpoints(1, 2), owner_of(Evidence::Opened, &[9]));
            let (request, _) = table.record_bpf_originator(&endpoints, [Timestamp(0); 2], client);
            if is_lookup_first {
                table.set_fallback_responder(&request, responder.clone());
            }
            let close = |pid: u32| {
                let closer = owner_of(Holds, &[pid]);
                table.record_last_closer(&endpoints.reversed(), Timestamp(5), closer);
            };
            close(pid);
            if !is_lookup_first {
                table.set_fallback_responder(&request, responder.clone());
            }
            let found = || {
                let found = current_responder(&table, &request).expect("a responder");
                let pids: Vec<u32> = found.processes.iter().map(|process| process.pid).collect();
                (found.evidence.clone(), pids)
            };
            assert_eq!(found(), (evidence.clone(), pids.to_vec()), "{responder:?}");
            assert!(!table.is_pending(&request));
            // The endpoints are reused by a connection of which BPF reports only the close.
            close(8);
            assert_eq!(found(), (evidence.clone(), pids.to_vec()), "{responder:?}");
        }
    }
}

/// Each packet belongs to the process that used the socket at its time, and a flow to all of them.
#[test]
fn users_of_a_socket_own_the_packets_of_their_time() {
    use Evidence::{Holds, Listener, Opened, Reads, Sent};
    let (table, mut requests) = table();
    let (client, server) = (endpoints(40_000, 80), endpoints(80, 40_000));
    let times = [100, 200].map(Timestamp);
    let (request, _) = table.record_bpf_originator(&client, times, owner_of(Opened, &[1]));
    table.set_responder(&request, owner_of(Listener, &[5, 6]));
    let pids = |time: i64| {
        let found = table.packet_owners(&client, Timestamp(time), PacketPosition::Any);
        let (owners, _) = found.expect("a connection");
        [owners.orig, owners.resp].map(|owner| owner.expect("an owner").processes[0].pid)
    };
    assert_eq!(pids(150), [1, 5]);
    // The client passes its socket on to process 2, and the server its own to process 3.
    table.record_use(&client, [300, 400].map(Timestamp), owner_of(Sent, &[2]));
    table.record_use(&server, [0, 350].map(Timestamp), owner_of(Reads, &[6]));
    assert!(!table.is_pending(&request));
    table.record_use(&server, [500, 600].map(Timestamp), owner_of(Sent, &[3]));
    // A lookup that ends later changes nothing.
    table.set_responder(&request, owner_of(Holds, &[9]));
    table.set_originator(&request, owner_of(Holds, &[9]));
    let expected = [
        (150, [1, 6]),
        (300, [1, 6]),
        (301, [2, 6]),
        (500, [2, 6]),
        (501, [2, 3]),
    ];
    for (time, owners) in expected {
        assert_eq!(pids(time), owners, "{time}");
    }
    let copy = |time| table.packet_owners(&client, Timestamp(time), PacketPosition::Any);
    assert!(!copy(400).expect("a connection").1.is_current());
    assert!(copy(501).expect("a connection").1.is_current());
    let flow = table.flow_owners(&client, Timestamp(150)).expect("a flow");
    assert_eq!(flow.to_string(), "[2,1] → [3,6]");
    // A connection that was established before the capture.
    lookups(&mut requests);
    let earlier = endpoints(40_001, 80);
    table.record_use(
        &earlier.reversed(),
        [0, 50].map(Timestamp),
        owner_of(Reads, &[4]),
    );
    let requests = lookups(&mut requests);
    assert_eq!(requests.len(), 1);
    table.set_originator(&requests[0], owner_of(Holds, &[9]));
    table.set_responder(&requests[0], owner_of(Holds, &[8]));
    let flow = table.flow_owners(&earlier, Timestamp(40)).expect("a flow");
    assert_eq!(flow.to_string(), "[8]? → [4]");
}

/// An answer that was found after another connection with the same endpoints had started can be
/// that of the other connection.
#[test]
fn lookups_are_forgotten_when_the_endpoints_were_reused_before_the_answer() {
    let (table, _requests) = table();
    let tuple = endpoints(40_000, 80);
    let at = |millis: i64| Timestamp(millis * 1_000_000);
    for (isn, start, reuse, expected) in [(1, 1000, 1020, "? → ?"), (3, 3000, 3060, "[1]? → [2]?")]
    {
        table.record_syn(&tuple, at(start), isn);
        let request = LookupRequest::new(&tuple, at(start), LookupTarget::Responder);
        let found = |pid| Owner {
            lookup_time: at(start + 30),
            ..owner_of(Evidence::Holds, &[pid])
        };
        table.set_originator(&request, found(1));
        table.set_responder(&request, found(2));
        table.record_syn(&tuple, at(reuse), isn + 1);
        let flow = table.flow_owners(&tuple, at(start)).expect("a flow");
        assert_eq!(flow.to_string(), expected);
    }
}

/// Process 3 is a child of process 1.
fn process(pid: u32) -> Process {
    let identity = ProcessIdentity {
        pid,
        start_time: 1,
        parent: if pid == 3 { 1 } else { 0 },
        ..ProcessIdentity::default()
    };
    Process::new(identity, ProcessDetails::default())
}
