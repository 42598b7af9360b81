//! Parser for the chains and rules that nft prints (libnftables-json(5)).
//!
//! An unsupported expression is parsed as [`RuleCondition::Unknown`].

use std::collections::HashMap;
use std::net::IpAddr;

use serde_json::Value;

/// A chain of rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// `ip`, `ip6`, `inet`, …
    pub family: String,
    /// The name of the chain's table.
    pub table: String,
    /// The name of the chain.
    pub name: String,
    /// The hook where packets enter the chain; `None` if they enter it only from other chains.
    pub hook: Option<Hook>,
    /// The rules, in order.
    pub rules: Vec<Rule>,
}

/// The hook of a base chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// `input`, `output`, `prerouting`, …
    pub name: String,
    /// The type of the chain: `filter`, `nat`, `route`.
    pub kind: String,
    /// The priority; lower values are evaluated first.
    pub priority: i64,
    /// True if the policy drops packets that no rule decides on.
    pub drops_by_default: bool,
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The handle: a number that is unique in the table.
    pub handle: u64,
    /// The rule as nft prints it.
    pub text: String,
    /// The conditions that a packet must meet.
    pub conditions: Vec<RuleCondition>,
    /// The action on a packet that meets the conditions.
    pub action: RuleAction,
}

/// A condition on a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleCondition {
    /// The packet enters (source) or leaves (destination) through one of these interfaces; a name
    /// can end in `*`.
    Interface(PacketEnd, Vec<String>),
    /// The protocol is one of these.
    Protocol(Vec<String>),
    /// The port is in one of these ranges, each given by its first and last port.
    Port(PacketEnd, Vec<(u16, u16)>),
    /// The address is in one of these networks.
    Address(PacketEnd, Vec<(IpAddr, u8)>),
    /// The connection is in one of these states.
    State(Vec<String>),
    /// The inverse of a condition.
    Not(Box<RuleCondition>),
    /// An unsupported condition: its result is unknown.
    Unknown,
}

/// An end of a packet's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PacketEnd {
    /// The sender, or the input interface.
    Source,
    /// The receiver, or the output interface.
    Destination,
}

/// The action of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleAction {
    Accept,
    Drop,
    Reject,
    /// Redirects to this port on this machine; `None` leaves the port unchanged.
    Redirect(Option<u16>),
    /// Redirects to this address and port; the parts that are `None` remain unchanged.
    Dnat(Option<String>, Option<u16>),
    Jump(String),
    Goto(String),
    Return,
    /// A verdict map, a user-space program or a proxy decides.
    Unknown,
    /// The rule only counts packets, logs them or similar; the next rule is evaluated.
    Continue,
}

/// Parses the JSON output and the text output of nft; `None` if the format is not as expected.
pub(super) fn parse_chains(json: &str, listing: &str) -> Option<Vec<Chain>> {
    let root: Value = serde_json::from_str(json).ok()?;
    let mut texts = rule_texts(listing);
    let mut found: Vec<Chain> = Vec::new();
    for item in root.get("nftables")?.as_array()? {
        let text = |object: &Value, name: &str| Some(object.get(name)?.as_str()?.to_owned());
        if let Some(chain) = item.get("chain") {
            found.push(Chain {
                family: text(chain, "family")?,
                table: text(chain, "table")?,
                name: text(chain, "name")?,
                hook: text(chain, "hook").map(|name| Hook {
                    name,
                    kind: text(chain, "type").unwrap_or_default(),
                    priority: chain.get("prio").and_then(Value::as_i64).unwrap_or(0),
                    drops_by_default: text(chain, "policy").as_deref() == Some("drop"),
                }),
                rules: Vec::new(),
            });
        } else if let Some(rule) = item.get("rule") {
            let chain_key = [
                text(rule, "family")?,
                text(rule, "table")?,
                text(rule, "chain")?,
            ];
            let handle = rule.get("handle")?.as_u64()?;
            let expressions = rule.get("expr").and_then(Value::as_array);
            let (conditions, mut action) =
                parse_expressions(expressions.map_or(&[], Vec::as_slice));
            let chain = found
                .iter_mut()
                .find(|chain| [&chain.family, &chain.table, &chain.name] == chain_key.each_ref())?;
            let text = texts.remove(&(chain_key, handle)).unwrap_or_default();
            if action == RuleAction::Redirect(None) {
                // For an iptables extension, only the text output contains the port.
                action = RuleAction::Redirect(redirect_port(&text));
            }
            chain.rules.push(Rule {
                handle,
                text,
                conditions,
                action,
            });
        }
    }
    Some(found)
}

/// Returns the text of each rule, by family, table, chain and handle.
fn rule_texts(listing: &str) -> HashMap<([String; 3], u64), String> {
    let mut texts = HashMap::new();
    let mut chain_key = [const { String::new() }; 3];
    for line in listing.lines() {
        let parts: Vec<&str> = line.split_whitespace().collect();
        match parts[..] {
            ["table", family, table, ..] => {
                (chain_key[0], chain_key[1]) = (family.into(), table.into());
            }
            ["chain", name, ..] => chain_key[2] = name.into(),
            _ => {
                let (text, handle) = line.rsplit_once(" # handle ").unwrap_or((line, ""));
                if let Ok(handle) = handle.parse() {
                    texts.insert((chain_key.clone(), handle), text.trim().to_owned());
                }
            }
        }
    }
    texts
}

/// Parses the port in `… redirect to :8080`.
fn redirect_port(text: &str) -> Option<u16> {
    let (_, port) = text.rsplit_once("redirect to :")?;
    let mut numbers = port.split(|c: char| !c.is_ascii_digit());
    numbers.next()?.parse().ok()
}

fn parse_expressions(expressions: &[Value]) -> (Vec<RuleCondition>, RuleAction) {
    let mut conditions = Vec::new();
    for expression in expressions {
        let object = expression.as_object();
        let Some((name, value)) = object.and_then(|object| object.iter().next()) else {
            continue;
        };
        let text = |name: &str| Some(value.get(name)?.as_str()?.to_owned());
        let port = || u16::try_from(value.get("port")?.as_u64()?).ok();
        let action = match name.as_str() {
            "accept" => RuleAction::Accept,
            "drop" => RuleAction::Drop,
            "reject" => RuleAction::Reject,
            "redirect" => RuleAction::Redirect(port()),
            "dnat" => RuleAction::Dnat(text("addr"), port()),
            "jump" => RuleAction::Jump(text("target").unwrap_or_default()),
            "goto" => RuleAction::Goto(text("target").unwrap_or_default()),
            "return" => RuleAction::Return,
            "vmap" | "queue" | "tproxy" | "synproxy" => RuleAction::Unknown,
            "match" => {
                conditions.push(parse_condition(value).unwrap_or(RuleCondition::Unknown));
                continue;
            }
            // An iptables extension: the JSON output contains only its name.
            "xt" => match (text("type").as_deref(), text("name").as_deref()) {
                (Some("match"), Some("comment")) => continue,
                (Some("target"), Some("REJECT")) => RuleAction::Reject,
                (Some("target"), Some("REDIRECT")) => RuleAction::Redirect(None),
                (Some("target"), Some("DNAT")) => RuleAction::Dnat(None, None),
                (Some("target"), _) => continue,
                _ => {
                    conditions.push(RuleCondition::Unknown);
                    continue;
                }
            },
            // These statements neither match packets nor decide on them.
            "counter" | "log" | "comment" | "mangle" | "notrack" => continue,
            _ => {
                conditions.push(RuleCondition::Unknown);
                continue;
            }
        };
        return (conditions, action);
    }
    (conditions, RuleAction::Continue)
}

/// Parses a match, e.g.
/// `{"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 62893}`.
fn parse_condition(value: &Value) -> Option<RuleCondition> {
    let (left, right) = (value.get("left")?, value.get("right")?);
    let values: Vec<&Value> = match right.get("set").and_then(Value::as_array) {
        Some(set) => set.iter().collect(),
        None => vec![right],
    };
    let texts = || -> Option<Vec<String>> {
        let texts = values.iter().map(|value| {
            // The elements of a named set (`@name`) are not part of the rule.
            let text = value.as_str().filter(|text| !text.starts_with('@'));
            Some(text?.to_owned())
        });
        texts.collect()
    };
    let condition = if let Some(key) = left.get("meta").and_then(|meta| meta.get("key")?.as_str()) {
        match key {
            "iifname" | "iif" => RuleCondition::Interface(PacketEnd::Source, texts()?),
            "oifname" | "oif" => RuleCondition::Interface(PacketEnd::Destination, texts()?),
            "l4proto" => RuleCondition::Protocol(texts()?),
            _ => return None,
        }
    } else if let Some(payload) = left.get("payload") {
        let text = |name: &str| payload.get(name)?.as_str();
        let (protocol, field) = (text("protocol")?, text("field")?);
        let side = match field {
            "sport" | "saddr" => PacketEnd::Source,
            _ => PacketEnd::Destination,
        };
        match (protocol, field) {
            ("tcp" | "udp" | "th", "sport" | "dport") => {
                let ranges = values.into_iter().map(parse_port_range);
                RuleCondition::Port(side, ranges.collect::<Option<_>>()?)
            }
            ("ip" | "ip6", "saddr" | "daddr") => {
                let networks = values.into_iter().map(parse_network);
                RuleCondition::Address(side, networks.collect::<Option<_>>()?)
            }
            ("ip", "protocol") | ("ip6", "nexthdr") => RuleCondition::Protocol(texts()?),
            _ => return None,
        }
    } else if left.get("ct")?.get("key")?.as_str()? == "state" {
        let states = match right.as_array() {
            Some(states) => states.iter().collect(),
            None => values,
        };
        let states = states
            .into_iter()
            .map(|state| Some(state.as_str()?.to_owned()));
        RuleCondition::State(states.collect::<Option<_>>()?)
    } else {
        return None;
    };
    match value.get("op")?.as_str()? {
        "==" | "in" => Some(condition),
        "!=" => Some(RuleCondition::Not(Box::new(condition))),
        _ => None,
    }
}

fn parse_port_range(value: &Value) -> Option<(u16, u16)> {
    let number = |value: &Value| u16::try_from(value.as_u64()?).ok();
    match value.get("range").and_then(Value::as_array) {
        Some(ends) => Some((number(ends.first()?)?, number(ends.get(1)?)?)),
        None => number(value).map(|port| (port, port)),
    }
}

fn parse_network(value: &Value) -> Option<(IpAddr, u8)> {
    if let Some(prefix) = value.get("prefix") {
        let bits = u8::try_from(prefix.get("len")?.as_u64()?).ok()?;
        return Some((prefix.get("addr")?.as_str()?.parse().ok()?, bits));
    }
    let ip: IpAddr = value.as_str()?.parse().ok()?;
    Some((ip, if ip.is_ipv4() { 32 } else { 128 }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nft_output_is_parsed_into_chains_and_rules() {
        let json = r#"{"nftables": [{"metainfo": {"version": "1.0.6"}},
            {"table": {"family": "inet", "name": "t", "handle": 1}},
            {"chain": {"family": "inet", "table": "t", "name": "in", "handle": 1, "type": "filter", "hook": "input", "prio": -5, "policy": "drop"}},
            {"chain": {"family": "inet", "table": "t", "name": "more", "handle": 2}},
            {"rule": {"family": "inet", "table": "t", "chain": "in", "handle": 3, "expr": [
                {"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "lo"}},
                {"match": {"op": "!=", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": {"set": [22, {"range": [80, 90]}]}}},
                {"counter": {"packets": 0, "bytes": 0}}, {"reject": {"type": "tcp reset"}}]}},
            {"rule": {"family": "inet", "table": "t", "chain": "in", "handle": 4, "expr": [
                {"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": ["established", "related"]}},
                {"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "daddr"}}, "right": {"prefix": {"addr": "127.0.0.0", "len": 8}}}},
                {"xt": null}, {"redirect": {"port": 8080}}]}},
            {"rule": {"family": "inet", "table": "t", "chain": "more", "handle": 5, "expr": [{"log": null}]}}]}"#;
        let listing = "table inet t { # handle 1\n\tchain in { # handle 1\n\t\tiifname \"lo\" reject # handle 3\n\t}\n}\n";
        let chains = parse_chains(json, listing).expect("chains");
        let hook = chains[0].hook.clone().expect("a hook");
        assert_eq!((hook.priority, hook.drops_by_default), (-5, true));
        let [first, second] = &chains[0].rules[..] else {
            panic!("{chains:?}");
        };
        assert_eq!(first.text, "iifname \"lo\" reject");
        assert_eq!(first.action, RuleAction::Reject);
        let ports = RuleCondition::Port(PacketEnd::Destination, vec![(22, 22), (80, 90)]);
        let expected = [
            RuleCondition::Interface(PacketEnd::Source, vec!["lo".into()]),
            RuleCondition::Not(Box::new(ports)),
        ];
        assert_eq!(first.conditions, expected);
        assert_eq!(second.action, RuleAction::Redirect(Some(8080)));
        assert_eq!(second.conditions.len(), 3);
        assert_eq!(second.conditions[2], RuleCondition::Unknown);
        assert_eq!(
            redirect_port("tcp dport 80 counter redirect to :8080"),
            Some(8080)
        );
        assert_eq!(redirect_port("redirect"), None);
        assert_eq!(chains[1].hook, None);
        assert_eq!(chains[1].rules[0].action, RuleAction::Continue);
    }
}
