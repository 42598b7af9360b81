//! Users, what they plant, and a directory in which they run lcap.

use crate::command::{RunOutput, fixture_path, run_output};
use crate::craft::{ByteOrder, CaptureBuilder};
use crate::live::privileges::install_copy;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// IDs of users without names.
pub(super) const USER: u32 = 12_345;
pub(super) const OTHER: u32 = 54_321;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Caller {
    Root,
    /// Root on behalf of `USER`.
    Sudo,
    /// `USER`.
    Plain,
}

pub(super) const CALLERS: [Caller; 3] = [Caller::Root, Caller::Sudo, Caller::Plain];

/// Owner of what is prepared.
#[derive(Debug, Clone, Copy)]
pub(super) enum Owner {
    /// The user for whom lcap runs.
    Own,
    Root,
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Planted {
    Nothing,
    /// A file with mode 0644.
    File,
    Link,
    DanglingLink,
    LinkToDirectory,
    HardLink,
    Fifo,
}

/// A directory with a copy of lcap and captures that all users can read.
pub(super) struct Lab {
    top: TempDir,
    lcap: PathBuf,
}

impl Lab {
    /// Returns `None`, with a skip message, if the test cannot change its user.
    pub(super) fn new() -> Option<Lab> {
        let (top, lcap) = install_copy()?;
        // More than the first megabyte, and two periods of 1000 s.
        let mut long = CaptureBuilder::pcap(ByteOrder::Little, 0xA1B2_C3D4, (2, 4), 1);
        for number in 0..30 {
            let seconds = if number < 20 { 1000 } else { 3000 };
            long.record((seconds, 0), 60_000, &[0; 60_000]);
        }
        fs::write(top.path().join("long.pcap"), &long.bytes).unwrap();
        let http = top.path().join("http.pcap");
        fs::copy(fixture_path("http.pcap"), &http).unwrap();
        for path in [top.path().join("long.pcap"), http] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
        }
        Some(Lab { top, lcap })
    }

    fn command(&self, caller: Caller, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.top.path()).stdin(Stdio::null());
        command.env_remove("SUDO_UID").env("TZ", "UTC");
        match caller {
            Caller::Root => &mut command,
            Caller::Sudo => command
                .env("SUDO_UID", USER.to_string())
                .env("SUDO_GID", USER.to_string()),
            Caller::Plain => command.uid(USER).gid(USER),
        };
        command
    }

    pub(super) fn run(&self, caller: Caller, args: impl IntoIterator<Item = String>) -> RunOutput {
        run_output(
            self.command(caller, &self.lcap)
                .args(args)
                .output()
                .unwrap(),
        )
    }

    /// Runs a script of bash(1) in which `$0` is lcap.
    pub(super) fn run_shell(&self, caller: Caller, script: &str) -> RunOutput {
        let mut command = self.command(caller, "bash".as_ref());
        let command = command
            .args(["-o", "pipefail", "-c", script])
            .arg(&self.lcap);
        run_output(command.output().unwrap())
    }

    /// Creates an empty directory in which the rows are prepared.
    pub(super) fn directory(&self, name: &str, owner: u32, mode: u32) -> PathBuf {
        let path = self.top.path().join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        chown(&path, Some(owner), Some(owner)).unwrap();
        path
    }
}

impl Caller {
    /// Returns the user for whom lcap runs.
    pub(super) fn user(self) -> u32 {
        match self {
            Caller::Root => 0,
            Caller::Sudo | Caller::Plain => USER,
        }
    }

    pub(super) fn uid(self, owner: Owner) -> u32 {
        match owner {
            Owner::Own => self.user(),
            Owner::Root => 0,
            Owner::Other => OTHER,
        }
    }
}

/// Returns everything that must not change about a file: content, owner and mode.
pub(super) fn state(path: &Path) -> Option<(Vec<u8>, u32, u32)> {
    let meta = fs::symlink_metadata(path).ok()?;
    let content = match meta.is_file() {
        true => fs::read(path).unwrap(),
        false => Vec::new(),
    };
    Some((content, meta.uid(), meta.mode()))
}

/// Prepares a row at `path`, with `elsewhere` as the target of links.
pub(super) fn plant(planted: Planted, owner: u32, path: &Path, elsewhere: &Path) {
    match planted {
        Planted::Nothing => return,
        Planted::File => {
            fs::write(path, "planted").unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
        }
        Planted::Link => symlink(elsewhere.join("victim"), path).unwrap(),
        Planted::DanglingLink => symlink(elsewhere.join("absent"), path).unwrap(),
        Planted::LinkToDirectory => symlink(elsewhere, path).unwrap(),
        Planted::HardLink => return fs::hard_link(elsewhere.join("victim"), path).unwrap(),
        Planted::Fifo => assert!(Command::new("mkfifo").arg(path).status().unwrap().success()),
    }
    lchown(path, Some(owner), Some(owner)).unwrap();
}
