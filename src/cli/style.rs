//! Text style from options: colours, timestamps, verbosity.

use rustix::termios::tcgetwinsize;
use std::io::IsTerminal;

use super::args::{CaptureArgs, Color, CommonArgs, Precision};
use crate::filter::Ports;
use crate::host::network::interfaces;
use crate::sink::text::{Dump, Style, TimestampFormat};

/// True if standard output is to be coloured.
pub(super) fn is_coloured(color: Color) -> bool {
    let no_color = || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => is_stdout_terminal() && !no_color(),
    }
}

/// True if a person sees standard output.
pub(super) fn is_stdout_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// Returns the number of columns of standard output, if it is a terminal that reports its size;
/// some terminals report 0.
pub(super) fn stdout_width() -> Option<u16> {
    let stdout = std::io::stdout();
    let size = stdout
        .is_terminal()
        .then(|| tcgetwinsize(&stdout).ok())
        .flatten()?;
    (size.ws_col > 0).then_some(size.ws_col)
}

/// Returns the style of packet lines that the options select.
pub(super) fn style(args: &CaptureArgs) -> Style {
    let (common, display) = (&args.common, &args.display);
    let ranges = common.port.as_ref().map(Ports::ranges).unwrap_or_default();
    Style {
        quiet: display.quiet > 0,
        verbose: display.verbose,
        link_header: display.link_header,
        absolute_seq: display.absolute_tcp_sequence_numbers,
        packet_numbers: display.number,
        nano: precision(common) == Some(Precision::Nano),
        timestamp_format: match display.time {
            0 => TimestampFormat::TimeOfDay,
            1 => TimestampFormat::None,
            2 => TimestampFormat::Epoch,
            3 => TimestampFormat::Delta,
            4 => TimestampFormat::DateTime,
            _ => TimestampFormat::SinceFirst,
        },
        dump: match (display.both, display.hex, display.ascii) {
            (1, ..) => Dump::HexAscii,
            (2.., ..) => Dump::HexAsciiLink,
            (_, 1, _) => Dump::Hex,
            (_, 2.., _) => Dump::HexLink,
            (.., 1) => Dump::Ascii,
            (.., 2..) => Dump::AsciiLink,
            _ => Dump::None,
        },
        colour: is_coloured(display.color),
        processes: !common.input.no_processes,
        server_ports: ranges
            .iter()
            .flat_map(|&(first, last)| first..=last)
            .collect(),
        interface_names: interfaces::names(),
    }
}

/// Returns the timestamp precision, if an option sets it.
pub(super) fn precision(args: &CommonArgs) -> Option<Precision> {
    match (args.save.nano, args.save.micro) {
        (true, _) => Some(Precision::Nano),
        (_, true) => Some(Precision::Micro),
        _ => args.save.time_stamp_precision,
    }
}
