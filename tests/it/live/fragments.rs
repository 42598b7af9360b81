//! Fragmented datagrams on a live device: all fragments of a selected datagram are shown, saved and
//! followed, although only the first one has ports.

use super::netns::{run_in_new_netns, run_ip};
use super::session::{Session, packets_as_json};
use super::traffic::{ReservedPort, V4, V6};
use serde_json::Value;
use std::net::IpAddr;

const DATAGRAM_LEN: usize = 20_000;
/// Number of fragments of the datagram: at most 1480 bytes each over IPv4 and 1448 over IPv6.
const FRAGMENT_COUNT: usize = 14;

fn send_and_receive(port: &ReservedPort, host: IpAddr) {
    port.sender(host).send(&[b'f'; DATAGRAM_LEN]).unwrap();
    let received = port.udp(host).recv(&mut [0; DATAGRAM_LEN + 1]).unwrap();
    assert_eq!(received, DATAGRAM_LEN);
}

#[test]
fn fragments_of_a_selected_datagram_are_captured() {
    run_in_new_netns(|| {
        run_ip("link set lo mtu 1500").unwrap();
        let [port, other] = [(); 2].map(|()| ReservedPort::reserve());
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("capture.pcap");
        for host in [V4, V6] {
            let args = ["-p", &port.arg(), "--print", "-w", path.to_str().unwrap()];
            let session = Session::start(args);
            let flows = Session::start(["flows", "-p", &port.arg(), "--format", "json"]);
            let has_bpf = flows.has_bpf();
            send_and_receive(&other, host);
            send_and_receive(&port, host);
            send_and_receive(&other, host);
            let ended = session.interrupt();
            assert_eq!(ended.assert_lossless().output.len(), FRAGMENT_COUNT);
            let saved = packets_as_json(&path);
            assert_eq!(saved.len(), FRAGMENT_COUNT);
            assert!(saved.iter().all(|packet| packet["fragment"].is_object()));

            let ended = flows.interrupt();
            let [row] = &ended.assert_lossless().output[..] else {
                panic!("{ended:?}");
            };
            let row: Value = serde_json::from_str(row).unwrap();
            assert_eq!(row["orig_pkts"], 1);
            assert_eq!(row["orig_bytes"], DATAGRAM_LEN);
            // The owners are those of the first fragment, which has the ports.
            if has_bpf {
                assert_eq!(row["orig_process"]["how"], "sent");
            }
        }
    });
}
