//! Conditions of `--fail-on` for requests.

use std::borrow::Cow;
use std::str::FromStr;

use super::super::duration::parse_duration;
use super::Condition;
use crate::packet::TimeDelta;
use crate::request::{Request, RequestOutcome};
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
}

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
            _ => {
                return Err("write error, unanswered, slower=100ms or status=500-599, \
                            separated by commas"
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
        match &self.kind {
            ConditionKind::Error => request.outcome == RequestOutcome::Error,
            ConditionKind::Unanswered => request.outcome == RequestOutcome::Unanswered,
            ConditionKind::Slower(limit) => request.waiting_time() >= Some(*limit),
            ConditionKind::Status(pattern) => pattern.matches(request),
        }
    }
}
