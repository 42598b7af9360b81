//! Whether this machine can talk to itself at all: the interface, the stack, and what `localhost` means (RFC 6761, 6.3).

use super::facts::{Echo, Facts, Outcome};
use super::finding::{Check, Finding};
use crate::host::names::HOSTS;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const CHECK: Check = Check("loopback");

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let mut found = vec![interface(facts)];
    found.extend(stack(facts));
    found.extend(ipv6(facts));
    found.extend(hosts(facts));
    found.push(localhost(facts));
    found
}

fn interface(facts: &Facts) -> Finding {
    let Some(lo) = facts.interfaces.iter().find(|own| own.is_loopback) else {
        return CHECK.unknown(
            "lo-unknown",
            "the kernel does not tell of a loopback interface",
        );
    };
    let name = &lo.name;
    if !lo.is_up {
        return CHECK
            .problem(
                "lo-down",
                format!("{name} is down: nothing on this machine reaches 127.0.0.1 or ::1"),
            )
            .mended_by(format!("sudo ip link set {name} up"));
    }
    let own: Vec<String> = lo
        .addresses
        .iter()
        .map(|(address, bits)| format!("{address}/{bits}"))
        .collect();
    let first = IpAddr::V4(Ipv4Addr::LOCALHOST);
    match lo.addresses.iter().any(|(address, _)| *address == first) {
        true => CHECK.ok("lo-up", format!("{name} is up, with {}", own.join(" and "))),
        false => CHECK
            .problem(
                "lo-no-address",
                format!("{name} is up and has no 127.0.0.1"),
            )
            .because_of(own)
            .mended_by(format!("sudo ip address add 127.0.0.1/8 dev {name}")),
    }
}

/// Whether anything answers at all, be it that nobody listens.
fn stack(facts: &Facts) -> Option<Finding> {
    let answered = facts.probes.iter().find_map(|probe| match probe.echo {
        Echo::Answered(took) => Some((probe.address.ip(), took)),
        _ => None,
    });
    if let Some((address, took)) = answered {
        let micros = took.as_micros();
        let what = format!("{address} answers an ICMP echo, after {micros} µs");
        return Some(CHECK.ok("stack-answers", what));
    }
    let knocked = facts
        .probes
        .iter()
        .find(|probe| matches!(probe.outcome, Outcome::Accepted | Outcome::Refused));
    let is_permitted = facts.probes.iter().any(|probe| probe.echo == Echo::Silent);
    let because = match is_permitted {
        true => "an ICMP echo was not answered",
        false => "this process may not send an ICMP echo (net.ipv4.ping_group_range)",
    };
    if let Some(probe) = knocked {
        let what = format!("the TCP/IP stack of {} answers", probe.address.ip());
        return Some(CHECK.ok("stack-answers", what).because(because));
    }
    let first = facts.probes.first()?;
    let what = format!(
        "{} answers neither TCP nor an ICMP echo",
        first.address.ip()
    );
    Some(match is_permitted {
        true => CHECK.note("stack-silent", what).because(because),
        false => CHECK.unknown("stack-silent", what).because(because),
    })
}

fn ipv6(facts: &Facts) -> Option<Finding> {
    let lo = facts
        .interfaces
        .iter()
        .find(|own| own.is_loopback && own.is_up)?;
    let own = IpAddr::V6(Ipv6Addr::LOCALHOST);
    let has = lo.addresses.iter().any(|(address, _)| *address == own);
    let is_off = facts.settings.is_ipv6_off == Some(true);
    (!has).then(|| {
        let found = CHECK.note("ipv6-off", "there is no ::1: IPv6 is off on the loopback");
        match is_off {
            true => found
                .because("net.ipv6.conf.lo.disable_ipv6 is 1")
                .mended_by("sudo sysctl -w net.ipv6.conf.lo.disable_ipv6=0"),
            false => found.mended_by("sudo ip address add ::1/128 dev lo"),
        }
    })
}

/// Lines of the hosts file that give localhost an address that it cannot have.
fn hosts(facts: &Facts) -> Option<Finding> {
    let lines = match &facts.hosts {
        Ok(lines) => lines,
        Err(error) => {
            let what = format!("{HOSTS} cannot be read: {error}");
            return Some(CHECK.problem("hosts-broken", what));
        }
    };
    let mut named = lines.iter().filter(|line| line.names("localhost"));
    // Lists that people install name fe80::1%lo0, which other systems have.
    let is_fine = |address: IpAddr| match address {
        IpAddr::V6(own) => own.is_loopback() || own.is_unicast_link_local(),
        own => own.is_loopback(),
    };
    let broken = named.find(|line| !line.address.is_some_and(is_fine))?;
    let what = match broken.address {
        None => format!("a line of {HOSTS} gives localhost an address that is none"),
        Some(address) => format!(
            "{HOSTS} says that localhost is {address}, which is not this machine's loopback"
        ),
    };
    let number = broken.number;
    Some(
        CHECK
            .problem("hosts-broken", what)
            .because(format!("{HOSTS}:{number}: {}", broken.text))
            .mended_by(format!(
                "sudo sed -i '{number}s/[^[:space:]]\\+/127.0.0.1/' {HOSTS}"
            )),
    )
}

fn localhost(facts: &Facts) -> Finding {
    let names = &facts.localhost;
    let lines = facts.hosts.as_deref().unwrap_or_default();
    let named = lines.iter().filter(|line| line.names("localhost"));
    let mut because: Vec<String> = named
        .map(|line| format!("{HOSTS}:{}: {}", line.number, line.text))
        .collect();
    if because.is_empty() {
        because.push(format!("{HOSTS} does not name it"));
    }
    if let Some(sources) = &facts.sources {
        because.push(format!("/etc/nsswitch.conf: hosts: {sources}"));
    }
    if names.addresses.is_empty() {
        let why = names.error.as_deref().unwrap_or("it has no address");
        return CHECK
            .problem(
                "localhost-unresolved",
                format!("localhost has no address: {why}"),
            )
            .because_of(because)
            .mended_by(format!("echo '127.0.0.1 localhost' | sudo tee -a {HOSTS}"));
    }
    let all: Vec<String> = names.addresses.iter().map(ToString::to_string).collect();
    let all = all.join(", then ");
    match names.addresses.iter().find(|own| !own.is_loopback()) {
        Some(wrong) => CHECK
            .problem(
                "localhost-wrong",
                format!("localhost is {all}, and {wrong} is not this machine's loopback"),
            )
            .because_of(because)
            .mended_by(format!("sudo editor {HOSTS}")),
        None => CHECK
            .ok("localhost", format!("localhost is {all}, by getaddrinfo"))
            .because_of(because),
    }
}
