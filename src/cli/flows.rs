//! Plans of `lcap flows` and `lcap follow`, from their options.

use super::args::{self, CommonArgs, FlowLimitArgs, FlowsArgs, FollowArgs, Precision};
use super::plan::{
    FlowReportOptions, OutputMode, OutputRequest, Plan, build_plan, find_format, usage_error,
};
use super::style::{is_coloured, precision, stdout_width};
use crate::error::Result;
use crate::flow::{CONDITIONS, FlowCondition, FlowSettings, Side};
use crate::pipeline::FlushPolicy;
use crate::sink::SinkFactory;
use crate::sink::flows::{FLOW_ORDERS, FlowOrder, TableLayout};
use crate::sink::follow::{ContentFormat, ConversationStyle};
use crate::source::live::DeliveryMode;

/// Time for which a closed flow of a live capture waits for late packets before it is reported, in
/// nanoseconds. It is short, because the user is waiting for the row.
const LIVE_LINGER_NS: i64 = 1_000_000_000;

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
        .filter(|condition| report.fail_on.iter().any(|name| name == condition.name))
        .collect();
    let is_on_stdout = report.output.is_none();
    let output_mode = OutputMode::Flows(FlowReportOptions {
        format,
        layout: TableLayout {
            width: is_on_stdout.then(stdout_width).flatten(),
            colour: is_on_stdout && is_coloured(report.color),
            nano: precision(&args.common) == Some(Precision::Nano),
            show_processes: !args.common.input.no_processes,
        },
        output: report.output.clone(),
        order: order(args),
        conditions,
    });
    flow_based_plan(&args.common, &args.limits, output_mode)
}

/// Validates the options of `lcap follow`.
pub(super) fn follow_plan(args: &FollowArgs) -> Result<Plan> {
    let streams = &args.streams;
    let output_mode = match (&streams.output_dir, streams.raw, streams.flow) {
        (Some(path), ..) => OutputMode::Directory(path.clone(), streams.flow),
        (None, Some(side), Some(flow)) => OutputMode::Raw(
            flow,
            match side {
                args::SideArg::Orig => Side::Orig,
                args::SideArg::Resp => Side::Resp,
            },
        ),
        _ => OutputMode::Conversation(ConversationStyle {
            content: if streams.hex {
                ContentFormat::Hex
            } else {
                ContentFormat::Text
            },
            colour: is_coloured(streams.color),
            flow: streams.flow,
            nano: precision(&args.common) == Some(Precision::Nano),
            show_processes: !args.common.input.no_processes,
        }),
    };
    flow_based_plan(&args.common, &args.limits, output_mode)
}

/// Builds the plan of a command that tracks flows.
fn flow_based_plan(
    common: &CommonArgs,
    limits: &FlowLimitArgs,
    output_mode: OutputMode,
) -> Result<Plan> {
    let settings = FlowSettings {
        max_flows: limits.max_flows,
        max_out_of_order_bytes: limits.max_waiting,
        linger_ns: match common.input.read {
            Some(_) => FlowSettings::FLOWS.linger_ns,
            None => LIVE_LINGER_NS,
        },
        ..FlowSettings::FLOWS
    };
    build_plan(
        common,
        OutputRequest {
            output_mode,
            flows: Some(settings),
            flush: FlushPolicy::WhenFull,
            delivery: DeliveryMode::Interactive,
        },
    )
}

/// Returns the order of `--sort`, or the default order of `--top`, and the number of `--top`.
fn order(args: &FlowsArgs) -> Option<(&'static FlowOrder, Option<usize>)> {
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
