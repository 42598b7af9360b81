//! The words of `lcap doctor`.

use clap::{Args, ValueEnum};

use super::Color;
use crate::doctor::Target;

/// A port, and what is to be done to know how it is.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit status: 0 it can be reached, 1 a problem was found, 2 usage, or it could not be told.\n\
                  Nothing is sent but a connection and an ICMP echo to the address that is asked for."
)]
pub(in crate::cli) struct Doctor {
    /// What cannot be reached: 62893, localhost:62893, an IPv6 address in brackets, a URL [default: lcap itself is looked at]
    #[arg(value_name = "[HOST:]PORT")]
    pub(in crate::cli) target: Option<Target>,
    /// Ask the service for an answer, too: HTTP, TLS, Redis, PostgreSQL, where it is known which
    #[arg(long, requires = "target")]
    pub(in crate::cli) talk: bool,
    /// Capture the port for so many seconds, and tell what was seen
    #[arg(long, value_name = "SECONDS", requires = "target", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(in crate::cli) watch: Option<u64>,
    /// How it is told
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(in crate::cli) format: ReportFormat,
    /// What is fine rests on something, too: tell what
    #[arg(short, long)]
    pub(in crate::cli) verbose: bool,
    /// Colour what is not fine
    #[arg(long, value_name = "WHEN", default_value = "auto", alias = "colour")]
    pub(in crate::cli) color: Color,
}

/// How a report is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ReportFormat {
    /// Lines, the verdict first
    Text,
    /// One JSON object
    Json,
}
