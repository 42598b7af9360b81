//! Bodies of messages as text, and indented lines below the row of a request.

use crate::error::count_noun;
use crate::printable;
use crate::request::{Message, Request};

/// Returns the body if it is UTF-8, up to a character that the limit cut.
pub(super) fn text_of(message: &Message) -> Option<&str> {
    let partial = partial_len(message)?;
    std::str::from_utf8(&message.body[..message.body.len() - partial]).ok()
}

/// Returns the number of bytes that are neither in the head nor in the text of the body.
pub(super) fn left_out(message: &Message) -> u64 {
    message.left_out + partial_len(message).unwrap_or(0) as u64
}

/// Returns the length of a partial character at the end of a body that was cut; `None` if the body
/// is not UTF-8.
fn partial_len(message: &Message) -> Option<usize> {
    match std::str::from_utf8(&message.body) {
        Ok(_) => Some(0),
        Err(error) if error.error_len().is_none() && message.left_out > 0 => {
            Some(message.body.len() - error.valid_up_to())
        }
        Err(_) => None,
    }
}

/// Writes the contents of both messages as indented lines: `>` for those of the client, `<` for
/// those of the server.
pub(super) fn write_contents(request: &Request, out: &mut Vec<u8>) {
    write_message(&request.request, "    > ", out);
    write_message(&request.answer, "    < ", out);
}

fn write_message(message: &Message, indent: &str, out: &mut Vec<u8>) {
    let mut push_line = |text: &str| {
        let text = [indent, text].concat();
        out.extend_from_slice(text.trim_end().as_bytes());
        out.push(b'\n');
    };
    write_lines(&message.head, &mut push_line);
    if !message.head.is_empty() && !message.body.is_empty() {
        push_line("");
    }
    match text_of(message) {
        Some(text) => write_lines(text, &mut push_line),
        None => push_line(&format!(
            "[{} that are not text]",
            count_noun(message.body.len(), "byte")
        )),
    }
    match left_out(message) {
        0 => {}
        bytes => push_line(&format!("[{} left out]", count_noun(bytes, "byte"))),
    }
}

fn write_lines(text: &str, push_line: &mut impl FnMut(&str)) {
    for line in text.lines() {
        push_line(&printable::line(line));
    }
}
