//! Services to which proxies forward their connections.

use std::fmt::{self, Write};
use std::net::SocketAddr;

use super::escape::write_name;

/// The service to which a proxy forwards its connections, according to its command line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "live", derive(serde::Serialize, serde::Deserialize))]
pub struct ProxyTarget {
    /// The address of the service, in the network namespace of its container.
    pub address: SocketAddr,
    /// The process that listens at the address; `None` if there is none, or if several namespaces
    /// have the address.
    pub listener: Option<ProxyListener>,
}

/// The process to which a proxy forwards its connections.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "live", derive(serde::Serialize, serde::Deserialize))]
pub struct ProxyListener {
    /// The process ID.
    pub pid: u32,
    /// The name, with escapes as in [`ProcessDetails::name`](super::ProcessDetails::name).
    pub name: String,
    /// The short ID of the container.
    pub container: Option<String>,
}

/// Writes `3f36fcb6883d/httpd[4121]?`, or the address if the process is unknown. The name is not
/// certain: a proxy can forward to another address than its command line contains.
impl fmt::Display for ProxyTarget {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.write_summary(f)
    }
}

impl ProxyTarget {
    /// Writes the text of [`Display`](fmt::Display).
    pub(super) fn write_summary(&self, out: &mut impl Write) -> fmt::Result {
        let Some(listener) = &self.listener else {
            // Brackets have another meaning in a summary.
            return write_name(&self.address.to_string(), out);
        };
        if let Some(container) = &listener.container {
            write_name(container, out)?;
            out.write_str("/")?;
        }
        write_name(&listener.name, out)?;
        write!(out, "[{}]?", listener.pid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn target_is_displayed_with_its_process_or_its_address() {
        let target = |listener| ProxyTarget {
            address: "[fd00::2]:80".parse().expect("an address"),
            listener,
        };
        assert_eq!(target(None).to_string(), "%5bfd00::2%5d:80");
        let mut listener = ProxyListener {
            pid: 7,
            name: "a[1]".into(),
            container: None,
        };
        let text = |listener: &ProxyListener| target(Some(listener.clone())).to_string();
        assert_eq!(text(&listener), "a%5b1%5d[7]?");
        listener.container = Some("3f36fcb6883d".into());
        assert_eq!(text(&listener), "3f36fcb6883d/a%5b1%5d[7]?");
    }
}
