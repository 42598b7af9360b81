//! What is asked for: a port, with a host before it, or in a URL (RFC 3986).

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// An end that somebody wants to reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// A name or an address.
    pub host: String,
    /// 1 to 65535.
    pub port: u16,
    /// How a URL begins.
    pub scheme: Option<String>,
}

/// Ports of URLs that do not say theirs.
const SCHEMES: [(&str, u16); 16] = [
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
    /// The address, where no name is asked for.
    pub fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// Whether that is what everybody calls this machine.
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
        let end = match scheme {
            Some(_) => {
                let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
                authority.rsplit('@').next().unwrap_or("")
            }
            // What was copied out of a browser may have its path, too.
            None => rest.split('/').next().unwrap_or(""),
        };
        let usual = scheme.as_deref().and_then(|scheme| {
            let mut known = SCHEMES.iter();
            known
                .find(|(name, _)| *name == scheme)
                .map(|(_, port)| *port)
        });
        let (host, port) = split(end).ok_or_else(|| {
            format!("{text}: an IPv6 address stands in brackets before its port, as [::1]:62893")
        })?;
        let port = match (port, usual) {
            (Some(port), _) => number(port)?,
            (None, Some(usual)) => usual,
            // A number alone is a port.
            (None, None) if scheme.is_none() => {
                let port = number(host).map_err(|why| match host.is_empty() {
                    true => why,
                    false => format!("{why}; a port stands behind a host, as {host}:62893"),
                })?;
                return Ok(Target {
                    host: "localhost".into(),
                    port,
                    scheme,
                });
            }
            (None, None) => return Err(format!("{text}: which port?")),
        };
        let is_odd = |c: char| c.is_whitespace() || c.is_control() || c == ',';
        if host.chars().any(is_odd) {
            return Err(format!("{text}: that is no host"));
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

/// The host and the port of `host:port`, `[host]:port`, `host`.
fn split(end: &str) -> Option<(&str, Option<&str>)> {
    if let Some(rest) = end.strip_prefix('[') {
        let (host, behind) = rest.split_once(']')?;
        host.parse::<Ipv6Addr>().ok()?;
        return match behind {
            "" => Some((host, None)),
            behind => Some((host, Some(behind.strip_prefix(':')?))),
        };
    }
    match end.split_once(':') {
        Some((_, port)) if port.contains(':') => None,
        Some((host, port)) => Some((host, Some(port))),
        None => Some((end, None)),
    }
}

fn number(text: &str) -> Result<u16, String> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let port = is_number.then(|| text.parse().ok()).flatten();
    port.filter(|port| *port > 0)
        .ok_or_else(|| format!("{text:?} is no port: ports are 1 to 65535"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_paste() {
        for (text, shown) in [
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
            assert_eq!(target.to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_port() {
        for (text, why) in [
            ("", "no port"),
            ("0", "1 to 65535"),
            ("65536", "1 to 65535"),
            ("+80", "no port"),
            ("localhost", "stands behind a host"),
            ("::1:62893", "in brackets"),
            ("[x]:1", "in brackets"),
            ("[::1]x", "in brackets"),
            ("foo://x", "which port"),
            ("a b:1", "no host"),
            ("localhost:", "no port"),
        ] {
            let error = text.parse::<Target>().expect_err(text);
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
