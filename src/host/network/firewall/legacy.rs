//! Rules of legacy iptables, which nft does not list (iptables-save(8)).

use std::process::Command;

use crate::host::subprocess::{self, RunningCommand};

/// A rule of legacy iptables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegacyRule {
    /// The program that manages the rule: `iptables-legacy` or `ip6tables-legacy`.
    pub program: &'static str,
    /// The table that contains the rule.
    pub table: String,
    /// The rule in the format of iptables-save: `-A INPUT -p tcp --dport 80 -j DROP`.
    pub text: String,
}

/// The files in which the kernel lists legacy tables, and the program that manages each.
const TABLE_LISTS_AND_PROGRAMS: [(&str, &str); 2] = [
    ("/proc/thread-self/net/ip_tables_names", "iptables-legacy"),
    ("/proc/thread-self/net/ip6_tables_names", "ip6tables-legacy"),
];

/// Returns all rules; empty if there are no legacy tables or this process is not permitted to list
/// them.
pub fn legacy_rules() -> Vec<LegacyRule> {
    let mut found = Vec::new();
    for (list, program) in TABLE_LISTS_AND_PROGRAMS {
        if std::fs::read_to_string(list).is_ok_and(|names| !names.trim().is_empty()) {
            let running = subprocess::spawn(&mut Command::new(format!("{program}-save")));
            if let Ok(output) = running.and_then(RunningCommand::wait) {
                found.extend(parse_rules(program, &output.stdout));
            }
        }
    }
    found
}

/// Parses the output of iptables-save: `*filter`, then `:INPUT ACCEPT [0:0]`, then rules, then
/// `COMMIT`.
fn parse_rules(program: &'static str, text: &str) -> Vec<LegacyRule> {
    let (mut table, mut rules) = (String::new(), Vec::new());
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('*') {
            table = name.to_owned();
        } else if line.starts_with("-A ") {
            rules.push(LegacyRule {
                program,
                table: table.clone(),
                text: line.to_owned(),
            });
        }
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn legacy_rules_are_parsed_with_their_table() {
        let text = "# made\n*nat\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT -j X\nCOMMIT\n*filter\n-A INPUT -j DROP\n";
        let rules: Vec<_> = parse_rules("iptables-legacy", text)
            .into_iter()
            .map(|rule| (rule.table, rule.text))
            .collect();
        let rule = |table: &str, text: &str| (table.to_owned(), text.to_owned());
        assert_eq!(
            rules,
            [
                rule("nat", "-A OUTPUT -j X"),
                rule("filter", "-A INPUT -j DROP")
            ]
        );
    }
}
