//! Lexer of SQL statements, as far as their shapes require it.

/// Lexical rules that differ between databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SqlDialect {
    /// PostgreSQL (documentation, section 4.1).
    PostgreSql,
    /// MySQL and MariaDB, without the SQL mode `ANSI_QUOTES` (reference manual, section 11.1).
    MySql,
}

/// A token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SqlToken<'a> {
    /// White space and comments.
    Space,
    /// Number, string or parameter.
    Literal,
    /// Keyword or identifier.
    Word(&'a str),
    /// Quoted identifier, with its quotes.
    Quoted(&'a str),
    /// A character that is none of these.
    Symbol(u8),
}

/// Position in a statement. Its work is linear in the length of the statement, of which any bytes
/// can be missing at the end.
#[derive(Debug, Clone, Copy)]
pub(super) struct SqlLexer<'a> {
    text: &'a str,
    at: usize,
    dialect: SqlDialect,
    /// True if the last token was a value, so that a dot or colon belongs to it.
    is_after_value: bool,
}

impl<'a> SqlLexer<'a> {
    pub(super) fn new(text: &'a str, dialect: SqlDialect) -> SqlLexer<'a> {
        SqlLexer {
            text,
            at: 0,
            dialect,
            is_after_value: false,
        }
    }

    fn byte(&self, offset: usize) -> u8 {
        let bytes = self.text.as_bytes();
        bytes.get(self.at + offset).copied().unwrap_or(0)
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    /// Continues after the bytes that meet a condition.
    fn skip_while(&mut self, condition: impl Fn(u8) -> bool) {
        let rest = self.rest();
        let len = rest.iter().position(|&octet| !condition(octet));
        self.at += len.unwrap_or(rest.len());
    }

    /// Continues after the next occurrence of a text, or at the end.
    fn skip_past(&mut self, end: &str) {
        let rest = &self.text[self.at..];
        self.at += rest.find(end).map_or(rest.len(), |at| at + end.len());
    }

    fn is_my_sql(&self) -> bool {
        self.dialect == SqlDialect::MySql
    }

    fn is_comment(&self) -> bool {
        match self.byte(0) {
            b'#' => self.is_my_sql(),
            b'-' if self.byte(1) == b'-' => !self.is_my_sql() || self.byte(2) <= b' ',
            b'/' => self.byte(1) == b'*',
            _ => false,
        }
    }

    fn skip_comment(&mut self) {
        if self.byte(0) != b'/' {
            self.skip_past("\n");
            return;
        }
        let mut depth = 0_usize;
        while self.at < self.text.len() {
            match [self.byte(0), self.byte(1)] {
                // PostgreSQL's comments can be nested.
                [b'/', b'*'] if depth == 0 || !self.is_my_sql() => {
                    depth += 1;
                    self.at += 2;
                }
                [b'*', b'/'] => {
                    depth -= 1;
                    self.at += 2;
                    if depth == 0 {
                        return;
                    }
                }
                _ => self.at += 1,
            }
        }
    }

    /// Continues after a string or quoted identifier at the current position, in which the
    /// doubled quote is a character.
    fn skip_quoted(&mut self, escapes: Escapes) {
        let quote = self.byte(0);
        self.at += 1;
        loop {
            self.skip_while(|octet| octet != quote && octet != b'\\');
            match [self.byte(0), self.byte(1)] {
                [0, _] if self.at >= self.text.len() => return,
                [b'\\', next] => {
                    let is_escape = escapes == Escapes::Backslash && next != 0;
                    self.at += if is_escape { 2 } else { 1 };
                }
                [_, next] if next == quote => self.at += 2,
                _ => {
                    self.at += 1;
                    return;
                }
            }
            // The escaped character can have more than one byte.
            self.skip_while(|octet| octet & 0xc0 == 0x80);
        }
    }

    /// Continues after a string in dollar quotes or a parameter; returns false without one.
    fn skip_dollar(&mut self) -> bool {
        let start = self.at;
        self.at += 1;
        if self.byte(0).is_ascii_digit() {
            self.skip_while(|octet| octet.is_ascii_digit());
            return true;
        }
        self.skip_while(|octet| octet != b'$' && is_word_byte(octet));
        if self.byte(0) != b'$' {
            self.at = start;
            return false;
        }
        self.at += 1;
        let tag = &self.text[start..self.at];
        self.skip_past(tag);
        true
    }

    fn skip_number(&mut self) {
        loop {
            self.skip_while(|octet| octet.is_ascii_alphanumeric() || b"_.".contains(&octet));
            let last = self.text.as_bytes()[self.at - 1];
            let is_exponent = b"eE".contains(&last)
                && b"+-".contains(&self.byte(0))
                && self.byte(1).is_ascii_digit();
            if !is_exponent {
                return;
            }
            self.at += 1;
        }
    }

    /// Returns a word, or the literal or identifier whose prefix it is: `E'\n'`, `U&"a"`.
    fn word(&mut self) -> SqlToken<'a> {
        let start = self.at;
        self.skip_while(is_word_byte);
        let word = &self.text[start..self.at];
        let escapes = match word {
            "e" | "E" => Escapes::Backslash,
            "b" | "B" | "x" | "X" | "n" | "N" => self.default_escapes(),
            "u" | "U" if self.byte(0) == b'&' && b"'\"".contains(&self.byte(1)) => {
                self.at += 1;
                Escapes::None
            }
            _ => return SqlToken::Word(word),
        };
        match self.byte(0) {
            b'\'' => {
                self.skip_quoted(escapes);
                SqlToken::Literal
            }
            b'"' if self.at > start + word.len() => {
                self.skip_quoted(Escapes::None);
                SqlToken::Quoted(&self.text[start..self.at])
            }
            _ => SqlToken::Word(word),
        }
    }

    fn default_escapes(&self) -> Escapes {
        match self.dialect {
            SqlDialect::PostgreSql => Escapes::None,
            SqlDialect::MySql => Escapes::Backslash,
        }
    }

    fn token(&mut self) -> SqlToken<'a> {
        let start = self.at;
        match self.byte(0) {
            octet if octet.is_ascii_whitespace() => {
                self.skip_while(|octet| octet.is_ascii_whitespace());
                SqlToken::Space
            }
            _ if self.is_comment() => {
                self.skip_comment();
                SqlToken::Space
            }
            b'\'' => {
                self.skip_quoted(self.default_escapes());
                SqlToken::Literal
            }
            b'"' if self.is_my_sql() => {
                self.skip_quoted(Escapes::Backslash);
                SqlToken::Literal
            }
            b'"' | b'`' => {
                self.skip_quoted(Escapes::None);
                SqlToken::Quoted(&self.text[start..self.at])
            }
            b'$' if !self.is_my_sql() && self.skip_dollar() => SqlToken::Literal,
            b'0'..=b'9' => {
                self.skip_number();
                SqlToken::Literal
            }
            b'.' if !self.is_after_value && self.byte(1).is_ascii_digit() => {
                self.skip_number();
                SqlToken::Literal
            }
            // A parameter, but not a type cast (`::int`) or a slice of an array (`[1:n]`).
            b':' if !self.is_after_value && is_word_start(self.byte(1)) => {
                self.at += 1;
                self.skip_while(is_word_byte);
                SqlToken::Literal
            }
            b'?' => {
                self.at += 1;
                SqlToken::Literal
            }
            octet if is_word_start(octet) => self.word(),
            octet => {
                self.at += 1;
                SqlToken::Symbol(octet)
            }
        }
    }
}

impl<'a> Iterator for SqlLexer<'a> {
    type Item = SqlToken<'a>;

    fn next(&mut self) -> Option<SqlToken<'a>> {
        if self.at >= self.text.len() {
            return None;
        }
        let token = self.token();
        self.is_after_value = match token {
            SqlToken::Word(_) | SqlToken::Quoted(_) | SqlToken::Literal => true,
            SqlToken::Symbol(octet) => b")]:".contains(&octet),
            SqlToken::Space => false,
        };
        Some(token)
    }
}

/// Rule for backslashes in a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Escapes {
    /// A backslash is a character.
    None,
    /// The character after a backslash does not end the string.
    Backslash,
}

fn is_word_start(octet: u8) -> bool {
    octet.is_ascii_alphabetic() || octet == b'_' || octet >= 0x80
}

fn is_word_byte(octet: u8) -> bool {
    is_word_start(octet) || octet.is_ascii_digit() || octet == b'$'
}
