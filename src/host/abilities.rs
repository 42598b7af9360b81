//! What this process may do and what this kernel can, as far as lcap makes use of it (capabilities(7)).

/// What there is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Abilities {
    /// The kernel's release.
    pub kernel: Option<String>,
    /// The file of the libpcap in this process, whose name has its version.
    pub libpcap: Option<String>,
    /// Whether the kernel tells of its types, which BPF programs need (BTF).
    pub tells_types: bool,
    /// The capabilities that are in effect, one bit each.
    pub capabilities: u64,
}

/// Capabilities, by their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "capabilities(7) explains them")]
pub enum Capability {
    DacReadSearch = 2,
    SysPtrace = 19,
    SysAdmin = 21,
    Perfmon = 38,
    Bpf = 39,
}

impl Abilities {
    /// Whether this process has a capability; who may administrate the system has what was cut out of that later.
    pub fn has(&self, capability: Capability) -> bool {
        let has = |capability: Capability| self.capabilities >> capability as u32 & 1 == 1;
        let is_of_admin = matches!(capability, Capability::Perfmon | Capability::Bpf);
        has(capability) || is_of_admin && has(Capability::SysAdmin)
    }
}

/// What there is now.
pub fn read() -> Abilities {
    let text = |path: &str| std::fs::read_to_string(path).ok();
    Abilities {
        kernel: text("/proc/sys/kernel/osrelease").map(|text| text.trim().to_owned()),
        libpcap: text("/proc/self/maps").and_then(|maps| library(&maps)),
        tells_types: std::path::Path::new("/sys/kernel/btf/vmlinux").exists(),
        capabilities: text("/proc/thread-self/status")
            .and_then(|status| effective(&status))
            .unwrap_or(0),
    }
}

/// `CapEff: 000001ffffffffff`
fn effective(status: &str) -> Option<u64> {
    let mut lines = status.lines();
    let line = lines.find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

/// `7f… r--p 00000000 fe:00 4121   /usr/lib/x86_64-linux-gnu/libpcap.so.1.10.3`
fn library(maps: &str) -> Option<String> {
    let paths = maps
        .lines()
        .filter_map(|line| line.split_whitespace().nth(5));
    let mut files = paths.filter_map(|path| path.rsplit('/').next());
    files
        .find(|file| file.starts_with("libpcap"))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_bits() {
        let of = |capabilities| Abilities {
            capabilities,
            ..Abilities::default()
        };
        assert!(of(1 << 39).has(Capability::Bpf));
        assert!(of(1 << 21).has(Capability::Bpf));
        assert!(!of(1 << 21).has(Capability::SysPtrace));
        assert_eq!(
            effective("Name:\tx\nCapEff:\t0000000000002000\n"),
            Some(1 << 13)
        );
        assert_eq!(effective(""), None);
        let maps = "1-2 r--p 0 fe:00 1   /usr/lib/libpcap.so.1.10.3\n";
        assert_eq!(library(maps).as_deref(), Some("libpcap.so.1.10.3"));
        assert_eq!(library("1-2 r--p 0 0 0\n"), None);
    }
}
