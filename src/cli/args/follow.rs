//! Options of `lcap follow`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Color;

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(in crate::cli) struct StreamArgs {
    /// Only the flow with this number; without --flow, each flow is printed with its number
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(in crate::cli) flow: Option<u64>,
    /// Print the bytes of one side of the flow given by --flow, unchanged
    #[arg(long, value_name = "SIDE", requires = "flow", conflicts_with_all = ["hex", "output_dir"])]
    pub(in crate::cli) raw: Option<SideArg>,
    /// Print the data in hex
    #[arg(long, conflicts_with = "output_dir")]
    pub(in crate::cli) hex: bool,
    /// Write each stream to a separate file in this directory
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) output_dir: Option<PathBuf>,
    /// Colour the data by side
    #[arg(long, value_name = "WHEN", default_value = "auto", alias = "colour")]
    pub(in crate::cli) color: Color,
}

/// One side of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum SideArg {
    /// The originator (client)
    #[value(alias = "client")]
    Orig,
    /// The responder (server)
    #[value(alias = "server")]
    Resp,
}
