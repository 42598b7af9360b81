//! The rules of the firewall, as nft(8) tells them: nftables, and iptables where that is made of it.

mod legacy;
mod rules;

pub use legacy::{Legacy, rules as legacy_rules};
pub use rules::{Action, Chain, Condition, Hook, Rule, Side};

use std::io;
use std::process::Command;

use super::tool::{self, Question};

/// What is known of the firewall.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Firewall {
    /// Nobody looked.
    #[default]
    Unasked,
    /// There is no nft(8) on this machine.
    Absent,
    /// It takes CAP_NET_ADMIN to see the rules.
    NotPermitted,
    /// Why not, in nft's words.
    Failed(String),
    /// The chains, each with its rules.
    Chains(Vec<Chain>),
}

/// Asks nft(8) for all rules of this network namespace.
pub fn read() -> Firewall {
    // The words for people and the structure, side by side.
    let [structure, words] = ["-j", "-a"].map(|option| {
        let mut command = Command::new("nft");
        tool::ask(command.args([option, "list", "ruleset"]))
    });
    let [structure, words] = [structure, words].map(|asked| asked.and_then(Question::answer));
    let (structure, words) = match (structure, words) {
        (Ok(structure), Ok(words)) => (structure, words),
        (Err(error), _) | (_, Err(error)) if error.kind() == io::ErrorKind::NotFound => {
            return Firewall::Absent;
        }
        (Err(error), _) | (_, Err(error)) => return Firewall::Failed(error.to_string()),
    };
    if let Some(failed) = [&structure, &words]
        .into_iter()
        .find(|said| !said.is_success)
    {
        let why = failed
            .errors
            .lines()
            .next()
            .unwrap_or("it does not say why");
        return match why.contains("not permitted") {
            true => Firewall::NotPermitted,
            false => Firewall::Failed(why.to_owned()),
        };
    }
    match rules::chains(&structure.output, &words.output) {
        Some(chains) => Firewall::Chains(chains),
        None => Firewall::Failed("it does not say what libnftables-json(5) has".into()),
    }
}
