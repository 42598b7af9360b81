//! Words in, exit code out.

mod args;
mod doctor;
mod flows;
mod json;
mod judge;
mod look;
mod plan;
mod ports;
mod program;
mod report;
mod run;
mod signals;
mod size;
mod terminal;
mod ticker;
mod whose;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::error::{Error, Result};
use crate::host::interfaces;
use args::{Cli, Command};
use program::Program;

/// Runs the command line and returns its exit code: 0 done, 1 failed or damaged input, 2 usage.
pub fn main(words: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut words: Vec<OsString> = words.into_iter().collect();
    let program = program::cut(&mut words);
    let cli = match Cli::try_parse_from(words) {
        Ok(cli) => cli,
        Err(error) => {
            // clap knows which of its messages go where; a closed pipe is none of our business.
            let _ = error.print();
            return ExitCode::from(error.exit_code() as u8);
        }
    };
    match command(&cli, program) {
        Ok(code) => ExitCode::from(code),
        Err(error) if error.is_closed_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            report::error(&error);
            ExitCode::from(if matches!(error, Error::Usage(_) | Error::Filter { .. }) {
                2
            } else {
                1
            })
        }
    }
}

fn command(cli: &Cli, program: Option<Program>) -> Result<u8> {
    match &cli.command {
        Some(Command::Completions { shell }) => completions(*shell).map(|()| 0),
        Some(Command::Man) => manual().map(|()| 0),
        Some(Command::Doctor(args)) => doctor::run(args),
        Some(Command::Ports(args)) => ports::run(args),
        Some(Command::Run(args)) => {
            let (cli, program) = program::prepare(args, program)?;
            watch(&cli, Some(program))
        }
        _ => watch(cli, None),
    }
}

/// Watches packets, flows or streams; beside a program, those of its processes.
fn watch(cli: &Cli, program: Option<Program>) -> Result<u8> {
    let (basis, plan) = match &cli.command {
        Some(Command::Flows(args)) => (&args.basis, flows::flows(args)),
        Some(Command::Follow(args)) => (&args.basis, flows::follow(args)),
        None => (&cli.capture.basis, plan::watch(&cli.capture)),
        Some(_) => {
            return plan::usage(
                "run: of the commands flows and follow can be run beside a program",
            );
        }
    };
    if basis.input.list_interfaces {
        return list_interfaces().map(|()| 0);
    }
    let mut plan = plan?;
    if let Some(program) = program {
        plan.run_beside(program)?;
    }
    run::run(plan)
}

fn list_interfaces() -> Result<()> {
    let mut text = String::new();
    for (at, device) in interfaces::list()?.iter().enumerate() {
        text += &format!("{}.{device}\n", at + 1);
    }
    print(text.as_bytes())
}

fn completions(shell: clap_complete::Shell) -> Result<()> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "lcap", &mut text);
    print(&text)
}

fn manual() -> Result<()> {
    let mut text = Vec::new();
    let mut whole = Cli::command();
    whole.build();
    clap_mangen::Man::new(whole.clone()).render(&mut text)?;
    // Those that have a page's worth to say, behind it.
    for command in whole.get_subcommands() {
        if command.get_arguments().count() > 3 {
            clap_mangen::Man::new(command.clone()).render(&mut text)?;
        }
    }
    print(&text)
}

fn print(text: &[u8]) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text)?;
    Ok(stdout.flush()?)
}
