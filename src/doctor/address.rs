//! What the address and the port are: whose, of which kind, and who may have them (RFC 6335, RFC 6890).

use super::Class;
use super::facts::Facts;
use super::finding::{Check, Finding};

const CHECK: Check = Check("address");

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let mut found = vec![address(facts), port(facts)];
    found.extend(ephemeral(facts));
    found.extend(privileged(facts));
    found
}

fn address(facts: &Facts) -> Finding {
    let host = &facts.target.host;
    let resolved = &facts.resolved;
    let Some(first) = resolved.addresses.first() else {
        let why = resolved.error.as_deref().unwrap_or("it has no address");
        return CHECK.problem("name-not-resolved", format!("{host} has no address: {why}"));
    };
    let kind = |address: &std::net::IpAddr| {
        let canonical = address.to_canonical();
        if canonical.is_loopback() {
            "loopback: only this machine reaches it".to_owned()
        } else if canonical.is_unspecified() {
            "the wildcard: to connect to it means this machine's loopback".to_owned()
        } else if let Some(interface) = facts.interface_of(canonical) {
            format!("this machine's own, on {}", interface.name)
        } else {
            "not this machine's: who listens here does not answer there".to_owned()
        }
    };
    let lines = resolved
        .addresses
        .iter()
        .map(|address| format!("{address}: {}", kind(address)));
    if facts.target.address().is_some() {
        let what = format!("{first} is {}", kind(first));
        return match facts.is_own(*first) {
            true => CHECK.ok("own-address", what),
            false => CHECK.note("foreign-address", what),
        };
    }
    let all: Vec<String> = resolved.addresses.iter().map(ToString::to_string).collect();
    let what = format!("{host} is {}", all.join(", then "));
    match resolved.addresses.iter().all(|own| facts.is_own(*own)) {
        true => CHECK.ok("own-address", what).because_of(lines),
        false => CHECK.note("foreign-address", what).because_of(lines),
    }
}

fn port(facts: &Facts) -> Finding {
    let port = facts.target.port;
    let range = match Class::of(port) {
        Class::WellKnown => "0–1023",
        Class::Registered => "1024–49151",
        Class::Dynamic => "49152–65535",
    };
    let service = match &facts.service {
        [Some(tcp), _] => format!("IANA's name for it is {tcp}"),
        [None, Some(udp)] => format!("IANA's name for it is {udp}, over UDP"),
        [None, None] => "/etc/services has no name for it".to_owned(),
    };
    let class = Class::of(port);
    CHECK.ok(
        "port-class",
        format!("{port} is a {class} port ({range}); {service}"),
    )
}

fn ephemeral(facts: &Facts) -> Option<Finding> {
    let port = facts.target.port;
    let (first, last) = facts.settings.ephemeral?;
    (first..=last).contains(&port).then(|| {
        let what = format!("{port} is among the ports that clients are given: one may have it before a server starts");
        CHECK
            .note("ephemeral-port", what)
            .because(format!("net.ipv4.ip_local_port_range is {first} to {last}"))
            .mended_by(format!("sudo sysctl -w net.ipv4.ip_local_reserved_ports={port}"))
    })
}

/// Who may listen there.
fn privileged(facts: &Facts) -> Option<Finding> {
    let port = facts.target.port;
    let start = facts.settings.unprivileged_start?;
    if port >= start {
        return None;
    }
    let what = format!(
        "to listen on {port} takes root or CAP_NET_BIND_SERVICE: everybody may from {start} on"
    );
    let because = format!("net.ipv4.ip_unprivileged_port_start is {start}");
    let found = match facts.euid {
        0 => CHECK.ok("privileged-port", what),
        _ => CHECK.note("privileged-port", what),
    };
    let command = "sudo setcap cap_net_bind_service=ep PROGRAM";
    let found = found.because(because);
    Some(match facts.euid {
        0 => found,
        _ => found.mended_by(command),
    })
}
