//! Process filters, and the options of `lcap run`.

use std::ffi::OsString;

use clap::Args;

/// Process filters; a packet matches if the process at either end matches any of them.
#[derive(Debug, Args)]
#[command(next_help_heading = "Process filters (live, or pcapng written by lcap)")]
pub(in crate::cli) struct ProcessFilterArgs {
    /// Only packets of this process
    #[arg(long, value_name = "PID", conflicts_with = "no_processes")]
    pub(in crate::cli) pid: Vec<u32>,
    /// Only packets of processes with this name
    #[arg(long, value_name = "NAME", conflicts_with = "no_processes")]
    pub(in crate::cli) process: Vec<String>,
    /// Only packets of this user's processes (name or UID)
    #[arg(long, value_name = "USER", conflicts_with = "no_processes")]
    pub(in crate::cli) user: Vec<String>,
}

/// Options of `lcap run` itself, then the options of the lcap command that it runs.
#[derive(Debug, Args)]
#[command(
    override_usage = "lcap run [--private] [flows|requests|follow] [OPTIONS] -- COMMAND…",
    after_help = "Arguments before -- have the same meaning as for lcap, lcap flows, lcap requests, lcap follow.\n\
                  lcap prints to standard error, because standard output belongs to the command.\n\
                  SIGINT, SIGTERM and SIGHUP are passed on to the command, whose exit ends the capture."
)]
pub(in crate::cli) struct RunArgs {
    /// Run the command on an isolated loopback, in new user and network namespaces; needs no root
    #[arg(long)]
    pub(in crate::cli) private: bool,
    /// Set when lcap has re-executed itself inside the private namespaces
    #[arg(long, hide = true)]
    pub(in crate::cli) inside: bool,
    /// Options as for lcap, or flows, requests or follow with options; then --, then the command
    /// and its arguments
    #[arg(
        value_name = "OPTIONS",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub(in crate::cli) lcap_args: Vec<OsString>,
}
