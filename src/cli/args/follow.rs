//! Options of `lcap follow`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::PossibleValuesParser;
use clap::{Args, ValueEnum};

use super::{Color, possible_values};
use crate::sink::follow::FlowUid;
use crate::sink::{FORMATS, SinkFactory};

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(in crate::cli) struct StreamArgs {
    /// Only the flow with this number, under the same filters as in lcap flows, or with this uid;
    /// without --flow, each flow is printed with its number
    #[arg(long, value_name = "FLOW")]
    pub(in crate::cli) flow: Option<FlowArg>,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = conversation_formats())]
    pub(in crate::cli) format: String,
    /// Show messages of any length completely, and not only their first 4 KiB
    #[arg(long, conflicts_with_all = ["raw", "hex", "output_dir"])]
    pub(in crate::cli) full: bool,
    /// Print the bytes of one side of the flow given by --flow, unchanged
    #[arg(long, value_name = "SIDE", requires = "flow", conflicts_with_all = ["hex", "output_dir", "format"])]
    pub(in crate::cli) raw: Option<SideArg>,
    /// Print the bytes of both sides in hex, as they were sent
    #[arg(long, conflicts_with_all = ["output_dir", "format"])]
    pub(in crate::cli) hex: bool,
    /// Write each stream to a separate file in this directory
    #[arg(long, value_name = "DIR", conflicts_with = "format")]
    pub(in crate::cli) output_dir: Option<PathBuf>,
    /// Colour the data by side
    #[arg(long, value_name = "WHEN", default_value = "auto", alias = "colour")]
    pub(in crate::cli) color: Color,
}

/// A flow.
#[derive(Debug, Clone)]
pub(in crate::cli) enum FlowArg {
    Number(u64),
    Uid(FlowUid),
}

impl FromStr for FlowArg {
    type Err = String;

    fn from_str(text: &str) -> Result<FlowArg, String> {
        match (text.parse(), text.parse()) {
            (Ok(number @ 1..), _) => Ok(FlowArg::Number(number)),
            (_, Ok(uid)) => Ok(FlowArg::Uid(uid)),
            _ => Err("write the number of a flow (1 or more), or its uid: \
                      lcap flows --format json shows both"
                .to_owned()),
        }
    }
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

/// Formats of `--format`; options of their own select the others.
const CONVERSATION_FORMATS: [&str; 2] = ["text", "json"];

fn conversation_formats() -> PossibleValuesParser {
    let offered = FORMATS.iter().filter(|format| {
        matches!(format.factory, SinkFactory::Streams(_))
            && CONVERSATION_FORMATS.contains(&format.name)
    });
    possible_values(offered.map(|format| (format.name, format.about)))
}
