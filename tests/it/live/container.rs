//! Loopback of a container.
//!
//! No container engine is required: the tests create a control group named like that of a
//! container, and add a process with its own network namespace.

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;

use super::attribution::has_pid;
use super::netns::{run_in_netns, with_new_netns};
use super::session::{LCAP, Session, skip};
use super::traffic::{ReservedPort, V4};

/// Control group that is removed when this is dropped.
struct ControlGroup(PathBuf);

impl ControlGroup {
    /// Creates a control group with this name, containing this process.
    fn create_with(name: &str, pid: u32) -> std::io::Result<ControlGroup> {
        let mount_points = [
            "/sys/fs/cgroup/unified",
            "/sys/fs/cgroup/pids",
            "/sys/fs/cgroup",
        ];
        let mut created = Err(std::io::ErrorKind::NotFound.into());
        for mount_point in mount_points {
            let group = ControlGroup(PathBuf::from(mount_point).join(name));
            created = std::fs::create_dir(&group.0)
                .and_then(|()| std::fs::write(group.0.join("cgroup.procs"), pid.to_string()))
                .map(|()| group);
            if created.is_ok() {
                break;
            }
        }
        created
    }
}

impl Drop for ControlGroup {
    fn drop(&mut self) {
        let procs = |group: &PathBuf| group.join("cgroup.procs");
        let members = std::fs::read_to_string(procs(&self.0)).unwrap_or_default();
        // A group with a process cannot be removed: its processes move to the parent group.
        if let Some(parent_procs) = self.0.parent().map(|parent| procs(&parent.to_owned())) {
            for pid in members.lines() {
                let _ = std::fs::write(&parent_procs, pid);
            }
        }
        let _ = std::fs::remove_dir(&self.0);
    }
}

/// Makes a process look like one in a container; returns the container's ID.
fn create_container(pid: u32) -> std::io::Result<(String, ControlGroup)> {
    static COUNT: AtomicU64 = AtomicU64::new(1);
    let unique = COUNT.fetch_add(1, Ordering::Relaxed) << 48 | u64::from(std::process::id()) << 24;
    let id: String = format!("{:064x}", unique | u64::from(pid))
        .chars()
        .rev()
        .collect();
    let group = ControlGroup::create_with(&format!("docker-{id}.scope"), pid)?;
    Ok((id, group))
}

/// Asserts that a session captures the flow of this process in the namespace of `keeper`.
fn assert_captures_in(keeper: u32, session: Session) {
    run_in_netns(keeper, || {
        ReservedPort::reserve().exchange(V4);
        std::thread::sleep(std::time::Duration::from_millis(100));
    });
    let rows = session.interrupt().output;
    assert_eq!(rows.len(), 1, "{rows:#?}");
    let row: Value = serde_json::from_str(&rows[0]).unwrap();
    let own_pid = u64::from(std::process::id());
    assert!(has_pid(&row["orig_process"], own_pid), "{row}");
}

#[test]
fn container_is_selected_by_its_id() {
    with_new_netns(|keeper| {
        let (id, group) = match create_container(keeper) {
            Ok(container) => container,
            Err(error) => return skip(&format!("a control group cannot be created: {error}")),
        };
        let args = ["flows", "--container", &id[..12], "--format", "json"];
        assert_captures_in(keeper, Session::start(args));
        drop(group);
    });
}

/// Answers this number of queries as an engine does that has one container.
fn answer_queries(engine: &UnixListener, count: usize, name: &str, id: &str) {
    for _ in 0..count {
        let (mut stream, _) = engine.accept().unwrap();
        let mut request = vec![0; 4096];
        let len = stream.read(&mut request).unwrap();
        let expected = format!("GET /containers/{name}/json HTTP/1.1\r\n");
        let answer = match request[..len].starts_with(expected.as_bytes()) {
            true => format!("HTTP/1.1 200 OK\r\n\r\n{{\"Id\": \"{id}\"}}"),
            false => "HTTP/1.1 404 Not Found\r\n\r\n{}".to_owned(),
        };
        stream.write_all(answer.as_bytes()).unwrap();
    }
}

#[test]
fn container_is_selected_by_the_name_that_its_engine_has() {
    with_new_netns(|keeper| {
        let (id, group) = match create_container(keeper) {
            Ok(container) => container,
            Err(error) => return skip(&format!("a control group cannot be created: {error}")),
        };
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("engine.sock");
        let engine = UnixListener::bind(&socket).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| answer_queries(&engine, 2, "the%20shop", &id));
            let lcap = |name: &str| {
                let mut command = Command::new(LCAP);
                command.args(["flows", "--format", "json", "--container", name]);
                command.env("DOCKER_HOST", format!("unix://{}", socket.display()));
                command
            };
            assert_captures_in(keeper, Session::spawn(lcap("the shop")));

            let output = lcap("no-such").output().unwrap();
            let stderr = String::from_utf8(output.stderr).unwrap();
            let engine_result = format!("{}: no such container; ", socket.display());
            for part in [
                "no running container \"no-such\" found: ",
                &engine_result,
                "; /run/podman/podman.sock: ",
                "; /var/lib/docker/containers: ",
            ] {
                assert!(stderr.contains(part), "{stderr}");
            }
            assert_eq!(output.status.code(), Some(1));
        });
        drop(group);
    });
}
