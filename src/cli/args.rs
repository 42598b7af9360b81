//! Command-line options, as clap parses them; [`plan`](super::plan) validates them.

mod doctor;
mod follow;
mod ports;
mod requests;
mod run;

pub(super) use doctor::{DoctorArgs, ReportFormat};
pub(super) use follow::{FlowArg, SideArg, StreamArgs};
pub(super) use ports::{ListFormat, PortsArgs};
pub(super) use requests::RequestsArgs;
pub(super) use run::{ProcessFilterArgs, RunArgs};

use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use jiff::SignedDuration;

use super::duration::parse_duration;
use super::size::{parse_bytes, parse_kibibytes};
use crate::filter;
use crate::flow::{CONDITIONS, FlowSettings};
use crate::sink::flows::FLOW_ORDERS;
use crate::sink::{FORMATS, Format, SinkFactory};

/// Watch, save and read back this machine's loopback traffic (127.0.0.1 and ::1).
///
/// Short options have the same meaning as in tcpdump, except -p, which selects ports.
/// Ctrl-C stops a capture; every packet captured so far is still written.
#[derive(Debug, Parser)]
#[command(
    name = "lcap",
    version,
    max_term_width = 110,
    args_conflicts_with_subcommands = true
)]
#[command(after_help = examples())]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    #[command(flatten)]
    pub(super) capture: CaptureArgs,
}

/// Examples of lcap without a command, in the help and in the manual.
pub(super) const EXAMPLES: &[(&str, &str)] = &[
    ("lcap -p 62893", "watch a port until Ctrl-C"),
    (
        "lcap -p 62893 -w web.pcapng",
        "save its packets for Wireshark",
    ),
    (
        "lcap -r web.pcapng -p 80 tcp",
        "read the file, only TCP on port 80",
    ),
    (
        "lcap -r web.pcapng --format json",
        "one JSON object per packet",
    ),
    ("lcap flows -p 62893", "one line per flow, and how it ended"),
    (
        "lcap requests -p 62893",
        "every request, its answer, how long it took",
    ),
    ("lcap follow -p 62893", "conversations on a port"),
    (
        "lcap doctor 127.0.0.1:62893",
        "why a port cannot be reached",
    ),
    ("lcap ports", "listening sockets, and who can reach them"),
    ("lcap run flows -- make test", "traffic of one command"),
];

fn examples() -> String {
    let rows = EXAMPLES.iter();
    let rows: String = rows
        .map(|(command, purpose)| format!("  {command:<35} {purpose}\n"))
        .collect();
    format!(
        "Examples:\n{rows}\n\
         Exit status: 0 success, 1 failure or damaged input, 2 invalid usage, 3 --fail-on."
    )
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// One line per flow: both processes, protocol, sizes, and how it ended
    Flows(FlowsArgs),
    /// One line per request: both processes, its answer, and how long it took
    Requests(RequestsArgs),
    /// Conversations: the messages of both sides of each flow, in order
    Follow(FollowArgs),
    /// Capture the loopback traffic of a command and its descendants, and exit with its exit code
    Run(RunArgs),
    /// Diagnose a port: why it cannot be reached, which process has it, which machines can reach it
    Doctor(DoctorArgs),
    /// Every listening socket: its process, its user, and which machines can reach it
    Ports(PortsArgs),
    /// Print a completion script for a shell
    Completions {
        /// Shell that runs the script
        shell: Shell,
    },
    /// Print a manual page, in roff: lcap man flows | man -l -
    Man {
        /// Name of a command, or formats, codes, limits, performance, internals [default: lcap]
        #[arg(value_name = "PAGE")]
        page: Option<String>,
    },
    /// Print the version
    #[command(hide = true)]
    Version,
}

#[derive(Debug, Args)]
pub(super) struct CaptureArgs {
    #[command(flatten)]
    pub(super) common: CommonArgs,
    #[command(flatten)]
    pub(super) display: DisplayArgs,
}

#[derive(Debug, Args)]
pub(super) struct FlowsArgs {
    #[command(flatten)]
    pub(super) common: CommonArgs,
    #[command(flatten)]
    pub(super) report: FlowReportArgs,
    #[command(flatten)]
    pub(super) limits: FlowLimitArgs,
}

#[derive(Debug, Args)]
pub(super) struct FollowArgs {
    #[command(flatten)]
    pub(super) common: CommonArgs,
    #[command(flatten)]
    pub(super) streams: StreamArgs,
    #[command(flatten)]
    pub(super) limits: FlowLimitArgs,
}

/// Options of all capturing commands: filter, input, stop conditions, capture files.
#[derive(Debug, Args)]
pub(super) struct CommonArgs {
    /// Only TCP and UDP packets from or to PORTS, and ICMP errors about them: 80 or 80,8000-8100
    #[arg(short, long = "port", value_name = "PORTS", allow_hyphen_values = true)]
    pub(super) port: Option<filter::Ports>,
    /// Only packets that match this pcap-filter(7) expression, e.g. 'tcp and not port 22'
    #[arg(value_name = "BPF EXPRESSION")]
    pub(super) expression: Vec<String>,
    /// Read the filter expression from this file, and ignore any on the command line
    #[arg(short = 'F', value_name = "FILE")]
    pub(super) expression_file: Option<PathBuf>,

    #[command(flatten)]
    pub(super) process_filter: ProcessFilterArgs,
    #[command(flatten)]
    pub(super) input: InputArgs,
    #[command(flatten)]
    pub(super) stop: StopArgs,
    #[command(flatten)]
    pub(super) save: SaveArgs,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Input")]
pub(super) struct InputArgs {
    /// Capture on this device, or on any [default: the loopback device]
    #[arg(short, long, value_name = "DEVICE", conflicts_with = "read")]
    pub(super) interface: Option<String>,
    /// Capture in this network namespace: a name from ip-netns(8), a PID or a path
    #[arg(long, value_name = "NAMESPACE", conflicts_with = "read")]
    pub(super) netns: Option<String>,
    /// Capture in this container's network namespace: a name or the start of an ID
    #[arg(long, value_name = "ID", conflicts_with_all = ["read", "netns"])]
    pub(super) container: Option<String>,
    /// Read a pcap or pcapng file, also .gz and .zst; - is standard input
    #[arg(short, long, value_name = "FILE")]
    pub(super) read: Option<PathBuf>,
    /// List the capture devices
    #[arg(short = 'D', long)]
    pub(super) list_interfaces: bool,
    /// Capture at most this many bytes of each packet; 0 means 262144
    #[arg(
        short,
        long,
        value_name = "BYTES",
        default_value_t = 0,
        hide_default_value = true
    )]
    pub(super) snapshot_length: u32,
    /// Kernel ring size, e.g. 256MiB; a plain number is KiB [default: 64MiB]
    #[arg(short = 'B', long, value_name = "SIZE", value_parser = parse_kibibytes)]
    pub(super) buffer_size: Option<u64>,
    /// Do not look up, save or show processes
    #[arg(long)]
    pub(super) no_processes: bool,
    /// Capture with this link type, e.g. LINUX_SLL2, if the device offers several
    #[arg(short = 'y', long, value_name = "TYPE", conflicts_with = "read")]
    pub(super) linktype: Option<String>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Stop conditions")]
pub(super) struct StopArgs {
    /// Stop after this many packets
    #[arg(short = 'c', value_name = "PACKETS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) count: Option<u64>,
    /// Stop after this time: 10s, 1m30s, 500ms; a plain number is seconds
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(super) duration: Option<SignedDuration>,
    /// Stop before the captured bytes exceed this size: 10MB, 64KiB
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes)]
    pub(super) max_bytes: Option<u64>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Capture files")]
pub(super) struct SaveArgs {
    /// Save packets to this file: pcapng if it ends in .pcapng, else pcap; - is standard output
    #[arg(short, long, value_name = "FILE")]
    pub(super) write: Option<PathBuf>,
    /// Start a new file after this many million bytes
    #[arg(short = 'C', value_name = "MB", requires = "write", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) rotate_size: Option<u64>,
    /// Start a new file after this many seconds; strftime(3) conversions in the name are expanded
    #[arg(short = 'G', value_name = "SECONDS", requires = "write", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) rotate_seconds: Option<u32>,
    /// With -C: keep this many files, overwriting the oldest. With -G: stop after this many files
    #[arg(short = 'W', value_name = "FILES", requires = "write", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) rotate_files: Option<u32>,
    /// Flush after every packet
    #[arg(short = 'U', long)]
    pub(super) packet_buffered: bool,
    /// Nanosecond timestamps, in pcap files and in text
    #[arg(long, conflicts_with = "micro")]
    pub(super) nano: bool,
    /// Microsecond timestamps, in pcap files and in text
    #[arg(long)]
    pub(super) micro: bool,
    /// Timestamp precision: tcpdump's name for --nano and --micro
    #[arg(long, value_name = "PRECISION", conflicts_with_all = ["nano", "micro"], hide_short_help = true)]
    pub(super) time_stamp_precision: Option<Precision>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct DisplayArgs {
    /// Print packets even if they are saved with -w
    #[arg(long)]
    pub(super) print: bool,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = packet_formats())]
    pub(super) format: String,
    /// Print less
    #[arg(short, long, action = ArgAction::Count)]
    pub(super) quiet: u8,
    /// Print more (-vv, -vvv)
    #[arg(short, long, action = ArgAction::Count)]
    pub(super) verbose: u8,
    /// Print the link-layer header
    #[arg(short = 'e')]
    pub(super) link_header: bool,
    /// Print absolute TCP sequence numbers
    #[arg(short = 'S', long)]
    pub(super) absolute_tcp_sequence_numbers: bool,
    /// Print packet numbers
    #[arg(short = '#', long)]
    pub(super) number: bool,
    /// Print no timestamp; -tt: seconds since 1970, -ttt: time since the previous packet,
    /// -tttt: date and time, -ttttt: time since the first packet
    #[arg(short = 't', action = ArgAction::Count)]
    pub(super) time: u8,
    /// Print the packet as ASCII; -AA: with the link-layer header
    #[arg(short = 'A', action = ArgAction::Count, overrides_with_all = ["hex", "both"])]
    pub(super) ascii: u8,
    /// Print the packet in hex; -xx: with the link-layer header
    #[arg(short = 'x', action = ArgAction::Count)]
    pub(super) hex: u8,
    /// Print the packet in hex and ASCII; -XX: with the link-layer header
    #[arg(short = 'X', action = ArgAction::Count)]
    pub(super) both: u8,
    /// Print only the number of packets
    #[arg(long = "count", conflicts_with = "write")]
    pub(super) count_only: bool,
    /// Flush after every line, even if the output is a pipe or a file
    #[arg(short, long)]
    pub(super) line_buffered: bool,
    /// Colour packets by direction
    #[arg(long, value_name = "WHEN", default_value = "auto", alias = "colour")]
    pub(super) color: Color,
    /// Accepted for compatibility with tcpdump: addresses and ports are always numeric
    #[arg(short, action = ArgAction::Count, hide_short_help = true)]
    pub(super) numeric: u8,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct FlowReportArgs {
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = flow_formats())]
    pub(super) format: String,
    /// Write flows to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Write all flows at the end, in this order
    #[arg(long, value_name = "ORDER", value_parser = orders())]
    pub(super) sort: Option<String>,
    /// Write only this many flows, the first in the order of --sort [default order: bytes]
    #[arg(long, value_name = "FLOWS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) top: Option<u64>,
    /// Exit with code 3 if any flow meets one of these conditions
    #[arg(long, value_name = "CONDITIONS", value_delimiter = ',', value_parser = conditions())]
    pub(super) fail_on: Vec<String>,
    /// Also analyze the requests of each flow: their number, the errors and the worst status
    #[arg(long)]
    pub(super) requests: bool,
    /// Colour flows that ended badly, and statuses of errors
    #[arg(long, value_name = "WHEN", default_value = "auto", alias = "colour")]
    pub(super) color: Color,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
pub(super) struct FlowLimitArgs {
    /// Track at most this many flows (600 bytes each); a new one evicts the least recently active
    #[arg(long, value_name = "FLOWS", default_value_t = FlowSettings::FLOWS.max_flows, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) max_flows: u32,
    /// Buffer at most this much out-of-order data per direction of a flow
    #[arg(long, value_name = "SIZE", default_value = "16MiB", value_parser = parse_bytes)]
    pub(super) max_waiting: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Precision {
    Micro,
    Nano,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    Always,
    Never,
}

/// Returns the output formats for packets.
fn packet_formats() -> PossibleValuesParser {
    formats(|format| matches!(format.factory, SinkFactory::Packets(_)))
}

/// Returns the output formats for flows.
fn flow_formats() -> PossibleValuesParser {
    formats(|format| matches!(format.factory, SinkFactory::Flows(_)))
}

fn formats(is_offered: fn(&Format) -> bool) -> PossibleValuesParser {
    let offered = FORMATS.iter().filter(|format| is_offered(format));
    possible_values(offered.map(|format| (format.name, format.about)))
}

fn orders() -> PossibleValuesParser {
    possible_values(FLOW_ORDERS.iter().map(|order| (order.name, order.about)))
}

fn conditions() -> PossibleValuesParser {
    PossibleValuesParser::new(CONDITIONS.iter().map(|condition| {
        PossibleValue::new(condition.name)
            .help(condition.description)
            .aliases(condition.alias)
    }))
}

fn possible_values(
    rows: impl Iterator<Item = (&'static str, &'static str)>,
) -> PossibleValuesParser {
    PossibleValuesParser::new(rows.map(|(name, about)| PossibleValue::new(name).help(about)))
}
