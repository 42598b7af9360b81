//! Watching: every packet is printed once, at once, with its ports.

use super::session::{Session, permitted};
use super::traffic::{Port, V4, V6};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

#[test]
fn a_conversation_over_ipv4() {
    conversation(V4);
}

#[test]
fn a_conversation_over_ipv6() {
    conversation(V6);
}

fn conversation(host: IpAddr) {
    if !permitted() {
        return;
    }
    let port = Port::take();
    let session = Session::start(["-p", &port.word(), "-tt"]);
    let client = port.converse(host);
    let ended = session.interrupt();
    ended.is_whole();
    let lines = &ended.output;
    assert_eq!(lines.len() as u64, ended.captured());
    let family = if host.is_ipv4() { "IP" } else { "IP6" };
    let server = SocketAddr::new(host, port.number);
    let there = format!(" {family} {} > {}: Flags ", dotted(client), dotted(server));
    let back = format!(" {family} {} > {}: Flags ", dotted(server), dotted(client));
    assert!(
        lines
            .iter()
            .all(|line| line.contains(&there) || line.contains(&back)),
        "{lines:#?}"
    );
    // How many acknowledgements travel alone is the kernel's choice; these come once.
    for (direction, once) in [
        (&there, "[S], seq"),
        (&back, "[S.], seq"),
        (&there, "[P.], seq 1:6, ack 1,"),
        (&back, "[P.], seq 1:5, ack 6,"),
    ] {
        let found = lines
            .iter()
            .filter(|line| line.contains(&format!("{direction}{once}")));
        assert_eq!(found.count(), 1, "{once} in {lines:#?}");
    }
    let ends = lines.iter().filter(|line| {
        line.contains("Flags [F.]") || line.contains("Flags [R") || line.contains("Flags [FP.]")
    });
    assert_eq!(ends.count(), 2, "{lines:#?}");
    let mut unlike = lines.clone();
    unlike.sort();
    unlike.dedup();
    assert_eq!(unlike.len(), lines.len(), "twice in {lines:#?}");
}

#[test]
fn datagrams_of_both_families() {
    if !permitted() {
        return;
    }
    let port = Port::take();
    let session = Session::start(["-p", &port.word(), "-t", "--no-processes"]);
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
        let answer = port.udp(host);
        answer
            .send_to(b"answer", sender.local_addr().unwrap())
            .unwrap();
        expected.push(format!("{family} {server} > {client}: UDP, length 6"));
    }
    session.output.wait_for_count(expected.len());
    let ended = session.interrupt();
    assert_eq!(ended.is_whole().output, expected);
    assert_eq!(ended.captured(), 14);
}

/// An address as tcpdump writes it.
fn dotted(address: SocketAddr) -> String {
    format!("{}.{}", address.ip(), address.port())
}

#[test]
fn a_line_arrives_in_a_pipe_while_it_is_news() {
    if !permitted() {
        return;
    }
    let port = Port::take();
    let session = Session::start(["-p", &port.word()]);
    let sender = port.sender(V4);
    let late = |length: usize| {
        let sent = Instant::now();
        sender.send(&vec![b'x'; length]).unwrap();
        // With the processes behind it, once they are known.
        let lines = [
            format!("UDP, length {length}"),
            format!("UDP, length {length}  "),
        ];
        let is_it = |text: &str| text.ends_with(&lines[0]) || text.contains(&lines[1]);
        session.output.wait_for(is_it) - sent
    };
    let mut times: Vec<Duration> = (1..=20).map(late).collect();
    times.sort();
    assert!(times[0] < Duration::from_millis(50), "{times:?}");
    assert!(times[10] < Duration::from_millis(80), "{times:?}");
    session.interrupt().is_whole();
}

#[test]
fn one_object_a_line() {
    if !permitted() {
        return;
    }
    let port = Port::take();
    let session = Session::start(["-p", &port.word(), "--format", "json"]);
    port.send(0, 3, 100);
    session.output.wait_for_count(3);
    let ended = session.interrupt();
    for line in &ended.is_whole().output {
        let object: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(object["interface"], "lo");
        assert_eq!(object["dst_port"], port.number);
        assert_eq!(object["payload_len"], 100);
    }
}

#[test]
fn only_a_count() {
    if !permitted() {
        return;
    }
    let port = Port::take();
    let session = Session::start(["-p", &port.word(), "--count"]);
    port.send(0, 3, 100);
    let ended = session.interrupt();
    assert_eq!(ended.is_whole().output, ["3 packets"]);
}
