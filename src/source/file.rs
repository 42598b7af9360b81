//! Capture files and pipes: pcap (<https://www.tcpdump.org/manpages/pcap-savefile.5.html>) and
//! pcapng (draft-ietf-opsawg-pcapng), plain or compressed with gzip or zstd.

#[cfg(feature = "cli")]
use super::appended::AppendedCaptures;
use super::format_reader::FormatReader;
use super::header;
use super::input::{Blocking, InputStream, WaitResult};
use super::parse_step::{PacketLocation, ParseStep};
use super::pipe_clock::PipeClock;
use super::{IdleClock, Losses, Source, SourceEvent, SourceHandler, Stop};
use crate::error::{Error, Result};
#[cfg(feature = "cli")]
use crate::packet::Interface;
use crate::packet::{Drops, Frame, Timestamp};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// Opens a capture file; `-` is standard input. The format is detected from the first bytes, never
/// from the file name.
///
/// On a pipe this blocks until the whole file header has arrived.
///
/// # Errors
/// [`Error::File`] if the file cannot be opened or read, [`Error::Format`] if it is empty or in a
/// format that lcap does not read, [`Error::Damaged`] if it ends inside its header.
pub fn open(path: &Path) -> Result<FileSource> {
    OpenFile::open(path)?.into_source()
}

/// A capture file that is open, but of which nothing has been read so far.
pub struct OpenFile {
    name: PathBuf,
    input: InputStream,
    progress: Progress,
}

impl OpenFile {
    /// Opens a file; `-` is standard input.
    ///
    /// # Errors
    /// [`Error::File`] if the file cannot be opened.
    pub fn open(path: &Path) -> Result<OpenFile> {
        let standard_input = path == Path::new("-");
        let file = if standard_input {
            io::stdin().as_fd().try_clone_to_owned().map(File::from)
        } else {
            File::open(path)
        };
        let file = file.map_err(Error::file("cannot open", path))?;
        let total = file
            .metadata()
            .ok()
            .filter(std::fs::Metadata::is_file)
            .map(|metadata| metadata.len());
        let progress = Progress {
            done: Arc::default(),
            total,
        };
        let input = InputStream::open(file, progress.done.clone())
            .map_err(Error::file("cannot read", path))?;
        let name = if standard_input {
            PathBuf::from("standard input")
        } else {
            path.to_owned()
        };
        Ok(OpenFile {
            name,
            input,
            progress,
        })
    }

    /// Reads the header of the file.
    ///
    /// # Errors
    /// The same as [`open`].
    pub fn into_source(self) -> Result<FileSource> {
        open_input(self.name, self.input, self.progress)
    }
}

/// Reads a capture from any reader; `name` identifies the reader in error messages.
///
/// # Errors
/// The same as [`open`].
pub fn read(name: &str, reader: impl Read + Send + 'static) -> Result<FileSource> {
    let progress = Progress::default();
    let stream = InputStream::new(reader, Blocking::Always, progress.done.clone());
    open_input(PathBuf::from(name), stream, progress)
}

/// Interval of [`SourceEvent::Idle`] while a pipe is empty.
const PIPE_TICK_INTERVAL: Duration = Duration::from_millis(250);

/// Frames from a capture file or a pipe. Created by [`open`] and [`read`].
///
/// After an error the only event is [`SourceEvent::End`]. [`SourceEvent::Idle`] is sent when a pipe
/// is empty after a frame, and every [`PIPE_TICK_INTERVAL`] while it remains empty. For an
/// arbitrary reader it is sent once, before a read that may block.
pub struct FileSource {
    path: PathBuf,
    input: InputStream,
    format: FormatReader,
    /// Number of frames delivered.
    packets: u64,
    /// Capture time of the last frame that has one.
    last_time: Timestamp,
    pipe_clock: PipeClock,
    stage: ReadStage,
    #[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "for progress bars"))]
    progress: Progress,
    stop: Option<Stop>,
}

/// Progress of reading a file.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// Number of bytes read from the file on disk, compressed or not. Other threads may load it at
    /// any time.
    pub done: Arc<AtomicU64>,
    /// Size of the file in bytes; `None` for pipes.
    #[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "for progress bars"))]
    pub total: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ReadStage {
    /// The handler was notified that no frame is available now.
    IdleReported,
    /// A frame was delivered after the last notification.
    Flowing,
    /// No more frames will come.
    Ended,
}

impl FileSource {
    /// Returns the counters for a progress bar.
    #[cfg(feature = "cli")]
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// Sets the stop request that ends this source. On a stop, a file ends immediately, and a pipe
    /// when no more data arrives from its writer.
    #[cfg(feature = "cli")]
    pub fn set_stop(&mut self, stop: Stop) {
        self.stop = Some(stop);
    }

    /// Returns the interfaces described so far: one for a pcap file, any number for a pcapng file.
    #[cfg(feature = "cli")]
    pub fn interfaces(&self) -> &[Interface] {
        &self.format.metadata.interfaces
    }

    /// Returns the captures found so far after the first one.
    #[cfg(feature = "cli")]
    pub fn appended_captures(&self) -> &AppendedCaptures {
        &self.format.metadata.appended
    }

    /// True if no more frames will come: the file has ended, or a stop was requested.
    #[inline]
    fn has_ended(&self) -> bool {
        let stopped = self.stop.as_ref().is_some_and(Stop::is_requested);
        self.stage == ReadStage::Ended || stopped && self.input.is_regular_file()
    }

    /// Returns the file name that error messages use.
    pub fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// Reads more bytes; returns the event to deliver if there are none.
    #[cold]
    fn read_more(&mut self, needed: usize) -> Result<Option<SourceEvent<'static>>> {
        if self.input.can_block() && self.stage == ReadStage::Flowing {
            self.stage = ReadStage::IdleReported;
            return Ok(Some(SourceEvent::Idle(IdleClock::Stopped)));
        }
        loop {
            match self.input.fill(needed) {
                Ok(0) => break,
                Ok(_) => return Ok(None),
                Err(error) if self.input.is_empty_pipe(&error) => {}
                Err(error) => {
                    self.stage = ReadStage::Ended;
                    return Err(self.input.read_error(&self.path, self.packets, error));
                }
            }
            if self.stage == ReadStage::Flowing {
                self.stage = ReadStage::IdleReported;
                let clock = self.pipe_clock.start_silence(self.last_time);
                return Ok(Some(SourceEvent::Idle(clock)));
            }
            let stop = self.stop.as_ref();
            match self.input.wait_readable(stop, Some(PIPE_TICK_INTERVAL)) {
                WaitResult::Readable => {}
                WaitResult::TimedOut => {
                    let clock = self.pipe_clock.read_silent();
                    return Ok(Some(SourceEvent::Idle(clock)));
                }
                WaitResult::Stopped => break,
            }
        }
        let rest = self.input.bytes();
        if rest.is_empty() {
            self.stage = ReadStage::Ended;
            return Ok(Some(SourceEvent::End));
        }
        let what = self.format.truncation_message(rest);
        Err(self.damage_error(what))
    }

    #[cold]
    fn damage_error(&mut self, what: String) -> Error {
        self.stage = ReadStage::Ended;
        Error::Damaged {
            file: self.name(),
            offset: self.input.offset(),
            packets: self.packets,
            what,
        }
    }

    /// Returns the next frame, an idle event if no frame is available now, or the end.
    ///
    /// # Errors
    /// The file is damaged. Every good frame before the damage was returned.
    #[cfg(feature = "internals")]
    #[allow(
        clippy::should_implement_trait,
        reason = "the returned frame borrows from the source"
    )]
    pub fn next(&mut self) -> Result<SourceEvent<'_>> {
        match self.locate_next()? {
            Ok(found) => Ok(SourceEvent::Frame(self.consume_frame(found))),
            Err(event) => Ok(event),
        }
    }

    /// Finds the next frame, or returns the event to deliver instead.
    #[inline(always)]
    fn locate_next(&mut self) -> Result<std::result::Result<PacketLocation, SourceEvent<'static>>> {
        if self.has_ended() {
            return Ok(Err(SourceEvent::End));
        }
        loop {
            match self.format.parse_next(self.input.bytes()) {
                ParseStep::Packet(found) => return Ok(Ok(found)),
                ParseStep::Skip(size) => {
                    self.input.consume(size);
                    if let Some(drops) = self.format.metadata.drops.take() {
                        return Ok(Err(SourceEvent::Dropped(drops)));
                    }
                }
                ParseStep::NewCapture(size) => {
                    self.format.metadata.appended.add(self.input.offset());
                    self.input.consume(size);
                }
                ParseStep::NeedMore(needed) => {
                    if let Some(event) = self.read_more(needed)? {
                        return Ok(Err(event));
                    }
                }
                ParseStep::Damage(what) => return Err(self.damage_error(what)),
            }
        }
    }

    /// Returns the frame at a location, and moves past it.
    #[inline(always)]
    fn consume_frame(&mut self, found: PacketLocation) -> Frame<'_> {
        self.packets += 1;
        self.stage = ReadStage::Flowing;
        if found.time.is_present() {
            self.last_time = found.time;
        }
        let record = self.input.consume(found.size);
        self.format.frame(self.packets, found, record)
    }
}

impl Source for FileSource {
    fn for_each(&mut self, handler: &mut impl SourceHandler) -> Result<()> {
        loop {
            let control = match self.locate_next()? {
                Ok(found) => {
                    let previous = self.last_time;
                    let frame = self.consume_frame(found);
                    if let Some(drops) = drops_before(&frame, previous) {
                        let _ = handler.handle(&SourceEvent::Dropped(drops));
                    }
                    handler.handle(&SourceEvent::Frame(frame))
                }
                Err(SourceEvent::End) => break,
                Err(event) => handler.handle(&event),
            };
            if control.is_break() {
                return Ok(());
            }
        }
        let _ = handler.handle(&SourceEvent::End);
        Ok(())
    }

    fn losses(&mut self) -> Losses {
        Losses {
            dropped: self.format.metadata.dropped,
            skipped_blocks: self.format.metadata.skipped_blocks,
            ..Losses::default()
        }
    }
}

/// Returns the packets that were dropped between the previous frame and this one, according to this
/// one's options.
#[inline]
fn drops_before(frame: &Frame, previous: Timestamp) -> Option<Drops> {
    if frame.options.bytes.is_empty() {
        return None;
    }
    let count = frame.options.dropped_pkts();
    (count > 0).then_some(Drops {
        since: if previous.is_present() {
            previous
        } else {
            frame.time
        },
        until: frame.time,
        count,
    })
}

/// Detects the format of an input and reads its header.
fn open_input(path: PathBuf, input: InputStream, progress: Progress) -> Result<FileSource> {
    let (input, format) = header::read_header(&path, input)?;
    Ok(FileSource {
        path,
        input,
        format,
        packets: 0,
        last_time: Timestamp::ABSENT,
        pipe_clock: PipeClock::new(),
        stage: ReadStage::IdleReported,
        progress,
        stop: None,
    })
}
