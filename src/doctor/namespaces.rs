//! Listeners in other network namespaces, each of which has a separate loopback
//! (network_namespaces(7)).

use super::facts::PortFacts;
use super::finding::{CheckName, Finding};
use crate::error::{count_noun, shell_quote};
use crate::packet::UDP;
use crate::process::{Evidence, Owner};

const CHECK: CheckName = CheckName("namespaces");

pub(super) fn check(facts: &PortFacts) -> Vec<Finding> {
    let others = &facts.other_netns;
    let is_here = facts.tcp_listeners().next().is_some() || facts.is_reachable();
    let port = facts.target.port;
    if let Some(first) = others.listeners.first() {
        let lines = others.listeners.iter().map(|socket| {
            let owner = Owner {
                processes: socket.processes.clone(),
                ..Owner::unknown(Evidence::Gone, None)
            };
            let proto = if socket.proto == UDP { "UDP" } else { "TCP" };
            let name = socket
                .namespace_name
                .as_deref()
                .map(|name| format!(" ({name})"));
            let pid = socket
                .processes
                .first()
                .map_or(socket.namespace_pid, |process| process.pid);
            let endpoint = socket.local;
            let name = name.unwrap_or_default();
            format!(
                "{owner} listens on {endpoint} ({proto}) in the network namespace of process \
                 {pid}{name}"
            )
        });
        let message = format!(
            "a process listens on port {port} in another network namespace, which has a separate \
             loopback"
        );
        let finding = match is_here {
            true => CHECK.note("other-namespace", message),
            false => CHECK.problem("other-namespace", message),
        };
        let pid = first
            .processes
            .first()
            .map_or(first.namespace_pid, |process| process.pid);
        return vec![finding.with_evidence_lines(lines).with_remedy(format!(
            "sudo nsenter --net=/proc/{pid}/ns/net lcap doctor {port}"
        ))];
    }
    let hidden = others.hidden_processes;
    if hidden > 0 && !is_here {
        let message = format!(
            "could not read the network namespace of {}: a server there cannot be ruled out",
            count_noun(hidden, "process")
        );
        let finding = CHECK.unknown("namespaces-hidden", message);
        return vec![match facts.euid {
            0 => finding,
            _ => finding.with_remedy(format!(
                "sudo lcap doctor {}",
                shell_quote(&facts.target.to_string())
            )),
        }];
    }
    Vec::new()
}
