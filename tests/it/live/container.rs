//! Loopback of a container.
//!
//! No container engine is required: the test creates a control group named like that of a
//! container, and adds a process with its own network namespace.

use std::path::PathBuf;

use serde_json::Value;

use super::attribution::has_pid;
use super::netns::{run_in_netns, with_new_netns};
use super::session::{Session, skip};
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

#[test]
fn container_is_selected_by_its_id() {
    with_new_netns(|keeper| {
        let own_pid = u64::from(std::process::id());
        let id = format!("{:064x}", own_pid << 24 | u64::from(keeper));
        let id: String = id.chars().rev().collect();
        let group = match ControlGroup::create_with(&format!("docker-{id}.scope"), keeper) {
            Ok(group) => group,
            Err(error) => return skip(&format!("a control group cannot be created: {error}")),
        };
        let short_id = id[..12].to_owned();
        let args = ["flows", "--container", &short_id, "--format", "json"];
        let session = Session::start(args);
        run_in_netns(keeper, || {
            ReservedPort::reserve().exchange(V4);
            std::thread::sleep(std::time::Duration::from_millis(100));
        });
        let rows = session.interrupt().output;
        drop(group);
        assert_eq!(rows.len(), 1, "{rows:#?}");
        let row: Value = serde_json::from_str(&rows[0]).unwrap();
        assert!(has_pid(&row["orig_process"], own_pid), "{row}");
    });
}
