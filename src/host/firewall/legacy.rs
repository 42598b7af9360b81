//! Rules of the old iptables, which nft does not tell of (iptables-save(8)).

use std::process::Command;

use crate::host::tool::{self, Question};

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Legacy {
    /// The program that changes it: `iptables-legacy`, `ip6tables-legacy`.
    pub program: &'static str,
    /// The table that it is in.
    pub table: String,
    /// As it was appended: `-A INPUT -p tcp --dport 80 -j DROP`.
    pub text: String,
}

/// The kernel's lists of tables, and who tells of them.
const PROGRAMS: [(&str, &str); 2] = [
    ("/proc/thread-self/net/ip_tables_names", "iptables-legacy"),
    ("/proc/thread-self/net/ip6_tables_names", "ip6tables-legacy"),
];

/// All rules; none where there are no such tables, or only root may look.
pub fn rules() -> Vec<Legacy> {
    let mut found = Vec::new();
    for (names, program) in PROGRAMS {
        if std::fs::read_to_string(names).is_ok_and(|names| !names.trim().is_empty()) {
            let asked = tool::ask(&mut Command::new(format!("{program}-save")));
            if let Ok(answer) = asked.and_then(Question::answer) {
                found.extend(read(program, &answer.output));
            }
        }
    }
    found
}

/// `*filter`, then `:INPUT ACCEPT [0:0]`, then rules, then `COMMIT`.
fn read(program: &'static str, text: &str) -> Vec<Legacy> {
    let (mut table, mut rules) = (String::new(), Vec::new());
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('*') {
            table = name.to_owned();
        } else if line.starts_with("-A ") {
            rules.push(Legacy {
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
    fn rules_have_tables() {
        let text = "# made\n*nat\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT -j X\nCOMMIT\n*filter\n-A INPUT -j DROP\n";
        let told: Vec<_> = read("iptables-legacy", text)
            .into_iter()
            .map(|rule| (rule.table, rule.text))
            .collect();
        let of = |table: &str, text: &str| (table.to_owned(), text.to_owned());
        assert_eq!(
            told,
            [
                of("nat", "-A OUTPUT -j X"),
                of("filter", "-A INPUT -j DROP")
            ]
        );
    }
}
