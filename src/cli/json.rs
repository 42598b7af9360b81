//! JSON objects (RFC 8259) of the doctor's reports and of listening ports; packets and flows have
//! their own writers in [`crate::sink`]. Fields keep the order in which they are passed.

use std::fmt::Write as _;

use serde_json::Value;

/// Returns an object; fields whose value is null are omitted.
pub(super) fn object(fields: &[(&str, Value)]) -> String {
    let mut text = String::from("{");
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
        let comma = if text.len() > 1 { "," } else { "" };
        // Writing to a String cannot fail.
        let _ = write!(text, "{comma}\"{name}\":{value}");
    }
    text.push('}');
    escape_controls(&text)
}

/// Escapes the control characters that JSON permits unescaped (U+007F to U+009F), because the line
/// may be printed on a terminal. They occur only inside strings.
fn escape_controls(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            control if control.is_control() => {
                let _ = write!(text, "\\u{:04x}", u32::from(control));
            }
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_keep_their_order_and_controls_are_escaped() {
        let fields = [
            ("z", Value::from("\u{9b}31m\x1b\n\"")),
            ("y", Value::Null),
            ("a", Value::from(vec![1, 2])),
        ];
        let text = object(&fields);
        assert_eq!(text, r#"{"z":"\u009b31m\u001b\n\"","a":[1,2]}"#);
    }
}
