//! IPv4 and IPv6 servers for the same host name, and the server that answers (RFC 6724, ipv6(7)).

use super::facts::PortFacts;
use super::finding::{CheckName, Finding, Severity};
use crate::host::sockets::sock_diag::SocketInfo;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const CHECK: CheckName = CheckName("family");
const LOCALHOST_V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const LOCALHOST_V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

pub(super) fn check(facts: &PortFacts) -> Vec<Finding> {
    let checks = [
        check_single_family,
        check_two_servers,
        check_wildcard_and_specific,
    ];
    checks.iter().filter_map(|check| check(facts)).collect()
}

/// True if the socket accepts IPv4 connections.
fn can_serve_ipv4(socket: &SocketInfo) -> bool {
    match socket.local.ip() {
        IpAddr::V6(v6) if v6.is_unspecified() => !socket.only_v6,
        address => address.to_canonical().is_ipv4(),
    }
}

/// True if the socket accepts IPv6 connections.
fn can_serve_ipv6(socket: &SocketInfo) -> bool {
    socket.local.ip().to_canonical().is_ipv6()
}

/// Reports servers that serve only one address family, although clients may try the other family.
fn check_single_family(facts: &PortFacts) -> Option<Finding> {
    let first = facts.tcp_listeners().next()?;
    let v4 = facts.tcp_listeners().any(can_serve_ipv4);
    let v6 = facts.tcp_listeners().any(can_serve_ipv6);
    if v4 && v6 {
        return None;
    }
    let (served, other, code) = match v4 {
        true => ("IPv4", "IPv6", "only-ipv4"),
        false => ("IPv6", "IPv4", "only-ipv6"),
    };
    let target = facts.resolved.addresses.first()?;
    let owner = facts.owner(first);
    let is_served = target.to_canonical().is_ipv4() == v4;
    // No client tries the other family if localhost has no address of that family.
    let localhost = &facts.localhost.addresses;
    let is_other_tried = localhost.iter().any(|address| address.is_ipv4() != v4);
    if is_served && !is_other_tried {
        return None;
    }
    let host = &facts.target.host;
    let message = match is_served {
        false if facts.target.address().is_some() => {
            format!("{owner} serves {served} only, but {host} is an {other} address")
        }
        false => format!(
            "{owner} serves {served} only, but {host} resolves to {target} first: clients that \
             try no other address fail"
        ),
        true => format!(
            "{owner} serves {served} only: clients that use localhost's {other} address are refused"
        ),
    };
    let mut finding = CHECK
        .finding(Severity::problem_unless(is_served), code, message)
        .with_evidence(format!("{owner} listens on {}", first.local));
    if first.local.ip().is_unspecified() && first.only_v6 {
        finding =
            finding.with_evidence("IPV6_V6ONLY is set on the socket, or net.ipv6.bindv6only is 1");
    }
    if is_served {
        return Some(finding);
    }
    let port = facts.target.port;
    let (endpoint, remedy) = match v4 {
        // Prefers IPv4 addresses (gai.conf(5)).
        true => (
            format!("127.0.0.1:{port}"),
            "echo 'precedence ::ffff:0:0/96 100' | sudo tee -a /etc/gai.conf",
        ),
        false => (
            format!("[::1]:{port}"),
            "echo '::1 localhost' | sudo tee -a /etc/hosts",
        ),
    };
    let evidence = "a server that listens on :: without IPV6_V6ONLY serves both IPv4 and IPv6";
    let finding = finding
        .with_evidence(evidence)
        .with_evidence(format!("clients can connect to {endpoint} instead"));
    Some(finding.with_remedy_if(facts.target.is_localhost(), remedy))
}

/// Reports different servers on 127.0.0.1 and ::1, both of which are addresses of localhost.
fn check_two_servers(facts: &PortFacts) -> Option<Finding> {
    let (v4, v6) = (
        facts.listener_for(LOCALHOST_V4)?,
        facts.listener_for(LOCALHOST_V6)?,
    );
    let (a, b) = (facts.pids(v4), facts.pids(v6));
    if v4.inode == v6.inode || a.is_empty() || b.is_empty() || a.iter().any(|pid| b.contains(pid)) {
        return None;
    }
    let [first, second] =
        [v4, v6].map(|socket| format!("{} on {}", facts.owner(socket), socket.local));
    let message = format!("two servers share the name localhost: {first}, and {second}");
    let answering = facts.localhost.addresses.first().map(|address| {
        let owner = facts.owner(if address.is_ipv4() { v4 } else { v6 });
        format!("localhost resolves to {address} first, so {owner} answers")
    });
    // A client that connects to an address does not depend on the name.
    let severity = Severity::problem_unless(facts.target.address().is_some());
    let finding = CHECK.finding(severity, "two-servers", message);
    Some(finding.with_evidence_lines(answering))
}

/// Reports a server on the wildcard address and a different server on a specific address.
fn check_wildcard_and_specific(facts: &PortFacts) -> Option<Finding> {
    let is_wildcard = |socket: &&SocketInfo| socket.local.ip().is_unspecified();
    let wildcard = facts.tcp_listeners().find(is_wildcard)?;
    let specific = facts.tcp_listeners().find(|socket| {
        let address = socket.local.ip().to_canonical();
        !is_wildcard(socket) && wildcard.can_receive_on(address)
    })?;
    let (a, b) = (facts.pids(wildcard), facts.pids(specific));
    if a.iter().any(|pid| b.contains(pid)) {
        return None;
    }
    let [first, second] = [specific, wildcard].map(|socket| facts.owner(socket).to_string());
    let (endpoint, wildcard_endpoint) = (specific.local, wildcard.local);
    let message = format!("{first} answers on {endpoint}, and {second} on all other addresses");
    Some(
        CHECK
            .note("wildcard-and-specific", message)
            .with_evidence(format!(
                "the servers listen on {endpoint} and on {wildcard_endpoint}; the kernel prefers \
                 the specific address"
            )),
    )
}
