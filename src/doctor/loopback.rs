//! The loopback interface, the TCP/IP stack and the name `localhost` (RFC 6761, 6.3).

use super::facts::{ConnectOutcome, EchoOutcome, PortFacts};
use super::finding::{CheckName, Finding};
use crate::host::network::resolver::HOSTS_FILE;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const CHECK: CheckName = CheckName("loopback");

pub(super) fn check(facts: &PortFacts) -> Vec<Finding> {
    let mut found = vec![check_interface(facts)];
    found.extend(check_stack(facts));
    found.extend(check_ipv6(facts));
    found.extend(check_hosts_file(facts));
    found.push(check_localhost(facts));
    found
}

fn check_interface(facts: &PortFacts) -> Finding {
    let Some(lo) = facts
        .interfaces
        .iter()
        .find(|interface| interface.is_loopback)
    else {
        return CHECK.unknown("lo-unknown", "the kernel lists no loopback interface");
    };
    let name = &lo.name;
    if !lo.is_up {
        return CHECK
            .problem(
                "lo-down",
                format!("{name} is down: 127.0.0.1 and ::1 are unreachable"),
            )
            .with_remedy(format!("sudo ip link set {name} up"));
    }
    let addresses: Vec<String> = lo
        .addresses
        .iter()
        .map(|(address, bits)| format!("{address}/{bits}"))
        .collect();
    let localhost = IpAddr::V4(Ipv4Addr::LOCALHOST);
    match lo
        .addresses
        .iter()
        .any(|(address, _)| *address == localhost)
    {
        true => CHECK.ok(
            "lo-up",
            format!("{name} is up, with {}", addresses.join(" and ")),
        ),
        false => CHECK
            .problem(
                "lo-no-address",
                format!("{name} is up but does not have the address 127.0.0.1"),
            )
            .with_evidence_lines(addresses)
            .with_remedy(format!("sudo ip address add 127.0.0.1/8 dev {name}")),
    }
}

/// Checks that the TCP/IP stack responds. A refused connection is also a response.
fn check_stack(facts: &PortFacts) -> Option<Finding> {
    let answered = facts.probes.iter().find_map(|probe| match probe.echo {
        EchoOutcome::Replied(elapsed) => Some((probe.address.ip(), elapsed)),
        _ => None,
    });
    if let Some((address, elapsed)) = answered {
        let micros = elapsed.as_micros();
        let message = format!("{address} answered an ICMP echo request after {micros} µs");
        return Some(CHECK.ok("stack-answers", message));
    }
    let responding = facts.probes.iter().find(|probe| {
        matches!(
            probe.outcome,
            ConnectOutcome::Accepted | ConnectOutcome::Refused
        )
    });
    let was_echo_sent = facts
        .probes
        .iter()
        .any(|probe| probe.echo == EchoOutcome::NoReply);
    let evidence = match was_echo_sent {
        true => "an ICMP echo request was not answered",
        false => {
            "this user is not permitted to send an ICMP echo request (net.ipv4.ping_group_range)"
        }
    };
    if let Some(probe) = responding {
        let message = format!("the TCP/IP stack of {} responds", probe.address.ip());
        return Some(CHECK.ok("stack-answers", message).with_evidence(evidence));
    }
    let first = facts.probes.first()?;
    let address = first.address.ip();
    let finding = match was_echo_sent {
        true => CHECK.note(
            "stack-silent",
            format!("{address} answered neither a TCP connection attempt nor an ICMP echo request"),
        ),
        false => CHECK.unknown(
            "stack-silent",
            format!("{address} did not answer a TCP connection attempt"),
        ),
    };
    Some(finding.with_evidence(evidence))
}

fn check_ipv6(facts: &PortFacts) -> Option<Finding> {
    let lo = facts
        .interfaces
        .iter()
        .find(|interface| interface.is_loopback && interface.is_up)?;
    let localhost = IpAddr::V6(Ipv6Addr::LOCALHOST);
    let has_address = lo
        .addresses
        .iter()
        .any(|(address, _)| *address == localhost);
    let is_off = facts.settings.is_ipv6_disabled == Some(true);
    (!has_address).then(|| {
        let message = "IPv6 is off on the loopback: the interface does not have the address ::1";
        let finding = CHECK.note("ipv6-off", message);
        match is_off {
            true => finding
                .with_evidence("net.ipv6.conf.lo.disable_ipv6 is 1")
                .with_remedy("sudo sysctl -w net.ipv6.conf.lo.disable_ipv6=0"),
            false => finding.with_remedy("sudo ip address add ::1/128 dev lo"),
        }
    })
}

/// Reports a hosts file that cannot be read, or that maps localhost to an invalid or non-loopback
/// address.
fn check_hosts_file(facts: &PortFacts) -> Option<Finding> {
    let lines = match &facts.hosts_file {
        Ok(lines) => lines,
        Err(error) => {
            let message = format!("{HOSTS_FILE} cannot be read: {error}");
            return Some(CHECK.problem("hosts-broken", message));
        }
    };
    let mut named = lines.iter().filter(|line| line.has_name("localhost"));
    // Published block lists contain fe80::1%lo0, a loopback address of BSD and macOS.
    let is_acceptable = |address: IpAddr| match address {
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unicast_link_local(),
        v4 => v4.is_loopback(),
    };
    let broken = named.find(|line| !line.address.is_some_and(is_acceptable))?;
    let message = match broken.address {
        None => format!("{HOSTS_FILE} maps localhost to an invalid address"),
        Some(address) => {
            format!("{HOSTS_FILE} maps localhost to {address}, which is not a loopback address")
        }
    };
    let number = broken.line_number;
    Some(
        CHECK
            .problem("hosts-broken", message)
            .with_evidence(format!("{HOSTS_FILE}:{number}: {}", broken.text))
            .with_remedy(format!(
                "sudo sed -i '{number}s/[^[:space:]]\\+/127.0.0.1/' {HOSTS_FILE}"
            )),
    )
}

fn check_localhost(facts: &PortFacts) -> Finding {
    let resolved = &facts.localhost;
    let lines = facts.hosts_file.as_deref().unwrap_or_default();
    let named = lines.iter().filter(|line| line.has_name("localhost"));
    let mut evidence: Vec<String> = named
        .map(|line| format!("{HOSTS_FILE}:{}: {}", line.line_number, line.text))
        .collect();
    if evidence.is_empty() {
        evidence.push(format!("{HOSTS_FILE} has no line for localhost"));
    }
    if let Some(sources) = &facts.nss_sources {
        evidence.push(format!("/etc/nsswitch.conf: hosts: {sources}"));
    }
    if resolved.addresses.is_empty() {
        let reason = resolved
            .error
            .as_deref()
            .unwrap_or("the lookup returned no addresses");
        return CHECK
            .problem(
                "localhost-unresolved",
                format!("localhost has no address: {reason}"),
            )
            .with_evidence_lines(evidence)
            .with_remedy(format!(
                "echo '127.0.0.1 localhost' | sudo tee -a {HOSTS_FILE}"
            ));
    }
    let all: Vec<String> = resolved.addresses.iter().map(ToString::to_string).collect();
    let all = all.join(", then ");
    match resolved
        .addresses
        .iter()
        .find(|address| !address.is_loopback())
    {
        Some(wrong) => CHECK
            .problem(
                "localhost-wrong",
                format!("localhost resolves to {all}, and {wrong} is not a loopback address"),
            )
            .with_evidence_lines(evidence)
            .with_remedy(format!("sudo editor {HOSTS_FILE}")),
        None => CHECK
            .ok(
                "localhost",
                format!("localhost resolves to {all} (getaddrinfo)"),
            )
            .with_evidence_lines(evidence),
    }
}
