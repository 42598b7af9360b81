//! First words of SQL statements.

use std::borrow::Cow;

/// Frequent first words, which need no memory of their own.
const KEYWORDS: [&str; 24] = [
    "SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "BEGIN", "COMMIT", "ROLLBACK", "SET", "SHOW",
    "COPY", "FETCH", "MOVE", "MERGE", "VALUES", "DECLARE", "CLOSE", "LISTEN", "NOTIFY", "CREATE",
    "DROP", "ALTER", "EXPLAIN", "DISCARD",
];

/// Maximum length of a first word in bytes.
const MAX_KEYWORD_LEN: usize = 32;

/// Operation of statements without a word: only comments and semicolons.
const EMPTY: &str = "EMPTY";

/// Operation of texts that start with something else than a word.
const OTHER: &str = "QUERY";

/// Returns the first word of a statement in upper case, after white space, comments and opening
/// parentheses.
pub(super) fn first_keyword(statement: &str) -> Cow<'static, str> {
    let rest = skip_to_word(statement);
    if rest.is_empty() {
        return EMPTY.into();
    }
    let end = rest
        .find(|c: char| !c.is_ascii_alphabetic() && c != '_')
        .unwrap_or(rest.len());
    keyword(&rest[..end])
}

/// Returns a word in upper case.
pub(super) fn keyword(word: &str) -> Cow<'static, str> {
    if !(1..=MAX_KEYWORD_LEN).contains(&word.len()) {
        return OTHER.into();
    }
    let frequent = KEYWORDS
        .iter()
        .find(|keyword| keyword.eq_ignore_ascii_case(word));
    match frequent {
        Some(keyword) => (*keyword).into(),
        None => word.to_ascii_uppercase().into(),
    }
}

fn skip_to_word(statement: &str) -> &str {
    let mut rest = statement;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || "(;".contains(c));
        if let Some(comment) = rest.strip_prefix("--") {
            rest = comment.split_once('\n').map_or("", |(_, rest)| rest);
        } else if rest.starts_with("/*") {
            rest = after_comment(rest);
        } else {
            return rest;
        }
    }
}

/// Returns the text after a comment, which can contain comments.
fn after_comment(text: &str) -> &str {
    let bytes = text.as_bytes();
    let (mut depth, mut at) = (0usize, 0);
    while at + 1 < bytes.len() {
        match &bytes[at..at + 2] {
            b"/*" => depth += 1,
            b"*/" => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return &text[at..];
        }
    }
    ""
}

/// Returns the name in `DEALLOCATE [PREPARE] name`; `None` for any other text.
pub(super) fn deallocated_name(statement: &str) -> Option<String> {
    let rest = statement.trim().trim_end_matches(';').trim_end();
    let rest = after_word(rest, "DEALLOCATE")?;
    let name = after_word(rest, "PREPARE").unwrap_or(rest);
    if let Some(quoted) = name.strip_prefix('"') {
        let inner = quoted.strip_suffix('"')?;
        return (!inner.contains('"')).then(|| inner.to_owned());
    }
    let is_plain = name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '$');
    let is_all = name.eq_ignore_ascii_case("ALL");
    (is_plain && !is_all).then(|| name.to_ascii_lowercase())
}

/// Returns the text after a word and white space.
fn after_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(word.len())?;
    let is_word = start.eq_ignore_ascii_case(word) && rest.starts_with(char::is_whitespace);
    is_word.then(|| rest.trim_start())
}
