//! JSON writer: values are appended to a buffer (RFC 8259).

use std::io::Write;

use crate::printable::is_printable;
use crate::sink::digits;

/// A value that can be written as JSON.
pub(crate) trait JsonValue {
    /// Appends the value.
    fn write(self, out: &mut Vec<u8>);

    /// Returns the value as a line.
    fn into_line(self) -> Vec<u8>
    where
        Self: Sized,
    {
        let mut line = Vec::new();
        self.write(&mut line);
        line.push(b'\n');
        line
    }
}

/// An object to which fields are added; they keep their order. The names of fields must not
/// contain characters that JSON escapes.
pub(crate) struct JsonObject<'a> {
    /// Each field starts with a comma; the first one is replaced by the opening brace.
    out: &'a mut Vec<u8>,
}

impl JsonObject<'_> {
    /// Adds a field.
    #[inline]
    pub(crate) fn field(&mut self, name: &str, value: impl JsonValue) {
        self.out.extend_from_slice(b",\"");
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        value.write(self.out);
    }

    /// Adds a field if it has a value.
    #[inline]
    pub(crate) fn optional(&mut self, name: &str, value: Option<impl JsonValue>) {
        if let Some(value) = value {
            self.field(name, value);
        }
    }
}

struct Written<F>(F);

impl<F: FnOnce(&mut Vec<u8>)> JsonValue for Written<F> {
    #[inline]
    fn write(self, out: &mut Vec<u8>) {
        (self.0)(out);
    }
}

/// Returns an object with the fields that `fields` adds.
#[inline]
pub(crate) fn object(fields: impl FnOnce(&mut JsonObject)) -> impl JsonValue {
    Written(|out: &mut Vec<u8>| {
        let start = out.len();
        fields(&mut JsonObject { out });
        match out.get_mut(start) {
            Some(comma) => *comma = b'{',
            None => out.push(b'{'),
        }
        out.push(b'}');
    })
}

/// Returns an array.
#[inline]
pub(crate) fn array(items: impl IntoIterator<Item: JsonValue>) -> impl JsonValue {
    Written(|out: &mut Vec<u8>| {
        out.push(b'[');
        for (at, item) in items.into_iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            item.write(out);
        }
        out.push(b']');
    })
}

/// Returns a string that `write` appends; it must not contain characters that JSON escapes.
#[inline]
pub(crate) fn plain_string(write: impl FnOnce(&mut Vec<u8>)) -> impl JsonValue {
    Written(|out: &mut Vec<u8>| {
        out.push(b'"');
        write(out);
        out.push(b'"');
    })
}

/// Returns a value that `write` appends as JSON.
#[inline]
pub(crate) fn written(write: impl FnOnce(&mut Vec<u8>)) -> impl JsonValue {
    Written(write)
}

/// Returns a number with a fixed number of decimal places.
pub(crate) fn fixed(value: f64, decimals: usize) -> impl JsonValue {
    Written(move |out: &mut Vec<u8>| {
        // Writing to a Vec cannot fail.
        let _ = write!(out, "{value:.decimals$}");
    })
}

macro_rules! integers {
    ($($integer:ty)*) => {$(
        impl JsonValue for $integer {
            #[inline]
            fn write(self, out: &mut Vec<u8>) {
                digits::decimal(out, self);
            }
        }
    )*};
}

integers!(u8 u16 u32 u64);

impl JsonValue for i64 {
    #[inline]
    fn write(self, out: &mut Vec<u8>) {
        if self < 0 {
            out.push(b'-');
        }
        digits::decimal(out, self.unsigned_abs());
    }
}

impl JsonValue for bool {
    #[inline]
    fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(if self { b"true" } else { b"false" });
    }
}

/// Escapes quotation marks, backslashes, and characters that are not printable.
impl JsonValue for &str {
    fn write(self, out: &mut Vec<u8>) {
        let is_plain = |octet: u8| matches!(octet, b' '..=b'~') && octet != b'"' && octet != b'\\';
        out.push(b'"');
        if self.bytes().all(is_plain) {
            out.extend_from_slice(self.as_bytes());
        } else {
            self.chars()
                .for_each(|character| write_escaped(out, character));
        }
        out.push(b'"');
    }
}

impl JsonValue for &String {
    fn write(self, out: &mut Vec<u8>) {
        self.as_str().write(out);
    }
}

fn write_escaped(out: &mut Vec<u8>, character: char) {
    match character {
        '"' | '\\' => out.extend_from_slice(&[b'\\', character as u8]),
        printable if is_printable(printable) => {
            out.extend_from_slice(printable.encode_utf8(&mut [0; 4]).as_bytes());
        }
        // JSON permits most of these unescaped, but the line can be printed on a terminal.
        unprintable => {
            for unit in unprintable.encode_utf16(&mut [0; 2]) {
                // Writing to a Vec cannot fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::printable::unprintable_characters;

    fn written(value: impl JsonValue) -> String {
        let mut out = Vec::new();
        value.write(&mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn fields_keep_their_order_and_absent_ones_are_omitted() {
        let value = object(|fields| {
            fields.optional("absent", None::<u8>);
            fields.field("z", object(|_| {}));
            fields.field("numbers", array([i64::MIN, -1, i64::MAX]));
            fields.optional("b", Some(array([true, false])));
            fields.field("c", "d");
            fields.field("time", plain_string(|out| out.extend_from_slice(b"12:00")));
            fields.field("milliseconds", fixed(2.04, 1));
        });
        let expected = "{\"z\":{},\"numbers\":[-9223372036854775808,-1,9223372036854775807],\
            \"b\":[true,false],\"c\":\"d\",\"time\":\"12:00\",\"milliseconds\":2.0}";
        assert_eq!(written(value), expected);
    }

    #[test]
    fn unprintable_characters_are_escaped() {
        let unprintable = String::from_iter(unprintable_characters());
        let hostile = format!("a\"\\é{unprintable}");
        let text = written(&hostile);
        assert!(text.chars().all(|c| matches!(c, ' '..='~' | 'é')), "{text}");
        let parsed: String = serde_json::from_str(&text).expect("a JSON string");
        assert_eq!(parsed, hostile);
        assert_eq!(written("\u{e0001}–"), r#""\udb40\udc01–""#);
    }
}
