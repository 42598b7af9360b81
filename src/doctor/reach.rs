//! What came of knocking: let in, refused, or silence, and what the difference is (RFC 9293, listen(2)).

use super::facts::{Facts, Outcome, Probe};
use super::finding::{Check, Finding, counted};
use crate::host::listing::State;
use crate::owners::How;

const CHECK: Check = Check("reach");
/// The first process, which is systemd(1) on most machines.
const INIT: u32 = 1;

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let mut found: Vec<Finding> = facts
        .probes
        .iter()
        .flat_map(|probe| {
            let mut found = vec![knocked(facts, probe)];
            found.extend(said(probe));
            found
        })
        .collect();
    found.extend(watched(facts));
    found
}

fn knocked(facts: &Facts, probe: &Probe) -> Finding {
    let end = probe.address;
    let took = format!("{:.1} ms", probe.took.as_secs_f64() * 1e3);
    match &probe.outcome {
        Outcome::Accepted => accepted(facts, probe, &took),
        Outcome::Refused => refused(facts, probe, &took),
        Outcome::Silent => silent(facts, probe),
        Outcome::Unreachable(why) => CHECK.problem(
            "unreachable",
            format!("{end} cannot be reached from here: {why}"),
        ),
    }
}

fn accepted(facts: &Facts, probe: &Probe, took: &str) -> Finding {
    let end = probe.address;
    let Some(other) = &probe.answers else {
        let what = format!("{end} accepts, after {took}");
        return CHECK.ok("accepted", what);
    };
    let waits = other.inode == 0 && other.state == State::Established;
    if waits {
        let server = facts.server_of(end.ip());
        let pids = server.map(|server| facts.pids(server)).unwrap_or_default();
        if pids.contains(&INIT) {
            let what = format!(
                "{end}: the service is started when somebody connects, and had not accepted yet"
            );
            let found = CHECK.unknown("starts-when-asked", what);
            return found.because("systemd listens for it (systemd.socket(5))");
        }
        let owner = server.map(|server| facts.owner(server).to_string());
        let what = format!(
            "{end}: the kernel takes connections, and {} accepts none of them",
            owner.as_deref().unwrap_or("who listens")
        );
        let mut found = CHECK.problem("never-accepts", what).because(format!(
            "a connection was there, and no process had it within {:.1} s",
            probe.waited.as_secs_f64()
        ));
        if let Some(server) = server {
            found = found.because(format!(
                "{} waited before, of at most {}",
                counted(server.receive_queue as usize, "connection"),
                server.send_queue
            ));
        }
        return found;
    }
    let owner = facts.owner(other);
    let mut what = match owner.how {
        How::Socket => format!("{owner} accepts at {end}, after {took}"),
        _ => format!("{end} accepts, after {took}"),
    };
    if other.local.port() != end.port() {
        what += &format!("; who answers has {}", other.local);
    }
    let mut found = CHECK.ok("accepted", what);
    if let Some(server) = facts.server_of(end.ip())
        && server.receive_queue > 0
    {
        found = found.because(format!(
            "{} waited in a backlog of {} before",
            counted(server.receive_queue as usize, "connection"),
            server.send_queue
        ));
    }
    if other.inode == 0 && other.state == State::SynReceived {
        found = found.because("it waits for what the client says first (TCP_DEFER_ACCEPT)");
    }
    found
}

fn refused(facts: &Facts, probe: &Probe, took: &str) -> Finding {
    let end = probe.address;
    if let Some(server) = facts.server_of(end.ip()) {
        let owner = facts.owner(server);
        let what = format!(
            "{end} refuses, after {took}, although {owner} listens on {}",
            server.local
        );
        return CHECK
            .problem("refused", what)
            .because("something in between refuses for it: a firewall, or net.ipv4.tcp_abort_on_overflow with a full backlog");
    }
    let what = format!("{end} refuses, after {took}: nobody listens there");
    let because = "a reset came back: the packets get there, and no firewall is silent about them";
    match facts.is_accepted() {
        true => CHECK.note("refused", what),
        false => CHECK.problem("refused", what),
    }
    .because(because)
}

fn silent(facts: &Facts, probe: &Probe) -> Finding {
    let end = probe.address;
    let seconds = probe.took.as_secs_f64().round();
    let Some(server) = facts.server_of(end.ip()) else {
        let what = format!("{end} does not answer within {seconds} s: something drops the packets");
        return CHECK.problem("silent", what).because(
            "who refuses answers with a reset; silence is a firewall's, or that of a machine that is not there",
        );
    };
    let owner = facts.owner(server);
    let is_full = server.receive_queue > server.send_queue;
    let queue = format!(
        "{} in a backlog of {}",
        counted(server.receive_queue as usize, "connection"),
        server.send_queue
    );
    if !is_full {
        let what = format!(
            "{end} does not answer within {seconds} s, although {owner} listens on {}: something drops the packets",
            server.local
        );
        return CHECK.problem("silent", what).because(queue);
    }
    let what = format!("{end} does not answer within {seconds} s: the backlog of {owner} is full");
    let mut found = CHECK.problem("backlog-full", what).because(queue);
    if facts.overflows > 0 {
        found = found.because(format!(
            "ListenOverflows of /proc/net/netstat went up by {} meanwhile",
            facts.overflows
        ));
    }
    // The kernel gives a server what it asks for, up to here.
    match facts.settings.most_waiting {
        Some(most) if most == server.send_queue => found
            .because(format!("net.core.somaxconn allows no more than {most}"))
            .mended_by(format!(
                "sudo sysctl -w net.core.somaxconn={}",
                most.max(2048) * 2
            )),
        _ => found.because("the server asked for that backlog itself (listen(2))"),
    }
}

/// What the service said, where it was asked.
fn said(probe: &Probe) -> Option<Finding> {
    let said = probe.said.as_ref()?;
    let (end, asked) = (probe.address, said.asked);
    Some(match &said.answer {
        Some(answer) if said.is_right => {
            CHECK.ok("talks", format!("{end} answers {asked}: {answer}"))
        }
        Some(answer) => CHECK
            .note(
                "talks-otherwise",
                format!("{end} answers {asked} with something else"),
            )
            .because(answer.clone()),
        None => CHECK.problem(
            "says-nothing",
            format!("{end} accepts, and says nothing to {asked}"),
        ),
    })
}

/// What a capture of the port saw.
fn watched(facts: &Facts) -> Vec<Finding> {
    use super::facts::Ending;
    let Some(watched) = &facts.watched else {
        return Vec::new();
    };
    if let Some(error) = &watched.error {
        let what = format!("the port could not be watched: {error}");
        return vec![CHECK.unknown("not-watched", what)];
    }
    let (port, seconds) = (facts.target.port, watched.seconds);
    if watched.flows.is_empty() {
        let what = format!("nobody said anything on port {port} for {seconds} s");
        return vec![CHECK.note("seen-nothing", what)];
    }
    let of = |ending, code, verb: &str| {
        let lines: Vec<String> = watched
            .flows
            .iter()
            .filter(|seen| seen.ending == ending)
            .map(|seen| seen.line.clone())
            .collect();
        let count = counted(lines.len(), "connection");
        let what = format!("in {seconds} s, on port {port}: {count} {verb}");
        (!lines.is_empty()).then(|| {
            match ending {
                Ending::Other => CHECK.ok(code, what),
                _ => CHECK.note(code, what),
            }
            .because_of(lines)
        })
    };
    let mut found: Vec<Finding> = [
        of(Ending::Refused, "seen-refused", "refused"),
        of(Ending::Reset, "seen-reset", "reset"),
        of(Ending::NoAnswer, "seen-silence", "without an answer"),
        of(Ending::Other, "seen-connections", "seen"),
    ]
    .into_iter()
    .flatten()
    .collect();
    if watched.more > 0
        && let Some(last) = found.last_mut()
    {
        last.evidence.push(format!("and {} more", watched.more));
    }
    found
}
