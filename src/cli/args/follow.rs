//! The words that tell how streams are shown.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Color;

#[derive(Debug, Args)]
#[command(next_help_heading = "Showing")]
pub(in crate::cli) struct Streams {
    /// Only the flow of this number
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(in crate::cli) flow: Option<u64>,
    /// What one side of that flow says, byte for byte
    #[arg(long, value_name = "SIDE", requires = "flow", conflicts_with_all = ["hex", "output_dir"])]
    pub(in crate::cli) raw: Option<Side>,
    /// Everything in hexadecimal
    #[arg(long, conflicts_with = "output_dir")]
    pub(in crate::cli) hex: bool,
    /// Write every stream into a file of its own in this directory
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) output_dir: Option<PathBuf>,
    /// Colour by side
    #[arg(long, value_name = "WHEN", default_value = "auto", alias = "colour")]
    pub(in crate::cli) color: Color,
}

/// Whose stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Side {
    /// The originator's
    #[value(alias = "client")]
    Orig,
    /// The responder's
    #[value(alias = "server")]
    Resp,
}
