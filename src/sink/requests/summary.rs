//! Summary of all rows of requests, in the last line of the table.

use std::fmt;

use super::LeftOutCount;
use crate::error::count_noun;
use crate::request::{Request, RequestOutcome};

/// Counts of the requests that are shown.
pub(super) struct RequestTally {
    /// Number of requests with each outcome, in the order of [`RequestOutcome::ALL`].
    outcomes: [u64; RequestOutcome::ALL.len()],
    left_out: LeftOutCount,
}

impl RequestTally {
    pub(super) fn new(left_out: LeftOutCount) -> RequestTally {
        RequestTally {
            outcomes: Default::default(),
            left_out,
        }
    }

    /// Adds a request that is shown.
    pub(super) fn add(&mut self, request: &Request) {
        let outcomes = RequestOutcome::ALL.iter().zip(&mut self.outcomes);
        for (outcome, count) in outcomes {
            *count += u64::from(*outcome == request.outcome);
        }
    }
}

/// Writes `15 requests, 1 failed`.
impl fmt::Display for RequestTally {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let total: u64 = self.outcomes.iter().sum();
        f.write_str(&count_noun(total, "request"))?;
        for (outcome, count) in RequestOutcome::ALL.iter().zip(self.outcomes) {
            let label = match outcome {
                RequestOutcome::Ok => continue,
                RequestOutcome::Error => "failed",
                other => other.name(),
            };
            if count > 0 {
                write!(f, ", {count} {label}")?;
            }
        }
        match self.left_out.get() {
            0 => Ok(()),
            count => write!(f, "; {count} left out"),
        }
    }
}
