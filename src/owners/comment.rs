//! Owners in the comments of a pcapng file's packets (draft-ietf-opsawg-pcapng section 3.5.1, `opt_comment`).
//!
//! Every packet says who sends to whom, in words: `lcap: curl[4121] → node[4100]`. The first packet of a connection, and the first after
//! more became known, has a line of details for each end, so that all that was known live is known from the file too:
//!
//! ```text
//! src how=socket uid=1000 at=1790000000123456789 pid=4121 start=98765 ppid=4000 euid=1000 name=curl exe=/usr/bin/curl arg=curl arg=-s
//! ```
//!
//! `pid` begins a process; a value has no spaces and no control characters, which stand as `%20`.

use std::fmt::Write;
use std::sync::Arc;

use super::{How, Owner, Owners};
use crate::host::processes::{Identity, More, Process};
use crate::packet::{Options, Timestamp};

/// What a comment begins with that is ours.
pub const OURS: &str = "lcap: ";
/// Option codes: end of options, a comment, flags of the packet, the process that sent the packet and its thread.
const END: u16 = 0;
const COMMENT: u16 = 1;
const FLAGS: u16 = 2;
const PROCESS: u16 = 8;
/// How many bytes the flags take, which stand first.
const FLAGS_LEN: usize = 8;
/// No more of a value is told than so many bytes.
const MOST: usize = 512;
/// No more arguments of a process are told.
const ARGUMENTS: usize = 16;

/// Whether all that is known is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// Who sends to whom.
    Words,
    /// All that is known of both.
    Details,
}

/// The options of a packet that are made once for all packets of a connection: flags, and what else there is to be told.
#[derive(Debug, Default)]
pub(super) struct Written(Vec<u8>);

impl Written {
    /// The options of a packet that has these flags.
    pub(super) fn with(&mut self, flags: u32) -> &[u8] {
        let (value, rest) = (FLAGS_LEN - size_of::<u32>(), FLAGS_LEN);
        if let Some(value) = self.0.get_mut(value..rest) {
            value.copy_from_slice(&flags.to_ne_bytes());
        }
        let begin = if flags == 0 { rest } else { 0 };
        self.0.get(begin..).unwrap_or_default()
    }

    /// The options of a packet of which nothing is known but its flags.
    pub(super) fn only_flags() -> Written {
        let mut written = Written::default();
        option(FLAGS, &0_u32.to_ne_bytes(), &mut written.0);
        written
    }
}

/// The options of a packet whose sender and receiver are these, numbers in this machine's byte order.
pub(super) fn write(owners: &Owners, extent: Extent) -> Written {
    let mut text = format!("{OURS}{owners}");
    if extent == Extent::Details {
        for (name, owner) in [("src", &owners.orig), ("dst", &owners.resp)] {
            if let Some(owner) = owner {
                text.push('\n');
                text.push_str(name);
                details(owner, &mut text);
            }
        }
    }
    let mut written = Written::only_flags();
    option(COMMENT, text.as_bytes(), &mut written.0);
    if let Some(owner) = &owners.orig
        && owner.how == How::Socket
        && let [process] = &*owner.processes
    {
        // Which of its threads is not known.
        let sender = [process.pid, 0].map(u32::to_ne_bytes);
        option(PROCESS, sender.as_flattened(), &mut written.0);
    }
    option(END, &[], &mut written.0);
    written
}

fn option(code: u16, value: &[u8], out: &mut Vec<u8>) {
    // A comment of ours is far shorter than an option can be.
    let len = value.len().min(usize::from(u16::MAX) - 3);
    out.extend(code.to_ne_bytes());
    out.extend((len as u16).to_ne_bytes());
    out.extend_from_slice(&value[..len]);
    out.extend(std::iter::repeat_n(0, len.wrapping_neg() & 3));
}

fn details(owner: &Owner, out: &mut String) {
    word("how", &owner.how.name(), out);
    if let Some(uid) = owner.uid {
        word("uid", &uid, out);
    }
    word("at", &owner.looked_up.0, out);
    for process in &owner.processes {
        word("pid", &process.pid, out);
        word("start", &process.start_time, out);
        word("ppid", &process.parent, out);
        word("euid", &process.uid, out);
        let more = process.more();
        word("name", &more.name, out);
        if let Some(exe) = &more.exe {
            word("exe", exe, out);
        }
        if let Some(container) = &more.container {
            word("container", container, out);
        }
        if let Some(run) = more.run {
            word("run", &run, out);
        }
        for argument in more.command_line.iter().take(ARGUMENTS) {
            word("arg", argument, out);
        }
    }
}

fn word(name: &str, value: &dyn std::fmt::Display, out: &mut String) {
    // Writing to a String cannot fail.
    let _ = write!(out, " {name}=");
    let value = value.to_string();
    for character in value.chars().scan(0, |len, character| {
        *len += character.len_utf8();
        (*len <= MOST).then_some(character)
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

/// Our comment among a packet's options, if there is one: who sends to whom, in one line, then the details.
fn ours<'a>(options: &Options<'a>) -> Option<&'a str> {
    let mut comments = options.records().filter(|(code, _)| *code == COMMENT);
    comments.find_map(|(_, value)| std::str::from_utf8(value).ok()?.strip_prefix(OURS))
}

/// Who sends a packet to whom, in words, if its options tell: `curl[4121] → node[4100]`. It may have any characters but the line's end.
pub fn in_words<'a>(options: &Options<'a>) -> Option<&'a str> {
    ours(options)?.lines().next()
}

/// A process as the words have it: its name, its number, and whether the end is surely its.
pub type Named<'a> = (&'a str, u32, bool);

/// The processes of the sender and of the receiver, as the words have them.
pub fn named(words: &str) -> Option<[Vec<Named<'_>>; 2]> {
    let (src, dst) = words.split_once(" → ")?;
    Some([src, dst].map(processes))
}

fn processes(words: &str) -> Vec<Named<'_>> {
    let (words, is_sure) = match words.strip_suffix('?') {
        Some(words) => (words, false),
        None => (words, true),
    };
    let all = words.strip_suffix(']').unwrap_or_default().split("]+");
    let each = all.filter_map(|part| part.rsplit_once('['));
    each.flat_map(|(name, pids)| {
        let pids = pids.split(',').filter_map(|pid| pid.parse().ok());
        pids.map(move |pid| (name, pid, is_sure))
    })
    .collect()
}

/// All that a packet's options tell of the owners of its ends: the sender's is `orig`. None if they tell no details.
pub fn owners(options: &Options) -> Option<Owners> {
    let mut owners = Owners::default();
    for line in ours(options)?.lines().skip(1) {
        let mut words = line.split(' ');
        let slot = match words.next() {
            Some("src") => &mut owners.orig,
            Some("dst") => &mut owners.resp,
            _ => continue,
        };
        *slot = owner(words).map(Arc::new);
    }
    (!owners.are_unknown()).then_some(owners)
}

fn owner<'a>(words: impl Iterator<Item = &'a str>) -> Option<Owner> {
    let mut how = None;
    let mut owner = Owner {
        processes: Vec::new(),
        how: How::Gone,
        uid: None,
        looked_up: Timestamp::UNKNOWN,
    };
    let mut processes: Vec<(Identity, More)> = Vec::new();
    for word in words {
        let (name, value) = word.split_once('=')?;
        let value = plain(value);
        let number = value.parse::<u64>().ok();
        let small = number.and_then(|number| u32::try_from(number).ok());
        match (name, processes.last_mut()) {
            ("how", _) => how = How::ALL.into_iter().find(|how| how.name() == value),
            ("uid", None) => owner.uid = small,
            ("at", None) => owner.looked_up = Timestamp(value.parse().ok()?),
            ("pid", _) => {
                let identity = Identity {
                    pid: small?,
                    ..Identity::default()
                };
                processes.push((identity, More::default()));
            }
            ("start", Some((identity, _))) => identity.start_time = number?,
            ("ppid", Some((identity, _))) => identity.parent = small?,
            ("euid", Some((identity, _))) => identity.uid = small?,
            ("name", Some((_, more))) => more.name = value,
            ("exe", Some((_, more))) => more.exe = Some(value),
            ("container", Some((_, more))) => more.container = Some(value),
            ("run", Some((_, more))) => more.run = Some(small?),
            ("arg", Some((_, more))) => more.command_line.push(value),
            // Of a later version.
            _ => {}
        }
    }
    owner.how = how?;
    owner.processes = processes
        .into_iter()
        .map(|(identity, more)| Arc::new(Process::new(identity, more)))
        .collect();
    Some(owner)
}

/// A value without its `%20`.
fn plain(value: &str) -> String {
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
#[path = "comment_tests.rs"]
mod tests;
