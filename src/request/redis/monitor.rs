//! The lines of MONITOR, which reports the commands of all clients.

use super::super::analyzer::Context;
use super::super::{Detail, Request};
use super::EndReason;
use super::reply::RedisReply;
use super::report::{add_contents, add_reply, report_complete};

/// A MONITOR command that the server has accepted.
#[derive(Debug, Default)]
pub(super) struct Monitor {
    is_active: bool,
    /// The command; `None` if it was reported already.
    request: Option<Box<Request>>,
}

impl Monitor {
    /// Keeps a command, unless it was reported already, until its last line.
    pub(super) fn start(
        &mut self,
        request: Option<Request>,
        reply: &RedisReply,
        context: &mut Context,
    ) {
        self.is_active = true;
        self.request = request.map(|mut request| {
            add_reply(&mut request, reply);
            add_contents(&mut request, reply.text.text(), reply, context);
            request.details.set("items", Detail::Count(0));
            Box::new(request)
        });
    }

    /// Returns true if a reply is a line, and not the answer of a command:
    /// `1339518083.107412 [0 127.0.0.1:60866] "keys" "*"`.
    pub(super) fn is_line(&self, reply: &RedisReply) -> bool {
        let Some((time, rest)) = reply.simple_string().and_then(|line| line.split_once(' ')) else {
            return false;
        };
        self.is_active && time.parse::<f64>().is_ok() && rest.starts_with('[')
    }

    /// Counts a line.
    pub(super) fn add_line(&mut self, reply: &RedisReply, context: &mut Context) {
        let Some(request) = &mut self.request else {
            return;
        };
        request.add_answer(reply.start, reply.end, reply.len);
        let count = request.details.get("items").and_then(Detail::as_count);
        let count = Detail::Count(count.unwrap_or(0) + 1);
        request.details.set("items", count);
        add_contents(request, reply.text.text(), reply, context);
    }

    /// Reports the command: no more of its lines follow.
    pub(super) fn finish(&mut self, reason: EndReason, context: &mut Context) {
        self.is_active = false;
        if let Some(request) = self.request.take() {
            match reason {
                EndReason::Closed | EndReason::Reset => report_complete(*request, context),
                reason => context.report_incomplete(*request, reason),
            }
        }
    }

    /// Returns the number of bytes of memory, approximately.
    pub(super) fn memory(&self) -> u64 {
        self.request.as_ref().map_or(0, |request| request.memory())
    }
}
