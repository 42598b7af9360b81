//! Options of the packet blocks that lcap writes (draft-ietf-opsawg-pcapng section 4.3): flags, the
//! owners as a comment, and the process that sent the packet.

use crate::packet::OPT_COMMENT;
use crate::process::Owners;
use crate::process::comment::{self, CommentDetail};

// Option codes: end of options, packet flags, process and thread that sent the packet.
const OPT_ENDOFOPT: u16 = 0;
const EPB_FLAGS: u16 = 2;
const EPB_PROCESS_THREAD_ID: u16 = 8;
/// Length of the flags option, which is the first option, in bytes.
const FLAGS_OPTION_LEN: usize = 8;

/// Packet options that are encoded once for all packets of a connection, in the byte order of this
/// machine.
#[derive(Debug)]
pub(crate) struct EncodedOptions(Vec<u8>);

impl EncodedOptions {
    /// Encodes the options of a packet with this sender (`orig`) and receiver (`resp`).
    pub(crate) fn with_owners(owners: &Owners, detail: CommentDetail) -> EncodedOptions {
        let mut options = EncodedOptions::flags_only();
        options.push(OPT_COMMENT, comment::encode(owners, detail).as_bytes());
        if let Some(owner) = &owners.orig
            && owner.evidence.is_certain()
            && let [process] = &*owner.processes
        {
            // The thread is unknown: 0.
            let sender = [process.pid, 0].map(u32::to_ne_bytes);
            options.push(EPB_PROCESS_THREAD_ID, sender.as_flattened());
        }
        options.push(OPT_ENDOFOPT, &[]);
        options
    }

    /// Returns options that contain only the flags.
    pub(crate) fn flags_only() -> EncodedOptions {
        let mut options = EncodedOptions(Vec::new());
        options.push(EPB_FLAGS, &0_u32.to_ne_bytes());
        options
    }

    /// Returns the options of a packet with these flags, without the flags option if they are 0.
    pub(crate) fn with_flags(&mut self, flags: u32) -> &[u8] {
        let (value_start, end) = (FLAGS_OPTION_LEN - size_of::<u32>(), FLAGS_OPTION_LEN);
        if let Some(value) = self.0.get_mut(value_start..end) {
            value.copy_from_slice(&flags.to_ne_bytes());
        }
        let start = if flags == 0 { end } else { 0 };
        self.0.get(start..).unwrap_or_default()
    }

    /// Appends an option whose value is at most 65 532 bytes long.
    fn push(&mut self, code: u16, value: &[u8]) {
        self.0.extend(code.to_ne_bytes());
        self.0.extend((value.len() as u16).to_ne_bytes());
        self.0.extend_from_slice(value);
        let padding = value.len().wrapping_neg() & 3;
        self.0.extend(std::iter::repeat_n(0, padding));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::FrameOptions;
    use crate::process::{Evidence, Owner, Process, ProcessDetails, ProcessIdentity};
    use std::sync::Arc;

    #[test]
    fn options_contain_flags_comment_and_certain_sender() {
        let identity = ProcessIdentity {
            pid: 7,
            ..ProcessIdentity::default()
        };
        let process = Arc::new(Process::new(identity, ProcessDetails::default()));
        for (evidence, is_sender_written) in [(Evidence::Opened, true), (Evidence::Listener, false)]
        {
            let owner = Owner {
                processes: vec![Arc::clone(&process)],
                ..Owner::unknown(evidence, None)
            };
            let owners = Owners {
                orig: Some(Arc::new(owner)),
                resp: None,
            };
            let mut encoded = EncodedOptions::with_owners(&owners, CommentDetail::Full);
            for flags in [0, 0x200, 0] {
                let options = FrameOptions {
                    bytes: encoded.with_flags(flags),
                    big_endian: cfg!(target_endian = "big"),
                };
                let comment = options.comments().find_map(comment::parse);
                assert_eq!(comment.map(|comment| comment.owners), Some(owners.clone()));
                let value = |code| options.records().find(|(other, _)| *other == code);
                let flags_option = (flags != 0).then_some(flags.to_ne_bytes());
                assert_eq!(
                    value(EPB_FLAGS).map(|(_, value)| value),
                    flags_option.as_ref().map(<[u8; 4]>::as_slice)
                );
                assert_eq!(value(EPB_PROCESS_THREAD_ID).is_some(), is_sender_written);
            }
        }
    }
}
