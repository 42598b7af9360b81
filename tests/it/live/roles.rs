//! Server and client processes for tests, which report their PIDs.
//!
//! They run this test binary; an environment variable selects the role.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Environment variable with the role of a process and the server's port (0 except for clients).
const ROLE_VARIABLE: &str = "LCAP_TEST_ROLE";

/// Entry point of the processes; not a test.
#[test]
fn run_role() {
    let Ok(value) = std::env::var(ROLE_VARIABLE) else {
        return;
    };
    let (role, port) = value.split_once(' ').unwrap();
    match role {
        "client" => run_client(port.parse().unwrap()),
        "write-only" => {
            let mut stream = TcpStream::connect(("127.0.0.1", port.parse().unwrap())).unwrap();
            stream.write_all(b"hi\n").unwrap();
            // Exits without waiting for a reply.
            let local = stream.local_addr().unwrap();
            print_report(&format!("{local} {} 0", std::process::id()));
        }
        "refused" => run_refused_client(port.parse().unwrap()),
        "threads" => serve(|stream| drop(std::thread::spawn(|| send_pid(stream)))),
        "echo" => serve(|mut stream| {
            std::thread::spawn(move || {
                std::io::copy(&mut stream.try_clone().unwrap(), &mut stream)
            });
        }),
        "children" => serve(|stream| {
            let mut child = role_command("child 0");
            let child = child.stdin(OwnedFd::from(stream)).stdout(Stdio::null());
            let mut child = child.spawn().unwrap();
            std::thread::spawn(move || child.wait());
        }),
        // Several processes accept from one socket, as in nginx.
        "processes" => {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = listener.local_addr().unwrap().port();
            let workers = [(), (), (), ()].map(|()| {
                let socket = OwnedFd::from(listener.try_clone().unwrap());
                let mut worker = role_command("worker 0");
                worker.stdin(socket).stdout(Stdio::null()).spawn().unwrap()
            });
            print_report(&port.to_string());
            drop(listener);
            for mut worker in workers {
                worker.wait().unwrap();
            }
        }
        "worker" => run_worker(),
        "child" => send_pid(TcpStream::from(rustix::io::dup(std::io::stdin()).unwrap())),
        role => panic!("{role}"),
    }
}

/// Accepts connections from a shared listening socket until the parent process exits.
fn run_worker() {
    let listener = TcpListener::from(rustix::io::dup(std::io::stdin()).unwrap());
    listener.set_nonblocking(true).unwrap();
    let parent = rustix::process::getppid();
    while rustix::process::getppid() == parent {
        match listener.accept() {
            Ok((stream, _)) => send_pid(stream),
            Err(_) => std::thread::sleep(std::time::Duration::from_micros(300)),
        }
    }
}

/// Requests the server's PID, and reports its own address and both PIDs.
fn run_client(port: u16) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(b"pid?\n").unwrap();
    let mut server_pid = String::new();
    stream.read_to_string(&mut server_pid).unwrap();
    let local = stream.local_addr().unwrap();
    print_report(&format!("{local} {} {server_pid}", std::process::id()));
}

/// Connects to a port without a listener, and reports its own address and PID.
fn run_refused_client(port: u16) {
    use rustix::net::{AddressFamily, SocketType, bind, connect, getsockname, socket};
    let loopback = |port| SocketAddr::from(([127, 0, 0, 1], port));
    let client = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&client, &loopback(0)).unwrap();
    let local = SocketAddr::try_from(getsockname(&client).unwrap()).unwrap();
    assert!(connect(&client, &loopback(port)).is_err());
    print_report(&format!("{local} {} 0", std::process::id()));
}

/// Prints a report for the test, bypassing the output capture of the test harness.
fn print_report(text: &str) {
    let line = format!("\nreport {text}\n");
    std::io::stdout().write_all(line.as_bytes()).unwrap();
}

/// Reads a request and sends the PID of this process.
fn send_pid(mut stream: TcpStream) {
    let mut request = [0; 5];
    stream.read_exact(&mut request).unwrap();
    stream
        .write_all(std::process::id().to_string().as_bytes())
        .unwrap();
}

/// Reports the port of a new listening socket, and handles its connections.
fn serve(handle: impl Fn(TcpStream)) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    print_report(&listener.local_addr().unwrap().port().to_string());
    for stream in listener.incoming() {
        handle(stream.unwrap());
    }
}

/// Returns a command that runs this binary in a role. A space separates the role and the port.
fn role_command(role_and_port: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "live::roles::run_role", "--nocapture"])
        .env(ROLE_VARIABLE, role_and_port)
        .stdin(Stdio::null())
        // The child's test harness reports an error if its standard output is closed early.
        .stderr(Stdio::null());
    command
}

/// Server process that is killed when this is dropped.
pub(super) struct Server {
    pub(super) child: Child,
    pub(super) port: u16,
}

impl Server {
    pub(super) fn start(role: &str) -> Server {
        let mut child = role_command(&format!("{role} 0"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let port = read_report(child.stdout.take().unwrap()).parse().unwrap();
        Server { child, port }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the first report of a process.
fn read_report(output: ChildStdout) -> String {
    let mut lines = BufReader::new(output).lines().map_while(Result::ok);
    let line = lines.find_map(|line| Some(line.strip_prefix("report ")?.to_owned()));
    line.unwrap()
}

/// Runs `count` clients of a server, at most `concurrency` at a time. Returns the PIDs of client
/// and server by the client's address.
pub(super) fn run_clients(
    port: u16,
    count: usize,
    concurrency: usize,
) -> HashMap<SocketAddr, [u64; 2]> {
    run_clients_of_role("client", port, count, concurrency)
}

/// Runs clients with this role, as [`run_clients`] does. The server's PID is 0 if the client does
/// not receive it.
pub(super) fn run_clients_of_role(
    role: &str,
    port: u16,
    count: usize,
    concurrency: usize,
) -> HashMap<SocketAddr, [u64; 2]> {
    let (started, pids_by_client) = (AtomicUsize::new(0), Mutex::new(HashMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..concurrency {
            scope.spawn(|| {
                while started.fetch_add(1, Relaxed) < count {
                    let mut child = role_command(&format!("{role} {port}"))
                        .stdout(Stdio::piped())
                        .spawn()
                        .unwrap();
                    let report = read_report(child.stdout.take().unwrap());
                    child.wait().unwrap();
                    let fields: Vec<&str> = report.split_ascii_whitespace().collect();
                    let pids = [fields[1], fields[2]].map(|pid| pid.parse().unwrap());
                    let client = fields[0].parse().unwrap();
                    pids_by_client.lock().unwrap().insert(client, pids);
                }
            });
        }
    });
    pids_by_client.into_inner().unwrap()
}
