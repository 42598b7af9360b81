//! Whoever runs it: a plain user without and with the capability, in a namespace of theirs, and through sudo.

use super::session::{LCAP, Session, objects, permitted, skip};
use super::traffic::Port;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::process::{Command, Output};
use tempfile::TempDir;

/// nobody, on every Linux.
const NOBODY: u32 = 65_534;

/// A copy of lcap that everybody may run, in a directory where everybody may write; none where we may not become another user.
fn copy() -> Option<(TempDir, PathBuf)> {
    if !rustix::process::geteuid().is_root() {
        skip("only root can become another user");
        return None;
    }
    let directory = tempfile::tempdir().unwrap();
    let everybody = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(directory.path(), everybody).unwrap();
    let program = directory.path().join("lcap");
    // By another process: a child of this one, of another test, that is not yet another program would have it open for writing, and what
    // is written cannot be run.
    let mut install = Command::new("install");
    let installed = install.args(["-m", "755", LCAP]).arg(&program).status();
    assert!(installed.unwrap().success());
    match as_nobody("true", &[]).output() {
        Ok(output) if output.status.success() => Some((directory, program)),
        other => {
            skip(&format!("setpriv does not make us nobody: {other:?}"));
            None
        }
    }
}

/// A command run by nobody.
fn as_nobody(program: &str, words: &[&str]) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    command.arg(program).args(words);
    command
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_plain_user_is_told_what_to_do() {
    let Some((directory, program)) = copy() else {
        return;
    };
    let program = program.to_str().unwrap();
    let output = as_nobody(program, &["-i", "lo"]).output().unwrap();
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let remedy = format!("sudo setcap cap_net_raw=ep {program}");
    assert!(said.lines().any(|line| line.trim() == remedy), "{said}");

    // Nothing is left of a file that could not be filled.
    let path = directory.path().join("never.pcap");
    let output = as_nobody(program, &["-w", path.to_str().unwrap()])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(!path.exists());
}

#[test]
fn reading_needs_no_privilege() {
    let Some((directory, program)) = copy() else {
        return;
    };
    let path = directory.path().join("capture.pcap");
    let mut craft = crate::craft::Craft::pcap(crate::craft::Order::Little, 0xA1B2_C3D4, (2, 4), 1);
    craft.record((1, 0), 60, &[0; 60]);
    std::fs::write(&path, &craft.bytes).unwrap();
    let words = ["-r", path.to_str().unwrap(), "--count"];
    let output = as_nobody(program.to_str().unwrap(), &words)
        .output()
        .unwrap();
    assert_eq!(output.stdout, b"1 packet\n", "{}", said(&output));
}

#[test]
fn a_plain_user_with_the_capability() {
    if !permitted() {
        return;
    }
    let Some((directory, program)) = copy() else {
        return;
    };
    let given = Command::new("setcap")
        .arg("cap_net_raw=ep")
        .arg(&program)
        .output();
    match given {
        Ok(output) if output.status.success() => {}
        other => return skip(&format!("no file capabilities here: {other:?}")),
    }
    if !as_nobody(program.to_str().unwrap(), &["--version"])
        .output()
        .is_ok_and(|output| output.status.success())
    {
        return skip("a program with a file capability does not start here");
    }
    let port = Port::take();
    let path = directory.path().join("capture.pcap");
    let words = ["-p", &port.word(), "-w", path.to_str().unwrap()];
    let session = Session::of(as_nobody(program.to_str().unwrap(), &words));
    port.send(0, 5, 100);
    let ended = session.interrupt();
    assert_eq!(ended.is_whole().captured(), 5);
    assert_eq!(objects(&path).len(), 5);
    assert_eq!(std::fs::metadata(&path).unwrap().uid(), NOBODY);
}

/// User namespaces give everybody a loopback of their own, to capture on as they like.
#[test]
fn a_plain_user_in_a_namespace() {
    let Some((_directory, program)) = copy() else {
        return;
    };
    // Somebody to hear: the test's own sockets are in another namespace. Nobody listens there, which ICMP would say, too.
    let script = "ip link set lo up || exit 77
        \"$0\" -c 1 -t udp & exec 3>&1
        while kill -0 $! 2>&-; do : > /dev/udp/127.0.0.1/9; echo x > /dev/udp/127.0.0.1/9; done
        wait $!";
    let words = ["-rn", "bash", "-c", script, program.to_str().unwrap()];
    let output = match as_nobody("unshare", &words).output() {
        Ok(output) => output,
        Err(error) => return skip(&format!("unshare: {error}")),
    };
    let said = said(&output);
    if output.status.code() == Some(77) || said.contains("unshare: ") {
        return skip(&format!("no user namespaces here: {said}"));
    }
    assert_eq!(output.status.code(), Some(0), "{said}");
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.contains(" > 127.0.0.1.9: UDP, length "), "{shown}");
    assert_eq!(shown.lines().count(), 1);
}

/// Who typed sudo wants to open the file afterwards.
#[test]
fn files_belong_to_who_typed_sudo() {
    if !permitted() {
        return;
    }
    let given = tempfile::NamedTempFile::new().unwrap();
    if let Err(error) = std::os::unix::fs::chown(given.path(), Some(12345), Some(23456)) {
        return skip(&format!("files cannot be given away: {error}"));
    }
    let port = Port::take();
    let directory = tempfile::tempdir().unwrap();
    for (name, words) in [("one.pcap", &[][..]), ("many", &["-C", "1", "-W", "2"])] {
        let mut command = Command::new(LCAP);
        command.env("SUDO_UID", "12345").env("SUDO_GID", "23456");
        command.args(["-p", &port.word()]).args(words);
        command.arg("-w").arg(directory.path().join(name));
        let session = Session::of(command);
        port.send(0, 50, 50_000);
        session.interrupt().is_whole();
    }
    let files = std::fs::read_dir(directory.path()).unwrap();
    let owners: Vec<_> = files
        .map(|file| file.unwrap().metadata().unwrap())
        .map(|meta| (meta.uid(), meta.gid()))
        .collect();
    assert_eq!(owners, [(12345, 23456); 3]);
}
