//! Evaluation of nftables chains (nft(8)) for a packet. The result of an unsupported condition is
//! unknown.

use crate::error::shell_quote;
use crate::host::network::firewall::{Chain, Hook, PacketEnd, Rule, RuleAction, RuleCondition};
use crate::host::sockets::sock_diag::SocketInfo;
use crate::packet::UDP;
use std::net::IpAddr;

/// A rule that matches a packet, or may match it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TracedRule {
    /// The table, the chain and the rule.
    pub(super) text: String,
    pub(super) action: RuleAction,
    /// True if all conditions are certain to match.
    pub(super) is_certain: bool,
    /// The command that removes the rule; for a drop policy, the command that adds an exception.
    pub(super) removal_command: String,
}

/// The first packet of a connection.
#[derive(Debug, Clone)]
struct FirstPacket<'a> {
    proto: &'static str,
    src: Option<IpAddr>,
    dst: IpAddr,
    dst_port: u16,
    /// The input interface and the output interface.
    interfaces: [Option<&'a str>; 2],
}

/// Maximum depth of nested jumps, the same as in the kernel (`NFT_JUMP_STACK_SIZE`).
const MAX_JUMP_DEPTH: usize = 16;

/// Traces a TCP connection of this machine to itself: out on the loopback and in again. Returns the
/// rules that match the packet, or may match it.
pub(super) fn trace_loopback(chains: &[Chain], lo: &str, to: IpAddr, port: u16) -> Vec<TracedRule> {
    let mut packet = FirstPacket {
        proto: "tcp",
        // The kernel selects the destination address as the source of a local connection.
        src: Some(to),
        dst: to,
        dst_port: port,
        interfaces: [None, Some(lo)],
    };
    let mut trace = Vec::new();
    if traverse_hook(chains, "output", &mut packet, &mut trace) {
        // The loopback returns the packet as an incoming packet.
        packet.interfaces = [Some(lo), None];
        traverse_input(chains, &mut packet, &mut trace);
    }
    trace
}

/// Traces a connection from another machine that arrives on an interface.
pub(super) fn trace_inbound(
    chains: &[Chain],
    interface: &str,
    to: IpAddr,
    server: &SocketInfo,
) -> Vec<TracedRule> {
    let mut packet = FirstPacket {
        proto: if server.proto == UDP { "udp" } else { "tcp" },
        src: None,
        dst: to,
        dst_port: server.local.port(),
        interfaces: [Some(interface), None],
    };
    let mut trace = Vec::new();
    traverse_input(chains, &mut packet, &mut trace);
    trace
}

fn traverse_input(chains: &[Chain], packet: &mut FirstPacket, trace: &mut Vec<TracedRule>) {
    let _ = traverse_hook(chains, "prerouting", packet, trace)
        && traverse_hook(chains, "input", packet, trace);
}

/// Returns the past participle of an action.
pub(super) fn action_verb(action: &RuleAction) -> &'static str {
    match action {
        RuleAction::Accept => "accepted",
        RuleAction::Drop => "dropped",
        RuleAction::Reject => "rejected",
        RuleAction::Redirect(_) | RuleAction::Dnat(..) => "redirected",
        _ => "matched",
    }
}

/// Returns the table, the chain and the rule, with its handle.
pub(super) fn describe_rule(chain: &Chain, rule: &Rule) -> String {
    format!(
        "{}: {} # handle {}",
        chain_name(chain),
        rule.text,
        rule.handle
    )
}

/// Returns the family, the table and the name of a chain.
fn chain_name(chain: &Chain) -> String {
    format!("{} {} {}", chain.family, chain.table, chain.name)
}

/// Returns the name of a chain as arguments of nft.
fn chain_args(chain: &Chain) -> String {
    let (table, name) = (shell_quote(&chain.table), shell_quote(&chain.name));
    format!("{} {table} {name}", chain.family)
}

/// Passes the packet through the base chains of a hook. Returns false if a chain drops or rejects
/// the packet.
fn traverse_hook(
    chains: &[Chain],
    hook: &str,
    packet: &mut FirstPacket,
    trace: &mut Vec<TracedRule>,
) -> bool {
    let base_chains = chains.iter().filter_map(|chain| {
        let base = chain.hook.as_ref().filter(|base| base.name == hook)?;
        is_of_family(chain, packet.dst).then_some((chain, base))
    });
    let mut base_chains: Vec<(&Chain, &Hook)> = base_chains.collect();
    base_chains.sort_by_key(|(_, base)| base.priority);
    for (chain, base) in base_chains {
        // The addresses of a connection are translated only once. For a local connection, this
        // happens in the output hook.
        let is_translated = base.kind == "nat" && hook == "prerouting" && packet.src.is_some();
        if is_translated || base.kind == "nat" && hook == "input" {
            continue;
        }
        match evaluate_chain(chain, chains, packet, trace, MAX_JUMP_DEPTH) {
            Some(RuleAction::Drop | RuleAction::Reject) => return false,
            Some(RuleAction::Redirect(port) | RuleAction::Dnat(_, port)) => {
                packet.dst_port = port.unwrap_or(packet.dst_port);
            }
            None if base.drops_by_default => {
                trace.push(TracedRule {
                    text: format!(
                        "{}: policy drop, and no rule accepts the packet",
                        chain_name(chain)
                    ),
                    action: RuleAction::Drop,
                    is_certain: trace.iter().all(|hit| hit.is_certain),
                    removal_command: format!(
                        "sudo nft insert rule {} iifname lo accept",
                        chain_args(chain)
                    ),
                });
                return false;
            }
            _ => {}
        }
    }
    true
}

/// Evaluates a chain and returns its terminating action, if any.
fn evaluate_chain(
    chain: &Chain,
    chains: &[Chain],
    packet: &FirstPacket,
    trace: &mut Vec<TracedRule>,
    depth: usize,
) -> Option<RuleAction> {
    for rule in &chain.rules {
        let matched = match_all(&rule.conditions, packet);
        let hit = |is_certain| TracedRule {
            text: describe_rule(chain, rule),
            action: rule.action.clone(),
            is_certain,
            removal_command: format!(
                "sudo nft delete rule {} handle {}",
                chain_args(chain),
                rule.handle
            ),
        };
        match (matched, &rule.action) {
            (Some(false), _) | (_, RuleAction::Continue) | (None, RuleAction::Return) => {}
            (Some(true), RuleAction::Return) => return None,
            (_, RuleAction::Jump(name) | RuleAction::Goto(name)) => {
                let called = chains.iter().find(|other| {
                    (&other.family, &other.table, &other.name)
                        == (&chain.family, &chain.table, name)
                });
                let Some(target) = called.filter(|_| depth > 0) else {
                    continue;
                };
                let before = trace.len();
                let decided = evaluate_chain(target, chains, packet, trace, depth - 1);
                if matched.is_none() {
                    trace[before..]
                        .iter_mut()
                        .for_each(|hit| hit.is_certain = false);
                } else if decided.is_some() || matches!(rule.action, RuleAction::Goto(_)) {
                    return decided;
                }
            }
            (None, _) | (_, RuleAction::Unknown) => trace.push(hit(false)),
            (Some(true), action) => {
                trace.push(hit(true));
                return Some(action.clone());
            }
        }
    }
    None
}

fn is_of_family(chain: &Chain, to: IpAddr) -> bool {
    match chain.family.as_str() {
        "inet" => true,
        "ip" => to.is_ipv4(),
        "ip6" => to.is_ipv6(),
        _ => false,
    }
}

/// True if all conditions match, false if any does not; `None` if this is unknown.
fn match_all(conditions: &[RuleCondition], packet: &FirstPacket) -> Option<bool> {
    let mut results = conditions
        .iter()
        .map(|condition| match_condition(condition, packet));
    let mut is_certain = true;
    let has_mismatch = results.any(|result| {
        is_certain &= result.is_some();
        result == Some(false)
    });
    (has_mismatch || is_certain).then_some(!has_mismatch)
}

/// True if a condition matches; `None` if this is unknown.
fn match_condition(condition: &RuleCondition, packet: &FirstPacket) -> Option<bool> {
    Some(match condition {
        RuleCondition::Interface(side, names) => {
            let [input, output] = packet.interfaces;
            let interface = if *side == PacketEnd::Source {
                input
            } else {
                output
            };
            let matches = |interface| names.iter().any(|name| is_interface_match(interface, name));
            interface.is_some_and(matches)
        }
        RuleCondition::Protocol(names) => names.iter().any(|name| name == packet.proto),
        RuleCondition::Port(PacketEnd::Destination, ranges) => {
            let mut ranges = ranges.iter();
            ranges.any(|(first, last)| (*first..=*last).contains(&packet.dst_port))
        }
        // The kernel selects the source port when the client connects.
        RuleCondition::Port(PacketEnd::Source, _) | RuleCondition::Unknown => return None,
        RuleCondition::Address(side, networks) => {
            let address = match side {
                PacketEnd::Source => packet.src?,
                PacketEnd::Destination => packet.dst,
            };
            networks
                .iter()
                .any(|network| is_in_network(address, *network))
        }
        RuleCondition::State(states) => states.iter().any(|state| state == "new"),
        RuleCondition::Not(negated) => !match_condition(negated, packet)?,
    })
}

/// True if the pattern matches the name: `eth*` matches all names that start with `eth`.
fn is_interface_match(name: &str, pattern: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == pattern,
    }
}

fn is_in_network(address: IpAddr, (network, bits): (IpAddr, u8)) -> bool {
    use crate::host::network::interfaces;
    address.is_ipv4() == network.is_ipv4()
        && interfaces::network((address, bits)) == interfaces::network((network, bits))
}

#[cfg(test)]
#[path = "nft_eval/tests.rs"]
mod tests;
