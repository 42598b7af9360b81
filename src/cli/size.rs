//! Sizes with units: parsing (`64MiB`, `10MB`, `4096`) and formatting.

/// Unit suffixes and their sizes in bytes.
const UNITS: [(&str, u64); 10] = [
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("k", 1 << 10),
    ("m", 1 << 20),
    ("g", 1 << 30),
    ("b", 1),
];

/// Parses a size; a plain number is in bytes.
pub(super) fn parse_bytes(text: &str) -> Result<u64, String> {
    parse_size(text, 1)
}

/// Parses a size; a plain number is in KiB, as for tcpdump's `-B`.
pub(super) fn parse_kibibytes(text: &str) -> Result<u64, String> {
    parse_size(text, 1 << 10)
}

fn parse_size(text: &str, default_unit: u64) -> Result<u64, String> {
    let lower = text.trim().to_ascii_lowercase();
    let unit = UNITS.iter().find(|(unit, _)| lower.ends_with(unit));
    let (digits, factor) = unit.map_or((lower.as_str(), default_unit), |(unit, factor)| {
        (lower.trim_end_matches(unit).trim_end(), *factor)
    });
    let size = digits
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(factor));
    match size {
        Some(0) | None => Err("not a size above 0: write 64MiB, 10MB or a plain number".into()),
        Some(size) => Ok(size),
    }
}

/// Formats a size in the largest binary unit that fits, with one decimal unless it is a multiple
/// of the unit.
pub(super) fn format_size(bytes: u64) -> String {
    const STEPS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match STEPS.iter().find(|(_, step)| bytes >= *step) {
        Some((unit, step)) if bytes.is_multiple_of(*step) => format!("{} {unit}", bytes / step),
        Some((unit, step)) => format!("{:.1} {unit}", bytes as f64 / *step as f64),
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::{format_size, parse_bytes, parse_kibibytes};

    #[test]
    fn sizes_with_units_are_parsed() {
        for (text, size) in [
            ("10", 10),
            ("10kB", 10_000),
            ("10 KiB", 10_240),
            ("2G", 2 << 30),
        ] {
            assert_eq!(parse_bytes(text), Ok(size), "{text}");
        }
        assert_eq!(parse_kibibytes("4096"), Ok(4 << 20));
        for invalid in ["", "0", "MiB", "1.5", "-1", "99999999999GiB", "10x"] {
            assert!(parse_bytes(invalid).is_err(), "{invalid}");
        }
    }

    #[test]
    fn sizes_are_formatted_in_binary_units() {
        assert_eq!(
            (
                format_size(64 << 20),
                format_size(1_500_000),
                format_size(9)
            ),
            ("64 MiB".into(), "1.4 MiB".into(), "9 B".into())
        );
    }
}
