//! The target of a diagnosis: `PORT`, `HOST:PORT` or a URL (RFC 3986).

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use crate::printable::{is_printable, line};

/// A host and a port to diagnose.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Target {
    /// A host name or an IP address.
    pub host: String,
    /// The port, 1 to 65535.
    pub port: u16,
    /// The scheme of a URL, in lower case.
    pub scheme: Option<String>,
}

/// Default ports of URL schemes.
const SCHEME_PORTS: [(&str, u16); 16] = [
    ("http", 80),
    ("https", 443),
    ("ws", 80),
    ("wss", 443),
    ("redis", 6379),
    ("rediss", 6379),
    ("postgres", 5432),
    ("postgresql", 5432),
    ("mysql", 3306),
    ("mongodb", 27017),
    ("amqp", 5672),
    ("amqps", 5671),
    ("mqtt", 1883),
    ("nats", 4222),
    ("ldap", 389),
    ("ssh", 22),
];

impl Target {
    /// The IP address, if the host is an address and not a name.
    pub fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// True if the host is `localhost` or a subdomain of `localhost` (RFC 6761, 6.3).
    pub fn is_localhost(&self) -> bool {
        let name = self.host.trim_end_matches('.').to_ascii_lowercase();
        name == "localhost" || name.ends_with(".localhost")
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.host.parse::<Ipv6Addr>() {
            Ok(address) => write!(f, "[{address}]:{}", self.port),
            Err(_) => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Target, String> {
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) => (Some(scheme.to_ascii_lowercase()), rest),
            None => (None, text),
        };
        let endpoint = match scheme {
            Some(_) => {
                let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
                authority.rsplit('@').next().unwrap_or("")
            }
            // A URL copied from a browser may have a path but no scheme.
            None => rest.split('/').next().unwrap_or(""),
        };
        let default_port = scheme.as_deref().and_then(|scheme| {
            let mut ports = SCHEME_PORTS.iter();
            ports
                .find(|(name, _)| *name == scheme)
                .map(|(_, port)| *port)
        });
        let (host, port) = split_host_port(endpoint).ok_or_else(|| {
            let text = line(text);
            format!("{text}: put the IPv6 address in brackets, e.g. [::1]:62893")
        })?;
        let port = match (port, default_port) {
            (Some(port), _) => parse_port(port)?,
            (None, Some(default_port)) => default_port,
            // A number without a host is a port of localhost.
            (None, None) if scheme.is_none() => {
                let port = parse_port(host)
                    .map_err(|error| format!("{error}; write HOST:PORT, e.g. localhost:3000"))?;
                return Ok(Target {
                    host: "localhost".into(),
                    port,
                    scheme,
                });
            }
            (None, None) => {
                return Err(format!(
                    "{}: no port, and the scheme has no default port; write HOST:PORT, \
                     e.g. localhost:3000",
                    line(text)
                ));
            }
        };
        let is_invalid = |c: char| c.is_whitespace() || !is_printable(c) || c == ',';
        if host.chars().any(is_invalid) {
            return Err(format!("{}: not a valid host name or address", line(text)));
        }
        Ok(Target {
            host: match host {
                "" | "*" => "localhost".into(),
                host => host.into(),
            },
            port,
            scheme,
        })
    }
}

/// Splits `host:port`, `[host]:port` or `host`. Returns none if an IPv6 address has no brackets.
fn split_host_port(endpoint: &str) -> Option<(&str, Option<&str>)> {
    if let Some(rest) = endpoint.strip_prefix('[') {
        let (host, suffix) = rest.split_once(']')?;
        host.parse::<Ipv6Addr>().ok()?;
        return match suffix {
            "" => Some((host, None)),
            suffix => Some((host, Some(suffix.strip_prefix(':')?))),
        };
    }
    match endpoint.split_once(':') {
        Some((_, port)) if port.contains(':') => None,
        Some((host, port)) => Some((host, Some(port))),
        None => Some((endpoint, None)),
    }
}

fn parse_port(text: &str) -> Result<u16, String> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let port = is_number.then(|| text.parse().ok()).flatten();
    port.filter(|port| *port > 0)
        .ok_or_else(|| format!("{text:?} is not a port number (1-65535)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn target_parses_ports_hosts_and_urls() {
        for (text, expected) in [
            ("62893", "localhost:62893"),
            (":62893", "localhost:62893"),
            ("localhost:62893", "localhost:62893"),
            ("127.0.0.1:62893", "127.0.0.1:62893"),
            ("[::1]:62893", "[::1]:62893"),
            ("http://localhost:62893/a?b#c", "localhost:62893"),
            ("http://localhost/a", "localhost:80"),
            ("HTTPS://[::1]", "[::1]:443"),
            ("redis://:word@127.0.0.1", "127.0.0.1:6379"),
            ("postgres://a:b@db:1/x", "db:1"),
            ("localhost:3000/api", "localhost:3000"),
            ("*:80", "localhost:80"),
        ] {
            let target: Target = text.parse().expect(text);
            assert_eq!(target.to_string(), expected);
        }
    }

    #[test]
    fn target_rejects_invalid_input() {
        for (text, reason) in [
            ("", "not a port number"),
            ("0", "1-65535"),
            ("65536", "1-65535"),
            ("+80", "not a port number"),
            ("localhost", "write HOST:PORT, e.g. localhost:3000"),
            ("::1:62893", "in brackets"),
            ("[x]:1", "in brackets"),
            ("[::1]x", "in brackets"),
            ("foo://x", "the scheme has no default"),
            ("a b:1", "not a valid host name"),
            ("localhost:", "not a port number"),
        ] {
            let error = text.parse::<Target>().expect_err(text);
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
