//! Sockets that are connected to themselves: their flows end normally, and both ends name the
//! process.

use super::session::{Session, can_capture_or_skip};
use super::traffic::{V4, V6, bound_socket};
use rustix::net::connect;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream, UdpSocket};

#[test]
fn sockets_connected_to_themselves_are_answered() {
    if !can_capture_or_skip() {
        return;
    }
    for host in [V4, V6] {
        let (socket, address) = bound_socket(host);
        let datagrams = UdpSocket::bind(address).unwrap();
        let port = address.port().to_string();
        let rows = ["flows", "-p", &port, "--format", "json"];
        let rows = Session::start(rows.into_iter().chain(["--fail-on", "no-answer,unclosed"]));
        let lines = Session::start(["-p", &port]);

        connect(&socket, &address).unwrap();
        let mut stream = TcpStream::from(socket);
        let mut received = [0; 4];
        stream.write_all(b"echo").unwrap();
        stream.read_exact(&mut received).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        assert_eq!(stream.read(&mut received).unwrap(), 0);
        datagrams.connect(address).unwrap();
        datagrams.send(b"wake").unwrap();
        datagrams.recv(&mut received).unwrap();

        let (rows, lines) = (rows.interrupt(), lines.interrupt());
        let flows = rows.assert_lossless().output.iter();
        let flows: Vec<Value> = flows
            .map(|row| serde_json::from_str(row).unwrap())
            .collect();
        assert_eq!(flows.len(), 2, "{flows:?}");
        let pid = std::process::id();
        for flow in &flows {
            assert_eq!(
                (&flow["conn_state"], &flow["orig_bytes"]),
                (&"SF".into(), &4.into())
            );
            for end in ["orig_process", "resp_process"] {
                assert_eq!(flow[end]["pid"], pid, "{flow}");
            }
        }
        let name = format!("[{pid}]");
        for line in &lines.assert_lossless().output {
            assert_eq!(line.matches(&name).count(), 2, "{line}");
        }
    }
}
