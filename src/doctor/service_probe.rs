//! Protocol requests of `--talk`: HTTP (RFC 9110), TLS (RFC 8446), Redis and PostgreSQL.

use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::PollFlags;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use super::facts::{PortFacts, ServiceReply};
use super::readiness::wait_until_ready;

/// Timeout for the reply.
const REPLY_TIMEOUT: Duration = Duration::from_secs(1);

/// A protocol: its request and the interpretation of the reply.
struct ServiceProbe {
    name: &'static str,
    /// Services, URL schemes and programs that use the protocol.
    service_names: &'static [&'static str],
    ports: &'static [u16],
    request: fn(&PortFacts) -> Vec<u8>,
    /// Returns the meaning of a reply, or none if the reply is not valid in this protocol.
    parse_reply: fn(&[u8]) -> Option<String>,
}

const SERVICE_PROBES: [ServiceProbe; 4] = [
    ServiceProbe {
        name: "Redis PING",
        service_names: &["redis", "redis-server", "valkey", "valkey-server"],
        ports: &[6379],
        request: |_| b"PING\r\n".to_vec(),
        parse_reply: |reply| {
            let is_redis = reply.starts_with(b"+PONG") || reply.starts_with(b"-");
            is_redis.then(|| first_line(reply))
        },
    },
    ServiceProbe {
        name: "PostgreSQL SSLRequest",
        service_names: &["postgres", "postgresql", "postmaster"],
        ports: &[5432],
        // The length, and the request code: 1234 and 5679 as 16-bit numbers.
        request: |_| vec![0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f],
        parse_reply: |reply| match reply {
            [b'S'] => Some("S (TLS is supported)".into()),
            [b'N'] => Some("N (TLS is not supported)".into()),
            [b'E', ..] => Some("ErrorResponse".into()),
            _ => None,
        },
    },
    ServiceProbe {
        name: "TLS ClientHello",
        service_names: &["https", "wss", "imaps", "ldaps"],
        ports: &[443, 8443],
        request: |_| client_hello(),
        parse_reply: |reply| match reply {
            [22, 3, _, ..] => Some("ServerHello".into()),
            [21, 3, _, _, _, _, alert, ..] => Some(format!("alert {alert}")),
            _ => None,
        },
    },
    ServiceProbe {
        name: "HTTP HEAD",
        service_names: &[
            "http", "http-alt", "ws", "nginx", "apache2", "httpd", "node", "python", "python3",
            "caddy", "ruby", "php",
        ],
        ports: &[80, 3000, 4200, 5000, 5173, 8000, 8080, 8888, 9000],
        request: |facts| {
            let target = &facts.target;
            format!("HEAD / HTTP/1.1\r\nHost: {target}\r\nConnection: close\r\n\r\n").into_bytes()
        },
        parse_reply: |reply| reply.starts_with(b"HTTP/").then(|| first_line(reply)),
    },
];

/// Sends a request in the protocol that the service probably uses and reads the reply. Returns none
/// if the protocol cannot be derived.
pub(super) fn probe_service(facts: &PortFacts, stream: &OwnedFd) -> Option<ServiceReply> {
    let probe = select_probe(facts)?;
    let outcome = |answer, is_expected| {
        Some(ServiceReply {
            request: probe.name,
            answer,
            is_expected,
        })
    };
    if send(stream, &(probe.request)(facts), SendFlags::NOSIGNAL).is_err() {
        return outcome(None, false);
    }
    let mut reply = [0; 1024];
    let is_ready = wait_until_ready(stream, PollFlags::IN, REPLY_TIMEOUT).unwrap_or(false);
    let len = match is_ready.then(|| recv(stream, &mut reply, RecvFlags::DONTWAIT)) {
        Some(Ok((len, _))) if len > 0 => len,
        _ => return outcome(None, false),
    };
    match (probe.parse_reply)(&reply[..len]) {
        Some(meaning) => outcome(Some(meaning), true),
        None => outcome(Some(first_line(&reply[..len])), false),
    }
}

/// Selects the protocol by the URL scheme, the service name of the port, the port, or the program.
fn select_probe(facts: &PortFacts) -> Option<&'static ServiceProbe> {
    let by_name = |name: &str| {
        let mut probes = SERVICE_PROBES.iter();
        probes.find(|probe| probe.service_names.contains(&name))
    };
    let by_port = || {
        let mut probes = SERVICE_PROBES.iter();
        probes.find(|probe| probe.ports.contains(&facts.target.port))
    };
    let mut programs = facts.server_processes.values();
    facts
        .target
        .scheme
        .as_deref()
        .and_then(by_name)
        .or_else(|| facts.service_names[0].as_deref().and_then(by_name))
        .or_else(by_port)
        .or_else(|| programs.find_map(|server| by_name(server.process.name())))
}

fn first_line(reply: &[u8]) -> String {
    const MAX_LINE_BYTES: usize = 100;
    let line = reply
        .split(|&byte| byte == b'\n')
        .next()
        .unwrap_or_default();
    let text = String::from_utf8_lossy(&line[..line.len().min(MAX_LINE_BYTES)]);
    text.trim_end().to_owned()
}

/// Builds a minimal ClientHello, which servers answer with a ServerHello or an alert.
fn client_hello() -> Vec<u8> {
    // TLS 1.2, a constant instead of random bytes, no session, three cipher suites, no compression;
    // common groups and signature algorithms.
    let mut hello = vec![3, 3];
    hello.extend([0x6c; 32]);
    hello.extend([0, 0, 6, 0xc0, 0x2f, 0xc0, 0x2b, 0x00, 0x9c, 1, 0]);
    let extensions = [
        0, 10, 0, 6, 0, 4, 0, 29, 0, 23, // supported_groups
        0, 11, 0, 2, 1, 0, // ec_point_formats
        0, 13, 0, 8, 0, 6, 4, 3, 4, 1, 8, 4, // signature_algorithms
    ];
    hello.extend([0, extensions.len() as u8]);
    hello.extend(extensions);
    let mut record = vec![
        22,
        3,
        1,
        0,
        hello.len() as u8 + 4,
        1,
        0,
        0,
        hello.len() as u8,
    ];
    record.extend(hello);
    record
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_hello_has_consistent_lengths() {
        let hello = client_hello();
        assert_eq!(hello.len(), 5 + usize::from(hello[4]));
        assert_eq!(hello.len(), 9 + usize::from(hello[8]));
    }

    #[test]
    fn service_probe_is_selected_by_scheme_service_or_port() {
        for (target, name, service) in [
            ("https://localhost:62893", "TLS ClientHello", None),
            ("6379", "Redis PING", None),
            ("80", "HTTP HEAD", Some("http")),
            ("62893", "", None),
            ("62893", "PostgreSQL SSLRequest", Some("postgresql")),
        ] {
            let mut facts = PortFacts::new(target.parse().expect("a target"));
            facts.service_names[0] = service.map(str::to_owned);
            let selected = select_probe(&facts).map_or("", |probe| probe.name);
            assert_eq!(selected, name, "{target}");
        }
    }
}
