//! Service names of ports: the IANA names in /etc/services (services(5)).

use std::collections::HashMap;

use crate::packet::{TCP, UDP};

/// Service names by protocol and port.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Services(HashMap<(u8, u16), String>);

impl Services {
    /// Reads this machine's /etc/services; returns no names if the file cannot be read.
    pub fn read() -> Services {
        Services::parse(&std::fs::read_to_string("/etc/services").unwrap_or_default())
    }

    /// Parses lines of the form `name  port/protocol  aliases  # comment`.
    pub fn parse(text: &str) -> Services {
        let mut names = HashMap::new();
        for line in text.lines() {
            let mut fields = line.split('#').next().unwrap_or("").split_whitespace();
            let (Some(name), Some(port_and_proto)) = (fields.next(), fields.next()) else {
                continue;
            };
            let Some((port, proto)) = port_and_proto.split_once('/') else {
                continue;
            };
            let proto = match proto {
                "tcp" => TCP,
                "udp" => UDP,
                _ => continue,
            };
            if let Ok(port) = port.parse() {
                // The first entry counts, as for getservbyport(3).
                names
                    .entry((proto, port))
                    .or_insert_with(|| name.to_owned());
            }
        }
        Services(names)
    }

    /// Returns the service name of a port, if it has one.
    pub fn name(&self, proto: u8, port: u16) -> Option<&str> {
        self.0.get(&(proto, port)).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_depend_on_protocol_and_port() {
        let services = Services::parse(
            "http 80/tcp www # World Wide Web\n# 81/tcp\ndomain 53/udp\nbroken\nx y/tcp\nother 80/tcp\n",
        );
        assert_eq!(services.name(TCP, 80), Some("http"));
        assert_eq!(services.name(UDP, 53), Some("domain"));
        assert_eq!(services.name(UDP, 80), None);
        assert_eq!(services.name(TCP, 81), None);
    }
}
