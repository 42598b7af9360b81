//! Collection of the facts; slow queries run concurrently.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use super::facts::{NameResolution, PortFacts, ProbeResult, ServerProcess};
use super::probe::{self, OpenProbe};
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
        (facts.sockets, facts.sockets_error) = split_error(sock_diag::of_port(port));
        facts.all_listeners = sock_diag::listening().unwrap_or_default();
        facts.interfaces = interfaces::all().unwrap_or_default();
        (facts.hosts_file, facts.hosts_file_error) = split_error(resolver::read_hosts());
        facts.nss_sources = resolver::nss_sources();
        let services = Services::read();
        facts.service_names = [TCP, UDP].map(|proto| services.name(proto, port).map(str::to_owned));
        facts.containers = containers::publishing(port);
        let probes = probe_addresses(&facts);
        let overflows = settings::read().listen_overflows.unwrap_or(0);
        facts.listen_overflows = overflows.saturating_sub(settings.listen_overflows.unwrap_or(0));
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

/// Returns the list, or an empty list and the error.
fn split_error<T>(result: io::Result<Vec<T>>) -> (Vec<T>, Option<String>) {
    match result {
        Ok(list) => (list, None),
        Err(error) => (Vec::new(), Some(error.to_string())),
    }
}

/// Resolves a host name within [`RESOLVE_TIMEOUT`], because a name server may be slow.
fn resolve(name: &str) -> NameResolution {
    let look_up = || {
        let (sender, receiver) = mpsc::channel();
        let host = name.to_owned();
        // The thread is detached, because getaddrinfo(3) cannot be interrupted.
        thread::spawn(move || sender.send(resolver::resolve(&host)));
        receiver.recv_timeout(RESOLVE_TIMEOUT).unwrap_or_else(|_| {
            let seconds = RESOLVE_TIMEOUT.as_secs();
            Err(io::Error::other(format!("no answer within {seconds} s")))
        })
    };
    let resolved = name
        .parse()
        .map(|address| vec![address])
        .or_else(|_| look_up());
    let (addresses, error) = split_error(resolved);
    NameResolution { addresses, error }
}

/// Processes all items concurrently; omits the results of threads that panicked.
fn concurrently<T: Send, R: Send>(items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    thread::scope(|scope| {
        let work = &work;
        let start = |item| scope.spawn(move || work(item));
        let threads: Vec<_> = items.into_iter().map(start).collect();
        let results = threads.into_iter().map(thread::ScopedJoinHandle::join);
        results.filter_map(Result::ok).collect()
    })
}

/// Probes all addresses of the target concurrently.
fn probe_addresses(facts: &PortFacts) -> Vec<OpenProbe> {
    let mut addresses = facts.resolved.addresses.clone();
    if addresses.is_empty() && facts.target.is_localhost() {
        // These addresses are probed even if `localhost` does not resolve.
        addresses = vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    }
    addresses.truncate(MAX_PROBED_ADDRESSES);
    concurrently(addresses, |address| {
        let server = facts.listener_for(address);
        let accept_timeout = match server.is_some_and(|server| server.receive_queue > 0) {
            true => probe::BUSY_ACCEPT_TIMEOUT,
            false => probe::ACCEPT_TIMEOUT,
        };
        probe::probe_address(SocketAddr::new(address, facts.target.port), accept_timeout)
    })
}

/// Returns the next free port after `port`.
fn next_free_port(port: u16) -> Option<u16> {
    /// Maximum number of ports to try. A free port further away is not a useful substitute.
    const MAX_TRIED_PORTS: usize = 1000;
    let mut next_ports = (port..=u16::MAX).skip(1).take(MAX_TRIED_PORTS);
    next_ports.find(|&port| free_ports::try_bind(port).is_ok())
}

/// Adds the processes that have the sockets open, with details of the servers.
fn add_process_facts(facts: &mut PortFacts, probes: &[OpenProbe]) {
    let answering: Vec<&SocketInfo> = probes
        .iter()
        .filter_map(|probe| probe.result.peer_socket.as_ref())
        .collect();
    let listed = facts.sockets.iter().chain(&facts.all_listeners);
    let inodes: HashSet<u32> = listed
        .chain(answering.iter().copied())
        .map(|socket| socket.inode)
        .filter(|inode| *inode != 0)
        .collect();
    facts.holders = holders::find(&inodes, None);
    let serving = facts.port_listeners().chain(answering);
    let mut servers = server_processes(serving, &facts.holders);
    let mut searched = servers.clone();
    if searched.is_empty() {
        // No process listens on the port; the user may have meant a similar one.
        let similar = similar_ports::listeners(&facts.all_listeners, facts.target.port);
        searched = server_processes(similar.into_iter(), &facts.holders);
    }
    facts.config_searches = search_configs(&searched);
    facts.process_mentions = process_mentions(&searched);
    let bound = facts.sockets.iter().filter(|socket| !socket.is_listener());
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
    let parent =
        ProcHandle::new(process.parent).and_then(|handle| Ok(handle.describe(handle.identity()?)));
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
        found.extend(variables.filter_map(|variable| {
            let name = variable.split('=').next()?;
            // Other variables may contain secrets and are not shown.
            let is_port = name.to_ascii_uppercase().contains("PORT");
            is_port.then(|| config_search::find_in_text("environment", variable))?
        }));
    }
    found.dedup();
    found
}

/// Closes the probe connections. With `--talk`, sends a protocol request to each service first.
fn finish_probes(
    facts: &PortFacts,
    probes: Vec<OpenProbe>,
    probing: ServiceProbing,
) -> Vec<ProbeResult> {
    concurrently(probes, |mut probe| {
        if let (ServiceProbing::Enabled, Some(stream)) = (probing, &probe.stream) {
            probe.result.service_reply = service_probe::probe_service(facts, stream);
        }
        probe.result
    })
}
