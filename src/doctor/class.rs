//! Which kind of port a number is (RFC 6335, 6).

use std::fmt;

/// A kind of port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// 0 to 1023, for services that everybody knows.
    WellKnown,
    /// 1024 to 49151, for services that are registered.
    Registered,
    /// 49152 to 65535, for nobody in particular.
    Dynamic,
}

impl Class {
    /// That of a port.
    pub fn of(port: u16) -> Class {
        match port {
            0..=1023 => Class::WellKnown,
            1024..=49_151 => Class::Registered,
            49_152.. => Class::Dynamic,
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Class::WellKnown => "well-known",
            Class::Registered => "registered",
            Class::Dynamic => "dynamic",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds() {
        for (port, name) in [
            (0, "well-known"),
            (1023, "well-known"),
            (1024, "registered"),
            (49_151, "registered"),
            (49_152, "dynamic"),
            (65_535, "dynamic"),
        ] {
            assert_eq!(Class::of(port).to_string(), name);
        }
    }
}
