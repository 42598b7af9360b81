//! Properties of the listening process that matter for security but are not faults.

use super::facts::{PortFacts, ServerProcess};
use super::finding::{CheckName, Finding};
use crate::error::shell_quote;
use crate::packet::TCP;

const CHECK: CheckName = CheckName("safety");
/// PID of init, which adopts the children of exited processes.
const INIT_PID: u32 = 1;

pub(super) fn check(facts: &PortFacts) -> Vec<Finding> {
    let listeners = facts.port_listeners();
    let mut pids: Vec<u32> = listeners.flat_map(|socket| facts.pids(socket)).collect();
    pids.sort_unstable();
    pids.dedup();
    let mut found: Vec<Finding> = Vec::new();
    for server in pids
        .iter()
        .filter_map(|pid| facts.server_processes.get(pid))
    {
        let findings = [
            check_deleted_program(server),
            check_writable_program(server),
            check_other_user(facts, server),
            check_parent(server, &pids),
        ];
        for finding in findings.into_iter().flatten() {
            // A server with many processes is reported once.
            if !found.iter().any(|other| other.code == finding.code) {
                found.push(finding);
            }
        }
    }
    found.extend(check_hidden_other_user(facts));
    found
}

fn check_deleted_program(server: &ServerProcess) -> Option<Finding> {
    server
        .details
        .executable
        .filter(|program| program.is_deleted)?;
    let name = &server.process;
    let message = format!(
        "the program file of {name} was deleted or replaced: the process still runs the old program"
    );
    let path = server.process.details().exe.as_deref().unwrap_or("?");
    let finding = CHECK.note("deleted-program", message);
    let finding = finding.with_evidence(format!("/proc/{}/exe is {path}", server.process.pid));
    Some(match &server.details.systemd_unit {
        Some(unit) => finding.with_remedy(format!("sudo systemctl restart {}", shell_quote(unit))),
        None => finding.with_evidence("the process runs the current file only after a restart"),
    })
}

fn check_writable_program(server: &ServerProcess) -> Option<Finding> {
    let program = server.details.executable?;
    let path = server.process.details().exe.as_deref().unwrap_or("?");
    program.is_world_writable.then(|| {
        let message = format!(
            "every user can write to the program file of {}",
            server.process
        );
        CHECK
            .note("writable-program", message)
            .with_evidence(path.to_owned())
            .with_remedy(format!("chmod o-w {}", shell_quote(path)))
    })
}

fn check_other_user(facts: &PortFacts, server: &ServerProcess) -> Option<Finding> {
    let uid = server.process.uid;
    // For root, this would report the servers of all other users.
    (uid != facts.invoking_uid && facts.invoking_uid != 0).then(|| {
        let message = format!("{} runs as another user ({})", server.process, server.user);
        CHECK.note("other-user", message)
    })
}

/// Reports a socket of another user whose process cannot be inspected.
fn check_hidden_other_user(facts: &PortFacts) -> Option<Finding> {
    let hidden = facts.tcp_listeners().find(|socket| {
        socket.proto == TCP
            && facts.pids(socket).is_empty()
            && socket.uid != facts.invoking_uid
            && facts.invoking_uid != 0
    })?;
    let message = format!(
        "the server on {} runs as another user (uid {})",
        hidden.local, hidden.uid
    );
    Some(CHECK.note("other-user", message))
}

fn check_parent(server: &ServerProcess, pids: &[u32]) -> Option<Finding> {
    let parent = server.parent.as_ref()?;
    let label = &server.process;
    // Worker processes share the port with their parent.
    if pids.contains(&parent.pid) {
        return None;
    }
    if parent.pid == INIT_PID
        && server.details.systemd_unit.is_none()
        && server.process.details().container.is_none()
    {
        let message = format!(
            "{label}: its parent has exited (now a child of PID {}; no systemd unit)",
            parent.pid
        );
        return Some(CHECK.note("orphan", message));
    }
    let message = format!("{label} was started by {parent}");
    Some(CHECK.ok("begun-by", message))
}
