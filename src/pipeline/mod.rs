//! The one loop: frames in, packets through the filter, flows of them, bytes out; live and from files alike.

mod capture;
mod output;
mod totals;

pub use capture::{Capture, open};
pub use output::{Flush, Output};
pub use totals::{Counts, Totals};

use crate::decode::decode;
use crate::error::Result;
use crate::filter::Filter;
use crate::flow::{FlowEvent, FlowTable};
use crate::packet::Packet;
use crate::sink::Needs;
use crate::source::{Next, Source};

/// When to end although there is more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// After this many packets that passed the filter.
    pub packets: Option<u64>,
    /// Before the captured bytes of packets that passed the filter exceed this.
    pub bytes: Option<u64>,
}

/// Takes every frame of a source through the filter to the output and, where there is a table, to flows, until the source ends, a
/// limit is reached or nobody takes the output any more. Then the flows that are left end too.
///
/// # Errors
/// The source failed, after everything good before it was put out, or the output cannot be written. The caller finishes the
/// output either way.
pub fn run<S: Source>(
    source: &mut S,
    filter: &mut Filter,
    output: &mut Output,
    limits: Limits,
    totals: &Totals,
    mut flows: Option<&mut FlowTable>,
) -> Result<()> {
    let ran = pass_on(source, filter, output, limits, totals, flows.as_deref_mut());
    let ended = match flows {
        Some(flows) if output.wants_more() => tell(output, |emit| flows.finish(emit)),
        _ => Ok(()),
    };
    ran.and(ended)
}

fn pass_on<S: Source>(
    source: &mut S,
    filter: &mut Filter,
    output: &mut Output,
    limits: Limits,
    totals: &Totals,
    mut flows: Option<&mut FlowTable>,
) -> Result<()> {
    let reads = filter.reads_packets() || output.needs() > Needs::Frames;
    while !limits.reached(totals) && output.wants_more() {
        // By reference: a frame is too large to be moved for nothing.
        match source.next() {
            Ok(Next::Frame(ref frame)) => {
                let packet = if reads {
                    decode(frame)
                } else {
                    Packet::not_read(frame)
                };
                totals.saw(&packet);
                if filter.matches(&packet) {
                    if limits.exceeded_by(frame.bytes.len(), totals) {
                        return Ok(());
                    }
                    totals.matched(&packet);
                    output.packet(&packet)?;
                    if let Some(flows) = &mut flows {
                        tell(output, |emit| flows.push(&packet, emit))?;
                        totals.follow(flows);
                    }
                }
            }
            Ok(Next::Idle(now)) => {
                if let Some(flows) = &mut flows {
                    tell(output, |emit| flows.expire(now, emit))?;
                    totals.follow(flows);
                }
                output.idle()?;
            }
            Ok(Next::End) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Has the output told what a table says, until it fails.
#[inline]
fn tell(output: &mut Output, act: impl FnOnce(&mut dyn FnMut(FlowEvent))) -> Result<()> {
    let mut told = Ok(());
    act(&mut |event| {
        if told.is_ok() {
            told = output.flow(&event);
        }
    });
    told
}

impl Limits {
    fn reached(self, totals: &Totals) -> bool {
        self.packets.is_some_and(|limit| totals.packets() >= limit)
    }

    fn exceeded_by(self, len: usize, totals: &Totals) -> bool {
        self.bytes
            .is_some_and(|limit| totals.bytes() + len as u64 > limit)
    }
}
