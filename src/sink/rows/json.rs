//! Records as JSON Lines: one object per line with all columns that apply to the record (RFC 8259,
//! <https://jsonlines.org>).

use super::RowFormatter;
use super::columns::{Column, ColumnValue, write_text};
use crate::sink::address;
use crate::sink::json::{JsonValue, details, object, owner, plain_string};

/// Formatter of records as JSON objects with these fields.
pub(in crate::sink) struct JsonRows<R: 'static>(pub(in crate::sink) &'static [Column<R>]);

impl<R> RowFormatter<R> for JsonRows<R> {
    fn write_row(&mut self, record: &R, out: &mut Vec<u8>) {
        let row = object(|fields| {
            for column in self.0 {
                let value = (column.value)(record);
                if !matches!(value, ColumnValue::Absent) {
                    fields.field(column.name, value);
                }
            }
        });
        row.write(out);
        out.push(b'\n');
    }
}

impl JsonValue for ColumnValue<'_> {
    fn write(self, out: &mut Vec<u8>) {
        match self {
            ColumnValue::Absent | ColumnValue::Unknown => out.extend_from_slice(b"null"),
            ColumnValue::Count(count) => count.write(out),
            ColumnValue::Address(ip) => plain_string(|out| address::write_ip(out, ip)).write(out),
            ColumnValue::Text(text) => (&*text).write(out),
            ColumnValue::Attributes(attributes) => {
                let attributes = object(|fields| {
                    for (name, value) in attributes.iter() {
                        fields.field(name, value);
                    }
                });
                attributes.write(out);
            }
            ColumnValue::Details(values) => details(values).write(out),
            ColumnValue::Process(end) => owner(end).write(out),
            number => write_text(out, &number),
        }
    }
}
