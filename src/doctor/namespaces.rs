//! Listeners in other network namespaces, each of which has a separate loopback
//! (network_namespaces(7)).

use super::facts::PortFacts;
use super::finding::{CheckName, Finding, Severity};
use crate::error::count_noun;
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
                .as_ref()
                .map(|name| format!(" ({name})"));
            format!(
                "{owner} listens on {} ({proto}) in the network namespace of process {}{}",
                socket.local,
                socket.pid(),
                name.unwrap_or_default()
            )
        });
        let message = format!(
            "a process listens on port {port} in another network namespace, which has a separate \
             loopback"
        );
        let severity = Severity::problem_unless(is_here);
        let finding = CHECK.finding(severity, "other-namespace", message);
        return vec![finding.with_evidence_lines(lines).with_remedy(format!(
            "sudo nsenter --net=/proc/{}/ns/net lcap doctor {port}",
            first.pid()
        ))];
    }
    let hidden = others.hidden_processes;
    if hidden > 0 && !is_here {
        let message = format!(
            "could not read the network namespace of {}: a server there cannot be ruled out",
            count_noun(hidden, "process")
        );
        let finding = CHECK.unknown("namespaces-hidden", message);
        return vec![finding.with_remedy_if(facts.euid != 0, facts.command_as_root())];
    }
    Vec::new()
}
