//! Options of `lcap ports`.

use clap::{Args, ValueEnum};

use crate::filter;

/// Filter, mode and output format of the list of listening sockets.
#[derive(Debug, Args)]
pub(in crate::cli) struct PortsArgs {
    /// Only sockets that other machines can reach
    #[arg(long)]
    pub(in crate::cli) exposed: bool,
    /// Print free ports instead: all in RANGE, or the first above 1023 that is not ephemeral
    #[arg(long, value_name = "RANGE", num_args = 0..=1, conflicts_with_all = ["exposed", "watch"])]
    pub(in crate::cli) free: Option<Option<filter::Ports>>,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(in crate::cli) format: ListFormat,
    /// Keep running, and print new (+) and closed (-) sockets once a second
    #[arg(long)]
    pub(in crate::cli) watch: bool,
}

/// Output format of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ListFormat {
    /// A table
    Text,
    /// One JSON object per line
    Json,
    /// Comma-separated values, with a header line
    Csv,
}
