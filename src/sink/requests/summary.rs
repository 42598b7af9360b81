//! Summary of all rows of requests, in the last line of the table.

use std::fmt::{self, Write};

use super::repeats::Repeats;
use super::{LeftOutCount, RequestLayout};
use crate::error::count_noun;
use crate::request::{Request, RequestOutcome};

/// Counts of the requests that are shown.
pub(super) struct RequestTally {
    /// Number of requests with each outcome, in the order of [`RequestOutcome::ALL`].
    outcomes: [u64; RequestOutcome::ALL.len()],
    left_out: LeftOutCount,
    repeats: Repeats,
    /// Maximum width of the summary line.
    width: Option<u16>,
}

impl RequestTally {
    pub(super) fn new(layout: &RequestLayout) -> RequestTally {
        RequestTally {
            outcomes: Default::default(),
            left_out: layout.left_out.clone(),
            repeats: layout.repeats.clone(),
            width: layout.table.width,
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

/// Writes `15 requests, 1 failed; repeated: GET /item/{id}, 12 times in a row on one connection`.
impl fmt::Display for RequestTally {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let total: u64 = self.outcomes.iter().sum();
        let mut line = count_noun(total, "request");
        for (outcome, count) in RequestOutcome::ALL.iter().zip(self.outcomes) {
            let label = match outcome {
                RequestOutcome::Ok => continue,
                RequestOutcome::Error => "failed",
                other => other.name(),
            };
            if count > 0 {
                write!(line, ", {count} {label}")?;
            }
        }
        let left_out = self.left_out.get();
        if left_out > 0 {
            write!(line, "; {left_out} left out")?;
        }
        self.repeats.write(&mut line, self.width);
        f.write_str(&line)
    }
}
