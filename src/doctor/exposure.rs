//! Who else can reach it: from which networks, past which firewall, and whether a container is behind it.

use super::facts::Facts;
use super::finding::{Check, Finding};
use super::ports::{Reach, reach};
use super::way::{self, Fate};
use crate::host::firewall::{Action, Condition, Firewall, Side};
use crate::host::listing::Listed;

const CHECK: Check = Check("exposure");

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    let servers: Vec<&Listed> = facts.servers().chain(facts.datagrams()).collect();
    for server in &servers {
        let seen = exposed(facts, server);
        // Several sockets of one address are exposed once.
        if !found
            .iter()
            .any(|other| Some(&other.what) == seen.as_ref().map(|own| &own.what))
        {
            found.extend(seen);
        }
    }
    if found.is_empty() && !servers.is_empty() {
        found.push(CHECK.ok("this-machine-only", "only this machine can reach it"));
    }
    found.extend(published(facts));
    found
}

fn exposed(facts: &Facts, server: &Listed) -> Option<Finding> {
    let reach = reach(server, &facts.interfaces);
    let Reach::Networks(networks) = &reach else {
        return None;
    };
    let owner = facts.owner(server);
    let port = facts.target.port;
    let what = format!(
        "{owner} listens on {}: others reach it from {reach}",
        server.local
    );
    let mut found = CHECK.note("exposed", what);
    if networks.is_empty() {
        return Some(found.because("no interface but the loopback is up just now"));
    }
    let others = facts
        .interfaces
        .iter()
        .filter(|own| own.is_up && !own.is_loopback);
    for interface in others {
        for (address, _) in &interface.addresses {
            if !server.takes(*address) {
                continue;
            }
            found = found.because(match &facts.firewall {
                Firewall::Chains(chains) => {
                    let fate = way::inwards(chains, &interface.name, *address, server);
                    format!("from {} to {address}: {}", interface.name, passes(&fate))
                }
                Firewall::Absent => format!(
                    "from {} to {address}: nft is not there to tell of a firewall",
                    interface.name
                ),
                _ => format!(
                    "from {} to {address}: the firewall could not be looked at",
                    interface.name
                ),
            });
        }
    }
    Some(found.because(format!(
        "bound to 127.0.0.1:{port} only this machine would reach it"
    )))
}

fn passes(fate: &Fate) -> String {
    let certain = fate
        .hits
        .iter()
        .find(|hit| hit.is_sure && hit.action != Action::Accept);
    let maybe = fate.hits.iter().any(|hit| !hit.is_sure);
    match certain {
        Some(hit) => format!("{} ({})", way::verb(&hit.action), hit.text),
        None if maybe => "some rules that could not be read may keep it away".to_owned(),
        None => "no rule of the firewall keeps it away".to_owned(),
    }
}

/// Published by a container engine: by a proxy process, or by rules that change where packets go.
fn published(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    for server in facts.servers.values() {
        let words = &server.process.more().command_line;
        let (pid, name) = (server.process.pid, server.process.name());
        let of = |name: &str| {
            let at = words
                .iter()
                .position(|word| word.trim_start_matches('-') == name)?;
            words.get(at + 1)
        };
        if name.starts_with("docker-proxy")
            && let (Some(address), Some(port)) = (of("container-ip"), of("container-port"))
        {
            let host = of("host-ip").map_or("?", String::as_str);
            let what = format!(
                "published by Docker: {host}:{} leads to {address}:{port} in a container",
                facts.target.port
            );
            found.push(
                CHECK
                    .note("published", what)
                    .because(format!("{name}[{pid}]: {}", words.join(" ")))
                    .because_of(translations(facts))
                    .mended_by(format!("docker ps --filter publish={}", facts.target.port)),
            );
        } else if ["rootlessport", "conmon", "slirp4netns", "pasta"]
            .iter()
            .any(|own| name.starts_with(own))
        {
            let what = format!("published by Podman, through {name}[{pid}]");
            found.push(
                CHECK
                    .note("published", what)
                    .because_of(translations(facts)),
            );
        }
    }
    if found.is_empty() {
        let lines = translations(facts);
        if !lines.is_empty() {
            let what = format!("the firewall leads port {} elsewhere", facts.target.port);
            found.push(CHECK.note("published", what).because_of(lines));
        }
    }
    found
}

/// Rules that send what comes for the port to another address.
fn translations(facts: &Facts) -> Vec<String> {
    let Firewall::Chains(chains) = &facts.firewall else {
        return Vec::new();
    };
    let port = facts.target.port;
    let is_of_port = |condition: &Condition| match condition {
        Condition::Port(Side::Destination, ranges) => ranges
            .iter()
            .any(|(first, last)| (*first..=*last).contains(&port)),
        _ => false,
    };
    let rules = chains.iter().flat_map(|chain| {
        let translates = chain.rules.iter().filter(|rule| {
            matches!(rule.action, Action::Dnat(..)) && rule.conditions.iter().any(is_of_port)
        });
        translates.map(move |rule| way::place(chain, rule))
    });
    rules.collect()
}
