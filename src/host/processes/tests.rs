//! What /proc says, as it says it and as it might.

use super::*;

#[test]
fn names_may_be_anything() {
    let line = "4121 (a) R 1 (b c) S 4100 4121 4100 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 98765 0 0 \
                0 0 0 0 0 0 0 0 0 0 0 0 0 17 1 0 0";
    let known = identity(line.as_bytes(), 33).expect("a line");
    assert_eq!(
        (known.pid, known.parent, known.start_time, known.uid),
        (4121, 4100, 98765, 33)
    );
    assert_eq!(known.comm, "a) R 1 (b c");
    for len in 0..line.len() - 8 {
        assert!(identity(&line.as_bytes()[..len], 33).is_none(), "{len}");
    }
    assert!(identity(b")(", 33).is_none());
    let thread = line.replace(" 17 1 0 0", " -1 1 0 0");
    assert!(identity(thread.as_bytes(), 33).is_none());
}

#[test]
fn a_thread_is_no_process() {
    let thread = std::thread::spawn(|| {
        let own = rustix::thread::gettid().as_raw_nonzero().get() as u32;
        let held = Held::new(own).expect("this thread");
        held.identity().is_ok() || is_process(own)
    });
    assert!(!thread.join().expect("its answer"));
}

#[test]
fn cut_names_are_made_whole() {
    for (name, exe, first, whole) in [
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
            "called-otherwis",
            Some("/usr/bin/python3.11"),
            "x",
            "called-otherwis",
        ),
        ("not-to-be-seen-", None, "", "not-to-be-seen-"),
    ] {
        assert_eq!(whole_name(name, exe, &[first.to_owned()]), whole);
    }
}

#[test]
fn containers_are_named_by_their_control_group() {
    let number = "0123456789abcdef".repeat(4);
    for path in [
        format!("0::/system.slice/docker-{number}.scope"),
        format!("11:cpu:/docker/{number}\n0::/"),
        format!("0::/user.slice/libpod-{number}.scope/container"),
        format!("0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-{number}.scope"),
    ] {
        assert_eq!(container(path.as_bytes()).as_deref(), Some(&*number));
    }
    for path in ["0::/user.slice/user-0.slice", "", "0::/docker-0123.scope"] {
        assert_eq!(container(path.as_bytes()), None);
    }
}

mod live {
    use super::*;

    #[test]
    fn this_process_is_described() {
        let held = Held::new(std::process::id()).expect("this process");
        let own = held.describe().expect("it");
        assert_eq!(own.pid, std::process::id());
        let exe = std::env::current_exe().expect("a path");
        assert_eq!(own.more().exe.as_deref(), exe.to_str());
        assert!(
            own.more()
                .command_line
                .first()
                .is_some_and(|first| first.contains("lcap"))
        );
        assert_eq!(own.uid, rustix::process::geteuid().as_raw());
        assert_eq!(held.identity().expect("it").start_time, own.start_time);
        assert!(all().contains(&own.pid));
    }

    #[test]
    fn a_process_that_has_ended_is_no_other() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .expect("sleep");
        let held = Held::new(child.id()).expect("it");
        assert!(held.describe().is_ok());
        child.kill().expect("killed");
        child.wait().expect("gone");
        assert!(held.describe().is_err());
        assert!(has_socket(&held, 1).is_err());
    }

    #[test]
    fn sockets_are_seen() {
        use std::os::fd::AsRawFd;
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let link = std::fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd()));
        let link = link.expect("a link").to_string_lossy().into_owned();
        let inode: u32 = link["socket:[".len()..link.len() - 1]
            .parse()
            .expect("a number");
        let descriptor = socket.as_raw_fd() as u32;
        let held = Held::new(std::process::id()).expect("this process");
        assert!(has_socket(&held, inode).expect("it"));
        assert_eq!(held.socket_at(descriptor), Some(inode));
        drop(socket);
        assert!(!has_socket(&held, inode).expect("it"));
        assert_ne!(held.socket_at(descriptor), Some(inode));
    }
}

fn has_socket(held: &Held, wanted: u32) -> io::Result<bool> {
    let mut has = false;
    held.each_socket(|_, inode| {
        has |= inode == wanted;
        std::ops::ControlFlow::Continue(())
    })?;
    Ok(has)
}
