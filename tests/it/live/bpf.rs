//! Attribution that only BPF events make possible.
//!
//! Covered: clients that are refused or exit immediately, reused PIDs, and worker processes.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::attribution::{has_pid, originator_address};
use super::roles::{Server, run_clients_of_role};
use super::session::{Session, can_capture_or_skip, skip};
use super::traffic::RefusedPort;

/// Starts `lcap flows` on a port; `None`, with a skip message, if lcap cannot use BPF.
fn start_with_bpf(port: u16) -> Option<Session> {
    if !can_capture_or_skip() {
        return None;
    }
    let session = Session::start(["flows", "-p", &port.to_string(), "--format", "json"]);
    if session.has_bpf() {
        return Some(session);
    }
    skip("lcap cannot use BPF here; it requires CAP_BPF and CAP_PERFMON");
    None
}

/// Interrupts the capture and returns its rows.
fn rows(session: Session) -> Vec<Value> {
    // Other tests may occupy all processors, and lcap needs some CPU time to read the events.
    std::thread::sleep(std::time::Duration::from_secs(1));
    let ended = session.interrupt();
    assert_eq!(ended.code, Some(0), "{:?}", ended.errors);
    let has_lost_events = ended
        .errors
        .iter()
        .any(|line| line.contains("BPF ring full"));
    assert!(!has_lost_events, "{:?}", ended.errors);
    let rows = ended.output.iter();
    rows.map(|row| serde_json::from_str(row).unwrap()).collect()
}

/// Asserts that rows show the PID that each client reported. A flow whose ports are reused
/// immediately may end before its BPF event is read: then its row shows `gone`.
fn assert_clients_are_attributed(rows: &[Value], true_pids: &HashMap<SocketAddr, [u64; 2]>) {
    assert!(!rows.is_empty());
    let (mut attributed, mut unattributed) = (0, Vec::new());
    for row in rows {
        let process = &row["orig_process"];
        // For a client address that was used twice, only one client is in `true_pids`.
        let is_unique = rows
            .iter()
            .filter(|other| originator_address(other) == originator_address(row))
            .count()
            == 1;
        if process["how"] != "opened" {
            assert_eq!(process["how"], "gone", "{row}");
            unattributed.push(format!("unique: {is_unique} {row}"));
            continue;
        }
        attributed += 1;
        if let Some([pid, _]) = true_pids
            .get(&originator_address(row))
            .filter(|_| is_unique)
        {
            assert_eq!(process["pid"], *pid, "{row}");
        }
    }
    assert!(
        attributed >= rows.len() * 98 / 100,
        "{attributed} of {}: {unattributed:#?}",
        rows.len()
    );
}

#[test]
fn clients_that_exit_after_writing_are_attributed() {
    let server = Server::start("echo");
    let Some(session) = start_with_bpf(server.port) else {
        return;
    };
    let true_pids = run_clients_of_role("write-only", server.port, 500, 20);
    let rows = rows(session);
    assert_eq!(rows.len(), 500);
    assert_clients_are_attributed(&rows, &true_pids);
    for row in &rows {
        assert_eq!(row["resp_process"]["pid"], server.child.id(), "{row}");
    }
}

#[test]
fn refused_clients_are_attributed() {
    let port = RefusedPort::reserve();
    let Some(session) = start_with_bpf(port.number) else {
        return;
    };
    let true_pids = run_clients_of_role("refused", port.number, 500, 20);
    let rows = rows(session);
    assert_clients_are_attributed(&rows, &true_pids);
    assert!(
        rows.iter()
            .filter(|row| row["orig_process"]["how"] == "opened")
            .all(|row| row["resp_process"]["how"] == "nobody")
    );
}

/// No event reports a connection that predates the capture: it is looked up at its first packet.
#[test]
fn connection_opened_before_the_capture_is_looked_up() {
    let server = Server::start("echo");
    let mut client = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    let Some(session) = start_with_bpf(server.port) else {
        return;
    };
    for _ in 0..3 {
        client.write_all(b"still here\n").unwrap();
        client.read_exact(&mut [0; 11]).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let rows = rows(session);
    assert_eq!(rows[0]["orig_process"]["pid"], std::process::id());
    assert_eq!(rows[0]["resp_process"]["pid"], server.child.id());
}

/// A connection that is not accepted before lcap ends is attributed to the `listener`.
#[test]
fn unaccepted_connection_has_the_listener_as_owner() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let Some(session) = start_with_bpf(address.port()) else {
        return;
    };
    let client = TcpStream::connect(address).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(500));
    let rows = rows(session);
    drop(client);
    let own_pid = std::process::id();
    assert_eq!(rows[0]["orig_process"]["pid"], own_pid, "{}", rows[0]);
    assert_eq!(rows[0]["resp_process"]["how"], "listener");
    assert!(has_pid(&rows[0]["resp_process"], own_pid.into()));
}

/// A client passes its connection to a child process, which writes to it, and exits: both are
/// owners, the one that used it last first.
#[test]
fn child_that_uses_a_passed_connection_is_its_owner() {
    let server = Server::start("echo");
    let Some(session) = start_with_bpf(server.port) else {
        return;
    };
    let script = format!(
        "exec 3<>/dev/tcp/127.0.0.1/{}; echo $$; (sleep 0.1; echo hello >&3; read <&3) & exit",
        server.port
    );
    let Ok(output) = Command::new("bash").args(["-c", &script]).output() else {
        return skip("bash is not installed, and other shells have no /dev/tcp");
    };
    let pid: u64 = String::from_utf8_lossy(&output.stdout)
        .trim()
        .parse()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_millis(100));
    let rows = rows(session);
    assert_eq!(rows.len(), 1);
    let owner = &rows[0]["orig_process"];
    assert_eq!(
        (&owner["how"], &owner["certain"]),
        (&"sent".into(), &true.into())
    );
    assert_ne!(owner["pid"], pid, "{}", rows[0]);
    assert_eq!(owner["shared_with"][0]["pid"], pid, "{}", rows[0]);
    assert_eq!(owner["name"], "bash");
}

/// For a client in a PID namespace, e.g. in a container, lcap shows the PID outside of it.
#[test]
fn client_in_a_pid_namespace_has_its_outer_pid() {
    let server = Server::start("echo");
    let Some(session) = start_with_bpf(server.port) else {
        return;
    };
    let script = format!(
        "exec 3<>/dev/tcp/127.0.0.1/{}; echo $$ >&3; read <&3",
        server.port
    );
    let args = ["--pid", "--fork", "--mount-proc", "bash", "-c", &script];
    let Ok(mut child) = Command::new("unshare").args(args).spawn() else {
        return skip("unshare is not installed");
    };
    if !child.wait().unwrap().success() {
        return skip("a PID namespace cannot be created here");
    }
    let rows = rows(session);
    let process = &rows[0]["orig_process"];
    assert_eq!(
        (&process["name"], &process["how"]),
        (&"bash".into(), &"opened".into())
    );
    assert_eq!(process["ppid"], child.id(), "{process}");
}

/// Two consecutive processes with the same PID are distinguished.
#[test]
fn reused_pid_is_a_different_process() {
    const LAST_PID_PATH: &str = "/proc/sys/kernel/ns_last_pid";
    let server = Server::start("echo");
    let Some(session) = start_with_bpf(server.port) else {
        return;
    };
    if std::fs::OpenOptions::new()
        .write(true)
        .open(LAST_PID_PATH)
        .is_err()
    {
        return skip("the next PID cannot be set: ns_last_pid is not writable");
    }
    let client_script = |name: &str| {
        format!(
            "exec -a {name} bash -c 'exec 3<>/dev/tcp/127.0.0.1/{}; echo $$; echo >&3; read <&3'",
            server.port
        )
    };
    let run = |setup: &str, name: &str| -> u64 {
        let script = format!(
            "{setup} bash -c \"{}\"; true",
            client_script(name).replace('$', "\\$")
        );
        let output = Command::new("bash")
            .args(["-c", &script])
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout)
            .trim()
            .parse()
            .unwrap()
    };
    let first = run("", "first");
    // Start times in /proc have a resolution of 10 ms.
    std::thread::sleep(std::time::Duration::from_millis(30));
    // A process of another test may take the PID first.
    let is_reused =
        (0..50).any(|_| run(&format!("echo {} > {LAST_PID_PATH};", first - 1), "second") == first);
    let rows = rows(session);
    if !is_reused {
        return skip("processes of other tests took the PID to be reused");
    }
    let (first, last) = (
        &rows[0]["orig_process"],
        &rows[rows.len() - 1]["orig_process"],
    );
    assert_eq!(first["pid"], last["pid"]);
    assert_ne!(first["start_time"], last["start_time"], "{first} {last}");
    // A process that has exited has no command line. Neither process has the other's.
    assert_ne!(first["command_line"][0], "second");
    assert_ne!(last["command_line"][0], "first");
}

/// Of four workers, the one that accepted is the owner; each response contains the worker's PID.
#[test]
fn accepting_nginx_worker_is_the_owner() {
    let (Ok(directory), true) = (
        tempfile::tempdir(),
        Command::new("nginx").arg("-v").output().is_ok(),
    ) else {
        return skip("nginx is not installed");
    };
    let port = {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap().port()
    };
    let Some(session) = start_with_bpf(port) else {
        return;
    };
    let dir = directory.path().display();
    let configuration = format!(
        "worker_processes 4; pid {dir}/pid; error_log {dir}/error; events {{ }}\n\
         http {{ access_log off; server {{ listen 127.0.0.1:{port}; location / {{ return 200 $pid; }} }} }}"
    );
    let file = directory.path().join("nginx.conf");
    std::fs::write(&file, configuration).unwrap();
    let nginx = |args: &[&str]| {
        let mut command = Command::new("nginx");
        command.arg("-p").arg(directory.path()).arg("-c").arg(&file);
        command.args(args).stderr(Stdio::null()).status().unwrap()
    };
    assert!(nginx(&[]).success());
    let mut workers = HashMap::new();
    let deadline = std::time::Instant::now() + super::session::TEST_TIMEOUT;
    let mut requests = 0;
    while workers.len() < 200 && std::time::Instant::now() < deadline {
        let Ok(mut client) = TcpStream::connect(("127.0.0.1", port)) else {
            continue;
        };
        client.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
        let mut response = String::new();
        client.read_to_string(&mut response).unwrap();
        let worker: u64 = response.rsplit("\r\n\r\n").next().unwrap().parse().unwrap();
        requests += 1;
        workers.insert(client.local_addr().unwrap(), worker);
    }
    nginx(&["-s", "quit"]);
    let rows = rows(session);
    if requests > workers.len() {
        return skip("a client port was used twice, so flows cannot be matched to responses");
    }
    let mut correct = 0;
    for row in rows
        .iter()
        .filter(|row| workers.contains_key(&originator_address(row)))
    {
        let (process, worker) = (&row["resp_process"], workers[&originator_address(row)]);
        if ["acceptor", "holds", "reads"].contains(&process["how"].as_str().unwrap()) {
            assert_eq!(process["pid"], worker, "{row}");
            correct += 1;
        }
    }
    assert!(
        correct >= workers.len() * 3 / 4,
        "{correct} of {}",
        workers.len()
    );
}
