//! The way of a packet through the firewall's chains (nft(8)): what the rules would do to it, and where nobody knows.

use super::finding::shell_word;
use crate::host::firewall::{Action, Chain, Condition, Rule, Side};
use crate::host::listing::Listed;
use crate::packet::UDP;
use std::net::IpAddr;

/// What became of a packet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fate {
    /// The rules that decided, or might have.
    pub(super) hits: Vec<Hit>,
}

/// A rule that a packet came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hit {
    /// Where it is and what it says.
    pub(super) text: String,
    pub(super) action: Action,
    /// Whether all that it asks for is known to hold.
    pub(super) is_sure: bool,
    /// The command that takes the rule away; none for a chain's policy.
    pub(super) removal: Option<String>,
}

/// The first packet of a connection.
#[derive(Debug, Clone)]
struct Packet<'a> {
    proto: &'static str,
    from: Option<IpAddr>,
    to: IpAddr,
    port: u16,
    /// Where it comes in, and where it goes out; none where it does not.
    interfaces: [Option<&'a str>; 2],
}

/// Whether something holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    Yes,
    No,
    Perhaps,
}

/// No chain calls others deeper than this, as nftables has it.
const DEPTH: usize = 16;

/// From this machine to itself, with TCP: out by the loopback and in again.
pub(super) fn round(chains: &[Chain], lo: &str, to: IpAddr, port: u16) -> Fate {
    let mut packet = Packet {
        proto: "tcp",
        // Who talks to itself does so from the address that it talks to.
        from: Some(to),
        to,
        port,
        interfaces: [None, Some(lo)],
    };
    let mut fate = Fate::default();
    if !pass(chains, "output", &mut packet, &mut fate) {
        return fate;
    }
    // Addresses of a connection are changed once.
    packet.interfaces = [Some(lo), None];
    let _ = pass(chains, "prerouting", &mut packet, &mut fate)
        && pass(chains, "input", &mut packet, &mut fate);
    fate
}

/// From elsewhere, in by an interface.
pub(super) fn inwards(chains: &[Chain], interface: &str, to: IpAddr, server: &Listed) -> Fate {
    let mut packet = Packet {
        proto: if server.proto == UDP { "udp" } else { "tcp" },
        from: None,
        to,
        port: server.local.port(),
        interfaces: [Some(interface), None],
    };
    let mut fate = Fate::default();
    let _ = pass(chains, "prerouting", &mut packet, &mut fate)
        && pass(chains, "input", &mut packet, &mut fate);
    fate
}

/// What an action does, in a word.
pub(super) fn verb(action: &Action) -> &'static str {
    match action {
        Action::Accept => "accepted",
        Action::Drop => "dropped",
        Action::Reject => "rejected",
        Action::Redirect(_) | Action::Dnat(..) => "led elsewhere",
        _ => "looked at",
    }
}

/// Where a rule is, and what it says.
pub(super) fn place(chain: &Chain, rule: &Rule) -> String {
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

/// Whether it comes through all chains of a hook.
fn pass(chains: &[Chain], hook: &str, packet: &mut Packet, fate: &mut Fate) -> bool {
    let mut own: Vec<&Chain> = chains
        .iter()
        .filter(|chain| is_of_family(chain, packet.to))
        .filter(|chain| chain.hook.as_ref().is_some_and(|own| own.name == hook))
        .collect();
    own.sort_by_key(|chain| chain.hook.as_ref().map(|own| own.priority));
    for chain in own {
        let Some(own) = &chain.hook else {
            continue;
        };
        // A connection of this machine was through that when it left.
        let is_again = own.kind == "nat" && hook == "prerouting" && packet.from.is_some();
        if is_again || own.kind == "nat" && hook == "input" {
            continue;
        }
        match walk(chain, chains, packet, fate, DEPTH) {
            Some(Action::Drop | Action::Reject) => return false,
            Some(Action::Redirect(port)) => packet.port = port.unwrap_or(packet.port),
            Some(Action::Dnat(_, port)) => packet.port = port.unwrap_or(packet.port),
            None if own.drops => {
                let Chain {
                    family,
                    table,
                    name,
                    ..
                } = chain;
                fate.hits.push(Hit {
                    text: format!(
                        "{family} {table} {name}: policy drop, and no rule before it lets this pass"
                    ),
                    action: Action::Drop,
                    is_sure: fate.hits.iter().all(|hit| hit.is_sure),
                    removal: Some(format!(
                        "sudo nft insert rule {family} {} {} iifname lo accept",
                        shell_word(table),
                        shell_word(name)
                    )),
                });
                return false;
            }
            _ => {}
        }
    }
    true
}

/// What a chain decides; none if the packet comes to its end.
fn walk(
    chain: &Chain,
    chains: &[Chain],
    packet: &Packet,
    fate: &mut Fate,
    depth: usize,
) -> Option<Action> {
    for rule in &chain.rules {
        let holds = all(&rule.conditions, packet);
        let hit = |is_sure| Hit {
            text: place(chain, rule),
            action: rule.action.clone(),
            is_sure,
            removal: Some(format!(
                "sudo nft delete rule {} {} {} handle {}",
                chain.family,
                shell_word(&chain.table),
                shell_word(&chain.name),
                rule.handle
            )),
        };
        match (holds, &rule.action) {
            (Holds::No, _) | (_, Action::GoOn) => {}
            (Holds::Yes, Action::Return) => return None,
            (_, Action::Jump(name) | Action::Goto(name)) => {
                let known = chains.iter().find(|other| {
                    (&other.family, &other.table, &other.name)
                        == (&chain.family, &chain.table, name)
                });
                let Some(target) = known.filter(|_| depth > 0) else {
                    continue;
                };
                let before = fate.hits.len();
                let decided = walk(target, chains, packet, fate, depth - 1);
                if holds == Holds::Perhaps {
                    for hit in &mut fate.hits[before..] {
                        hit.is_sure = false;
                    }
                } else if decided.is_some() || matches!(rule.action, Action::Goto(_)) {
                    return decided;
                }
            }
            (_, Action::Unknown) => fate.hits.push(hit(false)),
            (Holds::Yes, action) => {
                fate.hits.push(hit(true));
                return Some(action.clone());
            }
            (Holds::Perhaps, Action::Return) => {}
            (Holds::Perhaps, _) => fate.hits.push(hit(false)),
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

fn all(conditions: &[Condition], packet: &Packet) -> Holds {
    let mut whole = Holds::Yes;
    for condition in conditions {
        match one(condition, packet) {
            Holds::No => return Holds::No,
            Holds::Perhaps => whole = Holds::Perhaps,
            Holds::Yes => {}
        }
    }
    whole
}

fn one(condition: &Condition, packet: &Packet) -> Holds {
    let known = |holds: bool| if holds { Holds::Yes } else { Holds::No };
    match condition {
        Condition::Interface(side, names) => {
            let [comes, goes] = packet.interfaces;
            let own = if *side == Side::Source { comes } else { goes };
            known(own.is_some_and(|own| names.iter().any(|name| is_named(own, name))))
        }
        Condition::Protocol(names) => known(names.iter().any(|name| name == packet.proto)),
        Condition::Port(Side::Destination, ranges) => known(
            ranges
                .iter()
                .any(|(first, last)| (*first..=*last).contains(&packet.port)),
        ),
        // Any of many.
        Condition::Port(Side::Source, _) => Holds::Perhaps,
        Condition::Address(side, networks) => {
            let own = match side {
                Side::Source => packet.from,
                Side::Destination => Some(packet.to),
            };
            match own {
                Some(own) => known(networks.iter().any(|network| is_in(own, *network))),
                None => Holds::Perhaps,
            }
        }
        Condition::State(states) => known(states.iter().any(|state| state == "new")),
        Condition::Not(other) => match one(other, packet) {
            Holds::Yes => Holds::No,
            Holds::No => Holds::Yes,
            Holds::Perhaps => Holds::Perhaps,
        },
        Condition::Unknown => Holds::Perhaps,
    }
}

/// `eth*` names all that begin so.
fn is_named(own: &str, name: &str) -> bool {
    match name.strip_suffix('*') {
        Some(begin) => own.starts_with(begin),
        None => own == name,
    }
}

fn is_in(own: IpAddr, (network, bits): (IpAddr, u8)) -> bool {
    use crate::host::addresses::network as masked;
    own.is_ipv4() == network.is_ipv4() && masked((own, bits)) == masked((network, bits))
}

#[cfg(test)]
#[path = "way/tests.rs"]
mod tests;
