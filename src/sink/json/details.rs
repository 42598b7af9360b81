//! Details of requests as JSON: names and typed values.

use super::{JsonValue, array, object, written};
use crate::request::{Detail, Details};

/// Returns details as an object.
pub(in crate::sink) fn details(details: &Details) -> impl JsonValue {
    object(|fields| {
        for (name, value) in details.iter() {
            fields.field(name, value);
        }
    })
}

impl JsonValue for &Detail {
    fn write(self, out: &mut Vec<u8>) {
        match self {
            Detail::Null => out.extend_from_slice(b"null"),
            Detail::Bool(value) => value.write(out),
            Detail::Integer(integer) => integer.write(out),
            Detail::Count(count) => count.write(out),
            Detail::Float(number) => float(*number).write(out),
            Detail::Text(text) => (&**text).write(out),
            Detail::List(values) => array(values).write(out),
        }
    }
}

/// Returns a floating-point number. JSON has no infinity and no NaN: these are strings, as in the
/// JSON output of PostgreSQL.
fn float(number: f64) -> impl JsonValue {
    written(move |out| {
        let text = match number {
            f64::INFINITY => "\"Infinity\"".to_owned(),
            f64::NEG_INFINITY => "\"-Infinity\"".to_owned(),
            number if number.is_nan() => "\"NaN\"".to_owned(),
            number => format!("{number:?}"),
        };
        out.extend_from_slice(text.as_bytes());
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_keep_their_types() {
        let mut values = Details::default();
        for (name, value) in [
            ("null", Detail::Null),
            ("bool", Detail::Bool(true)),
            ("integer", Detail::Integer(i64::MIN)),
            ("count", Detail::Count(u64::MAX)),
            ("text", Detail::Text("a\"\u{202e}".into())),
            (
                "list",
                Detail::List(vec![Detail::Null, Detail::List(vec![]), Detail::Float(1.5)]),
            ),
        ] {
            values.set(name, value);
        }
        let mut out = Vec::new();
        details(&values).write(&mut out);
        let expected = r#"{"null":null,"bool":true,"integer":-9223372036854775808,"#.to_owned()
            + r#""count":18446744073709551615,"text":"a\"\u202e","list":[null,[],1.5]}"#;
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }

    #[test]
    fn all_floats_are_valid_json() {
        for (number, expected) in [
            (0.1, "0.1"),
            (-0.0, "-0.0"),
            (1e300, "1e300"),
            (5e-324, "5e-324"),
            (f64::NAN, "\"NaN\""),
            (f64::INFINITY, "\"Infinity\""),
            (f64::NEG_INFINITY, "\"-Infinity\""),
        ] {
            let mut out = Vec::new();
            float(number).write(&mut out);
            assert_eq!(String::from_utf8_lossy(&out), expected);
            serde_json::from_slice::<serde_json::Value>(&out).expect("JSON");
        }
    }
}
