//! Datagrams to ports without a socket: the ICMP error shows that nobody receives them, and the
//! kernel sends the error.

use super::netns::run_in_new_netns;
use super::session::{Session, lcap_lines};
use super::traffic::{V4, V6};
use serde_json::Value;
use std::net::{IpAddr, UdpSocket};

/// Sends datagrams to a port without a socket, until one is refused.
fn send_refused(host: IpAddr) {
    let closed = UdpSocket::bind((host, 0)).unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    let sender = UdpSocket::bind((host, 0)).unwrap();
    sender.connect(address).unwrap();
    sender.send(b"anybody there?").unwrap();
    let error = sender.recv(&mut [0; 9]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
}

fn parse(lines: &[String]) -> Vec<Value> {
    let rows = lines.iter().map(|line| serde_json::from_str(line).unwrap());
    rows.collect()
}

fn of_proto<'a>(rows: &'a [Value], proto: &'a str) -> impl Iterator<Item = &'a Value> {
    rows.iter().filter(move |row| row["proto"] == proto)
}

#[test]
fn refused_datagrams_name_nobody_and_the_kernel() {
    run_in_new_netns(|| {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("capture.pcapng");
        let path = path.to_str().unwrap();
        let flows = Session::start(["flows", "--format", "json"]);
        let packets = Session::start(["--format", "json", "-w", path, "--print"]);
        [V4, V6].into_iter().for_each(send_refused);
        let (flows, packets) = (flows.interrupt(), packets.interrupt());
        let flows = parse(&flows.assert_lossless().output);
        let packets = parse(&packets.assert_lossless().output);
        let lines = lcap_lines(&["flows", "--format", "json", "-r", path]);

        let pid = std::process::id();
        for flows in [&flows, &parse(&lines)] {
            assert_eq!(of_proto(flows, "udp").count(), 2, "{flows:?}");
            for flow in of_proto(flows, "udp") {
                assert_eq!(flow["outcome"], "refused: nothing was listening");
                assert_eq!(flow["orig_process"]["pid"], pid, "{flow}");
                assert_eq!(flow["resp_process"]["how"], "nobody", "{flow}");
            }
            assert_eq!(of_proto(flows, "icmp").count(), 2, "{flows:?}");
            for flow in of_proto(flows, "icmp") {
                assert_eq!(flow["orig_process"]["how"], "kernel", "{flow}");
                // The kernel reports the error to the sender of the datagram.
                assert_eq!(flow["resp_process"]["pid"], pid, "{flow}");
            }
        }
        let errors: Vec<&Value> = ["icmp", "icmp6"]
            .iter()
            .flat_map(|proto| of_proto(&packets, proto))
            .collect();
        assert_eq!(errors.len(), 2, "{packets:?}");
        for error in errors {
            assert_eq!(error["src_process"]["how"], "kernel", "{error}");
        }
    });
}
