//! Codec for owners in the comments of pcapng packets (draft-ietf-opsawg-pcapng section 3.5.1,
//! `opt_comment`).
//!
//! Every packet has a summary of sender and receiver: `lcap: curl[4121] → node[4100]`. The first
//! packet of a connection, and the first one after its owners changed, also has a line of details
//! for each end: the file then contains everything that was available live.
//!
//! ```text
//! src how=socket uid=1000 at=1790000000123456789 pid=4121 start=98765 ppid=4000 euid=1000
//!     name=curl exe=/usr/bin/curl arg=curl arg=-s
//! ```
//!
//! This is a single line, wrapped here. The fields from a `pid` to the next `pid` describe one
//! process. Spaces, `%` and control characters in values are escaped: `%20` is a space.

use std::fmt::Write;
use std::sync::Arc;

use super::{Match, Owner, Owners, Process, ProcessDetails, ProcessIdentity};
use crate::packet::{FrameOptions, Timestamp};

/// The prefix of lcap's comments.
pub const COMMENT_PREFIX: &str = "lcap: ";
// Option codes: end of options, comment, packet flags, process and thread that sent the packet.
const OPT_ENDOFOPT: u16 = 0;
const OPT_COMMENT: u16 = 1;
const EPB_FLAGS: u16 = 2;
const EPB_PROCESS_THREAD_ID: u16 = 8;
/// Length of the flags option, which is the first option, in bytes.
const FLAGS_OPTION_LEN: usize = 8;
/// Values are truncated to this number of bytes.
const MAX_VALUE_LEN: usize = 512;
/// Maximum number of command-line arguments of a process.
const MAX_ARGS: usize = 16;

/// The level of detail in a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CommentDetail {
    /// Only the summary of sender and receiver.
    Names,
    /// The summary, and all details of both owners.
    Full,
}

/// Packet options that are encoded once for all packets of a connection: flags, and the owners.
#[derive(Debug, Default)]
pub(crate) struct EncodedOptions(Vec<u8>);

impl EncodedOptions {
    /// Returns the options of a packet with these flags, without the flags option if they are 0.
    pub(crate) fn with_flags(&mut self, flags: u32) -> &[u8] {
        let (value_start, end) = (FLAGS_OPTION_LEN - size_of::<u32>(), FLAGS_OPTION_LEN);
        if let Some(value) = self.0.get_mut(value_start..end) {
            value.copy_from_slice(&flags.to_ne_bytes());
        }
        let start = if flags == 0 { end } else { 0 };
        self.0.get(start..).unwrap_or_default()
    }

    /// Returns options that contain only the flags.
    pub(crate) fn flags_only() -> EncodedOptions {
        let mut options = EncodedOptions::default();
        push_option(EPB_FLAGS, &0_u32.to_ne_bytes(), &mut options.0);
        options
    }
}

/// Encodes the options of a packet with this sender (`orig`) and receiver (`resp`), in the byte
/// order of this machine.
pub(crate) fn encode(owners: &Owners, detail: CommentDetail) -> EncodedOptions {
    let mut text = format!("{COMMENT_PREFIX}{owners}");
    if detail == CommentDetail::Full {
        for (name, owner) in [("src", &owners.orig), ("dst", &owners.resp)] {
            if let Some(owner) = owner {
                text.push('\n');
                text.push_str(name);
                push_owner(owner, &mut text);
            }
        }
    }
    let mut options = EncodedOptions::flags_only();
    push_option(OPT_COMMENT, text.as_bytes(), &mut options.0);
    if let Some(owner) = &owners.orig
        && owner.matched == Match::Socket
        && let [process] = &*owner.processes
    {
        // The thread is unknown: 0.
        let sender = [process.pid, 0].map(u32::to_ne_bytes);
        push_option(EPB_PROCESS_THREAD_ID, sender.as_flattened(), &mut options.0);
    }
    push_option(OPT_ENDOFOPT, &[], &mut options.0);
    options
}

fn push_option(code: u16, value: &[u8], out: &mut Vec<u8>) {
    // The length is a 16-bit number. Comments of lcap are usually far shorter.
    let len = value.len().min(usize::from(u16::MAX) - 3);
    out.extend(code.to_ne_bytes());
    out.extend((len as u16).to_ne_bytes());
    out.extend_from_slice(&value[..len]);
    out.extend(std::iter::repeat_n(0, len.wrapping_neg() & 3));
}

fn push_owner(owner: &Owner, out: &mut String) {
    push_field("how", &owner.matched.name(), out);
    if let Some(uid) = owner.uid {
        push_field("uid", &uid, out);
    }
    push_field("at", &owner.lookup_time.0, out);
    for process in &owner.processes {
        push_field("pid", &process.pid, out);
        push_field("start", &process.start_time, out);
        push_field("ppid", &process.parent, out);
        push_field("euid", &process.uid, out);
        let details = process.details();
        push_field("name", &details.name, out);
        if let Some(exe) = &details.exe {
            push_field("exe", exe, out);
        }
        if let Some(container) = &details.container {
            push_field("container", container, out);
        }
        if let Some(run) = details.run_id {
            push_field("run", &run, out);
        }
        for argument in details.command_line.iter().take(MAX_ARGS) {
            push_field("arg", argument, out);
        }
    }
}

fn push_field(name: &str, value: &dyn std::fmt::Display, out: &mut String) {
    // Writing to a String cannot fail.
    let _ = write!(out, " {name}=");
    let value = value.to_string();
    for character in value.chars().scan(0, |len, character| {
        *len += character.len_utf8();
        (*len <= MAX_VALUE_LEN).then_some(character)
    }) {
        if character == ' ' || character == '%' || character.is_control() {
            for octet in character.encode_utf8(&mut [0; 4]).bytes() {
                let _ = write!(out, "%{octet:02x}");
            }
        } else {
            out.push(character);
        }
    }
}

/// Returns lcap's comment among the options of a packet, without its prefix: a line with the
/// summary, then the details.
fn comment_text<'a>(options: &FrameOptions<'a>) -> Option<&'a str> {
    let mut comments = options.records().filter(|(code, _)| *code == OPT_COMMENT);
    comments.find_map(|(_, value)| {
        std::str::from_utf8(value)
            .ok()?
            .strip_prefix(COMMENT_PREFIX)
    })
}

/// Returns the summary of sender and receiver from the options of a packet:
/// `curl[4121] → node[4100]`. It can contain any character except a newline.
pub fn summary<'a>(options: &FrameOptions<'a>) -> Option<&'a str> {
    comment_text(options)?.lines().next()
}

/// A process in a summary: its name, its PID, and a flag that is true if it is certainly the owner.
pub type NamedProcess<'a> = (&'a str, u32, bool);

/// Parses the processes of the sender and of the receiver from a summary.
pub fn parse_summary(summary: &str) -> Option<[Vec<NamedProcess<'_>>; 2]> {
    let (src, dst) = summary.split_once(" → ")?;
    Some([src, dst].map(parse_processes))
}

fn parse_processes(owner: &str) -> Vec<NamedProcess<'_>> {
    let (owner, is_certain) = match owner.strip_suffix('?') {
        Some(owner) => (owner, false),
        None => (owner, true),
    };
    let parts = owner.strip_suffix(']').unwrap_or_default().split("]+");
    let names_and_pids = parts.filter_map(|part| part.rsplit_once('['));
    names_and_pids
        .flat_map(|(name, pids)| {
            let pids = pids.split(',').filter_map(|pid| pid.parse().ok());
            pids.map(move |pid| (name, pid, is_certain))
        })
        .collect()
}

/// Parses the details of the owners from the options of a packet: `orig` is the owner of the
/// sender. Returns `None` if there are no details.
pub fn parse_owners(options: &FrameOptions) -> Option<Owners> {
    let mut owners = Owners::default();
    for line in comment_text(options)?.lines().skip(1) {
        let mut fields = line.split(' ');
        let slot = match fields.next() {
            Some("src") => &mut owners.orig,
            Some("dst") => &mut owners.resp,
            _ => continue,
        };
        *slot = parse_owner(fields).map(Arc::new);
    }
    (!owners.is_empty()).then_some(owners)
}

fn parse_owner<'a>(fields: impl Iterator<Item = &'a str>) -> Option<Owner> {
    let mut how = None;
    let mut owner = Owner {
        processes: Vec::new(),
        matched: Match::Exited,
        uid: None,
        lookup_time: Timestamp::ABSENT,
    };
    let mut processes: Vec<(ProcessIdentity, ProcessDetails)> = Vec::new();
    for field in fields {
        let (name, value) = field.split_once('=')?;
        let value = unescape(value);
        let number = value.parse::<u64>().ok();
        let number_32 = number.and_then(|number| u32::try_from(number).ok());
        match (name, processes.last_mut()) {
            ("how", _) => how = Match::ALL.into_iter().find(|how| how.name() == value),
            ("uid", None) => owner.uid = number_32,
            ("at", None) => owner.lookup_time = Timestamp(value.parse().ok()?),
            ("pid", _) => {
                let identity = ProcessIdentity {
                    pid: number_32?,
                    ..ProcessIdentity::default()
                };
                processes.push((identity, ProcessDetails::default()));
            }
            ("start", Some((identity, _))) => identity.start_time = number?,
            ("ppid", Some((identity, _))) => identity.parent = number_32?,
            ("euid", Some((identity, _))) => identity.uid = number_32?,
            ("name", Some((_, details))) => details.name = value,
            ("exe", Some((_, details))) => details.exe = Some(value),
            ("container", Some((_, details))) => details.container = Some(value),
            ("run", Some((_, details))) => details.run_id = Some(number_32?),
            ("arg", Some((_, details))) => details.command_line.push(value),
            // An unknown field, e.g. from a later version of lcap.
            _ => {}
        }
    }
    owner.matched = how?;
    owner.processes = processes
        .into_iter()
        .map(|(identity, details)| Arc::new(Process::new(identity, details)))
        .collect();
    Some(owner)
}

/// Decodes the escapes of a value.
fn unescape(value: &str) -> String {
    let mut octets = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let [first, more @ ..] = rest {
        let hex = |digits: &[u8]| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok();
        match (first, more) {
            (b'%', [high, low, after @ ..]) if let Some(octet) = hex(&[*high, *low]) => {
                octets.push(octet);
                rest = after;
            }
            _ => {
                octets.push(*first);
                rest = more;
            }
        }
    }
    String::from_utf8_lossy(&octets).into_owned()
}

#[cfg(test)]
mod tests;
