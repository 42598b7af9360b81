//! The `lcap` command.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: lcap::Allocator = lcap::Allocator;

fn main() -> ExitCode {
    lcap::main(std::env::args_os())
}
