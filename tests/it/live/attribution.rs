//! Attribution of connections to processes.
//!
//! The processes in a test report their own PIDs. lcap must show the same PIDs, or doubt others.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::Instant;

use serde_json::Value;

use super::netns::{run_in_netns, with_new_netns};
use super::roles::{Server, run_clients};
use super::session::{LCAP, Session, TEST_TIMEOUT, can_capture_or_skip, lcap_lines, skip};

/// Number of endpoints that lcap attributed correctly, without certainty, and wrongly.
#[derive(Debug, Default, PartialEq, Eq)]
struct Score {
    right: usize,
    unsure: usize,
    wrong: usize,
}

/// Returns true if a process object includes this PID, perhaps among others. Child processes of the
/// tests share all sockets until they execute another program.
pub(super) fn has_pid(process: &Value, pid: u64) -> bool {
    let has_same_pid = |process: &Value| process["pid"].as_u64() == Some(pid);
    let shared = process["shared_with"].as_array();
    has_same_pid(process) || shared.into_iter().flatten().any(has_same_pid)
}

/// Adds the attribution of an endpoint whose process is `pid` to the score.
fn score_process(score: &mut Score, process: &Value, pid: u64) {
    if has_pid(process, pid) {
        score.right += 1;
    } else if process["certain"] == true && process["pid"].is_number() {
        eprintln!("{process} is not {pid}");
        score.wrong += 1;
    } else {
        // No process, or one that lcap itself doubts, e.g. the listener.
        score.unsure += 1;
    }
}

/// Attribution method that lcap can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LookupMode {
    /// The best one available.
    Best,
    /// Lookups only: lcap runs without the capabilities for BPF, as in many containers.
    WithoutBpf,
}

impl LookupMode {
    /// Starts lcap with this method.
    fn start(self, args: &[&str]) -> Session {
        let mut command = Command::new(LCAP);
        if self == LookupMode::WithoutBpf {
            command = Command::new("setpriv");
            command.args(["--bounding-set=-bpf,-perfmon,-sys_admin", LCAP]);
        }
        command.args(args);
        let session = Session::spawn(command);
        assert!(!session.has_bpf() || self != LookupMode::WithoutBpf);
        session
    }
}

/// Runs clients of a server during a capture. Returns the scores of the clients and of the servers,
/// and true if lcap used BPF; `None` if capturing is not permitted.
fn attribute_once(mode: LookupMode, role: &str, count: usize) -> Option<([Score; 2], bool)> {
    if !can_capture_or_skip() {
        return None;
    }
    let server = Server::start(role);
    let port = server.port.to_string();
    let session = mode.start(&["flows", "-p", &port, "--format", "json"]);
    let has_bpf = session.has_bpf();
    let true_pids = run_clients(server.port, count, 20);
    let ended = session.interrupt();
    if true_pids.len() < count {
        // A client port was used twice, so flows cannot be matched to clients: no score.
        return Some(Default::default());
    }
    assert_eq!(ended.code, Some(0), "{:?}", ended.errors);
    let mut scores = <[Score; 2]>::default();
    assert_eq!(ended.output.len(), count);
    for line in &ended.output {
        let flow: Value = serde_json::from_str(line).unwrap();
        let pids = true_pids[&originator_address(&flow)];
        score_process(&mut scores[0], &flow["orig_process"], pids[0]);
        score_process(&mut scores[1], &flow["resp_process"], pids[1]);
    }
    Some((scores, has_bpf))
}

/// Returns the address of a flow's originator.
pub(super) fn originator_address(flow: &Value) -> SocketAddr {
    let (host, port) = (flow["id.orig_h"].as_str().unwrap(), &flow["id.orig_p"]);
    format!("{host}:{port}").parse().unwrap()
}

/// Asserts that no endpoint is attributed wrongly and that some (with BPF, all) are attributed
/// correctly. How many lookups succeed before the clients exit depends on the CPU time that other
/// tests leave them, so the run is repeated after a low score; a wrong process fails the test at
/// its first occurrence.
#[track_caller]
fn assert_attribution(mode: LookupMode, role: &str, count: usize) {
    let Some((mut scores, mut has_bpf)) = attribute_once(mode, role, count) else {
        return;
    };
    for _ in 0..4 {
        let is_starved = scores.iter().any(|score| score.right < count / 3);
        if !is_starved || scores.iter().any(|score| score.wrong > 0) {
            break;
        }
        (scores, has_bpf) = attribute_once(mode, role, count).unwrap_or_default();
    }
    for score in &scores {
        assert_eq!(score.wrong, 0, "{scores:?}");
        assert!(score.right >= count / 20, "{scores:?}");
    }
    if has_bpf {
        assert!(
            scores.iter().all(|score| score.right == count),
            "{scores:?}"
        );
    }
}

#[test]
fn short_lived_clients_are_attributed() {
    for role in ["threads", "children", "processes"] {
        assert_attribution(LookupMode::Best, role, 400);
    }
}

#[test]
fn short_lived_clients_are_attributed_without_bpf() {
    if Command::new("setpriv").arg("--version").output().is_err() {
        return skip("setpriv, which drops CAP_BPF, is not installed");
    }
    for role in ["threads", "children", "processes"] {
        assert_attribution(LookupMode::WithoutBpf, role, 200);
    }
}

#[test]
fn saved_file_has_the_owners_displayed_live() {
    if !can_capture_or_skip() {
        return;
    }
    let own_pid = u64::from(std::process::id());
    // A separate process: the test process forks all the time, and its children briefly share its
    // sockets.
    let server = Server::start("echo");
    let server_pid = u64::from(server.child.id());
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("attributed.pcapng");
    let path = file.to_str().unwrap();
    let port = server.port.to_string();
    let session = Session::start(["-p", &port, "-w", path, "--print"]);
    let flows = Session::start(["flows", "-p", &port, "--format", "json"]);
    let labels = [own_pid, server_pid].map(|pid| format!("[{pid}]"));
    let is_attributed = |line: &str| labels.iter().all(|label| line.contains(label));
    let mut client = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    let mut exchange_line = || {
        std::thread::sleep(std::time::Duration::from_millis(20));
        client.write_all(b"a line\n").unwrap();
        client.read_exact(&mut [0; 7]).unwrap();
    };
    // On a busy machine the first packets may be printed before their owners are found.
    let deadline = Instant::now() + TEST_TIMEOUT;
    while !session.output.has_line(is_attributed) && Instant::now() < deadline {
        exchange_line();
    }
    // For 100 ms, lcap checks whether the server passes the connection to another process.
    std::thread::sleep(std::time::Duration::from_millis(300));
    exchange_line();
    drop(client);
    let text = session.interrupt();
    let live = flows.interrupt();
    text.assert_lossless();
    let first = text
        .output
        .iter()
        .position(|line| is_attributed(line))
        .unwrap();
    let attributed = &text.output[first..];
    assert!(
        attributed.iter().all(|line| is_attributed(line)),
        "{text:#?}"
    );
    let saved = lcap_lines(&["flows", "-r", path, "--format", "json"]);
    let [live, saved] = [&live.output[..], &saved[..]].map(|rows| {
        assert_eq!(rows.len(), 1);
        let row: Value = serde_json::from_str(&rows[0]).unwrap();
        ["orig_process", "resp_process"].map(|end| {
            let mut process = row[end].clone();
            process
                .as_object_mut()
                .unwrap()
                .remove("looked_up_ns")
                .unwrap();
            process
        })
    });
    // The two captures looked up the owners independently.
    assert_eq!(live, saved);
    assert_eq!(live[0]["pid"], own_pid);
    let how = &live[0]["how"];
    assert!(how == "opened" || how == "holds", "{how}");
    assert_eq!(live[0]["certain"], how == "opened");
    assert_eq!(live[1]["pid"], server_pid);
    let expected = if how == "opened" { "reads" } else { "acceptor" };
    assert_eq!(live[1]["how"], expected);
    assert_eq!(lcap_lines(&["-r", path]), text.output);
    // The kernel leaves checksums unset on loopback (epb_flags bit 9, checksum not ready). No other
    // flag is set.
    let mut flags = Vec::new();
    let collect = |packet: &lcap::internals::packet::Packet<'_>| {
        let mut options = packet.frame.options.records();
        flags.push(options.find_map(|(code, value)| {
            (code == 2).then(|| u32::from_ne_bytes(value.try_into().unwrap()))
        }));
    };
    lcap::open(path).unwrap().packets(collect).unwrap();
    assert_eq!(flags, vec![Some(1 << 9); text.output.len()]);
    for line in &lcap_lines(&["-r", path, "--format", "json"])[first..] {
        let packet: Value = serde_json::from_str(line).unwrap();
        let pids = ["src_process", "dst_process"].map(|end| packet[end]["pid"].as_u64());
        assert!(pids.contains(&Some(own_pid)) && pids.contains(&Some(server_pid)));
    }
    let pid = own_pid.to_string();
    let uid = rustix::process::geteuid().as_raw().to_string();
    // Absolute sequence numbers (-S): relative ones differ without the packets before the first
    // attributed one.
    let unfiltered = lcap_lines(&["-r", path, "-S"]);
    for [option, value] in [["--pid", &pid], ["--user", &uid]] {
        let selected = lcap_lines(&["-r", path, "-S", option, value]);
        assert!(
            selected.ends_with(&unfiltered[first..]),
            "{unfiltered:#?} {selected:#?}"
        );
    }
    let name = live[0]["name"].as_str().unwrap();
    let flows =
        |args: &[&str]| lcap_lines(&[&["flows", "-r", path, "--format", "json"], args].concat());
    assert_eq!(flows(&["--process", name, "--pid", "1"]).len(), 1);
    assert_eq!(
        flows(&["--process", "another", "--pid", "1", "--user", "4000000"]).len(),
        0
    );
    let headings = lcap_lines(&["follow", "-r", path]);
    assert!(
        headings.iter().any(|line| is_attributed(line)),
        "{headings:?}"
    );
    let unattributed = lcap_lines(&["-r", path, "--no-processes"]);
    assert!(
        unattributed
            .iter()
            .all(|line| !labels.iter().any(|label| line.contains(label)))
    );
}

#[test]
fn refused_connections_and_datagrams_are_attributed() {
    if !can_capture_or_skip() {
        return;
    }
    let own_pid = u64::from(std::process::id());
    let [server, client] = [(), ()].map(|()| std::net::UdpSocket::bind("127.0.0.1:0").unwrap());
    let [server_port, client_port] =
        [&server, &client].map(|socket| socket.local_addr().unwrap().port());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = listener.local_addr().unwrap();
    drop(listener);
    let ports = format!("{server_port},{}", closed.port());
    let session = Session::start(["flows", "-p", &ports, "--format", "json"]);
    client.send_to(b"?", ("127.0.0.1", server_port)).unwrap();
    server.recv_from(&mut [0; 9]).unwrap();
    server.send_to(b"!", ("127.0.0.1", client_port)).unwrap();
    assert!(TcpStream::connect(closed).is_err());
    std::thread::sleep(std::time::Duration::from_millis(200));
    let has_bpf = session.has_bpf();
    let ended = session.interrupt();
    let rows: Vec<Value> = ended
        .output
        .iter()
        .map(|row| serde_json::from_str(row).unwrap())
        .collect();
    let row_of = |proto: &str| rows.iter().find(|row| row["proto"] == proto).unwrap();
    for end in ["orig_process", "resp_process"] {
        assert!(has_pid(&row_of("udp")[end], own_pid), "{}", row_of("udp"));
        let how = if has_bpf { "sent" } else { "holds" };
        assert_eq!(row_of("udp")[end]["how"], how);
    }
    assert_eq!(row_of("tcp")["resp_process"]["how"], "nobody");
    // A refused socket is released immediately: a lookup may come too late, a BPF event does not.
    let how = row_of("tcp")["orig_process"]["how"].as_str().unwrap();
    match has_bpf {
        true => assert_eq!(how, "opened"),
        false => assert!(["gone", "holds"].contains(&how), "{how}"),
    }
}

#[test]
fn pid_filter_selects_the_flows_of_a_process() {
    if !can_capture_or_skip() {
        return;
    }
    let server = Server::start("threads");
    let port = server.port.to_string();
    let pid = server.child.id().to_string();
    let sessions = [&*pid, "1"].map(|pid| {
        let args = ["flows", "-p", &port, "--format", "json", "--pid", pid];
        Session::start(args)
    });
    let true_pids = run_clients(server.port, 5, 1);
    assert_eq!(true_pids.len(), 5);
    let [selected, none] = sessions.map(|session| session.interrupt().output.len());
    assert_eq!(none, 0);
    // The server may be found too late for the first flows, but not for all of them.
    assert!((1..=5).contains(&selected), "{selected}");
}

#[test]
fn netns_option_captures_another_loopback() {
    with_new_netns(|keeper| {
        let keeper_pid = keeper.to_string();
        let session = Session::start(["flows", "--netns", &keeper_pid, "--format", "json"]);
        let (has_bpf, true_pids) = run_in_netns(keeper, || {
            // A separate process: the test process forks all the time, and its children briefly
            // share its sockets.
            let server = Server::start("threads");
            let true_pids = run_clients(server.port, 1, 1);
            std::thread::sleep(std::time::Duration::from_millis(100));
            (session.has_bpf(), true_pids)
        });
        let rows = session.interrupt().output;
        assert_eq!(rows.len(), 1, "{rows:#?}");
        let row: Value = serde_json::from_str(&rows[0]).unwrap();
        let [client, server] = true_pids[&originator_address(&row)];
        assert!(has_pid(&row["resp_process"], server), "{row}");
        // The client may exit before it is looked up.
        let how = &row["orig_process"]["how"];
        assert!(
            how == "gone" && !has_bpf || has_pid(&row["orig_process"], client),
            "{row}"
        );
    });
    let refused = Command::new(LCAP)
        .args(["--netns", "no-such-namespace"])
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(1));
}
