//! How lcap itself is: what it may do here, and what it lacks.

use super::finding::{Check, Finding, counted};
use crate::host::abilities::{self, Abilities, Capability};
use crate::host::addresses::{self, Interface};
use crate::host::connections::Connections;
use crate::host::elsewhere;
use crate::host::listing;
use crate::source::Stop;
use crate::source::live::{self, Live, Options, Pace};

const CHECK: Check = Check("lcap");
/// The ring that captures have unless somebody wants another, in bytes.
const RING: u32 = 64 << 20;

/// What lets lcap name everybody's processes, by the kernel.
const EVERYTHING: &str = "cap_net_raw,cap_bpf,cap_perfmon,cap_sys_ptrace,cap_dac_read_search=ep";

/// What is known of lcap.
#[derive(Debug, Clone, Default)]
pub struct Own {
    /// What this process may, and this kernel can.
    pub abilities: Abilities,
    /// The command that lets it capture, where it may not.
    pub missing: Option<String>,
    /// Why a capture does not begin although it may; none where one did.
    pub capture: Option<String>,
    /// Why the kernel does not tell who begins a connection (BPF); none where it does.
    pub bpf: Option<String>,
    /// Why the kernel does not tell of sockets.
    pub sockets: Option<String>,
    /// The interfaces.
    pub interfaces: Vec<Interface>,
    /// Of how many processes it may not see where they are.
    pub hidden: usize,
    /// How many other network namespaces there are.
    pub namespaces: usize,
}

/// Looks at lcap: a capture is begun and ended again.
pub fn look() -> Own {
    let missing = live::missing_permission();
    let interfaces = addresses::all().unwrap_or_default();
    let lo = interfaces.iter().find(|own| own.is_loopback);
    let device = lo.map_or("lo", |lo| lo.name.as_str()).to_owned();
    let elsewhere = elsewhere::listening(0);
    let begun = || {
        let options = Options {
            device,
            is_loopback: true,
            snap_len: live::MAX_SNAP_LEN,
            buffer: RING,
            link: None,
            duration: None,
            pace: Pace::Prompt,
            tick: None,
        };
        let capture = Stop::new().map_err(|error| error.to_string());
        capture.and_then(|stop| Live::open(options, stop).map_err(|error| error.to_string()))
    };
    Own {
        abilities: abilities::read(),
        capture: match missing {
            None => begun().err(),
            Some(_) => None,
        },
        missing,
        bpf: Connections::open().err().map(|error| error.to_string()),
        sockets: listing::listening().err().map(|error| error.to_string()),
        interfaces,
        hidden: elsewhere.hidden,
        namespaces: elsewhere.namespaces,
    }
}

/// What there is to say of it.
pub fn findings(own: &Own) -> Vec<Finding> {
    let mut found = vec![capture(own), library(own)];
    found.extend([
        loopback(own),
        sockets(own),
        processes(own),
        bpf(own),
        namespaces(own),
    ]);
    found
}

fn capture(own: &Own) -> Finding {
    if let Some(command) = &own.missing {
        let what = "capturing needs the CAP_NET_RAW capability, which this process does not have";
        return CHECK
            .problem("may-not-capture", what)
            .because("reading files, lcap ports and lcap doctor PORT work without it")
            .mended_by(command.clone());
    }
    let ring = RING >> 20;
    match &own.capture {
        None => CHECK.ok(
            "may-capture",
            format!("lcap can capture on the loopback, with a ring of {ring} MiB"),
        ),
        Some(why) => CHECK
            .problem(
                "cannot-capture",
                "lcap may capture, and a capture does not begin",
            )
            .because(why.clone()),
    }
}

fn library(own: &Own) -> Finding {
    let kernel = own.abilities.kernel.as_deref().unwrap_or("?");
    let library = own.abilities.libpcap.as_deref();
    let library = library.unwrap_or("libpcap, which is part of lcap here");
    CHECK.ok("libpcap", format!("{library}, on Linux {kernel}"))
}

fn loopback(own: &Own) -> Finding {
    match own.interfaces.iter().find(|own| own.is_loopback) {
        Some(lo) if lo.is_up => CHECK.ok("lo-up", format!("{} is up", lo.name)),
        Some(lo) => CHECK
            .problem(
                "lo-down",
                format!("{} is down: there is nothing to capture", lo.name),
            )
            .mended_by(format!("sudo ip link set {} up", lo.name)),
        None => CHECK.unknown(
            "lo-unknown",
            "the kernel does not tell of a loopback interface",
        ),
    }
}

fn sockets(own: &Own) -> Finding {
    match &own.sockets {
        None => CHECK.ok("sockets", "the kernel tells of its sockets (sock_diag)"),
        Some(why) => CHECK
            .unknown(
                "sockets-unknown",
                "the kernel does not tell of its sockets, so that processes cannot be named",
            )
            .because(why.clone())
            .mended_by("sudo modprobe -a inet_diag tcp_diag udp_diag"),
    }
}

fn processes(own: &Own) -> Finding {
    let sees_all = [Capability::SysPtrace, Capability::DacReadSearch]
        .iter()
        .all(|capability| own.abilities.has(*capability));
    match sees_all {
        true => CHECK.ok("processes", "the processes of all users can be named"),
        false => CHECK
            .note(
                "processes-hidden",
                "only this user's processes can be named",
            )
            .because(format!("{} others may not be looked at", own.hidden))
            .mended_by(format!("sudo setcap {EVERYTHING} {}", live::program())),
    }
}

fn bpf(own: &Own) -> Finding {
    let Some(why) = &own.bpf else {
        return CHECK.ok("bpf", "the kernel tells who begins a connection (BPF)");
    };
    let may = [Capability::Bpf, Capability::Perfmon]
        .iter()
        .all(|capability| own.abilities.has(*capability));
    let what = "the kernel does not tell who begins a connection (BPF): that is looked up instead";
    let found = CHECK.note("bpf-absent", what).because(why.clone());
    match (own.abilities.tells_types, may) {
        (false, _) => found.because("there is no /sys/kernel/btf/vmlinux"),
        (true, false) => found
            .because("that takes CAP_BPF and CAP_PERFMON")
            .mended_by(format!("sudo setcap {EVERYTHING} {}", live::program())),
        (true, true) => found,
    }
}

fn namespaces(own: &Own) -> Finding {
    let count = own.namespaces;
    match own.abilities.has(Capability::SysAdmin) {
        true => CHECK.ok(
            "namespaces",
            match count {
                0 => "there is no other network namespace; --netns could enter one".to_owned(),
                count => format!(
                    "--netns can enter {} beside this one",
                    counted(count, "network namespace")
                ),
            },
        ),
        false => CHECK.note(
            "namespaces-not-permitted",
            "to enter other network namespaces takes root",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::{Health, Verdict};

    #[test]
    fn what_lcap_lacks_is_told() {
        let lo = Interface {
            is_up: true,
            is_loopback: true,
            name: "lo".into(),
            ..Interface::default()
        };
        let fine = Own {
            interfaces: vec![lo.clone()],
            ..Own::default()
        };
        let plain = Own {
            missing: Some("sudo setcap …".into()),
            ..fine.clone()
        };
        let down = Own {
            interfaces: vec![Interface { is_up: false, ..lo }],
            ..fine.clone()
        };
        let blind = Own {
            sockets: Some("no such protocol".into()),
            ..fine.clone()
        };
        for (own, health, code) in [
            (fine, Health::Healthy, "may-capture"),
            (plain, Health::Problem, "may-not-capture"),
            (down, Health::Problem, "lo-down"),
            (blind, Health::Healthy, "may-capture"),
        ] {
            let verdict = Verdict::of(&findings(&own));
            assert_eq!((verdict.health, verdict.code), (health, code));
        }
    }
}
