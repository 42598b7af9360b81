//! Devices, link types, kernel filters and snap lengths.

use super::session::{LCAP, Session, can_capture_or_skip, packets_as_json};
use super::traffic::{ReservedPort, V4, V6};
use std::process::{Command, Output};

fn run(args: &[&str]) -> Output {
    Command::new(LCAP).args(args).output().unwrap()
}

#[test]
fn any_device_is_captured_as_sll_and_sll2() {
    if !can_capture_or_skip() {
        return;
    }
    for (link, args) in [("LINUX_SLL2", &[][..]), ("LINUX_SLL", &["-y", "LINUX_SLL"])] {
        let port = ReservedPort::reserve();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("capture.pcapng");
        let port_arg = port.arg();
        let base = ["-i", "any", "-p", &port_arg, "--print", "-w"];
        let session = Session::start(
            base.into_iter()
                .chain(path.to_str())
                .chain(args.iter().copied()),
        );
        let listening = format!("listening on any, link-type {link}, ");
        session.errors.wait_for(|line| line.contains(&listening));
        port.send(0, 5, 100);
        session.output.wait_for_count(5);
        let ended = session.interrupt();
        let end = format!(".{port_arg}: UDP, length 100");
        assert!(
            ended
                .assert_lossless()
                .output
                .iter()
                .all(|line| line.contains(&end)),
            "{:?}",
            ended.output
        );
        let packets = packets_as_json(&path);
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
fn missing_device_is_reported() {
    if !can_capture_or_skip() {
        return;
    }
    let output = run(&["-i", "nosuch0"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.starts_with("lcap: nosuch0: "), "{stderr}");
    assert!(
        stderr.contains("available devices: ") && stderr.contains("lo"),
        "{stderr}"
    );
}

#[test]
fn unsupported_link_type_is_reported() {
    if !can_capture_or_skip() {
        return;
    }
    let output = run(&["-i", "lo", "-y", "LINUX_SLL2"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert_eq!(
        stderr,
        "lcap: lo: LINUX_SLL2 is not one of the DLTs supported by this device\n"
    );
}

#[test]
fn direction_filters_are_refused_on_loopback() {
    if !can_capture_or_skip() {
        return;
    }
    for expression in ["inbound", "outbound", "udp and not inbound"] {
        let output = run(&["-i", "lo", expression]);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains("loopback"), "{stderr}");
    }
}

#[test]
fn ports_and_expression_form_one_kernel_filter() {
    if !can_capture_or_skip() {
        return;
    }
    let (port, other) = (ReservedPort::reserve(), ReservedPort::reserve());
    let ports = format!("{},{}", port.number, other.number);
    let args = ["-t", "--no-processes", "-p", &ports, "udp and greater 142"];
    let session = Session::start(args);
    let send_all = |port: &ReservedPort| {
        port.exchange(V4);
        // With 14 bytes of Ethernet, 20 or 40 of IP and 8 of UDP header, the frame lengths are 141,
        // 143, 142 and 141: below the limit, above it, equal to it, and below it.
        port.sender(V6).send(&[b'.'; 79]).unwrap();
        port.send(0, 1, 101);
        port.send(0, 1, 100);
        port.send(0, 1, 99);
    };
    send_all(&port);
    send_all(&ReservedPort::reserve());
    send_all(&other);
    let ended = session.interrupt();
    let lengths: Vec<&str> = ended
        .assert_lossless()
        .output
        .iter()
        .filter_map(|line| line.split_once(": "))
        .map(|(_, rest)| rest)
        .collect();
    let per_port = ["UDP, length 101", "UDP, length 100"];
    assert_eq!(lengths, [per_port, per_port].concat());
}

#[test]
fn snap_length_truncates_frames() {
    if !can_capture_or_skip() {
        return;
    }
    let port = ReservedPort::reserve();
    let directory = tempfile::tempdir().unwrap();
    for name in ["capture.pcap", "capture.pcapng"] {
        let path = directory.path().join(name);
        let args = ["-p", &port.arg(), "-s", "64", "-w"];
        let session = Session::start(args.into_iter().chain(path.to_str()));
        port.send(0, 3, 1000);
        port.send(0, 1, 4);
        let ended = session.interrupt();
        let lengths: Vec<_> = packets_as_json(&path)
            .iter()
            .map(|packet| {
                ["cap_len", "wire_len", "payload_len"].map(|name| packet[name].as_u64().unwrap())
            })
            .collect();
        let (truncated, complete) = ([64, 1042, 1000], [46, 46, 4]);
        assert_eq!(lengths, [truncated, truncated, truncated, complete]);
        assert_eq!(ended.assert_lossless().captured(), 4);
        // Frames that are truncated on request are not reported as malformed.
        assert!(
            ended
                .errors
                .iter()
                .all(|line| !line.contains("malformed") && !line.contains("header"))
        );
    }
}
