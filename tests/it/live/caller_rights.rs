//! Files with capabilities of the program: a caller cannot use them to read or write other files.

use super::least_privilege::install_with;
use super::privileges::as_nobody;
use crate::command::{fixture_path, run_output};
use std::fs;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

/// All capabilities that lcap can use.
const CAPABILITIES: &str = "cap_net_raw,cap_net_admin,cap_bpf,cap_perfmon,cap_sys_ptrace,\
                            cap_dac_read_search,cap_dac_override,cap_sys_admin=ep";

fn write(path: &Path, text: &[u8], mode: u32) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn caller_reads_and_writes_only_own_files() {
    let Some((directory, program)) = install_with(CAPABILITIES) else {
        return;
    };
    let directory = directory.path();
    let capture = fs::read(fixture_path("http.pcap")).unwrap();
    write(&directory.join("http.pcap"), &capture, 0o644);
    write(&directory.join("secret.pcap"), &capture, 0o600);
    write(&directory.join("secret"), b"password hunter2", 0o600);
    write(&directory.join("existing"), b"", 0o600);
    fs::create_dir(directory.join("locked")).unwrap();
    for args in [
        "-r secret.pcap",
        "flows -r secret.pcap",
        "-r http.pcap -F secret",
        "-F secret",
        "-r http.pcap -w locked/a.pcap",
        "-r http.pcap -w existing",
        "-r http.pcap -C 1 -w locked/a.pcap",
        "-w locked/a.pcap -c 1",
        "flows -r http.pcap -o locked/flows",
        "follow -r http.pcap --output-dir locked",
        "follow -r http.pcap --output-dir locked/streams",
        "--netns ./secret -c 1",
    ] {
        let args: Vec<&str> = args.split(' ').collect();
        let mut command = as_nobody(program.to_str().unwrap(), &args);
        let output = run_output(command.current_dir(directory).output().unwrap());
        assert_eq!(output.exit_code, 1, "{args:?}: {}", output.stderr);
        assert_eq!(output.stdout, b"", "{args:?}");
        let is_refused =
            output.stderr.contains("ermission denied") || output.stderr.contains("not permitted");
        assert!(is_refused, "{args:?}: {}", output.stderr);
        assert!(!output.stderr.contains("hunter2"), "{args:?}");
    }
    assert_eq!(fs::read_dir(directory.join("locked")).unwrap().count(), 0);
    assert_eq!(fs::metadata(directory.join("existing")).unwrap().len(), 0);
}

/// A file that is not an expression can be one that was named by mistake.
#[test]
fn contents_of_a_filter_file_are_not_printed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notes");
    fs::write(&path, "password is hunter2").unwrap();
    let path = path.to_str().unwrap();
    let output = crate::command::run(["-r", &fixture_path("http.pcap"), "-F", path]);
    let message = format!("lcap: {path}: not a filter expression: ");
    output.assert_rejected(2, "-F", &message);
    assert!(!output.stderr.contains("hunter2"), "{}", output.stderr);
}

/// The time zone of a file that the caller cannot read is not used.
#[test]
fn time_zone_file_is_read_with_the_rights_of_the_caller() {
    let Some((directory, program)) = install_with(CAPABILITIES) else {
        return;
    };
    let capture = fs::read(fixture_path("http.pcap")).unwrap();
    let path = directory.path().join("http.pcap");
    write(&path, &capture, 0o644);
    let zone = directory.path().join("zone");
    // TZif version 1 (RFC 9636) without transitions: one type, 5 h east of UTC.
    let mut tzif = b"TZif".to_vec();
    tzif.resize(20, 0);
    for count in [0_u32, 0, 0, 0, 1, 4] {
        tzif.extend(count.to_be_bytes());
    }
    tzif.extend((5 * 3600_i32).to_be_bytes());
    tzif.extend([0, 0]);
    tzif.extend(b"+05\0");
    let mut shown = Vec::new();
    for mode in [0o644, 0o600] {
        write(&zone, &tzif, mode);
        let args = ["-r", path.to_str().unwrap(), "-c", "1"];
        let mut command = as_nobody(program.to_str().unwrap(), &args);
        let output = run_output(command.env("TZ", &zone).output().unwrap());
        assert_eq!(output.exit_code, 0, "{}", output.stderr);
        shown.push(output.stdout_text()[..2].to_owned());
    }
    assert_ne!(shown[0], shown[1]);
}

/// The socket of an engine belongs to its users: it is not connected to with the capabilities.
#[test]
fn engine_socket_of_another_user_is_not_connected_to() {
    let Some((directory, program)) = install_with(CAPABILITIES) else {
        return;
    };
    let path = directory.path().join("engine");
    let listener = UnixListener::bind(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let args = ["--container", "shop", "-c", "1"];
    let mut command = as_nobody(program.to_str().unwrap(), &args);
    command.env("DOCKER_HOST", format!("unix://{}", path.display()));
    let output = run_output(command.output().unwrap());
    let refused = format!("{}: Permission denied", path.display());
    output.assert_rejected(1, "--container", &refused);
    let error = listener.accept().expect_err("no connection");
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
}

/// `lcap doctor` searches the working directory of the process that has a port.
#[test]
fn doctor_reads_configuration_with_the_rights_of_the_caller() {
    let Some((directory, program)) = install_with(CAPABILITIES) else {
        return;
    };
    let project = directory.path().join("project");
    fs::create_dir(&project).unwrap();
    fs::set_permissions(&project, fs::Permissions::from_mode(0o755)).unwrap();
    let mut of_root = Command::new("sleep");
    of_root.arg("60").env("SECRET", "http://hunter2.example/");
    for (mut server, mode, is_expected) in [
        (as_nobody("sleep", &["60"]), 0o644, true),
        (as_nobody("sleep", &["60"]), 0o600, false),
        (of_root, 0o600, false),
    ] {
        let row = format!("{server:?}, mode {mode:o}");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let text = format!("SECRET_URL=http://hunter2.example:{port}/\n");
        write(&project.join(".env"), text.as_bytes(), mode);
        server.current_dir(&project);
        server.stdin(OwnedFd::from(listener));
        let mut process = server.spawn().unwrap();
        // Closes this process's copy of the socket.
        drop(server);
        let name = || fs::read_to_string(format!("/proc/{}/comm", process.id()));
        while name().unwrap() != "sleep\n" {
            std::thread::yield_now();
        }
        let args = ["doctor", "-v", &port];
        let output = as_nobody(program.to_str().unwrap(), &args)
            .output()
            .unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(stdout.contains("sleep["), "{row}: {stdout}");
        let is_shown = stdout.contains("hunter2");
        assert_eq!(is_shown, is_expected, "{row}: {stdout}");
    }
}
