//! Error messages for devices that cannot be opened (capabilities(7), packet(7)).

use super::message;

/// Returns the reason why a device did not open, and the remedy. libpcap reports the same error for
/// a missing permission and a missing device.
pub(super) fn open_error_message(error: &pcap::Error) -> String {
    if let Some(command) = setcap_command() {
        return format!(
            "capturing requires the CAP_NET_RAW capability. Grant it to lcap permanently with\n    \
             {command}\nor run lcap with sudo. Reading files (-r) requires no privilege"
        );
    }
    let devices = pcap::Device::list().unwrap_or_default();
    let names: Vec<String> = devices
        .into_iter()
        .filter(|device| device.flags.is_up())
        .map(|device| device.name)
        .collect();
    format!(
        "{}; available devices: {}",
        message(error),
        names.join(", ")
    )
}

/// Returns the command that permits this program to capture; `None` if it already has permission.
pub fn setcap_command() -> Option<String> {
    (!can_capture()).then(|| format!("sudo setcap cap_net_raw=ep {}", quoted_program_path()))
}

/// Returns this program's path, quoted for a shell.
pub fn quoted_program_path() -> String {
    let program = std::env::current_exe().unwrap_or_else(|_| "lcap".into());
    shell_quote(&program.to_string_lossy())
}

/// True if this process has the permission to open a packet socket.
fn can_capture() -> bool {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
    let socket = socket_with(
        AddressFamily::PACKET,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        None,
    );
    !matches!(socket, Err(rustix::io::Errno::PERM))
}

/// Returns a string quoted for a shell, if it needs quotes.
pub fn shell_quote(argument: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:=@%,".contains(c);
    match !argument.is_empty() && argument.chars().all(is_plain) {
        true => argument.to_owned(),
        false => format!("'{}'", argument.replace('\'', r"'\''")),
    }
}
