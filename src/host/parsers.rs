//! Parsers of everything that the kernel and other programs send to lcap, for the fuzz target
//! `host`.

use super::netlink::{messages, read_reply};
use super::network::{firewall, interfaces, resolver};
use super::processes::{self, fork_events};
use super::services::{config_search, containers, engine_socket, names, systemd_units};
use super::sockets::{proc_net, sock_diag, socket_events};
use crate::packet::{TCP, UDP};

/// A parser whose result is discarded.
pub type Parser = fn(&[u8]);

/// All parsers, each with its input. The corpus of the fuzz target refers to their positions.
pub const PARSERS: [(&str, Parser); 8] = [
    ("netlink datagram", parse_netlink),
    ("event of the BPF programs", parse_event),
    ("file of /proc/PID", parse_process),
    ("file of /proc/PID/net", parse_net),
    ("output of nft: JSON, a zero byte, text", parse_firewall),
    ("answer of a container engine", parse_engine_answer),
    ("description of a container", parse_container),
    ("configuration file", parse_configuration),
];

fn parse_netlink(datagram: &[u8]) {
    let mut bodies = 0;
    let reply = read_reply(datagram, &mut |body| {
        bodies += 1;
        for proto in [TCP, UDP] {
            let _ = sock_diag::parse_socket(proto, body);
        }
        let _ = interfaces::parse_link(body);
        let _ = interfaces::parse_address(body).map(|(_, address)| interfaces::network(address));
    });
    let _ = reply.map_err(|error| error.to_string());
    let messages = messages(datagram).flatten();
    let count = messages.map(|message| fork_events::parse_fork(message.body));
    assert!(bodies <= count.count());
}

fn parse_event(bytes: &[u8]) {
    let _ = socket_events::parse_event(bytes, 37_000_000_000, 1);
}

fn parse_process(bytes: &[u8]) {
    let _ = processes::parse_socket_link(bytes);
    let _ = processes::parse_container_id(bytes);
    let arguments = processes::split_strings(bytes);
    if let Some(identity) = processes::parse_stat(bytes, 0) {
        let argument_0 = arguments.first().map(String::as_bytes);
        processes::full_name(&identity.comm, Some(bytes), argument_0);
    }
}

fn parse_net(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for (proto, port) in [(TCP, 62893), (UDP, 53)] {
        let mut listeners = proc_net::parse_listeners(&text, proto, port);
        assert!(listeners.all(|listener| listener.local.port() == port));
    }
    proc_net::has_ipv4_address(&text, "172.17.0.2");
}

fn parse_firewall(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (json, listing) = text.split_once('\0').unwrap_or((&text, ""));
    firewall::parse(json, listing);
}

fn parse_engine_answer(bytes: &[u8]) {
    for is_end in [false, true] {
        if let Ok(Some(answer)) = engine_socket::parse_answer(bytes, is_end) {
            assert!(answer.body.len() < bytes.len());
        }
    }
}

fn parse_container(bytes: &[u8]) {
    if let Ok(id) = containers::container_id(bytes) {
        assert!(processes::is_container_id(id.as_bytes()));
    }
    if let Ok(host_config) = String::from_utf8_lossy(bytes).parse() {
        containers::find_container_port(&host_config, 8080);
    }
}

fn parse_configuration(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for line in text.lines() {
        let _ = config_search::find_in_text("fuzz", line);
    }
    let _ = systemd_units::find_mention(&text, 62893);
    resolver::parse_hosts(&text);
    names::Services::parse(&text);
}
