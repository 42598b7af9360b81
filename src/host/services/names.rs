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
        let parse_line = |line: &str| {
            let mut fields = line.split('#').next()?.split_whitespace();
            let (name, port_and_proto) = (fields.next()?, fields.next()?);
            let (port, proto) = port_and_proto.split_once('/')?;
            let proto = match proto {
                "tcp" => TCP,
                "udp" => UDP,
                _ => return None,
            };
            Some(((proto, port.parse().ok()?), name.to_owned()))
        };
        // The first entry counts, as for getservbyport(3), so it is inserted last.
        Services(text.lines().rev().filter_map(parse_line).collect())
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
