//! Devices that go down or are removed during a capture.

use super::netns::{run_in_new_netns, run_ip};
use super::session::{Session, packets_as_json, skip};
use super::traffic::ReservedPort;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

#[test]
fn removed_device_ends_the_capture() {
    assert_removal_ends_the_capture(&["link delete near"]);
}

/// The kernel reports only the first step, after which libpcap still finds the device.
#[test]
fn device_that_goes_down_and_is_removed_ends_the_capture() {
    assert_removal_ends_the_capture(&["link set near down", "link delete near"]);
}

fn assert_removal_ends_the_capture(steps: &[&str]) {
    run_in_new_netns(|| {
        let setup = run_ip("link add near type veth peer name far")
            .and_then(|()| run_ip("address add 192.0.2.1/24 dev near"))
            .and_then(|()| run_ip("link set near up"))
            .and_then(|()| run_ip("link set far up"))
            .and_then(|()| run_ip("neighbour add 192.0.2.2 lladdr 02:00:00:00:00:02 dev near"));
        if let Err(why) = setup {
            return skip(&why);
        }
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("capture.pcap");
        let args = [
            "-i",
            "near",
            "--print",
            "-t",
            "-w",
            path.to_str().unwrap(),
            "udp port 4321",
        ];
        let session = Session::start(args);
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        for _ in 0..5 {
            socket
                .send_to(b"last datagram", ("192.0.2.2", 4321))
                .unwrap();
        }
        session.output.wait_for_count(5);
        for step in steps {
            run_ip(step).unwrap();
            std::thread::sleep(Duration::from_millis(100));
        }
        let ended = session.wait();
        assert_eq!(ended.code, Some(1), "{:?}", ended.errors);
        assert_eq!((ended.captured(), packets_as_json(&path).len()), (5, 5));
        let last = ended.errors.last().unwrap();
        assert!(last.starts_with("lcap: near: "), "{last}");
        assert!(last.contains("disappeared"), "{last}");
    });
}

/// A device that is down sends no packets; its capture does not end.
#[test]
fn capture_continues_after_the_device_comes_back() {
    run_in_new_netns(|| {
        let port = ReservedPort::reserve();
        let session = Session::start(["-i", "lo", "-p", &port.arg(), "-t"]);
        port.send(0, 2, 100);
        session.output.wait_for_count(2);
        run_ip("link set lo down").unwrap();
        run_ip("link set lo up").unwrap();
        port.send(0, 3, 100);
        session.output.wait_for_count(5);
        let ended = session.interrupt();
        assert_eq!(ended.assert_lossless().captured(), 5);
    });
}

#[test]
fn device_that_is_down_is_reported() {
    run_in_new_netns(|| {
        run_ip("link set lo down").unwrap();
        let output = std::process::Command::new(super::session::LCAP)
            .args(["-i", "lo"])
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(
            stderr.starts_with("lcap: lo: ") && stderr.contains("not up"),
            "{stderr}"
        );
    });
}
