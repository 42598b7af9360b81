//! Privileges: an unprivileged user with and without CAP_NET_RAW, in a user namespace, and sudo.

use super::session::{LCAP, Session, can_capture_or_skip, packets_as_json, skip};
use super::traffic::ReservedPort;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::process::{Command, Output};
use tempfile::TempDir;

/// User ID of `nobody`.
const NOBODY_UID: u32 = 65_534;

/// Installs a copy of lcap that all users can execute, in a directory where all users can write.
/// Returns `None`, with a skip message, if the test cannot change its user.
pub(crate) fn install_copy() -> Option<(TempDir, PathBuf)> {
    if !rustix::process::geteuid().is_root() {
        skip("changing the user requires root");
        return None;
    }
    let directory = tempfile::tempdir().unwrap();
    let all_users = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(directory.path(), all_users).unwrap();
    let program = directory.path().join("lcap");
    // Copied by another process: a child process of another test could inherit a descriptor that is
    // open for writing, and the kernel does not execute such a file (ETXTBSY).
    let mut install = Command::new("install");
    let installed = install.args(["-m", "755", LCAP]).arg(&program).status();
    assert!(installed.unwrap().success());
    match as_nobody("true", &[]).output() {
        Ok(output) if output.status.success() => Some((directory, program)),
        other => {
            skip(&format!(
                "setpriv cannot change the user to nobody: {other:?}"
            ));
            None
        }
    }
}

/// Installs a copy of lcap with which all users can capture. Returns `None`, with a skip message,
/// if the test is not permitted to install one.
pub(super) fn install_capturing_copy() -> Option<(TempDir, PathBuf)> {
    if !can_capture_or_skip() {
        return None;
    }
    let (directory, program) = install_copy()?;
    let mut setcap = Command::new("setcap");
    let setcap = setcap.arg("cap_net_raw=ep").arg(&program).output();
    if !setcap.as_ref().is_ok_and(|output| output.status.success()) {
        skip(&format!("file capabilities cannot be set here: {setcap:?}"));
        return None;
    }
    let version = as_nobody(program.to_str().unwrap(), &["--version"]).output();
    if !version.is_ok_and(|output| output.status.success()) {
        skip("programs with file capabilities cannot be executed here");
        return None;
    }
    Some((directory, program))
}

/// Returns a command that runs as the user `nobody`.
pub(super) fn as_nobody(program: &str, args: &[&str]) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    command.arg(program).args(args);
    command
}

fn stderr_text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn unprivileged_user_sees_the_setcap_remedy() {
    let Some((directory, program)) = install_copy() else {
        return;
    };
    let program = program.to_str().unwrap();
    let output = as_nobody(program, &["-i", "lo"]).output().unwrap();
    let stderr = stderr_text(&output);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    let remedy = format!("sudo setcap cap_net_raw=ep {program}");
    assert!(stderr.lines().any(|line| line.trim() == remedy), "{stderr}");

    // No empty file remains after a capture that could not start.
    let path = directory.path().join("absent.pcap");
    let output = as_nobody(program, &["-w", path.to_str().unwrap()])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(!path.exists());
}

#[test]
fn reading_a_file_requires_no_privilege() {
    let Some((directory, program)) = install_copy() else {
        return;
    };
    let path = directory.path().join("capture.pcap");
    let mut craft =
        crate::craft::CaptureBuilder::pcap(crate::craft::ByteOrder::Little, 0xA1B2_C3D4, (2, 4), 1);
    craft.record((1, 0), 60, &[0; 60]);
    std::fs::write(&path, &craft.bytes).unwrap();
    let args = ["-r", path.to_str().unwrap(), "--count"];
    let output = as_nobody(program.to_str().unwrap(), &args)
        .output()
        .unwrap();
    assert_eq!(output.stdout, b"1 packet\n", "{}", stderr_text(&output));
}

#[test]
fn unprivileged_user_captures_with_the_file_capability() {
    let Some((directory, program)) = install_capturing_copy() else {
        return;
    };
    let port = ReservedPort::reserve();
    let path = directory.path().join("capture.pcap");
    let args = ["-p", &port.arg(), "-w", path.to_str().unwrap()];
    let session = Session::spawn(as_nobody(program.to_str().unwrap(), &args));
    port.send(0, 5, 100);
    let ended = session.interrupt();
    assert_eq!(ended.assert_lossless().captured(), 5);
    assert_eq!(packets_as_json(&path).len(), 5);
    assert_eq!(std::fs::metadata(&path).unwrap().uid(), NOBODY_UID);
}

/// In a user namespace, any user can capture on a private loopback.
#[test]
fn unprivileged_user_captures_in_a_user_namespace() {
    let Some((_directory, program)) = install_copy() else {
        return;
    };
    // The script sends the packets, because the sockets of the test are in another namespace. The
    // filter `udp` excludes the ICMP errors of the closed port.
    let script = "ip link set lo up || exit 77
        \"$0\" -c 1 -t udp & exec 3>&1
        while kill -0 $! 2>&-; do : > /dev/udp/127.0.0.1/9; echo x > /dev/udp/127.0.0.1/9; done
        wait $!";
    let args = ["-rn", "bash", "-c", script, program.to_str().unwrap()];
    let output = match as_nobody("unshare", &args).output() {
        Ok(output) => output,
        Err(error) => return skip(&format!("unshare: {error}")),
    };
    let stderr = stderr_text(&output);
    if output.status.code() == Some(77) || stderr.contains("unshare: ") {
        return skip(&format!("user namespaces cannot be created here: {stderr}"));
    }
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(stdout.contains(" > 127.0.0.1.9: UDP, length "), "{stdout}");
    assert_eq!(stdout.lines().count(), 1);
}

/// Capture files belong to the user that ran sudo.
#[test]
fn files_belong_to_the_sudo_user() {
    if !can_capture_or_skip() {
        return;
    }
    let probe = tempfile::NamedTempFile::new().unwrap();
    if let Err(error) = std::os::unix::fs::chown(probe.path(), Some(12345), Some(23456)) {
        return skip(&format!(
            "the owner of a file cannot be changed here: {error}"
        ));
    }
    let port = ReservedPort::reserve();
    let directory = tempfile::tempdir().unwrap();
    std::os::unix::fs::chown(directory.path(), Some(12345), Some(23456)).unwrap();
    for (name, args) in [("one.pcap", &[][..]), ("many", &["-C", "1", "-W", "2"])] {
        let mut command = Command::new(LCAP);
        command.env("SUDO_UID", "12345").env("SUDO_GID", "23456");
        command.args(["-p", &port.arg()]).args(args);
        command.arg("-w").arg(directory.path().join(name));
        let session = Session::spawn(command);
        port.send(0, 50, 50_000);
        session.interrupt().assert_lossless();
    }
    let files = std::fs::read_dir(directory.path()).unwrap();
    let owners: Vec<_> = files
        .map(|file| file.unwrap().metadata().unwrap())
        .map(|meta| (meta.uid(), meta.gid()))
        .collect();
    assert_eq!(owners, [(12345, 23456); 3]);
}
