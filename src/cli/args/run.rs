//! The words that tell whose packets are meant.

use std::ffi::OsString;

use clap::Args;

/// Whose packets, at either end; any one that is named.
#[derive(Debug, Args)]
#[command(next_help_heading = "Whose packets (live, and from pcapng files that tell)")]
pub(in crate::cli) struct Whose {
    /// Of this process
    #[arg(long, value_name = "PID", conflicts_with = "no_processes")]
    pub(in crate::cli) pid: Vec<u32>,
    /// Of processes of this name
    #[arg(long, value_name = "NAME", conflicts_with = "no_processes")]
    pub(in crate::cli) process: Vec<String>,
    /// Of this user's processes, by name or number
    #[arg(long, value_name = "USER", conflicts_with = "no_processes")]
    pub(in crate::cli) user: Vec<String>,
}

/// A command, and how what it does is shown.
#[derive(Debug, Args)]
#[command(
    override_usage = "lcap run [--private] [flows|follow] [OPTIONS] -- COMMAND…",
    after_help = "What comes before -- means what it means to lcap, lcap flows and lcap follow. What is shown goes to standard error, which leaves standard output to the command."
)]
pub(in crate::cli) struct Run {
    /// Give the command a loopback of its own, in a user and network namespace, which takes no privilege: it reaches no server outside
    #[arg(long)]
    pub(in crate::cli) private: bool,
    /// It is in its namespace
    #[arg(long, hide = true)]
    pub(in crate::cli) inside: bool,
    /// What lcap is to do meanwhile; then --, then the command and its arguments
    #[arg(
        value_name = "OPTIONS",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub(in crate::cli) words: Vec<OsString>,
}
