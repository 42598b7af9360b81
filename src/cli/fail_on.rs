//! `--fail-on`: a check of every flow or request against conditions that must not occur.

mod request_condition;

pub(super) use request_condition::RequestCondition;

use std::borrow::Cow;
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Error, Result, count_noun};
use crate::flow::{FlowCondition, FlowRecord};
use crate::request::Request;
use crate::sink::flows::flow_summary;
use crate::sink::requests::request_summary;
use crate::sink::rows::RowRecord;
use crate::sink::{CONTINUE, Event, Requirement, Sink};

/// Violations found so far: recorded by the [`FailOn`] sink, reported at the end of the run.
#[derive(Debug, Clone, Default)]
pub(super) struct FailOnResults(Arc<Mutex<FailOnState>>);

#[derive(Debug, Default)]
struct FailOnState {
    /// Noun of the records in the singular.
    noun: &'static str,
    records: u64,
    violations: u64,
    /// Descriptions of the first violations, at most [`MAX_LISTED_RECORDS`].
    rows: Vec<String>,
}

/// Maximum number of violating records that are listed; any others are only counted.
const MAX_LISTED_RECORDS: usize = 50;

/// A condition that a record can meet.
pub(super) trait Condition<R> {
    /// Returns the condition as on the command line.
    fn name(&self) -> Cow<'_, str>;

    /// Returns the events that are required to check the condition.
    fn requires(&self) -> Requirement;

    /// Checks a record; records are passed in the order in which they are reported. Returns true
    /// if it meets the condition.
    fn check(&mut self, record: &R) -> bool;
}

/// A record that can meet conditions.
pub(super) trait CheckedRecord: RowRecord {
    /// Returns the record on one line.
    fn summary(&self) -> String;
}

impl CheckedRecord for FlowRecord {
    fn summary(&self) -> String {
        flow_summary(self)
    }
}

impl CheckedRecord for Request {
    fn summary(&self) -> String {
        request_summary(self)
    }
}

impl Condition<FlowRecord> for &FlowCondition {
    fn name(&self) -> Cow<'_, str> {
        self.name.into()
    }

    fn requires(&self) -> Requirement {
        match self.needs_streams {
            true => Requirement::StreamsWithOverlaps,
            false => Requirement::Flows,
        }
    }

    fn check(&mut self, flow: &FlowRecord) -> bool {
        (self.matches)(flow)
    }
}

/// Sink that checks every record.
pub(super) struct FailOn<R, C> {
    conditions: Vec<C>,
    results: FailOnResults,
    record: PhantomData<R>,
}

impl<R: CheckedRecord, C: Condition<R>> FailOn<R, C> {
    pub(super) fn new(conditions: Vec<C>, results: FailOnResults) -> FailOn<R, C> {
        results.lock().noun = R::NOUN;
        FailOn {
            conditions,
            results,
            record: PhantomData,
        }
    }

    fn check(&mut self, record: &R) {
        let mut met = Vec::new();
        for condition in &mut self.conditions {
            if condition.check(record) {
                met.push(condition.name());
            }
        }
        let mut results = self.results.lock();
        results.records += 1;
        if !met.is_empty() {
            results.violations += 1;
            if results.rows.len() < MAX_LISTED_RECORDS {
                let row = format!("{}: {}", met.join(", "), record.summary());
                results.rows.push(row);
            }
        }
    }
}

impl<R: CheckedRecord, C: Condition<R>> Sink for FailOn<R, C> {
    fn requires(&self) -> Requirement {
        let conditions = self.conditions.iter().map(Condition::requires);
        conditions.fold(R::REQUIREMENT, Requirement::max)
    }

    fn handle(&mut self, event: Event) -> Result<ControlFlow<()>> {
        if let Some(record) = R::of_event(&event) {
            self.check(record);
        }
        CONTINUE
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}

impl FailOnResults {
    fn lock(&self) -> std::sync::MutexGuard<'_, FailOnState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns an error that lists the violating records, if there were any.
    pub(super) fn result(&self) -> Result<()> {
        let results = self.lock();
        if results.violations == 0 {
            return Ok(());
        }
        let mut text = results.rows.join("\n");
        let more = results.violations - results.rows.len() as u64;
        if more > 0 {
            text += &format!("\n… and {more} more");
        }
        let records = count_noun(results.records, results.noun);
        Err(Error::ConditionMet(format!(
            "--fail-on: {} of {records} failed\n{text}",
            results.violations
        )))
    }
}
