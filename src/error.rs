//! What can go wrong, said so that the reader knows what was being done, to what, and what to do now.

use std::io;
use std::path::PathBuf;

/// Everything that can fail in lcap.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be opened, read or written.
    #[error("{action} {}: {source}", path.display())]
    File {
        /// What was being done: "cannot open", "cannot write".
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Standard output or another stream could not be written.
    #[error("cannot write: {0}")]
    Write(#[from] io::Error),
    /// A capture file is damaged; every packet before the damage was delivered.
    #[error("{file}: damaged at byte {offset}, after {packets} packets: {what}")]
    Damaged {
        /// The file's name.
        file: String,
        /// Where the damage begins, in bytes from the start of the (decompressed) file.
        offset: u64,
        /// How many packets came before it.
        packets: u64,
        /// What is wrong there, and what to do.
        what: String,
    },
    /// The input is not a capture file that lcap reads.
    #[error("{file}: {what}")]
    Format {
        /// The file's name.
        file: String,
        /// What it is instead, where that is known, and what to do.
        what: String,
    },
    /// A BPF expression does not compile, or means nothing on loopback.
    #[error("filter expression {expression:?}: {what}")]
    Filter {
        /// The expression as given.
        expression: String,
        /// Why not.
        what: String,
    },
    /// A device could not be opened, or failed while capturing.
    #[error("{device}: {what}")]
    Device {
        /// The device's name.
        device: String,
        /// What failed, and what to do.
        what: String,
    },
    /// The command line asks for something that cannot be.
    #[error("{0}")]
    Usage(String),
    /// Something was found that was not to be there.
    #[error("{0}")]
    Unwanted(String),
    /// The flow that was asked for never came.
    #[error(
        "there is no flow {number} among the {last} that came; lcap flows lists them, with the same ports and expression"
    )]
    NoSuchFlow {
        /// The number that was asked for.
        number: u64,
        /// How many came.
        last: u64,
    },
    /// Packets cannot be written in the format asked for.
    #[error("cannot write packet {packet}: {what}")]
    Unwritable {
        /// The packet's number in its capture.
        packet: u64,
        /// Why not, and what to do.
        what: String,
    },
}

/// What lcap's fallible functions return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Whether a reader of our output went away, which is no failure.
    pub fn is_closed_pipe(&self) -> bool {
        match self {
            Error::Write(e) | Error::File { source: e, .. } => {
                e.kind() == io::ErrorKind::BrokenPipe
            }
            _ => false,
        }
    }
}
