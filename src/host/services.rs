//! What ports are for, by IANA's names as /etc/services has them (services(5)).

use std::collections::HashMap;

use crate::packet::{TCP, UDP};

/// Names by protocol and port.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Services(HashMap<(u8, u16), String>);

impl Services {
    /// Those of this machine; none where it has no such file.
    pub fn read() -> Services {
        Services::of(&std::fs::read_to_string("/etc/services").unwrap_or_default())
    }

    /// `name  port/protocol  aliases  # comment`
    pub fn of(text: &str) -> Services {
        let mut names = HashMap::new();
        for line in text.lines() {
            let mut words = line.split('#').next().unwrap_or("").split_whitespace();
            let (Some(name), Some(end)) = (words.next(), words.next()) else {
                continue;
            };
            let Some((port, proto)) = end.split_once('/') else {
                continue;
            };
            let proto = match proto {
                "tcp" => TCP,
                "udp" => UDP,
                _ => continue,
            };
            if let Ok(port) = port.parse() {
                // The first is the one that getservbyport(3) finds.
                names
                    .entry((proto, port))
                    .or_insert_with(|| name.to_owned());
            }
        }
        Services(names)
    }

    /// The name of a port.
    pub fn name(&self, proto: u8, port: u16) -> Option<&str> {
        self.0.get(&(proto, port)).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_have_names() {
        let services = Services::of(
            "http 80/tcp www # World Wide Web\n# 81/tcp\ndomain 53/udp\nbroken\nx y/tcp\nother 80/tcp\n",
        );
        assert_eq!(services.name(TCP, 80), Some("http"));
        assert_eq!(services.name(UDP, 53), Some("domain"));
        assert_eq!(services.name(UDP, 80), None);
        assert_eq!(services.name(TCP, 81), None);
    }
}
