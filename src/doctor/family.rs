//! IPv4 and IPv6 behind one name: who serves which, and who really answers (RFC 6724, ipv6(7)).

use super::facts::Facts;
use super::finding::{Check, Finding};
use crate::host::listing::Listed;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const CHECK: Check = Check("family");
const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    found.extend(one_family(facts));
    found.extend(two_servers(facts));
    found.extend(specific(facts));
    found
}

/// Whether a socket takes anything of IPv4.
fn serves_v4(socket: &Listed) -> bool {
    match socket.local.ip() {
        IpAddr::V6(own) if own.is_unspecified() => !socket.only_v6,
        own => own.to_canonical().is_ipv4(),
    }
}

/// Whether a socket takes anything of IPv6.
fn serves_v6(socket: &Listed) -> bool {
    socket.local.ip().to_canonical().is_ipv6()
}

/// All servers are of one family, and clients may come with the other.
fn one_family(facts: &Facts) -> Option<Finding> {
    let first = facts.servers().next()?;
    let v4 = facts.servers().any(serves_v4);
    let v6 = facts.servers().any(serves_v6);
    if v4 && v6 {
        return None;
    }
    let (own, other, code) = match v4 {
        true => ("IPv4", "IPv6", "only-ipv4"),
        false => ("IPv6", "IPv4", "only-ipv6"),
    };
    let asked = facts.resolved.addresses.first()?;
    let owner = facts.owner(first);
    let is_served = asked.to_canonical().is_ipv4() == v4;
    // An address that nobody asked of is nobody's problem.
    let localhost = &facts.localhost.addresses;
    let is_possible = localhost.iter().any(|own| own.is_ipv4() != v4);
    if is_served && !is_possible {
        return None;
    }
    let host = &facts.target.host;
    let what = match is_served {
        false if facts.target.address().is_some() => {
            format!("{owner} serves {own} only, and {host} is {other}")
        }
        false => format!(
            "{owner} serves {own} only, and {host} is {asked} first: clients that try no other address fail"
        ),
        true => format!(
            "{owner} serves {own} only: clients that take localhost's {other} address are refused"
        ),
    };
    let found = match is_served {
        true => CHECK.note(code, what),
        false => CHECK.problem(code, what),
    };
    let mut found = found.because(format!("it listens on {}", first.local));
    if first.local.ip().is_unspecified() && first.only_v6 {
        found = found.because("IPV6_V6ONLY is set on it, or net.ipv6.bindv6only is 1");
    }
    if is_served {
        return Some(found);
    }
    let port = facts.target.port;
    let (end, order) = match v4 {
        // gai.conf(5)
        true => (
            format!("127.0.0.1:{port}"),
            "echo 'precedence ::ffff:0:0/96 100' | sudo tee -a /etc/gai.conf",
        ),
        false => (
            format!("[::1]:{port}"),
            "echo '::1 localhost' | sudo tee -a /etc/hosts",
        ),
    };
    let found = found
        .because("a server on :: without IPV6_V6ONLY serves both")
        .because(format!("clients may ask for {end}"));
    Some(match facts.target.is_localhost() {
        true => found.mended_by(order),
        false => found,
    })
}

/// Behind one name, two servers.
fn two_servers(facts: &Facts) -> Option<Finding> {
    let (v4, v6) = (facts.server_of(V4)?, facts.server_of(V6)?);
    let (a, b) = (facts.pids(v4), facts.pids(v6));
    if v4.inode == v6.inode || a.is_empty() || b.is_empty() || a.iter().any(|pid| b.contains(pid)) {
        return None;
    }
    let [first, second] = [v4, v6].map(|own| format!("{} on {}", facts.owner(own), own.local));
    let what = format!("two servers behind one name: {first}, and {second}");
    let order = &facts.localhost.addresses;
    let answers = order.first().map(|own| if own.is_ipv4() { v4 } else { v6 });
    let mut found = CHECK.problem("two-servers", what);
    if let Some(answers) = answers {
        let owner = facts.owner(answers);
        found = found.because(format!(
            "localhost is {} first, so {owner} answers",
            order[0]
        ));
    }
    let asked = facts.target.address();
    // Who asks for an address gets what is there.
    if asked.is_some() {
        found.severity = super::Severity::Note;
    }
    Some(found)
}

/// One server for all addresses, and another for one of them.
fn specific(facts: &Facts) -> Option<Finding> {
    let is_wild = |own: &&Listed| own.local.ip().is_unspecified();
    let wild = facts.servers().find(is_wild)?;
    let special = facts.servers().find(|own| {
        let address = own.local.ip().to_canonical();
        !is_wild(own) && wild.takes(address)
    })?;
    let (a, b) = (facts.pids(wild), facts.pids(special));
    if a.iter().any(|pid| b.contains(pid)) {
        return None;
    }
    let [all, one] = [wild, special].map(|own| facts.owner(own).to_string());
    let (end, rest) = (special.local, wild.local);
    let what = format!("{one} answers at {end}, and {all} at all other addresses");
    Some(CHECK.note("wildcard-and-specific", what).because(format!(
        "they listen on {end} and on {rest}; the kernel prefers the one that names the address"
    )))
}
