//! A stretch of the file: where its frames are, and in which lane each is.

use crate::decode::lane;
use crate::error::Result;
use crate::flow::LEAP;
use crate::packet::{Frame, Lane, Lanes, Timestamp};
use crate::source::{FileSource, Survey};

/// So many frames, or so many bytes of the file.
const FRAMES: usize = 2048;
const BYTES: usize = 512 << 10;

/// How frames are dealt out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Stretch by stretch: what is made of a frame depends on nothing else.
    Stretches,
    /// By their connections.
    Lanes,
}

/// Frames that all threads work on, each on those of its lanes.
#[derive(Debug, Default)]
pub(super) struct Stretch {
    pub(super) survey: Survey,
    /// Of every frame, where frames are dealt out by lanes; none where it has to be understood to know.
    lanes: Vec<Option<Lane>>,
    /// Whether no time in it is earlier than one before, nor much later than the last one before the stretch.
    pub(super) is_steady: bool,
    /// Its number, from 0, if one thread works on all of it.
    pub(super) whole: Option<usize>,
    /// Whether the file ends behind it.
    pub(super) is_last: bool,
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
    /// How many stretches were found.
    found: usize,
    /// The last frame's time, once there was one.
    last: Option<Timestamp>,
    /// Whether times went on as they mostly do in the stretch before.
    was_steady: bool,
}

impl<'a> Finder<'a> {
    pub(super) fn new(source: &'a mut FileSource, wanted: Wanted) -> Finder<'a> {
        Finder {
            source,
            wanted,
            found: 0,
            last: None,
            was_steady: true,
        }
    }

    /// Finds the next frames. Tells how the file ends, if it does.
    pub(super) fn find(&mut self, stretch: &mut Stretch) -> Option<Result<()>> {
        let (mut begin, mut last, mut is_steady) = (self.last, self.last, true);
        let (wanted, lanes) = (self.wanted, &mut stretch.lanes);
        lanes.clear();
        let each = |frame: &Frame| {
            if wanted == Wanted::Lanes {
                lanes.push(lane(frame));
                is_steady &= frame.time.is_known() && last.is_none_or(|last| frame.time >= last);
                begin = begin.or(Some(frame.time));
                last = Some(frame.time);
            }
        };
        let end = self.source.survey(&mut stretch.survey, FRAMES, BYTES, each);
        if let (Some(begin), Some(last)) = (begin, last) {
            is_steady &= last.0.saturating_sub(begin.0) < LEAP;
        }
        // A table's clock may have to make up its mind about the last time before.
        stretch.is_steady = is_steady && self.was_steady && self.last.is_some();
        stretch.is_last = end.is_some();
        stretch.whole = (wanted == Wanted::Stretches).then_some(self.found);
        self.found += 1;
        (self.last, self.was_steady) = (last, is_steady);
        end
    }
}

impl Stretch {
    /// Every frame's place, and whose it is.
    #[inline]
    pub(super) fn each(&self, own: Lanes) -> impl Iterator<Item = (usize, Whose)> {
        let whose = move |lane: &Option<Lane>| match lane {
            Some(lane) if own.has(*lane) => Whose::Own,
            Some(_) => Whose::Others,
            None => Whose::Unsure,
        };
        self.lanes.iter().map(whose).enumerate()
    }
}
