//! Text output of a live capture: every packet is printed exactly once, promptly, with its ports.

use super::session::{Session, can_capture_or_skip};
use super::traffic::{ReservedPort, V4, V6};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

#[test]
fn connection_over_ipv4_is_printed() {
    assert_connection_is_printed(V4);
}

#[test]
fn connection_over_ipv6_is_printed() {
    assert_connection_is_printed(V6);
}

fn assert_connection_is_printed(host: IpAddr) {
    if !can_capture_or_skip() {
        return;
    }
    let port = ReservedPort::reserve();
    let session = Session::start(["-p", &port.arg(), "-tt"]);
    let client = port.exchange(host);
    let ended = session.interrupt();
    ended.assert_lossless();
    let lines = &ended.output;
    assert_eq!(lines.len() as u64, ended.captured());
    let family = if host.is_ipv4() { "IP" } else { "IP6" };
    let server = SocketAddr::new(host, port.number);
    let request = format!(" {family} {} > {}: Flags ", dotted(client), dotted(server));
    let response = format!(" {family} {} > {}: Flags ", dotted(server), dotted(client));
    assert!(
        lines
            .iter()
            .all(|line| line.contains(&request) || line.contains(&response)),
        "{lines:#?}"
    );
    // The number of pure ACKs depends on the kernel; each of these segments occurs once.
    for (direction, segment) in [
        (&request, "[S], seq"),
        (&response, "[S.], seq"),
        (&request, "[P.], seq 1:6, ack 1,"),
        (&response, "[P.], seq 1:5, ack 6,"),
    ] {
        let found = lines
            .iter()
            .filter(|line| line.contains(&format!("{direction}{segment}")));
        assert_eq!(found.count(), 1, "{segment} in {lines:#?}");
    }
    let closing = lines.iter().filter(|line| {
        line.contains("Flags [F.]") || line.contains("Flags [R") || line.contains("Flags [FP.]")
    });
    assert_eq!(closing.count(), 2, "{lines:#?}");
    let mut distinct = lines.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), lines.len(), "duplicates in {lines:#?}");
}

#[test]
fn datagrams_of_both_families_are_printed() {
    if !can_capture_or_skip() {
        return;
    }
    let port = ReservedPort::reserve();
    let session = Session::start(["-p", &port.arg(), "-t", "--no-processes"]);
    let mut expected = Vec::new();
    for (host, family) in [(V4, "IP"), (V6, "IP6")] {
        let sender = port.sender(host);
        let client = dotted(sender.local_addr().unwrap());
        let server = dotted(SocketAddr::new(host, port.number));
        for length in 0..6 {
            sender.send(&[b'x'; 6][..length]).unwrap();
            expected.push(format!(
                "{family} {client} > {server}: UDP, length {length}"
            ));
        }
        let responder = port.udp(host);
        responder
            .send_to(b"answer", sender.local_addr().unwrap())
            .unwrap();
        expected.push(format!("{family} {server} > {client}: UDP, length 6"));
    }
    session.output.wait_for_count(expected.len());
    let ended = session.interrupt();
    assert_eq!(ended.assert_lossless().output, expected);
    assert_eq!(ended.captured(), 14);
}

/// Returns an address in tcpdump's notation.
fn dotted(address: SocketAddr) -> String {
    format!("{}.{}", address.ip(), address.port())
}

#[test]
fn line_is_written_promptly_to_a_pipe() {
    if !can_capture_or_skip() {
        return;
    }
    let port = ReservedPort::reserve();
    let session = Session::start(["-p", &port.arg()]);
    let sender = port.sender(V4);
    let delay = |length: usize| {
        let sent = Instant::now();
        sender.send(&vec![b'x'; length]).unwrap();
        // The line also shows the processes once they are identified.
        let line_ends = [
            format!("UDP, length {length}"),
            format!("UDP, length {length}  "),
        ];
        let matches = |text: &str| text.ends_with(&line_ends[0]) || text.contains(&line_ends[1]);
        session.output.wait_for(matches) - sent
    };
    let mut delays: Vec<Duration> = (1..=20).map(delay).collect();
    delays.sort();
    assert!(delays[0] < Duration::from_millis(50), "{delays:?}");
    assert!(delays[10] < Duration::from_millis(80), "{delays:?}");
    session.interrupt().assert_lossless();
}

#[test]
fn json_has_one_object_per_line() {
    if !can_capture_or_skip() {
        return;
    }
    let port = ReservedPort::reserve();
    let session = Session::start(["-p", &port.arg(), "--format", "json"]);
    port.send(0, 3, 100);
    session.output.wait_for_count(3);
    let ended = session.interrupt();
    for line in &ended.assert_lossless().output {
        let object: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(object["interface"], "lo");
        assert_eq!(object["dst_port"], port.number);
        assert_eq!(object["payload_len"], 100);
    }
}

#[test]
fn count_prints_only_the_count() {
    if !can_capture_or_skip() {
        return;
    }
    let port = ReservedPort::reserve();
    let session = Session::start(["-p", &port.arg(), "--count"]);
    port.send(0, 3, 100);
    let ended = session.interrupt();
    assert_eq!(ended.assert_lossless().output, ["3 packets"]);
}
