//! Processes as JSON objects.

use super::{field, number, quoted, signed, text};
use crate::host::processes::Process;
use crate::owners::{Owner, comment};

/// The processes of the sender and the receiver, as the words of a comment have them.
pub(super) fn both(words: &str, out: &mut Vec<u8>) {
    let ends = comment::named(words).into_iter().flatten();
    for (name, processes) in ["src_process", "dst_process"].into_iter().zip(ends) {
        let Some((first, others)) = processes.split_first() else {
            continue;
        };
        text(out, ",\"");
        text(out, name);
        text(out, "\":{");
        brief(*first, out);
        if let (_, _, false) = first {
            text(out, ",\"how\":\"listener\"");
        }
        for (at, other) in others.iter().enumerate() {
            text(out, if at == 0 { ",\"shared_with\":[{" } else { ",{" });
            brief(*other, out);
            text(out, "}");
        }
        text(out, if others.is_empty() { "}" } else { "]}" });
    }
}

fn brief((name, pid, _): comment::Named, out: &mut Vec<u8>) {
    text(out, "\"pid\":");
    number::decimal(out, pid);
    text(out, ",\"name\":");
    quoted(out, name);
}

/// The processes of an end, as an object: one's fields, or all of them in a list where several share it.
pub(in crate::sink) fn process(out: &mut Vec<u8>, owner: &Owner) {
    let first = owner.processes.first();
    text(out, "{\"how\":");
    quoted(out, owner.how.name());
    if let Some(uid) = owner.uid {
        field(out, "uid", uid);
    }
    if let Some(process) = first {
        text(out, ",");
        about(out, process);
    }
    if owner.processes.len() > 1 {
        text(out, ",\"shared_with\":[");
        for (at, process) in owner.processes.iter().skip(1).enumerate() {
            text(out, if at == 0 { "{" } else { ",{" });
            about(out, process);
            text(out, "}");
        }
        text(out, "]");
    }
    if owner.looked_up.is_known() {
        text(out, ",\"looked_up_ns\":");
        signed(out, owner.looked_up.0);
    }
    text(out, "}");
}

fn about(out: &mut Vec<u8>, process: &Process) {
    text(out, "\"pid\":");
    number::decimal(out, process.pid);
    text(out, ",\"start_time\":");
    number::decimal64(out, process.start_time);
    field(out, "ppid", process.parent);
    field(out, "euid", process.uid);
    let more = process.more();
    let texts = [
        ("name", Some(&more.name)),
        ("exe", more.exe.as_ref()),
        ("container", more.container.as_ref()),
    ];
    for (name, value) in texts {
        if let Some(value) = value {
            text(out, ",\"");
            text(out, name);
            text(out, "\":");
            quoted(out, value);
        }
    }
    text(out, ",\"command_line\":[");
    for (at, word) in more.command_line.iter().enumerate() {
        text(out, if at == 0 { "" } else { "," });
        quoted(out, word);
    }
    text(out, "]");
}
