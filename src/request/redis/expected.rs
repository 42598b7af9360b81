//! Answers that the commands of a connection expect, in order.

use std::collections::VecDeque;

use super::subscriptions::SubscriptionKind;

/// Form of the answer of a command, and its effects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AnswerForm {
    /// One reply.
    Reply,
    /// A confirmation for each of this number of channels; `None` for all that are subscribed to.
    Confirmations(SubscriptionKind, Option<u64>),
    /// `OK`, then a line for each command of any client.
    Monitor,
    /// A line, then a replication stream.
    Replication,
    /// One reply; the database with this number, if it is captured, is selected by `OK`.
    Select(Option<u64>),
    /// An array of the replies to queued commands.
    Exec {
        /// True if one of them selects a database.
        selects: bool,
    },
    /// `OK`, the first answer after others were disabled.
    ReplyOn,
    /// One reply; the state of the connection is that of a new one.
    Reset,
}

impl AnswerForm {
    /// Returns true if replies to other commands have this form, too.
    pub(super) fn can_be_any_reply(self) -> bool {
        match self {
            AnswerForm::Reply
            | AnswerForm::Select(_)
            | AnswerForm::Exec { .. }
            | AnswerForm::ReplyOn
            | AnswerForm::Reset => true,
            AnswerForm::Confirmations(..) | AnswerForm::Monitor | AnswerForm::Replication => false,
        }
    }
}

/// An expected answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ExpectedAnswer {
    pub(super) form: AnswerForm,
    /// True if an error message can quote a password.
    pub(super) has_secret_error: bool,
    /// True if the contents of the answer are hidden.
    pub(super) has_secrets: bool,
    /// True if commands before it have disabled their answers: an error can be the answer of one
    /// of them.
    pub(super) is_after_silence: bool,
}

/// Expected answers: runs of equal ones.
#[derive(Debug, Default)]
pub(super) struct ExpectedAnswers {
    runs: VecDeque<(ExpectedAnswer, u64)>,
    count: u64,
}

impl ExpectedAnswers {
    pub(super) fn push(&mut self, answer: ExpectedAnswer) {
        self.count += 1;
        match self.runs.back_mut() {
            Some((last, count)) if *last == answer => *count += 1,
            _ => self.runs.push_back((answer, 1)),
        }
    }

    /// Returns the next answer.
    pub(super) fn next(&self) -> Option<ExpectedAnswer> {
        self.runs.front().map(|(answer, _)| *answer)
    }

    pub(super) fn pop(&mut self) {
        let Some((_, count)) = self.runs.front_mut() else {
            return;
        };
        self.count -= 1;
        *count -= 1;
        if *count == 0 {
            self.runs.pop_front();
        }
    }

    pub(super) fn clear(&mut self) {
        *self = ExpectedAnswers::default();
    }

    /// Returns the number of answers.
    pub(super) fn len(&self) -> u64 {
        self.count
    }

    /// Returns the number of runs of equal answers.
    pub(super) fn runs(&self) -> usize {
        self.runs.len()
    }

    /// Returns the number of bytes of memory.
    pub(super) fn memory(&self) -> usize {
        self.runs.capacity() * size_of::<(ExpectedAnswer, u64)>()
    }
}
