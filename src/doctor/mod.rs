//! Why a port cannot be reached, who has it, and who else can reach it.
//!
//! The facts are gathered once ([`gather()`]); then every check, each a pure function of them, says what it finds ([`findings`]); a verdict is
//! made of that ([`Verdict`]). Text and JSON show the same findings.
//!
//! A new check is a file with a function of the facts, and its row in [`CHECKS`].

mod address;
mod class;
mod configuration;
mod conflict;
mod exposure;
mod facts;
mod family;
mod finding;
mod firewall;
mod gather;
mod listener;
mod loopback;
mod namespaces;
pub mod own;
mod ports;
mod probe;
mod reach;
mod safety;
mod similar;
mod talk;
mod target;
mod verdict;
mod watch;
mod way;

pub use class::Class;
pub use facts::{Echo, Ending, Facts, Outcome, Probe, Resolved, Said, Seen, Server, Watched};
pub use finding::{Finding, Severity};
pub use gather::{Talk, gather};
pub use ports::{Port, Ports, Reach, ports, reach};
pub use target::Target;
pub use verdict::{Health, Verdict};
pub use watch::watch;

/// A check: what it finds in the facts.
pub type Check = fn(&Facts) -> Vec<Finding>;

/// All checks, in the order in which people read what they find.
pub const CHECKS: [Check; 11] = [
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

/// What all checks find.
pub fn findings(facts: &Facts) -> Vec<Finding> {
    CHECKS.iter().flat_map(|check| check(facts)).collect()
}

#[cfg(test)]
mod tests;
