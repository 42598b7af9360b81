//! Outcomes of the connection attempts: accepted, refused or unanswered (RFC 9293, listen(2)).

use super::facts::{ConnectOutcome, PortFacts, ProbeResult};
use super::finding::{CheckName, Finding, Severity};
use crate::error::count_noun;
use crate::host::sockets::sock_diag::{SocketInfo, SocketState};
use crate::process::Evidence;

const CHECK: CheckName = CheckName("reach");
/// PID of init, which is systemd(1) on most machines.
const INIT_PID: u32 = 1;

pub(super) fn check(facts: &PortFacts) -> Vec<Finding> {
    let mut found = Vec::new();
    for probe in &facts.probes {
        found.push(probe_finding(facts, probe));
        found.extend(service_reply_finding(probe));
    }
    found.extend(watch_findings(facts));
    found
}

fn probe_finding(facts: &PortFacts, probe: &ProbeResult) -> Finding {
    let endpoint = probe.address;
    let elapsed = format!("{:.1} ms", probe.connect_time.as_secs_f64() * 1e3);
    match &probe.outcome {
        ConnectOutcome::Accepted => accepted_finding(facts, probe, &elapsed),
        ConnectOutcome::Refused => refused_finding(facts, probe, &elapsed),
        ConnectOutcome::TimedOut => timeout_finding(facts, probe),
        ConnectOutcome::Unreachable(error) => CHECK.problem(
            "unreachable",
            format!("{endpoint} cannot be reached from this machine: {error}"),
        ),
    }
}

fn accepted_finding(facts: &PortFacts, probe: &ProbeResult, elapsed: &str) -> Finding {
    let endpoint = probe.address;
    let Some(peer) = &probe.peer_socket else {
        let message = format!("{endpoint} accepted a connection after {elapsed}");
        return CHECK.ok("accepted", message);
    };
    let is_pending = peer.inode == 0 && peer.state == SocketState::Established;
    if is_pending {
        let server = facts.listener_for(endpoint.ip());
        let pids = server.map(|server| facts.pids(server)).unwrap_or_default();
        if pids.contains(&INIT_PID) {
            let message = format!(
                "{endpoint}: systemd starts the service on the first connection, which the \
                 service has not accepted so far"
            );
            let finding = CHECK.unknown("starts-when-asked", message);
            return finding.with_evidence("systemd listens for the service (systemd.socket(5))");
        }
        let owner = server.map(|server| facts.owner(server).to_string());
        let message = format!(
            "{endpoint}: the kernel completes connections, but {} accepts none of them",
            owner.as_deref().unwrap_or("the server")
        );
        return CHECK
            .problem("never-accepts", message)
            .with_evidence(format!(
                "the connection was established, but no process accepted it within {:.1} s",
                probe.accept_wait.as_secs_f64()
            ))
            .with_evidence_lines(server.map(describe_accept_queue));
    }
    let owner = facts.owner(peer);
    let mut message = match owner.evidence {
        Evidence::Holds => format!("{owner} accepted a connection to {endpoint} after {elapsed}"),
        _ => format!("{endpoint} accepted a connection after {elapsed}"),
    };
    if peer.local.port() != endpoint.port() {
        message += &format!("; the answering socket is {}", peer.local);
    }
    let server = facts.listener_for(endpoint.ip());
    let queue = server
        .filter(|server| server.receive_queue > 0)
        .map(describe_accept_queue);
    let is_deferred = peer.inode == 0 && peer.state == SocketState::SynReceived;
    let deferred = is_deferred.then(|| {
        "the server accepts a connection once the client has sent data (TCP_DEFER_ACCEPT)".into()
    });
    CHECK
        .ok("accepted", message)
        .with_evidence_lines(queue.into_iter().chain(deferred))
}

/// Describes the accept queue as it was before the probe.
fn describe_accept_queue(server: &SocketInfo) -> String {
    format!("before the probe: {}", describe_backlog(server))
}

fn describe_backlog(server: &SocketInfo) -> String {
    format!(
        "{} in a backlog of {}",
        count_noun(server.receive_queue as usize, "connection"),
        server.send_queue
    )
}

fn refused_finding(facts: &PortFacts, probe: &ProbeResult, elapsed: &str) -> Finding {
    let endpoint = probe.address;
    if let Some(server) = facts.listener_for(endpoint.ip()) {
        let owner = facts.owner(server);
        let message = format!(
            "{endpoint} refused the connection after {elapsed}, although {owner} listens on {}",
            server.local
        );
        return CHECK.problem("refused", message).with_evidence(
            "a firewall rejects the connection, or the backlog is full and \
             net.ipv4.tcp_abort_on_overflow is 1",
        );
    }
    let message =
        format!("{endpoint} refused the connection after {elapsed}: no process listens there");
    CHECK
        .finding(
            Severity::problem_unless(facts.is_reachable()),
            "refused",
            message,
        )
        .with_evidence("RST received: packets arrive, no firewall drops them")
}

fn timeout_finding(facts: &PortFacts, probe: &ProbeResult) -> Finding {
    let endpoint = probe.address;
    let seconds = probe.connect_time.as_secs_f64().round();
    let Some(server) = facts.listener_for(endpoint.ip()) else {
        let message =
            format!("{endpoint} did not answer within {seconds} s: packets are dropped on the way");
        return CHECK.problem("silent", message).with_evidence(
            "a closed port answers with RST; no answer means that a firewall drops the packets or \
             that the machine is down",
        );
    };
    let (owner, backlog) = (facts.owner(server), describe_backlog(server));
    if server.receive_queue <= server.send_queue {
        let message = format!(
            "{endpoint} did not answer within {seconds} s, although {owner} listens on {}: \
             packets are dropped on the way",
            server.local
        );
        return CHECK.problem("silent", message).with_evidence(backlog);
    }
    let message =
        format!("{endpoint} did not answer within {seconds} s: the backlog of {owner} is full");
    let overflows = facts.listen_overflows;
    let overflows = (overflows > 0).then(|| {
        format!("ListenOverflows in /proc/net/netstat rose by {overflows} during the probes")
    });
    let finding = CHECK
        .problem("backlog-full", message)
        .with_evidence(backlog)
        .with_evidence_lines(overflows);
    // The kernel caps the backlog requested by the server at net.core.somaxconn.
    match facts.settings.max_backlog {
        Some(max) if max == server.send_queue => finding
            .with_evidence(format!("net.core.somaxconn limits the backlog to {max}"))
            .with_remedy(format!(
                "sudo sysctl -w net.core.somaxconn={}",
                max.max(2048) * 2
            )),
        _ => finding.with_evidence("the server itself requested this backlog (listen(2))"),
    }
}

/// Reports the reply of the service, if `--talk` sent a request.
fn service_reply_finding(probe: &ProbeResult) -> Option<Finding> {
    let reply = probe.service_reply.as_ref()?;
    let (endpoint, request) = (probe.address, reply.request);
    Some(match &reply.answer {
        Some(answer) if reply.is_expected => {
            CHECK.ok("talks", format!("{endpoint} answered {request}: {answer}"))
        }
        Some(answer) => CHECK
            .note(
                "talks-otherwise",
                format!("{endpoint} answered {request}, but not in the protocol of the request"),
            )
            .with_evidence(answer.clone()),
        None => CHECK.problem(
            "says-nothing",
            format!("{endpoint} accepted the connection but did not answer {request}"),
        ),
    })
}

/// Reports the connections that `--watch` captured.
fn watch_findings(facts: &PortFacts) -> Vec<Finding> {
    use super::facts::WatchedFlowEnd;
    let Some(watch) = &facts.watch_result else {
        return Vec::new();
    };
    if let Some(error) = &watch.error {
        let message = format!("the port could not be captured: {error}");
        return vec![CHECK.unknown("not-watched", message)];
    }
    let (port, seconds) = (facts.target.port, watch.seconds);
    if watch.flows.is_empty() {
        let message = format!("no traffic on port {port} in {seconds} s");
        return vec![CHECK.note("seen-nothing", message)];
    }
    let endings = [
        (
            WatchedFlowEnd::Refused,
            Severity::Problem,
            "seen-refused",
            "refused",
        ),
        (
            WatchedFlowEnd::Reset,
            Severity::Problem,
            "seen-reset",
            "reset",
        ),
        // One-way UDP protocols, such as statsd or syslog, have no answers.
        (
            WatchedFlowEnd::NoAnswer,
            Severity::Note,
            "seen-silence",
            "unanswered",
        ),
        (
            WatchedFlowEnd::Other,
            Severity::Ok,
            "seen-connections",
            "without errors",
        ),
    ];
    let with_end = |(ending, severity, code, label)| {
        let flows = watch.flows.iter().filter(|flow| flow.ending == ending);
        let lines: Vec<String> = flows.map(|flow| flow.summary.clone()).collect();
        let omitted = watch.omitted_flows[ending as usize];
        let count = count_noun(lines.len() + omitted, "connection");
        let message = format!("in {seconds} s on port {port}: {count} {label}");
        let more = (omitted > 0).then(|| format!("and {}", count_noun(omitted, "more connection")));
        (!lines.is_empty()).then(|| {
            let finding = CHECK.finding(severity, code, message);
            finding.with_evidence_lines(lines.into_iter().chain(more))
        })
    };
    endings.into_iter().filter_map(with_end).collect()
}
