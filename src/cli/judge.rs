//! `--fail-on`: whether any flow is what none should be.

use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Error, Result};
use crate::flow::{Condition, FlowEvent, What};
use crate::sink::flows::row;
use crate::sink::{Needs, Sink};

/// What was found, for who asks at the end.
#[derive(Debug, Clone, Default)]
pub(super) struct Findings(Arc<Mutex<Found>>);

#[derive(Debug, Default)]
struct Found {
    flows: u64,
    guilty: u64,
    /// The first of them, in words.
    rows: Vec<String>,
}

/// The most flows that are told one by one.
const MOST_ROWS: usize = 50;

/// Looks at every flow.
pub(super) struct Judge {
    conditions: Vec<&'static Condition>,
    findings: Findings,
}

impl Judge {
    pub(super) fn new(conditions: Vec<&'static Condition>, findings: Findings) -> Judge {
        Judge {
            conditions,
            findings,
        }
    }
}

impl Sink for Judge {
    fn flow(&mut self, event: &FlowEvent) -> Result<()> {
        let What::Closed(record) = event.what else {
            return Ok(());
        };
        let broken: Vec<&str> = self
            .conditions
            .iter()
            .filter(|condition| (condition.holds)(record))
            .map(|condition| condition.name)
            .collect();
        let mut found = self.findings.lock();
        found.flows += 1;
        if !broken.is_empty() {
            found.guilty += 1;
            if found.rows.len() < MOST_ROWS {
                found
                    .rows
                    .push(format!("{}: {}", broken.join(", "), row(record)));
            }
        }
        Ok(())
    }

    fn needs(&self) -> Needs {
        let mut conditions = self.conditions.iter();
        match conditions.any(|condition| condition.needs_streams) {
            true => Needs::Repeats,
            false => Needs::Flows,
        }
    }

    fn goes_on(&self) -> bool {
        true
    }
}

impl Findings {
    fn lock(&self) -> std::sync::MutexGuard<'_, Found> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An error that names the flows, if there were any.
    pub(super) fn verdict(&self) -> Result<()> {
        let found = self.lock();
        if found.guilty == 0 {
            return Ok(());
        }
        let mut text = found.rows.join("\n");
        let more = found.guilty - found.rows.len() as u64;
        if more > 0 {
            text += &format!("\n… and {more} more");
        }
        let (guilty, flows) = (found.guilty, found.flows);
        Err(Error::Unwanted(format!(
            "--fail-on holds for {guilty} of {flows} flows\n{text}"
        )))
    }
}
