//! The listening process with its user, start time and directory, or likely reasons for its
//! absence.

use std::net::IpAddr;

use super::facts::{PortFacts, ServerProcess};
use super::finding::{CheckName, Finding};
use super::{ports, similar_ports};
use crate::error::{count_noun, shell_quote};
use crate::host::services::containers::Container;
use crate::host::services::systemd_units::SystemdUnit;
use crate::host::sockets::sock_diag::SocketInfo;
use crate::packet::UDP;
use crate::process::Evidence;

const CHECK: CheckName = CheckName("listener");

pub(super) fn check(facts: &PortFacts) -> Vec<Finding> {
    if let Some(error) = &facts.sockets_error {
        let message = format!("the kernel does not list its sockets (sock_diag): {error}");
        return vec![CHECK.unknown("sockets-unknown", message)];
    }
    let sockets = facts.port_listeners();
    let mut found: Vec<Finding> = sockets
        .map(|socket| check_listening_socket(facts, socket))
        .collect();
    found.extend(check_stopped(facts));
    if facts.tcp_listeners().next().is_none() {
        found.extend(check_no_listener(facts));
    } else {
        found.extend(check_other_address(facts));
    }
    found.extend(check_units(facts));
    found.extend(check_containers(facts));
    found
}

fn check_listening_socket(facts: &PortFacts, socket: &SocketInfo) -> Finding {
    let owner = facts.owner(socket);
    let endpoint = socket.local;
    let proto = if socket.proto == UDP { "UDP" } else { "TCP" };
    let message = match owner.evidence {
        Evidence::Holds => format!("{owner} listens on {endpoint} ({proto})"),
        Evidence::NotPermitted => format!(
            "a process of uid {} listens on {endpoint} ({proto}), but this user is not permitted \
             to see the process",
            socket.uid
        ),
        _ => {
            format!("a socket listens on {endpoint} ({proto}), but no visible process has it open")
        }
    };
    if owner.evidence == Evidence::NotPermitted {
        return CHECK
            .unknown("listener-hidden", message)
            .with_evidence(format!(
                "{} of other users cannot be inspected",
                count_noun(facts.holders.hidden_processes, "process")
            ))
            .with_remedy(facts.command_as_root());
    }
    /// Maximum number of processes described per socket.
    const MAX_SHOWN_PROCESSES: usize = 3;
    let servers = owner
        .processes
        .iter()
        .filter_map(|process| facts.server_processes.get(&process.pid));
    let lines = servers.take(MAX_SHOWN_PROCESSES).flat_map(describe_process);
    let more = owner.processes.len().saturating_sub(MAX_SHOWN_PROCESSES);
    let more = (more > 0).then(|| format!("and {}", count_noun(more, "more process")));
    CHECK
        .ok("listens", message)
        .with_evidence_lines(lines.chain(more))
}

/// Describes a process, one fact per line.
pub(super) fn describe_process(server: &ServerProcess) -> Vec<String> {
    let (process, details) = (&server.process, &server.details);
    let pid = process.pid;
    let mut lines = vec![format!(
        "command line of PID {pid}: {}",
        // A process that overwrites its command line leaves trailing blanks.
        process.details().command_line.join(" ").trim_end()
    )];
    let user = &server.user;
    lines.push(match &server.started_at {
        Some(start) => format!("PID {pid} has been running as {user} since {start}"),
        None => format!("PID {pid} runs as {user}"),
    });
    let properties = [
        ("working directory", &details.working_directory),
        ("container", &process.details().container),
        ("systemd unit", &details.systemd_unit),
    ];
    for (name, value) in properties {
        let value = value.as_ref();
        lines.extend(value.map(|value| format!("{name} of PID {pid}: {value}")));
    }
    lines
}

/// Reports a server if all of its processes are stopped.
fn check_stopped(facts: &PortFacts) -> Option<Finding> {
    let pids: Vec<u32> = facts
        .tcp_listeners()
        .flat_map(|socket| facts.pids(socket))
        .collect();
    let is_stopped = |pid: &&u32| {
        let server = facts.server_processes.get(pid);
        server.is_some_and(|server| server.details.is_stopped)
    };
    let stopped: Vec<&u32> = pids.iter().filter(is_stopped).collect();
    // A process that is not stopped still accepts connections.
    if stopped.is_empty() || stopped.len() < pids.len() {
        return None;
    }
    let message = match stopped.len() {
        1 => "the listening process is stopped and accepts no connections",
        _ => "all listening processes are stopped and accept no connections",
    };
    let pid_list: Vec<String> = stopped.iter().map(ToString::to_string).collect();
    Some(
        CHECK
            .problem("stopped", message)
            .with_evidence(format!("State: T in /proc/{}/status", stopped[0]))
            .with_remedy(format!("kill -CONT {}", pid_list.join(" "))),
    )
}

fn check_no_listener(facts: &PortFacts) -> Option<Finding> {
    let port = facts.target.port;
    // Another server answers, on another machine or through a redirect of the firewall.
    if facts.is_reachable() {
        return None;
    }
    if let Some(socket) = facts.udp_listeners().next() {
        let owner = facts.owner(socket);
        let message = format!(
            "{owner} receives UDP datagrams on {}, but no process listens for TCP connections",
            socket.local
        );
        return Some(CHECK.problem("udp-only", message));
    }
    // A server on another machine has no socket here.
    let addresses = &facts.resolved.addresses;
    let is_local = |address: &IpAddr| facts.is_local_address(*address);
    if !addresses.is_empty() && !addresses.iter().any(is_local) {
        return None;
    }
    let similar = similar_ports::listeners(&facts.all_listeners, port);
    let lines = similar.into_iter().map(|socket| {
        let (owner, endpoint) = (facts.owner(socket), socket.local);
        format!("{owner} listens on {endpoint}, a similar port number")
    });
    let closing = facts
        .sockets
        .iter()
        .filter(|socket| socket.local.port() == port && socket.inode == 0 && !socket.is_listener());
    let count = closing.count();
    let closing = (count > 0).then(|| {
        format!(
            "the port was used recently: {} {} still closing (the kernel no longer records the \
             process)",
            count_noun(count, "connection"),
            if count == 1 { "is" } else { "are" }
        )
    });
    let message = format!("nothing listens on port {port}");
    let finding = CHECK.problem("nothing-listens", message);
    Some(finding.with_evidence_lines(lines.chain(closing)))
}

/// Reports a server that listens on an address different from the target's. The `family` check
/// covers servers of the other address family.
fn check_other_address(facts: &PortFacts) -> Option<Finding> {
    let is_unserved = |address| facts.listener_for(address).is_none();
    let first = facts.resolved.addresses.first()?;
    let mut targets = facts.resolved.addresses.iter();
    let are_all_unserved =
        targets.all(|address| is_unserved(*address) && facts.is_local_address(*address));
    let is_same_family = |socket: &&SocketInfo| {
        socket.local.ip().to_canonical().is_ipv4() == first.to_canonical().is_ipv4()
    };
    let other = facts.tcp_listeners().find(is_same_family)?;
    if !are_all_unserved || facts.is_reachable() {
        return None;
    }
    let owner = facts.owner(other);
    let message = format!(
        "{owner} listens on {} only, not on {}",
        other.local, facts.target
    );
    let reach = ports::reachability(other, &facts.interfaces);
    let endpoint = other.local;
    Some(
        CHECK
            .problem("other-address", message)
            .with_evidence(format!("{} can be reached from {reach}", other.local))
            .with_remedy(format!("lcap doctor {endpoint}")),
    )
}

/// Reports containers that publish the port but are not running.
fn check_containers(facts: &PortFacts) -> Vec<Finding> {
    let port = facts.target.port;
    let containers = facts.containers.iter();
    let is_down =
        |container: &&Container| container.is_running == Some(false) && !facts.is_reachable();
    let down = containers.filter(is_down);
    down.map(|container| {
        let (name, inside) = (&container.name, &container.container_port);
        let message = format!(
            "the container {name} publishes its port {inside} as port {port} but is not running"
        );
        let exit_code = container.exit_code;
        CHECK
            .problem("container-down", message)
            .with_remedy(format!("docker start {}", shell_quote(name)))
            .with_evidence_lines(
                exit_code.map(|code| format!("the container exited with code {code}")),
            )
    })
    .collect()
}

/// Reports systemd units that name the port, if the port accepts no connection.
fn check_units(facts: &PortFacts) -> Vec<Finding> {
    let port = facts.target.port;
    let check_unit = |unit: &SystemdUnit| {
        let (name, mention) = (&unit.name, &unit.mention);
        let subject = format!("the systemd unit {name} names port {port}");
        let start = format!("sudo systemctl start {}", shell_quote(name));
        let finding = match unit.state.as_deref() {
            Some("active") => CHECK.note(
                "unit-active",
                format!("{subject} and is active, but the port accepts no connection"),
            ),
            Some(state) => CHECK
                .problem(
                    "unit-down",
                    format!("{subject} but is not active ({state})"),
                )
                .with_remedy(start),
            None => CHECK.unknown(
                "unit-unknown",
                format!("{subject}, but systemctl does not report its state"),
            ),
        };
        finding.with_evidence(format!(
            "{}:{}: {}",
            mention.location, mention.line, mention.text
        ))
    };
    match facts.is_reachable() {
        true => Vec::new(),
        false => facts.units.iter().map(check_unit).collect(),
    }
}
