//! Input of the checks: the state of this machine and the results of the probes.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::{Target, ports};
use crate::error::shell_quote;
use crate::host::network::firewall::{Firewall, LegacyRule};
use crate::host::network::interfaces::HostInterface;
use crate::host::network::resolver::HostsEntry;
use crate::host::network::settings::NetworkSettings;
use crate::host::processes::ProcessInspection;
use crate::host::services::config_search::{ConfigSearch, PortMention};
use crate::host::services::containers::Container;
use crate::host::services::systemd_units::SystemdUnit;
use crate::host::sockets::holders::Holders;
use crate::host::sockets::other_netns::OtherListeners;
use crate::host::sockets::sock_diag::SocketInfo;
use crate::packet::{TCP, UDP};
use crate::process::Owner;
use crate::process::Process;

/// The facts about a target, gathered once.
#[derive(Debug, Clone, Default)]
pub struct PortFacts {
    /// The host and the port to diagnose.
    pub target: Target,
    /// The effective user ID of this process.
    pub euid: u32,
    /// The ID of the user who ran lcap: `SUDO_UID` for root under sudo(8), otherwise `euid`.
    pub invoking_uid: u32,
    /// The addresses of the target host, in the order in which programs try them.
    pub resolved: NameResolution,
    /// The addresses of `localhost`, in the order in which programs try them.
    pub localhost: NameResolution,
    /// The entries of the hosts file.
    pub hosts_file: Vec<HostsEntry>,
    /// The reason why the hosts file cannot be read.
    pub hosts_file_error: Option<String>,
    /// The `hosts` line of nsswitch.conf(5): the sources of names, in order.
    pub nss_sources: Option<String>,
    /// The interfaces of this network namespace.
    pub interfaces: Vec<HostInterface>,
    /// Kernel settings (sysctl) for ports, backlogs and IPv6.
    pub settings: NetworkSettings,
    /// The service names of the port in /etc/services, for TCP and for UDP.
    pub service_names: [Option<String>; 2],
    /// Every socket with the port at either end, listed before the probes.
    pub sockets: Vec<SocketInfo>,
    /// The reason why the kernel does not list sockets.
    pub sockets_error: Option<String>,
    /// All listening sockets, on any port.
    pub all_listeners: Vec<SocketInfo>,
    /// The processes that have any of the sockets above open.
    pub holders: Holders,
    /// Details of the processes that use the port, by PID.
    pub server_processes: BTreeMap<u32, ServerProcess>,
    /// The results of the connection attempts, one per address.
    pub probes: Vec<ProbeResult>,
    /// Increase of `ListenOverflows` in /proc/net/netstat during the probes: the number of
    /// connections that did not fit into the backlog of a listening socket.
    pub listen_overflows: u64,
    /// The next free port after the target port.
    pub next_free_port: Option<u16>,
    /// The nftables rules of this network namespace.
    pub firewall: Firewall,
    /// The rules of the legacy iptables.
    pub legacy_rules: Vec<LegacyRule>,
    /// The systemd units that name the port.
    pub units: Vec<SystemdUnit>,
    /// The containers that publish the port.
    pub containers: Vec<Container>,
    /// Ports in configuration files, by the working directory of a listening process.
    pub config_searches: Vec<(String, ConfigSearch)>,
    /// Ports in the command lines and environments of the listening processes.
    pub process_mentions: Vec<PortMention>,
    /// Sockets that listen on the port in other network namespaces.
    pub other_netns: OtherListeners,
    /// The result of `--watch`.
    pub watch_result: Option<WatchResult>,
}

/// The addresses of a host name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NameResolution {
    /// The addresses, in the order of getaddrinfo(3).
    pub addresses: Vec<IpAddr>,
    /// The reason why there are no addresses.
    pub error: Option<String>,
}

impl NameResolution {
    /// Returns the addresses as text: `::1, then 127.0.0.1`.
    pub(super) fn joined(&self) -> String {
        let all: Vec<String> = self.addresses.iter().map(ToString::to_string).collect();
        all.join(", then ")
    }

    /// Returns the reason why there are no addresses.
    pub(super) fn error_text(&self) -> &str {
        self.error
            .as_deref()
            .unwrap_or("the lookup returned no addresses")
    }
}

/// A process that uses the port.
#[derive(Debug, Clone)]
pub struct ServerProcess {
    /// The process.
    pub process: Arc<Process>,
    /// Details that lcap reads only for the processes that use the port.
    pub details: ProcessInspection,
    /// The name of the effective user, or the user ID.
    pub user: String,
    /// The start time in local time: `2026-11-25 20:58:31`.
    pub started_at: Option<String>,
    /// The parent process.
    pub parent: Option<Arc<Process>>,
}

/// The result of probing one address.
#[derive(Debug, Clone)]
pub struct ProbeResult {
    /// The probed address and port.
    pub address: SocketAddr,
    /// The outcome of the connection attempt.
    pub outcome: ConnectOutcome,
    /// Duration of the connection attempt.
    pub connect_time: Duration,
    /// The socket at the other end, if it belongs to this machine.
    pub peer_socket: Option<SocketInfo>,
    /// Time spent waiting for a process to accept the connection.
    pub accept_wait: Duration,
    /// The outcome of an ICMP echo request to the address.
    pub echo: EchoOutcome,
    /// The reply to a protocol request (`--talk`).
    pub service_reply: Option<ServiceReply>,
}

/// The outcome of a connection attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectOutcome {
    /// The handshake completed.
    Accepted,
    /// An RST or an ICMP error arrived, which the kernel reports as ECONNREFUSED.
    Refused,
    /// No answer within the timeout.
    TimedOut,
    /// Any other error, with the kernel's text, e.g. no route or not permitted.
    Unreachable(String),
}

/// The outcome of an ICMP echo request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EchoOutcome {
    /// An echo reply, after this round-trip time.
    Replied(Duration),
    /// No reply within the timeout.
    NoReply,
    /// Neither a ping socket (`net.ipv4.ping_group_range`, icmp(7)) nor a raw socket (raw(7)) is
    /// permitted.
    NotPermitted,
}

/// The reply of a service to a protocol request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceReply {
    /// The request: `HTTP HEAD`, `TLS ClientHello`, …
    pub request: &'static str,
    /// The first line of the reply, or the meaning of the reply; none if the service did not reply.
    pub answer: Option<String>,
    /// True if the reply is valid in the protocol of the request.
    pub is_expected: bool,
}

/// The result of capturing the port for a limited time (`--watch`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WatchResult {
    /// The requested duration in seconds.
    pub seconds: u64,
    /// The reason why the capture failed.
    pub error: Option<String>,
    /// The flows, in the order in which they ended.
    pub flows: Vec<WatchedFlow>,
    /// Number of flows beyond the limit, which were not kept, indexed by [`WatchedFlowEnd`].
    pub omitted_flows: [usize; 4],
}

/// A captured flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchedFlow {
    /// `127.0.0.1:40000 → 127.0.0.1:62893  curl[7] → nobody: refused`
    pub summary: String,
    /// The way in which the flow ended.
    pub ending: WatchedFlowEnd,
}

/// The way in which a flow ended, as far as the checks distinguish it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WatchedFlowEnd {
    Refused,
    Reset,
    NoAnswer,
    Other,
}

impl PortFacts {
    /// Returns empty facts about a target.
    pub fn new(target: Target) -> PortFacts {
        PortFacts {
            target,
            ..PortFacts::default()
        }
    }

    /// The TCP sockets that listen on the port.
    pub fn tcp_listeners(&self) -> impl Iterator<Item = &SocketInfo> {
        self.listeners(TCP)
    }

    /// The UDP sockets that receive on the port.
    pub fn udp_listeners(&self) -> impl Iterator<Item = &SocketInfo> {
        self.listeners(UDP)
    }

    /// The sockets that listen or receive on the port, those of TCP first.
    pub fn port_listeners(&self) -> impl Iterator<Item = &SocketInfo> {
        self.tcp_listeners().chain(self.udp_listeners())
    }

    fn listeners(&self, proto: u8) -> impl Iterator<Item = &SocketInfo> {
        let port = self.target.port;
        self.sockets.iter().filter(move |socket| {
            socket.proto == proto && socket.is_listener() && socket.local.port() == port
        })
    }

    /// The TCP socket that receives connections to this address: a socket bound to the address is
    /// preferred to one bound to the wildcard address, as in the kernel.
    pub fn listener_for(&self, address: IpAddr) -> Option<&SocketInfo> {
        // Linux connects to the loopback if the destination is the wildcard address.
        let address = match address {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
            address => address,
        };
        let candidates = self
            .tcp_listeners()
            .filter(|socket| socket.can_receive_on(address));
        candidates.min_by_key(|socket| {
            let bound = socket.local.ip().to_canonical();
            (bound.is_unspecified(), bound.is_ipv4() != address.is_ipv4())
        })
    }

    /// The processes that have a socket open.
    pub fn owner(&self, socket: &SocketInfo) -> Owner {
        ports::owner(socket, &self.holders)
    }

    /// The PIDs of the processes that have a socket open.
    pub fn pids(&self, socket: &SocketInfo) -> Vec<u32> {
        let holders = self.holders.of(socket.inode).iter();
        holders.map(|process| process.pid).collect()
    }

    /// True if any address accepted a connection.
    pub fn is_reachable(&self) -> bool {
        let mut probes = self.probes.iter();
        probes.any(|probe| probe.outcome == ConnectOutcome::Accepted)
    }

    /// The command that runs the checks as root.
    pub(super) fn command_as_root(&self) -> String {
        format!("sudo lcap doctor {}", shell_quote(&self.target.to_string()))
    }

    /// True if packets to the address stay on this machine.
    pub fn is_local_address(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_loopback() || address.is_unspecified() || self.interface_of(address).is_some()
    }

    /// The loopback interface.
    pub fn loopback(&self) -> Option<&HostInterface> {
        self.interfaces
            .iter()
            .find(|interface| interface.is_loopback)
    }

    /// The interface that has the address.
    pub fn interface_of(&self, address: IpAddr) -> Option<&HostInterface> {
        self.interfaces.iter().find(|interface| {
            let mut addresses = interface.addresses.iter();
            addresses.any(|(assigned, _)| *assigned == address)
        })
    }
}
