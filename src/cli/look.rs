//! How things look: colours, times, more and less.

use std::io::IsTerminal;

use super::args::{Basis, Capture, Color, Precision};
use crate::filter::Ports;
use crate::sink::text::{Clock, Dump, Style};

/// Whether standard output is to have colours.
pub(super) fn is_coloured(color: Color) -> bool {
    let terminal = || std::io::stdout().is_terminal();
    let no_color = || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => terminal() && !no_color(),
    }
}

/// How packets are shown.
pub(super) fn style(args: &Capture) -> Style {
    let (basis, show) = (&args.basis, &args.show);
    let ranges = basis.port.as_ref().map(Ports::ranges).unwrap_or_default();
    Style {
        quiet: show.quiet > 0,
        verbose: show.verbose,
        link: show.link_header,
        absolute: show.absolute_tcp_sequence_numbers,
        number: show.number,
        nano: precision(basis) == Some(Precision::Nano),
        clock: match show.time {
            0 => Clock::Time,
            1 => Clock::None,
            2 => Clock::Epoch,
            3 => Clock::Delta,
            4 => Clock::Date,
            _ => Clock::SinceFirst,
        },
        dump: match (show.both, show.hex, show.ascii) {
            (1, ..) => Dump::Both,
            (2.., ..) => Dump::BothLink,
            (_, 1, _) => Dump::Hex,
            (_, 2.., _) => Dump::HexLink,
            (.., 1) => Dump::Ascii,
            (.., 2..) => Dump::AsciiLink,
            _ => Dump::None,
        },
        colour: is_coloured(show.color),
        processes: !basis.input.no_processes,
        ports: ranges
            .iter()
            .flat_map(|&(first, last)| first..=last)
            .collect(),
    }
}

/// How fine times are, where that is said.
pub(super) fn precision(args: &Basis) -> Option<Precision> {
    match (args.save.nano, args.save.micro) {
        (true, _) => Some(Precision::Nano),
        (_, true) => Some(Precision::Micro),
        _ => args.save.time_stamp_precision,
    }
}
