//! The loopback of a container. There is no engine here: a control group is named as one names it, and a process in it has a network of its own.

use std::path::PathBuf;

use serde_json::Value;

use super::owners::names;
use super::session::{Session, skip};
use super::space::{beside, inside};
use super::traffic::{Port, V4};

/// A control group that is there until this is dropped.
struct Group(PathBuf);

impl Group {
    /// With this name and this process in it.
    fn with(name: &str, pid: u32) -> std::io::Result<Group> {
        let mounted = [
            "/sys/fs/cgroup/unified",
            "/sys/fs/cgroup/pids",
            "/sys/fs/cgroup",
        ];
        let mut made = Err(std::io::ErrorKind::NotFound.into());
        for place in mounted {
            let group = Group(PathBuf::from(place).join(name));
            made = std::fs::create_dir(&group.0)
                .and_then(|()| std::fs::write(group.0.join("cgroup.procs"), pid.to_string()))
                .map(|()| group);
            if made.is_ok() {
                break;
            }
        }
        made
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let procs = |place: &PathBuf| place.join("cgroup.procs");
        let inside = std::fs::read_to_string(procs(&self.0)).unwrap_or_default();
        // Only who is nowhere else keeps it.
        if let Some(outside) = self.0.parent().map(|parent| procs(&parent.to_owned())) {
            for pid in inside.lines() {
                let _ = std::fs::write(&outside, pid);
            }
        }
        let _ = std::fs::remove_dir(&self.0);
    }
}

#[test]
fn a_container_by_its_number() {
    beside(|keeper| {
        let own = u64::from(std::process::id());
        let number = format!("{:064x}", own << 24 | u64::from(keeper));
        let number: String = number.chars().rev().collect();
        let group = match Group::with(&format!("docker-{number}.scope"), keeper) {
            Ok(group) => group,
            Err(error) => return skip(&format!("no control group may be made: {error}")),
        };
        let digits = number[..12].to_owned();
        let words = ["flows", "--container", &digits, "--format", "json"];
        let session = Session::start(words);
        inside(keeper, || {
            Port::take().converse(V4);
            std::thread::sleep(std::time::Duration::from_millis(100));
        });
        let rows = session.interrupt().output;
        drop(group);
        assert_eq!(rows.len(), 1, "{rows:#?}");
        let row: Value = serde_json::from_str(&rows[0]).unwrap();
        assert!(names(&row["orig_process"], own), "{row}");
    });
}
