//! The `lcap` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    lcap::cli::main(std::env::args_os())
}
