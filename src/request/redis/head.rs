//! Heads of arrays and strings: a type, a number, CR LF.

/// Maximum length of a head in bytes.
const MAX_HEAD_LEN: usize = 24;
/// Maximum length of a string, and maximum number of elements of an array: far above any limit of
/// the servers, and far below an overflow.
const MAX_NUMBER: i64 = 1 << 40;

/// Result of parsing a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SizeHead {
    /// The number, which is -1 or more, and the length of the head.
    Complete(i64, usize),
    Incomplete,
    Invalid,
}

/// Parses the number in a head, and the CR LF after it. The type is the first byte.
pub(super) fn head(bytes: &[u8]) -> SizeHead {
    let start = &bytes[..bytes.len().min(MAX_HEAD_LEN)];
    let Some(end) = start.iter().position(|&byte| byte == b'\n') else {
        return match bytes.len() < MAX_HEAD_LEN {
            true => SizeHead::Incomplete,
            false => SizeHead::Invalid,
        };
    };
    let line = start.get(1..end).and_then(|line| line.strip_suffix(b"\r"));
    match line.and_then(integer) {
        Some(number) if (-1..=MAX_NUMBER).contains(&number) => SizeHead::Complete(number, end + 1),
        _ => SizeHead::Invalid,
    }
}

/// Returns a decimal integer.
pub(super) fn integer(digits: &[u8]) -> Option<i64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}
