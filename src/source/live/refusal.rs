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
    (!may_capture()).then(|| format!("sudo setcap cap_net_raw=ep {}", program()))
}

/// This program's path as a shell wants it.
pub fn program() -> String {
    let program = std::env::current_exe().unwrap_or_else(|_| "lcap".into());
    shell_word(&program.to_string_lossy())
}

/// Whether the kernel lets this process open a packet socket.
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

/// A word as a shell wants it.
pub fn shell_word(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:=@%,".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}
