//! Options of `lcap requests`.

use std::path::PathBuf;

use clap::Args;
use clap::builder::PossibleValuesParser;
use jiff::SignedDuration;

use super::super::duration::parse_duration;
use super::super::fail_on::RequestCondition;
use super::super::size::parse_bytes;
use super::{Color, CommonArgs, FlowLimitArgs, formats, possible_values};
use crate::sink::SinkFactory;
use crate::sink::requests::{GROUP_ORDERS, REQUEST_ORDERS, StatusPattern};

#[derive(Debug, Args)]
pub(in crate::cli) struct RequestsArgs {
    #[command(flatten)]
    pub(in crate::cli) common: CommonArgs,
    #[command(flatten)]
    pub(in crate::cli) selection: RequestSelectionArgs,
    #[command(flatten)]
    pub(in crate::cli) report: RequestReportArgs,
    #[command(flatten)]
    pub(in crate::cli) limits: FlowLimitArgs,
}

/// Conditions of the requests to show, all of which must be met.
#[derive(Debug, Args)]
#[command(next_help_heading = "Selection of requests")]
pub(in crate::cli) struct RequestSelectionArgs {
    /// Only requests without success: an error, no answer, or a part is missing
    #[arg(long)]
    pub(in crate::cli) errors: bool,
    /// Only requests that took this time or longer, or waited for it without an answer: 100ms, 2s
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(in crate::cli) slower: Option<SignedDuration>,
    /// Only these statuses, e.g. 404,500-599 or 23505
    #[arg(long, value_name = "STATUSES", value_delimiter = ',')]
    pub(in crate::cli) status: Vec<StatusPattern>,
    /// Only requests with this text in their operation and target, in upper or lower case
    #[arg(long = "match", value_name = "TEXT")]
    pub(in crate::cli) text: Option<String>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(in crate::cli) struct RequestReportArgs {
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = request_formats())]
    pub(in crate::cli) format: String,
    /// Write requests to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub(in crate::cli) output: Option<PathBuf>,
    /// Write all requests at the end, in this order
    #[arg(long, value_name = "ORDER", value_parser = orders())]
    pub(in crate::cli) sort: Option<String>,
    /// Write one row for each shape of requests, at the end: the operation and the target without
    /// its ids and values
    #[arg(long, conflicts_with_all = ["body", "body_limit"])]
    pub(in crate::cli) group: bool,
    /// Write only this many requests or shapes, the first in the order of --sort [default order:
    /// duration, with --group total]
    #[arg(long, value_name = "REQUESTS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(in crate::cli) top: Option<u64>,
    /// Also write the heads and bodies of requests and answers, decoded
    #[arg(long)]
    pub(in crate::cli) body: bool,
    /// Write at most this much of each head and body, e.g. 1MiB; implies --body [default: 64KiB]
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes)]
    pub(in crate::cli) body_limit: Option<u64>,
    /// Exit with code 3 if any request, shown or not, meets one of these conditions: error,
    /// unanswered, slower=TIME, status=STATUS, repeated=NUMBER (requests of one shape in a row on a
    /// connection), e.g. error,slower=100ms,status=500-599,repeated=10
    #[arg(long, value_name = "CONDITIONS", value_delimiter = ',')]
    pub(in crate::cli) fail_on: Vec<RequestCondition>,
    /// Colour the statuses of errors
    #[arg(long, value_name = "WHEN", default_value = "auto", alias = "colour")]
    pub(in crate::cli) color: Color,
}

/// Returns the output formats for requests.
fn request_formats() -> PossibleValuesParser {
    formats(|format| matches!(format.factory, SinkFactory::Requests(_)))
}

fn orders() -> PossibleValuesParser {
    let orders = REQUEST_ORDERS.iter().map(|order| (order.name, order.about));
    let group_orders = GROUP_ORDERS.iter().map(|order| (order.name, order.about));
    possible_values(orders.chain(group_orders))
}
