//! Arguments that contain passwords, and answers that contain them.

use super::keyword::Keyword;
use super::text::BoundedBytes;

/// Replacement of passwords.
pub(super) const HIDDEN: &str = "(hidden)";

/// Decision for the arguments of one command, in order, which of them are hidden.
#[derive(Debug, Default)]
pub(super) struct SecretFilter {
    rule: SecretRule,
    /// Number of arguments after this one that are hidden.
    hidden_left: u8,
    /// True if an argument was hidden.
    has_hidden: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum SecretRule {
    #[default]
    Nothing,
    /// AUTH: user and password.
    Everything,
    /// After the option AUTH of HELLO, user and password.
    Hello,
    /// After the option AUTH of MIGRATE a password, after AUTH2 user and password.
    Migrate,
    /// After a parameter of CONFIG SET or SENTINEL SET that is a password.
    Parameters,
    /// Rules of ACL SETUSER with passwords and their hashes.
    UserRules,
}

impl SecretFilter {
    /// Returns true if this argument, not the name of the command, must be hidden.
    pub(super) fn hide(&mut self, name: &Keyword, index: u64, argument: &BoundedBytes) -> bool {
        if index == 1 {
            let subcommand = Keyword::new(argument.bytes());
            self.rule = match name.as_bytes() {
                // It can have been any subcommand.
                b"ACL" | b"CONFIG" | b"SENTINEL" if argument.is_damaged() => SecretRule::Everything,
                name => rule(name, subcommand.as_bytes()),
            };
        }
        let is_hidden = match self.rule {
            SecretRule::Nothing => return false,
            SecretRule::Everything => true,
            SecretRule::UserRules => {
                index > 2
                    && (argument.is_damaged()
                        || matches!(argument.bytes(), [b'>' | b'<' | b'#' | b'!', ..]))
            }
            _ if self.hidden_left > 0 => {
                self.hidden_left -= 1;
                true
            }
            _ => {
                self.hidden_left = self.hidden_after(argument);
                false
            }
        };
        self.has_hidden |= is_hidden;
        is_hidden
    }

    /// Returns true if an argument was hidden.
    pub(super) fn has_hidden(&self) -> bool {
        self.has_hidden
    }

    /// Returns the number of arguments after this one that are hidden.
    fn hidden_after(&self, argument: &BoundedBytes) -> u8 {
        // It can have been any option.
        if argument.is_damaged() {
            return 2;
        }
        let keyword = Keyword::new(argument.bytes());
        match (self.rule, keyword.as_bytes()) {
            (SecretRule::Hello, b"AUTH") | (SecretRule::Migrate, b"AUTH2") => 2,
            (SecretRule::Migrate, b"AUTH") => 1,
            (SecretRule::Parameters, keyword) => u8::from(is_password(keyword)),
            _ => 0,
        }
    }
}

fn rule(name: &[u8], subcommand: &[u8]) -> SecretRule {
    match (name, subcommand) {
        (b"AUTH", _) => SecretRule::Everything,
        (b"HELLO", _) => SecretRule::Hello,
        (b"MIGRATE", _) => SecretRule::Migrate,
        (b"CONFIG", b"SET") | (b"SENTINEL", b"SET" | b"CONFIG") => SecretRule::Parameters,
        (b"ACL", b"SETUSER") => SecretRule::UserRules,
        _ => SecretRule::Nothing,
    }
}

/// Returns true for the name of a parameter that contains a password: `REQUIREPASS`, `MASTERAUTH`,
/// `TLS-KEY-FILE-PASS`, `SENTINEL-PASS` and others.
pub(super) fn is_password(parameter: &[u8]) -> bool {
    matches!(parameter, b"REQUIREPASS" | b"MASTERAUTH" | b"PRIMARYAUTH")
        || parameter.ends_with(b"-PASS")
}

/// Returns true for a command whose answer contains passwords or their hashes.
pub(super) fn has_secret_answer(name: &[u8], subcommand: &[u8]) -> bool {
    name == b"ACL" && matches!(subcommand, b"GETUSER" | b"LIST" | b"GENPASS")
}

/// Returns the part of an error message that quotes no argument.
pub(super) fn without_quotes(error: &str) -> String {
    match error.find(['\'', '`', '"']) {
        Some(at) => format!("{}{HIDDEN}", &error[..at]),
        None => error.to_owned(),
    }
}
