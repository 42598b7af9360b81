//! What the words of `lcap flows` and `lcap follow` mean together.

use rustix::termios::tcgetwinsize;
use std::io::IsTerminal;

use super::args::{self, Basis, Bounds, Flows, Follow, Precision};
use super::look::{is_coloured, precision};
use super::plan::{Plan, Show, Table, Wish, format, plan, usage};
use crate::error::Result;
use crate::flow::{CONDITIONS, Condition, Settings, Side};
use crate::pipeline::Flush;
use crate::sink::Open;
use crate::sink::flows::{Layout, ORDERS, Order};
use crate::sink::follow::{Content, Look};
use crate::source::live::Pace;

/// How long a flow that ended is waited for live, in nanoseconds: somebody wants to see its line.
const LIVE_LINGER: i64 = 1_000_000_000;

/// Judges the words of `lcap flows`.
pub(super) fn flows(args: &Flows) -> Result<Plan> {
    let report = &args.report;
    let wanted =
        format(|format| matches!(format.open, Open::Flows(_)) && format.name == report.format);
    let Some(format) = wanted else {
        return usage(format!("--format {}: no such format", report.format));
    };
    let conditions: Vec<&'static Condition> = CONDITIONS
        .iter()
        .filter(|condition| report.fail_on.iter().any(|name| name == condition.name))
        .collect();
    let is_shown = report.output.is_none() && std::io::stdout().is_terminal();
    let show = Show::Flows(Table {
        format,
        layout: Layout {
            width: is_shown.then(width).flatten(),
            colour: report.output.is_none() && is_coloured(report.color),
            nano: precision(&args.basis) == Some(Precision::Nano),
            processes: !args.basis.input.no_processes,
        },
        output: report.output.clone(),
        order: order(args),
        conditions,
    });
    of_flows(&args.basis, &args.bounds, show)
}

/// Judges the words of `lcap follow`.
pub(super) fn follow(args: &Follow) -> Result<Plan> {
    let words = &args.streams;
    let show = match (&words.output_dir, words.raw, words.flow) {
        (Some(path), ..) => Show::Directory(path.clone(), words.flow),
        (None, Some(side), Some(flow)) => Show::Raw(
            flow,
            match side {
                args::Side::Orig => Side::Orig,
                args::Side::Resp => Side::Resp,
            },
        ),
        _ => Show::Conversation(Look {
            content: if words.hex {
                Content::Hex
            } else {
                Content::Text
            },
            colour: is_coloured(words.color),
            flow: words.flow,
            nano: precision(&args.basis) == Some(Precision::Nano),
            processes: !args.basis.input.no_processes,
        }),
    };
    of_flows(&args.basis, &args.bounds, show)
}

/// The plan for something that is shown of flows.
fn of_flows(basis: &Basis, bounds: &Bounds, show: Show) -> Result<Plan> {
    let settings = Settings {
        max_flows: bounds.max_flows,
        max_waiting: bounds.max_waiting,
        linger: match basis.input.read {
            Some(_) => Settings::FLOWS.linger,
            None => LIVE_LINGER,
        },
        ..Settings::FLOWS
    };
    plan(
        basis,
        Wish {
            show,
            flows: Some(settings),
            flush: Flush::Full,
            pace: Pace::Prompt,
        },
    )
}

/// The order that is asked for, and how many flows are wanted of it.
fn order(args: &Flows) -> Option<(&'static Order, Option<usize>)> {
    let report = &args.report;
    let top = report
        .top
        .map(|top| usize::try_from(top).unwrap_or(usize::MAX));
    match &report.sort {
        Some(name) => ORDERS.iter().find(|order| order.name == name),
        None => top.and(ORDERS.first()),
    }
    .map(|order| (order, top))
}

/// How many columns the terminal has; some do not know and say 0.
fn width() -> Option<u16> {
    let size = tcgetwinsize(std::io::stdout()).ok()?;
    (size.ws_col > 0).then_some(size.ws_col)
}
