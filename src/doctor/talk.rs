//! Asking a service for an answer, only where somebody wants that: HTTP (RFC 9110), TLS (RFC 8446), Redis, PostgreSQL.

use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::PollFlags;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use super::facts::{Facts, Said};
use super::probe::is_ready;

/// A service has this long to answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// A protocol: how it is asked, and what an answer means.
struct Question {
    name: &'static str,
    /// Names of services, schemes and programs that speak it.
    spoken_by: &'static [&'static str],
    ports: &'static [u16],
    words: fn(&Facts) -> Vec<u8>,
    /// What an answer says; none if it is of something else.
    read: fn(&[u8]) -> Option<String>,
}

const QUESTIONS: [Question; 4] = [
    Question {
        name: "Redis PING",
        spoken_by: &["redis", "redis-server", "valkey", "valkey-server"],
        ports: &[6379],
        words: |_| b"PING\r\n".to_vec(),
        read: |answer| {
            let is_it = answer.starts_with(b"+PONG") || answer.starts_with(b"-");
            is_it.then(|| first_line(answer))
        },
    },
    Question {
        name: "PostgreSQL SSLRequest",
        spoken_by: &["postgres", "postgresql", "postmaster"],
        ports: &[5432],
        // Its length and its code, 1234 and 5679 in two halves.
        words: |_| vec![0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f],
        read: |answer| match answer {
            [b'S'] => Some("S: it speaks TLS".into()),
            [b'N'] => Some("N: it speaks, without TLS".into()),
            [b'E', ..] => Some("an error".into()),
            _ => None,
        },
    },
    Question {
        name: "TLS ClientHello",
        spoken_by: &["https", "wss", "imaps", "ldaps"],
        ports: &[443, 8443],
        words: |_| client_hello(),
        read: |answer| match answer {
            [22, 3, _, ..] => Some("ServerHello".into()),
            [21, 3, _, _, _, _, alert, ..] => Some(format!("alert {alert}")),
            _ => None,
        },
    },
    Question {
        name: "HTTP HEAD",
        spoken_by: &[
            "http", "http-alt", "ws", "nginx", "apache2", "httpd", "node", "python", "python3",
            "caddy", "ruby", "php",
        ],
        ports: &[80, 3000, 4200, 5000, 5173, 8000, 8080, 8888, 9000],
        words: |facts| {
            let host = &facts.target;
            format!("HEAD / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").into_bytes()
        },
        read: |answer| answer.starts_with(b"HTTP/").then(|| first_line(answer)),
    },
];

/// Asks what the service probably understands, and reads what it says; none where nothing says what it speaks.
pub(super) fn ask(facts: &Facts, stream: &OwnedFd) -> Option<Said> {
    let question = guess(facts)?;
    let said = |answer, is_right| {
        Some(Said {
            asked: question.name,
            answer,
            is_right,
        })
    };
    if send(stream, &(question.words)(facts), SendFlags::NOSIGNAL).is_err() {
        return said(None, false);
    }
    let mut answer = [0; 1024];
    let is_there = is_ready(stream, PollFlags::IN, PATIENCE).unwrap_or(false);
    let len = match is_there.then(|| recv(stream, &mut answer, RecvFlags::DONTWAIT)) {
        Some(Ok((len, _))) if len > 0 => len,
        _ => return said(None, false),
    };
    match (question.read)(&answer[..len]) {
        Some(meaning) => said(Some(meaning), true),
        None => said(Some(first_line(&answer[..len])), false),
    }
}

/// By the URL, else by the port's service, else by the program.
fn guess(facts: &Facts) -> Option<&'static Question> {
    let knows = |word: &str| {
        let mut all = QUESTIONS.iter();
        all.find(|question| question.spoken_by.contains(&word))
    };
    let by_port = || {
        let mut all = QUESTIONS.iter();
        all.find(|question| question.ports.contains(&facts.target.port))
    };
    let mut programs = facts.servers.values();
    facts
        .target
        .scheme
        .as_deref()
        .and_then(knows)
        .or_else(|| facts.service[0].as_deref().and_then(knows))
        .or_else(by_port)
        .or_else(|| programs.find_map(|server| knows(server.process.name())))
}

fn first_line(answer: &[u8]) -> String {
    const MOST: usize = 100;
    let line = answer
        .split(|&byte| byte == b'\n')
        .next()
        .unwrap_or_default();
    let text = String::from_utf8_lossy(&line[..line.len().min(MOST)]);
    text.trim_end().to_owned()
}

/// The smallest that servers answer, if only with an alert.
fn client_hello() -> Vec<u8> {
    // Version 1.2, a random number that is none, no session, three suites, no compression; groups and signatures that everybody knows.
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
    fn the_hello_is_one() {
        let hello = client_hello();
        assert_eq!(hello.len(), 5 + usize::from(hello[4]));
        assert_eq!(hello.len(), 9 + usize::from(hello[8]));
    }

    #[test]
    fn services_are_guessed_by_what_is_said_of_them() {
        for (target, name, service) in [
            ("https://localhost:62893", "TLS ClientHello", None),
            ("6379", "Redis PING", None),
            ("80", "HTTP HEAD", Some("http")),
            ("62893", "", None),
            ("62893", "PostgreSQL SSLRequest", Some("postgresql")),
        ] {
            let mut facts = Facts::of(target.parse().expect("a target"));
            facts.service[0] = service.map(str::to_owned);
            let question = guess(&facts).map_or("", |question| question.name);
            assert_eq!(question, name, "{target}");
        }
    }
}
