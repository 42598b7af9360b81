//! Servers of other projects that tests start: each in a temporary directory, on a free port.

use super::session::{TEST_TIMEOUT, skip};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Running server, which is killed at the end.
pub(super) struct Server {
    child: Child,
    pub(super) port: u16,
    directory: tempfile::TempDir,
}

impl Server {
    /// Starts a program, and waits until it accepts connections. `prepare` adds the arguments for a
    /// directory and a port. Returns `None` if the program is not installed: the test is then
    /// skipped, unless `LCAP_LIVE` is `required`.
    pub(super) fn start_or_skip(
        program: &str,
        prepare: impl FnOnce(&mut Command, &Path, u16),
    ) -> Option<Server> {
        let level = std::env::var("LCAP_LIVE").unwrap_or_default();
        if Command::new(program).arg("-v").output().is_err() {
            assert_ne!(level, "required", "{program} is not installed");
            skip(&format!("{program} is not installed"));
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        let port = free_port();
        let mut command = Command::new(program);
        prepare(&mut command, directory.path(), port);
        command.current_dir(&directory).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let server = Server {
            child: command.spawn().unwrap(),
            port,
            directory,
        };
        let deadline = Instant::now() + TEST_TIMEOUT;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(Instant::now() < deadline, "{program} does not start");
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(server)
    }

    /// Returns a new connection.
    pub(super) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
        stream
    }

    /// Returns the directory in which the server runs.
    pub(super) fn directory(&self) -> &Path {
        self.directory.path()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGTERM, so that a server stops its own processes; SIGKILL if that is not sufficient.
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let deadline = Instant::now() + Duration::from_secs(2);
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    free.local_addr().unwrap().port()
}
