//! Facts about who listens that somebody may want to know. None of them is an accusation.

use super::facts::{Facts, Server};
use super::finding::{Check, Finding, shell_word};
use crate::packet::TCP;

const CHECK: Check = Check("safety");
/// Who takes the children of those who ended.
const INIT: u32 = 1;

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let own = facts.servers().chain(facts.datagrams());
    let mut pids: Vec<u32> = own.flat_map(|socket| facts.pids(socket)).collect();
    pids.sort_unstable();
    pids.dedup();
    let servers: Vec<&Server> = pids
        .iter()
        .filter_map(|pid| facts.servers.get(pid))
        .collect();
    let mut found: Vec<Finding> = Vec::new();
    for server in servers {
        let seen = [
            deleted(server),
            writable(server),
            other_user(facts, server),
            parent(server, &pids),
        ];
        for seen in seen.into_iter().flatten() {
            // Of many processes of one program, once.
            if !found.iter().any(|other| other.code == seen.code) {
                found.push(seen);
            }
        }
    }
    found.extend(other_uid(facts));
    found
}

fn name(server: &Server) -> String {
    format!("{}[{}]", server.process.name(), server.process.pid)
}

fn deleted(server: &Server) -> Option<Finding> {
    server
        .details
        .program
        .filter(|program| program.is_deleted)?;
    let name = name(server);
    let what = format!(
        "the program of {name} was deleted or replaced after it started: it runs the old one"
    );
    let path = server.process.more().exe.as_deref().unwrap_or("?");
    let found = CHECK.note("deleted-program", what);
    let found = found.because(format!("/proc/{}/exe is {path}", server.process.pid));
    Some(match &server.details.unit {
        Some(unit) => found.mended_by(format!("sudo systemctl restart {}", shell_word(unit))),
        None => found.because("what is there now runs when it is started again"),
    })
}

fn writable(server: &Server) -> Option<Finding> {
    let program = server.details.program?;
    let path = server.process.more().exe.as_deref().unwrap_or("?");
    program.is_world_writable.then(|| {
        let what = format!("everybody may write to the program of {}", name(server));
        CHECK
            .note("writable-program", what)
            .because(path.to_owned())
            .mended_by(format!("chmod o-w {}", shell_word(path)))
    })
}

fn other_user(facts: &Facts, server: &Server) -> Option<Finding> {
    let uid = server.process.uid;
    // To root everybody is another.
    (uid != facts.person && facts.person != 0).then(|| {
        let what = format!(
            "{} runs as {}, another user than you",
            name(server),
            server.user
        );
        CHECK.note("other-user", what)
    })
}

/// Sockets of others whose processes may not be seen.
fn other_uid(facts: &Facts) -> Option<Finding> {
    let hidden = facts.servers().find(|socket| {
        socket.proto == TCP
            && facts.pids(socket).is_empty()
            && socket.uid != facts.person
            && facts.person != 0
    })?;
    let what = format!(
        "who listens on {} is uid {}, another user than you",
        hidden.local, hidden.uid
    );
    Some(CHECK.note("other-user", what))
}

fn parent(server: &Server, pids: &[u32]) -> Option<Finding> {
    let parent = server.parent.as_ref()?;
    let own = name(server);
    // Of several processes that share the port one began the others.
    if pids.contains(&parent.pid) {
        return None;
    }
    let begun = format!("{}[{}]", parent.name(), parent.pid);
    if parent.pid == INIT
        && server.details.unit.is_none()
        && server.process.more().container.is_none()
    {
        let what = format!("{own} is a child of {begun} and of no unit: who began it has ended");
        return Some(CHECK.note("orphan", what));
    }
    Some(CHECK.ok("begun-by", format!("{own} was begun by {begun}")))
}
