//! Evidence and remedies for synthetic facts.

use super::fixtures::{accepted_facts, facts, listening_socket, process, socket, socket_address};
use super::mention;
use crate::doctor::facts::{PortFacts, ServerProcess, WatchResult, WatchedFlow, WatchedFlowEnd};
use crate::doctor::findings;
use crate::host::network::firewall::Firewall;
use crate::host::network::resolver::HostsEntry;
use crate::host::processes::Executable;
use crate::host::services::config_search::ConfigSearch;
use crate::host::sockets::other_netns::NetnsListener;
use crate::host::sockets::sock_diag::{SocketInfo, SocketState};
use crate::packet::TCP;

#[test]
fn findings_contain_the_expected_evidence_and_remedies() {
    let server = |change: fn(&mut ServerProcess)| {
        let mut facts = accepted_facts("62893", "127.0.0.1:62893");
        if let Some(server) = facts.server_processes.get_mut(&7) {
            change(server);
        }
        facts
    };
    let time_wait = SocketInfo {
        inode: 0,
        expires_in_ms: 42_000,
        remote: socket_address("127.0.0.1:40000"),
        ..socket(SocketState::TimeWait, "127.0.0.1:62893", 0)
    };
    let other_listener = NetnsListener {
        local: socket_address("127.0.0.1:62893"),
        proto: TCP,
        namespace_pid: 9,
        namespace_name: Some("blue".into()),
        processes: vec![process(9)],
    };
    let in_other_netns =
        |facts: &mut PortFacts| facts.other_netns.listeners.push(other_listener.clone());
    let with_config = |location: &str, port| {
        let search = ConfigSearch {
            mentions: vec![mention(location, port)],
            ..ConfigSearch::default()
        };
        accepted_facts("62893", "127.0.0.1:62893")
            .with_change(|facts| facts.config_searches = vec![("/srv/app".into(), search)])
    };
    let healthy = || accepted_facts("62893", "127.0.0.1:62893");
    for (facts, code, expected) in [
        (
            accepted_facts("62893", "0.0.0.0:62893"),
            "exposed",
            "eth0 192.0.2.0/24",
        ),
        (healthy(), "this-machine-only", "only this machine"),
        (
            healthy().with_socket(listening_socket("127.0.0.1:62893", 8)),
            "shared",
            "SO_REUSEPORT",
        ),
        (
            healthy().with_socket(time_wait.clone()),
            "time-wait",
            "TIME_WAIT, 42 s left",
        ),
        (
            healthy()
                .with_socket(time_wait)
                .with_change(|facts| facts.next_free_port = Some(62894)),
            "time-wait",
            "now: wait 42 s or use port 62894",
        ),
        (
            healthy().with_change(|facts| {
                facts.watch_result = Some(WatchResult {
                    seconds: 10,
                    flows: vec![WatchedFlow {
                        summary: "127.0.0.1:40000 → 127.0.0.1:62893".into(),
                        ending: WatchedFlowEnd::Refused,
                    }],
                    omitted_flows: [3, 0, 0, 0],
                    ..WatchResult::default()
                });
            }),
            "seen-refused",
            "in 10 s on port 62893: 4 connections refused",
        ),
        (
            healthy().with_change(in_other_netns),
            "other-namespace",
            "process 9 (blue)",
        ),
        (
            with_config("/srv/app/.env", 62893),
            "named",
            "/srv/app/.env:3: port = 62893",
        ),
        (
            with_config("/srv/app/.env", 62894),
            "other-port-named",
            "/srv/app/.env:3: port = 62894",
        ),
        (
            with_config("/srv/app/config/a.toml", 1),
            "other-port-named",
            "a.toml:3",
        ),
        (with_config("/srv/app/other/a.toml", 1), "", ""),
        (
            healthy().with_change(|facts| facts.firewall = Firewall::NotPermitted),
            "firewall-hidden",
            "sudo lcap doctor",
        ),
        (
            healthy().with_change(|facts| facts.firewall = Firewall::Absent),
            "nft-absent",
            "nftables",
        ),
        (
            healthy()
                .with_change(|facts| facts.holders = Default::default())
                .with_change(|facts| facts.holders.hidden_processes = 3),
            "listener-hidden",
            "3 processes of other users",
        ),
        (
            healthy().with_change(|facts| facts.settings.ephemeral_ports = Some((60_000, 63_000))),
            "ephemeral-port",
            "60000 to 63000",
        ),
        (
            facts("81").with_change(|facts| {
                facts.settings.unprivileged_port_start = Some(1024);
                facts.euid = 1000;
            }),
            "privileged-port",
            "cap_net_bind_service",
        ),
        (
            server(|server| {
                server.details.executable = Some(Executable {
                    is_deleted: true,
                    ..Executable::default()
                });
            }),
            "deleted-program",
            "/usr/bin/server",
        ),
        (
            server(|server| {
                server.details.executable = Some(Executable {
                    is_world_writable: true,
                    ..Executable::default()
                });
            }),
            "writable-program",
            "chmod o-w /usr/bin/server",
        ),
        (
            server(|server| server.details.is_stopped = true),
            "stopped",
            "kill -CONT 7",
        ),
        (
            server(|server| server.parent = Some(process(1))),
            "orphan",
            "now a child of PID 1; no systemd unit",
        ),
        (
            healthy().with_change(|facts| {
                facts.hosts_file = vec![HostsEntry {
                    line_number: 2,
                    text: "1.2.3 localhost".into(),
                    address: None,
                    names: vec!["localhost".into()],
                }];
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
        let all = format!("{}\n{evidence}\n{:?}", finding.message, finding.remedy);
        assert!(all.contains(expected), "{finding:#?}");
    }
}
