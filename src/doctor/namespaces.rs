//! Whether the port listens in another network namespace: each has a loopback of its own (network_namespaces(7)).

use super::facts::Facts;
use super::finding::{Check, Finding, shell_word};
use crate::owners::{How, Owner};
use crate::packet::UDP;

const CHECK: Check = Check("namespaces");

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let elsewhere = &facts.elsewhere;
    let is_here = facts.servers().next().is_some() || facts.is_accepted();
    let port = facts.target.port;
    if let Some(first) = elsewhere.sockets.first() {
        let lines = elsewhere.sockets.iter().map(|socket| {
            let owner = Owner {
                processes: socket.processes.clone(),
                ..Owner::unknown(How::Gone, None)
            };
            let proto = if socket.proto == UDP { "UDP" } else { "TCP" };
            let name = socket
                .name
                .as_deref()
                .map(|name| format!(", which is called {name}"));
            let pid = socket.processes.first().map_or(socket.pid, |own| own.pid);
            let end = socket.local;
            let name = name.unwrap_or_default();
            format!("{owner} listens on {end}, {proto}, in the namespace of process {pid}{name}")
        });
        let what = format!(
            "port {port} listens in another network namespace, which has a loopback of its own"
        );
        let found = match is_here {
            true => CHECK.note("other-namespace", what),
            false => CHECK.problem("other-namespace", what),
        };
        let pid = first.processes.first().map_or(first.pid, |own| own.pid);
        return vec![found.because_of(lines).mended_by(format!(
            "sudo nsenter --net=/proc/{pid}/ns/net lcap doctor {port}"
        ))];
    }
    let hidden = elsewhere.hidden;
    if hidden > 0 && !is_here {
        let what =
            format!("it may not be seen in which network namespaces {hidden} of the processes are");
        let found = CHECK.unknown("namespaces-hidden", what);
        return vec![match facts.euid {
            0 => found,
            _ => found.mended_by(format!(
                "sudo lcap doctor {}",
                shell_word(&facts.target.to_string())
            )),
        }];
    }
    Vec::new()
}
