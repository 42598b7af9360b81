//! Whose the ends of connections are. The processes that take part tell themselves who they are; what lcap says must be that, or unknown.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::Instant;

use serde_json::Value;

use super::parts::{Server, ask};
use super::session::{LCAP, PATIENCE, Session, permitted, skip};
use super::space::{beside, inside};

/// How often lcap was right about an end, how often it did not know, and how often it was wrong.
#[derive(Debug, Default, PartialEq, Eq)]
struct Score {
    right: usize,
    unsure: usize,
    wrong: usize,
}

/// Whether a process is named, perhaps among others: tests begin processes, which have all its sockets until they are other programs.
pub(super) fn names(process: &Value, pid: u64) -> bool {
    let is_it = |process: &Value| process["pid"].as_u64() == Some(pid);
    let shared = process["shared_with"].as_array();
    is_it(process) || shared.into_iter().flatten().any(is_it)
}

fn judge(score: &mut Score, process: &Value, pid: u64) {
    let is_named = names(process, pid);
    match process["how"].as_str() {
        Some("socket") if is_named => score.right += 1,
        Some("socket") => {
            eprintln!("{process} is not {pid}");
            score.wrong += 1;
        }
        Some("acceptor" | "listener") if is_named => score.right += 1,
        // Who listens or accepted is said to have done that, and no more.
        _ => score.unsure += 1,
    }
}

/// How lcap finds out who begins a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// As it likes.
    Best,
    /// Without BPF, as in many containers.
    Lookup,
}

impl Way {
    /// lcap, looking in this way.
    fn start(self, words: &[&str]) -> Session {
        let mut command = Command::new(LCAP);
        if self == Way::Lookup {
            command = Command::new("setpriv");
            command.args(["--bounding-set=-bpf,-perfmon,-sys_admin", LCAP]);
        }
        command.args(words);
        let session = Session::of(command);
        assert!(!session.is_told() || self != Way::Lookup);
        session
    }
}

/// Lets clients ask a server while lcap looks, and tells how well it did, for clients and for servers, and whether the kernel told.
fn once(way: Way, role: &str, count: usize) -> Option<([Score; 2], bool)> {
    if !permitted() {
        return None;
    }
    let server = Server::start(role);
    let port = server.port.to_string();
    let session = way.start(&["flows", "-p", &port, "--format", "json"]);
    let is_told = session.is_told();
    let told = ask(server.port, count, 20);
    let ended = session.interrupt();
    if told.len() < count {
        // A port came twice, so that nobody knows which flow is whose: nothing is shown by this.
        return Some(Default::default());
    }
    assert_eq!(ended.code, Some(0), "{:?}", ended.errors);
    let mut scores = <[Score; 2]>::default();
    assert_eq!(ended.output.len(), count);
    for line in &ended.output {
        let flow: Value = serde_json::from_str(line).unwrap();
        let pids = told[&client(&flow)];
        judge(&mut scores[0], &flow["orig_process"], pids[0]);
        judge(&mut scores[1], &flow["resp_process"], pids[1]);
    }
    Some((scores, is_told))
}

/// The client's end of a flow.
pub(super) fn client(flow: &Value) -> SocketAddr {
    let (host, port) = (flow["id.orig_h"].as_str().unwrap(), &flow["id.orig_p"]);
    format!("{host}:{port}").parse().unwrap()
}

/// The same, again where other tests left no processor to look with: a wrong name is wrong every time. Whom the kernel tells of is known
/// however busy they are: each client, and each server that reads.
#[track_caller]
fn contest(way: Way, role: &str, count: usize) {
    let Some((mut scores, mut is_told)) = once(way, role, count) else {
        return;
    };
    for _ in 0..4 {
        let is_starved = scores.iter().any(|score| score.right < count / 3);
        if !is_starved || scores.iter().any(|score| score.wrong > 0) {
            break;
        }
        (scores, is_told) = once(way, role, count).unwrap_or_default();
    }
    for score in &scores {
        assert_eq!(score.wrong, 0, "{scores:?}");
        assert!(score.right >= count / 4, "{scores:?}");
    }
    if is_told {
        assert!(
            scores.iter().all(|score| score.right == count),
            "{scores:?}"
        );
    }
}

#[test]
fn short_lived_clients() {
    for role in ["threads", "children", "processes"] {
        contest(Way::Best, role, 400);
    }
}

#[test]
fn short_lived_clients_without_bpf() {
    if Command::new("setpriv").arg("--version").output().is_err() {
        return skip("there is no setpriv to take CAP_BPF away with");
    }
    for role in ["threads", "children", "processes"] {
        contest(Way::Lookup, role, 200);
    }
}

#[test]
fn what_live_said_the_file_says() {
    if !permitted() {
        return;
    }
    let own = u64::from(std::process::id());
    // A process of its own: this one forks all the time, and its children have its sockets for a moment.
    let server = Server::start("echo");
    let theirs = u64::from(server.child.id());
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("named.pcapng");
    let path = file.to_str().unwrap();
    let port = server.port.to_string();
    let session = Session::start(["-p", &port, "-w", path, "--print"]);
    let flows = Session::start(["flows", "-p", &port, "--format", "json"]);
    let names = [own, theirs].map(|pid| format!("[{pid}]"));
    let is_named = |line: &str| names.iter().all(|name| line.contains(name));
    let mut client = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    let mut converse = || {
        std::thread::sleep(std::time::Duration::from_millis(20));
        client.write_all(b"a line\n").unwrap();
        client.read_exact(&mut [0; 7]).unwrap();
    };
    // The first packets may be shown before it is known whose they are, where processors are busy.
    let until = Instant::now() + PATIENCE;
    while !session.output.have(is_named) && Instant::now() < until {
        converse();
    }
    // Whether the server has handed it on is asked for a tenth of a second.
    std::thread::sleep(std::time::Duration::from_millis(300));
    converse();
    drop(client);
    let text = session.interrupt();
    let live = flows.interrupt();
    text.is_whole();
    let first = text.output.iter().position(|line| is_named(line)).unwrap();
    let sure = &text.output[first..];
    assert!(sure.iter().all(|line| is_named(line)), "{text:#?}");
    let later = lcap(&["flows", "-r", path, "--format", "json"]);
    let [live, later] = [&live.output[..], &later[..]].map(|rows| {
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
    // Two captures looked them up, each for itself.
    assert_eq!(live, later);
    assert_eq!(live[0]["pid"], own);
    assert_eq!(live[0]["how"], "socket");
    assert_eq!(live[1]["pid"], theirs);
    assert_eq!(live[1]["how"], "acceptor");
    assert_eq!(lcap(&["-r", path]), text.output);
    // No device is there to make checksums, and nothing else is left to it here (epb_flags, bit 9).
    let mut flags = Vec::new();
    let mut source = lcap::open(path).unwrap();
    let collect = |packet: &lcap::packet::Packet<'_>| {
        let mut options = packet.frame.options.records();
        flags.push(options.find_map(|(code, value)| {
            (code == 2).then(|| u32::from_ne_bytes(value.try_into().unwrap()))
        }));
    };
    source.each(collect).unwrap();
    assert_eq!(flags, vec![Some(1 << 9); text.output.len()]);
    for line in &lcap(&["-r", path, "--format", "json"])[first..] {
        let packet: Value = serde_json::from_str(line).unwrap();
        let pids = ["src_process", "dst_process"].map(|end| packet[end]["pid"].as_u64());
        assert!(pids.contains(&Some(own)) && pids.contains(&Some(theirs)));
    }
    let pid = own.to_string();
    let user = rustix::process::geteuid().as_raw().to_string();
    // Without packets before the first that is named, relative numbers would be others.
    let all = lcap(&["-r", path, "-S"]);
    for whose in [["--pid", &pid], ["--user", &user]] {
        let shown = lcap(&["-r", path, "-S", whose[0], whose[1]]);
        assert!(shown.ends_with(&all[first..]), "{all:#?} {shown:#?}");
    }
    let process = live[0]["name"].as_str().unwrap();
    let flows =
        |words: &[&str]| lcap(&[&["flows", "-r", path, "--format", "json"], words].concat());
    assert_eq!(flows(&["--process", process, "--pid", "1"]).len(), 1);
    assert_eq!(
        flows(&["--process", "another", "--pid", "1", "--user", "4000000"]).len(),
        0
    );
    let heads = lcap(&["follow", "-r", path]);
    assert!(heads.iter().any(|line| is_named(line)), "{heads:?}");
    let silent = lcap(&["-r", path, "--no-processes"]);
    assert!(
        silent
            .iter()
            .all(|line| !names.iter().any(|name| line.contains(name)))
    );
}

/// What lcap prints.
fn lcap(words: &[&str]) -> Vec<String> {
    let output = Command::new(LCAP).args(words).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn refused_and_datagrams() {
    if !permitted() {
        return;
    }
    let own = u64::from(std::process::id());
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
    let is_told = session.is_told();
    let ended = session.interrupt();
    let rows: Vec<Value> = ended
        .output
        .iter()
        .map(|row| serde_json::from_str(row).unwrap())
        .collect();
    let of = |proto: &str| rows.iter().find(|row| row["proto"] == proto).unwrap();
    for end in ["orig_process", "resp_process"] {
        assert!(names(&of("udp")[end], own), "{}", of("udp"));
        assert_eq!(of("udp")[end]["how"], "socket");
    }
    assert_eq!(of("tcp")["resp_process"]["how"], "nobody");
    // Its socket is free again as soon as it is refused; the kernel knows whose it was.
    let how = of("tcp")["orig_process"]["how"].as_str().unwrap();
    assert!(["gone", "socket"].contains(&how), "{how}");
    assert!(how == "socket" || !is_told);
}

#[test]
fn only_the_packets_of_a_process() {
    if !permitted() {
        return;
    }
    let server = Server::start("threads");
    let port = server.port.to_string();
    let pid = server.child.id().to_string();
    let sessions = [&*pid, "1"].map(|pid| {
        let words = ["flows", "-p", &port, "--format", "json", "--pid", pid];
        Session::start(words)
    });
    let told = ask(server.port, 5, 1);
    assert_eq!(told.len(), 5);
    let [all, none] = sessions.map(|session| session.interrupt().output.len());
    assert_eq!(none, 0);
    // Who is found late is found for the next ones.
    assert!((1..=5).contains(&all), "{all}");
}

#[test]
fn another_namespace_has_another_loopback() {
    beside(|keeper| {
        let word = keeper.to_string();
        let session = Session::start(["flows", "--netns", &word, "--format", "json"]);
        let (is_told, told) = inside(keeper, || {
            // A process of its own: this one forks all the time, and its children have its sockets for a moment.
            let server = Server::start("threads");
            let told = ask(server.port, 1, 1);
            std::thread::sleep(std::time::Duration::from_millis(100));
            (session.is_told(), told)
        });
        let rows = session.interrupt().output;
        assert_eq!(rows.len(), 1, "{rows:#?}");
        let row: Value = serde_json::from_str(&rows[0]).unwrap();
        let [client, server] = told[&client(&row)];
        assert!(names(&row["resp_process"], server), "{row}");
        // By a lookup it may be gone before.
        let how = &row["orig_process"]["how"];
        assert!(
            how == "gone" && !is_told || names(&row["orig_process"], client),
            "{row}"
        );
    });
    let refused = Command::new(LCAP)
        .args(["--netns", "no-such-namespace"])
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(1));
}
