//! Chains and rules out of what nft prints (libnftables-json(5)); what is not understood stays, as a condition that nobody knows.

use std::collections::HashMap;
use std::net::IpAddr;

use serde_json::Value;

/// A chain of rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// `ip`, `ip6`, `inet`, …
    pub family: String,
    /// The table that it is in.
    pub table: String,
    /// Its name.
    pub name: String,
    /// Where packets come into it; none if only other chains lead there.
    pub hook: Option<Hook>,
    /// Its rules, in order.
    pub rules: Vec<Rule>,
}

/// A place where packets pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// `input`, `output`, `prerouting`, …
    pub name: String,
    /// `filter`, `nat`, `route`.
    pub kind: String,
    /// The lower ones come first.
    pub priority: i64,
    /// Whether what no rule decides is dropped.
    pub drops: bool,
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its number in its table.
    pub handle: u64,
    /// As nft prints it.
    pub text: String,
    /// What must hold of a packet.
    pub conditions: Vec<Condition>,
    /// What then happens to it.
    pub action: Action,
}

/// What a rule asks of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// It comes in or goes out by one of these interfaces; a name may end in `*`.
    Interface(Side, Vec<String>),
    /// Its protocol is one of these.
    Protocol(Vec<String>),
    /// Its port is in one of these ranges.
    Port(Side, Vec<(u16, u16)>),
    /// Its address is in one of these networks.
    Address(Side, Vec<(IpAddr, u8)>),
    /// Its connection is in one of these states.
    State(Vec<String>),
    /// The opposite.
    Not(Box<Condition>),
    /// Something else.
    Unknown,
}

/// Which end of a packet's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Where it comes from.
    Source,
    /// Where it goes.
    Destination,
}

/// What a rule does.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "nft(8) explains them")]
pub enum Action {
    Accept,
    Drop,
    Reject,
    /// To this port of this machine, or the same.
    Redirect(Option<u16>),
    /// To this address and port, each the same where none is given.
    Dnat(Option<String>, Option<u16>),
    Jump(String),
    Goto(String),
    Return,
    /// A map, a program or another stage decides.
    Unknown,
    /// It counts, or logs, or does something else, and the next rule follows.
    GoOn,
}

/// All chains; none if that is not what nft prints.
pub(super) fn chains(structure: &str, words: &str) -> Option<Vec<Chain>> {
    let whole: Value = serde_json::from_str(structure).ok()?;
    let mut texts = texts(words);
    let mut found: Vec<Chain> = Vec::new();
    for item in whole.get("nftables")?.as_array()? {
        let text = |of: &Value, name: &str| Some(of.get(name)?.as_str()?.to_owned());
        if let Some(chain) = item.get("chain") {
            found.push(Chain {
                family: text(chain, "family")?,
                table: text(chain, "table")?,
                name: text(chain, "name")?,
                hook: text(chain, "hook").map(|name| Hook {
                    name,
                    kind: text(chain, "type").unwrap_or_default(),
                    priority: chain.get("prio").and_then(Value::as_i64).unwrap_or(0),
                    drops: text(chain, "policy").as_deref() == Some("drop"),
                }),
                rules: Vec::new(),
            });
        } else if let Some(rule) = item.get("rule") {
            let place = [
                text(rule, "family")?,
                text(rule, "table")?,
                text(rule, "chain")?,
            ];
            let handle = rule.get("handle")?.as_u64()?;
            let expressions = rule.get("expr").and_then(Value::as_array);
            let (conditions, mut action) = read(expressions.map_or(&[], Vec::as_slice));
            let chain = found.iter_mut().find(|own| {
                [&own.family, &own.table, &own.name] == [&place[0], &place[1], &place[2]]
            })?;
            let text = texts.remove(&(place, handle)).unwrap_or_default();
            if action == Action::Redirect(None) {
                // What an extension does stands in the words only.
                action = Action::Redirect(redirected_to(&text));
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

/// The rules as nft prints them for people, by family, table, chain and handle.
fn texts(words: &str) -> HashMap<([String; 3], u64), String> {
    let mut texts = HashMap::new();
    let mut place = [const { String::new() }; 3];
    for line in words.lines() {
        let parts: Vec<&str> = line.split_whitespace().collect();
        match parts[..] {
            ["table", family, table, ..] => (place[0], place[1]) = (family.into(), table.into()),
            ["chain", name, ..] => place[2] = name.into(),
            _ => {
                let (text, handle) = line.rsplit_once(" # handle ").unwrap_or((line, ""));
                if let Ok(handle) = handle.parse() {
                    texts.insert((place.clone(), handle), text.trim().to_owned());
                }
            }
        }
    }
    texts
}

/// `… redirect to :8080`
fn redirected_to(text: &str) -> Option<u16> {
    let (_, port) = text.rsplit_once("redirect to :")?;
    port.split(|c: char| !c.is_ascii_digit())
        .next()?
        .parse()
        .ok()
}

fn read(expressions: &[Value]) -> (Vec<Condition>, Action) {
    let mut conditions = Vec::new();
    for expression in expressions {
        let Some((name, value)) = expression.as_object().and_then(|own| own.iter().next()) else {
            continue;
        };
        let text = |name: &str| Some(value.get(name)?.as_str()?.to_owned());
        let port = || u16::try_from(value.get("port")?.as_u64()?).ok();
        let action = match name.as_str() {
            "accept" => Action::Accept,
            "drop" => Action::Drop,
            "reject" => Action::Reject,
            "redirect" => Action::Redirect(port()),
            "dnat" => Action::Dnat(text("addr"), port()),
            "jump" => Action::Jump(text("target").unwrap_or_default()),
            "goto" => Action::Goto(text("target").unwrap_or_default()),
            "return" => Action::Return,
            "vmap" | "queue" | "tproxy" | "synproxy" => Action::Unknown,
            "match" => {
                conditions.push(condition(value).unwrap_or(Condition::Unknown));
                continue;
            }
            // An extension of iptables, of which only the name is told.
            "xt" => match (text("type").as_deref(), text("name").as_deref()) {
                (Some("match"), Some("comment")) => continue,
                (Some("target"), Some("REJECT")) => Action::Reject,
                (Some("target"), Some("REDIRECT")) => Action::Redirect(None),
                (Some("target"), Some("DNAT")) => Action::Dnat(None, None),
                (Some("target"), _) => continue,
                _ => {
                    conditions.push(Condition::Unknown);
                    continue;
                }
            },
            // They change nothing, and ask nothing.
            "counter" | "log" | "comment" | "mangle" | "notrack" => continue,
            _ => {
                conditions.push(Condition::Unknown);
                continue;
            }
        };
        return (conditions, action);
    }
    (conditions, Action::GoOn)
}

/// `{"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 62893}`
fn condition(value: &Value) -> Option<Condition> {
    let (left, right) = (value.get("left")?, value.get("right")?);
    let values: Vec<&Value> = match right.get("set").and_then(Value::as_array) {
        Some(set) => set.iter().collect(),
        None => vec![right],
    };
    let texts = || -> Option<Vec<String>> {
        let all = values.iter();
        // A set that has a name stands elsewhere.
        all.map(|value| {
            let text = value.as_str().filter(|text| !text.starts_with('@'));
            Some(text?.to_owned())
        })
        .collect()
    };
    let found = if let Some(key) = left.get("meta").and_then(|meta| meta.get("key")?.as_str()) {
        match key {
            "iifname" | "iif" => Condition::Interface(Side::Source, texts()?),
            "oifname" | "oif" => Condition::Interface(Side::Destination, texts()?),
            "l4proto" => Condition::Protocol(texts()?),
            _ => return None,
        }
    } else if let Some(payload) = left.get("payload") {
        let (protocol, field) = (
            payload.get("protocol")?.as_str()?,
            payload.get("field")?.as_str()?,
        );
        let side = if ["sport", "saddr"].contains(&field) {
            Side::Source
        } else {
            Side::Destination
        };
        match (protocol, field) {
            ("tcp" | "udp" | "th", "sport" | "dport") => {
                let ranges: Option<Vec<_>> = values.iter().map(|value| range(value)).collect();
                Condition::Port(side, ranges?)
            }
            ("ip" | "ip6", "saddr" | "daddr") => {
                let networks: Option<Vec<_>> = values.iter().map(|value| network(value)).collect();
                Condition::Address(side, networks?)
            }
            ("ip", "protocol") | ("ip6", "nexthdr") => Condition::Protocol(texts()?),
            _ => return None,
        }
    } else if left.get("ct")?.get("key")?.as_str()? == "state" {
        let all = match right.as_array() {
            Some(all) => all.iter().collect(),
            None => values,
        };
        let states: Option<Vec<String>> = all
            .iter()
            .map(|state| Some(state.as_str()?.to_owned()))
            .collect();
        Condition::State(states?)
    } else {
        return None;
    };
    match value.get("op")?.as_str()? {
        "==" | "in" => Some(found),
        "!=" => Some(Condition::Not(Box::new(found))),
        _ => None,
    }
}

fn range(value: &Value) -> Option<(u16, u16)> {
    let number = |value: &Value| u16::try_from(value.as_u64()?).ok();
    match value.get("range").and_then(Value::as_array) {
        Some(ends) => Some((number(ends.first()?)?, number(ends.get(1)?)?)),
        None => number(value).map(|port| (port, port)),
    }
}

fn network(value: &Value) -> Option<(IpAddr, u8)> {
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
    fn what_nft_prints_becomes_rules() {
        let structure = r#"{"nftables": [{"metainfo": {"version": "1.0.6"}},
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
        let words = "table inet t { # handle 1\n\tchain in { # handle 1\n\t\tiifname \"lo\" reject # handle 3\n\t}\n}\n";
        let chains = chains(structure, words).expect("chains");
        let hook = chains[0].hook.clone().expect("a hook");
        assert_eq!((hook.priority, hook.drops), (-5, true));
        let [first, second] = &chains[0].rules[..] else {
            panic!("{chains:?}");
        };
        assert_eq!(first.text, "iifname \"lo\" reject");
        assert_eq!(first.action, Action::Reject);
        let ports = Condition::Port(Side::Destination, vec![(22, 22), (80, 90)]);
        let expected = [
            Condition::Interface(Side::Source, vec!["lo".into()]),
            Condition::Not(Box::new(ports)),
        ];
        assert_eq!(first.conditions, expected);
        assert_eq!(second.action, Action::Redirect(Some(8080)));
        assert_eq!(second.conditions.len(), 3);
        assert_eq!(second.conditions[2], Condition::Unknown);
        assert_eq!(
            redirected_to("tcp dport 80 counter redirect to :8080"),
            Some(8080)
        );
        assert_eq!(redirected_to("redirect"), None);
        assert_eq!(chains[1].hook, None);
        assert_eq!(chains[1].rules[0].action, Action::GoOn);
    }
}
