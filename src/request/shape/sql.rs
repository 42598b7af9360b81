//! Shapes of SQL statements.

use super::sql_lexer::{SqlDialect, SqlLexer, SqlToken};

/// Appends the shape of a statement: `?` for each number, string and parameter, one row of
/// VALUES for any number of rows, `(?…)` for a list of values of any length after IN, a single
/// space for white space and comments, and no semicolon at the end.
pub(super) fn write_sql_shape(sql: &str, dialect: SqlDialect, out: &mut String) {
    let mut lexer = SqlLexer::new(sql, dialect);
    let mut writer = SqlWriter {
        start: out.len(),
        out,
        has_space: false,
        sign: None,
        last: b'(',
        depth: 0,
        expected: Expected::Other,
        lists: Vec::new(),
        row_depth: None,
    };
    while let Some(token) = lexer.next() {
        let is_row_end = writer.write(token);
        if is_row_end {
            skip_rows(&mut lexer);
        }
    }
    writer.finish();
}

/// Maximum number of lists that contain each other.
const MAX_LIST_DEPTH: usize = 16;

/// Meaning of the next bracket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// The bracket starts a list of values.
    List(u8),
    /// The bracket starts a row of values.
    Row,
    /// None of these.
    Other,
}

/// Writes tokens in a uniform way.
struct SqlWriter<'a> {
    out: &'a mut String,
    /// Start of the shape in `out`.
    start: usize,
    /// True if there was white space after the last token.
    has_space: bool,
    /// Sign that was not written: it can belong to a number.
    sign: Option<u8>,
    /// Last symbol, or a letter if the last token was no symbol.
    last: u8,
    /// Number of open brackets.
    depth: usize,
    expected: Expected,
    /// Depth and start of each open list of values.
    lists: Vec<(usize, usize)>,
    /// Depth of an open row of VALUES.
    row_depth: Option<usize>,
}

impl SqlWriter<'_> {
    /// Writes a token. Returns true if it is the end of a row of VALUES.
    fn write(&mut self, token: SqlToken) -> bool {
        let mut is_row_end = false;
        match token {
            SqlToken::Space => {
                self.has_space = true;
                return false;
            }
            SqlToken::Literal => {
                if self.sign.take().is_some() {
                    self.has_space = false;
                }
                self.push("?");
                self.last = b'a';
            }
            SqlToken::Word(text) | SqlToken::Quoted(text) => {
                self.push(text);
                self.last = b'a';
            }
            // An operator comes before a sign, not before the operation.
            SqlToken::Symbol(octet @ (b'-' | b'+')) if b"=<>(,[".contains(&self.last) => {
                self.push_sign();
                self.push_space();
                self.sign = Some(octet);
                self.last = octet;
            }
            SqlToken::Symbol(octet) => is_row_end = self.symbol(octet),
        }
        self.expected = match token {
            SqlToken::Word(word) if word.eq_ignore_ascii_case("in") => Expected::List(b'('),
            SqlToken::Word(word) if word.eq_ignore_ascii_case("array") => Expected::List(b'['),
            SqlToken::Word(word) if word.eq_ignore_ascii_case("values") => Expected::Row,
            _ => Expected::Other,
        };
        is_row_end
    }

    /// Writes a symbol. Returns true if it is the end of a row of VALUES.
    fn symbol(&mut self, octet: u8) -> bool {
        if self.expected == Expected::List(b'(') && octet == b'(' {
            self.has_space = true;
        }
        if b")]".contains(&octet) {
            self.close_list();
        }
        let mut utf8 = [0; 4];
        self.push(char::from(octet).encode_utf8(&mut utf8));
        self.last = octet;
        match octet {
            b'(' | b'[' => {
                self.depth += 1;
                match self.expected {
                    Expected::List(bracket)
                        if bracket == octet && self.lists.len() < MAX_LIST_DEPTH =>
                    {
                        self.lists.push((self.depth, self.out.len()));
                    }
                    Expected::Row if self.row_depth.is_none() => self.row_depth = Some(self.depth),
                    _ => {}
                }
                false
            }
            b')' | b']' => {
                let is_row_end = self.row_depth.take_if(|depth| *depth >= self.depth);
                self.depth = self.depth.saturating_sub(1);
                is_row_end.is_some()
            }
            _ => false,
        }
    }

    /// Replaces the values of the list that ends here.
    fn close_list(&mut self) {
        let depth = self.depth;
        if let Some((_, start)) = self.lists.pop_if(|(list_depth, _)| *list_depth >= depth) {
            self.replace_values(start);
        }
    }

    /// Replaces a list that consists of values by `?…`.
    fn replace_values(&mut self, start: usize) {
        let Some(list) = self.out.get(start..) else {
            return;
        };
        let is_list = list.chars().all(|c| "?, ()…".contains(c)) && list.contains('?');
        if is_list {
            self.out.truncate(start);
            self.out.push_str("?…");
            self.has_space = false;
        }
    }

    fn push_sign(&mut self) {
        if let Some(sign) = self.sign.take() {
            self.out.push(char::from(sign));
        }
    }

    fn push_space(&mut self) {
        if std::mem::take(&mut self.has_space) && self.out.len() > self.start {
            self.out.push(' ');
        }
    }

    fn push(&mut self, text: &str) {
        self.push_sign();
        self.push_space();
        self.out.push_str(text);
    }

    fn finish(&mut self) {
        self.push_sign();
        // The statement can be cut within a list.
        if let Some((_, start)) = self.lists.first().copied() {
            self.replace_values(start);
        }
        let end = self.out.trim_end_matches([';', ' ']).len();
        self.out.truncate(end.max(self.start));
    }
}

/// Continues after the rows of VALUES that follow the first one.
fn skip_rows(lexer: &mut SqlLexer) {
    loop {
        let mut ahead = *lexer;
        let mut next = || ahead.find(|token| *token != SqlToken::Space);
        if next() != Some(SqlToken::Symbol(b',')) || next() != Some(SqlToken::Symbol(b'(')) {
            return;
        }
        let mut depth = 1_usize;
        while depth > 0
            && let Some(token) = ahead.next()
        {
            match token {
                SqlToken::Symbol(b'(') => depth += 1,
                SqlToken::Symbol(b')') => depth -= 1,
                _ => {}
            }
        }
        *lexer = ahead;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(sql: &str, dialect: SqlDialect) -> String {
        let mut out = String::new();
        write_sql_shape(sql, dialect, &mut out);
        out
    }

    #[test]
    fn statements_of_postgresql_have_shapes() {
        for (sql, expected) in [
            ("", ""),
            (";", ""),
            ("  SELECT\n\t1 ;\n", "SELECT ?"),
            ("select 'it''s', E'it\\'s', 1", "select ?, ?, ?"),
            ("SELECT 'a\\', b", "SELECT ?, b"),
            ("SELECT $$a'b$$, $x$a$$b$y$c$x$, $1", "SELECT ?, ?, ?"),
            ("SELECT $x$never closed", "SELECT ?"),
            ("SELECT $x y$z", "SELECT $x y$z"),
            (
                "SELECT 1.5, .5, 1e-5, 0x1F, 1_000, t.a",
                "SELECT ?, ?, ?, ?, ?, t.a",
            ),
            ("SELECT X'1F', b'01', U&'\\0041'", "SELECT ?, ?, ?"),
            (
                "SELECT U&\"d!0061\" FROM \"a 1\"\"\"",
                "SELECT U&\"d!0061\" FROM \"a 1\"\"\"",
            ),
            (
                "SELECT a1, table1.b2 FROM table1",
                "SELECT a1, table1.b2 FROM table1",
            ),
            ("SELECT TRUE, NULL", "SELECT TRUE, NULL"),
            ("SELECT a::int, b[1:n], :name", "SELECT a::int, b[?:n], ?"),
            ("SELECT a -- ' comment\n, b", "SELECT a , b"),
            ("SELECT/* a /* nested */ ' */1", "SELECT ?"),
            ("SELECT 1 /* never closed", "SELECT ?"),
            ("SELECT 'never closed, 1", "SELECT ?"),
            ("WHERE a=-1 AND b - 1 > - 2", "WHERE a=? AND b - ? > ?"),
            ("SELECT -a, (- b)", "SELECT -a, (- b)"),
            ("SELECT a #> b", "SELECT a #> b"),
            ("WHERE a IN (1)", "WHERE a IN (?…)"),
            ("WHERE a in($1,$2, -3 )", "WHERE a in (?…)"),
            ("WHERE (a, b) IN ((1, 2), (3, 4))", "WHERE (a, b) IN (?…)"),
            ("WHERE a IN (1, b)", "WHERE a IN (?, b)"),
            (
                "WHERE a IN (SELECT 1) OR f(1, 2)",
                "WHERE a IN (SELECT ?) OR f(?, ?)",
            ),
            (
                "a IN (SELECT b WHERE c IN (1, 2)) AND d = 1",
                "a IN (SELECT b WHERE c IN (?…)) AND d = ?",
            ),
            ("WHERE a = ANY(ARRAY[1, 2])", "WHERE a = ANY(ARRAY[?…])"),
            ("WHERE a IN (1, 2, 3…", "WHERE a IN (?…"),
            (
                "INSERT INTO t (a, b) VALUES (1, 'x'), (2, now()) , ($1, f(2)) RETURNING id",
                "INSERT INTO t (a, b) VALUES (?, ?) RETURNING id",
            ),
            (
                "INSERT INTO t VALUES (1, (2)), (3",
                "INSERT INTO t VALUES (?, (?))",
            ),
            ("VALUES (1), x", "VALUES (?), x"),
            ("SELECT 1; SELECT 2;", "SELECT ?; SELECT ?"),
            ("SELECT ')' )))] 1", "SELECT ? )))] ?"),
            (
                "SELECT größe FROM maße WHERE ä = 'ö'",
                "SELECT größe FROM maße WHERE ä = ?",
            ),
            ("e'\\é' E'\\", "? ?"),
        ] {
            assert_eq!(shape(sql, SqlDialect::PostgreSql), expected, "{sql}");
        }
    }

    #[test]
    fn statements_of_mysql_have_shapes() {
        for (sql, expected) in [
            ("SELECT 'it\\'s', \"a\\\"b\", `a 1`", "SELECT ?, ?, `a 1`"),
            ("SELECT 1 # ' comment\n, 2--1 -- '", "SELECT ? , ?--?"),
            ("SELECT /* a /* b */ c */ 1", "SELECT c */ ?"),
            (
                "INSERT INTO t VALUES (?, ?), (?, ?) ON DUPLICATE KEY UPDATE a = VALUES(a), b = VALUES(b)",
                "INSERT INTO t VALUES (?, ?) ON DUPLICATE KEY UPDATE a = VALUES(a), b = VALUES(b)",
            ),
        ] {
            assert_eq!(shape(sql, SqlDialect::MySql), expected, "{sql}");
        }
    }
}
