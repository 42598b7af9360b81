//! Capabilities of this process and features of the kernel that lcap uses (capabilities(7)).

/// Capabilities of this process, and features of the host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostCapabilities {
    /// The kernel release.
    pub kernel: Option<String>,
    /// The file name of the libpcap that this process loaded; the name contains the version.
    pub libpcap: Option<String>,
    /// True if the kernel provides its type information (BTF), which BPF programs require.
    pub has_btf: bool,
    /// The permitted capabilities, one bit each.
    pub capabilities: u64,
}

/// A capability; its value is the number of its bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capability {
    DacReadSearch = 2,
    SysPtrace = 19,
    SysAdmin = 21,
    Perfmon = 38,
    Bpf = 39,
}

impl HostCapabilities {
    /// True if this process has a capability. CAP_SYS_ADMIN includes CAP_PERFMON and CAP_BPF, which
    /// were later split off from it.
    pub fn has(&self, capability: Capability) -> bool {
        let has = |capability: Capability| self.capabilities >> capability as u32 & 1 == 1;
        let is_part_of_sys_admin = matches!(capability, Capability::Perfmon | Capability::Bpf);
        has(capability) || is_part_of_sys_admin && has(Capability::SysAdmin)
    }
}

/// Reads the current capabilities and features.
pub fn read() -> HostCapabilities {
    let text = |path: &str| std::fs::read_to_string(path).ok();
    HostCapabilities {
        kernel: text("/proc/sys/kernel/osrelease").map(|text| text.trim().to_owned()),
        libpcap: text("/proc/self/maps").and_then(|maps| libpcap_file(&maps)),
        has_btf: std::path::Path::new("/sys/kernel/btf/vmlinux").exists(),
        capabilities: text("/proc/thread-self/status")
            .and_then(|status| parse_permitted(&status))
            .unwrap_or(0),
    }
}

/// Parses `CapPrm: 000001ffffffffff`.
fn parse_permitted(status: &str) -> Option<u64> {
    let mut lines = status.lines();
    let line = lines.find_map(|line| line.strip_prefix("CapPrm:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

/// Finds the file name of libpcap in /proc/PID/maps, which contains lines such as
/// `7f… r--p 00000000 fe:00 4121   /usr/lib/x86_64-linux-gnu/libpcap.so.1.10.3`.
fn libpcap_file(maps: &str) -> Option<String> {
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
    fn capabilities_are_parsed_as_a_bit_mask() {
        let with_mask = |capabilities| HostCapabilities {
            capabilities,
            ..HostCapabilities::default()
        };
        assert!(with_mask(1 << 39).has(Capability::Bpf));
        assert!(with_mask(1 << 21).has(Capability::Bpf));
        assert!(!with_mask(1 << 21).has(Capability::SysPtrace));
        assert_eq!(
            parse_permitted("Name:\tx\nCapPrm:\t0000000000002000\n"),
            Some(1 << 13)
        );
        assert_eq!(parse_permitted(""), None);
        let maps = "1-2 r--p 0 fe:00 1   /usr/lib/libpcap.so.1.10.3\n";
        assert_eq!(libpcap_file(maps).as_deref(), Some("libpcap.so.1.10.3"));
        assert_eq!(libpcap_file("1-2 r--p 0 0 0\n"), None);
    }
}
