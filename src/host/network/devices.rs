//! Capture devices, including the loopback device (pcap_findalldevs(3PCAP)).

use std::fmt;

use pcap::{ConnectionStatus, Device as PcapDevice, IfFlags};

use super::interfaces;
use crate::error::{Error, Result};

/// A capture device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// The name.
    pub name: String,
    /// The description, if libpcap provides one.
    pub description: Option<String>,
    /// True if the device carries traffic from this machine to itself.
    pub is_loopback: bool,
    /// The state flags, named as in tcpdump.
    pub states: Vec<&'static str>,
}

/// Returns all devices in libpcap's order: the most likely ones first.
///
/// # Errors
/// libpcap cannot list the devices.
pub fn list() -> Result<Vec<Device>> {
    let failed = |error| Error::device("devices", format!("cannot be listed: {error}"));
    let found = PcapDevice::list().map_err(failed)?;
    Ok(found.into_iter().map(Device::from).collect())
}

/// Returns the device with this name, or with this number in the list that `-D` prints; for `None`,
/// the loopback device, which is usually `lo`.
///
/// # Errors
/// There is no loopback device, or the devices cannot be listed. A name or number that is not
/// listed is returned as a name, which the kernel rejects later.
pub fn find(requested: Option<&str>) -> Result<Device> {
    // Listing with libpcap is avoided: it probes every kind of device, which takes longer than all
    // other startup work.
    let name = requested.unwrap_or("lo");
    let interfaces = interfaces::without_addresses().unwrap_or_default();
    let interface = interfaces.iter().find(|interface| interface.name == name);
    if let Some(interface) = interface
        && (requested.is_some() || interface.is_loopback)
    {
        return Ok(Device::without_details(name, interface.is_loopback));
    }
    let devices = list()?;
    let Some(requested) = requested else {
        let loopback = devices.into_iter().find(|device| device.is_loopback);
        let what = "no loopback device is up on this machine; choose another device with -i";
        return loopback.ok_or_else(|| Error::device("loopback", what));
    };
    let number = requested.parse::<usize>().ok();
    let by_number = number.and_then(|number| devices.get(number.checked_sub(1)?));
    let by_name = devices.iter().find(|device| device.name == requested);
    let found = by_name.or(by_number).cloned();
    Ok(found.unwrap_or_else(|| Device::without_details(requested, false)))
}

impl Device {
    fn without_details(name: &str, is_loopback: bool) -> Device {
        Device {
            name: name.to_owned(),
            description: None,
            is_loopback,
            states: Vec::new(),
        }
    }
}

impl From<PcapDevice> for Device {
    fn from(found: PcapDevice) -> Device {
        let flags = &found.flags;
        let status = &flags.connection_status;
        let states = [
            (flags.is_up(), "Up"),
            (flags.is_running(), "Running"),
            (flags.is_loopback(), "Loopback"),
            (flags.contains(IfFlags::WIRELESS), "Wireless"),
            (*status == ConnectionStatus::Connected, "Connected"),
            (*status == ConnectionStatus::Disconnected, "Disconnected"),
        ];
        let states = states.into_iter().filter(|(is_set, _)| *is_set);
        Device {
            is_loopback: flags.is_loopback(),
            name: found.name,
            description: found.desc,
            states: states.map(|(_, name)| name).collect(),
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.name)?;
        if let Some(description) = &self.description {
            write!(f, " ({description})")?;
        }
        let states = match self.states.is_empty() {
            true => "none".to_owned(),
            false => self.states.join(", "),
        };
        write!(f, " [{states}]")
    }
}
