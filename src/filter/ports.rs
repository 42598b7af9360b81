//! Sets of ports: `80`, `80,443`, `8000-8100`.

use std::fmt::Write;
use std::str::FromStr;

/// A set of TCP and UDP ports, 0 to 65535.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ports {
    /// As they were given: first and last, inclusive.
    ranges: Vec<(u16, u16)>,
    /// One bit a port.
    bits: Box<[u64; 1024]>,
}

impl Ports {
    /// Whether the set holds `port`.
    #[inline]
    pub fn contains(&self, port: u16) -> bool {
        self.bits[usize::from(port >> 6)] & (1 << (port & 63)) != 0
    }

    /// First and last of every range, in the order they were given.
    pub fn ranges(&self) -> &[(u16, u16)] {
        &self.ranges
    }

    /// The set as a pcap-filter(7) expression that matches TCP and UDP with either end in it.
    pub(super) fn as_bpf(&self) -> String {
        let mut text = String::from("((tcp or udp) and (");
        for (at, (first, last)) in self.ranges.iter().enumerate() {
            let or = if at == 0 { "" } else { " or " };
            // Writing to a String cannot fail.
            let _ = match first == last {
                true => write!(text, "{or}port {first}"),
                false => write!(text, "{or}portrange {first}-{last}"),
            };
        }
        text + "))"
    }
}

impl FromStr for Ports {
    type Err = String;

    fn from_str(text: &str) -> Result<Ports, String> {
        let mut ports = Ports {
            ranges: Vec::new(),
            bits: Box::new([0; 1024]),
        };
        for item in text.split(',') {
            let (first, last) = item.split_once('-').unwrap_or((item, item));
            let (first, last) = (port(first, text)?, port(last, text)?);
            if first > last {
                return Err(format!("the range {item} ends before it begins"));
            }
            for port in first..=last {
                ports.bits[usize::from(port >> 6)] |= 1 << (port & 63);
            }
            ports.ranges.push((first, last));
        }
        Ok(ports)
    }
}

fn port(text: &str, whole: &str) -> Result<u16, String> {
    let digits = text.trim();
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return digits
            .parse()
            .map_err(|_| format!("{digits} is no port: ports are 0 to 65535"));
    }
    Err(
        if whole.starts_with('-') || !whole.starts_with(|c: char| c.is_ascii_digit()) {
            format!(
                "{whole:?} is no port; -p takes a port here (80, or 80,8000-8100): loopback has no \
             promiscuous mode, so tcpdump's -p is not needed"
            )
        } else {
            format!("{text:?} is no port; give ports and ranges as 80,8000-8100")
        },
    )
}
