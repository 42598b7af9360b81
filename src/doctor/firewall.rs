//! Firewall rules for connections of this machine to itself.

use super::facts::{ConnectOutcome, PortFacts, ProbeResult};
use super::finding::{CheckName, Finding, Severity};
use super::nft_eval::{self, TracedRule};
use crate::host::network::firewall::{Firewall, LegacyRule, RuleAction};

const CHECK: CheckName = CheckName("firewall");

pub(super) fn check(facts: &PortFacts) -> Vec<Finding> {
    let mut found = check_nft_chains(facts);
    found.extend(check_legacy_rules(facts));
    found
}

/// Reports rules of the legacy iptables that name the port. Other conditions are not evaluated.
fn check_legacy_rules(facts: &PortFacts) -> Option<Finding> {
    let port = facts.target.port.to_string();
    let names_port =
        |rule: &&LegacyRule| rule.text.split([' ', ',', ':']).any(|token| token == port);
    let rules: Vec<&LegacyRule> = facts.legacy_rules.iter().filter(names_port).collect();
    let first = rules.first()?;
    let lines = rules
        .iter()
        .map(|rule| format!("{} -t {} {}", rule.program, rule.table, rule.text));
    let message = format!("legacy iptables rules, which nft does not list, name port {port}");
    let args = first.text.trim_start_matches("-A ");
    let removal = format!("sudo {} -t {} -D {args}", first.program, first.table);
    let is_reachable = facts.is_reachable();
    Some(
        CHECK
            .finding(Severity::note_unless(is_reachable), "legacy-rules", message)
            .with_evidence_lines(lines)
            .with_remedy_if(!is_reachable, removal),
    )
}

/// Evaluates the nftables rules for each probed address.
fn check_nft_chains(facts: &PortFacts) -> Vec<Finding> {
    let chains = match &facts.firewall {
        Firewall::NotQueried => return Vec::new(),
        Firewall::Absent => {
            let message = "nft is not installed, so the firewall rules cannot be read";
            let finding = CHECK.unknown("nft-absent", message);
            return vec![finding.with_remedy("sudo apt-get install nftables")];
        }
        Firewall::NotPermitted => {
            let message = "this user is not permitted to read the firewall rules";
            let finding = CHECK.unknown("firewall-hidden", message);
            return vec![finding.with_remedy(facts.command_as_root())];
        }
        Firewall::Failed(error) => {
            let message = format!("nft could not list the firewall rules: {error}");
            return vec![CHECK.unknown("firewall-unknown", message)];
        }
        Firewall::Chains(chains) => chains,
    };
    let lo = facts.loopback().map_or("lo", |lo| lo.name.as_str());
    let (mut found, mut is_clear) = (Vec::<Finding>::new(), true);
    let probes = facts.probes.iter();
    for probe in probes.filter(|probe| facts.is_local_address(probe.address.ip())) {
        let rules = nft_eval::trace_loopback(chains, lo, probe.address.ip(), facts.target.port);
        is_clear &= rules.is_empty();
        for finding in rules
            .iter()
            .filter_map(|hit| rule_finding(facts, probe, hit))
        {
            // The same rule may match packets to several addresses.
            if !found.iter().any(|other| other.evidence == finding.evidence) {
                found.push(finding);
            }
        }
    }
    if found.is_empty() {
        let rules: usize = chains.iter().map(|chain| chain.rules.len()).sum();
        let message = match rules {
            0 => "the firewall has no rules".to_owned(),
            _ if !is_clear => {
                "the firewall lets the connection pass; lcap cannot fully evaluate its rules".into()
            }
            1 => "the only rule of the firewall does not block the port".into(),
            rules => format!("none of the {rules} rules of the firewall blocks the port"),
        };
        let code = if rules == 0 || is_clear {
            "no-rule"
        } else {
            "let-pass"
        };
        found.push(CHECK.ok(code, message));
    }
    found
}

fn rule_finding(facts: &PortFacts, probe: &ProbeResult, hit: &TracedRule) -> Option<Finding> {
    let endpoint = probe.address;
    let is_accepted = probe.outcome == ConnectOutcome::Accepted;
    let finding = match (&hit.action, hit.is_certain) {
        (RuleAction::Accept, true) => CHECK.ok(
            "let-pass",
            format!("a firewall rule accepts packets to {endpoint}"),
        ),
        (RuleAction::Drop, true) if !is_accepted => CHECK.problem(
            "dropped",
            format!("the firewall drops packets to {endpoint}"),
        ),
        (RuleAction::Reject, true) if !is_accepted => CHECK.problem(
            "rejected",
            format!("the firewall rejects packets to {endpoint}"),
        ),
        (RuleAction::Redirect(_) | RuleAction::Dnat(..), true) => {
            redirect_finding(facts, probe, hit)
        }
        (RuleAction::Drop | RuleAction::Reject | RuleAction::Unknown, _) if !is_accepted => CHECK
            .note(
                "may-be-dropped",
                format!(
                    "a firewall rule that lcap cannot fully evaluate may drop packets to {endpoint}"
                ),
            ),
        _ => return None,
    };
    let is_fault = finding.severity != Severity::Ok;
    let finding = finding.with_evidence(hit.text.clone());
    Some(finding.with_remedy_if(is_fault, hit.removal_command.clone()))
}

/// Reports a redirect: a problem if it bypasses a listening server, or if no server answers.
fn redirect_finding(facts: &PortFacts, probe: &ProbeResult, hit: &TracedRule) -> Finding {
    let endpoint = probe.address;
    let to = match &hit.action {
        RuleAction::Redirect(Some(port)) => format!("port {port}"),
        RuleAction::Dnat(Some(address), Some(port)) => format!("{address}:{port}"),
        RuleAction::Dnat(Some(address), None) => address.clone(),
        _ => "another address".to_owned(),
    };
    let message = format!("the firewall redirects packets for {endpoint} to {to}");
    let is_shadowed = facts.listener_for(endpoint.ip()).is_some();
    let is_answered = probe.outcome == ConnectOutcome::Accepted && !is_shadowed;
    CHECK.finding(Severity::problem_unless(is_answered), "redirected", message)
}
