//! Relation of a process to the command of `lcap run`.

/// The relation of a process to the command of an `lcap run`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "live", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    not(feature = "live"),
    allow(dead_code, reason = "only live captures determine it")
)]
pub enum RunMembership {
    /// Not determined, e.g. because the process exited first.
    #[default]
    Unknown,
    /// Not a process of the command.
    Other,
    /// The command itself, or a descendant of it.
    Member {
        /// The PID of the `lcap run`.
        root: u32,
    },
}
