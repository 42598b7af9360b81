//! Bind messages: parameters of a statement.

use super::fields::{FieldReader, ObjectName};
use super::values::{BINARY_FORMAT, decode, hex};
use crate::request::{Detail, text};

/// Maximum number of bytes of all parameters of a request that are kept.
const MAX_PARAMETER_BYTES: usize = 16 << 10;
/// Maximum number of parameters of a request that are kept.
const MAX_PARAMETERS: usize = 1_000;

/// A Bind message.
#[derive(Debug)]
pub(super) struct Bind {
    pub(super) portal: ObjectName,
    pub(super) statement: ObjectName,
    values: Vec<RawValue>,
    /// True if parameters were left out.
    is_cut: bool,
    /// Formats of the result's columns; `None` if they are not in the captured beginning of a long
    /// message.
    pub(super) result_formats: Option<Vec<u16>>,
}

/// A parameter as sent.
#[derive(Debug)]
struct RawValue {
    format: u16,
    /// Bytes; `None` is NULL.
    bytes: Option<Box<[u8]>>,
    /// True if bytes were left out.
    is_cut: bool,
}

/// Parses the body of a Bind message, or the beginning of a long one. Returns `None` if it is not
/// valid.
pub(super) fn parse_bind(body: &[u8], is_complete: bool) -> Option<Bind> {
    let mut fields = FieldReader::new(body);
    let mut bind = Bind {
        portal: fields.string()?.into(),
        statement: fields.string()?.into(),
        values: Vec::new(),
        is_cut: false,
        result_formats: None,
    };
    let result = bind.parse_values(&mut fields);
    bind.is_cut |= result.is_none();
    match is_complete {
        true => {
            result?;
            bind.result_formats = Some(fields.numbers()?);
            fields.rest.is_empty().then_some(bind)
        }
        false => Some(bind),
    }
}

impl Bind {
    /// Parses the formats and values of the parameters.
    fn parse_values(&mut self, fields: &mut FieldReader) -> Option<()> {
        let formats = fields.numbers()?;
        let count = usize::from(fields.u16()?);
        let mut space = MAX_PARAMETER_BYTES;
        for index in 0..count {
            // One format is that of all parameters; without formats, all are text.
            let format = match formats[..] {
                [format] => format,
                _ => formats.get(index).copied().unwrap_or(0),
            };
            let start = *fields;
            let value = fields.value();
            let bytes = match value {
                Some(bytes) => bytes,
                None => Some(start.rest.get(4..)?),
            };
            if index < MAX_PARAMETERS {
                let kept = bytes.map(|bytes| &bytes[..bytes.len().min(space)]);
                space -= kept.map_or(0, <[u8]>::len);
                self.values.push(RawValue {
                    format,
                    bytes: kept.map(Into::into),
                    is_cut: value.is_none() || kept.map(<[u8]>::len) < bytes.map(<[u8]>::len),
                });
            }
            value?;
        }
        self.is_cut = count > MAX_PARAMETERS;
        Some(())
    }

    /// Returns the parameters, decoded by the object identifiers of their types. Parameters that
    /// were left out are one `…`.
    pub(super) fn parameters(&self, types: &[u32]) -> Vec<Detail> {
        let values = self.values.iter().enumerate().map(|(index, value)| {
            let type_oid = types.get(index).copied().unwrap_or(0);
            match &value.bytes {
                None => Detail::Null,
                Some(bytes) if value.is_cut => {
                    let start = match value.format {
                        BINARY_FORMAT => hex(bytes),
                        _ => text(bytes),
                    };
                    Detail::Text(format!("{}…", start.trim_end_matches('\u{fffd}')).into())
                }
                Some(bytes) => decode(bytes, value.format, type_oid),
            }
        });
        let left_out = self.is_cut.then(|| Detail::Text("…".into()));
        values.chain(left_out).collect()
    }

    /// Returns the number of bytes of memory that the message uses, approximately.
    pub(super) fn memory(&self) -> u64 {
        let values: usize = self
            .values
            .iter()
            .map(|value| {
                size_of::<RawValue>() + value.bytes.as_ref().map_or(0, |bytes| bytes.len())
            })
            .sum();
        let formats = self.result_formats.as_ref().map_or(0, Vec::len);
        let names = self.portal.len() + self.statement.len();
        (size_of::<Bind>() + values + 2 * formats + names) as u64
    }
}
