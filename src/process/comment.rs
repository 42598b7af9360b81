//! Codec for owners as text, in the comments of pcapng packets.
//!
//! Every comment has a summary of sender and receiver: `lcap: curl[4121] → node[4100]`. The comment
//! of a connection's first packet, and of the first one after its owners changed, also has a line
//! of details for each end: the file then contains everything that was available live.
//!
//! ```text
//! src how=opened uid=1000 at=1790000000123456789 pid=4121 start=98765 ppid=4000 euid=1000
//!     name=curl exe=/usr/bin/curl arg=curl arg=-s
//! ```
//!
//! This is a single line, wrapped here. The fields from a `pid` to the next `pid` describe one
//! process. Where the comment would be too long, processes are left out, and the field `more` is
//! their number. `%20` is a space: no name and no value contains a character that has a meaning in
//! a comment.

#[cfg(feature = "cli")]
mod encode;

#[cfg(feature = "cli")]
pub use encode::encode;

use std::sync::Arc;

use super::escape::{name_from_bytes, unescape, write_name};
use super::{
    Evidence, Owner, Owners, Process, ProcessDetails, ProcessIdentity, ProxyListener, ProxyTarget,
    RunMembership, UNKNOWN_UID,
};
use crate::time::Timestamp;

/// The prefix of lcap's comments.
pub const COMMENT_PREFIX: &str = "lcap: ";
/// Separates sender and receiver in a summary.
const SEPARATOR: &str = " → ";

/// The level of detail in a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommentDetail {
    /// Only the summary of sender and receiver.
    Names,
    /// The summary, and all details of both owners.
    Full,
}

/// The owners that a comment records: `orig` is the owner of the sender, `resp` of the receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedComment {
    /// The owners. From a summary alone, a process has a name and a PID, the user ID
    /// [`UNKNOWN_UID`], and 0 as start time and parent.
    pub owners: Owners,
    /// `Full` if the owners come from details, `Names` if they come from the summary.
    pub detail: CommentDetail,
}

/// Parses a comment of lcap. Returns `None` for any other comment, and for a summary that can be
/// understood in two ways: lcap 0.1 did not escape names in summaries.
pub fn parse(comment: &str) -> Option<RecordedComment> {
    let mut lines = comment.strip_prefix(COMMENT_PREFIX)?.split('\n');
    let summary = lines.next()?;
    let mut owners = Owners::default();
    for line in lines {
        let (slot, fields) = match line.split_once(' ') {
            Some(("src", fields)) => (&mut owners.orig, fields),
            Some(("dst", fields)) => (&mut owners.resp, fields),
            _ => continue,
        };
        *slot = parse_owner(fields).map(Arc::new);
    }
    if !owners.is_empty() {
        let detail = CommentDetail::Full;
        return Some(RecordedComment { owners, detail });
    }
    let (sender, receiver) = summary.split_once(SEPARATOR)?;
    if receiver.contains(SEPARATOR) {
        return None;
    }
    let [orig, resp] = [sender, receiver].map(|end| parse_summary_end(end).map(Arc::new));
    Some(RecordedComment {
        owners: Owners { orig, resp },
        detail: CommentDetail::Names,
    })
}

/// Parses one end in a summary: `curl[4121]`, `nginx[11,12]?`, `nobody`, `docker-proxy[11] ⇒ …`. A
/// summary has no evidence, so processes are `Holds`. Returns `None` if the end is unidentified or
/// its processes are ambiguous.
fn parse_summary_end(end: &str) -> Option<Owner> {
    let owner = |evidence, uid, processes| Owner {
        processes,
        evidence,
        uid,
        lookup_time: Timestamp::ABSENT,
        hidden_run: RunMembership::Unknown,
    };
    if let "nobody" | "kernel" = end {
        return Some(owner(Evidence::from_word(end), None, Vec::new()));
    }
    if let Some(uid) = end.strip_prefix("?(uid ") {
        let uid = parse_number(uid.strip_suffix(')')?)?;
        return Some(owner(Evidence::NotPermitted, Some(uid), Vec::new()));
    }
    let end = end.split_once(" ⇒ ").map_or(end, |(proxy, _)| proxy);
    let groups = end.strip_suffix('?').unwrap_or(end);
    let mut processes = Vec::new();
    for group in groups.strip_suffix(']')?.split("]+") {
        let (name, pids) = group.split_once('[')?;
        if name.contains(']') {
            return None;
        }
        let name = parse_name(name);
        for pid in pids.split(',') {
            let identity = ProcessIdentity {
                pid: parse_number(pid)?,
                uid: UNKNOWN_UID,
                ..ProcessIdentity::default()
            };
            let details = ProcessDetails {
                name: name.clone(),
                ..ProcessDetails::default()
            };
            processes.push(Arc::new(Process::new(identity, details)));
        }
    }
    Some(owner(Evidence::Holds, None, processes))
}

/// Parses a name in a summary. If it is not exactly what lcap writes now, it has no escapes: it
/// was written by lcap 0.1.
fn parse_name(text: &str) -> String {
    let name = name_from_bytes(&unescape(text));
    let mut escaped = String::new();
    let _ = write_name(&name, &mut escaped);
    match escaped == text {
        true => name,
        false => name_from_bytes(text.as_bytes()),
    }
}

/// Parses a number that consists of digits only.
fn parse_number(digits: &str) -> Option<u32> {
    let is_number = digits.bytes().all(|octet| octet.is_ascii_digit());
    digits.parse().ok().filter(|_| is_number)
}

fn parse_owner(fields: &str) -> Option<Owner> {
    let mut evidence = None;
    let mut owner = Owner {
        processes: Vec::new(),
        evidence: Evidence::Gone,
        uid: None,
        lookup_time: Timestamp::ABSENT,
        hidden_run: RunMembership::Unknown,
    };
    let mut processes: Vec<(ProcessIdentity, ProcessDetails)> = Vec::new();
    for field in fields.split(' ') {
        let (name, value) = field.split_once('=')?;
        let octets = unescape(value);
        let value = String::from_utf8_lossy(&octets).into_owned();
        let number = value.parse::<u64>().ok();
        let number_32 = number.and_then(|number| u32::try_from(number).ok());
        match (name, processes.last_mut()) {
            ("how", _) => evidence = Some(Evidence::from_word(&value)),
            ("uid", None) => owner.uid = number_32,
            ("at", None) => owner.lookup_time = Timestamp(value.parse().ok()?),
            ("pid", _) => {
                let identity = ProcessIdentity {
                    pid: number_32?,
                    uid: UNKNOWN_UID,
                    ..ProcessIdentity::default()
                };
                processes.push((identity, ProcessDetails::default()));
            }
            ("start", Some((identity, _))) => identity.start_time = number?,
            ("ppid", Some((identity, _))) => identity.parent = number_32?,
            ("euid", Some((identity, _))) => identity.uid = number_32?,
            ("name", Some((_, details))) => details.name = name_from_bytes(&octets),
            ("exe", Some((_, details))) => details.exe = Some(value),
            ("container", Some((_, details))) => details.container = Some(value),
            ("to", Some((_, details))) => {
                details.forwards_to = Some(Box::new(ProxyTarget {
                    address: value.parse().ok()?,
                    listener: None,
                }));
            }
            ("to_pid", Some((_, details))) => {
                let target = details.forwards_to.as_mut()?;
                target.listener = Some(ProxyListener {
                    pid: number_32?,
                    ..ProxyListener::default()
                });
            }
            ("to_name", Some((_, details))) => {
                proxy_listener(details)?.name = name_from_bytes(&octets);
            }
            ("to_container", Some((_, details))) => {
                proxy_listener(details)?.container = Some(value);
            }
            ("run", Some((identity, _))) => {
                identity.run = RunMembership::Member { root: number_32? };
            }
            ("arg", Some((_, details))) => details.command_line.push(value),
            // An unknown field, e.g. from a later version of lcap.
            _ => {}
        }
    }
    owner.evidence = evidence?;
    owner.processes = processes
        .into_iter()
        .map(|(identity, details)| Arc::new(Process::new(identity, details)))
        .collect();
    Some(owner)
}

fn proxy_listener(details: &mut ProcessDetails) -> Option<&mut ProxyListener> {
    details.forwards_to.as_mut()?.listener.as_mut()
}

#[cfg(all(test, feature = "cli"))]
mod tests;
