//! The self-check (`lcap doctor` without a target): permissions and kernel features that lcap uses.

use super::finding::{CheckName, Finding};
use crate::error::count_noun;
use crate::host::network::interfaces::{self, HostInterface};
use crate::host::processes::capabilities::{self, HostCapabilities};
use crate::host::processes::capture_permission;
use crate::host::sockets::other_netns;
use crate::host::sockets::sock_diag;
use crate::host::sockets::socket_events::{NamespaceScope, SocketEvents};
use crate::privileges::{CapabilitySet, sandbox};
use crate::source::Stop;
use crate::source::live::{LiveOptions, LiveSource};

const CHECK: CheckName = CheckName("lcap");
/// Default ring size of a capture in bytes.
const RING_BYTES: u32 = 64 << 20;

/// Capabilities with which BPF names the processes of all users.
const BPF_CAPABILITIES: &str = "cap_net_raw,cap_bpf,cap_perfmon,cap_sys_ptrace=ep";
/// Capabilities with which lookups name the processes of all users, where there is no BPF.
const LOOKUP_CAPABILITIES: &str = "cap_net_raw,cap_sys_ptrace,cap_dac_read_search=ep";

/// Number of capabilities beyond which they are not listed: those of root.
const MAX_LISTED_CAPABILITIES: usize = 16;

/// The facts about lcap itself.
#[derive(Debug, Clone, Default)]
pub struct SelfFacts {
    /// Capabilities of this process and features of this kernel.
    pub capabilities: HostCapabilities,
    /// The command that permits captures, if they are not permitted.
    pub capture_remedy: Option<String>,
    /// The error of the test capture; none if the capture started or is not permitted.
    pub capture_error: Option<String>,
    /// The reason why BPF is unavailable; none if the kernel reports connections through BPF.
    pub bpf_error: Option<String>,
    /// The reason why the kernel does not list its sockets.
    pub sockets_error: Option<String>,
    /// The interfaces of this network namespace.
    pub interfaces: Vec<HostInterface>,
    /// The restrictions that are possible while packets are processed.
    pub restrictions: String,
    /// Number of processes that this user is not permitted to inspect.
    pub hidden_processes: usize,
    /// Number of other network namespaces.
    pub other_netns_count: usize,
}

/// Collects the facts and starts a short test capture.
pub fn inspect() -> SelfFacts {
    let capture_remedy = capture_permission::setcap_command();
    let interfaces = interfaces::all().unwrap_or_default();
    let lo = interfaces.iter().find(|interface| interface.is_loopback);
    let device = lo.map_or("lo", |lo| lo.name.as_str()).to_owned();
    let other_netns = other_netns::listeners(0);
    let open_capture = || {
        let options = LiveOptions {
            device,
            ring_size: RING_BYTES,
            ..LiveOptions::default()
        };
        LiveSource::open(options, Stop::new()?)
    };
    SelfFacts {
        capabilities: capabilities::read(),
        capture_error: match capture_remedy {
            None => open_capture().err().map(|error| error.to_string()),
            Some(_) => None,
        },
        capture_remedy,
        bpf_error: SocketEvents::open(NamespaceScope::Own, None)
            .err()
            .map(|error| error.to_string()),
        sockets_error: sock_diag::listening().err().map(|error| error.to_string()),
        interfaces,
        restrictions: sandbox::possible().to_string(),
        hidden_processes: other_netns.hidden_processes,
        other_netns_count: other_netns.namespace_count,
    }
}

/// Returns the findings of all self-checks.
pub fn findings(facts: &SelfFacts) -> Vec<Finding> {
    let checks = [
        check_capture,
        check_libpcap,
        check_loopback,
        check_sockets,
        check_processes,
        check_bpf,
        check_namespaces,
        check_privileges,
    ];
    checks.iter().map(|check| check(facts)).collect()
}

fn check_capture(facts: &SelfFacts) -> Finding {
    if let Some(command) = &facts.capture_remedy {
        let message =
            "capturing requires the CAP_NET_RAW capability, which this process does not have";
        return CHECK
            .problem("may-not-capture", message)
            .with_evidence("reading files, lcap ports and lcap doctor PORT work without it")
            .with_remedy(command.clone());
    }
    if let Some(error) = &facts.capture_error {
        let message = "lcap is permitted to capture, but the capture does not start";
        return CHECK
            .problem("cannot-capture", message)
            .with_evidence(error.clone());
    }
    let ring = RING_BYTES >> 20;
    let message = format!("lcap can capture on the loopback, with a {ring} MiB ring");
    CHECK.ok("may-capture", message)
}

fn check_libpcap(facts: &SelfFacts) -> Finding {
    let kernel = facts.capabilities.kernel.as_deref().unwrap_or("?");
    let library = facts.capabilities.libpcap.as_deref();
    let library = library.unwrap_or("libpcap, statically linked");
    CHECK.ok("libpcap", format!("{library}, on Linux {kernel}"))
}

fn check_loopback(facts: &SelfFacts) -> Finding {
    match facts.interfaces.iter().find(|lo| lo.is_loopback) {
        Some(lo) if lo.is_up => CHECK.ok("lo-up", format!("{} is up", lo.name)),
        Some(lo) => CHECK
            .problem(
                "lo-down",
                format!("{} is down: there is no traffic to capture", lo.name),
            )
            .with_remedy(format!("sudo ip link set {} up", lo.name)),
        None => CHECK.unknown("lo-unknown", "the kernel lists no loopback interface"),
    }
}

fn check_sockets(facts: &SelfFacts) -> Finding {
    match &facts.sockets_error {
        None => CHECK.ok("sockets", "the kernel lists its sockets (sock_diag)"),
        Some(error) => CHECK
            .unknown(
                "sockets-unknown",
                "the kernel does not list its sockets, so processes cannot be named",
            )
            .with_evidence(error.clone())
            .with_remedy("sudo modprobe -a inet_diag tcp_diag udp_diag"),
    }
}

fn check_processes(facts: &SelfFacts) -> Finding {
    let permitted = facts.capabilities.permitted;
    if permitted.has(CapabilitySet::SYS_PTRACE) {
        let message = "the processes of all users can be named";
        if permitted.has(CapabilitySet::DAC_READ_SEARCH) {
            return CHECK.ok("processes", message);
        }
        if facts.bpf_error.is_none() {
            return CHECK.ok(
                "processes",
                format!("{message}, once they use a connection (BPF)"),
            );
        }
    }
    let count = count_noun(facts.hidden_processes, "process");
    CHECK
        .note(
            "processes-hidden",
            "only this user's processes can be named",
        )
        .with_evidence(format!("{count} of other users cannot be inspected"))
        .with_remedy(setcap_command(facts))
}

/// Returns the command that grants lcap the capabilities with which it names the processes of all
/// users.
fn setcap_command(facts: &SelfFacts) -> String {
    let capabilities = match facts.capabilities.has_btf {
        true => BPF_CAPABILITIES,
        false => LOOKUP_CAPABILITIES,
    };
    let program = capture_permission::quoted_program_path();
    format!("sudo setcap {capabilities} {program}")
}

fn check_bpf(facts: &SelfFacts) -> Finding {
    let Some(error) = &facts.bpf_error else {
        return CHECK.ok(
            "bpf",
            "the kernel reports which process opens a connection (BPF)",
        );
    };
    let capabilities = &facts.capabilities;
    let needed = CapabilitySet::BPF | CapabilitySet::PERFMON;
    let is_permitted = capabilities.permitted.has(needed);
    let message = "the kernel does not report which process opens a connection (BPF); lcap looks \
                   up the process instead";
    let finding = CHECK
        .note("bpf-absent", message)
        .with_evidence(error.clone());
    match (capabilities.has_btf, is_permitted) {
        (false, _) => finding.with_evidence("/sys/kernel/btf/vmlinux does not exist"),
        (true, false) => finding
            .with_evidence("BPF requires CAP_BPF and CAP_PERFMON")
            .with_remedy(setcap_command(facts)),
        (true, true) => finding,
    }
}

fn check_namespaces(facts: &SelfFacts) -> Finding {
    if !facts.capabilities.permitted.has(CapabilitySet::SYS_ADMIN) {
        let message = "entering other network namespaces requires root";
        return CHECK.note("namespaces-not-permitted", message);
    }
    let message = match facts.other_netns_count {
        0 => "lcap can enter other network namespaces (--netns), but none exists".to_owned(),
        count => format!(
            "lcap can enter {} (--netns)",
            count_noun(count, "other network namespace")
        ),
    };
    CHECK.ok("namespaces", message)
}

fn check_privileges(facts: &SelfFacts) -> Finding {
    let held = match &facts.capabilities.permitted.names()[..] {
        [] => "no capabilities".to_owned(),
        held if held.len() > MAX_LISTED_CAPABILITIES => "all capabilities".to_owned(),
        held => held.join(", "),
    };
    let message = format!("lcap processes packets with {}", facts.restrictions);
    CHECK
        .ok("privileges", message)
        .with_evidence(format!("at its start, it holds {held}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::{DoctorVerdict, Health};

    #[test]
    fn self_check_reports_missing_permissions() {
        let lo = HostInterface {
            is_up: true,
            is_loopback: true,
            name: "lo".into(),
            ..HostInterface::default()
        };
        let healthy = SelfFacts {
            interfaces: vec![lo.clone()],
            ..SelfFacts::default()
        };
        let unprivileged = SelfFacts {
            capture_remedy: Some("sudo setcap …".into()),
            ..healthy.clone()
        };
        let down = SelfFacts {
            interfaces: vec![HostInterface { is_up: false, ..lo }],
            ..healthy.clone()
        };
        let no_sockets = SelfFacts {
            sockets_error: Some("no such protocol".into()),
            ..healthy.clone()
        };
        for (facts, health, code) in [
            (healthy, Health::Healthy, "may-capture"),
            (unprivileged, Health::Problem, "may-not-capture"),
            (down, Health::Problem, "lo-down"),
            (no_sockets, Health::Healthy, "may-capture"),
        ] {
            let verdict = DoctorVerdict::from_findings(&findings(&facts));
            assert_eq!((verdict.health, verdict.code), (health, code));
        }
    }
}
