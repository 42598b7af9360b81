//! Attribution on a device that leads to another network namespace, as the bridge of containers.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::netns::{run_in_netns, run_in_new_netns, run_ip, with_new_netns};
use super::session::{Session, TEST_TIMEOUT, skip};

/// Creates a link to the namespace of a process, with the addresses 192.0.2.1 and 192.0.2.2.
fn link_to_namespace(pid: u32) -> Result<(), String> {
    run_ip(&format!(
        "link add near type veth peer name far netns {pid}"
    ))?;
    run_ip("address add 192.0.2.1/24 dev near")?;
    run_ip("link set near up")?;
    run_in_netns(pid, || {
        run_ip("address add 192.0.2.2/24 dev far")?;
        run_ip("link set far up")
    })
}

/// Runs a test in a namespace with a link to another one; its argument is the PID of a process
/// there.
fn run_with_link(test: impl FnOnce(u32) + Send) {
    run_in_new_netns(|| {
        with_new_netns(|other| match link_to_namespace(other) {
            Ok(()) => test(other),
            Err(why) => skip(&why),
        });
    });
}

#[test]
fn processes_at_both_ends_of_a_bridge_are_named_without_certainty() {
    run_with_link(|other| {
        let listener = run_in_netns(other, || TcpListener::bind("192.0.2.2:0").unwrap());
        let address = listener.local_addr().unwrap();
        let port = address.port().to_string();
        let session = Session::start(["flows", "-i", "near", "-p", &port, "--format", "json"]);
        if !session.has_bpf() {
            return skip("lcap cannot use BPF here; it requires CAP_BPF and CAP_PERFMON");
        }
        let mut client = TcpStream::connect(address).unwrap();
        let server = OwnedFd::from(listener.accept().unwrap().0);
        let mut reader = Command::new("cat")
            .stdin(server)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        client.write_all(b"a line\n").unwrap();
        drop(client);
        reader.wait().unwrap();
        let ended = session.interrupt();
        assert_eq!(ended.code, Some(0), "{:?}", ended.errors);
        assert_eq!(ended.output.len(), 1, "{:?}", ended.output);
        let row: Value = serde_json::from_str(&ended.output[0]).unwrap();
        let expected = [
            ("orig_process", std::process::id()),
            ("resp_process", reader.id()),
        ];
        for (end, pid) in expected {
            assert_eq!(row[end]["pid"], pid, "{row}");
            assert_eq!(row[end]["how"], "holds", "{row}");
            assert_eq!(row[end]["certain"], false, "{row}");
        }
    });
}

#[test]
fn remote_end_of_a_connection_is_unknown() {
    run_with_link(|_| {
        let session = Session::start(["flows", "-i", "near", "--format", "json", "tcp"]);
        if !session.has_bpf() {
            return skip("lcap cannot use BPF here; it requires CAP_BPF and CAP_PERFMON");
        }
        TcpStream::connect("192.0.2.2:9").unwrap_err();
        let ended = session.interrupt();
        assert_eq!(ended.output.len(), 1, "{:?}", ended.output);
        let row: Value = serde_json::from_str(&ended.output[0]).unwrap();
        assert_eq!(row["orig_process"]["pid"], std::process::id(), "{row}");
        assert_eq!(row["resp_process"]["how"], "missed", "{row}");
        assert_eq!(row["resp_process"]["pid"], Value::Null, "{row}");
    });
}

#[test]
fn target_of_docker_proxy_is_named() {
    let paths = ["/usr/sbin/docker-proxy", "/usr/bin/docker-proxy"];
    let Some(path) = paths.iter().find(|path| Path::new(path).exists()) else {
        return skip("docker-proxy is not installed (package docker.io)");
    };
    run_with_link(|other| {
        let listener = run_in_netns(other, || TcpListener::bind("192.0.2.2:0").unwrap());
        let port = listener.local_addr().unwrap().port().to_string();
        // docker-proxy reports its state on file descriptor 3.
        let mut proxy = Command::new("sh")
            .args(["-c", "exec \"$0\" \"$@\" 3> /dev/null", path])
            .args([
                "-proto",
                "tcp",
                "-host-ip",
                "127.0.0.1",
                "-host-port",
                &port,
            ])
            .args(["-container-ip", "192.0.2.2", "-container-port", &port])
            .spawn()
            .unwrap();
        let session = Session::start(["flows", "-p", &port, "--format", "json"]);
        let address = format!("127.0.0.1:{port}");
        let deadline = Instant::now() + TEST_TIMEOUT;
        while TcpStream::connect(&address).is_err() {
            assert!(Instant::now() < deadline, "docker-proxy does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        let ended = session.interrupt();
        proxy.kill().unwrap();
        proxy.wait().unwrap();
        let last = ended.output.last().expect("the connection to the proxy");
        let row: Value = serde_json::from_str(last).unwrap();
        let process = &row["resp_process"];
        assert_eq!(process["pid"], proxy.id(), "{row}");
        let target = &process["forwards_to"];
        assert_eq!(target["address"], format!("192.0.2.2:{port}"), "{row}");
        // Other tests can briefly share the listening socket, until their children execute
        // another program.
        assert!(
            target["pid"].is_number() && target["name"].is_string(),
            "{row}"
        );
    });
}
