//! Port sets: `80`, `80,443`, `8000-8100`.

use std::str::FromStr;

/// A set of TCP and UDP ports, 0 to 65535.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ports {
    /// Ranges as given: first and last port, inclusive.
    ranges: Vec<(u16, u16)>,
    /// One bit per port.
    bits: Box<[u64; 1024]>,
}

impl Ports {
    pub(super) fn empty() -> Ports {
        Ports {
            ranges: Vec::new(),
            bits: Box::new([0; 1024]),
        }
    }

    /// Adds the ports from `first` to `last`.
    pub(super) fn add(&mut self, first: u16, last: u16) {
        for port in first..=last {
            self.bits[usize::from(port >> 6)] |= 1 << (port & 63);
        }
        self.ranges.push((first, last));
    }

    /// Returns true if the set contains `port`.
    #[inline]
    pub fn contains(&self, port: u16) -> bool {
        self.bits[usize::from(port >> 6)] & (1 << (port & 63)) != 0
    }

    /// Returns the first and last port of every range, in the order given.
    #[cfg(feature = "cli")]
    pub fn ranges(&self) -> &[(u16, u16)] {
        &self.ranges
    }

    /// Returns a pcap-filter(7) expression that matches TCP and UDP packets with the source or
    /// destination port in the set.
    #[cfg(feature = "live")]
    pub(super) fn to_bpf_expression(&self) -> String {
        use std::fmt::Write;
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
        let mut ports = Ports::empty();
        for item in text.split(',') {
            let (first, last) = item.split_once('-').unwrap_or((item, item));
            let (first, last) = (parse_port(first, text)?, parse_port(last, text)?);
            if first > last {
                return Err(format!(
                    "invalid port range {first}-{last}: {first} is greater than {last}"
                ));
            }
            ports.add(first, last);
        }
        Ok(ports)
    }
}

fn parse_port(text: &str, list: &str) -> Result<u16, String> {
    let digits = text.trim();
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return digits
            .parse()
            .map_err(|_| format!("{digits} is not a port number (1-65535)"));
    }
    Err(
        if list.starts_with('-') || !list.starts_with(|c: char| c.is_ascii_digit()) {
            format!(
                "{list:?} is not a port number (80 or 80,8000-8100). Unlike tcpdump's, -p selects \
                 ports"
            )
        } else {
            format!("{text:?} is not a port number; write ports and ranges as 80,8000-8100")
        },
    )
}
