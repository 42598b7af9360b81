//! The words of the command line: collected here, judged in [`plan`](super::plan).

mod doctor;
mod follow;
mod ports;
mod run;

pub(super) use doctor::{Doctor, ReportFormat};
pub(super) use follow::{Side, Streams};
pub(super) use ports::{ListFormat, Ports};
pub(super) use run::{Run, Whose};

use std::num::NonZero;
use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use jiff::SignedDuration;

use super::size::{bytes, kibibytes};
use crate::filter;
use crate::flow::{CONDITIONS, Settings};
use crate::sink::flows::ORDERS;
use crate::sink::{FORMATS, Format, Open};

/// Watch, save and read back what this machine says to itself on 127.0.0.1 and ::1.
///
/// Letters mean what they mean to tcpdump, except -p, which takes ports: loopback has no promiscuous mode.
#[derive(Debug, Parser)]
#[command(
    name = "lcap",
    version,
    max_term_width = 110,
    disable_help_subcommand = true,
    args_conflicts_with_subcommands = true
)]
#[command(after_help = EXAMPLES)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    #[command(flatten)]
    pub(super) capture: Capture,
}

const EXAMPLES: &str = "\
Examples:
  lcap -p 62893                       watch a port until Ctrl-C
  lcap -p 62893 -w web.pcapng         save it for Wireshark
  lcap -r web.pcapng -p 80 tcp        read it back, only TCP on port 80
  lcap -r web.pcapng --format json    one JSON object per packet
  lcap flows -p 62893                 one line per flow, and how it ended
  lcap follow -p 62893                what both sides say
  lcap doctor 127.0.0.1:62893         why it cannot be reached, and who has it
  lcap ports                          who listens, and who can reach it
  lcap run flows -- make test         what a command does on loopback

Exit status: 0 done, 1 failed, damaged input or --fail-on, 2 usage.";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// One line per flow: who talked to whom, what was spoken, how much, and how it ended
    Flows(Flows),
    /// What both sides of each flow say, in order, as they say it
    Follow(Follow),
    /// Capture what a command and its children say and hear on loopback, and exit with its exit code
    Run(Run),
    /// Why a port cannot be reached, who has it, and who else can reach it
    Doctor(Doctor),
    /// Every socket that listens: its process, its user, and who can reach it
    Ports(Ports),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page, in roff: lcap man | man -l -
    Man,
}

#[derive(Debug, Args)]
pub(super) struct Capture {
    #[command(flatten)]
    pub(super) basis: Basis,
    #[command(flatten)]
    pub(super) show: Show,
}

#[derive(Debug, Args)]
pub(super) struct Flows {
    #[command(flatten)]
    pub(super) basis: Basis,
    #[command(flatten)]
    pub(super) report: Report,
    #[command(flatten)]
    pub(super) bounds: Bounds,
}

#[derive(Debug, Args)]
pub(super) struct Follow {
    #[command(flatten)]
    pub(super) basis: Basis,
    #[command(flatten)]
    pub(super) streams: Streams,
    #[command(flatten)]
    pub(super) bounds: Bounds,
}

/// Which packets, from where, until when, and where they are saved.
#[derive(Debug, Args)]
pub(super) struct Basis {
    /// Only TCP and UDP with either port among these, and ICMP errors about them: 80 or 80,8000-8100
    #[arg(short, long = "port", value_name = "PORTS", allow_hyphen_values = true)]
    pub(super) port: Option<filter::Ports>,
    /// Only packets that match this pcap-filter(7) expression: host ::1, tcp and not port 22, …
    #[arg(value_name = "BPF EXPRESSION")]
    pub(super) expression: Vec<String>,
    /// Read the expression from this file; words on the command line are then ignored
    #[arg(short = 'F', value_name = "FILE")]
    pub(super) expression_file: Option<PathBuf>,

    #[command(flatten)]
    pub(super) whose: Whose,
    #[command(flatten)]
    pub(super) input: Input,
    #[command(flatten)]
    pub(super) end: End,
    #[command(flatten)]
    pub(super) save: Save,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Where packets come from")]
pub(super) struct Input {
    /// Capture on this device, or on any [default: the loopback]
    #[arg(short, long, value_name = "DEVICE", conflicts_with = "read")]
    pub(super) interface: Option<String>,
    /// In this network namespace, which has a loopback of its own: a name of ip-netns(8), a process's number or a path
    #[arg(long, value_name = "NAMESPACE", conflicts_with = "read")]
    pub(super) netns: Option<String>,
    /// In the network namespace of the container with this number, its first digits, or this name (Docker's)
    #[arg(long, value_name = "ID", conflicts_with_all = ["read", "netns"])]
    pub(super) container: Option<String>,
    /// Read a pcap or pcapng file, also .gz and .zst; - is standard input
    #[arg(short, long, value_name = "FILE")]
    pub(super) read: Option<PathBuf>,
    /// List the devices
    #[arg(short = 'D', long)]
    pub(super) list_interfaces: bool,
    /// Keep at most this many bytes of each packet; 0 is 262144
    #[arg(
        short,
        long,
        value_name = "BYTES",
        default_value_t = 0,
        hide_default_value = true
    )]
    pub(super) snapshot_length: u32,
    /// Size of the kernel's ring: KiB, or with a unit, as 256MiB [default: 64MiB]
    #[arg(short = 'B', long, value_name = "SIZE", value_parser = kibibytes)]
    pub(super) buffer_size: Option<u64>,
    /// Do not look up, save or show the processes at both ends
    #[arg(long)]
    pub(super) no_processes: bool,
    /// Read a file with this many threads; what comes out is the same [default: one for each processor, at most 8]
    #[arg(long, value_name = "THREADS", requires = "read", value_parser = threads, hide_short_help = true)]
    pub(super) threads: Option<NonZero<usize>>,
    /// Ask the device for this link type, where it has several: LINUX_SLL, LINUX_SLL2
    #[arg(short = 'y', long, value_name = "TYPE", conflicts_with = "read")]
    pub(super) linktype: Option<String>,
}

#[derive(Debug, Args)]
#[command(
    next_help_heading = "When to end (Ctrl-C ends too; what was captured is always delivered)"
)]
pub(super) struct End {
    /// After this many packets
    #[arg(short = 'c', value_name = "PACKETS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) count: Option<u64>,
    /// After this long: 10s, 1m30s, 500ms; a plain number is seconds
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(super) duration: Option<SignedDuration>,
    /// Before the captured bytes exceed this: 10MB, 64KiB
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    pub(super) max_bytes: Option<u64>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Saving")]
pub(super) struct Save {
    /// Save to this file: pcapng if it ends in .pcapng, else pcap; - is standard output
    #[arg(short, long, value_name = "FILE")]
    pub(super) write: Option<PathBuf>,
    /// Begin another file after this many millions of bytes
    #[arg(short = 'C', value_name = "MB", requires = "write", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) rotate_size: Option<u64>,
    /// Begin another file after this many seconds; the name may hold strftime(3) conversions
    #[arg(short = 'G', value_name = "SECONDS", requires = "write", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) rotate_seconds: Option<u32>,
    /// With -C: overwrite the oldest of this many files. With -G: end after this many
    #[arg(short = 'W', value_name = "FILES", requires = "write", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) rotate_files: Option<u32>,
    /// Write every packet through to the file at once
    #[arg(short = 'U', long)]
    pub(super) packet_buffered: bool,
    /// Nanoseconds, in pcap files and in text
    #[arg(long, conflicts_with = "micro")]
    pub(super) nano: bool,
    /// Microseconds, in pcap files and in text
    #[arg(long)]
    pub(super) micro: bool,
    /// tcpdump's way to say --nano or --micro
    #[arg(long, value_name = "PRECISION", conflicts_with_all = ["nano", "micro"], hide_short_help = true)]
    pub(super) time_stamp_precision: Option<Precision>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Showing")]
pub(super) struct Show {
    /// Show packets although they are saved
    #[arg(long)]
    pub(super) print: bool,
    /// How packets are shown
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = shown())]
    pub(super) format: String,
    /// Less
    #[arg(short, long, action = ArgAction::Count)]
    pub(super) quiet: u8,
    /// More; -vv and -vvv more still
    #[arg(short, long, action = ArgAction::Count)]
    pub(super) verbose: u8,
    /// The link header too
    #[arg(short = 'e')]
    pub(super) link_header: bool,
    /// Sequence numbers as they are, not relative
    #[arg(short = 'S', long)]
    pub(super) absolute_tcp_sequence_numbers: bool,
    /// Number the packets
    #[arg(short = '#', long)]
    pub(super) number: bool,
    /// No time; -tt since 1970, -ttt since the packet before, -tttt with date, -ttttt since the first
    #[arg(short = 't', action = ArgAction::Count)]
    pub(super) time: u8,
    /// Contents as text; -AA with the link header
    #[arg(short = 'A', action = ArgAction::Count, overrides_with_all = ["hex", "both"])]
    pub(super) ascii: u8,
    /// Contents in hexadecimal; -xx with the link header
    #[arg(short = 'x', action = ArgAction::Count)]
    pub(super) hex: u8,
    /// Contents in both; -XX with the link header
    #[arg(short = 'X', action = ArgAction::Count)]
    pub(super) both: u8,
    /// Only count
    #[arg(long = "count", conflicts_with = "write")]
    pub(super) count_only: bool,
    /// Hand on every line at once, also into a pipe
    #[arg(short, long)]
    pub(super) line_buffered: bool,
    /// Colour by direction
    #[arg(long, value_name = "WHEN", default_value = "auto", alias = "colour")]
    pub(super) color: Color,
    /// Accepted: addresses and ports are always numbers
    #[arg(short, action = ArgAction::Count, hide_short_help = true)]
    pub(super) numeric: u8,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Reporting")]
pub(super) struct Report {
    /// How flows are written
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = for_flows())]
    pub(super) format: String,
    /// Write them to this file, not to standard output
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Write them all at the end, in this order
    #[arg(long, value_name = "ORDER", value_parser = orders())]
    pub(super) sort: Option<String>,
    /// Only the first of them in that order [default order: bytes]
    #[arg(long, value_name = "FLOWS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) top: Option<u64>,
    /// Exit with code 1 if any flow is one of these
    #[arg(long, value_name = "CONDITIONS", value_delimiter = ',', value_parser = conditions())]
    pub(super) fail_on: Vec<String>,
    /// Colour bad ends
    #[arg(long, value_name = "WHEN", default_value = "auto", alias = "colour")]
    pub(super) color: Color,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Bounds")]
pub(super) struct Bounds {
    /// Follow at most so many flows at once, about 600 bytes each; beyond that the quietest is reported and let go
    #[arg(long, value_name = "FLOWS", default_value_t = Settings::FLOWS.max_flows, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) max_flows: u32,
    /// The most that may wait for missing bytes, in each direction of a flow
    #[arg(long, value_name = "SIZE", default_value = "16MiB", value_parser = bytes)]
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

/// The names of the formats that packets are shown in.
fn shown() -> PossibleValuesParser {
    formats(|format| matches!(format.open, Open::Shown(_)))
}

/// As many threads as somebody may mean.
fn threads(text: &str) -> Result<NonZero<usize>, String> {
    let count: NonZero<usize> = text.parse().map_err(|e| format!("{e}"))?;
    match count.get() {
        1..=64 => Ok(count),
        _ => Err("64 are the most".to_owned()),
    }
}

/// The names of the formats that flows are written in.
fn for_flows() -> PossibleValuesParser {
    formats(|format| matches!(format.open, Open::Flows(_)))
}

fn formats(wanted: fn(&Format) -> bool) -> PossibleValuesParser {
    let wanted = FORMATS.iter().filter(|format| wanted(format));
    values(wanted.map(|format| (format.name, format.about)))
}

fn orders() -> PossibleValuesParser {
    values(ORDERS.iter().map(|order| (order.name, order.about)))
}

fn conditions() -> PossibleValuesParser {
    values(
        CONDITIONS
            .iter()
            .map(|condition| (condition.name, condition.about)),
    )
}

fn values(rows: impl Iterator<Item = (&'static str, &'static str)>) -> PossibleValuesParser {
    PossibleValuesParser::new(rows.map(|(name, about)| PossibleValue::new(name).help(about)))
}

/// `10s`, `1m30s`, `500ms`; a plain number is seconds.
fn duration(text: &str) -> Result<SignedDuration, String> {
    let parsed = match text.parse::<f64>() {
        Ok(seconds) => {
            SignedDuration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
        }
        Err(_) => text.parse().map_err(|error: jiff::Error| error.to_string()),
    };
    parsed.and_then(|time| {
        if time.is_positive() {
            Ok(time)
        } else {
            Err("must be more than 0".into())
        }
    })
}
