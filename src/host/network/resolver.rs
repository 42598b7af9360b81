//! Name resolution on this machine: the hosts file (hosts(5)), the order of the sources
//! (nsswitch.conf(5)), and the resulting addresses (getaddrinfo(3)).

use std::io;
use std::net::{IpAddr, ToSocketAddrs};

/// The path of the hosts file.
pub const HOSTS_FILE: &str = "/etc/hosts";

/// A line of the hosts file that assigns names to an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostsEntry {
    /// The line number, starting at 1.
    pub line_number: usize,
    /// The line without comment and surrounding white space.
    pub text: String,
    /// The address; `None` if it is not valid.
    pub address: Option<IpAddr>,
    /// The names.
    pub names: Vec<String>,
}

impl HostsEntry {
    /// True if the line assigns this name; upper and lower case are equivalent.
    pub fn has_name(&self, name: &str) -> bool {
        let mut names = self.names.iter();
        names.any(|candidate| candidate.eq_ignore_ascii_case(name))
    }
}

/// Reads the lines of the hosts file that assign names.
///
/// # Errors
/// The file does not exist or cannot be read.
pub fn read_hosts() -> io::Result<Vec<HostsEntry>> {
    let bytes = std::fs::read(HOSTS_FILE)?;
    Ok(parse_hosts(&String::from_utf8_lossy(&bytes)))
}

pub(in crate::host) fn parse_hosts(text: &str) -> Vec<HostsEntry> {
    let parse_line = |(at, line): (usize, &str)| {
        let line = line.split('#').next().unwrap_or("").trim();
        let mut fields = line.split_whitespace();
        let first = fields.next()?;
        // The address can have a zone ID: fe80::1%lo0.
        let address = first.split('%').next().unwrap_or(first);
        Some(HostsEntry {
            line_number: at + 1,
            text: line.to_owned(),
            address: address.parse().ok(),
            names: fields.map(str::to_owned).collect(),
        })
    };
    text.lines().enumerate().filter_map(parse_line).collect()
}

/// Returns the sources of host names, in order: `files dns`; `None` if they are not configured.
pub fn nss_sources() -> Option<String> {
    let text = std::fs::read_to_string("/etc/nsswitch.conf").ok()?;
    let mut lines = text.lines();
    let line = lines.find_map(|line| line.trim_start().strip_prefix("hosts:"))?;
    let sources: Vec<&str> = line.split('#').next()?.split_whitespace().collect();
    Some(sources.join(" "))
}

/// Returns the addresses of a name, in the order in which a program should try them.
///
/// # Errors
/// The name does not exist or has no address.
pub fn resolve(name: &str) -> io::Result<Vec<IpAddr>> {
    let mut found = Vec::new();
    for address in (name, 0).to_socket_addrs()? {
        if !found.contains(&address.ip()) {
            found.push(address.ip());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_file_is_parsed_with_line_numbers() {
        let text = "# local\n127.0.0.1\tlocalhost me # it\n\n::1 localhost\n127.0.0 localhost\nfe80::1%lo0 localhost\n";
        let found = parse_hosts(text);
        let lines: Vec<_> = found
            .iter()
            .map(|line| {
                (
                    line.line_number,
                    line.address.is_some(),
                    line.has_name("LOCALHOST"),
                )
            })
            .collect();
        assert_eq!(
            lines,
            [
                (2, true, true),
                (4, true, true),
                (5, false, true),
                (6, true, true)
            ]
        );
        assert_eq!(found[0].text, "127.0.0.1\tlocalhost me");
    }

    #[test]
    fn addresses_resolve_to_themselves() {
        for address in ["127.0.0.1", "::1"] {
            let found = resolve(address).expect("an address");
            assert_eq!(found, [address.parse::<IpAddr>().expect("an address")]);
        }
    }
}
