//! A stretch of the file: where its frames are, and which thread works on each.

use crate::decode::{Usual, usual};
use crate::error::Result;
use crate::flow::{FlowTable, Hint, MAX_CLOCK_JUMP_NS};
use crate::packet::{Brief, Frame, Lane, Lanes, Timestamp};
use crate::source::{FileSource, FrameIndex, FrameVisitor, IndexedFrames};

/// So many frames, or so many bytes of the file.
const FRAMES: usize = 2048;
const BYTES: usize = 512 << 10;

/// The memory of so many frames ahead of one is asked for.
pub(super) const AHEAD: usize = 6;

/// So far behind the begin of a stretch that is worked on another is found, in bytes: [`Board::hand_on`](super::board::Board::hand_on) finds
/// the third one behind it, and a thread may be early.
pub(super) const BEYOND: usize = 3 * BYTES + BYTES / 2;

/// How frames are dealt out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Stretch by stretch: what is made of a frame depends on nothing else.
    Stretches,
    /// By their connections.
    Lanes,
    /// Likewise, and every thread looks at all of them.
    AllLanes,
}

/// Frames that all threads work on, each on those of its lanes.
#[derive(Debug, Default)]
pub(super) struct Stretch {
    pub(super) survey: FrameIndex,
    /// For each thread, where frames are dealt out by lanes: the ones that it has to look at, in order.
    shares: Vec<Share>,
    /// Whether no time in it is earlier than one before, nor much later than the last one before the stretch.
    pub(super) is_steady: bool,
    /// Its number, from 0, if one thread works on all of it.
    pub(super) whole: Option<usize>,
    /// Whether the file ends behind it.
    pub(super) is_last: bool,
}

/// What a thread has to look at.
#[derive(Debug, Default)]
pub(super) struct Share {
    pub(super) places: Vec<Place>,
    /// Where its frames are that open a connection.
    pub(super) openings: Vec<u16>,
}

/// A frame that a thread has to look at. One core writes it and another reads it: it is small.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Where it is in the stretch, from 0.
    at: u16,
    pub(super) whose: Whose,
    /// Of which flow it is, if it is a usual packet.
    pub(super) hint: Hint,
}

const _: () = assert!(FRAMES <= u16::MAX as usize);

impl Place {
    /// Where it is in the stretch, from 0.
    #[inline]
    pub(super) fn at(self) -> usize {
        usize::from(self.at)
    }
}

/// Whose a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// This thread's.
    Own,
    /// Another's.
    Others,
    /// Everybody has to look at it.
    Unsure,
}

/// Finds stretches.
pub(super) struct Finder<'a> {
    source: &'a mut FileSource,
    wanted: Wanted,
    /// Which of the threads works on each lane.
    owners: [u8; Lane::COUNT],
    threads: usize,
    /// How many stretches were found.
    found: usize,
    /// The last frame's time.
    last: Timestamp,
    /// Whether times went on as they mostly do in the stretch before.
    was_steady: bool,
}

impl<'a> Finder<'a> {
    /// For so many threads.
    pub(super) fn new(source: &'a mut FileSource, wanted: Wanted, threads: usize) -> Finder<'a> {
        Finder {
            source,
            wanted,
            threads,
            owners: Lanes::owners(threads),
            found: 0,
            last: Timestamp::ABSENT,
            was_steady: true,
        }
    }

    /// Finds the next frames. Tells how the file ends, if it does.
    pub(super) fn find(&mut self, stretch: &mut Stretch) -> Option<Result<()>> {
        let shares = &mut stretch.shares;
        shares.resize_with(self.threads, Share::default);
        for share in shares.iter_mut() {
            share.places.clear();
            share.openings.clear();
        }
        // No known time is before that.
        let begin = self.last.max(Timestamp(Timestamp::ABSENT.0 + 1));
        let mut deal = Deal {
            wanted: self.wanted,
            owners: &self.owners,
            shares,
            at: 0,
            last: begin,
            is_steady: true,
        };
        let end = self
            .source
            .index_frames(&mut stretch.survey, FRAMES, BYTES, &mut deal);
        let last = deal.last;
        let is_steady = deal.is_steady && last.0.saturating_sub(begin.0) < MAX_CLOCK_JUMP_NS;
        // A table's clock may have to make up its mind about the last time before.
        stretch.is_steady = is_steady && self.was_steady && self.last.is_present();
        stretch.is_last = end.is_some();
        stretch.whole = (self.wanted == Wanted::Stretches).then_some(self.found);
        self.found += 1;
        (self.last, self.was_steady) = (last, is_steady);
        end
    }
}

/// Deals out the frames of a stretch.
struct Deal<'a> {
    wanted: Wanted,
    owners: &'a [u8; Lane::COUNT],
    shares: &'a mut [Share],
    /// Where the next frame is in the stretch.
    at: u16,
    /// The last time so far.
    last: Timestamp,
    /// Whether no time was earlier than one before, or unknown.
    is_steady: bool,
}

impl FrameVisitor for Deal<'_> {
    #[inline(always)]
    fn visit(&mut self, frame: &Frame) {
        if self.wanted == Wanted::Stretches {
            return;
        }
        if usual(frame, Dealing(self)).is_none() {
            show_all(self.shares, None, self.at, 0);
        }
        self.at += 1;
        self.is_steady &= frame.time >= self.last;
        self.last = frame.time;
    }
}

/// Deals out a usual frame.
struct Dealing<'d, 'a>(&'d mut Deal<'a>);

impl Usual<'_> for Dealing<'_, '_> {
    type Made = ();

    #[inline(always)]
    fn take(self, brief: Brief) {
        let Dealing(deal) = self;
        let at = deal.at;
        let owner = usize::from(deal.owners[brief.lane().index()]);
        let hint = FlowTable::hint(&brief);
        let share = &mut deal.shares[owner];
        if brief.opens() {
            share.openings.push(at);
        }
        match deal.wanted {
            Wanted::Lanes => share.places.push(Place {
                at,
                whose: Whose::Own,
                hint,
            }),
            _ => show_all(deal.shares, Some(owner), at, hint),
        }
    }
}

/// Everybody has to look at the frame at this place.
#[inline(never)]
fn show_all(shares: &mut [Share], owner: Option<usize>, at: u16, hint: Hint) {
    for (thread, share) in shares.iter_mut().enumerate() {
        let whose = match owner {
            Some(owner) if owner == thread => Whose::Own,
            Some(_) => Whose::Others,
            None => Whose::Unsure,
        };
        share.places.push(Place { at, whose, hint });
    }
}

impl Share {
    /// Asks for the memory that is needed soon after the frame at so many of the places is worked on.
    #[inline(always)]
    pub(super) fn ask_ahead(&self, index: usize, frames: &IndexedFrames) {
        if let Some(ahead) = self.places.get(index + AHEAD) {
            frames.prefetch(ahead.at());
        }
        if let Some(place) = self.places.get(index) {
            frames.prefetch_beyond(place.at(), BEYOND);
        }
    }
}

impl Stretch {
    /// The frames that a thread has to look at, in order.
    pub(super) fn share(&self, thread: usize) -> &Share {
        &self.shares[thread]
    }
}
