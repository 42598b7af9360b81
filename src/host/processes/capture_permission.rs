//! Permission to capture, and the command that grants it (capabilities(7), setcap(8)).

use crate::error::shell_quote;
use crate::privileges::{self, CAPTURE};

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
    let (family, kind) = (AddressFamily::PACKET, SocketType::RAW);
    let socket = privileges::raised(CAPTURE, || {
        socket_with(family, kind, SocketFlags::CLOEXEC, None)
    });
    !matches!(socket, Err(rustix::io::Errno::PERM))
}
