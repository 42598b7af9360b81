//! Verdicts and codes for synthetic facts.

mod evidence;
mod fixtures;

use std::collections::HashMap;

use super::facts::*;
use super::*;
use crate::host::services::config_search::PortMention;
use crate::host::services::containers::Container;
use crate::host::services::systemd_units::SystemdUnit;
use crate::host::sockets::sock_diag::{SocketInfo, SocketState};
use crate::packet::UDP;
use fixtures::{accepted_facts, facts, listening_socket, refused_facts, socket, socket_address};

fn mention(location: &str, port: u16) -> PortMention {
    PortMention {
        location: location.into(),
        line: 3,
        text: format!("port = {port}"),
        ports: vec![port],
        is_certain: true,
    }
}

#[test]
fn verdict_names_the_main_problem() {
    let ip = |text: &str| -> std::net::IpAddr { text.parse().expect("an address") };
    let v6_first = |facts: &mut PortFacts| {
        facts.resolved.addresses = vec![ip("::1"), ip("127.0.0.1")];
        facts.localhost = facts.resolved.clone();
    };
    let waiting = SocketInfo {
        receive_queue: 2,
        send_queue: 1,
        ..listening_socket("127.0.0.1:62893", 7)
    };
    let not_accepted = socket(SocketState::Established, "127.0.0.1:62893", 0);
    let deferred = socket(SocketState::SynReceived, "127.0.0.1:62893", 0);
    let datagrams = SocketInfo {
        proto: UDP,
        ..socket(SocketState::Closed, "127.0.0.1:62893", 7)
    };
    let client = SocketInfo {
        remote: socket_address("127.0.0.1:5000"),
        ..socket(SocketState::Established, "127.0.0.1:62893", 9)
    };
    let container = Container {
        name: "web".into(),
        container_port: "80/tcp".into(),
        is_running: Some(false),
        exit_code: Some(137),
    };
    let unit = |state: Option<&str>| SystemdUnit {
        name: "server.service".into(),
        mention: mention("/etc/systemd/system/server.service", 62893),
        state: state.map(str::to_owned),
    };
    let watched = |ending| {
        let flow = WatchedFlow {
            summary: "127.0.0.1:40000 → 127.0.0.1:62893".into(),
            ending,
        };
        accepted_facts("62893", "127.0.0.1:62893").with_change(|facts| {
            facts.watch_result = Some(WatchResult {
                seconds: 10,
                flows: vec![flow],
                ..WatchResult::default()
            });
        })
    };
    for (facts, health, code) in [
        (refused_facts("62893"), "problem", "nothing-listens"),
        (
            accepted_facts("62893", "127.0.0.1:62893"),
            "healthy",
            "accepted",
        ),
        (facts("62893"), "problem", "nothing-listens"),
        (
            facts("62893")
                .with_change(|facts| facts.sockets_error = Some("no".into()))
                .with_probe(ConnectOutcome::TimedOut, None),
            "problem",
            "silent",
        ),
        (
            facts("62893").with_change(|facts| facts.sockets_error = Some("no".into())),
            "unknown",
            "sockets-unknown",
        ),
        (
            refused_facts("62893").with_socket(datagrams),
            "problem",
            "udp-only",
        ),
        (
            refused_facts("62893").with_socket(client),
            "problem",
            "held-by-client",
        ),
        (
            refused_facts("62893").with_socket(socket(SocketState::Bound, "0.0.0.0:62893", 8)),
            "problem",
            "held-unlistening",
        ),
        (
            facts("62893")
                .with_socket(waiting)
                .with_probe(ConnectOutcome::TimedOut, None),
            "problem",
            "backlog-full",
        ),
        (
            facts("62893")
                .with_socket(listening_socket("127.0.0.1:62893", 7))
                .with_probe(ConnectOutcome::TimedOut, None),
            "problem",
            "silent",
        ),
        (
            facts("62893")
                .with_socket(listening_socket("127.0.0.1:62893", 7))
                .with_probe(ConnectOutcome::Accepted, Some(not_accepted.clone())),
            "problem",
            "never-accepts",
        ),
        (
            facts("62893")
                .with_socket(listening_socket("127.0.0.1:62893", 1))
                .with_probe(ConnectOutcome::Accepted, Some(not_accepted.clone())),
            "unknown",
            "starts-when-asked",
        ),
        (
            facts("62893")
                .with_socket(listening_socket("127.0.0.1:62893", 7))
                .with_probe(ConnectOutcome::Accepted, Some(deferred)),
            "healthy",
            "accepted",
        ),
        (
            facts("62893")
                .with_change(v6_first)
                .with_socket(listening_socket("127.0.0.1:62893", 7))
                .with_probe(ConnectOutcome::Refused, None)
                .with_probe(ConnectOutcome::Accepted, None),
            "problem",
            "only-ipv4",
        ),
        (
            refused_facts("127.0.0.1:62893").with_socket(listening_socket("[::1]:62893", 7)),
            "problem",
            "only-ipv6",
        ),
        (
            refused_facts("127.0.0.1:62893").with_socket(listening_socket("127.0.0.2:62893", 7)),
            "problem",
            "other-address",
        ),
        (
            accepted_facts("62893", "127.0.0.1:62893")
                .with_socket(listening_socket("[::1]:62893", 8)),
            "problem",
            "two-servers",
        ),
        (
            accepted_facts("127.0.0.1:62893", "127.0.0.1:62893")
                .with_socket(listening_socket("[::1]:62893", 8)),
            "healthy",
            "accepted",
        ),
        (
            refused_facts("62893").with_change(|facts| facts.units = vec![unit(Some("failed"))]),
            "problem",
            "unit-down",
        ),
        (
            refused_facts("62893").with_change(|facts| facts.containers = vec![container.clone()]),
            "problem",
            "container-down",
        ),
        (
            refused_facts("62893").with_change(|facts| facts.units = vec![unit(None)]),
            "problem",
            "nothing-listens",
        ),
        (
            refused_facts("62893").with_change(|facts| facts.interfaces[0].is_up = false),
            "problem",
            "lo-down",
        ),
        (
            refused_facts("62893").with_change(|facts| facts.interfaces[0].addresses.clear()),
            "problem",
            "lo-no-address",
        ),
        (
            accepted_facts("62893", "127.0.0.1:62893")
                .with_change(|facts| facts.localhost.addresses.clear()),
            "problem",
            "localhost-unresolved",
        ),
        (
            facts("nowhere:62893").with_change(|facts| facts.resolved = NameResolution::default()),
            "problem",
            "name-not-resolved",
        ),
        (
            facts("203.0.113.9:62893").with_probe(ConnectOutcome::TimedOut, None),
            "problem",
            "silent",
        ),
        (
            facts("203.0.113.9:62893").with_probe(ConnectOutcome::Accepted, None),
            "healthy",
            "accepted",
        ),
        (
            facts("203.0.113.9:62893")
                .with_probe(ConnectOutcome::Unreachable("no route".into()), None),
            "problem",
            "unreachable",
        ),
        (watched(WatchedFlowEnd::Refused), "problem", "seen-refused"),
        (watched(WatchedFlowEnd::Reset), "problem", "seen-reset"),
        (watched(WatchedFlowEnd::NoAnswer), "healthy", "accepted"),
        (watched(WatchedFlowEnd::Other), "healthy", "accepted"),
    ] {
        let found = findings(&facts);
        let verdict = DoctorVerdict::from_findings(&found);
        assert_eq!(
            (verdict.health.name(), verdict.code),
            (health, code),
            "{found:#?}"
        );
        assert!(!verdict.message.is_empty());
    }
}

#[test]
fn codes_are_kebab_case_and_belong_to_one_check() {
    let mut seen: HashMap<&str, &str> = HashMap::new();
    for facts in [
        facts("62893"),
        accepted_facts("62893", "[::]:62893"),
        refused_facts("80"),
    ] {
        for finding in findings(&facts) {
            let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(finding.code.chars().all(is_plain), "{}", finding.code);
            let check = seen.entry(finding.code).or_insert(finding.check);
            assert_eq!(*check, finding.check);
        }
    }
}
