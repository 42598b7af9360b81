//! Ends that only the kernel can name: clients that are refused, that are gone at once, whose number another program has had; and workers.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};

use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket};
use serde_json::Value;

use super::owners::{client, names};
use super::parts::{Server, clients};
use super::session::{Session, permitted, skip};

/// lcap flows on a port, told by the kernel; none where that does not tell.
fn told(port: u16) -> Option<Session> {
    if !permitted() {
        return None;
    }
    let session = Session::start(["flows", "-p", &port.to_string(), "--format", "json"]);
    if session.is_told() {
        return Some(session);
    }
    skip("the kernel does not tell of connections here: that takes CAP_BPF and CAP_PERFMON");
    None
}

fn rows(session: Session) -> Vec<Value> {
    // Who looks may have no processor for a while, where other tests need them all.
    std::thread::sleep(std::time::Duration::from_secs(1));
    let ended = session.interrupt();
    assert_eq!(ended.code, Some(0), "{:?}", ended.errors);
    let is_untold = ended.errors.iter().any(|line| line.contains("not told"));
    assert!(!is_untold, "{:?}", ended.errors);
    let rows = ended.output.iter();
    rows.map(|row| serde_json::from_str(row).unwrap()).collect()
}

/// Each client's own number is what lcap says. A row that must come before the kernel's news were read, because its ends are used again at
/// once, says that it does not know.
fn all_clients_are_right(rows: &[Value], told: &HashMap<SocketAddr, [u64; 2]>) {
    assert!(!rows.is_empty());
    let (mut named, mut unnamed) = (0, Vec::new());
    for row in rows {
        let process = &row["orig_process"];
        // Ends that came twice are told of once.
        let is_once = rows
            .iter()
            .filter(|other| client(other) == client(row))
            .count()
            == 1;
        if process["how"] != "socket" {
            assert_eq!(process["how"], "gone", "{row}");
            unnamed.push(format!("once: {is_once} {row}"));
            continue;
        }
        named += 1;
        if let Some([pid, _]) = told.get(&client(row)).filter(|_| is_once) {
            assert_eq!(process["pid"], *pid, "{row}");
        }
    }
    assert!(
        named >= rows.len() * 98 / 100,
        "{named} of {}: {unnamed:#?}",
        rows.len()
    );
}

#[test]
fn clients_that_write_and_are_gone() {
    let server = Server::start("echo");
    let Some(session) = told(server.port) else {
        return;
    };
    let told = clients("teller", server.port, 500, 20);
    let rows = rows(session);
    assert_eq!(rows.len(), 500);
    all_clients_are_right(&rows, &told);
    for row in &rows {
        assert_eq!(row["resp_process"]["pid"], server.child.id(), "{row}");
    }
}

#[test]
fn clients_that_are_refused() {
    // Nobody else can listen there meanwhile, and no client can have it for its own end.
    let here = SocketAddr::from(([127, 0, 0, 1], 0));
    let held = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&held, &here).unwrap();
    let port = SocketAddr::try_from(getsockname(&held).unwrap())
        .unwrap()
        .port();
    let Some(session) = told(port) else {
        return;
    };
    let told = clients("refused", port, 500, 20);
    let rows = rows(session);
    all_clients_are_right(&rows, &told);
    assert!(
        rows.iter()
            .filter(|row| row["orig_process"]["how"] == "socket")
            .all(|row| row["resp_process"]["how"] == "nobody")
    );
}

/// What was there before lcap is looked up when it is heard of.
#[test]
fn a_connection_from_before() {
    let server = Server::start("echo");
    let mut client = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    let Some(session) = told(server.port) else {
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

/// Nobody has accepted it when lcap ends: who listens is named, and is said to do no more.
#[test]
fn a_server_that_does_not_accept() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let Some(session) = told(address.port()) else {
        return;
    };
    let client = TcpStream::connect(address).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(500));
    let rows = rows(session);
    drop(client);
    let own = std::process::id();
    assert_eq!(rows[0]["orig_process"]["pid"], own, "{}", rows[0]);
    assert_eq!(rows[0]["resp_process"]["how"], "listener");
    assert!(names(&rows[0]["resp_process"], own.into()));
}

/// A client that hands its connection to a child and ends: who asked for it is named.
#[test]
fn a_client_whose_child_goes_on() {
    let server = Server::start("echo");
    let Some(session) = told(server.port) else {
        return;
    };
    let script = format!(
        "exec 3<>/dev/tcp/127.0.0.1/{}; echo $$; (sleep 0.1; echo hello >&3; read <&3) & exit",
        server.port
    );
    let Ok(output) = Command::new("bash").args(["-c", &script]).output() else {
        return skip("bash talks to ports, other shells do not");
    };
    let pid: u64 = String::from_utf8_lossy(&output.stdout)
        .trim()
        .parse()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_millis(100));
    let rows = rows(session);
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["orig_process"]["pid"], pid, "{}", rows[0]);
    assert_eq!(rows[0]["orig_process"]["name"], "bash");
}

/// A client that counts processes from one, as in a container: what is told is the number that it has out here.
#[test]
fn a_client_in_a_namespace_of_processes() {
    let server = Server::start("echo");
    let Some(session) = told(server.port) else {
        return;
    };
    let script = format!(
        "exec 3<>/dev/tcp/127.0.0.1/{}; echo $$ >&3; read <&3",
        server.port
    );
    let words = ["--pid", "--fork", "--mount-proc", "bash", "-c", &script];
    let Ok(mut child) = Command::new("unshare").args(words).spawn() else {
        return skip("there is no unshare");
    };
    if !child.wait().unwrap().success() {
        return skip("no namespace of processes may be made");
    }
    let rows = rows(session);
    let process = &rows[0]["orig_process"];
    assert_eq!(
        (&process["name"], &process["how"]),
        (&"bash".into(), &"socket".into())
    );
    assert_eq!(process["ppid"], child.id(), "{process}");
}

/// Two programs that had the same number one after the other are two.
#[test]
fn a_number_that_is_used_again() {
    const LAST: &str = "/proc/sys/kernel/ns_last_pid";
    let server = Server::start("echo");
    let Some(session) = told(server.port) else {
        return;
    };
    if std::fs::OpenOptions::new().write(true).open(LAST).is_err() {
        return skip("the number of the next process may not be chosen");
    }
    let say = |name: &str| {
        format!(
            "exec -a {name} bash -c 'exec 3<>/dev/tcp/127.0.0.1/{}; echo $$; echo >&3; read <&3'",
            server.port
        )
    };
    let run = |before: &str, name: &str| -> u64 {
        let script = format!(
            "{before} bash -c \"{}\"; true",
            say(name).replace('$', "\\$")
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
    // /proc tells when a process began in hundredths of a second.
    std::thread::sleep(std::time::Duration::from_millis(30));
    // Another test may be faster with a process of its own.
    let again = (0..50).any(|_| run(&format!("echo {} > {LAST};", first - 1), "second") == first);
    let rows = rows(session);
    if !again {
        return skip("other processes were faster than the one that was to have a used number");
    }
    let (first, last) = (
        &rows[0]["orig_process"],
        &rows[rows.len() - 1]["orig_process"],
    );
    assert_eq!(first["pid"], last["pid"]);
    assert_ne!(first["start_time"], last["start_time"], "{first} {last}");
    // Who is gone already has no command line; nobody has another's.
    assert_ne!(first["command_line"][0], "second");
    assert_ne!(last["command_line"][0], "first");
}

/// The worker that accepted, of four; each tells its number.
#[test]
fn workers_of_nginx() {
    let (Ok(directory), true) = (
        tempfile::tempdir(),
        Command::new("nginx").arg("-v").output().is_ok(),
    ) else {
        return skip("there is no nginx");
    };
    let port = {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap().port()
    };
    let Some(session) = told(port) else {
        return;
    };
    let place = directory.path().display();
    let configuration = format!(
        "worker_processes 4; pid {place}/pid; error_log {place}/error; events {{ }}\n\
         http {{ access_log off; server {{ listen 127.0.0.1:{port}; location / {{ return 200 $pid; }} }} }}"
    );
    let file = directory.path().join("nginx.conf");
    std::fs::write(&file, configuration).unwrap();
    let nginx = |words: &[&str]| {
        let mut command = Command::new("nginx");
        command.arg("-p").arg(directory.path()).arg("-c").arg(&file);
        command.args(words).stderr(Stdio::null()).status().unwrap()
    };
    assert!(nginx(&[]).success());
    let mut answers = HashMap::new();
    let until = std::time::Instant::now() + super::session::PATIENCE;
    let mut asked = 0;
    while answers.len() < 200 && std::time::Instant::now() < until {
        let Ok(mut client) = TcpStream::connect(("127.0.0.1", port)) else {
            continue;
        };
        client.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        let worker: u64 = answer.rsplit("\r\n\r\n").next().unwrap().parse().unwrap();
        asked += 1;
        answers.insert(client.local_addr().unwrap(), worker);
    }
    nginx(&["-s", "quit"]);
    let rows = rows(session);
    if asked > answers.len() {
        return skip("a port came twice, so that nobody knows which flow is whose");
    }
    let mut right = 0;
    for row in rows.iter().filter(|row| answers.contains_key(&client(row))) {
        let (process, worker) = (&row["resp_process"], answers[&client(row)]);
        if process["how"] == "acceptor" || process["how"] == "socket" {
            assert_eq!(process["pid"], worker, "{row}");
            right += 1;
        }
    }
    assert!(
        right >= answers.len() * 3 / 4,
        "{right} of {}",
        answers.len()
    );
}
