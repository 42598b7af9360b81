//! The facts, gathered once: what takes time runs side by side.

use std::collections::{BTreeMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use super::facts::{Facts, Resolved, Server};
use super::probe::{self, Knock, Queue};
use super::{Target, similar, talk};
use crate::host::holders::Holders;
use crate::host::listing::Listed;
use crate::host::mentions::{self, Mention, Searched};
use crate::host::processes::{self, Held, Process};
use crate::host::services::Services;
use crate::host::{
    addresses, containers, elsewhere, firewall, free, holders, listing, names, settings, units,
    users, zone,
};
use crate::packet::{TCP, UDP};

/// Whether the service is asked for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Talk {
    /// It is.
    Yes,
    /// Nothing is said to it.
    No,
}

/// A name that takes longer than this has no address.
const RESOLVING: Duration = Duration::from_secs(2);
/// No more addresses of a name are knocked at.
const ADDRESSES: usize = 8;
/// No more directories are searched.
const DIRECTORIES: usize = 8;
/// No more processes are described.
const SERVERS: usize = 256;

/// Gathers all facts about a target.
pub fn gather(target: &Target, wish: Talk) -> Facts {
    let port = target.port;
    let mut facts = Facts::of(target.clone());
    facts.euid = rustix::process::geteuid().as_raw();
    facts.person = person(facts.euid);
    thread::scope(|scope| {
        let firewall = scope.spawn(|| (firewall::read(), firewall::legacy_rules()));
        let units = scope.spawn(|| units::naming(port));
        let elsewhere = scope.spawn(|| elsewhere::listening(port));
        let localhost = scope.spawn(|| resolved("localhost"));
        facts.resolved = resolved(&target.host);
        let about = settings::read();
        facts.sockets = listing::of_port(port).map_err(|error| error.to_string());
        facts.listening = listing::listening().unwrap_or_default();
        facts.interfaces = addresses::all().unwrap_or_default();
        facts.hosts = names::hosts().map_err(|error| error.to_string());
        facts.sources = names::sources();
        let services = Services::read();
        facts.service = [TCP, UDP].map(|proto| services.name(proto, port).map(str::to_owned));
        facts.containers = containers::publishing(port);
        let knocks = knock(&facts);
        facts.overflows = overflowed(about.overflows, settings::read().overflows);
        facts.settings = about;
        facts.next_free = next_free(port);
        describe(&mut facts, &knocks);
        facts.probes = answers(&facts, knocks, wish);
        facts.elsewhere = elsewhere.join().unwrap_or_default();
        facts.units = units.join().unwrap_or_default();
        (facts.firewall, facts.legacy) = firewall.join().unwrap_or_default();
        facts.localhost = localhost.join().unwrap_or_default();
    });
    facts
}

/// Who typed sudo(8), where root asks for somebody.
fn person(euid: u32) -> u32 {
    let told = std::env::var("SUDO_UID").ok().filter(|_| euid == 0);
    told.and_then(|uid| uid.parse().ok()).unwrap_or(euid)
}

/// The addresses of a name. Who is asked may be far away: that has an end.
fn resolved(name: &str) -> Resolved {
    if let Ok(address) = name.parse() {
        return Resolved {
            addresses: vec![address],
            error: None,
        };
    }
    let (tell, told) = mpsc::channel();
    let own = name.to_owned();
    // It is left behind if it does not come back.
    thread::spawn(move || tell.send(names::resolve(&own)));
    match told.recv_timeout(RESOLVING) {
        Ok(Ok(addresses)) => Resolved {
            addresses,
            error: None,
        },
        Ok(Err(error)) => failed(error.to_string()),
        Err(_) => failed(format!("no answer within {} s", RESOLVING.as_secs())),
    }
}

fn failed(error: String) -> Resolved {
    Resolved {
        addresses: Vec::new(),
        error: Some(error),
    }
}

/// Knocks at every address of the target, at all of them at once.
fn knock(facts: &Facts) -> Vec<Knock> {
    let mut addresses = facts.resolved.addresses.clone();
    if addresses.is_empty() && facts.target.is_localhost() {
        // Where the name is broken it is still known what it ought to mean.
        addresses = vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    }
    addresses.truncate(ADDRESSES);
    thread::scope(|scope| {
        let begin = |address: IpAddr| {
            let waits = facts
                .server_of(address)
                .is_some_and(|server| server.receive_queue > 0);
            let queue = if waits { Queue::Waits } else { Queue::Empty };
            let end = SocketAddr::new(address, facts.target.port);
            scope.spawn(move || probe::knock(end, queue))
        };
        let begun: Vec<_> = addresses.into_iter().map(begin).collect();
        let ended = begun.into_iter().map(thread::ScopedJoinHandle::join);
        ended.filter_map(Result::ok).collect()
    })
}

fn overflowed(before: Option<u64>, after: Option<u64>) -> u64 {
    after.unwrap_or(0).saturating_sub(before.unwrap_or(0))
}

/// The port after this one that can be had.
fn next_free(port: u16) -> Option<u16> {
    /// Where so many are in use, people look elsewhere.
    const TRIES: usize = 1000;
    let behind = (port..u16::MAX).map(|port| port + 1).take(TRIES);
    behind.into_iter().find(|&port| free::check(port).is_ok())
}

/// Who has the sockets, and what there is to be known of those processes.
fn describe(facts: &mut Facts, knocks: &[Knock]) {
    let answering: Vec<&Listed> = knocks
        .iter()
        .filter_map(|knock| knock.probe.answers.as_ref())
        .collect();
    let known = facts.sockets().iter().chain(&facts.listening);
    let inodes: HashSet<u32> = known
        .chain(answering.iter().copied())
        .map(|socket| socket.inode)
        .filter(|inode| *inode != 0)
        .collect();
    facts.holders = holders::find(&inodes);
    let own = facts.servers().chain(facts.datagrams()).chain(answering);
    let mut servers = servers(own, &facts.holders);
    if servers.is_empty() {
        // Nobody listens; who listens on a port that looks like it may be who was meant.
        let alike = similar::listening(&facts.listening, facts.target.port);
        let others = self::servers(alike.into_iter(), &facts.holders);
        facts.searched = searched(&others);
        facts.named = named(&others);
    } else {
        facts.searched = searched(&servers);
        facts.named = named(&servers);
    }
    let bound = facts.sockets().iter().filter(|socket| !socket.listens());
    servers.extend(self::servers(bound, &facts.holders));
    facts.servers = servers;
}

fn servers<'a>(
    sockets: impl Iterator<Item = &'a Listed>,
    holders: &Holders,
) -> BTreeMap<u32, Server> {
    let boot = processes::boot_time();
    let all = sockets.flat_map(|socket| holders.of(socket.inode));
    let own = std::process::id();
    let mut servers = BTreeMap::new();
    for process in all.filter(|process| process.pid != own) {
        if servers.len() >= SERVERS || servers.contains_key(&process.pid) {
            continue;
        }
        servers.insert(process.pid, server(process, boot));
    }
    servers
}

fn server(process: &Arc<Process>, boot: Option<u64>) -> Server {
    let held = Held::new(process.pid);
    let parent = Held::new(process.parent).and_then(|held| held.describe());
    let ticks = rustix::param::clock_ticks_per_second();
    Server {
        process: Arc::clone(process),
        details: held.map(|held| held.details()).unwrap_or_default(),
        user: users::name(process.uid).unwrap_or_else(|| process.uid.to_string()),
        since: boot.and_then(|boot| time(boot + process.start_time / ticks.max(1))),
        parent: parent.ok().map(Arc::new),
    }
}

/// A time in this machine's zone.
fn time(seconds: u64) -> Option<String> {
    let time = jiff::Timestamp::from_second(i64::try_from(seconds).ok()?).ok()?;
    let zoned = time.to_zoned(zone::local());
    Some(zoned.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

/// What is below the directories in which processes work.
fn searched(servers: &BTreeMap<u32, Server>) -> Vec<(String, Searched)> {
    let own = servers.values().filter_map(|server| {
        let directory = server.details.directory.clone()?;
        // Where everything is below, nothing is its own.
        (directory != "/").then_some(directory)
    });
    let directories: std::collections::BTreeSet<String> = own.collect();
    let first = directories.into_iter().take(DIRECTORIES);
    first
        .map(|directory| {
            let found = mentions::below(Path::new(&directory));
            (directory, found)
        })
        .collect()
}

/// What processes were told when they began.
fn named(servers: &BTreeMap<u32, Server>) -> Vec<Mention> {
    let mut found: Vec<Mention> = Vec::new();
    for server in servers.values() {
        let words = server.process.more().command_line.join(" ");
        found.extend(mentions::inside("command line", &words));
        let variables = server.details.environment.iter().flatten();
        // Others may hold anything, and are nobody's business.
        let telling = variables.filter(|variable| {
            let name = variable.split('=').next().unwrap_or("");
            name.to_ascii_uppercase().contains("PORT")
        });
        found.extend(telling.filter_map(|variable| mentions::inside("environment", variable)));
    }
    found.dedup();
    found
}

/// What came of knocking, with what the services say; the connections end here.
fn answers(facts: &Facts, knocks: Vec<Knock>, wish: Talk) -> Vec<super::facts::Probe> {
    thread::scope(|scope| {
        let ask = |mut knock: Knock| {
            scope.spawn(move || {
                if let (Talk::Yes, Some(stream)) = (wish, &knock.stream) {
                    knock.probe.said = talk::ask(facts, stream);
                }
                knock.probe
            })
        };
        let begun: Vec<_> = knocks.into_iter().map(ask).collect();
        let ended = begun.into_iter().map(thread::ScopedJoinHandle::join);
        ended.filter_map(Result::ok).collect()
    })
}
