//! Capture files and pipes: pcap (<https://www.tcpdump.org/manpages/pcap-savefile.5.html>) and pcapng (draft-ietf-opsawg-pcapng),
//! as they are or packed by gzip or zstd.

use super::format::Format;
use super::found::{Found, Located};
use super::header;
use super::input::Input;
use super::signature::Compression;
use super::stream::{Patience, Stream};
use super::{Losses, Next, Reader, Source, Stop, Take};
use crate::error::{Error, Result};
use crate::packet::{Frame, Interface, Timestamp};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// Opens a capture file; `-` is standard input. What it is, its first bytes say; its name says nothing.
///
/// A pipe is waited for until it has given the file's header.
///
/// # Errors
/// [`Error::File`] if it cannot be opened or read, [`Error::Format`] if it is empty or nothing that lcap reads,
/// [`Error::Damaged`] if it ends inside its header.
pub fn open(path: &Path) -> Result<FileSource> {
    let failed = |action, source| Error::File {
        action,
        path: path.to_owned(),
        source,
    };
    let standard_input = path == Path::new("-");
    let file = if standard_input {
        io::stdin().as_fd().try_clone_to_owned().map(File::from)
    } else {
        File::open(path)
    };
    let file = file.map_err(|e| failed("cannot open", e))?;
    let total = file
        .metadata()
        .ok()
        .filter(std::fs::Metadata::is_file)
        .map(|about| about.len());
    let progress = Progress {
        done: Arc::default(),
        total,
    };
    let input = Input::open(file, progress.done.clone()).map_err(|e| failed("cannot read", e))?;
    let name = if standard_input {
        PathBuf::from("standard input")
    } else {
        path.to_owned()
    };
    begin(name, input, progress)
}

/// Reads a capture from anything; `name` is what errors call it.
///
/// # Errors
/// As [`open`].
pub fn read(name: &str, reader: impl Read + Send + 'static) -> Result<FileSource> {
    let progress = Progress::default();
    let stream = Stream::new(reader, Patience::Assume, progress.done.clone());
    begin(PathBuf::from(name), Input::Stream(stream), progress)
}

/// Frames from a capture file or a pipe. Made by [`open`] and [`read`].
///
/// After an error there is only [`Next::End`]. [`Next::Idle`] comes before a read that may wait for the writer of a pipe, with the
/// time of the last frame, and not twice without a frame between.
pub struct FileSource {
    path: PathBuf,
    pub(super) input: Input,
    pub(super) format: Format,
    /// How many frames were given.
    pub(super) packets: u64,
    /// When the last of them was captured.
    last: Timestamp,
    stage: Stage,
    progress: Progress,
    stop: Option<Stop>,
}

/// How far the reading of a file is.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// How many bytes were read of the file as it stands on the disk, packed or not. Another thread may look at any time.
    pub done: Arc<AtomicU64>,
    /// How many it has, where that is known: not for pipes.
    pub total: Option<u64>,
}

/// A place in a file, and what was known there.
pub struct Mark {
    format: Format,
    position: u64,
    packets: u64,
    last: Timestamp,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Whoever listens knows that there is nothing now.
    Quiet,
    /// A frame was given since.
    Flowing,
    /// There will be none any more.
    Over,
}

impl FileSource {
    /// How far the reading is, for a progress bar.
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// Ends when somebody asks: a file at once, a pipe when its writer says nothing any more.
    pub fn end_with(&mut self, stop: Stop) {
        self.stop = Some(stop);
    }

    /// The interfaces that the file has described so far: one of a pcap file, any number of a pcapng file.
    pub fn interfaces(&self) -> impl Iterator<Item = &Interface> {
        let (record, blocks) = match &self.format {
            Format::Records(records) => (Some(&records.interface), None),
            Format::Blocks(blocks) => (None, Some(blocks.interfaces())),
        };
        record.into_iter().chain(blocks.into_iter().flatten())
    }

    /// What reads the frames that are found from here on; only in a mapped file.
    pub fn reader(&self) -> Option<Reader> {
        self.input.map().map(|map| Reader {
            map: Arc::clone(map),
            format: self.format.clone(),
        })
    }

    /// Where it is now, to go back to.
    pub fn mark(&self) -> Mark {
        Mark {
            format: self.format.clone(),
            position: self.input.offset(),
            packets: self.packets,
            last: self.last,
            stage: self.stage,
        }
    }

    /// Goes back to a mark; only in a mapped file.
    pub fn go_back(&mut self, mark: Mark) {
        self.input.go_back(mark.position);
        self.format = mark.format;
        self.packets = mark.packets;
        self.last = mark.last;
        self.stage = mark.stage;
    }

    /// Whether there will be no more: the file has ended, or somebody asked.
    #[inline]
    pub(super) fn is_over(&self) -> bool {
        let stopped = self.stop.as_ref().is_some_and(Stop::is_requested);
        self.stage == Stage::Over || stopped && self.input.is_whole()
    }

    /// The file's name, as errors call it.
    pub fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// More bytes, or what to say instead.
    #[cold]
    pub(super) fn more(&mut self, needed: usize) -> Result<Option<Next<'static>>> {
        if self.stage == Stage::Flowing && self.input.would_wait() {
            self.stage = Stage::Quiet;
            return Ok(Some(Next::Idle(self.last)));
        }
        if self.comes_more() && self.fill(needed)? > 0 {
            return Ok(None);
        }
        let rest = self.input.bytes();
        if rest.is_empty() {
            self.stage = Stage::Over;
            return Ok(Some(Next::End));
        }
        let what = match &self.format {
            Format::Records(records) => records.cut(rest),
            Format::Blocks(blocks) => blocks.cut(rest),
        };
        Err(self.damaged(what))
    }

    /// Waits for the writer of a pipe; false if somebody asked to stop and it says nothing.
    fn comes_more(&self) -> bool {
        let stop = self.stop.as_ref().filter(|_| self.input.would_wait());
        stop.is_none_or(|stop| self.input.wait(stop))
    }

    fn fill(&mut self, needed: usize) -> Result<usize> {
        let failed = match self.input.fill(needed) {
            Ok(count) => return Ok(count),
            Err(e) => e,
        };
        self.stage = Stage::Over;
        Err(failure(&self.path, &self.input, self.packets, failed))
    }

    #[cold]
    pub(super) fn damaged(&mut self, what: String) -> Error {
        self.stage = Stage::Over;
        Error::Damaged {
            file: self.name(),
            offset: self.input.offset(),
            packets: self.packets,
            what,
        }
    }

    /// Whether a comment with this text may stand in the first 256 KiB from here on, as far as they are at hand. Only pcapng has comments.
    pub fn may_say(&self, text: &str) -> bool {
        const FRONT: usize = 256 << 10;
        if matches!(self.format, Format::Records(_)) {
            return false;
        }
        let bytes = self.input.bytes();
        let front = bytes.get(..FRONT).unwrap_or(bytes);
        front
            .windows(text.len())
            .any(|bytes| bytes == text.as_bytes())
    }

    /// The next frame, or that there is none now, or that there will be none any more.
    ///
    /// # Errors
    /// The file is damaged. Every good frame was given before.
    #[allow(
        clippy::should_implement_trait,
        reason = "what it gives is borrowed from it"
    )]
    pub fn next(&mut self) -> Result<Next<'_>> {
        match self.find()? {
            Ok(found) => Ok(Next::Frame(self.pass(found))),
            Err(instead) => Ok(instead),
        }
    }

    /// Where the next frame is, or what is to be said instead.
    #[inline(always)]
    fn find(&mut self) -> Result<std::result::Result<Located, Next<'static>>> {
        if self.is_over() {
            return Ok(Err(Next::End));
        }
        loop {
            match self.format.step(self.input.bytes()) {
                Found::Packet(found) => return Ok(Ok(found)),
                Found::Skip(size) => {
                    self.input.take(size);
                }
                Found::More(needed) => {
                    if let Some(instead) = self.more(needed)? {
                        return Ok(Err(instead));
                    }
                }
                Found::Damage(what) => return Err(self.damaged(what)),
            }
        }
    }

    /// Gives a frame that was found, and stands behind it.
    #[inline(always)]
    fn pass(&mut self, found: Located) -> Frame<'_> {
        self.packets += 1;
        self.stage = Stage::Flowing;
        if found.time.is_known() {
            self.last = found.time;
        }
        let record = self.input.take(found.size);
        self.format.frame(self.packets, found, record)
    }
}

impl Source for FileSource {
    fn each(&mut self, take: &mut impl Take) -> Result<()> {
        loop {
            let took = match self.find()? {
                Ok(found) => take.take(&Next::Frame(self.pass(found))),
                Err(Next::End) => break,
                Err(instead) => take.take(&instead),
            };
            if took.is_break() {
                return Ok(());
            }
        }
        let _ = take.take(&Next::End);
        Ok(())
    }

    fn mapped(&mut self) -> Option<&mut FileSource> {
        self.input.map().is_some().then_some(self)
    }

    fn losses(&mut self) -> Losses {
        Losses {
            skipped_blocks: self.format.skipped_blocks(),
            ..Losses::default()
        }
    }
}

/// Reads from here on what an input holds.
fn begin(path: PathBuf, input: Input, progress: Progress) -> Result<FileSource> {
    let (input, format) = header::begin(&path, input)?;
    Ok(FileSource {
        path,
        input,
        format,
        packets: 0,
        last: Timestamp::UNKNOWN,
        stage: Stage::Quiet,
        progress,
        stop: None,
    })
}

/// A read failed: either the device did, or the decoder, whose errors have no number of the operating system's.
pub(super) fn failure(path: &Path, input: &Input, packets: u64, source: io::Error) -> Error {
    let decoder = input
        .compression()
        .filter(|_| source.raw_os_error().is_none());
    match decoder {
        Some(compression) => Error::Damaged {
            file: path.display().to_string(),
            offset: input.offset() + input.bytes().len() as u64,
            packets,
            what: broken_compression(compression, &source),
        },
        None => Error::File {
            action: "cannot read",
            path: path.to_owned(),
            source,
        },
    }
}

fn broken_compression(compression: Compression, error: &io::Error) -> String {
    let name = compression.name();
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return format!(
            "the {name} compression has no end: the file was cut, perhaps while being written or on the way"
        );
    }
    format!(
        "the {name} compression is broken ({error}): bytes changed on the way, \
         and the last packets before may be wrong too; get the file again"
    )
}
