//! Sizes with units, as users write them: `64MiB`, `10MB`, `4096`.

/// Units, and how many bytes they are.
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

/// A size in bytes; a plain number is bytes.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    size(text, 1)
}

/// A size in bytes; a plain number is KiB, as tcpdump's `-B` has it.
pub(super) fn kibibytes(text: &str) -> Result<u64, String> {
    size(text, 1 << 10)
}

fn size(text: &str, plain: u64) -> Result<u64, String> {
    let lower = text.trim().to_ascii_lowercase();
    let unit = UNITS.iter().find(|(unit, _)| lower.ends_with(unit));
    let (digits, factor) = unit.map_or((lower.as_str(), plain), |(unit, factor)| {
        (lower.trim_end_matches(unit).trim_end(), *factor)
    });
    let size = digits
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(factor));
    match size {
        Some(0) | None => Err("give a size as 64MiB, 10MB or a plain number, more than 0".into()),
        Some(size) => Ok(size),
    }
}

/// A size in the largest binary unit that divides it, or with one decimal.
pub(super) fn display(bytes: u64) -> String {
    const STEPS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match STEPS.iter().find(|(_, step)| bytes >= *step) {
        Some((unit, step)) if bytes.is_multiple_of(*step) => format!("{} {unit}", bytes / step),
        Some((unit, step)) => format!("{:.1} {unit}", bytes as f64 / *step as f64),
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::{bytes, display, kibibytes};

    #[test]
    fn units() {
        for (text, size) in [
            ("10", 10),
            ("10kB", 10_000),
            ("10 KiB", 10_240),
            ("2G", 2 << 30),
        ] {
            assert_eq!(bytes(text), Ok(size), "{text}");
        }
        assert_eq!(kibibytes("4096"), Ok(4 << 20));
        for wrong in ["", "0", "MiB", "1.5", "-1", "99999999999GiB", "10x"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn as_people_read_them() {
        assert_eq!(
            (display(64 << 20), display(1_500_000), display(9)),
            ("64 MiB".into(), "1.4 MiB".into(), "9 B".into())
        );
    }
}
