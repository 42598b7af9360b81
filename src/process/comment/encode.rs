//! Encoder of owners as text.

use std::fmt::Write;

use super::{COMMENT_PREFIX, CommentDetail};
use crate::process::escape::{unescape, write_value};
use crate::process::{Owner, Owners};

/// Maximum length of a comment in bytes: the length of a pcapng option, padded to a multiple of
/// four bytes, is a 16-bit number.
pub(super) const MAX_COMMENT_LEN: usize = 65_532;
/// Maximum number of command-line arguments of a process.
pub(super) const MAX_ARGS: usize = 16;

/// Encodes a sender (`orig`) and a receiver (`resp`), in at most [`MAX_COMMENT_LEN`] bytes. A
/// longer comment is shortened by its arguments first, then by further processes.
pub fn encode(owners: &Owners, detail: CommentDetail) -> String {
    let ends = [&owners.orig, &owners.resp].into_iter().flatten();
    let mut max_processes = ends.map(|owner| owner.processes.len()).max().unwrap_or(0);
    let mut max_arguments = MAX_ARGS;
    loop {
        let comment = encode_part(owners, detail, max_processes, max_arguments);
        if comment.len() <= MAX_COMMENT_LEN || max_arguments == 0 && max_processes <= 1 {
            return comment;
        }
        if max_arguments > 0 {
            max_arguments = 0;
        } else {
            max_processes -= max_processes.div_ceil(8);
        }
    }
}

fn encode_part(
    owners: &Owners,
    detail: CommentDetail,
    max_processes: usize,
    max_arguments: usize,
) -> String {
    let mut text = String::from(COMMENT_PREFIX);
    // Writing to a String cannot fail.
    let _ = owners.write_summary(max_processes, &mut text);
    for (end, owner) in [("src", &owners.orig), ("dst", &owners.resp)] {
        let Some(owner) = owner else {
            continue;
        };
        let left_out = owner.processes.len().saturating_sub(max_processes);
        if detail == CommentDetail::Names && left_out == 0 {
            continue;
        }
        text.push('\n');
        text.push_str(end);
        if detail == CommentDetail::Full {
            push_owner(owner, max_processes, max_arguments, &mut text);
        }
        if left_out > 0 {
            push_value("more", left_out, &mut text);
        }
    }
    text
}

fn push_owner(owner: &Owner, max_processes: usize, max_arguments: usize, out: &mut String) {
    push_text("how", owner.evidence.word(), out);
    if let Some(uid) = owner.uid {
        push_value("uid", uid, out);
    }
    push_value("at", owner.lookup_time.0, out);
    for process in owner.processes.iter().take(max_processes) {
        push_value("pid", process.pid, out);
        push_value("start", process.start_time, out);
        push_value("ppid", process.parent, out);
        push_value("euid", process.uid, out);
        let details = process.details();
        push_field("name", &unescape(&details.name), out);
        if let Some(exe) = &details.exe {
            push_text("exe", exe, out);
        }
        if let Some(container) = &details.container {
            push_text("container", container, out);
        }
        if let Some(target) = &details.forwards_to {
            push_text("to", &target.address.to_string(), out);
            if let Some(listener) = &target.listener {
                push_value("to_pid", listener.pid, out);
                push_field("to_name", &unescape(&listener.name), out);
                if let Some(container) = &listener.container {
                    push_text("to_container", container, out);
                }
            }
        }
        if let Some(run) = process.run_id() {
            push_value("run", run, out);
        }
        for argument in details.command_line.iter().take(max_arguments) {
            push_text("arg", argument, out);
        }
    }
}

fn push_value(name: &str, value: impl std::fmt::Display, out: &mut String) {
    let _ = write!(out, " {name}={value}");
}

fn push_text(name: &str, value: &str, out: &mut String) {
    push_field(name, value.as_bytes(), out);
}

fn push_field(name: &str, value: &[u8], out: &mut String) {
    let _ = write!(out, " {name}=");
    let _ = write_value(value, out);
}
