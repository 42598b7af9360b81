//! Sorting of records, and selection of the first ones (`--sort`, `--top`).

use std::cmp::Reverse;
use std::ops::ControlFlow;

use super::RowRecord;
use crate::error::Result;
use crate::sink::{CONTINUE, Event, Requirement, Sink};

/// A sort order of records.
#[derive(Debug)]
pub struct RowOrder<R> {
    /// Name for `--sort`.
    pub name: &'static str,
    /// Short description for `--help`.
    pub about: &'static str,
    /// Sort key, in descending order; records with the same key are in the order of their numbers.
    pub(in crate::sink) key: fn(&R) -> u64,
}

/// Sink that collects records, and passes them on in sorted order at the end.
pub struct SortedRows<R: 'static> {
    inner: Box<dyn Sink>,
    order: &'static RowOrder<R>,
    top: usize,
    records: Vec<R>,
}

impl<R: RowRecord> SortedRows<R> {
    /// Returns a sink that passes the first `top` records in this order on to `inner`, or all
    /// records if `top` is `None`.
    pub fn new(
        inner: Box<dyn Sink>,
        order: &'static RowOrder<R>,
        top: Option<usize>,
    ) -> SortedRows<R> {
        SortedRows {
            inner,
            order,
            top: top.unwrap_or(usize::MAX),
            records: Vec::new(),
        }
    }

    fn sort(&mut self) {
        let key = self.order.key;
        self.records
            .sort_by_cached_key(|record| (Reverse(key(record)), record.number()));
        self.records.truncate(self.top);
    }
}

impl<R: RowRecord> Sink for SortedRows<R> {
    fn requires(&self) -> Requirement {
        self.inner.requires().max(R::REQUIREMENT)
    }

    fn handle(&mut self, event: Event) -> Result<ControlFlow<()>> {
        if let Some(record) = R::of_event(&event) {
            self.records.push(record.clone());
            // Limit memory: keep at most twice as many records as requested, or 1000.
            if self.records.len() > self.top.saturating_mul(2).max(1000) {
                self.sort();
            }
        }
        CONTINUE
    }

    fn flush(&mut self) -> Result<()> {
        self.inner.flush()
    }

    fn finish(&mut self) -> Result<()> {
        self.sort();
        for record in std::mem::take(&mut self.records) {
            if record.pass_to(&mut *self.inner)?.is_break() {
                break;
            }
        }
        self.inner.finish()
    }
}
