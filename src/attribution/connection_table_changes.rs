//! Tests of changes to connections: outdated copies of owners, and lost events.

use super::*;

/// After events were lost, the last user is uncertain until the next event.
#[test]
fn users_are_uncertain_after_lost_events() {
    let (table, _requests) = table();
    let client = endpoints(40_000, 80);
    let times = [100, 200].map(Timestamp);
    table.record_bpf_originator(&client, times, owner_of(Evidence::Opened, &[1]));
    table.set_lost_events(1, Timestamp(500));
    table.set_lost_events(1, Timestamp(700));
    let times = [800, 900].map(Timestamp);
    table.record_use(&client, times, owner_of(Evidence::Sent, &[2]));
    for (time, expected) in [(400, "[1]"), (501, "[1]?"), (801, "[2]")] {
        let found = table.packet_owners(&client, Timestamp(time), PacketPosition::Any);
        let owner = found.expect("a connection").0.orig.expect("an owner");
        assert_eq!(owner.to_string(), expected, "{time}");
    }
}

/// A copy of the owners is outdated as soon as the connection's owners change, or another
/// connection uses its endpoints, in either direction.
#[test]
fn copies_of_owners_are_outdated_by_changes() {
    let (table, _requests) = table();
    let (forward, reverse) = (endpoints(40_000, 80), endpoints(80, 40_000));
    let start = Timestamp(NANOS_PER_SECOND);
    table.record_syn(&forward, start, 1);
    let copy_at = |seconds| {
        let time = Timestamp(seconds * NANOS_PER_SECOND);
        let found = table.packet_owners(&forward, time, PacketPosition::Any);
        found.expect("a connection").1
    };
    let (first, other) = (copy_at(1), endpoints(40_001, 80));
    table.record_syn(&other, start, 1);
    assert!(first.is_current());
    let request = LookupRequest::new(&forward, start, LookupTarget::Responder);
    table.set_originator(&request, owner(1));
    assert!(!first.is_current());
    for (endpoints, seconds) in [(forward, 2), (reverse, 3)] {
        let current = copy_at(seconds);
        assert!(current.is_current());
        let time = Timestamp(seconds * NANOS_PER_SECOND);
        table.record_syn(&endpoints, time, seconds as u32);
        assert!(!current.is_current());
        assert!(copy_at(seconds).is_current());
        // A packet of the earlier connection, captured late.
        assert!(!copy_at(seconds - 1).is_current());
    }
}
