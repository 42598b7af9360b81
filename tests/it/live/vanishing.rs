//! Devices that go down or away during a capture.

use super::session::{Session, objects, skip};
use super::space::{alone, ip};
use super::traffic::Port;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

#[test]
fn a_device_that_goes_away() {
    goes_away(&["link delete near"]);
}

/// The kernel tells of the first, and libpcap finds the device still there; of the second nobody tells.
#[test]
fn a_device_that_goes_down_and_then_away() {
    goes_away(&["link set near down", "link delete near"]);
}

fn goes_away(steps: &[&str]) {
    alone(|| {
        let made = ip("link add near type veth peer name far")
            .and_then(|()| ip("address add 192.0.2.1/24 dev near"))
            .and_then(|()| ip("link set near up"))
            .and_then(|()| ip("link set far up"))
            .and_then(|()| ip("neighbour add 192.0.2.2 lladdr 02:00:00:00:00:02 dev near"));
        if let Err(why) = made {
            return skip(&why);
        }
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("capture.pcap");
        let words = [
            "-i",
            "near",
            "--print",
            "-t",
            "-w",
            path.to_str().unwrap(),
            "udp port 4321",
        ];
        let session = Session::start(words);
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        for _ in 0..5 {
            socket.send_to(b"last words", ("192.0.2.2", 4321)).unwrap();
        }
        session.output.wait_for_count(5);
        for step in steps {
            ip(step).unwrap();
            std::thread::sleep(Duration::from_millis(100));
        }
        let ended = session.ended();
        assert_eq!(ended.code, Some(1), "{:?}", ended.errors);
        assert_eq!((ended.captured(), objects(&path).len()), (5, 5));
        let last = ended.errors.last().unwrap();
        assert!(last.starts_with("lcap: near: "), "{last}");
        assert!(last.contains("disappeared"), "{last}");
    });
}

/// A device that is down for a while is silent for a while.
#[test]
fn a_device_that_goes_down_and_comes_back() {
    alone(|| {
        let port = Port::take();
        let session = Session::start(["-i", "lo", "-p", &port.word(), "-t"]);
        port.send(0, 2, 100);
        session.output.wait_for_count(2);
        ip("link set lo down").unwrap();
        ip("link set lo up").unwrap();
        port.send(0, 3, 100);
        session.output.wait_for_count(5);
        let ended = session.interrupt();
        assert_eq!(ended.is_whole().captured(), 5);
    });
}

#[test]
fn a_device_that_is_down() {
    alone(|| {
        ip("link set lo down").unwrap();
        let output = std::process::Command::new(super::session::LCAP)
            .args(["-i", "lo"])
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(
            said.starts_with("lcap: lo: ") && said.contains("not up"),
            "{said}"
        );
    });
}
