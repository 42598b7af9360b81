//! Plan of `lcap requests`, from its options.

use super::args::{Precision, RequestsArgs};
use super::flows::flow_settings;
use super::plan::{OutputMode, OutputRequest, Plan, build_plan, find_format};
use super::row_report::{RequestReportOptions, RowDestination};
use super::style::{is_coloured, precision, stdout_width};
use super::usage_error;
use crate::error::Result;
use crate::packet::TimeDelta;
use crate::pipeline::FlushPolicy;
use crate::request::{Request, RequestSettings};
use crate::sink::SinkFactory;
use crate::sink::requests::{
    GROUP_ORDERS, GroupSelection, LeftOutCount, REQUEST_ORDERS, Repeats, RequestFilter,
    RequestLayout, TimePrecision,
};
use crate::sink::rows::{ProcessColumn, RowOrder, TableLayout};
use crate::source::live::DeliveryMode;

/// Maximum length of each head and body that `--body` shows, in bytes.
const DEFAULT_BODY_LIMIT: usize = 64 << 10;

/// Validates the options of `lcap requests`.
pub(super) fn requests_plan(args: &RequestsArgs) -> Result<Plan> {
    let report = &args.report;
    let format = find_format(|format| {
        matches!(format.factory, SinkFactory::Requests(_)) && format.name == report.format
    });
    let Some(format) = format else {
        return usage_error(format!("--format {}: unknown format", report.format));
    };
    let is_on_stdout = report.output.is_none();
    let body_limit = match report.body_limit {
        Some(limit) => usize::try_from(limit).unwrap_or(usize::MAX),
        None if report.body => DEFAULT_BODY_LIMIT,
        None => 0,
    };
    let output_mode = OutputMode::Requests(RequestReportOptions {
        destination: RowDestination {
            format,
            output: report.output.clone(),
        },
        layout: RequestLayout {
            table: TableLayout {
                width: is_on_stdout.then(stdout_width).flatten(),
                colour: is_on_stdout && is_coloured(report.color),
                nano: false,
                processes: match args.common.input.no_processes {
                    true => ProcessColumn::Hidden,
                    false => ProcessColumn::IfPresent,
                },
            },
            precision: match precision(&args.common) {
                None => TimePrecision::Milliseconds,
                Some(Precision::Micro) => TimePrecision::Microseconds,
                Some(Precision::Nano) => TimePrecision::Nanoseconds,
            },
            has_bodies: body_limit > 0,
            left_out: LeftOutCount::default(),
            repeats: Repeats::default(),
            groups: group_selection(args)?,
        },
        filter: filter(args),
        order: order(args)?,
        conditions: report.fail_on.clone(),
    });
    build_plan(
        &args.common,
        OutputRequest {
            output_mode,
            flows: Some(flow_settings(&args.common, &args.limits)),
            requests: Some(RequestSettings {
                body_limit,
                ..RequestSettings::default()
            }),
            flush: FlushPolicy::WhenFull,
            delivery: DeliveryMode::Interactive,
        },
    )
}

fn filter(args: &RequestsArgs) -> RequestFilter {
    let selection = &args.selection;
    RequestFilter {
        errors_only: selection.errors,
        slower: selection.slower.map(|time| {
            let nanos = i64::try_from(time.as_nanos()).unwrap_or(i64::MAX);
            TimeDelta(nanos)
        }),
        statuses: selection.status.clone(),
        text: selection.text.clone(),
    }
}

/// Returns the order of `--sort`, or the default order of `--top`, and the number of `--top`;
/// `None` for requests that are written as they end, or grouped.
fn order(args: &RequestsArgs) -> Result<Option<(&'static RowOrder<Request>, Option<usize>)>> {
    let report = &args.report;
    if report.group {
        return Ok(None);
    }
    let order = match &report.sort {
        Some(name) => Some(find_order(REQUEST_ORDERS, name)?),
        None => top(args).and(REQUEST_ORDERS.first()),
    };
    Ok(order.map(|order| (order, top(args))))
}

/// Returns the selection of groups with `--group`.
fn group_selection(args: &RequestsArgs) -> Result<Option<GroupSelection>> {
    let report = &args.report;
    if !report.group {
        return Ok(None);
    }
    let order = match &report.sort {
        Some(name) => Some(find_order(GROUP_ORDERS, name)?),
        None => GROUP_ORDERS.first(),
    };
    let selection = |order| GroupSelection {
        order,
        top: top(args),
    };
    Ok(order.map(selection))
}

fn top(args: &RequestsArgs) -> Option<usize> {
    let top = args.report.top;
    top.map(|top| usize::try_from(top).unwrap_or(usize::MAX))
}

/// Returns the order with this name.
fn find_order<R>(orders: &'static [RowOrder<R>], name: &str) -> Result<&'static RowOrder<R>> {
    match orders.iter().find(|order| order.name == name) {
        Some(order) => Ok(order),
        None => {
            let names: Vec<&str> = orders.iter().map(|order| order.name).collect();
            usage_error(format!(
                "--sort {name}: some orders require --group, the others cannot be used with it; \
                 possible values here: {}",
                names.join(", ")
            ))
        }
    }
}
