//! Options of `lcap doctor`.

use clap::{Args, ValueEnum};

use super::Color;
use crate::doctor::Target;

/// The port to diagnose, the probes to run, and the output format.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit status: 0 reachable, 1 a problem was found, 2 invalid usage or no verdict.\n\
                  Without --talk, only connections and ICMP echo requests are sent to the target."
)]
pub(in crate::cli) struct DoctorArgs {
    // Not a doc comment: rustdoc would take the IPv6 address for a link.
    #[arg(
        value_name = "[HOST:]PORT",
        help = "Port to check: 62893, localhost:62893, [::1]:62893 or a URL [default: check lcap itself]"
    )]
    pub(in crate::cli) target: Option<Target>,
    /// Also send a request to the service: HTTP, TLS, Redis or PostgreSQL, if detected
    #[arg(long, requires = "target")]
    pub(in crate::cli) talk: bool,
    /// Capture the traffic of the port for this many seconds, and report its flows
    #[arg(long, value_name = "SECONDS", requires = "target", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(in crate::cli) watch: Option<u64>,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(in crate::cli) format: ReportFormat,
    /// Also show the evidence for passed checks
    #[arg(short, long)]
    pub(in crate::cli) verbose: bool,
    /// Colour findings by severity
    #[arg(long, value_name = "WHEN", default_value = "auto", alias = "colour")]
    pub(in crate::cli) color: Color,
}

/// Output format of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ReportFormat {
    /// Lines of text, the verdict first
    Text,
    /// One JSON object
    Json,
}
