//! Values that only one protocol has: names and typed values.

use std::borrow::Cow;

/// Details of a request: names and values, in the order in which they were added.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Details(Vec<(&'static str, Detail)>);

/// A typed value.
#[derive(Debug, Clone, PartialEq)]
pub enum Detail {
    /// No value, e.g. NULL in SQL.
    Null,
    /// Truth value.
    Bool(bool),
    /// Integer.
    Integer(i64),
    /// Non-negative integer.
    Count(u64),
    /// Floating-point number.
    Float(f64),
    /// Text.
    Text(Cow<'static, str>),
    /// Values, e.g. the parameters of a statement.
    List(Vec<Detail>),
}

impl Details {
    /// Adds a value, or replaces the value with the same name.
    pub fn set(&mut self, name: &'static str, value: Detail) {
        match self.0.iter_mut().find(|(existing, _)| *existing == name) {
            Some((_, existing)) => *existing = value,
            None => self.0.push((name, value)),
        }
    }

    /// Adds values, or replaces those with the same names.
    pub(super) fn extend(&mut self, values: Details) {
        for (name, value) in values.0 {
            self.set(name, value);
        }
    }

    /// Returns the value with this name.
    pub fn get(&self, name: &str) -> Option<&Detail> {
        let mut values = self.0.iter();
        values
            .find(|(existing, _)| *existing == name)
            .map(|(_, value)| value)
    }

    /// Returns the names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Detail)> {
        self.0.iter().map(|(name, value)| (*name, value))
    }

    /// Returns true if there are no values.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the number of bytes of memory that the values use, approximately.
    pub(super) fn memory(&self) -> usize {
        self.0.iter().map(|(_, value)| value.memory()).sum()
    }
}

impl Detail {
    /// Returns the number if the value is a non-negative integer.
    pub fn as_count(&self) -> Option<u64> {
        match self {
            Detail::Count(count) => Some(*count),
            Detail::Integer(integer) => u64::try_from(*integer).ok(),
            _ => None,
        }
    }

    pub(super) fn memory(&self) -> usize {
        let heap = match self {
            Detail::Text(Cow::Owned(text)) => text.len(),
            Detail::List(values) => values.iter().map(Detail::memory).sum(),
            _ => 0,
        };
        size_of::<Detail>() + heap
    }
}
