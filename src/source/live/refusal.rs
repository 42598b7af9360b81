//! Why a device did not open, and what to do about it (capabilities(7), packet(7)).

use super::message;

/// Why a device did not open, and what to do: libpcap says the same for a missing permission and a missing device.
pub(super) fn why_not_opened(error: &pcap::Error) -> String {
    if let Some(command) = missing_permission() {
        return format!(
            "capturing needs the CAP_NET_RAW capability. Give it to lcap once and for all with\n    \
             {command}\nor run lcap with sudo. Reading files (-r) needs no privilege"
        );
    }
    let devices = pcap::Device::list().unwrap_or_default();
    let names: Vec<String> = devices
        .into_iter()
        .filter(|device| device.flags.is_up())
        .map(|device| device.name)
        .collect();
    format!("{}; the devices are {}", message(error), names.join(", "))
}

/// The command that lets this program capture; none where it may already.
pub fn missing_permission() -> Option<String> {
    let program = std::env::current_exe().unwrap_or_else(|_| "lcap".into());
    let word = shell_word(&program.to_string_lossy());
    (!may_capture()).then(|| format!("sudo setcap cap_net_raw=ep {word}"))
}

/// Whether the kernel lets this process open a packet socket.
#[cfg(target_os = "linux")]
fn may_capture() -> bool {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
    let opened = socket_with(
        AddressFamily::PACKET,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        None,
    );
    !matches!(opened, Err(rustix::io::Errno::PERM))
}

#[cfg(not(target_os = "linux"))]
fn may_capture() -> bool {
    true
}

/// A path as a shell wants it.
fn shell_word(path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if path.chars().all(plain) {
        path.to_owned()
    } else {
        format!("'{}'", path.replace('\'', r"'\''"))
    }
}
