//! Who listens: the process, its user, since when, where it works. Or that nobody does, and who may have been meant.

use super::facts::{Facts, Outcome, Server};
use super::finding::{Check, Finding, shell_word};
use super::{ports, similar};
use crate::host::listing::Listed;
use crate::owners::How;
use crate::packet::UDP;

const CHECK: Check = Check("listener");

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    if let Err(error) = &facts.sockets {
        let what = format!("the kernel does not tell of its sockets (sock_diag): {error}");
        return vec![CHECK.unknown("sockets-unknown", what)];
    }
    let mut found: Vec<Finding> = facts
        .servers()
        .chain(facts.datagrams())
        .map(|socket| listens(facts, socket))
        .collect();
    found.extend(stopped(facts));
    if facts.servers().next().is_none() {
        found.extend(nobody(facts));
    } else {
        found.extend(other_address(facts));
    }
    found.extend(units(facts));
    found.extend(containers(facts));
    found
}

fn listens(facts: &Facts, socket: &Listed) -> Finding {
    let owner = facts.owner(socket);
    let end = socket.local;
    let proto = if socket.proto == UDP { "UDP" } else { "TCP" };
    let what = match owner.how {
        How::Socket => format!("{owner} listens on {end}, {proto}"),
        How::NotPermitted => format!(
            "a process of uid {} listens on {end}, {proto}; which, this user may not see",
            socket.uid
        ),
        _ => format!("{end}, {proto}, listens, and no process that can be seen has it"),
    };
    if owner.how == How::NotPermitted {
        let target = shell_word(&facts.target.to_string());
        return CHECK
            .unknown("listener-hidden", what)
            .because(format!(
                "the open files of {} processes may not be looked at",
                facts.holders.hidden
            ))
            .mended_by(format!("sudo lcap doctor {target}"));
    }
    /// Of a server with many processes the first few tell enough.
    const TOLD: usize = 3;
    let servers = owner
        .processes
        .iter()
        .filter_map(|process| facts.servers.get(&process.pid));
    let lines = servers.take(TOLD).flat_map(about);
    let more = owner.processes.len().saturating_sub(TOLD);
    let found = CHECK.ok("listens", what).because_of(lines);
    match more {
        0 => found,
        more => found.because(format!("and {more} more processes")),
    }
}

/// What there is to say of a process.
pub(super) fn about(server: &Server) -> Vec<String> {
    let (process, details) = (&server.process, &server.details);
    let pid = process.pid;
    let mut lines = vec![format!(
        "command line of {pid}: {}",
        // Programs that write their title over it leave blanks behind.
        process.more().command_line.join(" ").trim_end()
    )];
    let since = server.since.as_deref().unwrap_or("?");
    lines.push(format!("{pid} runs as {}, since {since}", server.user));
    let places = [
        ("works in", &details.directory),
        ("is of container", &process.more().container),
        ("is of unit", &details.unit),
    ];
    for (verb, place) in places {
        lines.extend(place.iter().map(|place| format!("{pid} {verb} {place}")));
    }
    lines
}

/// Processes that are stopped answer nobody.
fn stopped(facts: &Facts) -> Option<Finding> {
    let pids: Vec<u32> = facts
        .servers()
        .flat_map(|socket| facts.pids(socket))
        .collect();
    let is_stopped = |pid: &&u32| {
        let server = facts.servers.get(pid);
        server.is_some_and(|server| server.details.is_stopped)
    };
    let stopped: Vec<&u32> = pids.iter().filter(is_stopped).collect();
    // Others may answer.
    if stopped.is_empty() || stopped.len() < pids.len() {
        return None;
    }
    let words: Vec<String> = stopped.iter().map(ToString::to_string).collect();
    let words = words.join(" ");
    Some(
        CHECK
            .problem("stopped", "who listens is stopped, and accepts nobody")
            .because(format!("State: T in /proc/{}/status", stopped[0]))
            .mended_by(format!("kill -CONT {words}")),
    )
}

fn nobody(facts: &Facts) -> Vec<Finding> {
    let (port, mut found) = (facts.target.port, Vec::new());
    // Somebody answers all the same: a firewall leads there.
    if facts.is_accepted() {
        return found;
    }
    if let Some(socket) = facts.datagrams().next() {
        let owner = facts.owner(socket);
        let what = format!(
            "only UDP: {owner} takes datagrams on {}, and nobody listens with TCP",
            socket.local
        );
        found.push(CHECK.problem("udp-only", what));
        return found;
    }
    // Who is elsewhere does not listen here.
    let is_here = facts
        .resolved
        .addresses
        .iter()
        .any(|own| facts.is_own(*own))
        || facts.resolved.addresses.is_empty();
    if !is_here {
        return found;
    }
    let what = format!("nothing listens on port {port} here");
    let mut nothing = CHECK.problem("nothing-listens", what);
    for socket in similar::listening(&facts.listening, port) {
        let owner = facts.owner(socket);
        nothing = nothing.because(format!(
            "{owner} listens on {}, a port that looks like it",
            socket.local
        ));
    }
    let resting = facts
        .sockets()
        .iter()
        .filter(|socket| socket.local.port() == port && socket.inode == 0 && !socket.listens());
    let count = resting.count();
    if count > 0 {
        nothing = nothing.because(format!(
            "somebody did: {count} of its connections rest yet; the kernel does not keep whose they were"
        ));
    }
    found.push(nothing);
    found
}

/// Somebody listens, on none of the addresses that were asked for; families are told of elsewhere.
fn other_address(facts: &Facts) -> Option<Finding> {
    let is_refused = |address| facts.server_of(address).is_none();
    let first = facts.resolved.addresses.first()?;
    let mut asked = facts.resolved.addresses.iter();
    let is_nowhere = asked.all(|own| is_refused(*own) && facts.is_own(*own));
    let is_of_family = |socket: &&Listed| {
        socket.local.ip().to_canonical().is_ipv4() == first.to_canonical().is_ipv4()
    };
    let other = facts.servers().find(is_of_family)?;
    if !is_nowhere || facts.is_accepted() {
        return None;
    }
    let owner = facts.owner(other);
    let what = format!(
        "{owner} listens on {} only, which is not {}",
        other.local, facts.target
    );
    let reach = ports::reach(other, &facts.interfaces);
    let host = other.local;
    Some(
        CHECK
            .problem("other-address", what)
            .because(format!("{} can be reached from {reach}", other.local))
            .mended_by(format!("lcap doctor {host}")),
    )
}

/// Containers that publish the port, and do not run.
fn containers(facts: &Facts) -> Vec<Finding> {
    let port = facts.target.port;
    let down = facts
        .containers
        .iter()
        .filter(|own| own.is_running == Some(false) && !facts.is_accepted());
    down.map(|own| {
        let (name, inside) = (&own.name, &own.inside);
        let what =
            format!("the container {name} publishes port {port} as its {inside}, and does not run");
        let found = CHECK
            .problem("container-down", what)
            .mended_by(format!("docker start {}", shell_word(name)));
        match own.exit_code {
            Some(code) => found.because(format!("it ended with code {code}")),
            None => found,
        }
    })
    .collect()
}

/// Units that name the port, while nobody lets anybody in.
fn units(facts: &Facts) -> Vec<Finding> {
    let port = facts.target.port;
    let is_reached = facts
        .probes
        .iter()
        .any(|probe| probe.outcome == Outcome::Accepted);
    let of_unit = |unit: &crate::host::units::Unit| {
        let mention = &unit.mention;
        let (name, place) = (&unit.name, &mention.place);
        let line = format!("{place}:{}: {}", mention.line, mention.text);
        let state = unit.state.as_deref();
        Some(match state {
            _ if is_reached => return None,
            Some("active") => CHECK.note(
                "unit-active",
                format!("the unit {name} names port {port}, and is active"),
            ),
            Some(state) => CHECK
                .problem(
                    "unit-down",
                    format!("the unit {name} names port {port}, and is {state}"),
                )
                .mended_by(format!("sudo systemctl start {}", shell_word(name))),
            None => CHECK.unknown(
                "unit-unknown",
                format!("the unit {name} names port {port}; systemctl does not tell whether it is active"),
            ),
        }
        .because(line))
    };
    facts.units.iter().filter_map(of_unit).collect()
}
