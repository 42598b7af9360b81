//! A room of the test's own: a network namespace with its own loopback, and a hosts file of its own.

use super::parts::Part;
use crate::live::session::{LCAP, skip};
use crate::live::space;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};
use tempfile::TempDir;

/// The beginning of the ports that tests name, in place of which every room has its own: the doctor sees what is in other rooms.
const NAMED: &str = "6289";
/// Rooms that were made.
static ROOMS: AtomicU16 = AtomicU16::new(0);

pub(super) const BOTH: &str = "127.0.0.1 localhost\n::1 localhost\n";

/// A room, which stays until it is dropped.
pub(super) struct Room {
    keeper: Child,
    directory: TempDir,
    /// What its ports begin with.
    prefix: u16,
    /// What stands in place of 62893.
    pub(super) port: u16,
}

/// What the doctor says.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) code: i32,
    pub(super) json: Value,
    pub(super) text: String,
    prefix: u16,
}

/// Whether the loopback of a room is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loopback {
    Up,
    Down,
}

impl Room {
    /// A room in which `localhost` is 127.0.0.1; none, said aloud, where it cannot be had.
    pub(super) fn new() -> Option<Room> {
        Room::of("127.0.0.1 localhost\n", Loopback::Up)
    }

    /// A room with this hosts file.
    pub(super) fn of(hosts: &str, loopback: Loopback) -> Option<Room> {
        if !rustix::process::geteuid().is_root() {
            skip("only root can make rooms for the doctor");
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        let everybody = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(directory.path(), everybody).unwrap();
        let file = directory.path().join("hosts");
        std::fs::write(&file, hosts).unwrap();
        let up = match loopback {
            Loopback::Up => "ip link set lo up",
            Loopback::Down => "true",
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
        let mut said = String::new();
        let output = keeper.stdout.take().unwrap();
        BufReader::new(output).read_line(&mut said).unwrap();
        if said != "ready\n" {
            let output = keeper.wait_with_output().unwrap();
            skip(&format!(
                "no room: {}",
                String::from_utf8_lossy(&output.stderr)
            ));
            return None;
        }
        // All of them dynamic.
        let prefix = 5000 + ROOMS.fetch_add(1, Relaxed) % 1000;
        Some(Room {
            keeper,
            directory,
            prefix,
            port: prefix * 10 + 3,
        })
    }

    /// The same words, with the room's own ports.
    pub(super) fn own(&self, words: &str) -> String {
        words.replace(NAMED, &self.prefix.to_string())
    }

    /// Does something on a thread that is in the room's network.
    pub(super) fn inside<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        space::inside(self.keeper.id(), act)
    }

    /// A command that runs in the room.
    pub(super) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--target={}", self.keeper.id()));
        command.args(["--net", "--mount", "--", program]);
        command
    }

    /// Runs a command in the room, which must succeed; otherwise what it says.
    pub(super) fn run(&self, words: &str) -> Result<(), String> {
        let words = self.own(words);
        let mut parts = words.split(' ');
        let output = self.command(parts.next().unwrap()).args(parts).output();
        let output = output.map_err(|error| error.to_string())?;
        match output.status.success() {
            true => Ok(()),
            false => Err(format!(
                "{words}: {}",
                String::from_utf8_lossy(&output.stderr)
            )),
        }
    }

    /// A second interface, with the address 192.0.2.7; said aloud where it cannot be had.
    pub(super) fn has_network(&self) -> bool {
        let made = [
            "ip tuntap add eth9 mode tun",
            "ip address add 192.0.2.7/24 dev eth9",
            "ip link set eth9 up",
        ];
        match made.iter().try_for_each(|words| self.run(words)) {
            Ok(()) => true,
            Err(why) => {
                skip(&why);
                false
            }
        }
    }

    /// A process that takes this part in the room.
    pub(super) fn part(&self, part: &str) -> Part {
        let part = self.own(part);
        self.inside(|| Part::start(super::parts::process(&part)))
    }

    /// What the doctor says of this, in both ways that it has.
    #[track_caller]
    pub(super) fn doctor(&self, words: &[&str]) -> Said {
        self.doctor_as(words, || self.command(LCAP))
    }

    /// The same, run by nobody.
    #[track_caller]
    pub(super) fn doctor_of_nobody(&self, words: &[&str]) -> Said {
        let program = self.copy();
        self.doctor_as(words, || {
            let mut command = self.command("setpriv");
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
            command.arg(&program);
            command
        })
    }

    #[track_caller]
    fn doctor_as(&self, words: &[&str], lcap: impl Fn() -> Command) -> Said {
        let words: Vec<String> = words.iter().map(|word| self.own(word)).collect();
        let run = |more: &[&str]| {
            lcap()
                .arg("doctor")
                .args(&words)
                .args(more)
                .output()
                .unwrap()
        };
        let [json, text] = [run(&["--format=json"]), run(&[])];
        let said = |output: &Output| String::from_utf8(output.stdout.clone()).unwrap();
        assert_eq!(json.status.code(), text.status.code(), "{}", said(&text));
        let parsed = serde_json::from_slice(&json.stdout);
        Said {
            code: json.status.code().unwrap(),
            json: parsed.unwrap_or_else(|error| panic!("{error}: {json:?}")),
            text: said(&text),
            prefix: self.prefix,
        }
    }

    /// A copy of lcap that everybody may run.
    pub(super) fn copy(&self) -> PathBuf {
        let program = self.directory.path().join("lcap");
        if !program.exists() {
            std::fs::copy(LCAP, &program).unwrap();
            let mode = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(&program, mode).unwrap();
        }
        program
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

impl Said {
    /// The finding with this code.
    #[track_caller]
    pub(super) fn finding(&self, code: &str) -> &Value {
        let all = self.json["findings"].as_array().unwrap();
        let found = all.iter().find(|finding| finding["code"] == code);
        found.unwrap_or_else(|| panic!("no {code}: {}", self.text))
    }

    /// Nothing has this code.
    #[track_caller]
    pub(super) fn is_without(&self, code: &str) -> &Said {
        let all = self.json["findings"].as_array().unwrap();
        let found = all.iter().find(|finding| finding["code"] == code);
        assert_eq!(found, None, "{}", self.text);
        self
    }

    /// The verdict is this, with the exit code that belongs to it; the text says the same, and has these words in it.
    #[track_caller]
    pub(super) fn is(&self, health: &str, code: &str, words: &[&str]) -> &Said {
        let verdict = &self.json["verdict"];
        let told = (verdict["health"].as_str(), verdict["code"].as_str());
        assert_eq!(told, (Some(health), Some(code)), "{}", self.text);
        let exit = ["healthy", "problem", "unknown"]
            .iter()
            .position(|own| *own == health);
        assert_eq!(self.code, exit.unwrap() as i32, "{}", self.text);
        let first = self.text.lines().next().unwrap();
        assert!(first.contains(health), "{first}");
        self.tells(words)
    }

    /// There is such a finding, and the text has these words in it.
    #[track_caller]
    pub(super) fn finds(&self, severity: &str, code: &str, words: &[&str]) -> &Said {
        assert_eq!(self.finding(code)["severity"], severity, "{}", self.text);
        self.tells(words)
    }

    #[track_caller]
    pub(super) fn tells(&self, words: &[&str]) -> &Said {
        for word in words {
            let word = &word.replace(NAMED, &self.prefix.to_string());
            assert!(self.text.contains(word), "no {word:?}: {}", self.text);
        }
        self
    }
}
