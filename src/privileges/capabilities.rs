//! Capabilities of this thread: those of the program file are raised only where they are needed.

#[cfg(feature = "cli")]
use std::io;

use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities};

/// Opening a device. These give access to no file: libpcap opens some devices by a path.
pub const CAPTURE: CapabilitySet = CapabilitySet::NET_RAW.union(CapabilitySet::NET_ADMIN);
/// Loading the BPF programs, also on kernels before Linux 5.11, which limit locked memory.
pub const LOAD_BPF: CapabilitySet = CapabilitySet::BPF
    .union(CapabilitySet::PERFMON)
    .union(CapabilitySet::SYS_ADMIN)
    .union(CapabilitySet::SYS_RESOURCE);
/// Reading /proc of other users' processes: their sockets, executables and directories.
pub const READ_PROCESSES: CapabilitySet =
    CapabilitySet::SYS_PTRACE.union(CapabilitySet::DAC_READ_SEARCH);

/// Takes the capabilities of the program file out of effect. Those of a caller who is root remain:
/// the caller has them without this program.
///
/// # Errors
/// The kernel does not support capabilities.
#[cfg(feature = "cli")]
pub fn lower() -> io::Result<()> {
    let sets = capabilities(None)?;
    if rustix::process::getuid().is_root() || sets.effective.is_empty() {
        return Ok(());
    }
    Ok(set_capabilities(
        None,
        CapabilitySets {
            effective: CapabilitySet::empty(),
            ..sets
        },
    )?)
}

/// Does work with these capabilities in effect, as far as they are permitted, in this thread and in
/// the threads that it starts. The work must not open a path that the caller names, unless these
/// capabilities do not give access to files.
pub fn raised<T>(needed: CapabilitySet, work: impl FnOnce() -> T) -> T {
    let Some((sets, effective)) = capabilities(None)
        .ok()
        .map(|sets| (sets, sets.effective | (sets.permitted & needed)))
        .filter(|(sets, effective)| sets.effective != *effective)
    else {
        return work();
    };
    // Fails never: a thread can always put permitted capabilities into effect, and out of it.
    let _ = set_capabilities(None, CapabilitySets { effective, ..sets });
    let result = work();
    let _ = set_capabilities(None, sets);
    result
}

/// The permitted capabilities of this thread.
#[cfg(feature = "cli")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permitted(CapabilitySet);

#[cfg(feature = "cli")]
impl Permitted {
    /// Reads the present capabilities.
    pub fn read() -> Permitted {
        let sets = capabilities(None);
        Permitted(sets.map_or(CapabilitySet::empty(), |sets| sets.permitted))
    }

    /// True if all of these capabilities are permitted. CAP_SYS_ADMIN includes CAP_PERFMON and
    /// CAP_BPF, which were later split off from it.
    pub fn has(self, needed: CapabilitySet) -> bool {
        let of_sys_admin = CapabilitySet::PERFMON | CapabilitySet::BPF;
        let permitted = match self.0.contains(CapabilitySet::SYS_ADMIN) {
            true => self.0 | of_sys_admin,
            false => self.0,
        };
        permitted.contains(needed)
    }

    /// Returns the names, e.g. `cap_net_raw`.
    pub fn names(self) -> Vec<String> {
        let names = self.0.iter_names();
        names
            .map(|(name, _)| format!("cap_{}", name.to_ascii_lowercase()))
            .collect()
    }
}

#[cfg(feature = "cli")]
impl Default for Permitted {
    fn default() -> Permitted {
        Permitted(CapabilitySet::empty())
    }
}

/// Removes all capabilities except these from the bounding set, as far as permitted: without
/// CAP_SETPCAP, they remain, but no program that this process executes gains them in any case.
#[cfg(feature = "cli")]
pub(super) fn clear_bounding_set(kept: CapabilitySet) {
    use rustix::thread::remove_capability_from_bounding_set;
    for (_, capability) in CapabilitySet::all().iter_names() {
        if !kept.contains(capability) {
            let _ = remove_capability_from_bounding_set(capability);
        }
    }
}

/// Gives up all capabilities except these, for this thread and the threads that it starts later.
///
/// # Errors
/// The kernel does not support capabilities.
#[cfg(feature = "cli")]
pub(super) fn keep(kept: CapabilitySet) -> io::Result<()> {
    // Kernels before 4.3 have no such set.
    let _ = rustix::thread::clear_ambient_capability_set();
    let kept = kept & capabilities(None)?.permitted;
    Ok(set_capabilities(
        None,
        CapabilitySets {
            effective: kept,
            permitted: kept,
            inheritable: CapabilitySet::empty(),
        },
    )?)
}

#[cfg(all(test, feature = "cli"))]
mod tests {
    use super::*;

    #[test]
    fn sys_admin_includes_what_was_split_off() {
        let [bpf, sys_admin] = [CapabilitySet::BPF, CapabilitySet::SYS_ADMIN].map(Permitted);
        assert!(bpf.has(CapabilitySet::BPF));
        assert!(sys_admin.has(CapabilitySet::BPF));
        assert!(!sys_admin.has(CapabilitySet::SYS_PTRACE));
        assert!(!bpf.has(CapabilitySet::BPF | CapabilitySet::PERFMON));
        assert_eq!(bpf.names(), ["cap_bpf"]);
    }
}
