//! Process objects in the JSON of packets and flows.

use super::{number, write_field, write_i64, write_quoted, write_text};
use crate::process::{Evidence, Owner, Process, UNKNOWN_UID};

fn write_certain(out: &mut Vec<u8>, evidence: &Evidence) {
    write_text(
        out,
        match evidence.is_certain() {
            true => ",\"certain\":true",
            false => ",\"certain\":false",
        },
    );
}

/// Writes the owner of one end of a connection as an object: the fields of the first process, then
/// further processes that share the socket as the list `shared_with`.
pub(in crate::sink) fn write_owner(out: &mut Vec<u8>, owner: &Owner) {
    let first = owner.processes.first();
    write_text(out, "{\"how\":");
    write_quoted(out, owner.evidence.word());
    write_certain(out, &owner.evidence);
    if let Some(uid) = owner.uid {
        write_field(out, "uid", uid);
    }
    if let Some(process) = first {
        write_text(out, ",");
        write_process(out, process);
    }
    if owner.processes.len() > 1 {
        write_text(out, ",\"shared_with\":[");
        for (at, process) in owner.processes.iter().skip(1).enumerate() {
            write_text(out, if at == 0 { "{" } else { ",{" });
            write_process(out, process);
            write_text(out, "}");
        }
        write_text(out, "]");
    }
    if owner.lookup_time.is_present() {
        write_text(out, ",\"looked_up_ns\":");
        write_i64(out, owner.lookup_time.0);
    }
    write_text(out, "}");
}

fn write_process(out: &mut Vec<u8>, process: &Process) {
    write_text(out, "\"pid\":");
    number::decimal(out, process.pid);
    // The summary of a comment contains only the PID and the name.
    let is_complete = process.uid != UNKNOWN_UID;
    if is_complete {
        write_text(out, ",\"start_time\":");
        number::decimal64(out, process.start_time);
        write_field(out, "ppid", process.parent);
        write_field(out, "euid", process.uid);
    }
    let details = process.details();
    let texts = [
        ("name", Some(&details.name)),
        ("exe", details.exe.as_ref()),
        ("container", details.container.as_ref()),
    ];
    for (name, value) in texts {
        if let Some(value) = value {
            write_text(out, ",\"");
            write_text(out, name);
            write_text(out, "\":");
            write_quoted(out, value);
        }
    }
    if is_complete {
        write_text(out, ",\"command_line\":[");
        for (at, argument) in details.command_line.iter().enumerate() {
            write_text(out, if at == 0 { "" } else { "," });
            write_quoted(out, argument);
        }
        write_text(out, "]");
    }
}
