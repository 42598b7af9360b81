//! Checks by made-up facts: what is set up, what is said of it, and the verdict.

mod made;

use std::collections::HashMap;

use super::facts::*;
use super::*;
use crate::host::containers::Container;
use crate::host::elsewhere::Foreign;
use crate::host::firewall::Firewall;
use crate::host::listing::{Listed, State};
use crate::host::mentions::{Mention, Searched};
use crate::host::names::Line;
use crate::host::processes::Program;
use crate::host::units::Unit;
use crate::packet::{TCP, UDP};
use made::{accepted, end, facts, listens, process, refused, socket};

fn mention(place: &str, port: u16) -> Mention {
    Mention {
        place: place.into(),
        line: 3,
        text: format!("port = {port}"),
        ports: vec![port],
        is_sure: true,
    }
}

#[test]
fn verdicts() {
    let ip = |text: &str| -> std::net::IpAddr { text.parse().expect("an address") };
    let v6_first = |facts: &mut Facts| {
        facts.resolved.addresses = vec![ip("::1"), ip("127.0.0.1")];
        facts.localhost = facts.resolved.clone();
    };
    let waiting = Listed {
        receive_queue: 2,
        send_queue: 1,
        ..listens("127.0.0.1:62893", 7)
    };
    let not_accepted = socket(State::Established, "127.0.0.1:62893", 0);
    let deferred = socket(State::SynReceived, "127.0.0.1:62893", 0);
    let datagrams = Listed {
        proto: UDP,
        ..socket(State::Closed, "127.0.0.1:62893", 7)
    };
    let client = Listed {
        remote: end("127.0.0.1:5000"),
        ..socket(State::Established, "127.0.0.1:62893", 9)
    };
    let container = Container {
        name: "web".into(),
        inside: "80/tcp".into(),
        is_running: Some(false),
        exit_code: Some(137),
    };
    let unit = |state: Option<&str>| Unit {
        name: "server.service".into(),
        mention: mention("/etc/systemd/system/server.service", 62893),
        state: state.map(str::to_owned),
    };
    for (facts, health, code) in [
        (refused("62893"), "problem", "nothing-listens"),
        (accepted("62893", "127.0.0.1:62893"), "healthy", "accepted"),
        (facts("62893"), "problem", "nothing-listens"),
        (
            facts("62893")
                .but(|facts| facts.sockets = Err("no".into()))
                .knocked(Outcome::Silent, None),
            "problem",
            "silent",
        ),
        (
            facts("62893").but(|facts| facts.sockets = Err("no".into())),
            "unknown",
            "sockets-unknown",
        ),
        (refused("62893").with(datagrams), "problem", "udp-only"),
        (refused("62893").with(client), "problem", "held-by-client"),
        (
            refused("62893").with(socket(State::Bound, "0.0.0.0:62893", 8)),
            "problem",
            "held-unlistening",
        ),
        (
            facts("62893").with(waiting).knocked(Outcome::Silent, None),
            "problem",
            "backlog-full",
        ),
        (
            facts("62893")
                .with(listens("127.0.0.1:62893", 7))
                .knocked(Outcome::Silent, None),
            "problem",
            "silent",
        ),
        (
            facts("62893")
                .with(listens("127.0.0.1:62893", 7))
                .knocked(Outcome::Accepted, Some(not_accepted.clone())),
            "problem",
            "never-accepts",
        ),
        (
            facts("62893")
                .with(listens("127.0.0.1:62893", 1))
                .knocked(Outcome::Accepted, Some(not_accepted.clone())),
            "unknown",
            "starts-when-asked",
        ),
        (
            facts("62893")
                .with(listens("127.0.0.1:62893", 7))
                .knocked(Outcome::Accepted, Some(deferred)),
            "healthy",
            "accepted",
        ),
        (
            facts("62893")
                .but(v6_first)
                .with(listens("127.0.0.1:62893", 7))
                .knocked(Outcome::Refused, None)
                .knocked(Outcome::Accepted, None),
            "problem",
            "only-ipv4",
        ),
        (
            refused("127.0.0.1:62893").with(listens("[::1]:62893", 7)),
            "problem",
            "only-ipv6",
        ),
        (
            refused("127.0.0.1:62893").with(listens("127.0.0.2:62893", 7)),
            "problem",
            "other-address",
        ),
        (
            accepted("62893", "127.0.0.1:62893").with(listens("[::1]:62893", 8)),
            "problem",
            "two-servers",
        ),
        (
            accepted("127.0.0.1:62893", "127.0.0.1:62893").with(listens("[::1]:62893", 8)),
            "healthy",
            "accepted",
        ),
        (
            refused("62893").but(|facts| facts.units = vec![unit(Some("failed"))]),
            "problem",
            "unit-down",
        ),
        (
            refused("62893").but(|facts| facts.containers = vec![container.clone()]),
            "problem",
            "container-down",
        ),
        (
            refused("62893").but(|facts| facts.units = vec![unit(None)]),
            "problem",
            "nothing-listens",
        ),
        (
            refused("62893").but(|facts| facts.interfaces[0].is_up = false),
            "problem",
            "lo-down",
        ),
        (
            refused("62893").but(|facts| facts.interfaces[0].addresses.clear()),
            "problem",
            "lo-no-address",
        ),
        (
            accepted("62893", "127.0.0.1:62893").but(|facts| facts.localhost.addresses.clear()),
            "problem",
            "localhost-unresolved",
        ),
        (
            facts("nowhere:62893").but(|facts| facts.resolved = Resolved::default()),
            "problem",
            "name-not-resolved",
        ),
        (
            facts("203.0.113.9:62893").knocked(Outcome::Silent, None),
            "problem",
            "silent",
        ),
        (
            facts("203.0.113.9:62893").knocked(Outcome::Accepted, None),
            "healthy",
            "accepted",
        ),
        (
            facts("203.0.113.9:62893").knocked(Outcome::Unreachable("no route".into()), None),
            "problem",
            "unreachable",
        ),
    ] {
        let found = findings(&facts);
        let verdict = Verdict::of(&found);
        assert_eq!(
            (verdict.health.name(), verdict.code),
            (health, code),
            "{found:#?}"
        );
        // What is a problem has a reason.
        assert!(!verdict.what.is_empty());
    }
}

#[test]
fn notes() {
    let server = |change: fn(&mut Server)| {
        let mut facts = accepted("62893", "127.0.0.1:62893");
        if let Some(server) = facts.servers.get_mut(&7) {
            change(server);
        }
        facts
    };
    let resting = Listed {
        inode: 0,
        expires: 42_000,
        remote: end("127.0.0.1:40000"),
        ..socket(State::TimeWait, "127.0.0.1:62893", 0)
    };
    let there = Foreign {
        local: end("127.0.0.1:62893"),
        proto: TCP,
        pid: 9,
        name: Some("blue".into()),
        processes: vec![process(9)],
    };
    let elsewhere = |facts: &mut Facts| facts.elsewhere.sockets.push(there.clone());
    let searched = |port| {
        let found = Searched {
            mentions: vec![mention("/srv/app/.env", port)],
            ..Searched::default()
        };
        accepted("62893", "127.0.0.1:62893")
            .but(|facts| facts.searched = vec![("/srv/app".into(), found)])
    };
    let further = |place: &str| {
        let found = Searched {
            mentions: vec![mention(place, 1)],
            ..Searched::default()
        };
        accepted("62893", "127.0.0.1:62893")
            .but(|facts| facts.searched = vec![("/srv/app".into(), found)])
    };
    let well = || accepted("62893", "127.0.0.1:62893");
    for (facts, code, words) in [
        (
            accepted("62893", "0.0.0.0:62893"),
            "exposed",
            "eth0 192.0.2.0/24",
        ),
        (well(), "this-machine-only", "only this machine"),
        (
            well().with(listens("127.0.0.1:62893", 8)),
            "shared",
            "SO_REUSEPORT",
        ),
        (well().with(resting), "time-wait", "TIME_WAIT for 42 s"),
        (well().but(elsewhere), "other-namespace", "called blue"),
        (searched(62893), "named", "/srv/app/.env:3: port = 62893"),
        (
            searched(62894),
            "other-port-named",
            "/srv/app/.env:3: port = 62894",
        ),
        (
            further("/srv/app/config/a.toml"),
            "other-port-named",
            "a.toml:3",
        ),
        (further("/srv/app/other/a.toml"), "", ""),
        (
            well().but(|facts| facts.firewall = Firewall::NotPermitted),
            "firewall-hidden",
            "sudo lcap doctor",
        ),
        (
            well().but(|facts| facts.firewall = Firewall::Absent),
            "nft-absent",
            "nftables",
        ),
        (
            well()
                .but(|facts| facts.holders = Default::default())
                .but(|facts| facts.holders.hidden = 3),
            "listener-hidden",
            "3 processes",
        ),
        (
            well().but(|facts| facts.settings.ephemeral = Some((60_000, 63_000))),
            "ephemeral-port",
            "60000 to 63000",
        ),
        (
            facts("81").but(|facts| {
                facts.settings.unprivileged_start = Some(1024);
                facts.euid = 1000;
            }),
            "privileged-port",
            "cap_net_bind_service",
        ),
        (
            server(|own| {
                own.details.program = Some(Program {
                    is_deleted: true,
                    ..Program::default()
                });
            }),
            "deleted-program",
            "/usr/bin/server",
        ),
        (
            server(|own| {
                own.details.program = Some(Program {
                    is_world_writable: true,
                    ..Program::default()
                });
            }),
            "writable-program",
            "chmod o-w /usr/bin/server",
        ),
        (
            server(|own| own.details.is_stopped = true),
            "stopped",
            "kill -CONT 7",
        ),
        (
            server(|own| own.parent = Some(process(1))),
            "orphan",
            "no unit",
        ),
        (
            well().but(|facts| {
                facts.hosts = Ok(vec![Line {
                    number: 2,
                    text: "1.2.3 localhost".into(),
                    address: None,
                    names: vec!["localhost".into()],
                }]);
            }),
            "hosts-broken",
            "/etc/hosts:2: 1.2.3 localhost",
        ),
    ] {
        let found = findings(&facts);
        let codes: Vec<&str> = found.iter().map(|finding| finding.code).collect();
        let Some(finding) = found.iter().find(|finding| finding.code == code) else {
            assert!(code.is_empty(), "{code}: {codes:?}");
            assert!(!codes.contains(&"other-port-named"));
            continue;
        };
        let evidence = finding.evidence.join("\n");
        let all = format!("{}\n{evidence}\n{:?}", finding.what, finding.remedy);
        assert!(all.contains(words), "{finding:#?}");
    }
}

#[test]
fn codes_are_one_kind_of_word() {
    let mut seen: HashMap<&str, &str> = HashMap::new();
    for facts in [
        facts("62893"),
        accepted("62893", "[::]:62893"),
        refused("80"),
    ] {
        for finding in findings(&facts) {
            let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(finding.code.chars().all(is_plain), "{}", finding.code);
            // A code is of one check.
            let check = seen.entry(finding.code).or_insert(finding.check);
            assert_eq!(*check, finding.check);
        }
    }
}
