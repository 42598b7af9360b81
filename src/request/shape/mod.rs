//! Shapes of requests: the operation and the target, with the parts replaced that differ between
//! requests for similar objects.

mod path;
mod sql;
mod sql_lexer;
mod variable;

use super::Request;
use super::postgresql::UNKNOWN_STATEMENT;
use path::{write_key_shape, write_url_shape};
use sql::write_sql_shape;
use sql_lexer::SqlDialect;

/// Maximum length of a shape in bytes. Longer shapes are cut, and end in `…`.
const MAX_SHAPE_LEN: usize = 2 << 10;
/// Maximum length of a target in bytes that a shape is derived from; no analyzer reports longer
/// ones.
const MAX_TARGET_LEN: usize = 32 << 10;

/// Kind of target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TargetKind {
    /// URL path with a query, or another path.
    Url,
    /// SQL statement.
    Sql(SqlDialect),
    /// Key, and words after it that are not part of the shape.
    Key,
    /// Sizes, which are not part of the shape.
    Size,
}

impl TargetKind {
    fn of_protocol(protocol: &str) -> TargetKind {
        match protocol {
            "postgresql" => TargetKind::Sql(SqlDialect::PostgreSql),
            "mysql" => TargetKind::Sql(SqlDialect::MySql),
            "redis" | "memcached" => TargetKind::Key,
            "tcp" | "udp" => TargetKind::Size,
            _ => TargetKind::Url,
        }
    }
}

impl Request {
    /// Returns the shape of the request: its operation and target, in which variable parts are
    /// replaced. Requests of one protocol with the same shape differ only in their values:
    ///
    /// - of paths, ids are `{id}` and values of the query `{}`: `GET /cart/{id}?page={}`;
    /// - of SQL, numbers, strings and parameters are `?`, lists after IN are `(?…)`, and rows after
    ///   VALUES are one row: `SELECT * FROM item WHERE cart = ?`; a statement whose text is not in
    ///   the capture is `…`;
    /// - of Redis, the shape is the command and its first key, with ids as `{id}`:
    ///   `GET cart:{id}`;
    /// - of other protocols without an analyzer, it is the operation.
    ///
    /// It has at most 2 KiB, and is empty if neither operation nor target is in the capture.
    pub fn shape(&self) -> String {
        let mut shape = String::new();
        self.write_shape(&mut shape);
        shape
    }

    /// Appends the [shape](Self::shape) to a text.
    pub(super) fn write_shape(&self, out: &mut String) {
        let start = out.len();
        let target = match self.target.len() > MAX_TARGET_LEN {
            true => &self.target[..self.target.floor_char_boundary(MAX_TARGET_LEN)],
            false => &self.target[..],
        };
        let kind = TargetKind::of_protocol(self.protocol);
        out.push_str(&self.operation);
        let target_start = out.len();
        if !target.is_empty() {
            match kind {
                TargetKind::Url => write_url_shape(target, out),
                // The shape of `SELECT 1` has a question mark.
                TargetKind::Sql(_) if target == UNKNOWN_STATEMENT => out.push('…'),
                TargetKind::Sql(dialect) => write_sql_shape(target, dialect, out),
                TargetKind::Key => write_key_shape(target, out),
                TargetKind::Size => {}
            }
        }
        let is_statement = matches!(kind, TargetKind::Sql(_));
        if is_statement && starts_with_word(&out[target_start..], &self.operation) {
            out.replace_range(start..target_start, "");
        } else if start < target_start && target_start < out.len() {
            out.insert(target_start, ' ');
        }
        if out.len() - start > MAX_SHAPE_LEN {
            let end = start + MAX_SHAPE_LEN - "…".len();
            out.truncate(out.floor_char_boundary(end));
            out.push('…');
        }
    }
}

/// Returns true if a statement starts with its operation, in either case.
fn starts_with_word(statement: &str, operation: &str) -> bool {
    let statement = statement.trim_start_matches(['(', ' ']).as_bytes();
    let start = statement.get(..operation.len());
    let next = statement.get(operation.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(operation.as_bytes()))
        && !next.is_some_and(|octet| octet.is_ascii_alphanumeric() || *octet == b'_')
}

#[cfg(test)]
mod tests;
