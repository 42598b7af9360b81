//! Tests of the selection of a command's packets, by the owners of each packet.

use super::*;
use crate::decode::decode;
use crate::packet::{Frame, FrameOptions, Interface, LinkType, UDP};
use crate::process::{Evidence, Owner, Owners, Process, ProcessDetails, ProcessIdentity};

const MEMBER: RunMembership = RunMembership::Member { root: 7 };
const OTHER: RunMembership = RunMembership::Other;
const UNKNOWN: RunMembership = RunMembership::Unknown;
/// The time at which the command is started, in nanoseconds.
const START: i64 = 1_000;

const SYN: u8 = 2;
const ACK: u8 = 16;

/// A packet from port 40000 to port 80, and the processes at its ends.
#[derive(Clone, Copy)]
struct TestPacket {
    time: i64,
    proto: u8,
    flags: u8,
    seq: u8,
    ends: [RunMembership; 2],
}

fn tcp(flags: u8, seq: u8, ends: [RunMembership; 2]) -> TestPacket {
    TestPacket {
        time: START,
        proto: TCP,
        flags,
        seq,
        ends,
    }
}

fn udp(ends: [RunMembership; 2]) -> TestPacket {
    TestPacket {
        proto: UDP,
        ..tcp(0, 0, ends)
    }
}

fn owner(run: RunMembership) -> Option<Arc<Owner>> {
    let identity = ProcessIdentity {
        run,
        ..ProcessIdentity::default()
    };
    let process = Process::new(identity, ProcessDetails::default());
    Some(Arc::new(Owner {
        processes: vec![Arc::new(process)],
        ..Owner::unknown(Evidence::Holds, None)
    }))
}

fn owners([orig, resp]: [RunMembership; 2]) -> Owners {
    Owners {
        orig: owner(orig),
        resp: owner(resp),
    }
}

fn selection() -> RunSelection {
    let command = RunCommand {
        uid: 1000,
        started_at: Timestamp(START),
    };
    RunSelection::new(command, &Attribution::default())
}

/// Passes a packet with these bytes to the selection; returns true if it is kept.
fn keeps_bytes(
    selection: &mut RunSelection,
    bytes: &[u8],
    time: i64,
    owners: Option<&Owners>,
) -> bool {
    let interface = Interface::default();
    let frame = Frame {
        number: 1,
        time: Timestamp(time),
        interface: &interface,
        link: LinkType::RAW,
        wire_len: bytes.len() as u32,
        bytes,
        options: FrameOptions::default(),
    };
    let mut packet = decode(&frame);
    packet.owners = owners;
    !selection.reject_early(&packet) && selection.select(&packet)
}

fn keeps(selection: &mut RunSelection, packet: TestPacket) -> bool {
    let bytes = packet_bytes(packet);
    keeps_bytes(selection, &bytes, packet.time, Some(&owners(packet.ends)))
}

fn packet_bytes(packet: TestPacket) -> Vec<u8> {
    let mut bytes = vec![0x45, 0, 0, 40, 0, 0, 0, 0, 64, packet.proto, 0, 0];
    bytes.extend([127, 0, 0, 1, 127, 0, 0, 1, 156, 64, 0, 80]);
    match packet.proto {
        TCP => bytes.extend([
            0,
            0,
            0,
            packet.seq,
            0,
            0,
            0,
            0,
            0x50,
            packet.flags,
            1,
            0,
            0,
            0,
            0,
            0,
        ]),
        _ => bytes.extend([0, 8, 0, 0]),
    }
    bytes[3] = bytes.len() as u8;
    bytes
}

#[test]
fn connection_is_kept_until_both_ends_are_other_processes() {
    for (packets, kept, unknown) in [
        // Of the command from the first packet on, also after the connection is passed on.
        (
            &[tcp(SYN, 1, [OTHER, MEMBER]), tcp(ACK, 2, [OTHER, OTHER])][..],
            &[true, true][..],
            [0, 0],
        ),
        // Of other processes, until one passes it on to the command.
        (
            &[
                tcp(SYN, 1, [OTHER, OTHER]),
                tcp(ACK, 2, [OTHER, UNKNOWN]),
                tcp(ACK, 3, [OTHER, MEMBER]),
                tcp(ACK, 4, [UNKNOWN, UNKNOWN]),
            ],
            &[false, false, true, true],
            [0, 0],
        ),
        // Unknown at first: counted only if it remains unknown.
        (
            &[tcp(SYN, 1, [UNKNOWN, OTHER]), tcp(ACK, 2, [MEMBER, OTHER])],
            &[true, true],
            [0, 0],
        ),
        (
            &[tcp(SYN, 1, [UNKNOWN, OTHER]), tcp(ACK, 2, [OTHER, OTHER])],
            &[true, false],
            [0, 0],
        ),
        (
            &[tcp(SYN, 1, [UNKNOWN, OTHER]), tcp(ACK, 2, [UNKNOWN, OTHER])],
            &[true, true],
            [2, 1],
        ),
        // A retransmitted SYN, then another connection with the same endpoints.
        (
            &[
                tcp(SYN, 1, [UNKNOWN, OTHER]),
                tcp(SYN, 1, [UNKNOWN, OTHER]),
                tcp(SYN, 9, [MEMBER, OTHER]),
                tcp(SYN, 8, [OTHER, OTHER]),
            ],
            &[true, true, true, false],
            [2, 1],
        ),
        // The answer is received after it is captured; then another process has the port.
        (
            &[
                udp([MEMBER, OTHER]),
                udp([OTHER, UNKNOWN]),
                udp([OTHER, OTHER]),
                udp([UNKNOWN, OTHER]),
            ],
            &[true, true, false, true],
            [1, 1],
        ),
        // From before the command.
        (
            &[
                TestPacket {
                    time: START - 1,
                    ..tcp(SYN, 1, [UNKNOWN, UNKNOWN])
                },
                tcp(ACK, 2, [UNKNOWN, UNKNOWN]),
            ],
            &[false, false],
            [0, 0],
        ),
    ] {
        let mut selection = selection();
        let decisions = packets.iter().map(|packet| keeps(&mut selection, *packet));
        assert_eq!(decisions.collect::<Vec<bool>>(), kept);
        let [packets, connections] = unknown;
        let expected = UnknownTraffic {
            packets,
            connections,
        };
        assert_eq!(selection.finish(), expected);
    }
}

#[test]
fn icmp_error_belongs_to_the_connection_that_it_quotes() {
    for (ends, expected) in [([MEMBER, OTHER], true), ([OTHER, OTHER], false)] {
        let mut selection = selection();
        let datagram = udp(ends);
        assert_eq!(keeps(&mut selection, datagram), expected);
        let quoted = packet_bytes(datagram);
        let mut error = vec![0x45, 0, 0, 28 + quoted.len() as u8, 0, 0, 0, 0, 64, 1, 0, 0];
        error.extend([127, 0, 0, 1, 127, 0, 0, 1, 3, 3, 0, 0, 0, 0, 0, 0]);
        error.extend(quoted);
        let is_kept = keeps_bytes(&mut selection, &error, START, None);
        assert_eq!(is_kept, expected);
        assert_eq!(selection.finish(), UnknownTraffic::default());
    }
}

#[test]
fn packets_without_a_connection_are_kept_and_counted() {
    let mut selection = selection();
    assert!(keeps_bytes(&mut selection, &[0xff; 8], START, None));
    let unknown = selection.finish();
    assert_eq!((unknown.packets, unknown.connections), (1, 0));
}

#[test]
fn evicted_connections_are_counted() {
    let mut selection = selection();
    let mut bytes = packet_bytes(udp([UNKNOWN, UNKNOWN]));
    for number in 0..MAX_CONNECTIONS as u32 + 10 {
        bytes[12..16].copy_from_slice(&number.to_be_bytes());
        assert!(keeps_bytes(&mut selection, &bytes, START, None));
    }
    assert_eq!(selection.decisions.len(), MAX_CONNECTIONS);
    assert_eq!(selection.finish().connections, MAX_CONNECTIONS as u64 + 10);
}
