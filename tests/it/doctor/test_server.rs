//! Server processes that run this test binary, with their addresses in an environment variable.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Environment variable that contains the addresses of a server process, separated by commas. A
/// plus sign before an address sets SO_REUSEPORT.
const SERVER_ADDRESSES_VAR: &str = "LCAP_TEST_DOCTOR";

/// The main function of server processes. In a normal test run, the variable is not set, and this
/// test passes without effect.
#[test]
fn run_as_test_server() {
    let Ok(addresses) = std::env::var(SERVER_ADDRESSES_VAR) else {
        return;
    };
    let servers: Vec<TcpListener> = addresses
        .split(',')
        .map(|address| match address.strip_prefix('+') {
            Some(address) => TcpListener::from(super::conflicts::reuseport_listener(
                address.parse().unwrap(),
            )),
            None => TcpListener::bind(address.parse::<SocketAddr>().unwrap()).unwrap(),
        })
        .collect();
    for server in &servers {
        let server = server.try_clone().unwrap();
        std::thread::spawn(move || {
            // The streams stay open: the side that closes first enters TIME_WAIT.
            let _streams: Vec<_> = server.incoming().collect();
        });
    }
    std::io::stdout().write_all(b"\nready\n").unwrap();
    // The server runs until the test closes the pipe.
    let _ = std::io::stdin().lines().count();
}

/// Returns the command of a server on these addresses, in the format of [`SERVER_ADDRESSES_VAR`].
pub(super) fn server_command(addresses: &str) -> Command {
    server_command_for(&std::env::current_exe().unwrap(), addresses)
}

/// Returns the command of a server on these addresses that runs a copy of this test binary.
pub(super) fn server_command_for(program: &Path, addresses: &str) -> Command {
    let mut command = Command::new(program);
    command
        .args([
            "--exact",
            "doctor::test_server::run_as_test_server",
            "--nocapture",
        ])
        .env(SERVER_ADDRESSES_VAR, addresses);
    command
}

/// A server process, which is killed on drop.
pub(super) struct TestServer(pub(super) Child);

impl TestServer {
    /// Starts the server and waits until it listens.
    pub(super) fn start(mut command: Command) -> TestServer {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut lines = output.lines().map_while(Result::ok);
        assert!(lines.any(|line| line == "ready"));
        TestServer(child)
    }

    pub(super) fn pid(&self) -> u32 {
        self.0.id()
    }

    /// The PID as the doctor prints it: `[4121]`.
    pub(super) fn label(&self) -> String {
        format!("[{}]", self.pid())
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
