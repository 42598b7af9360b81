//! All that is known when the checks begin.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::Target;
use super::ports;
use crate::host::addresses::Interface;
use crate::host::containers::Container;
use crate::host::elsewhere::Elsewhere;
use crate::host::firewall::{Firewall, Legacy};
use crate::host::holders::Holders;
use crate::host::listing::Listed;
use crate::host::mentions::{Mention, Searched};
use crate::host::names::Line;
use crate::host::processes::{Details, Process};
use crate::host::settings::Settings;
use crate::host::units::Unit;
use crate::owners::Owner;
use crate::packet::{TCP, UDP};

/// What was gathered, once.
#[derive(Debug, Clone)]
pub struct Facts {
    /// What is asked for.
    pub target: Target,
    /// Whose rights this process has.
    pub euid: u32,
    /// Who asks: that user, or whoever typed sudo(8).
    pub person: u32,
    /// The addresses of the host that is asked for, in the order in which programs try them.
    pub resolved: Resolved,
    /// Those of `localhost`.
    pub localhost: Resolved,
    /// The hosts file; why it cannot be read otherwise.
    pub hosts: Result<Vec<Line>, String>,
    /// Where names are looked for, in order.
    pub sources: Option<String>,
    /// The interfaces of this network namespace.
    pub interfaces: Vec<Interface>,
    /// What the kernel is told about ports.
    pub settings: Settings,
    /// IANA's name of the port, of TCP and of UDP.
    pub service: [Option<String>; 2],
    /// Every socket that has the port, before anybody knocked; why the kernel does not tell otherwise.
    pub sockets: Result<Vec<Listed>, String>,
    /// Everybody who listens, on whatever port.
    pub listening: Vec<Listed>,
    /// The processes that have those sockets.
    pub holders: Holders,
    /// More of the processes that have the port, by number.
    pub servers: BTreeMap<u32, Server>,
    /// What came of knocking, address by address.
    pub probes: Vec<Probe>,
    /// How many connections did not fit into backlogs of this machine meanwhile.
    pub overflows: u64,
    /// The next port that can be had.
    pub next_free: Option<u16>,
    /// The rules that packets pass.
    pub firewall: Firewall,
    /// Those of the old iptables.
    pub legacy: Vec<Legacy>,
    /// The systemd units that name the port.
    pub units: Vec<Unit>,
    /// The containers that publish the port.
    pub containers: Vec<Container>,
    /// The configuration files below the directories in which who listens works.
    pub searched: Vec<(String, Searched)>,
    /// What command lines and environments of who listens say of ports.
    pub named: Vec<Mention>,
    /// Who listens on the port in other network namespaces.
    pub elsewhere: Elsewhere,
    /// What the port said meanwhile, where it was watched.
    pub watched: Option<Watched>,
}

/// The addresses of a name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resolved {
    /// In order.
    pub addresses: Vec<IpAddr>,
    /// Why there are none.
    pub error: Option<String>,
}

/// A process that has the port.
#[derive(Debug, Clone)]
pub struct Server {
    /// Itself.
    pub process: Arc<Process>,
    /// What is asked of few.
    pub details: Details,
    /// The name of the user whose rights it has, or the number.
    pub user: String,
    /// When it began, as people write times.
    pub since: Option<String>,
    /// Who began it.
    pub parent: Option<Arc<Process>>,
}

/// What came of knocking at an address.
#[derive(Debug, Clone)]
pub struct Probe {
    /// Where.
    pub address: SocketAddr,
    /// What came back.
    pub outcome: Outcome,
    /// How long that took.
    pub took: Duration,
    /// The socket at the other end, if it is on this machine.
    pub answers: Option<Listed>,
    /// How long it was waited for a process to have that socket.
    pub waited: Duration,
    /// Whether the address answers an ICMP echo.
    pub echo: Echo,
    /// What was said when it was asked something.
    pub said: Option<Said>,
}

/// What a connection came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is there.
    Accepted,
    /// A reset came, or an ICMP error that means the same.
    Refused,
    /// Nothing came.
    Silent,
    /// The kernel knows no way, or may not go it, in its words.
    Unreachable(String),
}

/// What an ICMP echo came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Echo {
    /// An answer, after so long.
    Answered(Duration),
    /// None.
    Silent,
    /// This process may not send one (`net.ipv4.ping_group_range`, icmp(7)).
    NotPermitted,
}

/// An answer of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// What was asked: `HTTP HEAD`, `TLS ClientHello`, …
    pub asked: &'static str,
    /// What came: its first line, or what it means; none if nothing came.
    pub answer: Option<String>,
    /// Whether that is what such a service says.
    pub is_right: bool,
}

/// What a capture of the port saw.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Watched {
    /// For so many seconds.
    pub seconds: u64,
    /// Why there was none.
    pub error: Option<String>,
    /// Lines of flows: who with whom, and how it ended.
    pub flows: Vec<Seen>,
    /// Flows that were not kept, beyond so many.
    pub more: usize,
}

/// A flow that was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// `127.0.0.1:40000 → 127.0.0.1:62893  curl[7] → nobody: refused`
    pub line: String,
    /// Whether it is one of those that nobody wants.
    pub ending: Ending,
}

/// How a flow ended, as far as that matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "they say what they are")]
pub enum Ending {
    Refused,
    Reset,
    NoAnswer,
    Other,
}

impl Facts {
    /// Nothing is known yet.
    pub fn of(target: Target) -> Facts {
        Facts {
            target,
            euid: 0,
            person: 0,
            resolved: Resolved::default(),
            localhost: Resolved::default(),
            hosts: Ok(Vec::new()),
            sources: None,
            interfaces: Vec::new(),
            settings: Settings::default(),
            service: [None, None],
            sockets: Ok(Vec::new()),
            listening: Vec::new(),
            holders: Holders::default(),
            servers: BTreeMap::new(),
            probes: Vec::new(),
            overflows: 0,
            next_free: None,
            firewall: Firewall::Unasked,
            legacy: Vec::new(),
            units: Vec::new(),
            containers: Vec::new(),
            searched: Vec::new(),
            named: Vec::new(),
            elsewhere: Elsewhere::default(),
            watched: None,
        }
    }

    /// Every socket that has the port at either end; none where the kernel does not tell.
    pub fn sockets(&self) -> &[Listed] {
        self.sockets.as_deref().unwrap_or_default()
    }

    /// Who listens on the port, with TCP.
    pub fn servers(&self) -> impl Iterator<Item = &Listed> {
        self.listeners(TCP)
    }

    /// Who takes datagrams on the port.
    pub fn datagrams(&self) -> impl Iterator<Item = &Listed> {
        self.listeners(UDP)
    }

    fn listeners(&self, proto: u8) -> impl Iterator<Item = &Listed> {
        let port = self.target.port;
        self.sockets().iter().filter(move |socket| {
            socket.proto == proto && socket.listens() && socket.local.port() == port
        })
    }

    /// The socket that takes what is sent to this address: the one that names it, before those for all addresses.
    pub fn server_of(&self, address: IpAddr) -> Option<&Listed> {
        // To connect to the wildcard is to connect to the loopback.
        let address = match address {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
            address => address,
        };
        let taking = self.servers().filter(|socket| socket.takes(address));
        taking.min_by_key(|socket| {
            let own = socket.local.ip().to_canonical();
            (own.is_unspecified(), own.is_ipv4() != address.is_ipv4())
        })
    }

    /// The processes that have a socket.
    pub fn owner(&self, socket: &Listed) -> Owner {
        ports::owner(socket, &self.holders)
    }

    /// The numbers of the processes that have a socket.
    pub fn pids(&self, socket: &Listed) -> Vec<u32> {
        let holders = self.holders.of(socket.inode).iter();
        holders.map(|process| process.pid).collect()
    }

    /// Whether anybody was let in.
    pub fn is_accepted(&self) -> bool {
        self.probes
            .iter()
            .any(|probe| probe.outcome == Outcome::Accepted)
    }

    /// Whether what is sent to the address stays on this machine.
    pub fn is_own(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_loopback() || address.is_unspecified() || self.interface_of(address).is_some()
    }

    /// The interface that has an address.
    pub fn interface_of(&self, address: IpAddr) -> Option<&Interface> {
        self.interfaces.iter().find(|interface| {
            let mut own = interface.addresses.iter();
            own.any(|(own, _)| *own == address)
        })
    }
}
