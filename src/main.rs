//! The `lcap` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    lcap::main(std::env::args_os())
}
