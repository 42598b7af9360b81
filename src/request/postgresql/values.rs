//! Values of parameters and columns in the text and the binary format.

use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::fields::FieldReader;
use crate::request::{Detail, text};

/// Number of the binary format; 0 is text.
pub(super) const BINARY_FORMAT: u16 = 1;

/// Object identifiers of built-in types (PostgreSQL's `pg_type.dat`).
pub(super) mod oid {
    pub(in super::super) const BOOL: u32 = 16;
    pub(in super::super) const BYTEA: u32 = 17;
    pub(in super::super) const CHAR: u32 = 18;
    pub(in super::super) const NAME: u32 = 19;
    pub(in super::super) const INT8: u32 = 20;
    pub(in super::super) const INT2: u32 = 21;
    pub(in super::super) const INT4: u32 = 23;
    pub(in super::super) const TEXT: u32 = 25;
    pub(in super::super) const OID: u32 = 26;
    pub(in super::super) const JSON: u32 = 114;
    pub(in super::super) const XML: u32 = 142;
    pub(in super::super) const CIDR: u32 = 650;
    pub(in super::super) const FLOAT4: u32 = 700;
    pub(in super::super) const FLOAT8: u32 = 701;
    pub(in super::super) const UNKNOWN: u32 = 705;
    pub(in super::super) const INET: u32 = 869;
    pub(in super::super) const BPCHAR: u32 = 1042;
    pub(in super::super) const VARCHAR: u32 = 1043;
    pub(in super::super) const DATE: u32 = 1082;
    pub(in super::super) const TIME: u32 = 1083;
    pub(in super::super) const TIMESTAMP: u32 = 1114;
    pub(in super::super) const TIMESTAMPTZ: u32 = 1184;
    pub(in super::super) const NUMERIC: u32 = 1700;
    pub(in super::super) const UUID: u32 = 2950;
    pub(in super::super) const JSONB: u32 = 3802;
}

/// Returns a value in a format; text as text, and the bytes of unknown binary types in PostgreSQL's
/// notation `\x0102`.
pub(super) fn decode(bytes: &[u8], format: u16, type_oid: u32) -> Detail {
    if format == 0 {
        return Detail::Text(text(bytes).into());
    }
    decode_binary(bytes, type_oid).unwrap_or_else(|| Detail::Text(hex(bytes).into()))
}

/// Returns bytes in PostgreSQL's notation `\x0102`.
pub(super) fn hex(bytes: &[u8]) -> String {
    let mut hex = String::with_capacity(2 + 2 * bytes.len());
    hex.push_str("\\x");
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

fn decode_binary(bytes: &[u8], type_oid: u32) -> Option<Detail> {
    let mut fields = FieldReader::new(bytes);
    let value = match type_oid {
        oid::BOOL => Detail::Bool(fields.byte()? != 0),
        oid::INT2 => Detail::Integer(fields.i16()?.into()),
        oid::INT4 => Detail::Integer(fields.i32()?.into()),
        oid::INT8 => Detail::Integer(i64::from_be_bytes(fields.array()?)),
        oid::OID => Detail::Integer(fields.u32()?.into()),
        // The shortest decimal number of a single-precision number.
        oid::FLOAT4 => Detail::Float(
            f32::from_be_bytes(fields.array()?)
                .to_string()
                .parse()
                .ok()?,
        ),
        oid::FLOAT8 => Detail::Float(f64::from_be_bytes(fields.array()?)),
        oid::TEXT
        | oid::VARCHAR
        | oid::BPCHAR
        | oid::NAME
        | oid::CHAR
        | oid::JSON
        | oid::XML
        | oid::UNKNOWN => return Some(Detail::Text(text(bytes).into())),
        oid::JSONB if fields.byte()? == 1 => {
            return Some(Detail::Text(text(fields.rest).into()));
        }
        oid::BYTEA => return Some(Detail::Text(hex(bytes).into())),
        oid::UUID => Detail::Text(uuid(fields.array()?).into()),
        oid::DATE => Detail::Text(date_value(fields.i32()?).into()),
        oid::TIME => Detail::Text(time_of_day(i64::from_be_bytes(fields.array()?))?.into()),
        oid::TIMESTAMP | oid::TIMESTAMPTZ => {
            let offset = if type_oid == oid::TIMESTAMP {
                ""
            } else {
                "+00"
            };
            Detail::Text(timestamp(i64::from_be_bytes(fields.array()?), offset)?.into())
        }
        oid::NUMERIC => Detail::Text(numeric(&mut fields)?.into()),
        oid::INET | oid::CIDR => Detail::Text(network(&mut fields)?.into()),
        _ => return None,
    };
    fields.rest.is_empty().then_some(value)
}

fn uuid(bytes: [u8; 16]) -> String {
    let digits = hex(&bytes);
    let parts = [2..10, 10..14, 14..18, 18..22, 22..34];
    parts.map(|part| digits[part].to_owned()).join("-")
}

/// Days from 0000-03-01 to 2000-01-01 in the Gregorian calendar.
const DAYS_TO_EPOCH: i64 = 730_425;

const MICROSECONDS_PER_DAY: i64 = 86_400_000_000;

/// Returns a date from its number of days since 2000-01-01.
fn date_value(days: i32) -> String {
    match days {
        i32::MAX => "infinity".to_owned(),
        i32::MIN => "-infinity".to_owned(),
        _ => {
            let (date, era) = date(days.into());
            date + era
        }
    }
}

/// Returns a date and its era, ` BC` before year 1.
fn date(days: i64) -> (String, &'static str) {
    // Years start in March: the leap day is the last day of a year.
    let days = days + DAYS_TO_EPOCH;
    let (cycle, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_cycle = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = 400 * cycle + year_of_cycle + i64::from(month <= 2);
    match year {
        1.. => (format!("{year:04}-{month:02}-{day_of_month:02}"), ""),
        _ => (
            format!("{:04}-{month:02}-{day_of_month:02}", 1 - year),
            " BC",
        ),
    }
}

fn time_of_day(microseconds: i64) -> Option<String> {
    if !(0..=MICROSECONDS_PER_DAY).contains(&microseconds) {
        return None;
    }
    let (seconds, fraction) = (microseconds / 1_000_000, microseconds % 1_000_000);
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let mut time = format!("{hours:02}:{minutes:02}:{:02}", seconds % 60);
    if fraction > 0 {
        time += format!(".{fraction:06}").trim_end_matches('0');
    }
    Some(time)
}

/// Returns a time from its number of microseconds since 2000-01-01.
fn timestamp(microseconds: i64, offset: &str) -> Option<String> {
    match microseconds {
        i64::MAX => return Some("infinity".to_owned()),
        i64::MIN => return Some("-infinity".to_owned()),
        _ => {}
    }
    let (date, era) = date(microseconds.div_euclid(MICROSECONDS_PER_DAY));
    let time = time_of_day(microseconds.rem_euclid(MICROSECONDS_PER_DAY))?;
    Some(format!("{date} {time}{offset}{era}"))
}

/// Maximum number of digits, before and after the point, of numbers that are decoded.
const MAX_NUMERIC_DIGITS: i16 = 1000;

/// Returns a number of groups of four decimal digits. `weight` is the index of the group of ones,
/// negative if all groups are after the point.
fn numeric(fields: &mut FieldReader) -> Option<String> {
    let (count, weight) = (fields.u16()?, fields.i16()?);
    let (sign, scale) = (fields.u16()?, fields.i16()?);
    let is_negative = match sign {
        0 => false,
        0x4000 => true,
        0xc000 => return Some("NaN".to_owned()),
        0xd000 => return Some("Infinity".to_owned()),
        0xf000 => return Some("-Infinity".to_owned()),
        _ => return None,
    };
    let is_long = weight.unsigned_abs() > MAX_NUMERIC_DIGITS.unsigned_abs() / 4;
    if is_long || !(0..=MAX_NUMERIC_DIGITS).contains(&scale) {
        return None;
    }
    let groups = fields.take(2 * usize::from(count))?;
    let (groups, _) = groups.as_chunks();
    let groups: Vec<u16> = groups
        .iter()
        .map(|group| u16::from_be_bytes(*group))
        .collect();
    if groups.iter().any(|group| *group > 9999) {
        return None;
    }
    // Groups that are not sent are zero.
    let group = |index: i32| {
        let index = usize::try_from(index).ok();
        index
            .and_then(|index| groups.get(index))
            .copied()
            .unwrap_or(0)
    };
    let weight = i32::from(weight);
    let mut integer = String::new();
    for index in 0..=weight {
        let _ = write!(integer, "{:04}", group(index));
    }
    let integer = match integer.trim_start_matches('0') {
        "" => "0",
        digits => digits,
    };
    let sign = if is_negative { "-" } else { "" };
    let mut number = format!("{sign}{integer}");
    let scale = usize::from(scale.unsigned_abs());
    if scale > 0 {
        let mut fraction = String::new();
        let mut index = weight + 1;
        while fraction.len() < scale {
            let _ = write!(fraction, "{:04}", group(index));
            index += 1;
        }
        number.push('.');
        number.push_str(&fraction[..scale]);
    }
    Some(number)
}

/// Returns an address, with the length of its prefix unless it is that of a host.
fn network(fields: &mut FieldReader) -> Option<String> {
    let [_family, prefix_len, is_cidr, _len] = fields.array()?;
    let (address, host_len) = match fields.rest.len() {
        4 => (Ipv4Addr::from(fields.array::<4>()?).to_string(), 32),
        16 => (Ipv6Addr::from(fields.array::<16>()?).to_string(), 128),
        _ => return None,
    };
    Some(match prefix_len == host_len && is_cidr == 0 {
        true => address,
        false => format!("{address}/{prefix_len}"),
    })
}
