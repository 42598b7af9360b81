//! Tests of the parsers for /proc, and of queries to live processes.

use super::*;

#[test]
fn comm_may_contain_spaces_and_parentheses() {
    let line = "4121 (a) R 1 (b c) S 4100 4121 4100 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 98765 0 0 \
                0 0 0 0 0 0 0 0 0 0 0 0 0 17 1 0 0";
    let identity = parse_stat(line.as_bytes(), 33).expect("a line");
    assert_eq!(
        (
            identity.pid,
            identity.parent,
            identity.start_time,
            identity.uid
        ),
        (4121, 4100, 98765, 33)
    );
    assert_eq!(identity.comm, "a) R 1 (b c");
    for len in 0..line.len() - 8 {
        assert!(parse_stat(&line.as_bytes()[..len], 33).is_none(), "{len}");
    }
    assert!(parse_stat(b")(", 33).is_none());
    let thread = line.replace(" 17 1 0 0", " -1 1 0 0");
    assert!(parse_stat(thread.as_bytes(), 33).is_none());
}

#[test]
fn thread_id_is_not_a_process() {
    let thread = std::thread::spawn(|| {
        let thread_id = rustix::thread::gettid().as_raw_nonzero().get() as u32;
        let handle = ProcHandle::new(thread_id).expect("this thread");
        handle.identity().is_ok() || is_process(thread_id)
    });
    assert!(!thread.join().expect("a result"));
}

#[test]
fn truncated_names_are_completed() {
    for (comm, exe, argument_0, full) in [
        ("node", Some("/usr/bin/nodejs"), "node", "node"),
        (
            "redis-benchmark",
            Some("/usr/bin/redis-benchmark"),
            "x",
            "redis-benchmark",
        ),
        (
            "a-very-long-nam",
            Some("/opt/a-very-long-name"),
            "x",
            "a-very-long-name",
        ),
        (
            "a-very-long-nam",
            Some("/opt/a-very-long-name (deleted)"),
            "x",
            "a-very-long-name",
        ),
        (
            "a-very-long-nam",
            Some("/usr/bin/python3.11"),
            "/opt/a-very-long-name.py",
            "a-very-long-name.py",
        ),
        (
            "has-another-nam",
            Some("/usr/bin/python3.11"),
            "x",
            "has-another-nam",
        ),
        ("hidden-program-", None, "", "hidden-program-"),
        // The kernel truncates names inside a character.
        (
            "an-uber-long-n%c3",
            Some("/opt/an-uber-long-nïve"),
            "",
            "an-uber-long-nïve",
        ),
    ] {
        assert_eq!(
            full_name(comm, exe.map(str::as_bytes), Some(argument_0.as_bytes())),
            full
        );
    }
}

#[test]
fn container_id_is_parsed_from_the_cgroup() {
    let id = "0123456789abcdef".repeat(4);
    for path in [
        format!("0::/system.slice/docker-{id}.scope"),
        format!("11:cpu:/docker/{id}\n0::/"),
        format!("0::/user.slice/libpod-{id}.scope/container"),
        format!("0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-{id}.scope"),
    ] {
        assert_eq!(parse_container_id(path.as_bytes()).as_deref(), Some(&*id));
    }
    for path in ["0::/user.slice/user-0.slice", "", "0::/docker-0123.scope"] {
        assert_eq!(parse_container_id(path.as_bytes()), None);
    }
}

mod live {
    use super::*;

    #[test]
    fn this_process_is_described() {
        let handle = ProcHandle::new(std::process::id()).expect("this process");
        let process = handle.identity().map(|identity| handle.describe(identity));
        let process = process.expect("a description");
        assert_eq!(process.pid, std::process::id());
        let exe = std::env::current_exe().expect("a path");
        assert_eq!(process.details().exe.as_deref(), exe.to_str());
        assert!(
            process
                .details()
                .command_line
                .first()
                .is_some_and(|first| first.contains("lcap"))
        );
        assert_eq!(process.uid, rustix::process::geteuid().as_raw());
        assert_eq!(
            handle.identity().expect("an identity").start_time,
            process.start_time
        );
        assert!(all_pids().contains(&process.pid));
    }

    #[test]
    fn handle_of_an_exited_process_returns_errors() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .expect("sleep");
        let handle = ProcHandle::new(child.id()).expect("a process");
        assert!(handle.identity().is_ok());
        child.kill().expect("a signal");
        child.wait().expect("an exit status");
        assert!(handle.identity().is_err());
        assert!(has_socket(&handle, 1).is_err());
    }

    #[test]
    fn open_sockets_are_listed() {
        use std::os::fd::AsRawFd;
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let link = std::fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd()));
        let link = link.expect("a link").to_string_lossy().into_owned();
        let inode: u32 = link["socket:[".len()..link.len() - 1]
            .parse()
            .expect("a number");
        let descriptor = socket.as_raw_fd() as u32;
        let handle = ProcHandle::new(std::process::id()).expect("this process");
        assert!(has_socket(&handle, inode).expect("descriptors"));
        assert_eq!(handle.socket_inode(descriptor), Some(inode));
        drop(socket);
        assert!(!has_socket(&handle, inode).expect("descriptors"));
        assert_ne!(handle.socket_inode(descriptor), Some(inode));
    }
}

fn has_socket(handle: &ProcHandle, expected: u32) -> io::Result<bool> {
    let mut is_found = false;
    handle.for_each_socket(|_, inode| {
        is_found |= inode == expected;
        ControlFlow::Continue(())
    })?;
    Ok(is_found)
}

#[test]
fn boot_time_offset_of_a_time_namespace_is_parsed() {
    let text = "monotonic           0         0\nboottime         3600       500\n";
    assert_eq!(parse_boot_time_offset(text), Some(3_600_000_000_500));
    let text = "boottime   -5  999999999\n";
    assert_eq!(parse_boot_time_offset(text), Some(-4_000_000_001));
    assert_eq!(parse_boot_time_offset("monotonic 1 2\n"), None);
}
