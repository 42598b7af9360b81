//! The addresses of the target and the class of its port (RFC 6335, RFC 6890).

use super::PortClass;
use super::facts::PortFacts;
use super::finding::{CheckName, Finding, Severity};

const CHECK: CheckName = CheckName("address");

pub(super) fn check(facts: &PortFacts) -> Vec<Finding> {
    let mut found = vec![check_address(facts), check_port_class(facts)];
    found.extend(check_ephemeral_port(facts));
    found.extend(check_privileged_port(facts));
    found
}

fn check_address(facts: &PortFacts) -> Finding {
    let host = &facts.target.host;
    let resolved = &facts.resolved;
    let Some(first) = resolved.addresses.first() else {
        let message = format!("{host} has no address: {}", resolved.error_text());
        return CHECK.problem("name-not-resolved", message);
    };
    let kind = |address: &std::net::IpAddr| {
        let canonical = address.to_canonical();
        if canonical.is_loopback() {
            "a loopback address, reachable from this machine only".to_owned()
        } else if canonical.is_unspecified() {
            "the wildcard address; connections to it reach the loopback".to_owned()
        } else if let Some(interface) = facts.interface_of(canonical) {
            format!("an address of this machine, on {}", interface.name)
        } else {
            "not an address of this machine: servers on this machine do not answer there".to_owned()
        }
    };
    let lines = resolved
        .addresses
        .iter()
        .map(|address| format!("{address}: {}", kind(address)));
    if facts.target.address().is_some() {
        let message = format!("{first} is {}", kind(first));
        return address_finding(facts.is_local_address(*first), message);
    }
    let message = format!("{host} resolves to {}", resolved.joined());
    let mut addresses = resolved.addresses.iter();
    let are_local = addresses.all(|address| facts.is_local_address(*address));
    address_finding(are_local, message).with_evidence_lines(lines)
}

fn address_finding(is_local: bool, message: String) -> Finding {
    match is_local {
        true => CHECK.ok("own-address", message),
        false => CHECK.note("foreign-address", message),
    }
}

fn check_port_class(facts: &PortFacts) -> Finding {
    let port = facts.target.port;
    let class = PortClass::of(port);
    let range = match class {
        PortClass::WellKnown => "0-1023",
        PortClass::Registered => "1024-49151",
        PortClass::Dynamic => "49152-65535",
    };
    let service = match &facts.service_names {
        [Some(tcp), _] => format!("IANA service name: {tcp}"),
        [None, Some(udp)] => format!("IANA service name: {udp} (UDP)"),
        [None, None] => "no service name in /etc/services".to_owned(),
    };
    let message = format!("{port} is a {class} port ({range}); {service}");
    CHECK.ok("port-class", message)
}

fn check_ephemeral_port(facts: &PortFacts) -> Option<Finding> {
    let port = facts.target.port;
    let (first, last) = facts.settings.ephemeral_ports?;
    (first..=last).contains(&port).then(|| {
        let message = format!(
            "{port} is in the ephemeral range: the kernel can assign it to a client before the \
             server starts"
        );
        CHECK
            .note("ephemeral-port", message)
            .with_evidence(format!("net.ipv4.ip_local_port_range is {first} to {last}"))
            .with_remedy(format!(
                "sudo sysctl -w net.ipv4.ip_local_reserved_ports={port}"
            ))
    })
}

/// Reports a port on which listening requires a privilege.
fn check_privileged_port(facts: &PortFacts) -> Option<Finding> {
    let port = facts.target.port;
    let start = facts.settings.unprivileged_port_start?;
    if port >= start {
        return None;
    }
    let message = format!(
        "listening on port {port} requires root or CAP_NET_BIND_SERVICE, as for all ports below \
         {start}"
    );
    let evidence = format!("net.ipv4.ip_unprivileged_port_start is {start}");
    let is_root = facts.euid == 0;
    let finding = CHECK.finding(Severity::note_unless(is_root), "privileged-port", message);
    let command = "sudo setcap cap_net_bind_service=ep PROGRAM";
    Some(
        finding
            .with_evidence(evidence)
            .with_remedy_if(!is_root, command),
    )
}
