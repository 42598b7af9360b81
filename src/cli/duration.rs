//! Durations with units: parsing (`10s`, `1m30s`, `500ms`).

use jiff::SignedDuration;

/// Parses `10s`, `1m30s`, `500ms`; a plain number is in seconds.
pub(super) fn parse_duration(text: &str) -> Result<SignedDuration, String> {
    let parsed = match text.parse::<f64>() {
        Ok(seconds) => SignedDuration::try_from_secs_f64(seconds),
        Err(_) => text.parse(),
    };
    match parsed {
        Ok(duration) if duration.is_positive() => Ok(duration),
        Ok(_) => Err("must be more than 0".into()),
        Err(_) => Err("not a duration: write 10s, 1m30s, 500ms or a number of seconds".into()),
    }
}
