//! Diagnosis of a port: why it cannot be reached, which process uses it, and which machines can
//! reach it.
//!
//! [`gather()`] collects the facts once. Each check is a pure function of the facts that returns
//! findings ([`findings`]). The verdict is derived from the findings ([`DoctorVerdict`]). Text and
//! JSON show the same findings.
//!
//! To add a check, add a file with a function of the facts and a row in [`CHECKS`].

mod address;
mod configuration;
mod conflict;
mod echo;
mod exposure;
mod facts;
mod family;
mod finding;
mod firewall;
mod gather;
mod listener;
mod loopback;
mod namespaces;
mod nft_eval;
mod port_class;
mod ports;
mod probe;
mod reach;
mod readiness;
mod safety;
pub mod self_check;
mod service_probe;
mod similar_ports;
mod target;
mod verdict;
mod watch;

pub use facts::{PortFacts, WatchResult};
pub use finding::{Finding, Severity};
pub use gather::{ServiceProbing, gather};
pub use port_class::PortClass;
pub use ports::{ListeningPort, ListeningPorts, Reachability, listening_ports};
pub use target::Target;
pub use verdict::{DoctorVerdict, Health};
pub use watch::Watch;

/// A check: a function that returns findings about the facts.
pub type CheckFn = fn(&PortFacts) -> Vec<Finding>;

/// All checks, in the order in which their findings are printed.
pub const CHECKS: [CheckFn; 11] = [
    reach::check,
    listener::check,
    address::check,
    loopback::check,
    family::check,
    conflict::check,
    exposure::check,
    firewall::check,
    configuration::check,
    safety::check,
    namespaces::check,
];

/// Returns the findings of all checks, in the order of [`CHECKS`].
pub fn findings(facts: &PortFacts) -> Vec<Finding> {
    CHECKS.iter().flat_map(|check| check(facts)).collect()
}

#[cfg(test)]
mod tests;
