//! `--fail-on`: a check of every flow against conditions that must not occur.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Error, Result, count_noun};
use crate::flow::{FlowCondition, FlowEventKind, FlowRecord};
use crate::sink::flows::flow_summary;
use crate::sink::{Event, Requirement, Sink};

/// Violations found so far: recorded by the [`FailOn`] sink, reported at the end of the run.
#[derive(Debug, Clone, Default)]
pub(super) struct FailOnResults(Arc<Mutex<FailOnState>>);

#[derive(Debug, Default)]
struct FailOnState {
    flows: u64,
    violations: u64,
    /// Descriptions of the first violations, at most [`MAX_LISTED_FLOWS`].
    rows: Vec<String>,
}

/// Maximum number of violating flows that are listed; any others are only counted.
const MAX_LISTED_FLOWS: usize = 50;

/// Sink that checks every closed flow.
pub(super) struct FailOn {
    conditions: Vec<&'static FlowCondition>,
    results: FailOnResults,
}

impl FailOn {
    pub(super) fn new(conditions: Vec<&'static FlowCondition>, results: FailOnResults) -> FailOn {
        FailOn {
            conditions,
            results,
        }
    }

    fn check(&self, record: &FlowRecord) {
        let conditions = self.conditions.iter();
        let met = conditions.filter(|condition| (condition.matches)(record));
        let met: Vec<&str> = met.map(|condition| condition.name).collect();
        let mut results = self.results.lock();
        results.flows += 1;
        if !met.is_empty() {
            results.violations += 1;
            if results.rows.len() < MAX_LISTED_FLOWS {
                let row = format!("{}: {}", met.join(", "), flow_summary(record));
                results.rows.push(row);
            }
        }
    }
}

impl Sink for FailOn {
    fn requires(&self) -> Requirement {
        let mut conditions = self.conditions.iter();
        match conditions.any(|condition| condition.needs_streams) {
            true => Requirement::StreamsWithOverlaps,
            false => Requirement::Flows,
        }
    }

    fn handle(&mut self, event: Event) -> Result<ControlFlow<()>> {
        if let Event::Flow(event) = event
            && let FlowEventKind::Closed(record) = event.kind
        {
            self.check(record);
        }
        Ok(ControlFlow::Continue(()))
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

    /// Returns an error that lists the violating flows, if there were any.
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
        let flows = count_noun(results.flows, "flow");
        Err(Error::ConditionMet(format!(
            "--fail-on: {} of {flows} failed\n{text}",
            results.violations
        )))
    }
}
