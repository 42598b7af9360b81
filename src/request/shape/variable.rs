//! Detection of the parts of paths and keys that differ between requests for similar objects.

/// Text that replaces a variable part.
pub(super) const PLACEHOLDER: &str = "{id}";

/// Minimum length of a hexadecimal id.
const MIN_HEX_LEN: usize = 8;
/// Minimum length of a random token.
const MIN_TOKEN_LEN: usize = 20;
/// Minimum number of digits in a token of letters of one case.
const MIN_TOKEN_DIGITS: usize = 4;
/// Length of a ULID.
const ULID_LEN: usize = 26;
/// Maximum length of a file name extension.
const MAX_EXTENSION_LEN: usize = 5;

/// Returns true if a part of a path or key is an id: a number (or several joined by `-`, `_` or
/// `,`, e.g. a date), a UUID, at least 8 hexadecimal digits with a decimal digit among them, a
/// ULID, a JSON Web Token, or a random token of letters and digits.
pub(super) fn is_id(part: &[u8]) -> bool {
    is_number(part) || is_hex(part) || is_uuid(part) || is_ulid(part) || is_token(part)
}

/// Appends a part of a path, with an id replaced. The extension of a file name is kept.
pub(super) fn write_part(part: &str, out: &mut String) {
    if is_id(part.as_bytes()) {
        out.push_str(PLACEHOLDER);
        return;
    }
    match part.rsplit_once('.') {
        Some((name, extension)) if is_id(name.as_bytes()) && is_extension(extension.as_bytes()) => {
            out.push_str(PLACEHOLDER);
            out.push('.');
            out.push_str(extension);
        }
        _ => out.push_str(part),
    }
}

fn is_extension(text: &[u8]) -> bool {
    text.len() <= MAX_EXTENSION_LEN
        && text.iter().all(u8::is_ascii_alphanumeric)
        && text.iter().any(u8::is_ascii_alphabetic)
}

fn is_number(part: &[u8]) -> bool {
    let digits = part.strip_prefix(b"-").unwrap_or(part);
    let (Some(first), Some(last)) = (digits.first(), digits.last()) else {
        return false;
    };
    first.is_ascii_digit()
        && last.is_ascii_digit()
        && digits
            .iter()
            .all(|octet| octet.is_ascii_digit() || b"-_,".contains(octet))
}

fn is_hex(part: &[u8]) -> bool {
    let digits = part.strip_prefix(b"0x").unwrap_or(part);
    digits.len() >= MIN_HEX_LEN
        && digits.iter().all(u8::is_ascii_hexdigit)
        && digits.iter().any(u8::is_ascii_digit)
}

/// RFC 9562 section 4.
fn is_uuid(part: &[u8]) -> bool {
    part.len() == 36
        && part.iter().enumerate().all(|(at, octet)| match at {
            8 | 13 | 18 | 23 => *octet == b'-',
            _ => octet.is_ascii_hexdigit(),
        })
}

/// ULID: Crockford's base 32, of which the first digit is at most 7
/// (<https://github.com/ulid/spec>).
fn is_ulid(part: &[u8]) -> bool {
    part.len() == ULID_LEN
        && part
            .first()
            .is_some_and(|octet| (b'0'..=b'7').contains(octet))
        && part.iter().all(|octet| {
            octet.is_ascii_alphanumeric() && !b"ILOU".contains(&octet.to_ascii_uppercase())
        })
}

/// Base64 and base62 tokens. Names of several words, e.g. `how-to-read-100-books`, have no mix of
/// cases, or separators.
fn is_token(part: &[u8]) -> bool {
    if part.len() < MIN_TOKEN_LEN {
        return false;
    }
    // JSON Web Tokens start with an encoded `{"` (RFC 7519).
    if part.starts_with(b"eyJ") {
        return part
            .iter()
            .all(|octet| octet.is_ascii_alphanumeric() || b"-_.=".contains(octet));
    }
    let [mut lower, mut upper, mut digits, mut separators] = [0_usize; 4];
    for octet in part {
        match octet {
            b'a'..=b'z' => lower += 1,
            b'A'..=b'Z' => upper += 1,
            b'0'..=b'9' => digits += 1,
            b'-' | b'_' | b'+' | b'=' | b'~' => separators += 1,
            _ => return false,
        }
    }
    let is_mixed = lower > 0 && upper > 0 && digits > 0;
    is_mixed || separators == 0 && digits >= MIN_TOKEN_DIGITS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_replaced_and_names_are_kept() {
        for id in [
            "7",
            "-7",
            "0042",
            "2024-01-31",
            "1,2,3",
            "123e4567-e89b-12d3-a456-426614174000",
            "507f1f77bcf86cd799439011",
            "DEADBEE5",
            "0x52908400098527886E0F7030069857D2E4169EE7",
            "01ARZ3NDEKTSV4RRFFQ69G5FAV",
            "cjld2cjxh0000qzrmn831i7rn",
            "V1StGXR8_Z5jdHi6B-myT",
            "dGhpcyBpcyBhIHRva2Vu1Q==",
            "eyJhbGciOiJIUzI1NiJ9.e30.ZRrHA1JJJW8opsbCGfG",
        ] {
            assert!(is_id(id.as_bytes()), "{id}");
        }
        for name in [
            "",
            "-",
            "v1",
            "cart",
            "deadbeef",
            "facade",
            "3d",
            "1.2.3",
            "i18n",
            "user-7",
            "how-to-read-100-books-in-1-year",
            "configuration_management",
            "Übergrößenträger1234",
        ] {
            assert!(!is_id(name.as_bytes()), "{name}");
        }
    }
}
