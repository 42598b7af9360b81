//! Evaluation of nftables chains (nft(8)) for a packet. The result of an unsupported condition is
//! unknown.

use crate::error::shell_quote;
use crate::host::network::firewall::{Chain, PacketEnd, Rule, RuleAction, RuleCondition};
use crate::host::sockets::sock_diag::SocketInfo;
use crate::packet::UDP;
use std::net::IpAddr;

/// The path of a packet through the chains.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct FirewallTrace {
    /// The rules that match the packet, or may match it.
    pub(super) rules: Vec<TracedRule>,
}

/// A rule that matches a packet, or may match it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TracedRule {
    /// The table, the chain and the rule.
    pub(super) text: String,
    pub(super) action: RuleAction,
    /// True if all conditions are certain to match.
    pub(super) is_certain: bool,
    /// The command that removes the rule; for a drop policy, the command that adds an exception.
    pub(super) removal_command: Option<String>,
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

/// The result of evaluating a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ConditionMatch {
    Yes,
    No,
    Unknown,
}

/// Maximum depth of nested jumps, the same as in the kernel (`NFT_JUMP_STACK_SIZE`).
const MAX_JUMP_DEPTH: usize = 16;

/// Traces a TCP connection of this machine to itself: out on the loopback and in again.
pub(super) fn trace_loopback(chains: &[Chain], lo: &str, to: IpAddr, port: u16) -> FirewallTrace {
    let mut packet = FirstPacket {
        proto: "tcp",
        // The kernel selects the destination address as the source of a local connection.
        src: Some(to),
        dst: to,
        dst_port: port,
        interfaces: [None, Some(lo)],
    };
    let mut trace = FirewallTrace::default();
    if !traverse_hook(chains, "output", &mut packet, &mut trace) {
        return trace;
    }
    // The loopback returns the packet as an incoming packet.
    packet.interfaces = [Some(lo), None];
    let _ = traverse_hook(chains, "prerouting", &mut packet, &mut trace)
        && traverse_hook(chains, "input", &mut packet, &mut trace);
    trace
}

/// Traces a connection from another machine that arrives on an interface.
pub(super) fn trace_inbound(
    chains: &[Chain],
    interface: &str,
    to: IpAddr,
    server: &SocketInfo,
) -> FirewallTrace {
    let mut packet = FirstPacket {
        proto: if server.proto == UDP { "udp" } else { "tcp" },
        src: None,
        dst: to,
        dst_port: server.local.port(),
        interfaces: [Some(interface), None],
    };
    let mut trace = FirewallTrace::default();
    let _ = traverse_hook(chains, "prerouting", &mut packet, &mut trace)
        && traverse_hook(chains, "input", &mut packet, &mut trace);
    trace
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
    let Chain {
        family,
        table,
        name,
        ..
    } = chain;
    format!(
        "{family} {table} {name}: {} # handle {}",
        rule.text, rule.handle
    )
}

/// Passes the packet through the base chains of a hook. Returns false if a chain drops or rejects
/// the packet.
fn traverse_hook(
    chains: &[Chain],
    hook: &str,
    packet: &mut FirstPacket,
    trace: &mut FirewallTrace,
) -> bool {
    let mut base_chains: Vec<&Chain> = chains
        .iter()
        .filter(|chain| is_of_family(chain, packet.dst))
        .filter(|chain| chain.hook.as_ref().is_some_and(|base| base.name == hook))
        .collect();
    base_chains.sort_by_key(|chain| chain.hook.as_ref().map(|base| base.priority));
    for chain in base_chains {
        let Some(base) = &chain.hook else {
            continue;
        };
        // The addresses of a connection are translated only once. For a local connection, this
        // happens in the output hook.
        let is_translated = base.kind == "nat" && hook == "prerouting" && packet.src.is_some();
        if is_translated || base.kind == "nat" && hook == "input" {
            continue;
        }
        match evaluate_chain(chain, chains, packet, trace, MAX_JUMP_DEPTH) {
            Some(RuleAction::Drop | RuleAction::Reject) => return false,
            Some(RuleAction::Redirect(port)) => packet.dst_port = port.unwrap_or(packet.dst_port),
            Some(RuleAction::Dnat(_, port)) => packet.dst_port = port.unwrap_or(packet.dst_port),
            None if base.drops_by_default => {
                let Chain {
                    family,
                    table,
                    name,
                    ..
                } = chain;
                trace.rules.push(TracedRule {
                    text: format!(
                        "{family} {table} {name}: policy drop, and no rule accepts the packet"
                    ),
                    action: RuleAction::Drop,
                    is_certain: trace.rules.iter().all(|hit| hit.is_certain),
                    removal_command: Some(format!(
                        "sudo nft insert rule {family} {} {} iifname lo accept",
                        shell_quote(table),
                        shell_quote(name)
                    )),
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
    trace: &mut FirewallTrace,
    depth: usize,
) -> Option<RuleAction> {
    for rule in &chain.rules {
        let matched = match_all(&rule.conditions, packet);
        let hit = |is_certain| TracedRule {
            text: describe_rule(chain, rule),
            action: rule.action.clone(),
            is_certain,
            removal_command: Some(format!(
                "sudo nft delete rule {} {} {} handle {}",
                chain.family,
                shell_quote(&chain.table),
                shell_quote(&chain.name),
                rule.handle
            )),
        };
        match (matched, &rule.action) {
            (ConditionMatch::No, _) | (_, RuleAction::Continue) => {}
            (ConditionMatch::Yes, RuleAction::Return) => return None,
            (_, RuleAction::Jump(name) | RuleAction::Goto(name)) => {
                let called = chains.iter().find(|other| {
                    (&other.family, &other.table, &other.name)
                        == (&chain.family, &chain.table, name)
                });
                let Some(target) = called.filter(|_| depth > 0) else {
                    continue;
                };
                let before = trace.rules.len();
                let decided = evaluate_chain(target, chains, packet, trace, depth - 1);
                if matched == ConditionMatch::Unknown {
                    for hit in &mut trace.rules[before..] {
                        hit.is_certain = false;
                    }
                } else if decided.is_some() || matches!(rule.action, RuleAction::Goto(_)) {
                    return decided;
                }
            }
            (_, RuleAction::Unknown) => trace.rules.push(hit(false)),
            (ConditionMatch::Yes, action) => {
                trace.rules.push(hit(true));
                return Some(action.clone());
            }
            (ConditionMatch::Unknown, RuleAction::Return) => {}
            (ConditionMatch::Unknown, _) => trace.rules.push(hit(false)),
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

fn match_all(conditions: &[RuleCondition], packet: &FirstPacket) -> ConditionMatch {
    let mut result = ConditionMatch::Yes;
    for condition in conditions {
        match match_condition(condition, packet) {
            ConditionMatch::No => return ConditionMatch::No,
            ConditionMatch::Unknown => result = ConditionMatch::Unknown,
            ConditionMatch::Yes => {}
        }
    }
    result
}

fn match_condition(condition: &RuleCondition, packet: &FirstPacket) -> ConditionMatch {
    let certain = |matches: bool| {
        if matches {
            ConditionMatch::Yes
        } else {
            ConditionMatch::No
        }
    };
    match condition {
        RuleCondition::Interface(side, names) => {
            let [input, output] = packet.interfaces;
            let interface = if *side == PacketEnd::Source {
                input
            } else {
                output
            };
            certain(interface.is_some_and(|interface| {
                names.iter().any(|name| is_interface_match(interface, name))
            }))
        }
        RuleCondition::Protocol(names) => certain(names.iter().any(|name| name == packet.proto)),
        RuleCondition::Port(PacketEnd::Destination, ranges) => certain(
            ranges
                .iter()
                .any(|(first, last)| (*first..=*last).contains(&packet.dst_port)),
        ),
        // The kernel selects the source port when the client connects.
        RuleCondition::Port(PacketEnd::Source, _) => ConditionMatch::Unknown,
        RuleCondition::Address(side, networks) => {
            let address = match side {
                PacketEnd::Source => packet.src,
                PacketEnd::Destination => Some(packet.dst),
            };
            match address {
                Some(address) => certain(
                    networks
                        .iter()
                        .any(|network| is_in_network(address, *network)),
                ),
                None => ConditionMatch::Unknown,
            }
        }
        RuleCondition::State(states) => certain(states.iter().any(|state| state == "new")),
        RuleCondition::Not(negated) => match match_condition(negated, packet) {
            ConditionMatch::Yes => ConditionMatch::No,
            ConditionMatch::No => ConditionMatch::Yes,
            ConditionMatch::Unknown => ConditionMatch::Unknown,
        },
        RuleCondition::Unknown => ConditionMatch::Unknown,
    }
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
