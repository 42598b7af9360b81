//! The devices that can be captured on, and which of them is the loopback (pcap_findalldevs(3PCAP)).

use std::fmt;

use pcap::{ConnectionStatus, Device as Found, IfFlags};

use crate::error::{Error, Result};

/// A device that can be captured on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its name.
    pub name: String,
    /// What it is, where libpcap says so.
    pub description: Option<String>,
    /// Whether it carries this machine's traffic to itself.
    pub is_loopback: bool,
    /// Its state, in tcpdump's words.
    pub states: Vec<&'static str>,
}

/// All devices, in libpcap's order: the likeliest first.
///
/// # Errors
/// libpcap cannot list them.
pub fn list() -> Result<Vec<Device>> {
    let found = Found::list().map_err(|error| Error::Device {
        device: "devices".into(),
        what: format!("cannot be listed: {error}"),
    })?;
    Ok(found.into_iter().map(Device::from).collect())
}

/// The device that a name or a number of `-D` stands for; none given is the loopback: `lo` on Linux, `lo0` elsewhere.
///
/// # Errors
/// There is no loopback, or no such number. A name that is not listed is left to the kernel to refuse.
pub fn find(wanted: Option<&str>) -> Result<Device> {
    let linux = |name: &str| {
        is_loopback(name).map(|is_loopback| Device {
            name: name.to_owned(),
            description: None,
            is_loopback,
            states: Vec::new(),
        })
    };
    // libpcap asks every kind of device there is, which takes longer than all the rest of a start.
    if let Some(device) = linux(wanted.unwrap_or("lo"))
        && (wanted.is_some() || device.is_loopback)
    {
        return Ok(device);
    }
    let devices = list()?;
    let Some(wanted) = wanted else {
        return devices
            .into_iter()
            .find(|device| device.is_loopback)
            .ok_or(Error::Device {
                device: "loopback".into(),
                what: "this machine has no loopback device that is up; name another with -i".into(),
            });
    };
    let by_number = wanted
        .parse::<usize>()
        .ok()
        .and_then(|number| devices.get(number.checked_sub(1)?));
    let by_name = devices.iter().find(|device| device.name == wanted);
    Ok(by_name.or(by_number).cloned().unwrap_or_else(|| Device {
        name: wanted.to_owned(),
        description: None,
        is_loopback: false,
        states: Vec::new(),
    }))
}

/// Whether Linux has such an interface, and whether it is a loopback (`IFF_LOOPBACK`, netdevice(7)).
fn is_loopback(name: &str) -> Option<bool> {
    const LOOPBACK: u32 = 8;
    if name.contains('/') {
        return None;
    }
    let flags = std::fs::read_to_string(format!("/sys/class/net/{name}/flags")).ok()?;
    let flags = u32::from_str_radix(flags.trim().strip_prefix("0x")?, 16).ok()?;
    Some(flags & LOOPBACK != 0)
}

impl From<Found> for Device {
    fn from(found: Found) -> Device {
        let flags = &found.flags;
        let mut states = Vec::new();
        let mut state = |holds: bool, word| {
            if holds {
                states.push(word);
            }
        };
        state(flags.is_up(), "Up");
        state(flags.is_running(), "Running");
        state(flags.is_loopback(), "Loopback");
        state(flags.contains(IfFlags::WIRELESS), "Wireless");
        state(
            flags.connection_status == ConnectionStatus::Connected,
            "Connected",
        );
        state(
            flags.connection_status == ConnectionStatus::Disconnected,
            "Disconnected",
        );
        Device {
            is_loopback: flags.is_loopback(),
            name: found.name,
            description: found.desc,
            states,
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.name)?;
        if let Some(description) = &self.description {
            write!(f, " ({description})")?;
        }
        let none = self.states.is_empty();
        write!(
            f,
            " [{}]",
            if none {
                "none".into()
            } else {
                self.states.join(", ")
            }
        )
    }
}
