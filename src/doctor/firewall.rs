//! What the firewall does to a connection of this machine to itself.

use super::facts::{Facts, Outcome, Probe};
use super::finding::{Check, Finding, shell_word};
use super::way::{self, Hit};
use crate::host::firewall::{Action, Firewall, Legacy};

const CHECK: Check = Check("firewall");

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let mut found = tables(facts);
    found.extend(legacy(facts));
    found
}

/// Rules of the old iptables that name the port: they are not read in full.
fn legacy(facts: &Facts) -> Option<Finding> {
    let port = facts.target.port.to_string();
    let names_port = |rule: &&Legacy| rule.text.split([' ', ',', ':']).any(|word| word == port);
    let rules: Vec<&Legacy> = facts.legacy.iter().filter(names_port).collect();
    let first = rules.first()?;
    let lines = rules
        .iter()
        .map(|rule| format!("{} -t {} {}", rule.program, rule.table, rule.text));
    let what = format!("rules of the old iptables, which nft does not tell of, name port {port}");
    let found = match facts.is_accepted() {
        true => CHECK.ok("legacy-rules", what),
        false => CHECK.note("legacy-rules", what),
    };
    let rest = first.text.trim_start_matches("-A ");
    let removal = format!("sudo {} -t {} -D {rest}", first.program, first.table);
    Some(match facts.is_accepted() {
        true => found.because_of(lines),
        false => found.because_of(lines).mended_by(removal),
    })
}

/// What nft tells of.
fn tables(facts: &Facts) -> Vec<Finding> {
    let chains = match &facts.firewall {
        Firewall::Unasked => return Vec::new(),
        Firewall::Absent => {
            let what = "there is no nft on this machine: the firewall could not be looked at";
            let found = CHECK.unknown("nft-absent", what);
            return vec![found.mended_by("sudo apt-get install nftables")];
        }
        Firewall::NotPermitted => {
            let what = "this user may not look at the firewall";
            let found = CHECK.unknown("firewall-hidden", what);
            return vec![found.mended_by(format!(
                "sudo lcap doctor {}",
                shell_word(&facts.target.to_string())
            ))];
        }
        Firewall::Failed(why) => {
            let what = format!("nft does not tell of the firewall: {why}");
            return vec![CHECK.unknown("firewall-unknown", what)];
        }
        Firewall::Chains(chains) => chains,
    };
    let lo = facts.interfaces.iter().find(|own| own.is_loopback);
    let lo = lo.map_or("lo", |lo| lo.name.as_str());
    let (mut found, mut is_clear) = (Vec::<Finding>::new(), true);
    let own = facts
        .probes
        .iter()
        .filter(|probe| facts.is_own(probe.address.ip()));
    for probe in own {
        let fate = way::round(chains, lo, probe.address.ip(), facts.target.port);
        is_clear &= fate.hits.is_empty();
        for hit in fate.hits {
            let seen = judged(facts, probe, &hit);
            // The same rule may be met on the way to another address.
            let is_known = |other: &Finding| {
                seen.as_ref()
                    .is_some_and(|own| own.evidence == other.evidence)
            };
            if !found.iter().any(is_known) {
                found.extend(seen);
            }
        }
    }
    if found.is_empty() {
        let rules: usize = chains.iter().map(|chain| chain.rules.len()).sum();
        found.push(match rules {
            0 => CHECK.ok("no-rule", "the firewall has no rules"),
            rules if is_clear => CHECK.ok(
                "no-rule",
                format!("none of the firewall's {rules} rules keeps this machine from the port"),
            ),
            _ => CHECK.ok(
                "let-pass",
                "the firewall lets this machine pass, by rules that could not be read in full",
            ),
        });
    }
    found
}

fn judged(facts: &Facts, probe: &Probe, hit: &Hit) -> Option<Finding> {
    let end = probe.address;
    let is_accepted = probe.outcome == Outcome::Accepted;
    let found = match (&hit.action, hit.is_sure) {
        (Action::Accept, true) => CHECK.ok("let-pass", format!("a rule lets {end} pass")),
        (Action::Drop, true) if !is_accepted => CHECK.problem(
            "dropped",
            format!("the firewall drops what is sent to {end}"),
        ),
        (Action::Reject, true) if !is_accepted => CHECK.problem(
            "rejected",
            format!("the firewall rejects what is sent to {end}"),
        ),
        (Action::Redirect(_) | Action::Dnat(..), true) => redirected(facts, probe, hit),
        (Action::Drop | Action::Reject | Action::Unknown, _) if !is_accepted => CHECK.note(
            "may-be-dropped",
            format!("a rule that could not be read in full may keep this machine from {end}"),
        ),
        _ => return None,
    };
    let found = found.because(hit.text.clone());
    let is_ok = found.severity == super::Severity::Ok;
    Some(match &hit.removal {
        Some(removal) if !is_ok => found.mended_by(removal.clone()),
        _ => found,
    })
}

/// Who answers is not who listens, or nobody does.
fn redirected(facts: &Facts, probe: &Probe, hit: &Hit) -> Finding {
    let end = probe.address;
    let to = match &hit.action {
        Action::Redirect(Some(port)) => format!("port {port}"),
        Action::Dnat(Some(address), Some(port)) => format!("{address}:{port}"),
        Action::Dnat(Some(address), None) => address.clone(),
        _ => "elsewhere".to_owned(),
    };
    let what = format!("the firewall leads what is sent to {end} to {to}");
    let is_shadowed = facts.server_of(end.ip()).is_some();
    match probe.outcome == Outcome::Accepted && !is_shadowed {
        true => CHECK.note("redirected", what),
        false => CHECK.problem("redirected", what),
    }
}
