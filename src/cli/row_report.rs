//! Reports with one row per flow or request: format, destination, order and `--fail-on`.

use std::path::PathBuf;

use super::fail_on::RequestCondition;
use crate::flow::{FlowCondition, FlowRecord};
use crate::request::Request;
use crate::sink::Format;
use crate::sink::requests::{RequestFilter, RequestLayout};
use crate::sink::rows::{RowOrder, TableLayout};

/// Format and destination of rows.
pub(super) struct RowDestination {
    pub(super) format: &'static Format,
    /// Output file; `None` is standard output.
    pub(super) output: Option<PathBuf>,
}

/// Format, destination and order of the flows, and the conditions of `--fail-on`.
pub(super) struct FlowReportOptions {
    pub(super) destination: RowDestination,
    pub(super) layout: TableLayout,
    /// Sort order and the number of flows to write; `None` writes each flow when it closes.
    pub(super) order: Option<(&'static RowOrder<FlowRecord>, Option<usize>)>,
    pub(super) conditions: Vec<&'static FlowCondition>,
    /// True if the requests of each flow are analyzed and counted.
    pub(super) counts_requests: bool,
    /// Command that shows the messages of a flow, if a person sees the rows.
    pub(super) follow_command: Option<String>,
}

/// Format, destination, selection and order of the requests, and the conditions of `--fail-on`.
pub(super) struct RequestReportOptions {
    pub(super) destination: RowDestination,
    pub(super) layout: RequestLayout,
    pub(super) filter: RequestFilter,
    /// Sort order and the number of requests to write; `None` writes each request when it ends.
    pub(super) order: Option<(&'static RowOrder<Request>, Option<usize>)>,
    pub(super) conditions: Vec<RequestCondition>,
}
