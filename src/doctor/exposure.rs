//! Reachability of the port from other machines: networks, firewall rules and container engines.

use super::facts::PortFacts;
use super::finding::{CheckName, Finding};
use super::nft_eval::{self, FirewallTrace};
use super::ports::{Reachability, reachability};
use crate::host::network::firewall::{Firewall, PacketEnd, RuleAction, RuleCondition};
use crate::host::sockets::sock_diag::SocketInfo;

const CHECK: CheckName = CheckName("exposure");

pub(super) fn check(facts: &PortFacts) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    let servers: Vec<&SocketInfo> = facts.tcp_listeners().chain(facts.udp_listeners()).collect();
    for server in &servers {
        let finding = check_exposed(facts, server);
        // Sockets that share an address produce the same finding.
        if !found
            .iter()
            .any(|other| Some(&other.message) == finding.as_ref().map(|new| &new.message))
        {
            found.extend(finding);
        }
    }
    if found.is_empty() && !servers.is_empty() {
        found.push(CHECK.ok("this-machine-only", "only this machine can reach the port"));
    }
    found.extend(check_published(facts));
    found
}

fn check_exposed(facts: &PortFacts, server: &SocketInfo) -> Option<Finding> {
    let reach = reachability(server, &facts.interfaces);
    let Reachability::Networks(networks) = &reach else {
        return None;
    };
    let owner = facts.owner(server);
    let port = facts.target.port;
    if networks.is_empty() {
        let message = format!(
            "{owner} listens on {}: other machines can reach it once a network interface is up",
            server.local
        );
        return Some(
            CHECK
                .note("exposed", message)
                .with_evidence("no interface that receives packets for this address is up"),
        );
    }
    let message = format!(
        "{owner} listens on {}: other machines can reach it from {reach}",
        server.local
    );
    let mut finding = CHECK.note("exposed", message);
    let others = facts
        .interfaces
        .iter()
        .filter(|interface| interface.is_up && !interface.is_loopback);
    for interface in others {
        for (address, _) in &interface.addresses {
            if !server.can_receive_on(*address) {
                continue;
            }
            finding = finding.with_evidence(match &facts.firewall {
                Firewall::Chains(chains) => {
                    let trace = nft_eval::trace_inbound(chains, &interface.name, *address, server);
                    format!(
                        "from {} to {address}: {}",
                        interface.name,
                        describe_trace(&trace)
                    )
                }
                Firewall::Absent => format!(
                    "from {} to {address}: firewall rules unknown, because nft is not installed",
                    interface.name
                ),
                _ => format!(
                    "from {} to {address}: the firewall rules could not be read",
                    interface.name
                ),
            });
        }
    }
    Some(finding.with_evidence(format!(
        "if it listened on 127.0.0.1:{port}, only this machine could reach it"
    )))
}

fn describe_trace(trace: &FirewallTrace) -> String {
    let certain = trace
        .rules
        .iter()
        .find(|hit| hit.is_certain && hit.action != RuleAction::Accept);
    let has_uncertain = trace.rules.iter().any(|hit| !hit.is_certain);
    match certain {
        Some(hit) => format!("{} ({})", nft_eval::action_verb(&hit.action), hit.text),
        None if has_uncertain => {
            "rules that lcap cannot fully evaluate may block packets".to_owned()
        }
        None => "no firewall rule blocks packets".to_owned(),
    }
}

/// Reports a port that a container engine publishes through a proxy process or DNAT rules.
fn check_published(facts: &PortFacts) -> Vec<Finding> {
    let mut found = Vec::new();
    for server in facts.server_processes.values() {
        let args = &server.process.details().command_line;
        let (pid, name) = (server.process.pid, server.process.name());
        let option = |name: &str| {
            let at = args
                .iter()
                .position(|arg| arg.trim_start_matches('-') == name)?;
            args.get(at + 1)
        };
        if name.starts_with("docker-proxy")
            && let (Some(address), Some(port)) = (option("container-ip"), option("container-port"))
        {
            let host = option("host-ip").map_or("?", String::as_str);
            let message = format!(
                "Docker publishes the port: {host}:{} is forwarded to {address}:{port} in a \
                 container",
                facts.target.port
            );
            found.push(
                CHECK
                    .note("published", message)
                    .with_evidence(format!("{name}[{pid}]: {}", args.join(" ")))
                    .with_evidence_lines(dnat_rules(facts))
                    .with_remedy(format!("docker ps --filter publish={}", facts.target.port)),
            );
        } else if ["rootlessport", "conmon", "slirp4netns", "pasta"]
            .iter()
            .any(|program| name.starts_with(program))
        {
            let message = format!("Podman publishes the port through {name}[{pid}]");
            found.push(
                CHECK
                    .note("published", message)
                    .with_evidence_lines(dnat_rules(facts)),
            );
        }
    }
    if found.is_empty() {
        let lines = dnat_rules(facts);
        if !lines.is_empty() {
            let message = format!(
                "a firewall rule forwards port {} to another address",
                facts.target.port
            );
            found.push(CHECK.note("published", message).with_evidence_lines(lines));
        }
    }
    found
}

/// Returns the rules that forward the port to another address.
fn dnat_rules(facts: &PortFacts) -> Vec<String> {
    let Firewall::Chains(chains) = &facts.firewall else {
        return Vec::new();
    };
    let port = facts.target.port;
    let matches_port = |condition: &RuleCondition| match condition {
        RuleCondition::Port(PacketEnd::Destination, ranges) => ranges
            .iter()
            .any(|(first, last)| (*first..=*last).contains(&port)),
        _ => false,
    };
    let rules = chains.iter().flat_map(|chain| {
        let translates = chain.rules.iter().filter(|rule| {
            matches!(rule.action, RuleAction::Dnat(..)) && rule.conditions.iter().any(matches_port)
        });
        translates.map(move |rule| nft_eval::describe_rule(chain, rule))
    });
    rules.collect()
}
