//! Conditions of `--fail-on` for requests.

use std::borrow::Cow;
use std::str::FromStr;

use super::super::duration::parse_duration;
use super::Condition;
use crate::packet::TimeDelta;
use crate::request::{RepeatDetector, Request, RequestOutcome};
use crate::sink::Requirement;
use crate::sink::requests::StatusPattern;

/// A condition that a request can meet.
#[derive(Debug, Clone)]
pub(in crate::cli) struct RequestCondition {
    /// The condition as on the command line.
    name: String,
    kind: ConditionKind,
}

#[derive(Debug, Clone)]
enum ConditionKind {
    Error,
    Unanswered,
    Slower(TimeDelta),
    Status(StatusPattern),
    /// A row of this number of requests.
    Repeated(u64, RepeatDetector),
}

/// Minimum number of `repeated`: a single request is no row.
const MIN_REPEATED: u64 = 2;

impl FromStr for RequestCondition {
    type Err = String;

    fn from_str(text: &str) -> Result<RequestCondition, String> {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        let kind = match (name, value) {
            ("error", "") => ConditionKind::Error,
            ("unanswered", "") => ConditionKind::Unanswered,
            ("slower", time) => {
                let time = parse_duration(time)?.as_nanos();
                ConditionKind::Slower(TimeDelta(i64::try_from(time).unwrap_or(i64::MAX)))
            }
            ("status", status) => ConditionKind::Status(status.parse()?),
            ("repeated", number) => match number.parse() {
                Ok(number @ MIN_REPEATED..) => {
                    ConditionKind::Repeated(number, RepeatDetector::default())
                }
                _ => {
                    return Err(format!(
                        "write a number from {MIN_REPEATED} on: repeated=10"
                    ));
                }
            },
            _ => {
                return Err("write error, unanswered, slower=100ms, status=500-599 or \
                            repeated=10, separated by commas"
                    .to_owned());
            }
        };
        Ok(RequestCondition {
            name: text.to_owned(),
            kind,
        })
    }
}

impl Condition<Request> for RequestCondition {
    fn name(&self) -> Cow<'_, str> {
        (&*self.name).into()
    }

    fn requires(&self) -> Requirement {
        Requirement::Streams
    }

    fn check(&mut self, request: &Request) -> bool {
        match &mut self.kind {
            ConditionKind::Error => request.outcome == RequestOutcome::Error,
            ConditionKind::Unanswered => request.outcome == RequestOutcome::Unanswered,
            ConditionKind::Slower(limit) => request.waiting_time() >= Some(*limit),
            ConditionKind::Status(pattern) => pattern.matches(request),
            ConditionKind::Repeated(number, detector) => detector.add(request) == *number,
        }
    }
}
