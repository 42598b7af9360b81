//! Processes that take part in tests: servers and clients that tell who they are. They are this binary, told by a variable what to do.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Set in processes that take part: what they are to do.
const PART: &str = "LCAP_TEST_PART";

/// No test: what this binary does as a process that takes part.
#[test]
fn part() {
    let Ok(part) = std::env::var(PART) else {
        return;
    };
    let (role, port) = part.split_once(' ').unwrap();
    match role {
        "client" => client(port.parse().unwrap()),
        "teller" => {
            let mut stream = TcpStream::connect(("127.0.0.1", port.parse().unwrap())).unwrap();
            stream.write_all(b"so\n").unwrap();
            // Nobody waits for what the server has to say.
            let own = stream.local_addr().unwrap();
            tell(&format!("{own} {} 0", std::process::id()));
        }
        "refused" => refused(port.parse().unwrap()),
        "threads" => serve(|stream| drop(std::thread::spawn(|| answer(stream)))),
        "echo" => serve(|mut stream| {
            std::thread::spawn(move || {
                std::io::copy(&mut stream.try_clone().unwrap(), &mut stream)
            });
        }),
        "children" => serve(|stream| {
            let mut child = process("child 0");
            let child = child.stdin(OwnedFd::from(stream)).stdout(Stdio::null());
            let mut child = child.spawn().unwrap();
            std::thread::spawn(move || child.wait());
        }),
        // As nginx does: several processes accept from one socket.
        "processes" => {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = listener.local_addr().unwrap().port();
            let workers = [(), (), (), ()].map(|()| {
                let socket = OwnedFd::from(listener.try_clone().unwrap());
                let mut worker = process("worker 0");
                worker.stdin(socket).stdout(Stdio::null()).spawn().unwrap()
            });
            tell(&port.to_string());
            drop(listener);
            for mut worker in workers {
                worker.wait().unwrap();
            }
        }
        "worker" => work(),
        "child" => answer(TcpStream::from(rustix::io::dup(std::io::stdin()).unwrap())),
        role => panic!("{role}"),
    }
}

/// Accepts from a socket that others accept from too, until whoever started it is gone.
fn work() {
    let listener = TcpListener::from(rustix::io::dup(std::io::stdin()).unwrap());
    listener.set_nonblocking(true).unwrap();
    let parent = rustix::process::getppid();
    while rustix::process::getppid() == parent {
        match listener.accept() {
            Ok((stream, _)) => answer(stream),
            Err(_) => std::thread::sleep(std::time::Duration::from_micros(300)),
        }
    }
}

/// Asks, reads the answer, tells who both are, and ends.
fn client(port: u16) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(b"who?\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let own = stream.local_addr().unwrap();
    tell(&format!("{own} {} {answer}", std::process::id()));
}

/// Asks where nobody listens, tells which end it had, and ends.
fn refused(port: u16) {
    use rustix::net::{AddressFamily, SocketType, bind, connect, getsockname, socket};
    let here = |port| SocketAddr::from(([127, 0, 0, 1], port));
    let asks = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&asks, &here(0)).unwrap();
    let own = SocketAddr::try_from(getsockname(&asks).unwrap()).unwrap();
    assert!(connect(&asks, &here(port)).is_err());
    tell(&format!("{own} {} 0", std::process::id()));
}

/// Tells the test something, past the test harness.
fn tell(what: &str) {
    let line = format!("\nreport {what}\n");
    std::io::stdout().write_all(line.as_bytes()).unwrap();
}

fn answer(mut stream: TcpStream) {
    let mut question = [0; 5];
    stream.read_exact(&mut question).unwrap();
    stream
        .write_all(std::process::id().to_string().as_bytes())
        .unwrap();
}

fn serve(with: impl Fn(TcpStream)) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    tell(&listener.local_addr().unwrap().port().to_string());
    for stream in listener.incoming() {
        with(stream.unwrap());
    }
}

/// A process that takes this part.
fn process(part: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "live::parts::part", "--nocapture"])
        .env(PART, part)
        .stdin(Stdio::null())
        // The test harness in it complains of a report that nobody reads to its end.
        .stderr(Stdio::null());
    command
}

/// A process that goes on until it is dropped.
pub(super) struct Server {
    pub(super) child: Child,
    pub(super) port: u16,
}

impl Server {
    pub(super) fn start(role: &str) -> Server {
        let mut child = process(&format!("{role} 0"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let port = report(child.stdout.take().unwrap()).parse().unwrap();
        Server { child, port }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a process that takes part tells.
fn report(output: ChildStdout) -> String {
    let mut lines = BufReader::new(output).lines().map_while(Result::ok);
    let line = lines.find_map(|line| Some(line.strip_prefix("report ")?.to_owned()));
    line.unwrap()
}

/// Has so many clients, so many at a time, ask the server: the client's process and the server's, by the client's end.
pub(super) fn ask(port: u16, count: usize, at_a_time: usize) -> HashMap<SocketAddr, [u64; 2]> {
    clients("client", port, count, at_a_time)
}

/// The same for clients of some kind; of those that are told nothing the server's process is 0.
pub(super) fn clients(
    role: &str,
    port: u16,
    count: usize,
    at_a_time: usize,
) -> HashMap<SocketAddr, [u64; 2]> {
    let (begun, told) = (AtomicUsize::new(0), Mutex::new(HashMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..at_a_time {
            scope.spawn(|| {
                while begun.fetch_add(1, Relaxed) < count {
                    let mut child = process(&format!("{role} {port}"))
                        .stdout(Stdio::piped())
                        .spawn()
                        .unwrap();
                    let report = report(child.stdout.take().unwrap());
                    child.wait().unwrap();
                    let words: Vec<&str> = report.split_ascii_whitespace().collect();
                    let pids = [words[1], words[2]].map(|pid| pid.parse().unwrap());
                    told.lock().unwrap().insert(words[0].parse().unwrap(), pids);
                }
            });
        }
    });
    told.into_inner().unwrap()
}
