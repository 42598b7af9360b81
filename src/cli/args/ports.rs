//! The words of `lcap ports`.

use clap::{Args, ValueEnum};

use crate::filter;

/// Every socket that listens.
#[derive(Debug, Args)]
pub(in crate::cli) struct Ports {
    /// Only those that other machines may reach
    #[arg(long)]
    pub(in crate::cli) exposed: bool,
    /// Instead, ports that nobody has: all of these, as 8000-8100, or else the first above 1023 that no client is given
    #[arg(long, value_name = "RANGE", num_args = 0..=1, conflicts_with_all = ["exposed", "watch"])]
    pub(in crate::cli) free: Option<Option<filter::Ports>>,
    /// How they are written
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(in crate::cli) format: ListFormat,
    /// Go on, and tell which appear and which vanish, looking once a second
    #[arg(long)]
    pub(in crate::cli) watch: bool,
}

/// How a list is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ListFormat {
    /// A table
    Text,
    /// One JSON object a line
    Json,
    /// Comma-separated values, with a head line
    Csv,
}
