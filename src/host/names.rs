//! What names mean on this machine: the hosts file (hosts(5)), the order of the sources (nsswitch.conf(5)), and what programs get (getaddrinfo(3)).

use std::io;
use std::net::{IpAddr, ToSocketAddrs};

/// Where the hosts file is.
pub const HOSTS: &str = "/etc/hosts";

/// A line of the hosts file that gives names to an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its number, from 1.
    pub number: usize,
    /// The line, without what surrounds it.
    pub text: String,
    /// The address; none if it cannot be read as one.
    pub address: Option<IpAddr>,
    /// The names.
    pub names: Vec<String>,
}

impl Line {
    /// Whether it gives this name.
    pub fn names(&self, name: &str) -> bool {
        self.names.iter().any(|own| own.eq_ignore_ascii_case(name))
    }
}

/// The lines of the hosts file.
///
/// # Errors
/// It is not there, or may not be read.
pub fn hosts() -> io::Result<Vec<Line>> {
    let bytes = std::fs::read(HOSTS)?;
    Ok(lines(&String::from_utf8_lossy(&bytes)))
}

fn lines(text: &str) -> Vec<Line> {
    let read = |(at, line): (usize, &str)| {
        let line = line.split('#').next().unwrap_or("").trim();
        let mut words = line.split_whitespace();
        let first = words.next()?;
        // An interface may stand behind it, as in fe80::1%lo0.
        let address = first.split('%').next().unwrap_or(first);
        Some(Line {
            number: at + 1,
            text: line.to_owned(),
            address: address.parse().ok(),
            names: words.map(str::to_owned).collect(),
        })
    };
    text.lines().enumerate().filter_map(read).collect()
}

/// The sources of addresses, in order: `files dns`; none where nothing is said.
pub fn sources() -> Option<String> {
    let text = std::fs::read_to_string("/etc/nsswitch.conf").ok()?;
    let mut lines = text.lines();
    let line = lines.find_map(|line| line.trim_start().strip_prefix("hosts:"))?;
    let words: Vec<&str> = line
        .split('#')
        .next()
        .unwrap_or("")
        .split_whitespace()
        .collect();
    Some(words.join(" "))
}

/// The addresses that a program gets for a name, in the order in which it is to try them.
///
/// # Errors
/// The name has no address, or nobody knows it.
pub fn resolve(name: &str) -> io::Result<Vec<IpAddr>> {
    let mut found = Vec::new();
    for end in (name, 0).to_socket_addrs()? {
        if !found.contains(&end.ip()) {
            found.push(end.ip());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_hosts() {
        let text = "# local\n127.0.0.1\tlocalhost me # it\n\n::1 localhost\n127.0.0 localhost\nfe80::1%lo0 localhost\n";
        let found = lines(text);
        let told: Vec<_> = found
            .iter()
            .map(|line| (line.number, line.address.is_some(), line.names("LOCALHOST")))
            .collect();
        assert_eq!(
            told,
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
    fn addresses_mean_themselves() {
        for address in ["127.0.0.1", "::1"] {
            let found = resolve(address).expect("an address");
            assert_eq!(found, [address.parse::<IpAddr>().expect("an address")]);
        }
    }
}
