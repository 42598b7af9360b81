//! Packets into capture files: buffering, rotation, and whose files they are.

use std::fs::File;
use std::io::{IoSlice, Write};
use std::path::Path;

use super::behind::Behind;
use super::names::{Names, Rotation};
use super::room::Room;
use super::{Needs, Sink};
use crate::error::{Error, Result};
use crate::packet::{Interface, Packet, Resolution, Timestamp};

/// A capture file format.
pub trait Encoder {
    /// A new file: writes what stands before the first packet, which `interface` will give.
    ///
    /// # Errors
    /// The header cannot be written.
    fn begin(&mut self, interface: &Interface, out: &mut Out) -> Result<()>;

    /// Writes a packet.
    ///
    /// # Errors
    /// The format cannot hold it, or the file cannot be written.
    fn packet(&mut self, packet: &Packet, out: &mut Out) -> Result<()>;
}

/// Where packets are saved, and how.
#[derive(Debug, Clone, Copy)]
pub struct Saving<'a> {
    /// The file, `-` for standard output; with a rotation by time it may hold strftime(3) conversions.
    pub path: &'a Path,
    /// When another file is begun.
    pub rotation: Rotation,
    /// How fine time stamps are, where the format has a choice; none is as fine as the first interface's.
    pub resolution: Option<Resolution>,
    /// What a file without packets tells of.
    pub interface: Option<&'a Interface>,
    /// Live, the clock: what stands before the first packet is written at once. When a file is read it is unknown, and the first
    /// packet decides on that, and on the name where it depends on the time.
    pub now: Timestamp,
}

/// Saves packets to one file after the other.
pub struct Save<E> {
    encoder: E,
    names: Names,
    /// None before the first file: one that is named by time waits for the first packet's.
    out: Option<Out>,
    pace: Pace,
    /// What the header of a file without packets says.
    interface: Option<Interface>,
    /// Whether the open file's header was written.
    begun: bool,
    /// Whether a packet came since the last pause.
    fresh: bool,
    finished: bool,
}

/// Written at once when more than this is waiting.
const BUFFER: usize = 256 << 10;
/// Packets from this size on are not copied into the buffer.
const LARGE: usize = 8 << 10;
/// What the kernel keeps a file in: a page that is written in parts costs it more. Smaller than [`LARGE`].
const PAGE: usize = 4096;

/// A file being written, with what is waiting to be.
pub struct Out {
    name: std::path::PathBuf,
    file: File,
    room: Room,
    waiting: Vec<u8>,
    /// Bytes written to this file.
    written: u64,
    pace: Pace,
    /// What writes, once there was enough for that.
    behind: Option<Behind>,
}

/// How packets come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// As they are sent: to write them at once takes the least of the processor's time.
    Live,
    /// As fast as they can be saved: a thread writes while others are read.
    File,
}

impl<E: Encoder> Save<E> {
    /// Creates the first file, unless its name waits for the first packet's time.
    ///
    /// # Errors
    /// The file cannot be created.
    pub fn create(saving: &Saving, encoder: E) -> Result<Save<E>> {
        let Saving {
            path,
            rotation,
            interface,
            now,
            ..
        } = *saving;
        let names = Names::new(path, rotation, now)?;
        let mut save = Save {
            encoder,
            names,
            out: None,
            pace: match now.is_known() {
                true => Pace::Live,
                false => Pace::File,
            },
            interface: interface.cloned(),
            begun: false,
            fresh: false,
            finished: false,
        };
        if rotation.seconds.is_none() || now.is_known() {
            save.open(now)?;
            if let Some(interface) = interface.filter(|_| now.is_known()) {
                save.begin(interface)?;
                save.flush()?;
            }
        }
        Ok(save)
    }

    /// Closes the file, where there is one, and opens the next.
    fn open(&mut self, time: Timestamp) -> Result<()> {
        self.flush()?;
        self.begun = false;
        self.out = Some(Out::create(&self.names.next(time)?, self.pace)?);
        Ok(())
    }

    fn begin(&mut self, interface: &Interface) -> Result<()> {
        self.begun = true;
        self.out
            .as_mut()
            .map_or(Ok(()), |out| self.encoder.begin(interface, out))
    }
}

impl<E: Encoder> Sink for Save<E> {
    #[inline]
    fn packet(&mut self, packet: &Packet) -> Result<()> {
        self.fresh = true;
        let time = packet.frame.time;
        let size = self.out.as_ref().map(Out::size);
        if size.is_none_or(|size| self.names.is_due(time, size)) {
            if self.finished || self.names.is_last() {
                self.finished = true;
                return Ok(());
            }
            self.open(time)?;
        }
        if !self.begun {
            self.begin(packet.frame.interface)?;
        }
        self.out
            .as_mut()
            .map_or(Ok(()), |out| self.encoder.packet(packet, out))
    }

    fn needs(&self) -> Needs {
        Needs::Frames
    }

    fn may_have_enough(&self) -> bool {
        self.names.may_end()
    }

    fn wants_more(&self) -> bool {
        !self.finished
    }

    fn idle(&mut self) -> Result<()> {
        // Packets that come in bursts are written in large pieces; once nothing comes any more the file is made complete.
        if std::mem::take(&mut self.fresh) {
            return Ok(());
        }
        self.flush()
    }

    fn flush(&mut self) -> Result<()> {
        self.out.as_mut().map_or(Ok(()), Out::flush)
    }

    fn finish(&mut self) -> Result<()> {
        if !self.begun {
            let interface = self.interface.take().unwrap_or_default();
            self.begin(&interface)?;
        }
        self.flush()
    }
}

impl Out {
    fn create(path: &Path, pace: Pace) -> Result<Out> {
        let file = create(path)?;
        let waiting = Vec::with_capacity(BUFFER + LARGE * 2);
        let room = match path == Path::new(STDOUT) {
            // What was written there before is somebody else's.
            true => Room::default(),
            false => Room::of(&file),
        };
        Ok(Out {
            name: path.into(),
            file,
            room,
            waiting,
            written: 0,
            pace,
            behind: None,
        })
    }

    /// How large the file is, with what is waiting.
    fn size(&self) -> u64 {
        self.written + self.waiting.len() as u64
    }

    /// Where headers are put together.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.waiting
    }

    /// Writes a packet's record: numbers in this machine's byte order, the bytes, what stands behind.
    ///
    /// # Errors
    /// The file cannot be written.
    #[inline]
    pub fn write<const N: usize>(
        &mut self,
        before: [u32; N],
        bytes: &[u8],
        behind: &[u8],
    ) -> Result<()> {
        let before = before.map(u32::to_ne_bytes);
        self.waiting.extend_from_slice(before.as_flattened());
        if bytes.len() < LARGE || self.pace == Pace::File {
            self.waiting.extend_from_slice(bytes);
        } else {
            self.write_large(bytes)?;
        }
        self.waiting.extend_from_slice(behind);
        if self.waiting.len() >= BUFFER {
            self.write_aligned()
        } else {
            Ok(())
        }
    }

    /// Writes up to the next multiple of the buffer's size in the file: whole pages are the cheapest for the kernel to keep.
    #[cold]
    fn write_aligned(&mut self) -> Result<()> {
        let size = BUFFER - self.written as usize % BUFFER;
        self.written += size as u64;
        self.room.reach(&self.file, self.written);
        let written = self.write_first(size);
        written.map_err(|error| self.failed(error))
    }

    /// Writes so many of the bytes that are waiting.
    fn write_first(&mut self, size: usize) -> std::io::Result<()> {
        if self.pace == Pace::File && self.behind.is_none() {
            // Without a thread it is only slower.
            self.behind = Behind::start(&self.file).ok();
        }
        let Some(behind) = &mut self.behind else {
            let written = self.file.write_all(&self.waiting[..size]);
            // What could not be written is not tried again: the error is final.
            self.waiting.drain(..size);
            return written;
        };
        let rest = self.waiting[size..].to_vec();
        self.waiting.truncate(size);
        self.waiting = behind.write(std::mem::take(&mut self.waiting))?;
        self.waiting.extend_from_slice(&rest);
        Ok(())
    }

    /// Writes what is waiting and `bytes` in one call, without a copy, up to the end of the last whole page in the file.
    #[cold]
    fn write_large(&mut self, bytes: &[u8]) -> Result<()> {
        let mut waiting = std::mem::take(&mut self.waiting);
        let behind = (self.written as usize + waiting.len() + bytes.len()) % PAGE;
        let (bytes, rest) = bytes.split_at(bytes.len() - behind);
        self.written += (waiting.len() + bytes.len()) as u64;
        self.room.reach(&self.file, self.written);
        let mut parts = &mut [IoSlice::new(&waiting), IoSlice::new(bytes)][..];
        while !parts.is_empty() {
            match self.file.write_vectored(parts) {
                Ok(0) => return Err(self.failed(std::io::ErrorKind::WriteZero.into())),
                Ok(written) => IoSlice::advance_slices(&mut parts, written),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed(error)),
            }
        }
        waiting.clear();
        waiting.extend_from_slice(rest);
        self.waiting = waiting;
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        let mut written = self.behind.as_mut().map_or(Ok(()), Behind::flush);
        if !self.waiting.is_empty() {
            written = written.and(self.file.write_all(&self.waiting));
        }
        self.written += self.waiting.len() as u64;
        // What could not be written is not tried again: the error is final.
        self.waiting.clear();
        written.map_err(|error| self.failed(error))
    }

    fn failed(&self, source: std::io::Error) -> Error {
        Error::File {
            action: "cannot write",
            path: self.name.clone(),
            source,
        }
    }
}

impl Drop for Out {
    fn drop(&mut self) {
        // Who writes has to end before the size is set.
        self.behind = None;
        self.room.give_back(&self.file);
    }
}

/// What standard output is called.
const STDOUT: &str = "-";

/// Creates a file for who typed the command; `-` is standard output.
///
/// # Errors
/// It cannot be created.
pub fn create(path: &Path) -> Result<File> {
    let failed = |source| Error::File {
        action: "cannot create",
        path: path.into(),
        source,
    };
    if path == Path::new(STDOUT) {
        let stdout = std::os::fd::AsFd::as_fd(&std::io::stdout()).try_clone_to_owned();
        return Ok(File::from(stdout.map_err(failed)?));
    }
    let file = File::create(path).map_err(failed)?;
    give_to_invoking_user(&file);
    Ok(file)
}

/// A file made under sudo(8) belongs to the user who typed the command, who could not read it otherwise.
pub(super) fn give_to_invoking_user(file: &File) {
    use rustix::fs::{Gid, Uid, fchown};
    let number = |name| {
        std::env::var(name)
            .ok()
            .and_then(|text: String| text.parse::<u32>().ok())
    };
    if !rustix::process::geteuid().is_root()
        || !file
            .metadata()
            .is_ok_and(|meta| meta.is_file() || meta.is_dir())
    {
        return;
    }
    if let (Some(user), Some(group)) = (number("SUDO_UID"), number("SUDO_GID")) {
        // On a file system without owners the file stays as it is.
        let _ = fchown(file, Some(Uid::from_raw(user)), Some(Gid::from_raw(group)));
    }
}
