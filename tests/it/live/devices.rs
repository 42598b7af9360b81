//! Devices, link types, kernel filters and snap lengths.

use super::session::{LCAP, Session, objects, permitted};
use super::traffic::{Port, V4, V6};
use std::process::{Command, Output};

fn run(words: &[&str]) -> Output {
    Command::new(LCAP).args(words).output().unwrap()
}

#[test]
fn any_device_in_its_cooked_forms() {
    if !permitted() {
        return;
    }
    for (link, words) in [("LINUX_SLL2", &[][..]), ("LINUX_SLL", &["-y", "LINUX_SLL"])] {
        let port = Port::take();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("capture.pcapng");
        let port_word = port.word();
        let base = ["-i", "any", "-p", &port_word, "--print", "-w"];
        let session = Session::start(
            base.into_iter()
                .chain(path.to_str())
                .chain(words.iter().copied()),
        );
        let listening = format!("listening on any, link-type {link}, ");
        session.errors.wait_for(|line| line.contains(&listening));
        port.send(0, 5, 100);
        session.output.wait_for_count(5);
        let ended = session.interrupt();
        let own = format!(".{port_word}: UDP, length 100");
        assert!(
            ended
                .is_whole()
                .output
                .iter()
                .all(|line| line.ends_with(&own)),
            "{:?}",
            ended.output
        );
        let packets = objects(&path);
        assert_eq!(packets.len(), ended.output.len());
        assert!(packets.iter().all(|packet| packet["link"] == link));
        assert!(
            packets
                .iter()
                .all(|packet| packet["dst_port"] == port.number)
        );
    }
}

#[test]
fn a_device_that_is_not_there() {
    if !permitted() {
        return;
    }
    let output = run(&["-i", "nosuch0"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.starts_with("lcap: nosuch0: "), "{said}");
    assert!(
        said.contains("the devices are ") && said.contains("lo"),
        "{said}"
    );
}

#[test]
fn a_link_type_that_the_device_does_not_have() {
    if !permitted() {
        return;
    }
    let output = run(&["-i", "lo", "-y", "LINUX_SLL2"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(
        said,
        "lcap: lo: LINUX_SLL2 is not one of the DLTs supported by this device\n"
    );
}

#[test]
fn directions_are_refused() {
    if !permitted() {
        return;
    }
    for words in ["inbound", "outbound", "udp and not inbound"] {
        let output = run(&["-i", "lo", words]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("loopback"), "{said}");
    }
}

#[test]
fn ports_and_words_in_the_kernel() {
    if !permitted() {
        return;
    }
    let (port, other) = (Port::take(), Port::take());
    let ports = format!("{},{}", port.number, other.number);
    let words = ["-t", "--no-processes", "-p", &ports, "udp and greater 142"];
    let session = Session::start(words);
    let converses = |port: &Port| {
        port.converse(V4);
        // With 14 bytes of Ethernet, 20 or 40 of IP and 8 of UDP: one less than the limit, one more, at it, and one less.
        port.sender(V6).send(&[b'.'; 79]).unwrap();
        port.send(0, 1, 101);
        port.send(0, 1, 100);
        port.send(0, 1, 99);
    };
    converses(&port);
    converses(&Port::take());
    converses(&other);
    let ended = session.interrupt();
    let lengths: Vec<&str> = ended
        .is_whole()
        .output
        .iter()
        .filter_map(|line| line.split_once(": "))
        .map(|(_, rest)| rest)
        .collect();
    let each = ["UDP, length 101", "UDP, length 100"];
    assert_eq!(lengths, [each, each].concat());
}

#[test]
fn a_snap_length() {
    if !permitted() {
        return;
    }
    let port = Port::take();
    let directory = tempfile::tempdir().unwrap();
    for name in ["capture.pcap", "capture.pcapng"] {
        let path = directory.path().join(name);
        let words = ["-p", &port.word(), "-s", "64", "-w"];
        let session = Session::start(words.into_iter().chain(path.to_str()));
        port.send(0, 3, 1000);
        port.send(0, 1, 4);
        let ended = session.interrupt();
        let lengths: Vec<_> = objects(&path)
            .iter()
            .map(|packet| {
                ["cap_len", "wire_len", "payload_len"].map(|name| packet[name].as_u64().unwrap())
            })
            .collect();
        let (cut, whole) = ([64, 1042, 1000], [46, 46, 4]);
        assert_eq!(lengths, [cut, cut, cut, whole]);
        assert_eq!(ended.is_whole().captured(), 4);
        // Cut short on request is no complaint.
        assert!(
            ended
                .errors
                .iter()
                .all(|line| !line.contains("malformed") && !line.contains("header"))
        );
    }
}
