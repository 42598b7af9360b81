//! Rust source split at its comments and string literals.

/// A piece of Rust source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// A comment to the end of its line, with its slashes.
    Comment(&'a str),
    /// A string literal, with its quotes.
    String(&'a str),
    /// Everything else.
    Code(&'a str),
}

/// Splits Rust source at its comments and string literals.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let (mut rest, mut code) = (text, 0);
    while code < rest.len() {
        let here = &rest[code..];
        let Some((len, token)) = special(here) else {
            code += here.chars().next().map_or(1, char::len_utf8);
            continue;
        };
        if len > 0 {
            tokens.push(Token::Code(&rest[..code]));
            tokens.push(token);
            rest = &here[len..];
            code = 0;
        } else {
            // A character literal is code.
            code += char_literal_len(here);
        }
    }
    tokens.push(Token::Code(rest));
    tokens
}

/// Returns the comment or string at the start of `here`, and its length; length 0 for a character
/// literal.
fn special(here: &str) -> Option<(usize, Token<'_>)> {
    if here.starts_with("//") {
        let len = here.find('\n').unwrap_or(here.len());
        return Some((len, Token::Comment(&here[..len])));
    }
    if here.starts_with('\'') && char_literal_len(here) > 1 {
        return Some((0, Token::Code("")));
    }
    let hashes = here
        .strip_prefix('r')
        .map_or(0, |raw| raw.len() - raw.trim_start_matches('#').len());
    if hashes > 0 && here[1 + hashes..].starts_with('"') {
        let end = format!("\"{}", "#".repeat(hashes));
        let from = hashes + 2;
        let len = here[from..]
            .find(&end)
            .map_or(here.len(), |at| from + at + end.len());
        return Some((len, Token::String(&here[..len])));
    }
    if !here.starts_with('"') {
        return None;
    }
    let mut escaped = false;
    for (at, c) in here.char_indices().skip(1) {
        match c {
            '"' if !escaped => return Some((at + 1, Token::String(&here[..=at]))),
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    Some((here.len(), Token::String(here)))
}

/// Returns the length of the character literal at the start of `here`; 1 if a lifetime starts
/// there.
fn char_literal_len(here: &str) -> usize {
    let mut chars = here.char_indices().skip(1);
    let escaped = matches!(chars.next(), Some((_, '\\')));
    if escaped {
        chars.next();
    }
    let close = chars.find(|(_, c)| *c == '\'' || c.is_whitespace() || *c == ',');
    match close {
        Some((at, '\'')) if escaped || here[..at].chars().count() == 2 => at + 1,
        _ => 1,
    }
}
