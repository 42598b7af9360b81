//! JSON objects of what is not packets or flows (RFC 8259), with their fields in the order in which they are given.

use std::fmt::Write as _;

use serde_json::Value;

/// An object; what is null is left out.
pub(super) fn object(fields: &[(&str, Value)]) -> String {
    let mut text = String::from("{");
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
        let comma = if text.len() > 1 { "," } else { "" };
        // Writing to a String cannot fail.
        let _ = write!(text, "{comma}\"{name}\":{value}");
    }
    text.push('}');
    escaped(&text)
}

/// The controls that JSON lets stand: the line may be looked at in a terminal. They are inside of strings, where else would they be.
fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            control if control.is_control() => {
                let _ = write!(text, "\\u{:04x}", u32::from(control));
            }
            plain => text.push(plain),
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
