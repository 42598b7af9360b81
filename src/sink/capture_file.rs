//! Capture files: buffering and rotation.

use std::io::Write;
use std::ops::ControlFlow;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::background_writer::BackgroundWriter;
use super::buffered_output::BufferedOutput;
use super::output_file::{OutputDirectory, OutputFile, create_output_file};
use super::rotation::{RotatedNames, Rotation};
use super::{CONTINUE, Event, Requirement, Sink};
use crate::error::{Error, Result};
use crate::packet::{Drops, Interface, Packet, Resolution, Timestamp};

/// Encoder of a capture file format.
pub trait Encoder {
    /// Starts a new file by writing its header; `interface` is that of the first packet.
    ///
    /// # Errors
    /// The header cannot be written.
    fn start_file(&mut self, interface: &Interface, out: &mut CaptureFile) -> Result<()>;

    /// Writes a packet.
    ///
    /// # Errors
    /// The format cannot encode the packet, or the file cannot be written.
    fn encode_packet(&mut self, packet: &Packet, out: &mut CaptureFile) -> Result<()>;

    /// Writes the number of packets that a live capture dropped, if the format can store it.
    ///
    /// # Errors
    /// The file cannot be written.
    fn encode_drops(&mut self, _drops: Drops, _out: &mut CaptureFile) -> Result<()> {
        Ok(())
    }
}

/// Destination and options of a [`CaptureFileSink`].
#[derive(Debug, Clone, Copy)]
pub struct CaptureFileOptions<'a> {
    /// Path of the file, or `-` for standard output; with rotation by time it can contain
    /// strftime(3) conversions.
    pub path: &'a Path,
    /// Conditions for starting the next file.
    pub rotation: Rotation,
    /// Timestamp resolution, for formats with several resolutions; `None` selects the resolution of
    /// the first interface.
    pub resolution: Option<Resolution>,
    /// Interface in the header of a file without packets, once it is determined.
    pub interface: &'a Arc<OnceLock<Interface>>,
    /// Current time of a live capture, for which the file header is written immediately. Absent for
    /// input from a file: then the first packet determines the header, and also the file name if
    /// the name depends on the time.
    pub now: Timestamp,
    /// True if the packets of a live capture get options, in formats that have them: flags, and a
    /// comment with the owners of both ends.
    pub annotate: bool,
}

/// Sink that writes packets to a capture file, or to a sequence of rotated files.
pub struct CaptureFileSink<E> {
    encoder: E,
    names: RotatedNames,
    /// Directory of rotated files.
    directory: Option<OutputDirectory>,
    /// Stream that replaces the first file.
    stream: Option<Box<dyn Write>>,
    /// `None` before the first file, which is created on the first packet if its name depends on
    /// the time.
    file: Option<CaptureFile>,
    /// True for input from a file: a background thread writes while the calling thread reads. In a
    /// live capture, the calling thread writes, which requires the least CPU time.
    in_background: bool,
    /// Interface in the header of a file without packets, once it is determined.
    interface: Arc<OnceLock<Interface>>,
    /// True if the header of the open file was written.
    header_written: bool,
    /// True if a packet arrived since the last idle notification.
    packet_since_idle: bool,
}

/// Number of buffered bytes at which the buffer is written.
const BUFFER_SIZE: usize = 256 << 10;
/// Minimum size, in bytes, of captured packets that a live capture writes without a copy into the
/// buffer.
const LARGE_PACKET_LEN: usize = 8 << 10;

/// A capture file that is being written, with its buffer.
pub struct CaptureFile {
    path: PathBuf,
    out: BufferedOutput<Target>,
    /// Number of bytes written to this file, without buffered bytes.
    written_bytes: u64,
    in_background: bool,
    /// Background thread, started with the first full buffer.
    background: Option<BackgroundWriter>,
}

/// Destination of a capture file.
enum Target {
    File(OutputFile),
    /// Standard output or a FIFO.
    Stream(Box<dyn Write>),
}

impl<E: Encoder> CaptureFileSink<E> {
    /// Creates the first file, unless its name depends on the time of the first packet, or writes
    /// to `stream` instead.
    ///
    /// # Errors
    /// The file cannot be created, or its name is not a valid strftime(3) format.
    pub fn create(
        options: &CaptureFileOptions,
        stream: Option<Box<dyn Write>>,
        encoder: E,
    ) -> Result<CaptureFileSink<E>> {
        let (interface, now) = (options.interface, options.now);
        let names = RotatedNames::new(options.path, options.rotation, now)?;
        let directory = names.directory().map(OutputDirectory::open).transpose()?;
        let mut sink = CaptureFileSink {
            encoder,
            names,
            directory,
            stream,
            file: None,
            in_background: !now.is_present(),
            interface: Arc::clone(interface),
            header_written: false,
            packet_since_idle: false,
        };
        if options.rotation.seconds.is_none() || now.is_present() {
            sink.open_next(now)?;
            if let Some(interface) = interface.get().filter(|_| now.is_present()) {
                sink.write_header(interface)?;
                sink.flush()?;
            }
        }
        Ok(sink)
    }

    /// Closes the current file, if any, and opens the next one.
    fn open_next(&mut self, time: Timestamp) -> Result<()> {
        self.finish_file()?;
        self.header_written = false;
        let path = self.names.next_path(time)?;
        let target = match (self.stream.take(), &self.directory) {
            (Some(stream), _) => Target::Stream(stream),
            (None, Some(directory)) => Target::File(directory.open_file(&path)?),
            (None, None) => Target::File(create_output_file(&path)?),
        };
        self.file = Some(CaptureFile::new(path, target, self.in_background));
        Ok(())
    }

    fn finish_file(&mut self) -> Result<()> {
        self.file.as_mut().map_or(Ok(()), CaptureFile::finish)
    }

    fn write_header(&mut self, interface: &Interface) -> Result<()> {
        self.header_written = true;
        let Some(out) = &mut self.file else {
            return Ok(());
        };
        out.discard_old_contents()?;
        self.encoder.start_file(interface, out)
    }

    #[inline]
    fn write_packet(&mut self, packet: &Packet) -> Result<ControlFlow<()>> {
        self.packet_since_idle = true;
        let time = packet.frame.time;
        let size = self.file.as_ref().map(CaptureFile::size);
        if size.is_none_or(|size| self.names.check_due(time, size)) {
            if self.names.is_last() {
                return Ok(ControlFlow::Break(()));
            }
            self.open_next(time)?;
        }
        if !self.header_written {
            self.write_header(packet.frame.interface)?;
        }
        if let Some(out) = &mut self.file {
            self.encoder.encode_packet(packet, out)?;
        }
        CONTINUE
    }
}

impl<E: Encoder> Sink for CaptureFileSink<E> {
    fn requires(&self) -> Requirement {
        Requirement::Packets
    }

    fn output_directory(&self) -> Option<BorrowedFd<'_>> {
        self.directory.as_ref().map(AsFd::as_fd)
    }

    #[inline]
    fn handle(&mut self, event: Event) -> Result<ControlFlow<()>> {
        match event {
            Event::Packet(packet) => return self.write_packet(packet),
            // The first idle notification after a packet is ignored, so that bursts of packets are
            // written in large pieces; the second one flushes the file.
            Event::Tick(tick) if tick.is_idle && !std::mem::take(&mut self.packet_since_idle) => {
                self.flush()?;
            }
            // A file that is read states its drops itself.
            Event::Dropped(drops) if self.header_written && !self.in_background => {
                if let Some(out) = &mut self.file {
                    self.encoder.encode_drops(drops, out)?;
                }
            }
            Event::Tick(_) | Event::Flow(_) | Event::Request(_) | Event::Dropped(_) => {}
        }
        CONTINUE
    }

    fn flush(&mut self) -> Result<()> {
        self.file.as_mut().map_or(Ok(()), CaptureFile::flush)
    }

    fn finish(&mut self) -> Result<()> {
        if !self.header_written {
            let interface = self.interface.get().cloned().unwrap_or_default();
            self.write_header(&interface)?;
        }
        self.finish_file()
    }
}

impl CaptureFile {
    fn new(path: PathBuf, target: Target, in_background: bool) -> CaptureFile {
        CaptureFile {
            path,
            in_background: in_background && matches!(target, Target::File(_)),
            out: BufferedOutput::with_capacity(target, BUFFER_SIZE + LARGE_PACKET_LEN),
            written_bytes: 0,
            background: None,
        }
    }

    /// Discards the contents of a file that existed before.
    fn discard_old_contents(&mut self) -> Result<()> {
        let Target::File(file) = &mut self.out.writer else {
            return Ok(());
        };
        let emptied = file.begin().map(drop);
        emptied.map_err(|error| self.write_error(error))
    }

    /// Returns the size of the file in bytes, including buffered bytes.
    fn size(&self) -> u64 {
        self.written_bytes + self.out.bytes.len() as u64
    }

    /// Returns the write buffer, to which encoders append headers.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.out.bytes
    }

    /// Writes the record of a packet: `header` in native byte order, the captured `bytes`, then
    /// `trailer`.
    ///
    /// # Errors
    /// The file cannot be written.
    #[inline]
    pub fn write_record<const N: usize>(
        &mut self,
        header: [u32; N],
        bytes: &[u8],
        trailer: &[u8],
    ) -> Result<()> {
        let header = header.map(u32::to_ne_bytes);
        self.out.bytes.extend_from_slice(header.as_flattened());
        if bytes.len() < LARGE_PACKET_LEN || self.in_background {
            self.out.bytes.extend_from_slice(bytes);
        } else {
            self.write_large_packet(bytes)?;
        }
        self.out.bytes.extend_from_slice(trailer);
        self.out.mark_record_end();
        match self.out.bytes.len() >= BUFFER_SIZE {
            true => self.write_full_buffer(),
            false => Ok(()),
        }
    }

    /// Writes a packet without a copy, except to a stream.
    fn write_large_packet(&mut self, bytes: &[u8]) -> Result<()> {
        if let Target::Stream(_) = self.out.writer {
            self.out.bytes.extend_from_slice(bytes);
            return Ok(());
        }
        self.flush()?;
        self.written_bytes += bytes.len() as u64;
        let written = self.out.writer.write_all(bytes);
        written.map_err(|error| self.write_error(error))
    }

    #[cold]
    fn write_full_buffer(&mut self) -> Result<()> {
        let file = match &self.out.writer {
            Target::File(file) if self.in_background => file,
            _ => return self.flush(),
        };
        let background = match self.background.take() {
            Some(background) => Ok(background),
            None => BackgroundWriter::start(file.as_file()),
        };
        let Ok(mut background) = background else {
            // A limit of files or threads is reached.
            self.in_background = false;
            return self.flush();
        };
        self.written_bytes += self.out.bytes.len() as u64;
        match background.write(self.out.take_buffer()) {
            Some(buffer) => {
                self.out.bytes = buffer;
                self.background = Some(background);
                Ok(())
            }
            None => background.finish().map_err(|error| self.write_error(error)),
        }
    }

    fn flush(&mut self) -> Result<()> {
        let background = self.background.take();
        self.written_bytes += self.out.bytes.len() as u64;
        let result = match background.map_or(Ok(()), BackgroundWriter::finish) {
            Ok(()) => self.out.write_buffer(),
            Err(error) => {
                // A failed write is not retried: the error is final.
                self.out.take_buffer();
                Err(error)
            }
        };
        result.map_err(|error| self.write_error(error))
    }

    /// Writes the last bytes.
    fn finish(&mut self) -> Result<()> {
        self.flush()?;
        self.out.finish("packet")
    }

    fn write_error(&self, source: std::io::Error) -> Error {
        match self.out.writer {
            Target::File(_) => Error::file("cannot write", &self.path)(source),
            Target::Stream(_) => Error::Write(source),
        }
    }
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            // The caller adds the name to an error.
            Target::File(file) => file.as_file().write(bytes),
            Target::Stream(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Target::File(file) => file.flush(),
            Target::Stream(stream) => stream.flush(),
        }
    }
}

impl Drop for CaptureFile {
    /// Writes what is buffered, also after an error elsewhere.
    fn drop(&mut self) {
        let _ = self.flush();
    }
}
