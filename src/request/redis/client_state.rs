//! State of a client's commands that determines which of them have answers.

use super::command::RedisCommand;
use super::expected::{AnswerForm, ExpectedAnswer};
use super::head::integer;
use super::secrets::has_secret_answer;
use super::subscriptions::SubscriptionKind;

/// State of the commands of one connection.
#[derive(Debug, Default)]
pub(super) struct ClientState {
    transaction: Option<Transaction>,
    mode: ReplyMode,
    /// True if commands without an answer were sent after the last one with an answer.
    pub(super) is_after_silence: bool,
}

/// Commands since MULTI.
#[derive(Debug, Clone, Copy, Default)]
struct Transaction {
    selects: bool,
    has_secrets: bool,
}

/// State of CLIENT REPLY.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum ReplyMode {
    #[default]
    On,
    Off,
    /// Off for the next command.
    SkipNext,
}

/// Answer of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CommandAnswer {
    Expected(ExpectedAnswer),
    /// None: answers are disabled.
    Disabled,
    /// Not certain: the command changes the order of answers within a transaction.
    Uncertain,
}

impl ClientState {
    /// Returns the answer of the next command.
    pub(super) fn answer(&mut self, command: &RedisCommand) -> CommandAnswer {
        let [name, subcommand, argument] = &command.keywords;
        let (name, subcommand) = (name.as_bytes(), subcommand.as_bytes());
        let form = form(command);
        let new_mode = match (name, subcommand, argument.as_bytes()) {
            (b"CLIENT", b"REPLY", b"OFF") => Some(ReplyMode::Off),
            (b"CLIENT", b"REPLY", b"SKIP") => Some(ReplyMode::SkipNext),
            (b"CLIENT", b"REPLY", b"ON") | (b"RESET", ..) => Some(ReplyMode::On),
            _ => None,
        };
        let changes_order = new_mode.is_some() && form != AnswerForm::Reset
            || matches!(form, AnswerForm::Confirmations(..))
            || matches!(form, AnswerForm::Monitor | AnswerForm::Replication);
        if changes_order && self.transaction.is_some() {
            return CommandAnswer::Uncertain;
        }
        let is_disabled = match (self.mode, new_mode) {
            (ReplyMode::SkipNext, _) | (_, Some(ReplyMode::Off | ReplyMode::SkipNext)) => true,
            (ReplyMode::Off, mode) => mode != Some(ReplyMode::On),
            (ReplyMode::On, _) => false,
        };
        self.mode = match (self.mode, new_mode) {
            // All answers remain disabled.
            (ReplyMode::Off, Some(ReplyMode::SkipNext)) => ReplyMode::Off,
            (ReplyMode::SkipNext, None) => ReplyMode::On,
            (mode, new_mode) => new_mode.unwrap_or(mode),
        };
        let is_unclear = command.is_damaged && name == b"ACL";
        let has_secrets = is_unclear || has_secret_answer(name, subcommand);
        let has_hidden = command.secrets.has_hidden();
        let (form, secrets) = self.follow_transaction(name, form, has_secrets || has_hidden);
        if is_disabled {
            self.is_after_silence = true;
            return CommandAnswer::Disabled;
        }
        CommandAnswer::Expected(ExpectedAnswer {
            form,
            has_secret_error: secrets,
            has_secrets: has_secrets || secrets && matches!(form, AnswerForm::Exec { .. }),
            is_after_silence: std::mem::take(&mut self.is_after_silence),
        })
    }

    /// Updates the transaction; returns the form of the command's answer, and whether it contains
    /// secrets.
    fn follow_transaction(
        &mut self,
        name: &[u8],
        form: AnswerForm,
        has_secrets: bool,
    ) -> (AnswerForm, bool) {
        let Some(transaction) = &mut self.transaction else {
            self.transaction = (name == b"MULTI").then(Transaction::default);
            return (form, has_secrets);
        };
        match (name, form) {
            (b"EXEC", _) => {
                let Transaction {
                    selects,
                    has_secrets,
                } = *transaction;
                self.transaction = None;
                (AnswerForm::Exec { selects }, has_secrets)
            }
            (b"DISCARD", _) | (_, AnswerForm::Reset) => {
                self.transaction = None;
                (form, has_secrets)
            }
            (_, AnswerForm::Select(_)) => {
                transaction.selects = true;
                (AnswerForm::Reply, has_secrets)
            }
            _ => {
                transaction.has_secrets |= has_secrets;
                (form, has_secrets)
            }
        }
    }
}

/// Returns the form of a command's answer outside a transaction.
fn form(command: &RedisCommand) -> AnswerForm {
    let [name, first, second] = &command.keywords;
    let name = name.as_bytes();
    let arguments = command.count.saturating_sub(1);
    match (name, first.as_bytes(), second.as_bytes()) {
        (b"MONITOR", ..) => AnswerForm::Monitor,
        (b"PSYNC" | b"SYNC", ..) => AnswerForm::Replication,
        (b"SELECT", database, _) => {
            let number = integer(database).and_then(|number| u64::try_from(number).ok());
            AnswerForm::Select(number.filter(|_| !command.is_damaged))
        }
        (b"RESET", ..) => AnswerForm::Reset,
        (b"CLIENT", b"REPLY", b"ON") => AnswerForm::ReplyOn,
        _ => match SubscriptionKind::of(name) {
            Some(kind) if arguments > 0 => AnswerForm::Confirmations(kind, Some(arguments)),
            Some(kind) if !kind.is_subscribe => AnswerForm::Confirmations(kind, None),
            _ => AnswerForm::Reply,
        },
    }
}
