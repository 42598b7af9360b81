//! Capabilities of this process and features of the kernel that lcap uses (capabilities(7)).

use crate::privileges::Permitted;

/// Capabilities of this process, and features of the host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostCapabilities {
    /// The kernel release.
    pub kernel: Option<String>,
    /// The file name of the libpcap that this process loaded; the name contains the version.
    pub libpcap: Option<String>,
    /// True if the kernel provides its type information (BTF), which BPF programs require.
    pub has_btf: bool,
    /// The permitted capabilities.
    pub permitted: Permitted,
}

/// Reads the current capabilities and features.
pub fn read() -> HostCapabilities {
    let text = |path: &str| std::fs::read_to_string(path).ok();
    HostCapabilities {
        kernel: text("/proc/sys/kernel/osrelease").map(|text| text.trim().to_owned()),
        libpcap: text("/proc/self/maps").and_then(|maps| libpcap_file(&maps)),
        has_btf: std::path::Path::new("/sys/kernel/btf/vmlinux").exists(),
        permitted: Permitted::read(),
    }
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
    fn file_of_libpcap_is_found_in_the_maps() {
        let maps = "1-2 r--p 0 fe:00 1   /usr/lib/libpcap.so.1.10.3\n";
        assert_eq!(libpcap_file(maps).as_deref(), Some("libpcap.so.1.10.3"));
        assert_eq!(libpcap_file("1-2 r--p 0 0 0\n"), None);
    }
}
