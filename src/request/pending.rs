//! Queue of requests that wait for their answers.

use std::collections::VecDeque;

use super::Request;
use super::analyzer::{Context, EndReason};

/// Requests of one connection that wait for their answers, in the order of their answers.
#[derive(Debug, Default)]
pub(super) struct PendingRequests {
    /// Requests, with the number of bytes of memory that were counted for each.
    queue: VecDeque<(Request, u64)>,
    /// Number of requests before the first one in the queue that were already reported because of a
    /// limit: their answers come first.
    reported: u64,
}

impl PendingRequests {
    /// Adds a request. Above the limits, the oldest one is reported.
    pub(super) fn push(&mut self, request: Request, context: &mut Context) {
        let memory = request.memory();
        context.allocate(memory);
        self.queue.push_back((request, memory));
        let is_over_limit =
            self.queue.len() > context.settings.max_pending || context.is_memory_full();
        if is_over_limit && let Some((oldest, memory)) = self.queue.pop_front() {
            self.reported += 1;
            context.free(memory);
            context.report_incomplete(oldest, EndReason::Limit);
        }
    }

    /// Returns the request that the next answer belongs to.
    pub(super) fn next(&mut self) -> NextRequest<'_> {
        match (self.reported, self.queue.front_mut()) {
            (0, Some((request, _))) => NextRequest::Pending(request),
            (0, None) => NextRequest::NotCaptured,
            _ => NextRequest::Reported,
        }
    }

    /// Removes the request that the next answer belongs to; returns `None` if it was already
    /// reported or was not captured.
    pub(super) fn pop(&mut self, context: &mut Context) -> Option<Request> {
        if self.reported > 0 {
            self.reported -= 1;
            return None;
        }
        let (request, memory) = self.queue.pop_front()?;
        context.free(memory);
        Some(request)
    }

    /// Returns the number of answers that are expected.
    pub(super) fn len(&self) -> u64 {
        self.reported + self.queue.len() as u64
    }

    /// Returns true if answers are expected to requests that were already reported.
    pub(super) fn has_reported(&self) -> bool {
        self.reported > 0
    }

    /// Returns the last request.
    pub(super) fn last_mut(&mut self) -> Option<&mut Request> {
        self.queue.back_mut().map(|(request, _)| request)
    }

    /// Returns the requests that were not reported, the oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Request> {
        self.queue.iter().map(|(request, _)| request)
    }

    /// Reports all requests.
    pub(super) fn finish(&mut self, reason: EndReason, context: &mut Context) {
        while self.len() > 0 {
            if let Some(request) = self.pop(context) {
                context.report_incomplete(request, reason);
            }
        }
    }
}

/// The request that the next answer belongs to.
pub(super) enum NextRequest<'a> {
    /// This one.
    Pending(&'a mut Request),
    /// One that was already reported.
    Reported,
    /// One that was not captured.
    NotCaptured,
}
