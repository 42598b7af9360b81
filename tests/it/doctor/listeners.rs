//! Somebody listens, or nobody does.

use super::parts::{self, Part};
use super::room::Room;
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;

#[test]
fn nothing_listens() {
    let Some(room) = Room::new() else { return };
    let alike = room.part("127.0.0.1:62892");
    let said = room.doctor(&["127.0.0.1:62893"]);
    said.is(
        "problem",
        "nothing-listens",
        &["nothing listens on port 62893"],
    )
    .finds("problem", "refused", &["a reset came back"])
    .tells_of(&alike, "127.0.0.1:62892");
}

#[test]
fn all_is_well() {
    let Some(room) = Room::new() else { return };
    let server = room.part("127.0.0.1:62893");
    room.inside(|| {
        let range = "/proc/sys/net/ipv4/ip_local_port_range";
        std::fs::write(range, "50000 65000").unwrap();
    });
    for words in ["62893", "127.0.0.1:62893", "http://localhost:62893/x"] {
        let said = room.doctor(&[words]);
        said.is("healthy", "accepted", &[&server.shown()])
            .finds("ok", "listens", &["command line of", "works in", "since"])
            .finds("ok", "this-machine-only", &[])
            .finds("ok", "in-use", &["the next free one is 62894"])
            .finds("ok", "port-class", &["a dynamic port"])
            .finds("note", "ephemeral-port", &[])
            .is_without("nothing-listens");
        assert!(said.json["milliseconds"].is_number());
    }
}

#[test]
fn only_udp() {
    let Some(room) = Room::new() else { return };
    let _socket = room.inside(|| UdpSocket::bind(("127.0.0.1", room.port)).unwrap());
    room.doctor(&["62893"])
        .is("problem", "udp-only", &["only UDP"])
        .finds("ok", "listens", &["UDP"]);
}

#[test]
fn in_another_namespace() {
    let (Some(here), Some(there)) = (Room::new(), Room::new()) else {
        return;
    };
    let end = here.own("127.0.0.1:62893");
    let server = there.inside(|| Part::start(parts::process(&end)));
    here.doctor(&["62893"])
        .is(
            "problem",
            "other-namespace",
            &["sudo nsenter --net=", "lcap doctor 62893"],
        )
        .finds("problem", "nothing-listens", &[])
        .tells_of(&server, "127.0.0.1:62893");
}

#[test]
fn the_program_was_deleted() {
    let Some(room) = Room::new() else { return };
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("server");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let everybody = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(&program, everybody).unwrap();
    let server = room.inside(|| Part::start(parts::of(&program, &room.own("127.0.0.1:62893"))));
    let said = room.doctor(&["62893"]);
    said.is_without("deleted-program")
        .finds("note", "writable-program", &["chmod o-w"]);
    std::fs::remove_file(&program).unwrap();
    let said = room.doctor(&["62893"]);
    said.is("healthy", "accepted", &[])
        .finds("note", "deleted-program", &["(deleted)"]);
    said.tells(&[&format!("/proc/{}/exe is", server.pid())]);
}

#[test]
fn who_is_stopped_accepts_nobody() {
    let Some(room) = Room::new() else { return };
    let server = room.part("127.0.0.1:62893");
    let pid = rustix::process::Pid::from_child(&server.0);
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
    let remedy = format!("kill -CONT {}", server.pid());
    room.doctor(&["62893"])
        .is("problem", "stopped", &[&remedy])
        .finds("problem", "never-accepts", &[]);
}

#[test]
fn files_name_another_port() {
    let Some(room) = Room::new() else { return };
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(
        directory.path().join(".env"),
        room.own("# a comment\nPORT=62894\n"),
    )
    .unwrap();
    let begin = || {
        let mut command = parts::process(&room.own("127.0.0.1:62893"));
        command.current_dir(directory.path());
        Part::start(command)
    };
    let _server = room.inside(begin);
    room.doctor(&["62893"])
        .is("healthy", "accepted", &[])
        .finds("note", "other-port-named", &["/.env:2: PORT=62894"]);
    // And who believes the file finds out.
    room.doctor(&["62894"])
        .is(
            "problem",
            "nothing-listens",
            &["127.0.0.1:62893, a port that looks like it"],
        )
        .finds("note", "named", &["/.env:2: PORT=62894"]);
    std::fs::write(
        directory.path().join("app.toml"),
        room.own("port = 62893\n"),
    )
    .unwrap();
    room.doctor(&["62893"])
        .is_without("other-port-named")
        .finds("ok", "named", &[]);
}

#[test]
fn names_of_processes_are_no_commands_of_terminals() {
    let Some(room) = Room::new() else { return };
    let directory = tempfile::tempdir().unwrap();
    let odd = directory.path().join("\u{1b}[31m\u{9b}\nok red");
    std::fs::copy(std::env::current_exe().unwrap(), &odd).unwrap();
    let _server = room.inside(|| Part::start(parts::of(&odd, &room.own("127.0.0.1:62893"))));
    let said = room.doctor(&["62893"]);
    said.is("healthy", "accepted", &["red"]);
    assert!(!said.text.contains("\nok red"), "{}", said.text);
    let is_plain = |text: &str| text.chars().all(|c| c == '\n' || !c.is_control());
    assert!(is_plain(&said.text), "{:?}", said.text);
    let json = room.command(crate::live::session::LCAP);
    let json = { json }
        .args(["doctor", "62893", "--format=json"])
        .output()
        .unwrap();
    assert!(is_plain(&String::from_utf8(json.stdout).unwrap()));
}

impl super::room::Said {
    /// The text has this process, and what it is said to have, in one line.
    #[track_caller]
    fn tells_of(&self, part: &Part, words: &str) {
        self.tells(&[words]);
        let shown = part.shown();
        let mut lines = self.text.lines();
        let found = lines.any(|line| line.contains(&shown) && line.contains("listens on"));
        assert!(found, "{shown}: {}", self.text);
    }
}
