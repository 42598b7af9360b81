//! Plans of `lcap flows` and `lcap follow`, from their options.

use super::args::{self, CommonArgs, FlowArg, FlowLimitArgs, FlowsArgs, FollowArgs, Precision};
use super::follow_hint::follow_command;
use super::plan::{OutputMode, OutputRequest, Plan, StreamReportOptions, build_plan, find_format};
use super::row_report::{FlowReportOptions, RowDestination};
use super::style::{is_coloured, is_stdout_terminal, precision, stdout_width};
use super::usage_error;
use crate::error::Result;
use crate::flow::{CONDITIONS, FlowCondition, FlowRecord, FlowSettings, Side};
use crate::pipeline::{FlushPolicy, LIVE_LINGER_NS};
use crate::request::RequestSettings;
use crate::sink::SinkFactory;
use crate::sink::flows::FLOW_ORDERS;
use crate::sink::follow::{MessageLimit, StreamOptions};
use crate::sink::rows::{ProcessColumn, RowOrder, TableLayout};
use crate::source::live::DeliveryMode;

/// Validates the options of `lcap flows`.
pub(super) fn flows_plan(args: &FlowsArgs) -> Result<Plan> {
    let report = &args.report;
    let format = find_format(|format| {
        matches!(format.factory, SinkFactory::Flows(_)) && format.name == report.format
    });
    let Some(format) = format else {
        return usage_error(format!("--format {}: unknown format", report.format));
    };
    let conditions: Vec<&'static FlowCondition> = CONDITIONS
        .iter()
        .filter(|condition| report.fail_on.iter().any(|name| condition.has_name(name)))
        .collect();
    let is_on_stdout = report.output.is_none();
    let output_mode = OutputMode::Flows(FlowReportOptions {
        destination: RowDestination {
            format,
            output: report.output.clone(),
        },
        layout: TableLayout {
            width: is_on_stdout.then(stdout_width).flatten(),
            colour: is_on_stdout && is_coloured(report.color),
            nano: precision(&args.common) == Some(Precision::Nano),
            processes: match args.common.input.no_processes {
                true => ProcessColumn::Hidden,
                false => ProcessColumn::IfPresent,
            },
        },
        order: order(args),
        conditions,
        counts_requests: report.requests,
        follow_command: (is_on_stdout && report.format == "text" && is_stdout_terminal())
            .then(|| follow_command(&args.common))
            .flatten(),
    });
    let requests = report.requests.then(RequestSettings::default);
    flow_based_plan(&args.common, &args.limits, output_mode, requests)
}

/// Validates the options of `lcap follow`.
pub(super) fn follow_plan(args: &FollowArgs) -> Result<Plan> {
    let streams = &args.streams;
    let name = match (&streams.output_dir, streams.raw) {
        (Some(_), _) => "directory",
        (None, Some(_)) => "raw",
        (None, None) if streams.hex => "hex",
        (None, None) => &streams.format,
    };
    let format = find_format(|format| {
        let is_stream = matches!(
            format.factory,
            SinkFactory::Streams(_) | SinkFactory::Directory(_)
        );
        is_stream && format.name == name
    });
    let Some(format) = format else {
        return usage_error(format!("unknown format {name}"));
    };
    let has_messages = ["text", "json"].contains(&name);
    let shows_processes = has_messages || name == "hex";
    let requests = has_messages.then(|| RequestSettings {
        has_messages,
        ..RequestSettings::default()
    });
    let (flow, uid) = match &streams.flow {
        None => (None, None),
        Some(FlowArg::Number(number)) => (Some(*number), None),
        Some(FlowArg::Uid(uid)) => (None, Some(uid.clone())),
    };
    let output_mode = OutputMode::Streams(StreamReportOptions {
        uid,
        format,
        options: StreamOptions {
            flow,
            side: match streams.raw {
                Some(args::SideArg::Resp) => Side::Resp,
                Some(args::SideArg::Orig) | None => Side::Orig,
            },
            limit: match streams.full {
                true => MessageLimit::Full,
                false => MessageLimit::Beginning,
            },
            colour: is_coloured(streams.color),
            nano: precision(&args.common) == Some(Precision::Nano),
            show_processes: shows_processes && !args.common.input.no_processes,
        },
        directory: streams.output_dir.clone(),
    });
    flow_based_plan(&args.common, &args.limits, output_mode, requests)
}

/// Builds the plan of a command that tracks flows.
fn flow_based_plan(
    common: &CommonArgs,
    limits: &FlowLimitArgs,
    output_mode: OutputMode,
    requests: Option<RequestSettings>,
) -> Result<Plan> {
    let settings = flow_settings(common, limits);
    build_plan(
        common,
        OutputRequest {
            output_mode,
            flows: Some(settings),
            requests,
            flush: FlushPolicy::WhenFull,
            delivery: DeliveryMode::Interactive,
        },
    )
}

/// Returns the settings of the flow table.
pub(super) fn flow_settings(common: &CommonArgs, limits: &FlowLimitArgs) -> FlowSettings {
    FlowSettings {
        max_flows: limits.max_flows,
        max_out_of_order_bytes: limits.max_waiting,
        linger_ns: match common.input.read {
            Some(_) => FlowSettings::FLOWS.linger_ns,
            None => LIVE_LINGER_NS,
        },
        ..FlowSettings::FLOWS
    }
}

/// Returns the order of `--sort`, or the default order of `--top`, and the number of `--top`.
fn order(args: &FlowsArgs) -> Option<(&'static RowOrder<FlowRecord>, Option<usize>)> {
    let report = &args.report;
    let top = report
        .top
        .map(|top| usize::try_from(top).unwrap_or(usize::MAX));
    match &report.sort {
        Some(name) => FLOW_ORDERS.iter().find(|order| order.name == name),
        None => top.and(FLOW_ORDERS.first()),
    }
    .map(|order| (order, top))
}
