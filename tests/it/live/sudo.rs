//! The user as whom packets are processed under sudo(8), and the owners of the files.

use super::session::{LCAP, Session, can_capture_or_skip, frames, skip};
use super::traffic::{ReservedPort, V4};
use crate::sandbox::{threads, wait_until_restricted};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::process::Command;

/// IDs of users without names.
const SUDO_USER: u32 = 12_345;
const OTHER: u32 = 54_321;

/// Everything keeps working: the names of processes, the counters, and signals from root.
#[test]
fn packets_are_processed_as_the_sudo_user_where_files_can_be_written() {
    if !can_capture_or_skip() {
        return;
    }
    let probe = tempfile::NamedTempFile::new().unwrap();
    if let Err(error) = chown(probe.path(), Some(SUDO_USER), None) {
        return skip(&format!("the owner of a file cannot be changed: {error}"));
    }
    for (args, directory_owner, user, file_owners) in [
        ("", 0, SUDO_USER, &[][..]),
        ("--print -w DIR/a.pcap", 0, SUDO_USER, &[SUDO_USER]),
        ("--print -w DIR/a.pcap", OTHER, SUDO_USER, &[SUDO_USER]),
        (
            "--print -C 1 -W 2 -w DIR/a",
            SUDO_USER,
            SUDO_USER,
            &[SUDO_USER; 2],
        ),
        ("--print -C 1 -W 2 -w DIR/a", 0, 0, &[0; 2]),
        ("--print -C 1 -W 2 -w DIR/a", OTHER, OTHER, &[OTHER; 2]),
    ] {
        let row = format!("{args:?} in a directory of {directory_owner}");
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o755)).unwrap();
        chown(
            directory.path(),
            Some(directory_owner),
            Some(directory_owner),
        )
        .unwrap();
        let port = ReservedPort::reserve();
        let args = args.replace("DIR", directory.path().to_str().unwrap());
        let mut command = Command::new(LCAP);
        command.env("SUDO_UID", SUDO_USER.to_string());
        command.env("SUDO_GID", SUDO_USER.to_string());
        command
            .args(["-p", &port.arg(), "-t"])
            .args(args.split_whitespace());
        let session = Session::spawn(command);
        wait_until_restricted(session.pid(), &row);
        for thread in threads(session.pid()) {
            assert_eq!(thread.uids, [user; 4], "{row}: {thread:?}");
        }
        // The third file of a ring replaces the first.
        port.send(0, 50, 50_000);
        port.exchange(V4);
        session.output.wait_for(|line| line.contains("Flags [F"));
        let ended = session.interrupt();
        assert_eq!(ended.assert_lossless().dropped(), 0);
        let name = format!("[{}]", std::process::id());
        let named = ended.output.iter().filter(|line| line.contains(&name));
        assert!(
            named.count() > 0,
            "{row}: {:?} {:?}",
            ended.errors,
            ended.output
        );
        let mut files: Vec<_> = fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        let owners: Vec<u32> = files
            .iter()
            .map(|path| fs::metadata(path).unwrap().uid())
            .collect();
        assert_eq!(owners, file_owners, "{row}");
        for file in files {
            assert!(!frames(&file).is_empty(), "{row}: {}", file.display());
        }
    }
}

/// The command can be signalled only by its own user, so root remains root unless it cannot write
/// the files.
#[test]
fn user_of_lcap_run_changes_only_for_files() {
    if !can_capture_or_skip() {
        return;
    }
    for (args, user) in [("", 0), ("-C 1 -w DIR/a", SUDO_USER)] {
        let directory = tempfile::tempdir().unwrap();
        if let Err(error) = chown(directory.path(), Some(SUDO_USER), None) {
            return skip(&format!("the owner of a file cannot be changed: {error}"));
        }
        let args = args.replace("DIR", directory.path().to_str().unwrap());
        let mut command = Command::new(LCAP);
        command.env("SUDO_UID", SUDO_USER.to_string());
        command.env("SUDO_GID", SUDO_USER.to_string());
        command.arg("run").args(args.split_whitespace());
        command.args(["--", "sh", "-c", "id -u; sleep 1"]);
        let session = Session::spawn(command);
        wait_until_restricted(session.pid(), &args);
        for thread in threads(session.pid()) {
            assert_eq!(thread.uids, [user; 4], "{args}: {thread:?}");
        }
        let ended = session.wait();
        assert_eq!(
            (ended.code, &ended.output[..]),
            (Some(0), &["0".to_owned()][..])
        );
    }
}
