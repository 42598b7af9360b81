//! Command-line entry point.

mod args;
mod child;
mod doctor;
mod duration;
mod fail_on;
mod flows;
mod follow_hint;
mod man;
pub mod out_of_memory;
mod output_stream;
mod plan;
mod ports;
mod process_filter;
mod report;
mod requests;
mod row_report;
mod run;
mod save;
mod signals;
mod sinks;
mod size;
mod style;
mod terminal;
mod ticker;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::error::{Error, Result};
use crate::host::network::devices;
use crate::printable;
use crate::privileges;
use args::{Cli, Command};
use child::ChildCommand;

/// Minimum similarity (Jaro, 0 to 1) at which a word counts as a mistyped command.
const MIN_SIMILARITY: f64 = 0.8;

/// Runs the command line and returns its exit code: 0 success, 1 failure or damaged input, 2
/// invalid usage, 3 a condition of `--fail-on`. `lcap run` and `lcap doctor` have exit codes of
/// their own.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    if let Err(error) = privileges::lower() {
        report::error(&error.into());
        return ExitCode::FAILURE;
    }
    let mut args: Vec<OsString> = args.into_iter().collect();
    let child = child::split_off_command(&mut args);
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => return ExitCode::from(report::clap_message(error)),
    };
    match dispatch(&cli, child) {
        Ok(code) => ExitCode::from(code),
        Err(error) if error.is_closed_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            let error = mistyped_command(&cli, &error).unwrap_or(error);
            report::error(&error);
            ExitCode::from(exit_code(&error))
        }
    }
}

fn exit_code(error: &Error) -> u8 {
    match error {
        Error::Usage(_) | Error::Filter { .. } => 2,
        Error::ConditionMet(_) => 3,
        _ => 1,
    }
}

fn dispatch(cli: &Cli, child: Option<ChildCommand>) -> Result<u8> {
    match &cli.command {
        Some(Command::Completions { shell }) => completions(*shell).map(|()| 0),
        Some(Command::Man { page }) => print(&man::page(page.as_deref())?).map(|()| 0),
        Some(Command::Version) => print(Cli::command().render_version().as_bytes()).map(|()| 0),
        Some(Command::Doctor(args)) => doctor::run(args),
        Some(Command::Ports(args)) => ports::run(args),
        Some(Command::Run(args)) => {
            let (cli, child) = child::prepare(args, child)?;
            run_capture(&cli, Some(child))
        }
        _ => run_capture(cli, None),
    }
}

/// Captures or reads packets; with a child command, only the packets of its processes.
fn run_capture(cli: &Cli, child: Option<ChildCommand>) -> Result<u8> {
    let (common, plan) = match &cli.command {
        Some(Command::Flows(args)) => (&args.common, flows::flows_plan(args)),
        Some(Command::Requests(args)) => (&args.common, requests::requests_plan(args)),
        Some(Command::Follow(args)) => (&args.common, flows::follow_plan(args)),
        None => (&cli.capture.common, plan::capture_plan(&cli.capture)),
        Some(_) => return usage_error("lcap run supports only flows, requests and follow"),
    };
    if common.input.list_interfaces {
        return list_interfaces().map(|()| 0);
    }
    let mut plan = plan?;
    if let Some(child) = child {
        plan.attach_child(child)?;
    }
    run::run(plan)
}

/// Returns the error to report instead of a filter error, if the filter expression starts with a
/// word that resembles a command.
fn mistyped_command(cli: &Cli, error: &Error) -> Option<Error> {
    let word = cli.capture.common.expression.first()?;
    if cli.command.is_some() || !matches!(error, Error::Filter { .. }) {
        return None;
    }
    let whole = Cli::command();
    let commands = whole.get_subcommands().map(clap::Command::get_name);
    let similar = commands.map(|name| (strsim::jaro(word, name), name));
    let (similarity, name) = similar.max_by(|a, b| a.0.total_cmp(&b.0))?;
    let message = format!("unknown command {word:?}; did you mean {name:?}?");
    (similarity >= MIN_SIMILARITY).then_some(Error::Usage(message))
}

fn list_interfaces() -> Result<()> {
    let mut text = String::new();
    for (index, device) in devices::list()?.iter().enumerate() {
        let device = printable::line(&device.to_string());
        text += &format!("{}.{device}\n", index + 1);
    }
    print(text.as_bytes())
}

fn completions(shell: clap_complete::Shell) -> Result<()> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "lcap", &mut text);
    print(&text)
}

/// Returns a usage error.
fn usage_error<T>(message: impl Into<String>) -> Result<T> {
    Err(Error::Usage(message.into()))
}

fn print(text: &[u8]) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    let written = stdout.write_all(text).and_then(|()| stdout.flush());
    written.map_err(Error::file("cannot write", "standard output"))
}
