//! Reachability of the port from other machines: networks, firewall rules and container engines.

use super::facts::PortFacts;
use super::finding::{CheckName, Finding};
use super::nft_eval::{self, TracedRule};
use super::ports::{Reachability, reachability};
use crate::host::network::firewall::{Firewall, PacketEnd, RuleAction, RuleCondition};
use crate::host::proxies;
use crate::host::sockets::sock_diag::SocketInfo;

const CHECK: CheckName = CheckName("exposure");

pub(super) fn check(facts: &PortFacts) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    for finding in facts
        .port_listeners()
        .filter_map(|server| check_exposed(facts, server))
    {
        // Sockets that share an address produce the same finding.
        if !found.iter().any(|other| other.message == finding.message) {
            found.push(finding);
        }
    }
    if found.is_empty() && facts.port_listeners().next().is_some() {
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
    let interfaces = facts.interfaces.iter();
    for interface in interfaces.filter(|interface| interface.is_up && !interface.is_loopback) {
        let name = &interface.name;
        for (address, _) in &interface.addresses {
            if !server.can_receive_on(*address) {
                continue;
            }
            let result = match &facts.firewall {
                Firewall::Chains(chains) => {
                    describe_trace(&nft_eval::trace_inbound(chains, name, *address, server))
                }
                Firewall::Absent => {
                    "firewall rules unknown, because nft is not installed".to_owned()
                }
                _ => "the firewall rules could not be read".to_owned(),
            };
            finding = finding.with_evidence(format!("from {name} to {address}: {result}"));
        }
    }
    Some(finding.with_evidence(format!(
        "if it listened on 127.0.0.1:{port}, only this machine could reach it"
    )))
}

fn describe_trace(rules: &[TracedRule]) -> String {
    let blocks = |hit: &&TracedRule| hit.is_certain && hit.action != RuleAction::Accept;
    let certain = rules.iter().find(blocks);
    let has_uncertain = rules.iter().any(|hit| !hit.is_certain);
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
    let (mut found, rules) = (Vec::new(), dnat_rules(facts));
    let target_port = facts.target.port;
    for server in facts.server_processes.values() {
        let args = &server.process.details().command_line;
        let (pid, name) = (server.process.pid, server.process.name());
        let option = |name| proxies::option(args, name);
        if name.starts_with("docker-proxy")
            && let (Some(address), Some(port)) = (option("container-ip"), option("container-port"))
        {
            let host = option("host-ip").map_or("?", String::as_str);
            let message = format!(
                "Docker publishes the port: {host}:{target_port} is forwarded to {address}:{port} \
                 in a container"
            );
            let finding = CHECK
                .note("published", message)
                .with_evidence(format!("{name}[{pid}]: {}", args.join(" ")))
                .with_remedy(format!("docker ps --filter publish={target_port}"));
            found.push(finding.with_evidence_lines(rules.clone()));
        } else if ["rootlessport", "conmon", "slirp4netns", "pasta"]
            .iter()
            .any(|program| name.starts_with(program))
        {
            let message = format!("Podman publishes the port through {name}[{pid}]");
            found.push(
                CHECK
                    .note("published", message)
                    .with_evidence_lines(rules.clone()),
            );
        }
    }
    if found.is_empty() && !rules.is_empty() {
        let message = format!("a firewall rule forwards port {target_port} to another address");
        found.push(CHECK.note("published", message).with_evidence_lines(rules));
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
