//! A sandbox for one test: a network namespace with a separate loopback, and a separate hosts file.

use super::test_server::TestServer;
use crate::live::netns;
use crate::live::session::{LCAP, skip};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};
use tempfile::TempDir;

/// The leading digits of the ports in test sources. Each sandbox replaces these digits with a
/// different prefix, because the doctor sees the listeners of other sandboxes.
const PLACEHOLDER_PREFIX: &str = "6289";
/// Number of sandboxes created so far.
static SANDBOX_COUNT: AtomicU16 = AtomicU16::new(0);

pub(super) const DUAL_STACK_HOSTS: &str = "127.0.0.1 localhost\n::1 localhost\n";

/// A network and mount namespace, which exists until the value is dropped.
pub(super) struct Sandbox {
    keeper: Child,
    directory: TempDir,
    /// The leading digits of the sandbox's ports.
    port_prefix: u16,
    /// The replacement of port 62893.
    pub(super) port: u16,
}

/// The output of `lcap doctor`, as JSON and as text.
#[derive(Debug)]
pub(super) struct DoctorOutput {
    pub(super) exit_code: i32,
    pub(super) json: Value,
    pub(super) text: String,
    port_prefix: u16,
}

/// State of the loopback interface in a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LoopbackState {
    Up,
    Down,
}

impl Sandbox {
    /// Creates a sandbox in which `localhost` is 127.0.0.1. Prints the reason and returns `None`
    /// if that is not possible.
    pub(super) fn new() -> Option<Sandbox> {
        Sandbox::with_hosts("127.0.0.1 localhost\n", LoopbackState::Up)
    }

    /// Creates a sandbox with this hosts file. Prints the reason and returns `None` if that is
    /// not possible.
    pub(super) fn with_hosts(hosts: &str, loopback: LoopbackState) -> Option<Sandbox> {
        if !rustix::process::geteuid().is_root() {
            skip("sandboxes for the doctor require root");
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        let readable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(directory.path(), readable).unwrap();
        let file = directory.path().join("hosts");
        std::fs::write(&file, hosts).unwrap();
        let up = match loopback {
            LoopbackState::Up => "ip link set lo up",
            LoopbackState::Down => "true",
        };
        let script = format!("mount --bind \"$0\" /etc/hosts && {up} && echo ready && exec cat");
        let mut keeper = Command::new("unshare")
            .args(["--net", "--mount", "sh", "-c", &script])
            .arg(&file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let output = keeper.stdout.take().unwrap();
        BufReader::new(output).read_line(&mut line).unwrap();
        if line != "ready\n" {
            let output = keeper.wait_with_output().unwrap();
            skip(&format!(
                "no sandbox: {}",
                String::from_utf8_lossy(&output.stderr)
            ));
            return None;
        }
        // Ports 50000 to 59999, all of which are dynamic.
        let prefix = 5000 + SANDBOX_COUNT.fetch_add(1, Relaxed) % 1000;
        Some(Sandbox {
            keeper,
            directory,
            port_prefix: prefix,
            port: prefix * 10 + 3,
        })
    }

    /// Replaces the ports in a text with those of this sandbox.
    pub(super) fn substitute_ports(&self, text: &str) -> String {
        text.replace(PLACEHOLDER_PREFIX, &self.port_prefix.to_string())
    }

    /// Runs a closure on a thread in the network namespace of the sandbox.
    pub(super) fn run_inside<T: Send>(&self, action: impl FnOnce() -> T + Send) -> T {
        netns::run_in_netns(self.keeper.id(), action)
    }

    /// Returns a command that runs in the sandbox.
    pub(super) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--target={}", self.keeper.id()));
        command.args(["--net", "--mount", "--", program]);
        command
    }

    /// Runs a command in the sandbox. If the command fails, the error contains its error output.
    pub(super) fn run(&self, command: &str) -> Result<(), String> {
        let command = self.substitute_ports(command);
        let mut args = command.split(' ');
        let output = self.command(args.next().unwrap()).args(args).output();
        let output = output.map_err(|error| error.to_string())?;
        match output.status.success() {
            true => Ok(()),
            false => Err(format!(
                "{command}: {}",
                String::from_utf8_lossy(&output.stderr)
            )),
        }
    }

    /// Adds an interface with the address 192.0.2.7. Prints the reason and returns false if that is
    /// not possible.
    pub(super) fn add_network(&self) -> bool {
        let commands = [
            "ip tuntap add eth9 mode tun",
            "ip address add 192.0.2.7/24 dev eth9",
            "ip link set eth9 up",
        ];
        match commands.iter().try_for_each(|command| self.run(command)) {
            Ok(()) => true,
            Err(reason) => {
                skip(&reason);
                false
            }
        }
    }

    /// Starts a server on these addresses in the sandbox.
    pub(super) fn start_server(&self, addresses: &str) -> TestServer {
        let addresses = self.substitute_ports(addresses);
        self.run_inside(|| TestServer::start(super::test_server::server_command(&addresses)))
    }

    /// Runs `lcap doctor` with these arguments, once for JSON and once for text.
    #[track_caller]
    pub(super) fn run_doctor(&self, args: &[&str]) -> DoctorOutput {
        self.run_doctor_with(args, || self.command(LCAP))
    }

    /// Runs `lcap doctor` as an unprivileged user (uid 65534), once for JSON and once for text.
    #[track_caller]
    pub(super) fn run_doctor_unprivileged(&self, args: &[&str]) -> DoctorOutput {
        let program = self.lcap_copy();
        self.run_doctor_with(args, || {
            let mut command = self.command("setpriv");
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
            command.arg(&program);
            command
        })
    }

    #[track_caller]
    fn run_doctor_with(&self, args: &[&str], lcap: impl Fn() -> Command) -> DoctorOutput {
        let args: Vec<String> = args.iter().map(|arg| self.substitute_ports(arg)).collect();
        let run = |options: &[&str]| {
            lcap()
                .arg("doctor")
                .args(&args)
                .args(options)
                .output()
                .unwrap()
        };
        let [json, text] = [run(&["--format=json"]), run(&[])];
        let stdout = |output: &Output| String::from_utf8(output.stdout.clone()).unwrap();
        assert_eq!(json.status.code(), text.status.code(), "{}", stdout(&text));
        let parsed = serde_json::from_slice(&json.stdout);
        DoctorOutput {
            exit_code: json.status.code().unwrap(),
            json: parsed.unwrap_or_else(|error| panic!("{error}: {json:?}")),
            text: stdout(&text),
            port_prefix: self.port_prefix,
        }
    }

    /// Returns a copy of lcap that every user can execute.
    pub(super) fn lcap_copy(&self) -> PathBuf {
        let program = self.directory.path().join("lcap");
        if !program.exists() {
            std::fs::copy(LCAP, &program).unwrap();
            let mode = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(&program, mode).unwrap();
        }
        program
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

impl DoctorOutput {
    /// Returns the finding with this code.
    #[track_caller]
    pub(super) fn finding(&self, code: &str) -> &Value {
        let findings = self.json["findings"].as_array().unwrap();
        let finding = findings.iter().find(|finding| finding["code"] == code);
        finding.unwrap_or_else(|| panic!("no {code}: {}", self.text))
    }

    /// Asserts that no finding has this code.
    #[track_caller]
    pub(super) fn assert_no_finding(&self, code: &str) -> &DoctorOutput {
        let findings = self.json["findings"].as_array().unwrap();
        let finding = findings.iter().find(|finding| finding["code"] == code);
        assert_eq!(finding, None, "{}", self.text);
        self
    }

    /// Asserts the verdict in JSON and text and the exit code, and that the text contains all of
    /// `expected`.
    #[track_caller]
    pub(super) fn assert_verdict(
        &self,
        health: &str,
        code: &str,
        expected: &[&str],
    ) -> &DoctorOutput {
        let verdict = &self.json["verdict"];
        let actual = (verdict["health"].as_str(), verdict["code"].as_str());
        assert_eq!(actual, (Some(health), Some(code)), "{}", self.text);
        let exit = ["healthy", "problem", "unknown"]
            .iter()
            .position(|name| *name == health);
        assert_eq!(self.exit_code, exit.unwrap() as i32, "{}", self.text);
        let first = self.text.lines().next().unwrap();
        assert!(first.contains(health), "{first}");
        self.assert_text(expected)
    }

    /// Asserts the severity of a finding, and that the text contains all of `expected`.
    #[track_caller]
    pub(super) fn assert_finding(
        &self,
        severity: &str,
        code: &str,
        expected: &[&str],
    ) -> &DoctorOutput {
        assert_eq!(self.finding(code)["severity"], severity, "{}", self.text);
        self.assert_text(expected)
    }

    /// Asserts that the text contains all of `expected`.
    #[track_caller]
    pub(super) fn assert_text(&self, expected: &[&str]) -> &DoctorOutput {
        for part in expected {
            let part = &part.replace(PLACEHOLDER_PREFIX, &self.port_prefix.to_string());
            assert!(self.text.contains(part), "no {part:?}: {}", self.text);
        }
        self
    }
}
