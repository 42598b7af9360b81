//! Collection of the facts; slow queries run concurrently.

use std::collections::{BTreeMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use super::facts::{NameResolution, PortFacts, ServerProcess};
use super::probe::{self, AcceptQueue, OpenProbe};
use super::{Target, service_probe, similar_ports};
use crate::host::network::{firewall, interfaces, resolver, settings};
use crate::host::processes::{self, ProcHandle, users};
use crate::host::services::config_search::{self, ConfigSearch, PortMention};
use crate::host::services::names::Services;
use crate::host::services::{containers, systemd_units};
use crate::host::sockets::holders::{self, Holders};
use crate::host::sockets::sock_diag::{self, SocketInfo};
use crate::host::sockets::{free_ports, other_netns};
use crate::packet::{TCP, UDP};
use crate::process::Process;
use crate::time::zone;

/// The `--talk` setting, which decides if a protocol request is sent to the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceProbing {
    /// A request is sent.
    Enabled,
    /// The connection is opened, and closed without sending data.
    Disabled,
}

/// Timeout for name resolution.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(2);
/// Maximum number of addresses probed per name.
const MAX_PROBED_ADDRESSES: usize = 8;
/// Maximum number of working directories searched.
const MAX_SEARCHED_DIRECTORIES: usize = 8;
/// Maximum number of processes whose details are read.
const MAX_SERVER_PROCESSES: usize = 256;

/// Gathers all facts about a target.
pub fn gather(target: &Target, probing: ServiceProbing) -> PortFacts {
    let port = target.port;
    let mut facts = PortFacts::new(target.clone());
    facts.euid = rustix::process::geteuid().as_raw();
    facts.invoking_uid = invoking_uid(facts.euid);
    thread::scope(|scope| {
        let firewall = scope.spawn(|| (firewall::read(), firewall::legacy_rules()));
        let units = scope.spawn(|| systemd_units::mentioning_port(port));
        let other_netns = scope.spawn(|| other_netns::listeners(port));
        let localhost = scope.spawn(|| resolve("localhost"));
        facts.resolved = resolve(&target.host);
        let settings = settings::read();
        facts.sockets = sock_diag::of_port(port).map_err(|error| error.to_string());
        facts.all_listeners = sock_diag::listening().unwrap_or_default();
        facts.interfaces = interfaces::all().unwrap_or_default();
        facts.hosts_file = resolver::read_hosts().map_err(|error| error.to_string());
        facts.nss_sources = resolver::nss_sources();
        let services = Services::read();
        facts.service_names = [TCP, UDP].map(|proto| services.name(proto, port).map(str::to_owned));
        facts.containers = containers::publishing(port);
        let probes = probe_addresses(&facts);
        facts.listen_overflows =
            overflow_delta(settings.listen_overflows, settings::read().listen_overflows);
        facts.settings = settings;
        facts.next_free_port = next_free_port(port);
        add_process_facts(&mut facts, &probes);
        facts.probes = finish_probes(&facts, probes, probing);
        facts.other_netns = other_netns.join().unwrap_or_default();
        facts.units = units.join().unwrap_or_default();
        (facts.firewall, facts.legacy_rules) = firewall.join().unwrap_or_default();
        facts.localhost = localhost.join().unwrap_or_default();
    });
    facts
}

/// Returns the ID of the user who ran sudo(8) if this process is root, otherwise `euid`.
fn invoking_uid(euid: u32) -> u32 {
    let sudo_uid = std::env::var("SUDO_UID").ok().filter(|_| euid == 0);
    sudo_uid.and_then(|uid| uid.parse().ok()).unwrap_or(euid)
}

/// Resolves a host name within [`RESOLVE_TIMEOUT`], because a name server may be slow.
fn resolve(name: &str) -> NameResolution {
    if let Ok(address) = name.parse() {
        return NameResolution {
            addresses: vec![address],
            error: None,
        };
    }
    let (sender, receiver) = mpsc::channel();
    let host = name.to_owned();
    // The thread is detached, because getaddrinfo(3) cannot be interrupted.
    thread::spawn(move || sender.send(resolver::resolve(&host)));
    match receiver.recv_timeout(RESOLVE_TIMEOUT) {
        Ok(Ok(addresses)) => NameResolution {
            addresses,
            error: None,
        },
        Ok(Err(error)) => failed_resolution(error.to_string()),
        Err(_) => failed_resolution(format!("no answer within {} s", RESOLVE_TIMEOUT.as_secs())),
    }
}

fn failed_resolution(error: String) -> NameResolution {
    NameResolution {
        addresses: Vec::new(),
        error: Some(error),
    }
}

/// Probes all addresses of the target concurrently.
fn probe_addresses(facts: &PortFacts) -> Vec<OpenProbe> {
    let mut addresses = facts.resolved.addresses.clone();
    if addresses.is_empty() && facts.target.is_localhost() {
        // These addresses are probed even if `localhost` does not resolve.
        addresses = vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    }
    addresses.truncate(MAX_PROBED_ADDRESSES);
    thread::scope(|scope| {
        let start = |address: IpAddr| {
            let has_pending = facts
                .listener_for(address)
                .is_some_and(|server| server.receive_queue > 0);
            let queue = if has_pending {
                AcceptQueue::Pending
            } else {
                AcceptQueue::Empty
            };
            let endpoint = SocketAddr::new(address, facts.target.port);
            scope.spawn(move || probe::probe_address(endpoint, queue))
        };
        let threads: Vec<_> = addresses.into_iter().map(start).collect();
        let results = threads.into_iter().map(thread::ScopedJoinHandle::join);
        results.filter_map(Result::ok).collect()
    })
}

fn overflow_delta(before: Option<u64>, after: Option<u64>) -> u64 {
    after.unwrap_or(0).saturating_sub(before.unwrap_or(0))
}

/// Returns the next free port after `port`.
fn next_free_port(port: u16) -> Option<u16> {
    /// Maximum number of ports to try. A free port further away is not a useful substitute.
    const MAX_TRIED_PORTS: usize = 1000;
    let next_ports = (port..u16::MAX).map(|port| port + 1).take(MAX_TRIED_PORTS);
    next_ports
        .into_iter()
        .find(|&port| free_ports::try_bind(port).is_ok())
}

/// Adds the processes that have the sockets open, with details of the servers.
fn add_process_facts(facts: &mut PortFacts, probes: &[OpenProbe]) {
    let answering: Vec<&SocketInfo> = probes
        .iter()
        .filter_map(|probe| probe.result.peer_socket.as_ref())
        .collect();
    let listed = facts.sockets().iter().chain(&facts.all_listeners);
    let inodes: HashSet<u32> = listed
        .chain(answering.iter().copied())
        .map(|socket| socket.inode)
        .filter(|inode| *inode != 0)
        .collect();
    facts.holders = holders::find(&inodes);
    let serving = facts
        .tcp_listeners()
        .chain(facts.udp_listeners())
        .chain(answering);
    let mut servers = server_processes(serving, &facts.holders);
    if servers.is_empty() {
        // No process listens on the port; the user may have meant a similar one.
        let similar = similar_ports::listeners(&facts.all_listeners, facts.target.port);
        let others = server_processes(similar.into_iter(), &facts.holders);
        facts.config_searches = search_configs(&others);
        facts.process_mentions = process_mentions(&others);
    } else {
        facts.config_searches = search_configs(&servers);
        facts.process_mentions = process_mentions(&servers);
    }
    let bound = facts
        .sockets()
        .iter()
        .filter(|socket| !socket.is_listener());
    servers.extend(server_processes(bound, &facts.holders));
    facts.server_processes = servers;
}

fn server_processes<'a>(
    sockets: impl Iterator<Item = &'a SocketInfo>,
    holders: &Holders,
) -> BTreeMap<u32, ServerProcess> {
    let boot = processes::boot_time();
    let all = sockets.flat_map(|socket| holders.of(socket.inode));
    let own_pid = std::process::id();
    let mut servers = BTreeMap::new();
    for process in all.filter(|process| process.pid != own_pid) {
        if servers.len() >= MAX_SERVER_PROCESSES || servers.contains_key(&process.pid) {
            continue;
        }
        servers.insert(process.pid, server_process(process, boot));
    }
    servers
}

fn server_process(process: &Arc<Process>, boot: Option<u64>) -> ServerProcess {
    let handle = ProcHandle::new(process.pid);
    let parent = ProcHandle::new(process.parent).and_then(|handle| handle.describe());
    let ticks = rustix::param::clock_ticks_per_second();
    ServerProcess {
        process: Arc::clone(process),
        details: handle.map(|handle| handle.inspect()).unwrap_or_default(),
        user: users::name(process.uid).unwrap_or_else(|| process.uid.to_string()),
        started_at: boot
            .and_then(|boot| format_local_time(boot + process.start_time / ticks.max(1))),
        parent: parent.ok().map(Arc::new),
    }
}

/// Formats seconds since the Unix epoch in the time zone of this machine.
fn format_local_time(seconds: u64) -> Option<String> {
    let time = jiff::Timestamp::from_second(i64::try_from(seconds).ok()?).ok()?;
    let zoned = time.to_zoned(zone::local());
    Some(zoned.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

/// Searches the configuration files below the working directories of processes.
fn search_configs(servers: &BTreeMap<u32, ServerProcess>) -> Vec<(String, ConfigSearch)> {
    let working = servers.values().filter_map(|server| {
        let directory = server.details.working_directory.clone()?;
        // The root directory contains the files of all programs.
        (directory != "/").then_some(directory)
    });
    let directories: std::collections::BTreeSet<String> = working.collect();
    let first = directories.into_iter().take(MAX_SEARCHED_DIRECTORIES);
    first
        .map(|directory| {
            let found = config_search::search(Path::new(&directory));
            (directory, found)
        })
        .collect()
}

/// Returns the ports in the command lines and environments of processes.
fn process_mentions(servers: &BTreeMap<u32, ServerProcess>) -> Vec<PortMention> {
    let mut found: Vec<PortMention> = Vec::new();
    for server in servers.values() {
        let command = server.process.details().command_line.join(" ");
        found.extend(config_search::find_in_text("command line", &command));
        let variables = server.details.environment.iter().flatten();
        // Other variables may contain secrets and are not shown.
        let port_variables = variables.filter(|variable| {
            let name = variable.split('=').next().unwrap_or("");
            name.to_ascii_uppercase().contains("PORT")
        });
        found.extend(
            port_variables
                .filter_map(|variable| config_search::find_in_text("environment", variable)),
        );
    }
    found.dedup();
    found
}

/// Closes the probe connections. With `--talk`, sends a protocol request to each service first.
fn finish_probes(
    facts: &PortFacts,
    probes: Vec<OpenProbe>,
    probing: ServiceProbing,
) -> Vec<super::facts::ProbeResult> {
    thread::scope(|scope| {
        let finish = |mut probe: OpenProbe| {
            scope.spawn(move || {
                if let (ServiceProbing::Enabled, Some(stream)) = (probing, &probe.stream) {
                    probe.result.service_reply = service_probe::probe_service(facts, stream);
                }
                probe.result
            })
        };
        let threads: Vec<_> = probes.into_iter().map(finish).collect();
        let results = threads.into_iter().map(thread::ScopedJoinHandle::join);
        results.filter_map(Result::ok).collect()
    })
}
