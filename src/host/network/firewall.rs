//! Firewall rules, as listed by nft(8): those of nftables, and those of iptables if it uses the
//! nf_tables backend.

mod legacy;
mod nftables;

pub use legacy::{LegacyRule, legacy_rules};
pub use nftables::{Chain, Hook, PacketEnd, Rule, RuleAction, RuleCondition};

use std::io;
use std::process::Command;

use crate::host::subprocess::{self, RunningCommand};

/// The rules of the firewall, or the reason why they are not available.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Firewall {
    /// The rules were not queried so far.
    #[default]
    NotQueried,
    /// nft(8) is not installed on this machine.
    Absent,
    /// Listing the rules requires CAP_NET_ADMIN.
    NotPermitted,
    /// nft(8) failed, with this message.
    Failed(String),
    /// The chains with their rules.
    Chains(Vec<Chain>),
}

/// Lists all rules of this network namespace with nft(8).
pub fn read() -> Firewall {
    // JSON output (-j) and text output with handles (-a); both commands run at the same time.
    let [json, text] = ["-j", "-a"].map(|option| {
        let mut command = Command::new("nft");
        subprocess::spawn(command.args([option, "list", "ruleset"]))
    });
    let [json, text] = [json, text].map(|running| running.and_then(RunningCommand::wait));
    let (json, text) = match json.and_then(|json| Ok((json, text?))) {
        Ok(outputs) => outputs,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Firewall::Absent,
        Err(error) => return Firewall::Failed(error.to_string()),
    };
    if let Some(failed) = [&json, &text].into_iter().find(|output| !output.is_success) {
        let reason = failed.stderr.lines().next();
        return match reason.unwrap_or("it printed no error message") {
            reason if reason.contains("not permitted") => Firewall::NotPermitted,
            reason => Firewall::Failed(reason.to_owned()),
        };
    }
    parse(&json.stdout, &text.stdout)
}

/// Parses the JSON output and the text output of nft.
pub(in crate::host) fn parse(json: &str, listing: &str) -> Firewall {
    match nftables::parse_chains(json, listing) {
        Some(chains) => Firewall::Chains(chains),
        None => Firewall::Failed("its output is not in the format of libnftables-json(5)".into()),
    }
}
