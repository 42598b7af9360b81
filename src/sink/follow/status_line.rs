//! Status lines of conversations: the time, the flow, both ends and both processes each time the
//! other side sends, and the outcome of each flow.

use std::net::SocketAddr;

use super::StreamOptions;
use crate::flow::{FlowId, FlowRecord, Side};
use crate::packet::Timestamp;
use crate::process::Owners;
use crate::sink::clock::{Clock, TIME_OF_DAY};
use crate::sink::{address, digits};

/// Writer of status lines.
pub(super) struct StatusLines {
    clock: Clock,
    has_colour: bool,
    show_processes: bool,
    /// Flow number and side of the last data printed.
    last_sender: Option<(u64, Side)>,
}

/// Colours of the originator and the responder, as in packet lines.
const SIDE_COLOURS: [&str; 2] = ["\x1b[36m", "\x1b[33m"];
const DIM: &str = "\x1b[2m";
const RESET: &str = "\x1b[0m";

impl StatusLines {
    pub(super) fn new(options: &StreamOptions) -> StatusLines {
        StatusLines {
            clock: Clock::local(TIME_OF_DAY, options.nano),
            has_colour: options.colour,
            show_processes: options.show_processes,
            last_sender: None,
        }
    }

    /// Starts the next data with a status line, also if the same side sent it.
    pub(super) fn start_message(&mut self) {
        self.last_sender = None;
    }

    /// Returns true if this side sent the last data.
    pub(super) fn is_current(&self, id: &FlowId, side: Side) -> bool {
        self.last_sender == Some((id.number, side))
    }

    /// Writes a line with the time, the flow and both ends unless this side also sent the last
    /// data: `── 07:16:56.183003  1  127.0.0.1:59526 → 127.0.0.1:62893`.
    pub(super) fn switch_sender(
        &mut self,
        out: &mut Vec<u8>,
        time: Timestamp,
        id: &FlowId,
        side: Side,
        owners: &Owners,
    ) {
        if self.is_current(id, side) {
            return;
        }
        self.last_sender = Some((id.number, side));
        let ends = match side {
            Side::Orig => [id.orig(), id.resp()],
            Side::Resp => [id.resp(), id.orig()],
        };
        let names = match side {
            _ if !self.show_processes || owners.is_empty() => String::new(),
            Side::Orig => format!("  {owners}"),
            Side::Resp => format!("  {}", owners.clone().swapped()),
        };
        self.write(out, time, id.number, ends, &names);
    }

    /// Writes the outcome of a flow.
    pub(super) fn write_outcome(
        &mut self,
        out: &mut Vec<u8>,
        time: Timestamp,
        record: &FlowRecord,
    ) {
        self.last_sender = None;
        let id = &record.id;
        let outcome = format!("  {}", record.outcome.with_drops());
        self.write(out, time, id.number, [id.orig(), id.resp()], &outcome);
    }

    /// Writes a status line, in a dim colour.
    fn write(
        &mut self,
        out: &mut Vec<u8>,
        time: Timestamp,
        number: u64,
        [from, to]: [SocketAddr; 2],
        text: &str,
    ) {
        self.push_colour(out, DIM);
        out.extend_from_slice("── ".as_bytes());
        self.clock.write(out, time);
        out.extend_from_slice(b"  ");
        digits::decimal(out, number);
        out.extend_from_slice(b"  ");
        address::write_socket_addr(out, from);
        out.extend_from_slice(" → ".as_bytes());
        address::write_socket_addr(out, to);
        out.extend_from_slice(text.as_bytes());
        self.push_colour(out, RESET);
        out.push(b'\n');
    }

    /// Calls `write` with the output, in the colour of a side.
    pub(super) fn in_colour(
        &self,
        out: &mut Vec<u8>,
        side: Side,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        self.push_colour(out, SIDE_COLOURS[side as usize]);
        write(out);
        self.push_colour(out, RESET);
    }

    fn push_colour(&self, out: &mut Vec<u8>, colour: &str) {
        if self.has_colour {
            out.extend_from_slice(colour.as_bytes());
        }
    }
}
