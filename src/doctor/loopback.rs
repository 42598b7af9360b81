//! The loopback interface, the TCP/IP stack and the name `localhost` (RFC 6761, 6.3).

use super::facts::{ConnectOutcome, EchoOutcome, PortFacts};
use super::finding::{CheckName, Finding, Severity};
use crate::host::network::interfaces::HostInterface;
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
    let Some(lo) = facts.loopback() else {
        return CHECK.unknown("lo-unknown", "the kernel lists no loopback interface");
    };
    let name = &lo.name;
    if !lo.is_up {
        let message = format!("{name} is down: 127.0.0.1 and ::1 are unreachable");
        let remedy = format!("sudo ip link set {name} up");
        return CHECK.problem("lo-down", message).with_remedy(remedy);
    }
    let addresses = lo.addresses.iter();
    let addresses: Vec<String> = addresses
        .map(|(address, bits)| format!("{address}/{bits}"))
        .collect();
    if has_address(lo, Ipv4Addr::LOCALHOST.into()) {
        let message = format!("{name} is up, with {}", addresses.join(" and "));
        return CHECK.ok("lo-up", message);
    }
    let message = format!("{name} is up but does not have the address 127.0.0.1");
    CHECK
        .problem("lo-no-address", message)
        .with_evidence_lines(addresses)
        .with_remedy(format!("sudo ip address add 127.0.0.1/8 dev {name}"))
}

fn has_address(interface: &HostInterface, address: IpAddr) -> bool {
    interface.addresses.iter().any(|(own, _)| *own == address)
}

/// Checks that the TCP/IP stack responds. A refused connection is also a response.
fn check_stack(facts: &PortFacts) -> Option<Finding> {
    let probes = &facts.probes;
    for probe in probes {
        if let EchoOutcome::Replied(elapsed) = probe.echo {
            let (address, micros) = (probe.address.ip(), elapsed.as_micros());
            let message = format!("{address} answered an ICMP echo request after {micros} µs");
            return Some(CHECK.ok("stack-answers", message));
        }
    }
    let responses = [ConnectOutcome::Accepted, ConnectOutcome::Refused];
    let responding = probes
        .iter()
        .find(|probe| responses.contains(&probe.outcome));
    let was_echo_sent = probes
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
    let address = probes.first()?.address.ip();
    let (severity, message) = match was_echo_sent {
        true => (
            Severity::Note,
            format!("{address} answered neither a TCP connection attempt nor an ICMP echo request"),
        ),
        false => (
            Severity::Unknown,
            format!("{address} did not answer a TCP connection attempt"),
        ),
    };
    Some(
        CHECK
            .finding(severity, "stack-silent", message)
            .with_evidence(evidence),
    )
}

fn check_ipv6(facts: &PortFacts) -> Option<Finding> {
    let lo = facts.loopback().filter(|lo| lo.is_up)?;
    let is_off = facts.settings.is_ipv6_disabled == Some(true);
    (!has_address(lo, Ipv6Addr::LOCALHOST.into())).then(|| {
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
    if let Some(error) = &facts.hosts_file_error {
        let message = format!("{HOSTS_FILE} cannot be read: {error}");
        return Some(CHECK.problem("hosts-broken", message));
    }
    let lines = facts.hosts_file.iter();
    let mut named = lines.filter(|line| line.has_name("localhost"));
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
    let lines = facts.hosts_file.iter();
    let named = lines.filter(|line| line.has_name("localhost"));
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
        let message = format!("localhost has no address: {}", resolved.error_text());
        let remedy = format!("echo '127.0.0.1 localhost' | sudo tee -a {HOSTS_FILE}");
        let finding = CHECK.problem("localhost-unresolved", message);
        return finding.with_evidence_lines(evidence).with_remedy(remedy);
    }
    let all = resolved.joined();
    let mut addresses = resolved.addresses.iter();
    let finding = match addresses.find(|address| !address.is_loopback()) {
        Some(wrong) => CHECK
            .problem(
                "localhost-wrong",
                format!("localhost resolves to {all}, and {wrong} is not a loopback address"),
            )
            .with_remedy(format!("sudo editor {HOSTS_FILE}")),
        None => CHECK.ok(
            "localhost",
            format!("localhost resolves to {all} (getaddrinfo)"),
        ),
    };
    finding.with_evidence_lines(evidence)
}
