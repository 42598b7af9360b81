//! Error messages for devices that cannot be opened (capabilities(7), packet(7)).

use crate::error::libpcap_message;
use crate::host::processes::capture_permission::setcap_command;

/// Returns the reason why a device did not open, and the remedy. libpcap reports the same error for
/// a missing permission and a missing device.
pub(super) fn open_error_message(error: &pcap::Error) -> String {
    if let Some(command) = setcap_command() {
        return format!(
            "capturing requires the CAP_NET_RAW capability. Grant it to lcap permanently with\n    \
             {command}\nor run lcap with sudo. Reading files (-r) requires no privilege"
        );
    }
    let message = libpcap_message(error);
    if message.contains("can't mmap rx ring") {
        return format!("{message}: make the ring smaller (-B), or raise the limit (ulimit -v)");
    }
    let devices = pcap::Device::list().unwrap_or_default();
    let names: Vec<String> = devices
        .into_iter()
        .filter(|device| device.flags.is_up())
        .map(|device| device.name)
        .collect();
    format!("{message}; available devices: {}", names.join(", "))
}
