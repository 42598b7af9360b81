//! Classes of port numbers (RFC 6335, 6).

use std::fmt;

/// The class of a port number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortClass {
    /// 0 to 1023: system ports of common services.
    WellKnown,
    /// 1024 to 49151: user ports, which can be registered with IANA.
    Registered,
    /// 49152 to 65535: private ports, which are never assigned.
    Dynamic,
}

impl PortClass {
    /// Returns the class of a port.
    pub fn of(port: u16) -> PortClass {
        match port {
            0..=1023 => PortClass::WellKnown,
            1024..=49_151 => PortClass::Registered,
            49_152.. => PortClass::Dynamic,
        }
    }
}

impl fmt::Display for PortClass {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            PortClass::WellKnown => "well-known",
            PortClass::Registered => "registered",
            PortClass::Dynamic => "dynamic",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_classes_follow_the_rfc_6335_ranges() {
        for (port, name) in [
            (0, "well-known"),
            (1023, "well-known"),
            (1024, "registered"),
            (49_151, "registered"),
            (49_152, "dynamic"),
            (65_535, "dynamic"),
        ] {
            assert_eq!(PortClass::of(port).to_string(), name);
        }
    }
}
