//! Errors: the operation, its object, the cause, and the remedy.

use std::fmt::Display;
use std::io;
use std::path::PathBuf;

use crate::printable::line;

/// An error from any lcap operation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be opened, read, written or run.
    #[error("{action} {}: {source}{}", line(&path.to_string_lossy()), remedy(source))]
    File {
        /// Failed operation: "cannot open", "cannot write".
        action: &'static str,
        /// Path of the file.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// Standard output or another stream could not be written; the cause names it.
    #[error("cannot write {0}")]
    Write(io::Error),
    /// A system call failed.
    #[error("system call failed: {source}{}", remedy(source))]
    System {
        /// Cause.
        #[from]
        source: io::Error,
    },
    /// Privileges cannot be given up before the first packet is read.
    #[cfg(feature = "cli")]
    #[error("cannot give up privileges: {0}")]
    Privileges(io::Error),
    /// The reader of an output pipe stopped reading, and the capture ended.
    #[error("{what} not written: {cause}")]
    Unread {
        /// Number of records and bytes that were not written.
        what: String,
        /// The output.
        cause: io::Error,
    },
    /// A capture file is damaged; every packet before the damage was delivered.
    #[error(
        "{}: damaged at byte {offset}, after {}: {what}",
        line(file),
        count_noun(*packets, "packet")
    )]
    Damaged {
        /// Name of the file.
        file: String,
        /// Start of the damage, in bytes from the start of the (decompressed) file.
        offset: u64,
        /// Number of packets before the damage.
        packets: u64,
        /// Kind of damage, and the remedy.
        what: String,
    },
    /// The input is not a capture file that lcap can read.
    #[error("{}: {what}", line(file))]
    Format {
        /// Name of the file.
        file: String,
        /// Format of the file, if detected, and the remedy.
        what: String,
    },
    /// A BPF expression does not compile, or is not valid on loopback.
    #[error("filter expression {expression:?}: {what}")]
    Filter {
        /// The expression from the command line or the file.
        expression: String,
        /// Cause.
        what: String,
    },
    /// A device could not be opened, or failed while capturing.
    #[error("{}: {what}", line(device))]
    Device {
        /// Name of the device.
        device: String,
        /// Failed operation, cause, and remedy.
        what: String,
    },
    /// The command line is invalid.
    #[error("{}", line(.0))]
    Usage(String),
    /// A `--fail-on` condition was met.
    #[error("{0}")]
    ConditionMet(String),
    /// The requested flow does not exist.
    #[error(
        "flow {flow} not found ({} seen); \
         list them with lcap flows and the same ports and expression",
        count_noun(*last, "flow")
    )]
    NoSuchFlow {
        /// Requested number or identifier.
        flow: String,
        /// Number of flows seen.
        last: u64,
    },
    /// The output format cannot represent a packet.
    #[error("cannot write packet {packet}: {what}")]
    CannotEncode {
        /// Number of the packet in its capture.
        packet: u64,
        /// Cause, and remedy.
        what: String,
    },
}

/// Cause of an [`Error::Write`].
#[cfg(feature = "cli")]
#[derive(Debug, thiserror::Error)]
#[error("{}: {cause}{}", line(output), remedy(cause))]
pub(crate) struct WriteFailure {
    /// Name of the output.
    pub(crate) output: String,
    /// Cause, which has an OS error number.
    pub(crate) cause: io::Error,
}

/// Cause of an [`Error::Unread`].
#[cfg(feature = "cli")]
#[derive(Debug, thiserror::Error)]
#[error(
    "the reader of {output} did not read them within {} s; write to a file if it may pause",
    UNREAD_TIMEOUT.as_secs()
)]
pub(crate) struct ReaderTimeout {
    /// Name of the output.
    pub(crate) output: String,
}

/// Time that the readers of pipes have to read the remaining output once a stop was requested.
#[cfg(feature = "cli")]
pub(crate) const UNREAD_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(1);

/// Result of lcap's fallible functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Returns a function that adds the operation and the path to the cause of a failure.
    pub(crate) fn file(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Error {
        let path = path.into();
        move |source| Error::File {
            action,
            path,
            source,
        }
    }

    #[cfg(feature = "live")]
    pub(crate) fn device(device: impl Into<String>, what: impl Into<String>) -> Error {
        Error::Device {
            device: device.into(),
            what: what.into(),
        }
    }

    /// True if the reader of the output has closed its pipe, which is not a failure.
    pub fn is_closed_pipe(&self) -> bool {
        match self {
            Error::Write(e) | Error::File { source: e, .. } => {
                e.kind() == io::ErrorKind::BrokenPipe
            }
            _ => false,
        }
    }
}

/// Returns the remedy of an error that a limit of the system causes, to be appended to its message.
pub(crate) fn remedy(error: &io::Error) -> &'static str {
    use rustix::io::Errno;
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::MFILE) => "; raise the limit of open files (ulimit -n)",
        Some(Errno::NFILE) => "; raise the limit of the system (sysctl fs.file-max)",
        Some(Errno::NOSPC) => "; free some space, or write to another file system",
        Some(Errno::DQUOT) => "; free some space of the quota, or write to another file system",
        Some(Errno::FBIG) => "; raise the limit of file sizes (ulimit -f), or rotate files (-C)",
        // Threads count as processes; nothing else that fails with this error is reported.
        Some(Errno::AGAIN) => "; raise the limit of processes (ulimit -u)",
        Some(Errno::NOMEM) => "; free some memory, or raise the limit (ulimit -v)",
        _ => "",
    }
}

/// Formats a count with its noun, for messages: `1 packet`, `2 processes`, `3 directories`.
pub(crate) fn count_noun<N: Copy + Display + From<u8> + PartialEq>(count: N, noun: &str) -> String {
    match noun.strip_suffix('y') {
        _ if count == N::from(1) => format!("{count} {noun}"),
        Some(stem) => format!("{count} {stem}ies"),
        None if noun.ends_with('s') => format!("{count} {noun}es"),
        None => format!("{count} {noun}s"),
    }
}

/// Returns the message of a libpcap error, without the prefix that the pcap crate adds.
#[cfg(feature = "live")]
pub(crate) fn libpcap_message(error: &impl Display) -> String {
    let text = error.to_string();
    text.strip_prefix("libpcap error: ").unwrap_or(&text).into()
}

/// Returns an argument of a command, quoted for a shell if it needs quotes.
#[cfg(feature = "live")]
pub fn shell_quote(argument: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:=@%,".contains(c);
    match !argument.is_empty() && argument.chars().all(is_plain) {
        true => argument.to_owned(),
        false => format!("'{}'", argument.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn count_noun_follows_english_spelling() {
        for (count, noun, text) in [
            (1, "place", "1 place"),
            (2, "place", "2 places"),
            (0, "process", "0 processes"),
            (1, "process", "1 process"),
            (3, "directory", "3 directories"),
        ] {
            assert_eq!(count_noun(count, noun), text);
        }
    }
}
